//! Lookup: from a frame's headers to what is done with it.
mod classify;
mod cuckoo;
mod decide;
mod entries;
mod hash;
mod small;

pub use classify::Classify;
pub use cuckoo::Cuckoo;
pub use decide::Decide;
pub use entries::Entries;
pub use hash::Hash;
pub use small::SmallTable;

use rust_hdl_core::prelude::*;

/// What is to be done with a frame.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Verdict {
    /// Exactly one of these four.
    pub drop: Bit,
    pub forward: Bit,
    pub host: Bit,
    pub control: Bit,
    /// With `drop`: the outcome. With `host` or `control`: the reason.
    pub code: Bits<5>,
    /// Take the 16 ipOS bytes out.
    pub decapsulate: Bit,
    /// The IPv4 verdict as far as the headers tell; zero: not an IPv4 verdict.
    pub l3: Bits<3>,
    /// A total length beyond the frame, and the transport checksum, may still be judged.
    pub judge: Bit,
    pub l4_skip: Bit,
    /// A control packet's covered bytes after offset 14; zero: not known.
    pub cover: Bits<8>,
    pub total: Bits<16>,
    pub tagged: Bit,
    pub tci: Bits<16>,
    pub endpoint: Bits<32>,
    /// The forward entry that was hit, slot 11:0, bank 13:12, and the packet's TCP flags: for its counters and events.
    pub place: Bits<14>,
    pub tcp_flags: Bits<8>,
    /// For the encapsulator.
    pub udp: Bit,
    pub src_ip: Bits<32>,
    pub src_port: Bits<16>,
    pub dst_ip: Bits<32>,
    pub dst_port: Bits<16>,
    pub mac: Bits<48>,
}
