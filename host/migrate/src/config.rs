//! What a core is told at its start.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::protocol::PeerId;
use crate::secret::Secret;

/// A service of the cluster and the node whose front network carries its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// What clients connect to.
    pub address: SocketAddrV4,
    /// Its home; `None`: this node.
    pub home: Option<PeerId>,
}

/// What the core must be told.
#[derive(Clone, Debug, Hash)]
pub struct Config {
    /// This node on the back-side network.
    pub back_ip: Ipv4Addr,
    /// The other nodes; a [`PeerId`] is a place in this list.
    pub peers: Vec<Ipv4Addr>,
    /// Peers that speak the plain format: 01 and 03 without a trailer, and nothing else.
    pub plain: BTreeSet<PeerId>,
    /// What the cluster serves.
    pub services: Vec<Service>,
    /// Bytes that the streams of one move may have.
    pub move_bytes: usize,
    /// Pre-copy threshold, in bytes: longer queues are sent before the socket is frozen.
    pub ahead_bytes: usize,
    /// What moves from and to here can do beyond the format: [`features`](crate::protocol::features).
    pub features: u16,
    /// New in each life of the node.
    pub secret: Secret,
}

/// The node whose front network carries a service's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Here,
    At(PeerId),
}

impl Config {
    /// The home of a service; `None`: the cluster does not serve it.
    pub(crate) fn home(&self, service: SocketAddrV4) -> Option<Home> {
        let service = self.services.iter().find(|s| s.address == service)?;
        Some(service.home.map_or(Home::Here, Home::At))
    }

    pub(crate) fn is_home(&self, service: SocketAddrV4) -> bool {
        self.home(service) == Some(Home::Here)
    }

    /// The node that must hear where connections of a service live.
    pub(crate) fn other_home(&self, service: SocketAddrV4) -> Option<PeerId> {
        match self.home(service)? {
            Home::Here => None,
            Home::At(home) => Some(home),
        }
    }

    pub(crate) fn is_plain(&self, peer: PeerId) -> bool {
        self.plain.contains(&peer)
    }

    /// Peers that can be asked.
    pub(crate) fn speaking(&self) -> Vec<PeerId> {
        (0..self.peers.len()).map(PeerId).filter(|peer| !self.is_plain(*peer)).collect()
    }
}
