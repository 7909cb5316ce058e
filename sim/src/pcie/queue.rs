//! One queue of [`super::rings::RingCard`]: its registers, and where it stands in its rings.

use ipos_abi::queue::{Completion, ENTRY_BYTES, MAX_RING_BITS, MIN_RING_BITS, PHASE, QueueError, STATUS_SHIFT, Status};
use ipos_abi::regs::queues;
use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::U32;

use super::Bus;

const ENABLE: u32 = 1;

/// Registers and position of a queue.
#[derive(Default)]
pub struct Queue {
    /// The event queue: no descriptors, TAIL counts what the host has taken.
    events: bool,
    enabled: bool,
    bits: u32,
    error: u8,
    descriptors: u64,
    completions: u64,
    tail: u16,
    head: u16,
    failed: u32,
}

impl Queue {
    /// A queue after reset.
    pub fn new(events: bool) -> Self {
        Queue { events, ..Queue::default() }
    }

    /// Reads a register by its offset from that of queue 0.
    pub fn read(&self, register: u32) -> u32 {
        match register {
            queues::CONTROL => u32::from(self.enabled) | self.bits << 8,
            queues::STATUS => u32::from(self.running()) | u32::from(self.error) << 8,
            queues::DESCRIPTORS_LO => self.descriptors as u32,
            queues::DESCRIPTORS_HI => (self.descriptors >> 32) as u32,
            queues::COMPLETIONS_LO => self.completions as u32,
            queues::COMPLETIONS_HI => (self.completions >> 32) as u32,
            queues::TAIL => self.tail.into(),
            queues::HEAD => self.head.into(),
            queues::FAILED => self.failed,
            _ => 0,
        }
    }

    /// Writes a register. `true`: the queue has stopped with an error.
    pub fn write(&mut self, register: u32, value: u32) -> bool {
        let low = |word: u64| word & !0xffff_ffff | u64::from(value);
        let high = |word: u64| word & 0xffff_ffff | u64::from(value) << 32;
        match register {
            queues::CONTROL if value & ENABLE == 0 => {
                self.enabled = false;
                self.bits = value >> 8 & 0xf;
            }
            queues::CONTROL if !self.enabled => {
                let (descriptors, completions) = (self.descriptors, self.completions);
                let bits = value >> 8 & 0xf;
                *self = Queue { enabled: true, bits, descriptors, completions, ..Queue::new(self.events) };
                if !(MIN_RING_BITS..=MAX_RING_BITS).contains(&self.bits) {
                    return self.stop(QueueError::Size);
                }
            }
            queues::DESCRIPTORS_LO => self.descriptors = low(self.descriptors),
            queues::DESCRIPTORS_HI => self.descriptors = high(self.descriptors),
            queues::COMPLETIONS_LO => self.completions = low(self.completions),
            queues::COMPLETIONS_HI => self.completions = high(self.completions),
            queues::TAIL if self.running() => {
                let tail = value as u16;
                // what the host may count: not behind its last doorbell, not more than a ring ahead of the card;
                // of events no more than there are
                let added = tail.wrapping_sub(self.tail);
                let room = if self.events { self.unread() } else { (1 << self.bits) - self.waiting() };
                if added > room {
                    return self.stop(QueueError::Doorbell);
                }
                self.tail = tail;
            }
            _ => {}
        }
        false
    }

    /// Stops the queue; always `true`.
    pub fn stop(&mut self, why: QueueError) -> bool {
        self.error = why as u8;
        true
    }

    pub fn running(&self) -> bool {
        self.enabled && self.error == QueueError::None as u8
    }

    /// Descriptors that the host has filled and the card has not answered.
    pub fn waiting(&self) -> u16 {
        self.tail.wrapping_sub(self.head)
    }

    /// Completions that the host has not taken, of the event queue.
    fn unread(&self) -> u16 {
        self.head.wrapping_sub(self.tail)
    }

    /// Whether the event ring has room.
    pub fn has_room(&self) -> bool {
        self.unread() < 1 << self.bits
    }

    /// Counts an event that was lost.
    pub fn lose(&mut self) {
        self.failed = self.failed.wrapping_add(1);
    }

    /// Whether a descriptor can be taken.
    pub fn ready(&self) -> bool {
        self.running() && self.waiting() > 0
    }

    /// Bus address of the next descriptor.
    pub fn descriptor(&self) -> u64 {
        self.descriptors.wrapping_add(self.place())
    }

    /// Answers the next descriptor.
    pub fn complete(&mut self, bus: &mut dyn Bus, words: [u32; 4], status: Status) {
        let phase = if self.head >> self.bits & 1 == 0 { PHASE } else { 0 };
        let flags = words[3] | phase | u32::from(status as u8) << STATUS_SHIFT;
        let entry = Completion { words: [words[0], words[1], words[2]].map(U32::new), flags: U32::new(flags) };
        bus.write(self.completions.wrapping_add(self.place()), entry.as_bytes());
        self.head = self.head.wrapping_add(1);
        self.failed = self.failed.wrapping_add(u32::from(status != Status::Ok));
    }

    fn place(&self) -> u64 {
        u64::from(self.head) % (1 << self.bits) * ENTRY_BYTES as u64
    }
}
