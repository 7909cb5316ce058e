//! Finds out when a connection that moved here is gone, so that its home can forget it.
//!
//! The application owns the descriptor, so the kernel is asked: soon and often once a FIN or RST has shown itself on
//! the wire, else now and then. A UDP flow ends with its socket, or when nothing was said in it for as long.
//!
//! What comes and goes is also told to the kernel's connection tracking, on which this server's firewall relies.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use ipos_abi::wire::tcp::Flags;
use ipos_migrate::protocol::{Flow, Protocol};
use ipos_migrate::socket::{Conntrack, Diag, Known};

use super::neighbour::Neighbours;
use crate::frame::Transport;

/// Between two questions about a connection that ends; TIME_WAIT alone takes a minute.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// A connection that moved here.
struct Living {
    /// Something was said since it was last asked about.
    seen: bool,
    /// Its end has shown itself.
    ending: bool,
    /// When to ask.
    ask: Instant,
    /// When its client was last heard.
    client: Instant,
}

pub(crate) struct Watch {
    diag: Diag,
    conntrack: Conntrack,
    neighbours: Neighbours,
    /// The kernel tells of UDP sockets, too.
    udp: bool,
    idle: Duration,
    here: HashMap<Flow, Living>,
}

impl Watch {
    /// For the network namespace of the calling thread. `idle`: how long a UDP flow may be silent, and a TCP connection
    /// not asked about.
    pub fn new(idle: Duration) -> io::Result<Self> {
        let mut diag = Diag::open()?;
        let udp = diag.finds_udp().unwrap_or(false);
        let (conntrack, neighbours) = (Conntrack::default(), Neighbours::open()?);
        Ok(Watch { diag, conntrack, neighbours, udp, idle, here: HashMap::new() })
    }

    /// For other questions.
    pub fn diag(&mut self) -> &mut Diag {
        &mut self.diag
    }

    /// For the way to a client.
    pub fn neighbours(&mut self) -> &mut Neighbours {
        &mut self.neighbours
    }

    /// Whether this server's firewall gives a connection other addresses on the wire; if the kernel can't tell, it is taken not to.
    pub fn is_translated(&mut self, flow: &Flow) -> bool {
        let translated = self.conntrack.is_translated(flow);
        translated.inspect_err(|e| tracing::warn!("asking connection tracking about {flow:?}: {e}")).unwrap_or(false)
    }

    /// Has connection tracking know a connection that comes. To be called before its first segment leaves from here, and early: the
    /// client need not wait for it.
    pub fn track(&mut self, flow: &Flow) {
        if let Err(e) = self.conntrack.arrives(flow) {
            tracing::warn!("connection tracking does not take {flow:?}, a firewall may cut it: {e}");
        }
    }

    /// Has connection tracking forget a connection that is not here.
    pub fn untrack(&mut self, flow: &Flow) {
        if !self.is_here(flow)
            && let Err(e) = self.conntrack.leaves(flow)
        {
            tracing::warn!("connection tracking keeps {flow:?}, which is not here any more: {e}");
        }
    }

    pub fn arrived(&mut self, flow: Flow) {
        let now = Instant::now();
        self.here.insert(flow, Living { seen: false, ending: false, ask: now + self.idle, client: now });
    }

    /// Connections that moved here.
    pub fn here(&self) -> impl Iterator<Item = &Flow> {
        self.here.keys()
    }

    pub fn left(&mut self, flow: &Flow) {
        self.here.remove(flow);
    }

    pub fn is_here(&self, flow: &Flow) -> bool {
        self.here.contains_key(flow)
    }

    /// Looks at a packet of either direction.
    pub fn segment(&mut self, flow: &Flow, inner: &Transport) {
        if let Some(living) = self.here.get_mut(flow) {
            living.seen = true;
            if inner.src == flow.client {
                living.client = Instant::now();
            }
            if inner.has(Flags::FIN | Flags::RST) && !living.ending {
                living.ending = true;
                living.ask = living.ask.min(Instant::now() + PERIOD);
            }
        }
    }

    /// How long the client of a connection has said nothing.
    pub fn silence(&self, flow: &Flow, now: Instant) -> Option<Duration> {
        self.here.get(flow).map(|living| now.saturating_duration_since(living.client))
    }

    /// Ends a connection that has no client, or no way to it: its application gets an error.
    pub fn end(&mut self, flow: &Flow) {
        if let Err(e) = self.diag.destroy(flow.service, flow.client) {
            tracing::warn!("a connection without a client, {flow:?}, can't be ended: {e}");
        }
        if let Some(living) = self.here.get_mut(flow) {
            (living.ending, living.ask) = (true, Instant::now());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.here.is_empty()
    }

    /// Connections that are gone.
    pub fn gone(&mut self, now: Instant) -> Vec<Flow> {
        let (diag, udp, idle) = (&mut self.diag, self.udp, self.idle);
        let gone = self.here.iter_mut().filter_map(|(flow, living)| {
            if now < living.ask {
                return None;
            }
            living.ask = now + if living.ending { PERIOD } else { idle };
            let silent = flow.protocol == Protocol::Udp && !std::mem::take(&mut living.seen);
            (silent || matches!(kernel(diag, udp, flow), Ok(None))).then_some(*flow)
        });
        let gone: Vec<_> = gone.collect();
        for flow in &gone {
            self.left(flow);
        }
        gone
    }

    /// Whether a connection has a socket here; if the kernel can't tell, it is taken to have one.
    pub fn exists(&mut self, flow: &Flow) -> bool {
        !matches!(kernel(&mut self.diag, self.udp, flow), Ok(None))
    }

    /// Whether a TCP connection has a socket here that is more than a rest in TIME_WAIT, as far as the kernel tells.
    pub fn is_alive(&mut self, flow: &Flow) -> bool {
        flow.protocol == Protocol::Tcp
            && kernel(&mut self.diag, self.udp, flow).ok().flatten().is_some_and(|k| k.state != Known::TIME_WAIT)
    }

    /// Whether a SYN may begin a new connection: the one that moved here has no socket any more, or both ends closed it.
    pub fn is_over(&mut self, flow: &Flow) -> bool {
        match kernel(&mut self.diag, self.udp, flow) {
            Ok(known) => known.is_none_or(|k| k.state == Known::TIME_WAIT),
            Err(_) => false,
        }
    }
}

/// Asks the kernel; when it can't tell, the connection is taken for alive.
fn kernel(diag: &mut Diag, udp: bool, flow: &Flow) -> Result<Option<Known>, ()> {
    let asked = match flow.protocol {
        Protocol::Tcp => diag.lookup(flow.service, flow.client),
        Protocol::Udp if udp => diag.lookup_udp(flow.service, flow.client),
        Protocol::Udp => return Err(()),
    };
    asked.map_err(|e| tracing::warn!("asking the kernel about {flow:?}: {e}"))
}
