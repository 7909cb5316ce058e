//! The queues between the pipelines and host memory: descriptors, frames, completions, interrupts.
//!
//! `docs/host-interface.md` is the contract, [`Host`] the picture. Below it are ports that `pcie::Engine` turns into
//! TLPs: writes (an address, a length, beats) and reads (an address, a length, beats in return).
mod completions;
mod control;
mod events;
mod host;
mod interrupts;
mod receive;
mod ring;
mod transmit;

pub use completions::Completions;
pub use control::Control;
pub use events::Events;
pub use host::Host;
pub use interrupts::Interrupts;
pub use receive::Receive;
pub use ring::Ring;
pub use transmit::Transmit;

use ipos_abi::queue::LENGTH_BITS;
use rust_hdl_core::prelude::*;

/// Where a write goes: beside each of its beats.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Target {
    pub address: Bits<64>,
    /// In bytes.
    pub length: Bits<LENGTH_BITS>,
    /// When it has been handed over, the interrupt of vector `source` is due.
    pub notify: Bit,
    /// Who writes: 0 to 4 the completions of that queue, 5 interrupts, 6 and 7 the frames of receive and control.
    pub source: Bits<3>,
}

/// A read.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Fetch {
    /// A multiple of 8.
    pub address: Bits<64>,
    /// In bytes, a multiple of 8.
    pub length: Bits<13>,
    /// Who gets the answer.
    pub client: Bits<3>,
}

/// What the host has set for a queue.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Settings {
    pub enable: Bit,
    /// log2 of the rings' entries.
    pub size: Bits<4>,
    pub descriptors: Bits<64>,
    pub completions: Bits<64>,
    /// Descriptors filled, or events taken, so far.
    pub tail: Bits<16>,
    /// In microseconds.
    pub moderation: Bits<16>,
}
