//! A [`Function`] inside the host's own process, behind the trait that a board has.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipos_abi::Port;
use ipos_abi::queue::VECTORS;
use ipos_abi::regs::MSIX_TABLE;
use ipos_device::{BAR0_SIZE, DeviceError, DmaDevice, DmaMemory, Iovas, Mtu, Registers};

use super::plant::Plant;
use super::{Bus, Function, PciConfig, Unmapped};
use crate::wire::Wire;

const PAGE: usize = 4096;
/// Where interrupts go, as on x86. The message is the vector.
const INTERRUPT_WINDOW: u64 = 0xfee0_0000;
const ADDRESSES: std::ops::Range<u64> = 0x1000_0000..0x8000_0000;

/// What host and function share.
struct Shared {
    iovas: Iovas,
    /// By bus address: pointer and length.
    memory: BTreeMap<u64, (usize, usize)>,
    fired: u32,
    config: PciConfig,
}

/// The way of a function to the process's memory.
#[derive(Clone)]
struct HostBus(Arc<Mutex<Shared>>);

impl HostBus {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pointer to `len` bytes that the host has allocated.
    fn find(shared: &Shared, address: u64, len: usize) -> Result<*mut u8, Unmapped> {
        let (first, &(pointer, size)) = shared.memory.range(..=address).next_back().ok_or(Unmapped)?;
        let offset = (address - first) as usize;
        let inside = shared.config.bus_master && offset.checked_add(len).is_some_and(|end| end <= size);
        if inside { Ok((pointer + offset) as *mut u8) } else { Err(Unmapped) }
    }
}

impl Bus for HostBus {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Unmapped> {
        let shared = self.lock();
        let from = Self::find(&shared, address, data.len())?;
        // SAFETY: `find` gives memory that a live `Allocation` keeps: it is removed under the same lock.
        unsafe { std::ptr::copy_nonoverlapping(from, data.as_mut_ptr(), data.len()) };
        Ok(())
    }

    fn write(&mut self, address: u64, data: &[u8]) {
        let mut shared = self.lock();
        if address == INTERRUPT_WINDOW {
            let vector = data.first().copied().unwrap_or(0);
            shared.fired |= 1 << (u32::from(vector) % VECTORS as u32);
        } else if let Ok(to) = Self::find(&shared, address, data.len()) {
            // SAFETY: as in `read`.
            unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), to, data.len()) };
        }
    }
}

/// Keeps a piece of memory and its place on the bus.
struct Allocation {
    bus: HostBus,
    address: u64,
    layout: std::alloc::Layout,
    pointer: usize,
}

impl Drop for Allocation {
    fn drop(&mut self) {
        let mut shared = self.bus.lock();
        shared.memory.remove(&self.address);
        shared.iovas.give_back(self.address);
        drop(shared);
        // SAFETY: allocated with this layout, freed once, and the function can't find it any more.
        unsafe { std::alloc::dealloc(self.pointer as *mut u8, self.layout) };
    }
}

/// A function in the host's process. Its ports are cabled to each other (what one sends the other receives) until wires
/// are plugged in.
pub struct CabledFunction<F> {
    function: F,
    bus: HostBus,
    plant: Plant,
}

impl<F: Function> CabledFunction<F> {
    /// The function that `make` makes of its way to host memory, ready as a driver finds a board.
    pub fn new(make: impl FnOnce(Box<dyn Bus>) -> F) -> Self {
        match Self::try_new(|bus| Ok::<F, Infallible>(make(bus))) {
            Ok(device) => device,
        }
    }

    /// As [`CabledFunction::new`], for a function that may not come to be.
    pub fn try_new<E>(make: impl FnOnce(Box<dyn Bus>) -> Result<F, E>) -> Result<Self, E> {
        let shared = Shared {
            iovas: Iovas::new(vec![ADDRESSES], PAGE as u64),
            memory: BTreeMap::new(),
            fired: 0,
            config: PciConfig::default(),
        };
        let bus = HostBus(Arc::new(Mutex::new(shared)));
        let mut device = CabledFunction { function: make(Box::new(bus.clone()))?, bus, plant: Plant::default() };
        device.start(true);
        Ok(device)
    }

    /// Plugs a wire into a port, in place of the cable or of what was there.
    #[must_use]
    pub fn with_wire(mut self, port: Port, wire: Box<dyn Wire>) -> Self {
        self.plant.plug(port, wire);
        self
    }

    fn start(&mut self, bus_master: bool) {
        let config = PciConfig { memory: true, bus_master, msix_enable: true, mps: 1, mrrs: 1, ..PciConfig::default() };
        self.bus.lock().config = config;
        self.function.configure(&config);
        route_interrupts(&mut self.function, INTERRUPT_WINDOW, [true; VECTORS]);
    }
}

/// Writes a function's MSI-X table: vectors that are on send their number to `address`, the others are masked.
pub fn route_interrupts(function: &mut (impl Function + ?Sized), address: u64, on: [bool; VECTORS]) {
    for (vector, on) in on.into_iter().enumerate() {
        let words = [address as u32, (address >> 32) as u32, vector as u32, u32::from(!on)];
        for (word, value) in words.into_iter().enumerate() {
            function.write32(MSIX_TABLE + 16 * vector as u32 + 4 * word as u32, value);
        }
    }
}

fn checked(offset: u32) -> Result<u32, DeviceError> {
    let good = offset.is_multiple_of(4) && offset < BAR0_SIZE;
    if good { Ok(offset) } else { Err(DeviceError::Register { offset, size: BAR0_SIZE }) }
}

impl<F: Function> Registers for CabledFunction<F> {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        Ok(self.function.read32(checked(offset)?))
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.function.write32(checked(offset)?, value);
        Ok(())
    }
}

impl<F: Function> DmaDevice for CabledFunction<F> {
    fn allocate(&mut self, bytes: usize) -> Result<DmaMemory, DeviceError> {
        let failed = |cause: &str| DeviceError::Memory { bytes, cause: cause.to_owned() };
        let len = bytes.max(1).checked_next_multiple_of(PAGE).ok_or_else(|| failed("more than memory can be"))?;
        let layout = std::alloc::Layout::from_size_align(len, PAGE).map_err(|_| failed("more than memory can be"))?;
        let mut shared = self.bus.lock();
        let address = shared.iovas.take(len as u64, PAGE as u64).ok_or_else(|| failed("no bus addresses are left"))?;
        // SAFETY: the layout's size is not zero.
        let Some(pointer) = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }) else {
            shared.iovas.give_back(address);
            return Err(failed("the system has none"));
        };
        shared.memory.insert(address, (pointer.as_ptr() as usize, len));
        drop(shared);
        let owner = Allocation { bus: self.bus.clone(), address, layout, pointer: pointer.as_ptr() as usize };
        // SAFETY: freshly allocated, page aligned, `len` bytes, freed when `owner` is dropped; no reference exists.
        Ok(unsafe { DmaMemory::new(pointer, len, address, Box::new(owner)) })
    }

    fn reset(&mut self) -> Result<(), DeviceError> {
        self.function.function_reset();
        self.bus.lock().fired = 0;
        self.start(true);
        Ok(())
    }

    fn set_bus_master(&mut self, on: bool) -> Result<(), DeviceError> {
        self.start(on);
        Ok(())
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        Ok(self.plant.run(&mut self.function)?)
    }

    fn present(&mut self) -> Result<(), DeviceError> {
        Ok(()) // in this process
    }

    fn interrupts(&mut self) -> Result<u32, DeviceError> {
        Ok(std::mem::take(&mut self.bus.lock().fired))
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.plant.fds()
    }

    fn mtu(&self, port: Port) -> Option<Mtu> {
        self.plant.mtu(port)
    }
}
