//! The software side of the tables against the reference card.

mod placement;
mod rig;
mod setup;
