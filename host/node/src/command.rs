//! What goes from a handle to the loop.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as sync_mpsc};

use ipos_control::message::Connection;
use ipos_migrate::protocol::{Flow, Protocol};
use ipos_nic::Counters;
use tokio::sync::{mpsc, oneshot};

use crate::keep::{Given, Reclaimed};
use crate::report::{Arrival, Buffers, MoveFailed, Moved};
use crate::stats::NodeStats;
use crate::wake::Wake;

/// What an application wants to move.
pub(crate) enum Subject {
    /// A connected socket.
    Socket(OwnedFd),
    /// A UDP flow that has no socket of its own.
    Bare(Flow),
}

impl Subject {
    pub fn fd(self) -> Option<OwnedFd> {
        match self {
            Subject::Socket(fd) => Some(fd),
            Subject::Bare(_) => None,
        }
    }
}

/// Who hears what became of a move.
pub(crate) type Reply = oneshot::Sender<Result<Moved, MoveFailed>>;

/// A connection that an application wants to move.
pub(crate) struct Departing {
    pub subject: Subject,
    pub buffers: Buffers,
    pub state: Vec<u8>,
    pub target: String,
    /// The holder has another descriptor of the socket.
    pub given: Option<Given>,
    pub reply: Reply,
}

/// What goes to the loop thread.
pub(crate) enum Command {
    Migrate(Box<Departing>),
    /// For a connection that was given to an earlier life of the node.
    Reclaim {
        flow: Flow,
        cookie: u64,
        user: u32,
        reply: oneshot::Sender<Reclaimed>,
    },
    Keys {
        keys: Vec<[u8; 32]>,
        reply: oneshot::Sender<()>,
    },
    Stats {
        reply: oneshot::Sender<NodeStats>,
    },
    Counters {
        reply: oneshot::Sender<Counters>,
    },
    Connections {
        reply: oneshot::Sender<Vec<Connection>>,
    },
    /// Finds out whether the loop still runs.
    Nothing,
    Shutdown,
}

/// Who takes connections to an address. Shared with the loop rather than sent to it: an offer that is made
/// after [`NodeHandle::listen`](crate::NodeHandle::listen) has returned must find the listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners(Arc<Mutex<ByAddress>>);

type ByAddress = HashMap<(Protocol, SocketAddrV4), mpsc::Sender<Arrival>>;

impl Listeners {
    pub fn locked(&self) -> MutexGuard<'_, ByAddress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn insert(&self, protocol: Protocol, address: SocketAddrV4, arrivals: mpsc::Sender<Arrival>) {
        let mut all = self.locked();
        all.retain(|_, listener| !listener.is_closed());
        all.insert((protocol, address), arrivals);
    }

    /// As the kernel chooses: who listens on the address itself, else who listens on all addresses.
    pub fn get(&self, protocol: Protocol, service: SocketAddrV4) -> Option<mpsc::Sender<Arrival>> {
        let all = self.locked();
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, service.port());
        [service, any].into_iter().filter_map(|a| all.get(&(protocol, a))).find(|l| !l.is_closed()).cloned()
    }
}

/// The loop's end of a handle.
pub(crate) struct Inbox {
    pub commands: sync_mpsc::Receiver<Command>,
    pub wake: Arc<Wake>,
    pub listeners: Listeners,
}
