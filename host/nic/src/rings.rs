//! Frames and events through rings in host memory: the driver's side of `docs/host-interface.md`.
//!
//! Each queue has its descriptors, completions and buffers in one piece of memory that never moves. A received frame is handed
//! out where the card put it, a frame to be sent is written where the card reads it; doorbells are rung once a batch.
//! [`Rings`] is also a [`Device`] of whole frames for callers that want to keep them.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use ipos_abi::Port;
use ipos_abi::queue::{
    CHECKSUM, Checksum, Completion, DmaError, ENTRY_BYTES, ERROR_VECTOR, Event, QueueError, QueueId, STATUS_SHIFT,
    Status,
};
use ipos_abi::regs::{dma, queue, queues};
use ipos_abi::rx::RxMeta;
use ipos_device::{Device, DeviceError, DmaDevice, DmaMemory, MAX_FRAME, Mtu, Queue, Registers};

use crate::NicError;

const MIN_FRAME: usize = 14;
/// Frames after which a doorbell is rung without waiting for the end of the batch.
const BATCH: u16 = 32;
/// Events that wait to be asked for.
const EVENTS: usize = 1024;

/// log2 of the entries of the rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingConfig {
    /// Receive queue, 3 to 12.
    pub receive: u32,
    /// Control queue.
    pub control: u32,
    /// Event queue.
    pub event: u32,
    /// Each transmit queue.
    pub transmit: u32,
    /// Shortest time between two interrupts of one queue, in microseconds.
    pub moderation: u16,
}

impl Default for RingConfig {
    /// 256 frames each way, 256 control packets, 256 events, 10 µs.
    fn default() -> Self {
        RingConfig { receive: 8, control: 8, event: 8, transmit: 8, moderation: 10 }
    }
}

/// What went through the rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingStats {
    /// Frames received, by [`Queue`].
    pub received: [u64; 2],
    /// Frames sent, by [`Port`].
    pub sent: [u64; 2],
    /// Transmissions refused because the ring was full, by [`Port`].
    pub full: [u64; 2],
    /// Descriptors that the card gave back with an error.
    pub failed: u64,
    /// Events.
    pub events: u64,
    /// How often each cause of [`DmaError`] was reported, by its number.
    pub errors: [u64; DmaError::ALL.len()],
}

/// Something that went wrong on the way to host memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What.
    pub cause: DmaError,
    /// With [`DmaError::Queue`]: a queue that stopped, and why.
    pub queue: Option<(QueueId, QueueError)>,
}

/// One queue's memory.
struct Ring {
    id: QueueId,
    bits: u32,
    memory: DmaMemory,
    descriptors: usize,
    completions: usize,
    buffers: usize,
    /// Descriptors filled, of them rung, and completions taken, since the start; modulo 65,536 as the card counts.
    filled: u16,
    rung: u16,
    done: u16,
}

impl Ring {
    fn new<D: DmaDevice>(device: &mut D, id: QueueId, bits: u32, moderation: u16) -> Result<Self, DeviceError> {
        let entries = 1usize << bits;
        let ring = ENTRY_BYTES * entries;
        let with_buffers = id != QueueId::Event;
        let bytes = 3 * ring + if with_buffers { MAX_FRAME * entries } else { 0 };
        let mut memory = device.allocate(bytes)?;
        // a ring lies at a multiple of its size
        let descriptors = (memory.address().next_multiple_of(ring as u64) - memory.address()) as usize;
        let completions = descriptors + ring;
        let buffers = completions + ring;
        // `descriptors` is less than a ring, so everything fits but perhaps the last buffer's tail: round it down to 8
        let buffers = buffers.next_multiple_of(8);
        if with_buffers {
            for i in 0..entries {
                let address = memory.address() + (buffers + i * MAX_FRAME) as u64;
                let at = descriptors + i * ENTRY_BYTES;
                memory.write(at, &address.to_le_bytes());
                memory.write(at + 8, &(MAX_FRAME as u64).to_le_bytes());
            }
        }
        let register = |r| queue(id as usize, r);
        let (d, c) = (memory.address() + descriptors as u64, memory.address() + completions as u64);
        for (r, value) in [
            (queues::DESCRIPTORS_LO, d as u32),
            (queues::DESCRIPTORS_HI, (d >> 32) as u32),
            (queues::COMPLETIONS_LO, c as u32),
            (queues::COMPLETIONS_HI, (c >> 32) as u32),
            (queues::MODERATION, moderation.into()),
            (queues::CONTROL, bits << 8 | 1),
        ] {
            device.write32(register(r), value)?;
        }
        Ok(Ring { id, bits, memory, descriptors, completions, buffers, filled: 0, rung: 0, done: 0 })
    }

    fn slot(&self, count: u16) -> usize {
        usize::from(count) & ((1 << self.bits) - 1)
    }

    fn buffer(&self, slot: usize) -> usize {
        self.buffers + slot * MAX_FRAME
    }

    fn under_way(&self) -> u16 {
        self.filled.wrapping_sub(self.done)
    }

    /// The flags word of the next completion, if it has come: everything that the card wrote before it can be read.
    fn peek(&self) -> Option<u32> {
        let flags = self.memory.load32(self.completions + self.slot(self.done) * ENTRY_BYTES + 12);
        let phase = self.done >> self.bits & 1 == 0;
        (flags >> 31 == u32::from(phase)).then_some(flags)
    }

    fn completion(&self, flags: u32) -> Completion {
        let at = self.completions + self.slot(self.done) * ENTRY_BYTES;
        let word = |i: usize| self.memory.load32(at + 4 * i).into();
        Completion { words: [word(0), word(1), word(2)], flags: flags.into() }
    }

    fn doorbell<D: DmaDevice>(&mut self, device: &mut D, count: u16) -> Result<(), DeviceError> {
        self.rung = count;
        device.write32(queue(self.id as usize, queues::TAIL), count.into())
    }

    /// Rings when something was filled since, at once or when it is a batch.
    fn ring<D: DmaDevice>(&mut self, device: &mut D, least: u16) -> Result<(), DeviceError> {
        let new = self.filled.wrapping_sub(self.rung);
        if new >= least.max(1) { self.doorbell(device, self.filled) } else { Ok(()) }
    }
}

/// A card's queues.
pub struct Rings<D> {
    device: D,
    receive: [Ring; 2],
    transmit: [Ring; 2],
    event: Ring,
    /// Taken by [`Device::poll`], not yet asked for.
    events: VecDeque<Event>,
    stats: RingStats,
}

impl<D: DmaDevice> Rings<D> {
    /// Lays out the queues of a card that was reset, and starts them.
    pub fn open(mut device: D, config: &RingConfig) -> Result<Self, NicError> {
        let mut new = |id, bits| Ring::new(&mut device, id, bits, config.moderation);
        let receive = [new(QueueId::Receive, config.receive)?, new(QueueId::Control, config.control)?];
        let transmit = [new(QueueId::TransmitFront, config.transmit)?, new(QueueId::TransmitBack, config.transmit)?];
        let event = new(QueueId::Event, config.event)?;
        let mut rings =
            Rings { device, receive, transmit, event, events: VecDeque::new(), stats: RingStats::default() };
        for ring in &mut rings.receive {
            // every buffer is the card's to begin with
            ring.filled = 1 << ring.bits;
            ring.doorbell(&mut rings.device, ring.filled)?;
        }
        Ok(rings)
    }

    /// What went through so far.
    #[must_use]
    pub fn stats(&self) -> &RingStats {
        &self.stats
    }

    /// The device below.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Shows the next frame of a queue where it lies; its buffer is the card's again afterwards. `None`: there is none.
    /// A descriptor that came back with an error is counted and passed over.
    pub fn receive_with<T>(
        &mut self,
        queue: Queue,
        look: impl FnOnce(RxMeta, &[u8]) -> T,
    ) -> Result<Option<T>, DeviceError> {
        let ring = &mut self.receive[queue as usize];
        while let Some(flags) = ring.peek() {
            let c = ring.completion(flags);
            let slot = ring.slot(ring.done);
            ring.done = ring.done.wrapping_add(1);
            // the descriptor of this slot still names its buffer: it is the card's again at the next doorbell
            ring.filled = ring.filled.wrapping_add(1);
            if c.status() != Some(Status::Ok) {
                self.stats.failed += 1;
                continue;
            }
            self.stats.received[queue as usize] += 1;
            let words = [c.words[0].get(), c.words[1].get(), c.words[2].get(), flags & ((1 << STATUS_SHIFT) - 1)];
            let length = (words[0] as u16 as usize).min(MAX_FRAME);
            // SAFETY: the completion has given this buffer back, and the doorbell is rung only below.
            let frame = unsafe { ring.memory.slice(ring.buffer(slot), length) };
            let seen = look(RxMeta::from_words(words), frame);
            ring.ring(&mut self.device, BATCH)?;
            return Ok(Some(seen));
        }
        Ok(None)
    }

    /// Has a frame of `length` bytes written where the card will read it. `false`: the ring is full.
    pub fn transmit_with(
        &mut self,
        port: Port,
        length: usize,
        checksum: Option<Checksum>,
        write: impl FnOnce(&mut [u8]),
    ) -> Result<bool, DeviceError> {
        if !(MIN_FRAME..=MAX_FRAME).contains(&length) {
            return Err(DeviceError::FrameLength { length, max: MAX_FRAME });
        }
        self.reap(port);
        let ring = &mut self.transmit[port as usize];
        if usize::from(ring.under_way()) == 1 << ring.bits {
            self.stats.full[port as usize] += 1;
            return Ok(false);
        }
        let slot = ring.slot(ring.filled);
        // SAFETY: this slot's completion has been taken, or it was never filled.
        write(unsafe { ring.memory.slice_mut(ring.buffer(slot), length) });
        let (flags, sum) = match checksum {
            Some(c) => (CHECKSUM, u32::from(c.offset) << 16 | u32::from(c.start)),
            None => (0, 0),
        };
        let at = ring.descriptors + slot * ENTRY_BYTES;
        ring.memory.store32(at + 12, sum);
        ring.memory.store32(at + 8, u32::from(flags) << 16 | length as u32);
        ring.filled = ring.filled.wrapping_add(1);
        self.stats.sent[port as usize] += 1;
        ring.ring(&mut self.device, BATCH)?;
        Ok(true)
    }

    /// Takes the completions of sent frames. `false`: there were none.
    fn reap(&mut self, port: Port) -> bool {
        let ring = &mut self.transmit[port as usize];
        let before = ring.done;
        while let Some(flags) = ring.peek() {
            self.stats.failed += u64::from(flags >> STATUS_SHIFT & 0xf != Status::Ok as u32);
            ring.done = ring.done.wrapping_add(1);
        }
        ring.done != before
    }

    /// The next event, if there is one.
    pub fn event(&mut self) -> Result<Option<Event>, DeviceError> {
        let Some(flags) = self.event.peek() else { return Ok(None) };
        let event = Event::from(&self.event.completion(flags));
        self.event.done = self.event.done.wrapping_add(1);
        self.stats.events += 1;
        // here the doorbell counts what was taken
        self.event.filled = self.event.done;
        self.event.ring(&mut self.device, BATCH)?;
        Ok(Some(event))
    }

    /// Rings what has not been rung yet: the end of a batch.
    pub fn flush(&mut self) -> Result<(), DeviceError> {
        for ring in self.receive.iter_mut().chain(&mut self.transmit).chain([&mut self.event]) {
            ring.ring(&mut self.device, 1)?;
        }
        Ok(())
    }

    /// What the card complains of, when its error vector has fired. A queue that stopped stays so until the card is reset.
    pub fn take_errors(&mut self) -> Result<Vec<Complaint>, DeviceError> {
        if self.device.interrupts()? >> ERROR_VECTOR & 1 == 0 {
            return Ok(Vec::new());
        }
        let causes = self.device.read32(dma::ERRORS)?;
        self.device.write32(dma::ERRORS, causes)?;
        let mut found = Vec::new();
        for &cause in DmaError::ALL.iter().filter(|&&e| causes >> e as u32 & 1 == 1) {
            self.stats.errors[cause as usize] += 1;
            if cause != DmaError::Queue {
                found.push(Complaint { cause, queue: None });
                continue;
            }
            for &id in QueueId::ALL {
                let status = self.device.read32(queue(id as usize, queues::STATUS))?;
                match QueueError::from_code((status >> 8) as u8) {
                    Some(QueueError::None) | None => {}
                    Some(why) => found.push(Complaint { cause, queue: Some((id, why)) }),
                }
            }
        }
        Ok(found)
    }
}

impl<D: DmaDevice> Registers for Rings<D> {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        self.device.read32(offset)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.device.write32(offset, value)
    }
}

impl<D: DmaDevice> Device for Rings<D> {
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError> {
        self.transmit_with(port, frame.len(), None, |to| to.copy_from_slice(frame))
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError> {
        frame.clear();
        self.receive_with(queue, |meta, from| {
            frame.extend_from_slice(from);
            meta
        })
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        self.flush()?;
        let mut more = self.device.poll()?;
        for Complaint { cause, queue } in self.take_errors()? {
            match queue {
                Some((queue, why)) => tracing::error!("the card stopped queue {queue:?}: {}", why.text()),
                None => tracing::warn!("the card reports: {}", cause.text()),
            }
            more = true;
        }
        let mut heard = more;
        // the card loses events when their ring is full; who does not ask for them loses the oldest
        while let Some(event) = Rings::event(self)? {
            heard = true;
            if self.events.len() == EVENTS {
                self.events.pop_front();
            }
            self.events.push_back(event);
        }
        for port in Port::ALL {
            heard |= self.reap(port);
        }
        let frames = self.receive.iter().any(|r| r.peek().is_some());
        if !heard && !frames {
            self.device.present()?;
        }
        Ok(more | frames)
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.device.wait_fds()
    }

    fn event(&mut self) -> Result<Option<Event>, DeviceError> {
        Ok(self.events.pop_front())
    }

    fn mtu(&self, port: Port) -> Option<Mtu> {
        self.device.mtu(port)
    }
}
