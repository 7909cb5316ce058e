//! A card on PCIe, driven from user space through VFIO.
//!
//! [`Machine`] finds cards and binds them, [`VfioDevice`] opens one. The crate `pci-driver` makes the ioctls; what it
//! leaves to its user is here: bus mastering, bus addresses, eventfds, and errors that say what to do, for which
//! [`Machine::ready`] looks at sysfs before anything is opened.
//!
//! VFIO resets the function when it is opened and when it is closed.

mod error;
mod resource;
mod sysfs;

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use ipos_abi::queue::VECTORS;
use ipos_abi::regs::card;
use memmap2::{MmapMut, MmapOptions};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use pci_driver::backends::vfio::VfioPciDevice;
use pci_driver::device::PciDevice;
use pci_driver::regions::{MappedOwningPciRegion, PciRegion, Permissions};

use crate::interrupts::Interrupts;
use crate::{BAR0_SIZE, DeviceError, DmaDevice, DmaMemory, Iovas, Registers, answered};
pub use error::VfioError;
pub use resource::SysfsRegisters;
pub use sysfs::{DRIVER, Found, Machine};

/// Configuration space's command register, and its bits for memory space and bus mastering.
const COMMAND: u64 = 4;
const MEMORY_SPACE: u16 = 2;
const BUS_MASTER: u16 = 4;
/// All registers lie below the MSI-X table, which the kernel keeps to itself.
const MAPPED: u32 = 0x1000;
const HUGE_PAGE: usize = 2 << 20;
const PAGE: usize = 4096;

/// An open card.
#[derive(Debug)]
pub struct VfioDevice {
    device: Arc<VfioPciDevice>,
    registers: MappedOwningPciRegion,
    iovas: Arc<Mutex<Iovas>>,
    interrupts: Interrupts,
}

impl VfioDevice {
    /// Opens a card of this machine by its PCI address, as VFIO has reset it, bus mastering and MSI-X on.
    pub fn open(address: &str) -> Result<Self, VfioError> {
        let machine = Machine::default();
        let group = machine.ready(address)?;
        let refused = |step| {
            move |cause: io::Error| match cause.raw_os_error() {
                Some(code) if code == Errno::EBUSY as i32 => VfioError::Busy { address: address.to_owned(), group },
                _ => VfioError::Open { address: address.to_owned(), step, cause },
            }
        };
        let device = Arc::new(VfioPciDevice::open(machine.device(address)).map_err(refused("opening"))?);
        let bar =
            device.bar(0).ok_or(VfioError::Bar { address: address.to_owned(), found: 0, needed: BAR0_SIZE.into() })?;
        if bar.len() < u64::from(BAR0_SIZE) {
            return Err(VfioError::Bar { address: address.to_owned(), found: bar.len(), needed: BAR0_SIZE.into() });
        }
        set_command(&device, MEMORY_SPACE | BUS_MASTER, 0).map_err(refused("switching bus mastering on"))?;
        let registers =
            bar.map(0..u64::from(MAPPED), Permissions::ReadWrite).map_err(refused("mapping the registers"))?;
        let found = device.interrupts().msi_x().max();
        if found < VECTORS {
            return Err(VfioError::Vectors { address: address.to_owned(), found, needed: VECTORS });
        }
        let interrupts = Interrupts::new().map_err(refused("making eventfds"))?;
        device.interrupts().msi_x().enable(&interrupts.raw()).map_err(refused("enabling interrupts"))?;
        let iommu = device.iommu();
        let page = iommu.alignment().max(PAGE) as u64;
        let iovas = Arc::new(Mutex::new(Iovas::new(iommu.valid_iova_ranges().to_vec(), page)));
        Ok(VfioDevice { device, registers, iovas, interrupts })
    }
}

fn set_command(device: &VfioPciDevice, set: u16, clear: u16) -> io::Result<()> {
    let command = device.config().read_le_u16(COMMAND)?;
    device.config().write_le_u16(COMMAND, command & !clear | set)
}

/// Memory of one [`DmaMemory`]: unmapped from the IOMMU, then from the process.
struct Allocation {
    device: Arc<VfioPciDevice>,
    iovas: Arc<Mutex<Iovas>>,
    address: u64,
    memory: MmapMut,
    mapped: bool,
}

impl Drop for Allocation {
    fn drop(&mut self) {
        if self.mapped
            && let Err(e) = self.device.iommu().unmap(self.address, self.memory.len())
        {
            // the address stays taken, so that no later memory shares it
            tracing::warn!(address = self.address, "the IOMMU keeps a mapping: {e}");
            return;
        }
        self.iovas.lock().unwrap_or_else(PoisonError::into_inner).give_back(self.address);
    }
}

impl Registers for VfioDevice {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        check(offset)?;
        let read = |offset: u32| Ok(self.registers.read_le_u32(offset.into())?);
        answered(read(offset)?, || read(card::MAGIC))
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        check(offset)?;
        Ok(self.registers.write_le_u32(offset.into(), value)?)
    }
}

fn check(offset: u32) -> Result<(), DeviceError> {
    let good = offset.is_multiple_of(4) && offset < MAPPED;
    if good { Ok(()) } else { Err(DeviceError::Register { offset, size: MAPPED }) }
}

impl DmaDevice for VfioDevice {
    fn allocate(&mut self, bytes: usize) -> Result<DmaMemory, DeviceError> {
        let failed = |cause: String| DeviceError::Memory { bytes, cause };
        let (mut memory, align) = memory(bytes).map_err(|e| failed(e.to_string()))?;
        let len = memory.len();
        let pointer = NonNull::new(memory.as_mut_ptr()).ok_or_else(|| failed("the system has none".to_owned()))?;
        let address = self.iovas.lock().unwrap_or_else(PoisonError::into_inner).take(len as u64, align as u64);
        let address = address.ok_or_else(|| failed("the IOMMU has no bus addresses left".to_owned()))?;
        let (device, iovas) = (self.device.clone(), self.iovas.clone());
        let mut owner = Allocation { device, iovas, address, memory, mapped: false };
        // SAFETY: the memory is `owner`'s, which unmaps it before it frees it; the bus addresses are nobody else's.
        let mapped = unsafe { self.device.iommu().map(address, len, pointer.as_ptr(), Permissions::ReadWrite) };
        mapped.map_err(|e| failed(explain(&e, len)))?;
        owner.mapped = true;
        // SAFETY: a page-aligned memory map of `len` bytes that `owner` keeps and reaches no more.
        Ok(unsafe { DmaMemory::new(pointer, len, address, Box::new(owner)) })
    }

    fn reset(&mut self) -> Result<(), DeviceError> {
        self.device.reset()?;
        // the kernel restores configuration space and the MSI-X table
        set_command(&self.device, MEMORY_SPACE | BUS_MASTER, 0)?;
        self.interrupts()?;
        Ok(())
    }

    fn set_bus_master(&mut self, on: bool) -> Result<(), DeviceError> {
        let (set, clear) = if on { (BUS_MASTER, 0) } else { (0, BUS_MASTER) };
        Ok(set_command(&self.device, set, clear)?)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        Ok(false)
    }

    fn interrupts(&mut self) -> Result<u32, DeviceError> {
        Ok(self.interrupts.take()?)
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.interrupts.fds()
    }
}

impl Drop for VfioDevice {
    fn drop(&mut self) {
        // memory that outlives the device must not be written any more; closing resets the function anyway
        let _ = set_command(&self.device, 0, BUS_MASTER);
        let _ = self.device.interrupts().msi_x().disable();
    }
}

/// Zeroed memory and its alignment: huge pages for large pieces where the system has some, ordinary ones else.
fn memory(bytes: usize) -> io::Result<(MmapMut, usize)> {
    let rounded = |page: usize| bytes.max(1).checked_next_multiple_of(page).ok_or(io::ErrorKind::OutOfMemory);
    if bytes >= HUGE_PAGE
        && let Ok(memory) = MmapOptions::new().len(rounded(HUGE_PAGE)?).huge(Some(21)).map_anon()
    {
        return Ok((memory, HUGE_PAGE));
    }
    Ok((MmapOptions::new().len(rounded(PAGE)?).map_anon()?, PAGE))
}

/// Why the IOMMU refused memory. The crate below gives the system's error as text alone.
fn explain(error: &io::Error, bytes: usize) -> String {
    let text = error.to_string();
    if !text.contains("(os error 12)") {
        return text;
    }
    match getrlimit(Resource::RLIMIT_MEMLOCK) {
        Ok((limit, _)) if limit < u64::MAX => format!(
            "the limit of locked memory is {limit} bytes and {bytes} more are needed: raise it (`ulimit -l`, memlock \
             in /etc/security/limits.d, LimitMEMLOCK= of a service; docs/operations.md)"
        ),
        _ => text,
    }
}
