//! What QEMU asks of the function, turned into calls of the card's thread.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};

use ipos_abi::queue::VECTORS;
use ipos_abi::regs::{MSIX_PENDING, MSIX_TABLE};
use ipos_device::BAR0_SIZE;
use ipos_sim::pcie::device::route_interrupts;
use ipos_sim::pcie::{Function, PciConfig};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX,
    VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS, VFIO_REGION_INFO_FLAG_READ,
    VFIO_REGION_INFO_FLAG_WRITE, vfio_region_info,
};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, Server, ServerBackend, ServerRegion};

use crate::Job;
use crate::config::{self, ConfigSpace};
use crate::memory::{GuestBus, INTERRUPT_WINDOW};

/// The server's end: configuration space is its own, registers are the card's.
pub struct Backend {
    config: ConfigSpace,
    bus: GuestBus,
    card: Sender<Job>,
}

impl Backend {
    pub fn new(bus: GuestBus, card: Sender<Job>) -> Self {
        Backend { config: ConfigSpace::default(), bus, card }
    }

    /// Runs `job` on the card's thread and waits for it.
    fn ask<T: Send + 'static>(&self, job: impl FnOnce(&mut dyn Function) -> T + Send + 'static) -> io::Result<T> {
        let (answer, answered) = channel();
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the card's thread has ended");
        // whoever asked may be gone by then: nobody misses the answer
        let job: Job = Box::new(move |card| drop(answer.send(job(card))));
        self.card.send(job).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())
    }

    /// Tells the card what configuration space and the interrupts' listeners say.
    fn configure(&self) -> io::Result<()> {
        let mut memory = self.bus.lock();
        memory.set_bus_master(self.config.bus_master());
        let vectors = memory.vectors_enabled();
        drop(memory);
        // QEMU keeps the MSI-X table for itself and answers for its masks: a vector that it listens to is on
        let config = PciConfig {
            bus_master: self.config.bus_master(),
            msix_enable: vectors.contains(&true),
            msix_mask: false,
            mps: self.config.mps(),
            mrrs: self.config.mrrs(),
        };
        self.ask(move |card| {
            card.configure(&config);
            route_interrupts(card, INTERRUPT_WINDOW, vectors);
        })
    }

    fn read_register(&self, offset: u64) -> io::Result<u32> {
        match u32::try_from(offset) {
            Ok(offset) if offset < BAR0_SIZE && !msix(offset) => self.ask(move |card| card.read32(offset)),
            _ => Ok(0),
        }
    }
}

/// Whether an offset is in the MSI-X table or its pending bits, which QEMU has copies of.
fn msix(offset: u32) -> bool {
    let table = MSIX_TABLE..MSIX_TABLE + 16 * VECTORS as u32;
    table.contains(&offset) || (MSIX_PENDING..MSIX_PENDING + 8).contains(&offset)
}

impl ServerBackend for Backend {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        data.fill(0);
        match region {
            VFIO_PCI_CONFIG_REGION_INDEX => self.config.read(offset, data),
            VFIO_PCI_BAR0_REGION_INDEX => {
                // whole words, of which an access may take a part
                let mut at = offset & !3;
                let mut skip = (offset & 3) as usize;
                let mut rest = data;
                while !rest.is_empty() {
                    let word = self.read_register(at)?.to_le_bytes();
                    let n = rest.len().min(4 - skip);
                    let (part, after) = rest.split_at_mut(n);
                    part.copy_from_slice(&word[skip..skip + n]);
                    (rest, skip, at) = (after, 0, at.wrapping_add(4));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        match region {
            VFIO_PCI_CONFIG_REGION_INDEX => {
                if self.config.write(offset, data) {
                    return self.reset();
                }
                self.configure()
            }
            VFIO_PCI_BAR0_REGION_INDEX if offset.is_multiple_of(4) && data.len().is_multiple_of(4) => {
                for (i, word) in data.chunks_exact(4).enumerate() {
                    let value = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
                    match u32::try_from(offset + 4 * i as u64) {
                        Ok(at) if at < BAR0_SIZE && !msix(at) => self.ask(move |card| card.write32(at, value))?,
                        _ => {}
                    }
                }
                Ok(())
            }
            _ => {
                tracing::warn!(
                    region,
                    offset,
                    bytes = data.len(),
                    "dropped a write that is not of whole words of BAR0"
                );
                Ok(())
            }
        }
    }

    fn dma_map(
        &mut self,
        flags: DmaMapFlags,
        offset: u64,
        address: u64,
        size: u64,
        fd: Option<File>,
    ) -> io::Result<()> {
        tracing::debug!(
            "map {size:#x} bytes at {address:#x}, {flags:?}, {}",
            if fd.is_some() { "a file" } else { "no file" }
        );
        self.bus.lock().map(address, size, offset, fd, flags.contains(DmaMapFlags::WRITE))
    }

    fn dma_unmap(&mut self, flags: DmaUnmapFlags, address: u64, size: u64) -> io::Result<()> {
        let mut memory = self.bus.lock();
        if flags.contains(DmaUnmapFlags::UNMAP_ALL) {
            memory.unmap_all();
        } else {
            memory.unmap(address, size);
        }
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        tracing::info!("function reset");
        self.config = ConfigSpace::default();
        self.ask(|card| card.function_reset())?;
        self.configure()
    }

    fn set_irqs(&mut self, index: u32, flags: u32, start: u32, count: u32, fds: Vec<File>) -> io::Result<()> {
        if index != VFIO_PCI_MSIX_IRQ_INDEX {
            return Ok(());
        }
        let mut memory = self.bus.lock();
        if count == 0 {
            (0..VECTORS).for_each(|vector| memory.set_vector(vector, None));
        } else if flags & VFIO_IRQ_SET_DATA_EVENTFD != 0 {
            let mut fds = fds.into_iter();
            for vector in (start as usize..VECTORS).take(count as usize) {
                memory.set_vector(vector, fds.next());
            }
        }
        drop(memory);
        self.configure()
    }
}

/// A listening server: what the function looks like to vfio-user.
pub fn server(socket: &Path) -> Result<Server, vfio_user::Error> {
    let regions = (0..VFIO_PCI_NUM_REGIONS).map(|index| {
        let size = match index {
            VFIO_PCI_BAR0_REGION_INDEX => u64::from(BAR0_SIZE),
            VFIO_PCI_CONFIG_REGION_INDEX => config::SIZE as u64,
            _ => 0,
        };
        let flags = if size > 0 { VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE } else { 0 };
        let argsz = size_of::<vfio_region_info>() as u32;
        let region_info = vfio_region_info { argsz, index, size, flags, ..Default::default() };
        ServerRegion { region_info, sparse_areas: Vec::new(), mmap_fd: None }
    });
    let irqs = (0..VFIO_PCI_NUM_IRQS).map(|index| {
        let count = if index == VFIO_PCI_MSIX_IRQ_INDEX { VECTORS as u32 } else { 0 };
        IrqInfo { index, flags: VFIO_IRQ_INFO_EVENTFD, count }
    });
    Server::new(socket, true, irqs.collect(), regions.collect())
}
