//! Wires that a port of a simulated card can be plugged into, beside those of [`ipos_wire`].
//!
//! | wire | reaches |
//! |---|---|
//! | [`packet`] | a Linux interface, usually one end of a veth pair |
//! | [`tap`] | the kernel itself, as an interface of its own |
//! | [`pcap`] | a capture file: [`pcap::Recorder`] writes what passes another wire, [`pcap::Replay`] plays it back |
//! | [`memory`] | another wire of the same process |
//!
//! [`crate::fault::Fault`] makes any of them unreliable.

pub mod memory;
pub mod pcap;

pub use ipos_wire::{Wire, netns, offload, packet, tap};
