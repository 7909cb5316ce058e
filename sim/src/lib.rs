//! A card without a board: the reference model, the Verilated card, wires and faults.
//!
//! [`card`] says what a simulated card is and puts it behind the host's device trait; [`rtl`] is the fabric,
//! [`model`] the reference card, [`pcie`] makes a PCI function of a card, [`traffic`] makes frames and table contents for it by seed, and [`compare`]
//! holds another card against it.

pub mod card;
pub mod compare;
pub mod fault;
pub mod model;
pub mod pcie;
pub mod rtl;
pub mod traffic;
pub mod wire;
