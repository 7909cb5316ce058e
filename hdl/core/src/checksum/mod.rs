//! Checksums that the card writes. Those that it verifies are in `parse/`.
mod insert;

pub use insert::Insert;
