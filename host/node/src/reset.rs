//! Tells a client that its connection has died with its owner.
//!
//! Nobody knows the connection's sequence numbers any more, and a client that waits sends nothing that the kernel could answer by a
//! reset. So its home asks: a bare acknowledgement with numbers that the client can't accept is answered by one that tells the right
//! ones (RFC 9293, section 3.10.7.4, "first, check sequence number"). The home takes this answer itself, and everything else that the
//! client sends, and resets with its SEG.ACK, the one number that the client accepts (RFC 5961, section 3.2). Probe, answer and reset
//! go between card and node: the server's kernel knows nothing of the connection, and its firewall would drop them as invalid.
//!
//! The same probe tells the owner of a connection whose home is silent whether its client is still there (`audit`).

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use ipos_abi::Port;
use ipos_abi::wire::tcp::{self, Flags};
use ipos_abi::wire::{Error, Mac, ethernet, ipv4};
use ipos_device::Device;
use ipos_migrate::protocol::{Flow, Protocol};

use crate::error::NodeError;
use crate::frame::{Transport, framed};
use crate::journal::Place;
use crate::run::Runner;

/// Between two probes of a client: Linux answers such segments twice a second at most (`net.ipv4.tcp_invalid_ratelimit`).
const AGAIN: Duration = Duration::from_millis(600);
/// Probes of a client that says nothing: a minute.
const PROBES: u32 = 100;
/// Probes in one turn of the loop.
const BATCH: usize = 64;

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
    fn begin(&mut self, flow: Flow, now: Instant) {
        self.end(&flow);
        self.flows.insert(flow, Pending { left: PROBES, at: now });
        self.queue.insert((now, flow));
    }

    /// `false`: it was none.
    fn end(&mut self, flow: &Flow) -> bool {
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
    fn due(&mut self, now: Instant) -> Option<(Flow, u32)> {
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

impl<D: Device> Runner<D> {
    /// The home of a connection that is nobody's any more tells the client. After a restart it begins again.
    pub fn reset(&mut self, flow: Flow) -> Result<(), NodeError> {
        if flow.protocol != Protocol::Tcp || self.core.is_home(flow.service) != Some(true) {
            self.journal.note(flow, None);
            return Ok(());
        }
        tracing::info!(node = self.config.name, ?flow, "its owner has died: the client is reset");
        self.journal.note(flow, Some(Place::Here(0)));
        self.resets.begin(flow, Instant::now());
        self.probe_due()
    }

    /// Probes the clients whose time has come.
    pub fn probe_due(&mut self) -> Result<(), NodeError> {
        let now = Instant::now();
        for _ in 0..BATCH {
            let Some((flow, left)) = self.resets.due(now) else { break };
            if left == 0 {
                tracing::info!(node = self.config.name, ?flow, "the client says nothing");
                self.journal.note(flow, None);
            } else {
                self.probe(flow, left)?;
            }
        }
        Ok(())
    }

    /// Sends a segment that the client can't accept. One in four thousand may fall into a window of 1 MiB: each has another number.
    pub fn probe(&mut self, flow: Flow, number: u32) -> Result<(), NodeError> {
        let mark = self.resets.mark(&flow);
        match self.watch.neighbours().next_hop(*flow.client.ip()) {
            Ok(Some(mac)) => self.say(flow, mac, mark.wrapping_mul(2 * number + 1), mark, Flags::ACK),
            // next time
            Ok(None) => Ok(()),
            Err(e) => {
                tracing::debug!(node = self.config.name, ?flow, "no way to the client: {e}");
                Ok(())
            }
        }
    }

    /// Takes what a client that is to be reset says. `false`: it begins a new connection, which is the kernel's.
    pub fn take_answer(&mut self, flow: Flow, frame: &[u8], inner: &Transport) -> Result<bool, NodeError> {
        if inner.has(Flags::SYN) {
            self.resets.end(&flow);
            self.journal.note(flow, None);
            return Ok(false);
        }
        if inner.has(Flags::RST) {
            // it has no such connection any more
            if inner.seq == self.resets.mark(&flow) && self.resets.end(&flow) {
                self.stats.resets += 1;
                self.journal.note(flow, None);
            }
        } else if inner.has(Flags::ACK)
            && let Some(mac) = frame.get(6..12).and_then(|mac| mac.try_into().ok())
        {
            self.say(flow, mac, inner.ack, 0, Flags::RST)?;
        }
        Ok(true)
    }

    /// Sends a segment without data to a client, as its service.
    fn say(&mut self, flow: Flow, mac: [u8; 6], seq: u32, ack: u32, flags: Flags) -> Result<(), NodeError> {
        let link = ethernet::Repr {
            dst: Mac(mac),
            src: Mac(self.config.front_mac),
            vlan: self.config.front_vlan,
            ethertype: ethernet::IPV4,
        };
        match segment(&flow, seq, ack, flags).and_then(|packet| framed(&packet, link)) {
            Ok(frame) => drop(self.transmit(Port::Front, &frame)?),
            Err(e) => tracing::error!(?flow, "a segment can't be written: {e}"),
        }
        Ok(())
    }
}

/// A segment without data from the service to its client, as an IPv4 packet.
fn segment(flow: &Flow, seq: u32, ack: u32, flags: Flags) -> Result<Vec<u8>, Error> {
    let Flow { client, service, .. } = *flow;
    let ports = (service.port(), client.port());
    let repr = tcp::Repr { src_port: ports.0, dst_port: ports.1, seq, ack, flags, window: 0, urgent: 0, options: &[] };
    let header = ipv4::Repr::new(*service.ip(), *client.ip(), ipv4::TCP, repr.buffer_len());
    let mut packet = vec![0; header.buffer_len()];
    let at = header.emit(&mut packet)?;
    repr.emit(&mut packet[at..], *service.ip(), *client.ip(), &[])?;
    Ok(packet)
}
