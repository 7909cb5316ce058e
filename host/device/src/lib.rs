//! The one trait that a card has for its host.
//!
//! Everything above it (`ipos-nic`, `ipos-node`) is the same code for the Verilated card, for
//! the reference model and for a board. [`Registers`] is what identity, tables and counters need; [`Device`] adds frames,
//! [`DmaDevice`] host memory and interrupts. Where to read next: `sim` for the cards without a board, [`vfio`] for
//! one on PCIe, [`vfio_user`] for a simulated one in a process of its own, `ipos-nic` for what is built on it.

mod dma;
mod interrupts;
mod iova;
mod mtu;
mod rate_limit;
pub mod vfio;
pub mod vfio_user;

use std::io;
use std::os::fd::BorrowedFd;

use ipos_abi::Port;
use ipos_abi::queue::Event;
use ipos_abi::rx::RxMeta;

pub use dma::{DmaDevice, DmaMemory};
pub use iova::Iovas;
pub use ipos_abi::queue::MAX_FRAME;
pub use mtu::{FRONT_MTU, IP_MTU, Mtu, MtuError, check_mtus};
pub use rate_limit::RateLimit;

/// A queue from the card to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Queue {
    /// Everything that is not an ipOS control packet.
    Receive = 0,
    /// ipOS control packets; never waits behind [`Queue::Receive`].
    Control = 1,
}

/// Why a device access failed: [`is_of_frame`](DeviceError::is_of_frame) tells one frame from the card.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The offset is not a multiple of four or lies outside BAR0.
    #[error("register offset {offset:#x} is misaligned or outside the card's {size:#x} bytes of registers")]
    Register {
        /// What was asked for.
        offset: u32,
        /// Size of BAR0 in bytes.
        size: u32,
    },
    /// The frame is empty or longer than the card can carry.
    #[error("a frame of {length} bytes can't be sent: the card takes 14 to {max}")]
    FrameLength {
        /// Bytes of the frame.
        length: usize,
        /// The longest frame the card takes.
        max: usize,
    },
    /// The card or the path to it failed.
    #[error("card access failed: {0}")]
    Io(io::Error),
    /// The card stopped answering.
    #[error("the card did not finish {what} within {limit}; reset it")]
    Stuck {
        /// What was waited for.
        what: &'static str,
        /// How long, in the card's own measure (cycles or time).
        limit: String,
    },
    /// Its registers read as all ones: what a root complex gives for a read that nobody answers.
    #[error(
        "the card is gone: its registers read as all ones (removed, without power, reset from outside, or its link is down)"
    )]
    Gone,
    /// There is no memory that the card could reach.
    #[error("no {bytes} bytes of memory for the card: {cause}")]
    Memory {
        /// What was asked for.
        bytes: usize,
        /// Why, and what to do.
        cause: String,
    },
}

impl DeviceError {
    /// Whether it is one frame's fault: the card goes on with the next.
    #[must_use]
    pub fn is_of_frame(&self) -> bool {
        matches!(self, DeviceError::FrameLength { .. })
    }
}

impl From<io::Error> for DeviceError {
    fn from(e: io::Error) -> Self {
        DeviceError::Io(e)
    }
}

/// Size of BAR0 in bytes.
pub const BAR0_SIZE: u32 = 0x1_0000;

/// What a register read over PCIe gave, unless nobody answered it: a root complex completes such a read with all ones (PCI
/// Express base specification 2.3.2), which many a register may hold. `magic` reads the one that never does.
pub fn answered(value: u32, magic: impl FnOnce() -> Result<u32, DeviceError>) -> Result<u32, DeviceError> {
    if value == u32::MAX && magic()? == u32::MAX { Err(DeviceError::Gone) } else { Ok(value) }
}

/// A card's registers.
pub trait Registers: Send {
    /// Reads a 32-bit register of BAR0 (offsets from `ipos_abi::regs`).
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError>;

    /// Writes a 32-bit register of BAR0.
    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError>;
}

/// A card that takes and gives whole frames, as its host sees it.
pub trait Device: Registers {
    /// Queues a frame (no FCS, padding is the MAC's business) for a port.
    /// `Ok(false)`: the transmit queue is full, try again after [`Device::poll`]. A frame that no card carries is an error
    /// [of that frame](DeviceError::is_of_frame).
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError>;

    /// Takes the next frame of a queue into `frame` (cleared first). `Ok(None)`: the queue is empty.
    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError>;

    /// Lets the card make progress: a simulated one moves frames between its wires and its
    /// ports and runs its clock for a bounded time; a board does nothing here.
    /// Returns whether more work is waiting, so that the caller should not sleep.
    fn poll(&mut self) -> Result<bool, DeviceError>;

    /// Descriptors that become readable when the card has something to do.
    fn wait_fds(&self) -> Vec<BorrowedFd<'_>>;

    /// Takes the next event of a forward entry. A card that has none to tell of, or no way to, has none.
    fn event(&mut self) -> Result<Option<Event>, DeviceError> {
        Ok(None)
    }

    /// What bounds the packets of a port beside the card itself, where that is known: the Linux interface that a
    /// simulated card is plugged into.
    fn mtu(&self, _port: Port) -> Option<Mtu> {
        None
    }
}

impl<D: Registers + ?Sized> Registers for Box<D> {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        (**self).read32(offset)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        (**self).write32(offset, value)
    }
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError> {
        (**self).transmit(port, frame)
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError> {
        (**self).receive(queue, frame)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        (**self).poll()
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        (**self).wait_fds()
    }

    fn event(&mut self) -> Result<Option<Event>, DeviceError> {
        (**self).event()
    }

    fn mtu(&self, port: Port) -> Option<Mtu> {
        (**self).mtu(port)
    }
}
