//! A simulated card in a process of its own, driven through its socket as one on PCIe is through VFIO.
//!
//! `ipos card serve` is the other end. Memory is shared by descriptor, an interrupt is an eventfd, a register access is a
//! message; frames cost no message, a doorbell does. Connecting does not reset the card: its ports and tables are as the last
//! host left them, its queues are off. [`DmaDevice::reset`] resets it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipos_abi::queue::VECTORS;
use ipos_abi::regs::card;
use memmap2::{MmapMut, MmapOptions};
use nix::sys::memfd::{MFdFlags, memfd_create};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_PCI_BAR0_REGION_INDEX as BAR0,
    VFIO_PCI_CONFIG_REGION_INDEX as CONFIG, VFIO_PCI_MSIX_IRQ_INDEX as MSIX,
};
use vfio_user::Client;

use crate::interrupts::Interrupts;
use crate::{BAR0_SIZE, DeviceError, DmaDevice, DmaMemory, Iovas, Registers, answered};

/// Configuration space's command register, and its bits for memory space and bus mastering.
const COMMAND: u64 = 4;
const MEMORY_SPACE: u16 = 2;
const BUS_MASTER: u16 = 4;
const PAGE: usize = 4096;
/// Bus addresses, all of them free on a bus of one card.
const ADDRESSES: std::ops::Range<u64> = 0x1000_0000..0x8000_0000;

/// Why a card can't be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VfioUserError {
    /// Nobody serves a card there, or it is not one.
    #[error("no card answers on {}: {cause}; `ipos card serve` makes one", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What was refused.
        cause: vfio_user::Error,
    },
    /// What answers is not a card.
    #[error("{} is not a card: {found} bytes of registers, {BAR0_SIZE} are needed", path.display())]
    NotACard {
        /// The socket.
        path: PathBuf,
        /// Size of its first region.
        found: u64,
    },
    /// The system has no more descriptors.
    #[error("making eventfds: {0}")]
    EventFd(io::Error),
    /// The card refused to be set up.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl VfioUserError {
    /// Nothing listens on the socket: the card may come yet.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        let absent = |e: &io::Error| matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused);
        matches!(self, VfioUserError::Connect { cause: vfio_user::Error::Connect(e), .. } if absent(e))
    }
}

/// The connection, shared with the memory that the card reaches.
struct Bus {
    client: Mutex<Client>,
    iovas: Mutex<Iovas>,
}

impl Bus {
    fn client(&self) -> MutexGuard<'_, Client> {
        // a client has no state that a panic could leave half changed
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn iovas(&self) -> MutexGuard<'_, Iovas> {
        self.iovas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connected card.
pub struct VfioUserDevice {
    bus: Arc<Bus>,
    interrupts: Interrupts,
}

/// The way to a card's socket.
pub struct VfioUser;

impl VfioUser {
    /// Connects to the card on a socket, bus mastering and MSI-X on. While another host has the card it waits for it to go.
    pub fn connect(path: &Path) -> Result<VfioUserDevice, VfioUserError> {
        let mut client = Client::new(path).map_err(|cause| VfioUserError::Connect { path: path.to_owned(), cause })?;
        let found = client.region(BAR0).map_or(0, |region| region.size);
        if found < u64::from(BAR0_SIZE) {
            return Err(VfioUserError::NotACard { path: path.to_owned(), found });
        }
        let interrupts = Interrupts::new().map_err(VfioUserError::EventFd)?;
        let trigger = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
        client.set_irqs(MSIX, trigger, 0, VECTORS as u32, &interrupts.raw()).map_err(failed)?;
        let iovas = Mutex::new(Iovas::new(vec![ADDRESSES], PAGE as u64));
        let mut device = VfioUserDevice { bus: Arc::new(Bus { client: Mutex::new(client), iovas }), interrupts };
        device.set_bus_master(true)?;
        Ok(device)
    }
}

fn failed(error: vfio_user::Error) -> DeviceError {
    DeviceError::Io(io::Error::other(format!("the card's process: {error}")))
}

/// Memory of one [`DmaMemory`]: unmapped from the card, then from the process.
struct Allocation {
    bus: Arc<Bus>,
    address: u64,
    memory: MmapMut,
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // bound, so that the lock is let go at once: a card that has gone has no mappings either
        let unmapped = self.bus.client().dma_unmap(self.address, self.memory.len() as u64);
        if let Err(e) = unmapped {
            tracing::debug!(address = self.address, "the card's process: {e}");
        }
        self.bus.iovas().give_back(self.address);
    }
}

fn checked(offset: u32) -> Result<u64, DeviceError> {
    let good = offset.is_multiple_of(4) && offset < BAR0_SIZE;
    if good { Ok(offset.into()) } else { Err(DeviceError::Register { offset, size: BAR0_SIZE }) }
}

impl Registers for VfioUserDevice {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        let offset = checked(offset)?;
        let mut client = self.bus.client();
        let mut read = |offset| {
            let mut value = [0; 4];
            client.region_read(BAR0, offset, &mut value).map_err(failed)?;
            Ok(u32::from_le_bytes(value))
        };
        answered(read(offset)?, || read(card::MAGIC.into()))
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.bus.client().region_write(BAR0, checked(offset)?, &value.to_le_bytes()).map_err(failed)
    }
}

impl DmaDevice for VfioUserDevice {
    fn allocate(&mut self, bytes: usize) -> Result<DmaMemory, DeviceError> {
        let refused = |cause: String| DeviceError::Memory { bytes, cause };
        let len =
            bytes.max(1).checked_next_multiple_of(PAGE).ok_or_else(|| refused("more than memory can be".into()))?;
        let file = memfd_create(c"ipos", MFdFlags::MFD_CLOEXEC).map_err(|e| refused(e.to_string()))?;
        let file = std::fs::File::from(file);
        file.set_len(len as u64).map_err(|e| refused(e.to_string()))?;
        // SAFETY: nobody but this process and the card's knows the file; what the card writes is read as `DmaMemory` says.
        let mut memory = unsafe { MmapOptions::new().len(len).map_mut(&file) }.map_err(|e| refused(e.to_string()))?;
        let pointer = NonNull::new(memory.as_mut_ptr()).ok_or_else(|| refused("the system has none".into()))?;
        let address = self.bus.iovas().take(len as u64, PAGE as u64);
        let address = address.ok_or_else(|| refused("no bus addresses are left".into()))?;
        let owner = Allocation { bus: self.bus.clone(), address, memory };
        self.bus.client().dma_map(0, address, len as u64, file.as_raw_fd()).map_err(failed)?;
        // SAFETY: a page-aligned memory map of `len` bytes that `owner` keeps and reaches no more.
        Ok(unsafe { DmaMemory::new(pointer, len, address, Box::new(owner)) })
    }

    fn reset(&mut self) -> Result<(), DeviceError> {
        self.bus.client().reset().map_err(failed)?;
        self.set_bus_master(true)?;
        self.interrupts()?;
        Ok(())
    }

    fn set_bus_master(&mut self, on: bool) -> Result<(), DeviceError> {
        let command = MEMORY_SPACE | if on { BUS_MASTER } else { 0 };
        self.bus.client().region_write(CONFIG, COMMAND, &command.to_le_bytes()).map_err(failed)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        Ok(false)
    }

    fn present(&mut self) -> Result<(), DeviceError> {
        // the server answers this by itself, without the card's thread
        let mut vendor = [0; 2];
        self.bus.client().region_read(CONFIG, 0, &mut vendor).map_err(failed)?;
        if vendor == [0xff; 2] { Err(DeviceError::Gone) } else { Ok(()) }
    }

    fn interrupts(&mut self) -> Result<u32, DeviceError> {
        Ok(self.interrupts.take()?)
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.interrupts.fds()
    }
}

impl Drop for VfioUserDevice {
    fn drop(&mut self) {
        // memory that outlives the device must not be written any more; a card that has gone writes nothing
        let _ = self.set_bus_master(false);
    }
}
