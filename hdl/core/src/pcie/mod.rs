//! The PCIe transaction layer: TLPs on one side, a register bus, a write port and a read port on the other.
//!
//! `docs/host-interface.md` is the contract. TLPs are in wire order; [`Engine`] is the picture, the other files are its boxes.
//! Paragraphs are those of the PCI Express base specification 2.1, from memory: nobody could look them up here, so each is one reading.
mod complete;
mod engine;
mod errors;
mod order;
mod read;
mod receive;
mod send;
mod timer;
mod turn;
mod write;

pub use complete::Complete;
pub use engine::Engine;
pub use errors::Errors;
pub use order::Order;
pub use read::Read;
pub use receive::Receive;
pub use send::Send;
pub use timer::Timer;
pub use turn::Turn;
pub use write::Write;

use rust_hdl_core::prelude::*;

/// A request that arrived, its TLP complete.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Request {
    /// Memory read or write, and its address lies in BAR0.
    pub memory: Bit,
    pub hit: Bit,
    /// A message, its code in `last_be` and `first_be`.
    pub message: Bit,
    pub write: Bit,
    /// Wants a completion.
    pub non_posted: Bit,
    pub poisoned: Bit,
    /// Payload or read length in 32-bit words; zero: 1,024.
    pub length: Bits<10>,
    pub first_be: Bits<4>,
    pub last_be: Bits<4>,
    pub requester: Bits<16>,
    pub tag: Bits<8>,
    /// Traffic class and attributes, as the completion must repeat them (bits 22:20 and 13:12 of the first word).
    pub class: Bits<3>,
    pub attributes: Bits<2>,
    /// Address within BAR0.
    pub address: Bits<16>,
}

/// A completion that is to be sent, or the message that answers PME_Turn_Off.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Answer {
    pub message: Bit,
    pub status: Bits<3>,
    pub with_data: Bit,
    /// Two words; no byte.
    pub two: Bit,
    pub empty: Bit,
    pub class: Bits<3>,
    pub attributes: Bits<2>,
    pub requester: Bits<16>,
    pub tag: Bits<8>,
    /// Address bits 6:2.
    pub lower: Bits<5>,
    pub data: Bits<64>,
}

/// The header of a completion that arrived.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct CompletionHeader {
    pub with_data: Bit,
    pub poisoned: Bit,
    pub status: Bits<3>,
    /// Payload in 32-bit words.
    pub length: Bits<10>,
    /// Bytes of the request that are left, these included.
    pub bytes: Bits<12>,
    pub requester: Bits<16>,
    pub tag: Bits<8>,
    pub lower: Bits<7>,
}
