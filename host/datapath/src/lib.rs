//! The seam between a node and what forwards packets for it.
//!
//! A [`Datapath`] has two ports, the clients' network in front and the servers' network at the back, and an interface of the server's
//! own kernel. Its entries say what becomes of a flow's packets; frames that the node has to judge come up one by one.
//! [`Card`] is the datapath over a network card and the far end of the kernel's interface ([`KernelPort`]).
//!
//! A new address family or transport between servers is a new variant of [`PeerAddress`] or of [`std::net::SocketAddr`] in a
//! [`Flow`], and no new method: a datapath that lacks it refuses the entry with [`DatapathError::Unsupported`].
//!
//! Read next: `entry` for what an entry says, `card` for the implementation, `tests/suite` for what every implementation must do.

#![forbid(unsafe_code)]

mod card;
mod entry;
mod error;
mod kernel;

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use ipos_abi::Port;
use ipos_abi::rx::Outcome;
use ipos_abi::wire::tcp::Flags;
use ipos_device::{Mtu, Queue};
use ipos_nic::{Carried, Counters};

pub use card::{Card, CardConfig};
pub use entry::{Action, Entry, Expiry, Flow, Owner, PeerAddress};
pub use error::DatapathError;
pub use kernel::KernelPort;

/// A frame from one of the two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The port that it came in by.
    pub port: Port,
    /// A peer had encapsulated it; the datapath took the ipOS header out.
    pub decapsulated: bool,
    /// VLAN ID of the tag that the datapath took out; `None`: untagged, or tagged with a priority alone.
    pub vlan: Option<u16>,
    /// The last sender: a peer, for control frames and decapsulated ones.
    pub sender: PeerAddress,
}

/// A frame that the server's kernel sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// The datapath leaves it to the node to send the frame on, unless its flow is fenced.
    Waiting,
    /// It has left already, or met the fence in the datapath: the node may only look at it.
    Settled,
}

/// The datapath forwarded a segment that begins or ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The connection.
    pub flow: Flow,
    /// The segment's flags.
    pub flags: Flags,
}

/// What forwards for a node.
pub trait Datapath: Send {
    /// Puts in, replaces or, with `None`, removes a flow's entry. It changes at once and as a whole: a packet that comes meanwhile
    /// meets the old entry or the new one. After an error [of the entry](DatapathError::is_of_entry) the old one stands.
    fn set(&mut self, flow: &Flow, entry: Option<Entry>) -> Result<(), DatapathError>;

    /// A flow's entry.
    fn get(&self, flow: &Flow) -> Option<Entry>;

    /// All entries, in no order.
    fn entries(&self) -> Vec<(Flow, Entry)>;

    /// Puts many entries in. An error ends it and tells how many are in.
    fn import(&mut self, entries: &[(Flow, Entry)]) -> Result<(), (usize, DatapathError)> {
        entries.iter().enumerate().try_for_each(|(i, (flow, entry))| self.set(flow, Some(*entry)).map_err(|e| (i, e)))
    }

    /// Slots of tables that entries take up.
    fn used(&self) -> usize;

    /// What was forwarded for a flow since it has an entry that forwards; clears the seen bit. `None`: it has none.
    fn carried(&mut self, flow: &Flow) -> Result<Option<Carried>, DatapathError>;

    /// Has the first packets of new connections to a service come to the node by [`receive`](Self::receive), or no longer.
    fn divert(&mut self, service: SocketAddr, on: bool) -> Result<(), DatapathError>;

    /// Sends an Ethernet frame out of a port, with finished checksums. `false`: there is no room now, try again after
    /// [`poll`](Self::poll). A frame that is never carried is an error [of that frame](DatapathError::is_of_frame).
    fn send(&mut self, port: Port, frame: &[u8]) -> Result<bool, DatapathError>;

    /// Takes the next frame of a queue, untagged, into `frame` (cleared first). Control frames never wait behind others.
    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<Received>, DatapathError>;

    /// Gives a frame to the server's kernel, as if it had come by its front interface. One that it can't take now is lost.
    fn deliver(&mut self, frame: &[u8]) -> Result<(), DatapathError>;

    /// Takes the next frame that the server's kernel sent into `frame` (cleared first).
    fn collect(&mut self, frame: &mut Vec<u8>) -> Result<Option<Egress>, DatapathError>;

    /// Takes the next event.
    fn event(&mut self) -> Result<Option<Event>, DatapathError>;

    /// Lets the datapath make progress, and ends what has expired. `true`: more work is waiting, the caller should not sleep.
    fn poll(&mut self) -> Result<bool, DatapathError>;

    /// Descriptors that become readable when there is something to take.
    fn wait_fds(&self) -> Vec<BorrowedFd<'_>>;

    /// The longest IP packet of a port's network, where that is known.
    fn mtu(&self, port: Port) -> Option<Mtu>;

    /// All counters of the two ports.
    fn counters(&mut self) -> Result<Counters, DatapathError>;

    /// The low 32 bits of one of them: frames that came in by a port and ended so.
    fn count(&mut self, port: Port, outcome: Outcome) -> Result<u32, DatapathError>;

    /// Frames lost on the way to the server's kernel, as far as that is known.
    fn lost(&self) -> u64;
}
