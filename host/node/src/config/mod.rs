//! The configuration of a node, in memory and as a table of a file.

mod check;
mod text;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use ipos_control::message;
use serde::Deserialize;

/// Another node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// Its name: the target of a move.
    pub name: String,
    /// Its address on the back-side network; written into ipOS headers.
    pub back_ip: Ipv4Addr,
    /// The MAC address of its card's back port.
    #[serde(deserialize_with = "text::hex")]
    pub back_mac: [u8; 6],
    /// It speaks the plain format of the source figures only: no extension, no trailer, no tag. docs/migration.md says
    /// what such a move can't do.
    #[serde(default)]
    pub plain: bool,
}

impl PeerConfig {
    /// A node that speaks the whole protocol.
    pub fn new(name: impl Into<String>, back_ip: Ipv4Addr, back_mac: [u8; 6]) -> Self {
        PeerConfig { name: name.into(), back_ip, back_mac, plain: false }
    }
}

/// A service, of TCP or UDP or both, that the cluster answers as.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// The address that clients talk to.
    pub address: Ipv4Addr,
    /// The port that clients talk to.
    pub port: u16,
    /// Name of the node whose front network carries the address: its home.
    pub home: String,
}

/// A server's addresses on the two networks of its card; no other node has any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// See [`NodeConfig::back_ip`].
    pub back_ip: Ipv4Addr,
    /// See [`NodeConfig::front_mac`].
    pub front_mac: [u8; 6],
    /// See [`NodeConfig::back_mac`].
    pub back_mac: [u8; 6],
}

/// A node, its card's addresses and its cluster. As a table of a file its keys are the fields' names; MAC addresses and keys
/// are written in hexadecimal digits, [`idle`](NodeConfig::idle) as `idle_seconds`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NodeConfig {
    /// This node's name.
    pub name: String,
    /// This server's address on the back-side network.
    pub back_ip: Ipv4Addr,
    /// MAC address of the card's front port and of the kernel's interface behind it.
    #[serde(deserialize_with = "text::hex")]
    pub front_mac: [u8; 6],
    /// MAC address of the card's back port.
    #[serde(deserialize_with = "text::hex")]
    pub back_mac: [u8; 6],
    /// The VLAN of the clients' network on the card's front port, whose frames are tagged there; `None`: they are untagged. The
    /// kernel's interface and the back port are untagged in either case.
    pub front_vlan: Option<u16>,
    /// EtherType of ipOS, the same on every card (default `0x0007`).
    #[serde(default = "ethertype")]
    pub ethertype: u16,
    /// The other nodes; at most 16, the size of a card's neighbour table.
    #[serde(default)]
    pub peers: Vec<PeerConfig>,
    /// What this cluster serves. A connection to anything else can't move.
    #[serde(default)]
    pub services: Vec<ServiceConfig>,
    /// The first signs what this node sends, each is accepted; a control packet without a tag by one of them is dropped and
    /// counted. Without any, whoever reaches the back network can move connections: the node says so when it starts.
    /// [`NodeHandle::set_keys`](crate::NodeHandle::set_keys) replaces them.
    #[serde(default, deserialize_with = "text::keys")]
    pub cluster_keys: Vec<[u8; 32]>,
    /// Bytes that may be held for one connection while it moves.
    #[serde(default = "hold_bytes")]
    pub hold_bytes: usize,
    /// Bytes of receive and send queue and application state that one move may carry.
    #[serde(default = "move_bytes")]
    pub move_bytes: usize,
    /// A UDP flow that moved here ends after so long without a packet. A home asks the owner of a connection whose forward
    /// entry carried nothing for so long whether it still has it.
    #[serde(rename = "idle_seconds", default = "idle", deserialize_with = "text::seconds")]
    pub idle: Duration,
    /// Where the node writes down what it must know after a restart: which connections live elsewhere and which came here.
    /// `None`: a restarted node has forgotten, and the connections that it is the home of are cut.
    pub state_dir: Option<PathBuf>,
}

impl NodeConfig {
    /// The EtherType of ipOS in source figure 11a.
    pub const ETHERTYPE: u16 = 0x0007;
    /// Default of [`NodeConfig::hold_bytes`]: 4 MiB.
    pub const HOLD_BYTES: usize = 4 << 20;
    /// Default of [`NodeConfig::move_bytes`]: 64 MiB.
    pub const MOVE_BYTES: usize = 64 << 20;
    /// Default of [`NodeConfig::idle`]: two minutes.
    pub const IDLE: Duration = Duration::from_secs(120);
    /// Longest application state of a move, in bytes.
    pub const STATE_BYTES: usize = message::STATE_BYTES;

    /// A node without peers, services and keys, everything else at its default.
    pub fn new(name: impl Into<String>, addresses: Addresses) -> Self {
        let Addresses { back_ip, front_mac, back_mac } = addresses;
        NodeConfig {
            name: name.into(),
            back_ip,
            front_mac,
            back_mac,
            front_vlan: None,
            ethertype: Self::ETHERTYPE,
            peers: Vec::new(),
            services: Vec::new(),
            cluster_keys: Vec::new(),
            hold_bytes: Self::HOLD_BYTES,
            move_bytes: Self::MOVE_BYTES,
            idle: Self::IDLE,
            state_dir: None,
        }
    }
}

fn ethertype() -> u16 {
    NodeConfig::ETHERTYPE
}

fn hold_bytes() -> usize {
    NodeConfig::HOLD_BYTES
}

fn move_bytes() -> usize {
    NodeConfig::MOVE_BYTES
}

fn idle() -> Duration {
    NodeConfig::IDLE
}
