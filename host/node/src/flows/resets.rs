//! Clients that are to be reset, and when each is probed.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use ipos_migrate::protocol::Flow;

/// Between two probes of a client: Linux answers such segments twice a second at most (`net.ipv4.tcp_invalid_ratelimit`).
const AGAIN: Duration = Duration::from_millis(600);
/// Probes of a client that says nothing: a minute.
const PROBES: u32 = 100;

/// A client that is to be reset: probes that are left, and when the next is due.
#[derive(Clone, Copy, Debug)]
struct Pending {
    left: u32,
    at: Instant,
}

/// Clients that are to be reset.
#[derive(Debug, Default)]
pub(crate) struct Resets {
    flows: HashMap<Flow, Pending>,
    queue: BTreeSet<(Instant, Flow)>,
    marks: RandomState,
}

impl Resets {
    pub fn begin(&mut self, flow: Flow, now: Instant) {
        self.end(&flow);
        self.flows.insert(flow, Pending { left: PROBES, at: now });
        self.queue.insert((now, flow));
    }

    /// `false`: it was none.
    pub fn end(&mut self, flow: &Flow) -> bool {
        let pending = self.flows.remove(flow);
        pending.is_some_and(|p| self.queue.remove(&(p.at, *flow)))
    }

    pub fn is_pending(&self, flow: &Flow) -> bool {
        self.flows.contains_key(flow)
    }

    /// When the next probe is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// A client that is to be probed now, and how many probes it will have had less than [`PROBES`]; 0: no more.
    pub fn due(&mut self, now: Instant) -> Option<(Flow, u32)> {
        let (_, flow) = self.queue.first().copied().filter(|(at, _)| *at <= now)?;
        let left = self.flows.get(&flow).map_or(0, |p| p.left.saturating_sub(1));
        self.end(&flow);
        if left > 0 {
            let at = now + AGAIN;
            self.flows.insert(flow, Pending { left, at });
            self.queue.insert((at, flow));
        }
        Some((flow, left))
    }

    /// What a probe acknowledges. A client without the connection answers by a reset with this number (RFC 9293, section 3.10.7.1),
    /// and nobody else can guess it.
    pub fn mark(&self, flow: &Flow) -> u32 {
        self.marks.hash_one(flow) as u32
    }
}
