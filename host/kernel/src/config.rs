//! Settings of a card.

use std::net::SocketAddrV4;
use std::path::PathBuf;

use crate::maps::Sizes;

/// The UDP transport of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Own address and port.
    pub own: SocketAddrV4,
}

/// Settings of a card.
#[derive(Clone, Debug)]
pub struct Config {
    /// Interface to the clients.
    pub front: String,
    /// Interface to the other servers; the same name: one interface for both.
    pub back: String,
    /// EtherType of ipOS, the same in the whole cluster.
    pub ethertype: u16,
    /// VLAN whose packets may hit, front and back; `None`: untagged.
    pub vlans: [Option<u16>; 2],
    /// Take frames for any address, front and back.
    pub any_address: [bool; 2],
    /// ipOS over UDP, for networks that carry IP alone.
    pub udp: Option<Udp>,
    /// Packets encapsulated again a second and processor.
    pub reforward: Option<u32>,
    /// XDP in the stack instead of the driver: slower, for drivers that have none.
    pub generic: bool,
    /// Where programs and tables are pinned, so that they outlive the process; a directory on a bpffs.
    pub pins: Option<PathBuf>,
    /// Table and ring sizes.
    pub sizes: Sizes,
}

impl Config {
    /// The usual settings for two interfaces.
    #[must_use]
    pub fn new(front: &str, back: &str) -> Self {
        Config {
            front: front.to_owned(),
            back: back.to_owned(),
            ethertype: 0x88b5,
            vlans: [None; 2],
            any_address: [false; 2],
            udp: None,
            reforward: Some(1_000_000),
            generic: false,
            pins: None,
            sizes: Sizes::default(),
        }
    }
}
