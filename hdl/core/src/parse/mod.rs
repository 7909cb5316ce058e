//! From the wire to a verdict-ready description of the frame.
mod alone;
mod be;
mod fields;
mod masks;
mod rx;
mod sum;
mod verify;
mod vlan;

pub use alone::Parser;
pub use be::ByteRev;
pub use fields::Fields;
pub use masks::Masks;
pub use rx::Rx;
pub use sum::{Fold, LaneSum};
pub use verify::Verify;
pub use vlan::Vlan;

use rust_hdl_core::prelude::*;

/// What the parser knows of a frame when its headers have passed, before any table.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Meta {
    /// Shorter than an Ethernet header, or than its VLAN tag.
    pub runt: Bit,
    /// For this port, or for a group.
    pub mac_ok: Bit,
    /// Destination is a group address.
    pub group: Bit,
    /// Bears the ipOS EtherType.
    pub ipos: Bit,
    /// ipOS that ends before its header does.
    pub ipos_short: Bit,
    /// ipOS type.
    pub ipos_type: Bits<8>,
    /// Bytes after offset 14 that a control packet's checksum covers; zero: not known to fabric.
    pub cover: Bits<8>,
    /// IPv4 by EtherType, or the inner packet of a type 02.
    pub ipv4: Bit,
    /// Step 7.1 to 7.3: an `L3` code, or zero.
    pub early: Bits<3>,
    /// Step 7.5.
    pub small_total: Bit,
    /// Step 7.6 and 7.7: an `L3` code, or zero.
    pub late: Bits<3>,
    pub fragment: Bit,
    pub other_protocol: Bit,
    /// The transport checksum is not to be judged (UDP without one, or of another length).
    pub l4_skip: Bit,
    pub udp: Bit,
    /// Of a TCP packet, else zero.
    pub tcp_flags: Bits<8>,
    /// Where the IPv4 packet's last byte stands in the frame: 13 + total length.
    pub stop: Bits<17>,
    pub src_mac: Bits<48>,
    pub tagged: Bit,
    pub tci: Bits<16>,
}
