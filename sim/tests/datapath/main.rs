//! The reference card against `docs/datapath.md`, step by step. Every frame, checksum and output
//! here is written out, with checksums computed apart from the project's code.

mod parse;
mod rig;
mod tables;
