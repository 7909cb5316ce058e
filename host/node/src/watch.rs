//! Finds out when a connection that moved here is gone, so that its home can forget it.
//!
//! The application owns the descriptor, so the kernel is asked; but only about connections
//! whose end has shown itself on the wire by a FIN or RST.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::{Duration, Instant};

use ipos_abi::wire::tcp::Flags;
use ipos_migrate::protocol::Flow;
use ipos_migrate::socket::Diag;

use crate::frame::Tcp;

/// Between two questions; TIME_WAIT alone takes a minute.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

pub(crate) struct Watch {
    diag: Diag,
    /// Connections that moved here.
    here: HashSet<Flow>,
    /// Those that are ending, and when to ask next.
    ending: HashMap<Flow, Instant>,
}

impl Watch {
    /// For the network namespace of the calling thread.
    pub fn new() -> io::Result<Self> {
        Ok(Watch { diag: Diag::open()?, here: HashSet::new(), ending: HashMap::new() })
    }

    pub fn arrived(&mut self, flow: Flow) {
        self.here.insert(flow);
    }

    /// Connections that moved here.
    pub fn here(&self) -> impl Iterator<Item = &Flow> {
        self.here.iter()
    }

    pub fn left(&mut self, flow: &Flow) {
        self.here.remove(flow);
        self.ending.remove(flow);
    }

    /// Looks at a segment of either direction.
    pub fn segment(&mut self, flow: Flow, tcp: &Tcp) {
        if tcp.has(Flags::FIN | Flags::RST) && self.here.contains(&flow) {
            self.ending.entry(flow).or_insert_with(|| Instant::now() + PERIOD);
        }
    }

    pub fn is_busy(&self) -> bool {
        !self.ending.is_empty()
    }

    /// Connections that are gone.
    pub fn gone(&mut self, now: Instant) -> Vec<Flow> {
        let mut gone = Vec::new();
        for (flow, at) in &mut self.ending {
            if now < *at {
                continue;
            }
            *at = now + PERIOD;
            match self.diag.lookup(flow.service, flow.client) {
                Ok(None) => gone.push(*flow),
                Ok(Some(_)) => {}
                Err(e) => tracing::warn!("asking the kernel about {flow:?}: {e}"),
            }
        }
        for flow in &gone {
            self.left(flow);
        }
        gone
    }
}
