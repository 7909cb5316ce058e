//! Flows, and how long what is done with them lasts.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ipos_abi::table::{FlowKey, Protocol};

use crate::layout::{
    ACTION_DROP, ACTION_FORWARD, ACTION_HOST, ACTION_NONE, ENDPOINT, FENCE, HEARTBEAT, Key, PEER_MAC, PEER_NONE,
    PEER_UDP, Pair, PeerValue, Value,
};

/// What is done with a flow's packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// They take their usual way: to this kernel from the front, to the node when they came encapsulated.
    #[default]
    Pass,
    /// Sent on to the owner, encapsulated.
    Forward,
    /// Given to the node (held while an endpoint moves).
    Host,
    /// Dropped.
    Drop,
}

impl Action {
    const fn code(self) -> u8 {
        match self {
            Action::Pass => ACTION_NONE,
            Action::Forward => ACTION_FORWARD,
            Action::Host => ACTION_HOST,
            Action::Drop => ACTION_DROP,
        }
    }

    const fn from_code(code: u8) -> Self {
        match code {
            ACTION_FORWARD => Action::Forward,
            ACTION_HOST => Action::Host,
            ACTION_DROP => Action::Drop,
            _ => Action::Pass,
        }
    }
}

/// Who owns a flow, and by which peer it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Address and port that the ipOS header names.
    pub address: SocketAddrV4,
    /// Index in the peer table.
    pub peer: u16,
}

impl Default for Owner {
    fn default() -> Self {
        Owner { address: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), peer: 0 }
    }
}

/// When an action and a fence end by themselves, so that a node's death black-holes nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Time since boot ([`KernelCard::now`](crate::KernelCard::now)); `None`: no deadline.
    pub deadline: Option<Duration>,
    /// They need a heartbeat younger than a second.
    pub heartbeat: bool,
    /// The action from then on.
    pub fallback: Action,
}

/// The state of a flow: replaced whole, so that no packet meets a mix of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What is done with its packets.
    pub action: Action,
    /// Where [`Action::Forward`], now or as fallback, sends them.
    pub owner: Owner,
    /// The endpoint lives here: encapsulated packets enter this kernel, whatever the action.
    pub endpoint: Option<u32>,
    /// Nothing that this kernel answers for the flow leaves.
    pub fence: bool,
    /// When action and fence end.
    pub limit: Limit,
    /// The flow's epoch.
    pub epoch: u64,
}

impl Entry {
    pub(crate) fn value(&self, counter: u32) -> Value {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        Value {
            deadline: self.limit.deadline.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX).max(1)),
            epoch: self.epoch,
            counter,
            reference: self.endpoint.unwrap_or(0),
            owner: self.owner.address.ip().octets(),
            owner_port: self.owner.address.port().to_be_bytes(),
            peer: self.owner.peer,
            action: self.action.code(),
            fallback: self.limit.fallback.code(),
            flags: flag(self.endpoint.is_some(), ENDPOINT)
                | flag(self.fence, FENCE)
                | flag(self.limit.heartbeat, HEARTBEAT),
            zero: [0; 5],
        }
    }
}

impl From<&Value> for Entry {
    fn from(v: &Value) -> Self {
        Entry {
            action: Action::from_code(v.action),
            owner: Owner { address: SocketAddrV4::new(v.owner.into(), u16::from_be_bytes(v.owner_port)), peer: v.peer },
            endpoint: (v.flags & ENDPOINT != 0).then_some(v.reference),
            fence: v.flags & FENCE != 0,
            limit: Limit {
                deadline: (v.deadline != 0).then(|| Duration::from_nanos(v.deadline)),
                heartbeat: v.flags & HEARTBEAT != 0,
                fallback: Action::from_code(v.fallback),
            },
            epoch: v.epoch,
        }
    }
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// On the same segment: ipOS directly behind Ethernet.
    Mac([u8; 6]),
    /// Behind routers that carry IP alone: ipOS behind UDP/IPv4.
    Udp {
        /// The next hop's MAC.
        via: [u8; 6],
        /// The peer.
        to: SocketAddrV4,
    },
}

pub(crate) fn peer_value(peer: Option<&Peer>) -> PeerValue {
    match peer {
        None => PeerValue { kind: PEER_NONE, ..PeerValue::default() },
        Some(Peer::Mac(mac)) => PeerValue { kind: PEER_MAC, mac: *mac, ..PeerValue::default() },
        Some(Peer::Udp { via, to }) => PeerValue {
            kind: PEER_UDP,
            mac: *via,
            ip: to.ip().octets(),
            port: to.port().to_be_bytes(),
            ..PeerValue::default()
        },
    }
}

pub(crate) fn key(flow: &FlowKey) -> Key {
    Key {
        client: flow.src_ip,
        service: flow.dst_ip,
        client_port: flow.src_port.to_be_bytes(),
        service_port: flow.dst_port.to_be_bytes(),
        protocol: flow.protocol.ip_number(),
        zero: [0; 3],
    }
}

pub(crate) fn pair(flow: &FlowKey) -> Pair {
    Pair { client: flow.src_ip, service: flow.dst_ip }
}

/// The flow of a key that the kernel reports; `None`: of a protocol that has no flows.
pub(crate) fn flow(key: &Key) -> Option<FlowKey> {
    Some(FlowKey {
        protocol: Protocol::from_ip_number(key.protocol)?,
        src_ip: key.client,
        src_port: u16::from_be_bytes(key.client_port),
        dst_ip: key.service,
        dst_port: u16::from_be_bytes(key.service_port),
    })
}
