//! A card without a board: the reference model, the Verilated card, wires and faults.
//!
//! [`card`] says what a simulated card is and puts it behind the host's device trait; [`model`]
//! is the reference card, the oracle of the differential runs.

pub mod card;
pub mod fault;
pub mod model;
pub mod wire;
