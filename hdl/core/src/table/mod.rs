//! Lookup: from a frame's headers to what is done with it.
mod classify;
mod cuckoo;
mod decide;
mod entries;
mod hash;
mod judge;
mod small;

pub use classify::Classify;
pub use cuckoo::Cuckoo;
pub use decide::Decide;
pub use entries::Entries;
pub use hash::Hash;
pub use judge::Judge;
pub use small::SmallTable;

use rust_hdl_core::prelude::*;

/// What is to be done with a frame: what is asked for when its first beat comes. None of forward, host, control: it is dropped.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Verdict {
    pub forward: Bit,
    pub host: Bit,
    pub control: Bit,
    /// Take the 16 ipOS bytes out.
    pub decapsulate: Bit,
    /// Where the IPv4 packet's last byte stands in the frame.
    pub stop: Bits<17>,
}

/// The rest, asked for a cycle later.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Detail {
    /// Of a frame that is dropped: the outcome. Of one for the host: the reason.
    pub code: Bits<5>,
    /// The IPv4 verdict as far as the headers tell; zero: not an IPv4 verdict.
    pub l3: Bits<3>,
    /// A total length beyond the frame, and the transport checksum, may still be judged.
    pub judge: Bit,
    pub l4_skip: Bit,
    /// A control packet's covered bytes after offset 14; zero: not known.
    pub cover: Bits<8>,
    pub tagged: Bit,
    pub tci: Bits<16>,
    /// Of a frame for the host: the endpoint's reference, zero without one. Of a forwarded one, for its entry's counters and events: the
    /// entry's slot 11:0 and bank 13:12, the packet's TCP flags 21:14.
    pub about: Bits<32>,
}
