//! A card as its root complex sees it: registers, requests to host memory, interrupts, reset.
//!
//! [`Function`] is what a PCIe slot holds. [`rings::RingCard`] makes one of any frame-level card: it is the queues of
//! `docs/host-interface.md` in plain Rust. Who plays the root complex gives a [`Bus`]: [`device`] does so inside the
//! host's process, the crate `ipos-vfio-user` does so for another process or a virtual machine. [`plant`] is what the
//! card's ports are plugged into.

pub mod device;
pub mod plant;
mod queue;
pub mod rings;
pub mod rtl;
pub mod tlp;
mod vector;

use ipos_abi::Port;

/// An address that nothing answers at: the root complex completes the read as an unsupported request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing is mapped there")]
pub struct Unmapped;

/// The way of a card's requests to host memory. An MSI-X message is a write of four bytes.
pub trait Bus: Send {
    /// Reads host memory.
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Unmapped>;

    /// Writes host memory. Posted: nobody tells the card when nothing is mapped there.
    fn write(&mut self, address: u64, data: &[u8]);
}

/// What configuration space tells the function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PciConfig {
    /// Memory space enable.
    pub memory: bool,
    /// Bus master enable.
    pub bus_master: bool,
    /// MSI-X enable.
    pub msix_enable: bool,
    /// MSI-X function mask.
    pub msix_mask: bool,
    /// Max payload size as the device control register codes it: 128 bytes shifted left by this.
    pub mps: u8,
    /// Max read request size, coded likewise.
    pub mrrs: u8,
    /// Completion time-out value of device control 2, and its disable bit.
    pub timeout: u8,
    /// No read times out.
    pub timeout_off: bool,
}

impl PciConfig {
    /// What a function-level reset leaves: the maximum payload size is not the function's to forget (base specification 6.6.2).
    #[must_use]
    pub fn after_reset(&self) -> Self {
        PciConfig { mps: self.mps, ..PciConfig::default() }
    }
}

/// A card with its PCIe side. Its [`Bus`] is given when it is made.
pub trait Function: Send {
    /// Reads a register; the offset is a multiple of four inside BAR0.
    fn read32(&mut self, offset: u32) -> u32;

    /// Writes a register; the offset is a multiple of four inside BAR0.
    fn write32(&mut self, offset: u32, value: u32);

    /// Configuration space has changed.
    fn configure(&mut self, config: &PciConfig);

    /// Function-level reset, to its end: everything is as after power-on, and configuration as [`PciConfig::after_reset`] says.
    fn function_reset(&mut self);

    /// Queues a frame at a port's receiving MAC, as [`Card::wire_in`](crate::card::Card::wire_in).
    fn wire_in(&mut self, port: Port, frame: &[u8], bad_fcs: bool) -> bool;

    /// Takes the next good frame that a port sent, as [`Card::wire_out`](crate::card::Card::wire_out).
    fn wire_out(&mut self, port: Port, frame: &mut Vec<u8>) -> bool;

    /// Advances the card by at most `cycles`. `true`: work is left.
    fn run(&mut self, cycles: u32) -> bool;
}

impl<F: Function + ?Sized> Function for Box<F> {
    fn read32(&mut self, offset: u32) -> u32 {
        (**self).read32(offset)
    }

    fn write32(&mut self, offset: u32, value: u32) {
        (**self).write32(offset, value);
    }

    fn configure(&mut self, config: &PciConfig) {
        (**self).configure(config);
    }

    fn function_reset(&mut self) {
        (**self).function_reset();
    }

    fn wire_in(&mut self, port: Port, frame: &[u8], bad_fcs: bool) -> bool {
        (**self).wire_in(port, frame, bad_fcs)
    }

    fn wire_out(&mut self, port: Port, frame: &mut Vec<u8>) -> bool {
        (**self).wire_out(port, frame)
    }

    fn run(&mut self, cycles: u32) -> bool {
        (**self).run(cycles)
    }
}
