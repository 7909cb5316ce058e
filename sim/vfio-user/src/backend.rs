//! What a client asks of the function, turned into jobs of the card's thread.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::OwnedFd;

use ipos_abi::pci::CONFIG_BYTES;
use ipos_abi::queue::{DmaError, QueueId, VECTORS};
use ipos_abi::regs::{MSIX_PENDING, MSIX_TABLE, dma, queue, queues};
use ipos_device::BAR0_SIZE;
use ipos_sim::card::CYCLES_PER_POLL;
use ipos_sim::pcie::device::route_interrupts;
use ipos_sim::pcie::{Function, PciConfig};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX,
    VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS, VFIO_REGION_INFO_FLAG_READ,
    VFIO_REGION_INFO_FLAG_WRITE, vfio_region_info,
};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, Server, ServerBackend, ServerRegion};

use crate::config::ConfigSpace;
use crate::memory::{GuestBus, INTERRUPT_WINDOW};
use crate::work::Jobs;

/// Slices that queues get to end what is under way; a read that is not answered takes as long as its time-out.
const STOP_SLICES: u32 = 4096;

/// The server's end: configuration space is its own, registers are the card's.
pub struct Backend {
    config: ConfigSpace,
    /// How often each error had come up when configuration space was last told of it.
    errors: [u32; DmaError::ALL.len()],
    bus: GuestBus,
    card: Jobs,
}

impl Backend {
    pub fn new(bus: GuestBus, card: Jobs) -> Self {
        Backend { config: ConfigSpace::default(), errors: Default::default(), bus, card }
    }

    /// The client has gone. Its memory is still mapped here, so the queues can end what is under way; then it is let go.
    pub fn detach(&mut self) -> io::Result<()> {
        self.card.ask(stop_queues)?;
        self.config = ConfigSpace::default();
        self.bus.lock().let_go();
        self.configure()
    }

    /// Tells the card what configuration space and the interrupts' listeners say.
    fn configure(&self) -> io::Result<()> {
        let mut memory = self.bus.lock();
        memory.set_bus_master(self.config.bus_master());
        let vectors = memory.vectors_enabled();
        drop(memory);
        // QEMU keeps the MSI-X table for itself and answers for its masks: a vector that it listens to is on
        let (timeout, timeout_off) = self.config.timeout();
        let config = PciConfig {
            memory: true,
            bus_master: self.config.bus_master(),
            msix_enable: vectors.contains(&true),
            msix_mask: false,
            mps: self.config.mps(),
            mrrs: self.config.mrrs(),
            timeout,
            timeout_off,
        };
        self.card.ask(move |card| {
            card.configure(&config);
            route_interrupts(card, INTERRUPT_WINDOW, vectors);
        })
    }

    /// Brings configuration space's error bits and its transactions pending up to date.
    fn record_errors(&mut self) -> io::Result<()> {
        let (counts, link) = self.card.ask(|card| {
            let counts: [u32; DmaError::ALL.len()] = std::array::from_fn(|i| card.read32(dma::COUNT + 4 * i as u32));
            (counts, card.read32(dma::LINK))
        })?;
        for (i, &error) in DmaError::ALL.iter().enumerate() {
            if counts[i] != self.errors[i] {
                self.config.record(error);
            }
        }
        self.errors = counts;
        self.config.set_pending(link >> 16 & 1 == 1);
        Ok(())
    }

    fn read_register(&self, offset: u64) -> io::Result<u32> {
        match u32::try_from(offset) {
            Ok(offset) if offset < BAR0_SIZE && !msix(offset) => self.card.ask(move |card| card.read32(offset)),
            _ => Ok(0),
        }
    }
}

/// Turns all queues off and waits until they are.
fn stop_queues(card: &mut dyn Function) {
    for &id in QueueId::ALL {
        let control = queue(id as usize, queues::CONTROL);
        let value = card.read32(control);
        card.write32(control, value & !1);
    }
    for _ in 0..STOP_SLICES {
        if QueueId::ALL.iter().all(|&id| card.read32(queue(id as usize, queues::STATUS)) & 1 == 0) {
            return;
        }
        card.run(CYCLES_PER_POLL);
    }
    tracing::warn!("a queue did not stop");
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
            VFIO_PCI_CONFIG_REGION_INDEX => {
                if ConfigSpace::shows_errors(offset, data.len()) {
                    self.record_errors()?;
                }
                self.config.read(offset, data);
            }
            // asleep: a root complex gives all ones for what is not answered
            VFIO_PCI_BAR0_REGION_INDEX if !self.config.awake() => data.fill(0xff),
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
                if ConfigSpace::shows_errors(offset, data.len()) {
                    self.record_errors()?;
                }
                if self.config.write(offset, data) {
                    return self.reset();
                }
                self.configure()
            }
            VFIO_PCI_BAR0_REGION_INDEX if !self.config.awake() => Ok(()),
            VFIO_PCI_BAR0_REGION_INDEX if offset.is_multiple_of(4) && data.len().is_multiple_of(4) => {
                for (i, word) in data.chunks_exact(4).enumerate() {
                    let value = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
                    match u32::try_from(offset + 4 * i as u64) {
                        // posted, as on the bus: a later read waits for it
                        Ok(at) if at < BAR0_SIZE && !msix(at) => self.card.tell(move |card| card.write32(at, value))?,
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
        self.config.function_reset();
        self.errors = Default::default();
        self.card.ask(|card| card.function_reset())?;
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
pub fn server(socket: OwnedFd) -> Server {
    let regions = (0..VFIO_PCI_NUM_REGIONS).map(|index| {
        let size = match index {
            VFIO_PCI_BAR0_REGION_INDEX => u64::from(BAR0_SIZE),
            VFIO_PCI_CONFIG_REGION_INDEX => CONFIG_BYTES as u64,
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
    Server::from_owned_fd(socket, true, irqs.collect(), regions.collect())
}
