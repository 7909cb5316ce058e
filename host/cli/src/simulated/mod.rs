//! Simulated cards in this process. They need the feature `sim`; a build without it says so where one is asked for.

use std::fmt;

use clap::ValueEnum;

#[cfg(not(feature = "sim"))]
mod absent;
#[cfg(feature = "sim")]
mod present;

#[cfg(not(feature = "sim"))]
pub use absent::{cabled, card};
#[cfg(feature = "sim")]
pub use present::{cabled, card};

/// A kind of simulated card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CardKind {
    /// The fabric itself, simulated cycle by cycle by Verilator.
    Rtl,
    /// The reference model in Rust: the same decisions, without clock cycles.
    Model,
}

impl fmt::Display for CardKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CardKind::Rtl => "RTL (Verilator)",
            CardKind::Model => "reference model",
        })
    }
}
