//! The reference for the card's host side: queues, interrupts and their errors around any frame-level card.
//!
//! It is `docs/host-interface.md` in plain Rust, over whole requests instead of TLPs.

use ipos_abi::Port;
use ipos_abi::queue::{
    BUFFER_ALIGN, CHECKSUM, Checksum, DmaError, ERROR_VECTOR, QUEUES, QueueError, QueueId, ReceiveDescriptor, Status,
    TransmitDescriptor, VECTORS,
};
use ipos_abi::regs::{MSIX_PENDING, dma, queues};
use ipos_abi::rx::RxMeta;
use ipos_device::{MAX_FRAME, Queue as HostQueue};
use zerocopy::{FromZeros, IntoBytes, transmute};

use super::queue::Queue;
use super::vector::{self, Vector};
use super::{Bus, Function, PciConfig};
use crate::card::Card;

const MIN_FRAME: usize = 14;
/// Frames of each queue that one [`Function::run`] moves at most.
const FRAMES_PER_RUN: usize = 64;
/// Registers of one queue.
const STRIDE: u32 = 0x40;
/// Second header word of a block: where the next one is.
const QUEUES_NEXT: u32 = queues::BASE + 4;
const DMA_NEXT: u32 = dma::BASE + 4;

/// A frame-level card behind queues in host memory.
pub struct RingCard<C> {
    make: Box<dyn Fn() -> C + Send>,
    card: C,
    bus: Box<dyn Bus>,
    config: PciConfig,
    queues: [Queue; QUEUES],
    vectors: [Vector; VECTORS],
    errors: u32,
    counts: [u32; DmaError::ALL.len()],
    /// Clock cycles since reset.
    now: u64,
    frame: Vec<u8>,
}

impl<C: Card> RingCard<C> {
    /// A function around the card that `make` makes, anew at each reset, with its way to host memory.
    pub fn new(make: impl Fn() -> C + Send + 'static, bus: Box<dyn Bus>) -> Self {
        RingCard {
            card: make(),
            make: Box::new(make),
            bus,
            config: PciConfig::default(),
            queues: queues_after_reset(),
            vectors: std::array::from_fn(|_| Vector::new()),
            errors: 0,
            counts: Default::default(),
            now: 0,
            frame: Vec::with_capacity(MAX_FRAME),
        }
    }

    fn error(&mut self, error: DmaError) {
        self.counts[error as usize] = self.counts[error as usize].wrapping_add(1);
        if self.errors & 1 << error as u8 == 0 {
            self.errors |= 1 << error as u8;
            self.vectors[ERROR_VECTOR].pending = true;
        }
    }

    /// Reads the next descriptor of a queue; what can't be read stops it.
    fn descriptor(&mut self, queue: QueueId) -> Option<[u8; 16]> {
        let mut bytes = [0; 16];
        if self.bus.read(self.queues[queue as usize].descriptor(), &mut bytes).is_err() {
            self.queues[queue as usize].stop(QueueError::DescriptorRead);
            self.error(DmaError::CompletionStatus);
            self.error(DmaError::Queue);
            return None;
        }
        Some(bytes)
    }

    fn complete(&mut self, queue: QueueId, words: [u32; 4], status: Status) {
        self.queues[queue as usize].complete(&mut *self.bus, words, status);
        self.vectors[queue as usize].pending = true;
    }

    /// Gives one frame to host memory. `false`: there is none, or no descriptor for it.
    fn receive(&mut self, from: HostQueue, queue: QueueId) -> bool {
        if !self.queues[queue as usize].ready() {
            return false;
        }
        let Some(meta) = self.card.host_out(from, &mut self.frame) else { return false };
        let Some(bytes) = self.descriptor(queue) else { return false };
        let descriptor: ReceiveDescriptor = transmute!(bytes);
        let address = descriptor.address.get();
        let status = if !buffer(address) {
            Status::Address
        } else if self.frame.len() > descriptor.length.get() as usize {
            Status::Length
        } else {
            self.bus.write(address, &self.frame);
            Status::Ok
        };
        self.complete(queue, words(&meta), status);
        true
    }

    /// Takes one frame from host memory. `false`: there is none, or no room for it.
    fn transmit(&mut self, port: Port) -> bool {
        let queue = QueueId::transmit(port);
        if !self.queues[queue as usize].ready() {
            return false;
        }
        let Some(bytes) = self.descriptor(queue) else { return false };
        let descriptor: TransmitDescriptor = transmute!(bytes);
        let (address, length) = (descriptor.address.get(), usize::from(descriptor.length.get()));
        let status = if !buffer(address) {
            Status::Address
        } else if !(MIN_FRAME..=MAX_FRAME).contains(&length) {
            Status::Length
        } else {
            self.frame.resize(length, 0);
            if self.bus.read(address, &mut self.frame).is_err() {
                self.error(DmaError::CompletionStatus);
                Status::Read
            } else {
                match checksum(&descriptor) {
                    Err(()) => Status::Checksum,
                    Ok(checksum) if self.card.host_in(port, &self.frame, checksum) => Status::Ok,
                    Ok(_) => return false,
                }
            }
        };
        self.complete(queue, [length as u32, 0, 0, 0], status);
        true
    }

    /// Writes one event. `false`: there is none.
    fn event(&mut self) -> bool {
        let Some(event) = self.card.event() else { return false };
        let queue = &mut self.queues[QueueId::Event as usize];
        if queue.running() && queue.has_room() {
            let place = u32::from(event.bank) << 16 | u32::from(event.slot);
            self.complete(QueueId::Event, [place, event.tcp_flags.into(), 0, 0], Status::Ok);
        } else {
            queue.lose();
            self.error(DmaError::EventLost);
        }
        true
    }
}

impl<C: Card> Function for RingCard<C> {
    fn read32(&mut self, offset: u32) -> u32 {
        if let Some((vector, word)) = vector::word(offset) {
            return self.vectors[vector].table[word];
        }
        if let Some((index, register)) = queue_register(offset) {
            return match register {
                queues::MODERATION => self.vectors[index].moderation,
                _ => self.queues.get(index).map_or(0, |q| q.read(register)),
            };
        }
        match offset {
            queues::BASE => queues::HEADER,
            QUEUES_NEXT => dma::BASE,
            dma::BASE => dma::HEADER,
            DMA_NEXT => 0,
            MSIX_PENDING => self.vectors.iter().enumerate().map(|(v, vector)| u32::from(vector.pending) << v).sum(),
            dma::LINK => {
                u32::from(self.config.bus_master) | u32::from(self.config.mps) << 4 | u32::from(self.config.mrrs) << 8
            }
            dma::ERRORS => self.errors,
            dma::COUNT.. if offset < dma::COUNT + 4 * self.counts.len() as u32 => {
                self.counts[(offset - dma::COUNT) as usize / 4]
            }
            _ => self.card.read32(offset),
        }
    }

    fn write32(&mut self, offset: u32, value: u32) {
        if let Some((vector, word)) = vector::word(offset) {
            self.vectors[vector].table[word] = value;
        } else if let Some((index, register)) = queue_register(offset) {
            if register == queues::MODERATION {
                self.vectors[index].moderation = value & 0xffff;
            } else if self.queues.get_mut(index).is_some_and(|q| q.write(register, value)) {
                self.error(DmaError::Queue);
            }
        } else {
            match offset {
                dma::ERRORS => self.errors &= !value,
                _ => self.card.write32(offset, value),
            }
        }
    }

    fn configure(&mut self, config: &PciConfig) {
        self.config = *config;
    }

    fn function_reset(&mut self) {
        self.card = (self.make)();
        self.config = self.config.after_reset();
        self.queues = queues_after_reset();
        self.vectors = std::array::from_fn(|_| Vector::new());
        (self.errors, self.counts) = (0, Default::default());
        self.now = 0;
    }

    fn wire_in(&mut self, port: Port, frame: &[u8], bad_fcs: bool) -> bool {
        self.card.wire_in(port, frame, bad_fcs)
    }

    fn wire_out(&mut self, port: Port, frame: &mut Vec<u8>) -> bool {
        self.card.wire_out(port, frame)
    }

    fn run(&mut self, cycles: u32) -> bool {
        self.now += u64::from(cycles);
        let mut more = self.card.run(cycles);
        if self.config.bus_master {
            let mut moved = [0; QUEUES];
            let mut repeat = |queue: QueueId, step: &mut dyn FnMut() -> bool| {
                while moved[queue as usize] < FRAMES_PER_RUN && step() {
                    moved[queue as usize] += 1;
                }
            };
            for port in Port::ALL {
                repeat(QueueId::transmit(port), &mut || self.transmit(port));
            }
            repeat(QueueId::Control, &mut || self.receive(HostQueue::Control, QueueId::Control));
            repeat(QueueId::Receive, &mut || self.receive(HostQueue::Receive, QueueId::Receive));
            repeat(QueueId::Event, &mut || self.event());
            more |= moved.iter().any(|&n| n > 0);
            for vector in &mut self.vectors {
                more |= vector.fire(self.now, &self.config, &mut *self.bus);
            }
        }
        more
    }
}

fn buffer(address: u64) -> bool {
    address != 0 && address.is_multiple_of(BUFFER_ALIGN)
}

fn words(meta: &RxMeta) -> [u32; 4] {
    let mut words = <[u32; 4]>::new_zeroed();
    words.as_mut_bytes().copy_from_slice(meta.as_bytes());
    words.map(u32::from_le)
}

/// The checksum that a descriptor asks for; an error: its place is odd or outside the frame.
fn checksum(descriptor: &TransmitDescriptor) -> Result<Option<Checksum>, ()> {
    if descriptor.flags.get() & CHECKSUM == 0 {
        return Ok(None);
    }
    let (start, offset) = (descriptor.start.get(), descriptor.offset.get());
    let inside = u32::from(start) + u32::from(offset) + 2 <= descriptor.length.get().into();
    if inside && start % 2 == 0 && offset % 2 == 0 { Ok(Some(Checksum { start, offset })) } else { Err(()) }
}

fn queues_after_reset() -> [Queue; QUEUES] {
    std::array::from_fn(|q| Queue::new(q == QueueId::Event as usize))
}

/// The queue (or vector) of an offset, and the register as queue 0 has it. The block's two header words are not a queue's.
fn queue_register(offset: u32) -> Option<(usize, u32)> {
    let index = offset.checked_sub(queues::CONTROL)? / STRIDE;
    ((index as usize) < VECTORS).then(|| (index as usize, offset - STRIDE * index))
}
