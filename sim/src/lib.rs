//! A card without a board: the reference model, the Verilated card, wires and faults.
//!
//! [`card`] says what a simulated card is and puts it behind the host's device trait.

pub mod card;
pub mod wire;
