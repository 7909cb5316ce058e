//! Memory that host and card share, and the device trait of a card that reaches it.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use ipos_abi::Port;
use ipos_abi::regs::card;

use crate::{DeviceError, Mtu, Registers};

/// A card on PCIe, or one simulated with its PCIe side: registers, memory that it reaches, interrupts.
pub trait DmaDevice: Registers {
    /// Zeroed, page-aligned memory at one bus address, mapped until it is dropped. `bytes` is rounded up to pages.
    fn allocate(&mut self, bytes: usize) -> Result<DmaMemory, DeviceError>;

    /// Function-level reset, to its end. Afterwards the card may send requests and interrupts again; its queues are off.
    fn reset(&mut self) -> Result<(), DeviceError>;

    /// Whether the card may reach host memory (bus master enable).
    fn set_bus_master(&mut self, on: bool) -> Result<(), DeviceError>;

    /// Lets a simulated card make progress; a board does nothing here. `true`: more work is waiting.
    fn poll(&mut self) -> Result<bool, DeviceError>;

    /// Fails when the card no longer answers. A caller that hears nothing from the card asks this: rings in memory
    /// look the same whether a card has nothing to say or is gone.
    fn present(&mut self) -> Result<(), DeviceError> {
        self.read32(card::MAGIC).map(drop)
    }

    /// Interrupt vectors that fired since this was last asked, as a mask.
    fn interrupts(&mut self) -> Result<u32, DeviceError>;

    /// Descriptors that become readable when the card has something to do.
    fn wait_fds(&self) -> Vec<BorrowedFd<'_>>;

    /// What bounds the packets of a port beside the card itself, as [`Device::mtu`](crate::Device::mtu).
    fn mtu(&self, _port: Port) -> Option<Mtu> {
        None
    }
}

impl<D: DmaDevice + ?Sized> DmaDevice for Box<D> {
    fn allocate(&mut self, bytes: usize) -> Result<DmaMemory, DeviceError> {
        (**self).allocate(bytes)
    }

    fn reset(&mut self) -> Result<(), DeviceError> {
        (**self).reset()
    }

    fn set_bus_master(&mut self, on: bool) -> Result<(), DeviceError> {
        (**self).set_bus_master(on)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        (**self).poll()
    }

    fn present(&mut self) -> Result<(), DeviceError> {
        (**self).present()
    }

    fn interrupts(&mut self) -> Result<u32, DeviceError> {
        (**self).interrupts()
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        (**self).wait_fds()
    }

    fn mtu(&self, port: Port) -> Option<Mtu> {
        (**self).mtu(port)
    }
}

/// Memory that the card reaches at [`address`](DmaMemory::address). Unmapped and freed on drop: a card that still
/// uses it then meets an unmapped address.
///
/// Offsets are the driver's own; one outside the memory panics.
pub struct DmaMemory {
    pointer: NonNull<u8>,
    len: usize,
    address: u64,
    _owner: Box<dyn Send + Sync>,
}

// SAFETY: `pointer` is memory that `_owner` (Send + Sync) keeps, reached only through the methods below.
unsafe impl Send for DmaMemory {}

impl DmaMemory {
    /// Memory at `pointer`, which the card knows as `address`.
    ///
    /// # Safety
    ///
    /// `pointer` is page aligned and valid for reads and writes of `len` bytes until `owner` is dropped, and no Rust
    /// reference to it exists.
    pub unsafe fn new(pointer: NonNull<u8>, len: usize, address: u64, owner: Box<dyn Send + Sync>) -> Self {
        DmaMemory { pointer, len, address, _owner: owner }
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bus address of the first byte.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// The word at an offset that is a multiple of four; what the card wrote before it is seen by later reads.
    #[must_use]
    pub fn load32(&self, offset: usize) -> u32 {
        self.word(offset).load(Ordering::Acquire)
    }

    /// Stores a word at an offset that is a multiple of four, after everything that was written before.
    pub fn store32(&self, offset: usize, value: u32) {
        self.word(offset).store(value, Ordering::Release);
    }

    /// Copies bytes out. The card must not be writing them: their descriptor is completed.
    pub fn read(&self, offset: usize, data: &mut [u8]) {
        let from = self.at(offset, data.len());
        // SAFETY: `at` has checked the range; `data` is a Rust slice, so no part of this memory.
        unsafe { std::ptr::copy_nonoverlapping(from, data.as_mut_ptr(), data.len()) }
    }

    /// Copies bytes in. The card must not be using them: no descriptor of theirs is in its hands.
    pub fn write(&mut self, offset: usize, data: &[u8]) {
        let to = self.at(offset, data.len());
        // SAFETY: as in `read`.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), to, data.len()) }
    }

    /// The bytes in place.
    ///
    /// # Safety
    ///
    /// The card does not write them while the slice lives: no descriptor of theirs is in its hands.
    #[must_use]
    pub unsafe fn slice(&self, offset: usize, bytes: usize) -> &[u8] {
        // SAFETY: `at` has checked the range, the memory is initialised, and the caller keeps the card away.
        unsafe { std::slice::from_raw_parts(self.at(offset, bytes), bytes) }
    }

    /// The bytes in place, to be changed.
    ///
    /// # Safety
    ///
    /// The card does not use them while the slice lives: no descriptor of theirs is in its hands.
    #[must_use]
    pub unsafe fn slice_mut(&mut self, offset: usize, bytes: usize) -> &mut [u8] {
        // SAFETY: as in `slice`; `&mut self` makes it the only one.
        unsafe { std::slice::from_raw_parts_mut(self.at(offset, bytes), bytes) }
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4), "offset {offset} of a word");
        // SAFETY: `at` has checked the range, the pointer is aligned, and shared words are only reached as atomics.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    fn at(&self, offset: usize, bytes: usize) -> *mut u8 {
        let inside = offset.checked_add(bytes).is_some_and(|end| end <= self.len);
        assert!(inside, "{bytes} bytes at {offset} of {}", self.len);
        // SAFETY: it stays inside the memory.
        unsafe { self.pointer.as_ptr().add(offset) }
    }
}

impl fmt::Debug for DmaMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DmaMemory({:#x} + {:#x})", self.address, self.len)
    }
}
