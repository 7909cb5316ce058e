//! The entry of one flow, as a node gives it to its datapath.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use ipos_abi::table::{FlowKey, Protocol};
use ipos_abi::wire::Mac;

/// A connection, or the datagrams of one client and one service, as packets from the client carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The client.
    pub client: SocketAddr,
    /// The service that it talks to.
    pub service: SocketAddr,
}

impl Flow {
    /// The key of an IPv4 flow in a card's tables. `None`: the flow is of another family.
    #[must_use]
    pub fn key(&self) -> Option<FlowKey> {
        let (SocketAddr::V4(client), SocketAddr::V4(service)) = (self.client, self.service) else { return None };
        Some(FlowKey {
            protocol: self.protocol,
            src_ip: client.ip().octets(),
            src_port: client.port(),
            dst_ip: service.ip().octets(),
            dst_port: service.port(),
        })
    }
}

impl From<FlowKey> for Flow {
    fn from(key: FlowKey) -> Self {
        let FlowKey { protocol, src_ip, src_port, dst_ip, dst_port } = key;
        Flow { protocol, client: (src_ip, src_port).into(), service: (dst_ip, dst_port).into() }
    }
}

/// Where a peer's ipOS packets are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddress {
    /// A station on the back network: ipOS is the payload of an Ethernet frame.
    Mac([u8; 6]),
    /// An endpoint across a routed network: ipOS is the payload of a UDP datagram.
    Udp(SocketAddr),
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddress::Mac(mac) => Mac(*mac).fmt(f),
            PeerAddress::Udp(endpoint) => endpoint.fmt(f),
        }
    }
}

/// The server that a flow's packets are forwarded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Its address on the back network, as the ipOS header names it.
    pub ip: IpAddr,
    /// The port there, likewise.
    pub port: u16,
    /// Where the packets are sent to.
    pub at: PeerAddress,
}

/// Action on a flow's packets that come from the client, or once more from a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Action {
    /// The same as without an entry: they are the server's own.
    #[default]
    Pass,
    /// They are encapsulated and sent to the owner of the flow.
    Forward(Owner),
    /// They come to the node, which holds them while the flow moves.
    Host,
    /// They are dropped.
    Drop,
}

/// When an entry ends unless it is set again: the node that was to do that may have died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The time.
    pub at: Instant,
    /// The action from then on. The fence falls if it is [`Action::Pass`]; the endpoint is as it was.
    pub then: Action,
}

/// Everything that a datapath knows of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Action on its packets.
    pub action: Action,
    /// A socket of this server has it although another server is its home: packets that peers encapsulate are delivered.
    pub endpoint: bool,
    /// The server's kernel must send nothing of it. A datapath through which the kernel's frames pass on their way to the node
    /// ([`Egress::Waiting`](crate::Egress)) leaves that to the node.
    pub fenced: bool,
    /// Epoch of the move that made it so.
    pub epoch: u64,
    /// `None`: it stays.
    pub expires: Option<Expiry>,
}

impl Entry {
    /// The entry as it is after [`Expiry::at`]; `None`: nothing is left of it.
    pub(crate) fn expired(self) -> Option<Entry> {
        let Some(Expiry { then, .. }) = self.expires else { return Some(self) };
        let left = Entry { action: then, fenced: self.fenced && then != Action::Pass, expires: None, ..self };
        (left != Entry { epoch: self.epoch, ..Entry::default() }).then_some(left)
    }
}
