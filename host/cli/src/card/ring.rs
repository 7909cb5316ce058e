//! One queue of the card, driven plainly: descriptors, completions, and one buffer of 2,048 bytes for each entry.

use ipos_abi::queue::{Completion, ENTRY_BYTES, QueueId, ReceiveDescriptor, TransmitDescriptor};
use ipos_abi::regs::{queue, queues};
use ipos_device::{DeviceError, DmaDevice, DmaMemory, MAX_FRAME};
use zerocopy::{FromBytes, IntoBytes};

/// log2 of the entries of a ring.
const BITS: u32 = 6;
/// Entries of a ring.
pub const ENTRIES: u16 = 1 << BITS;
const RING: usize = ENTRIES as usize * ENTRY_BYTES;
const BUFFERS: usize = 2 * RING;

/// A queue and its memory.
pub struct Ring {
    id: QueueId,
    memory: DmaMemory,
    /// Descriptors filled, and completions taken, modulo 65,536.
    filled: u16,
    taken: u16,
}

impl Ring {
    /// Sets a queue up and starts it, empty.
    pub fn start(card: &mut dyn DmaDevice, id: QueueId) -> Result<Self, DeviceError> {
        let memory = card.allocate(BUFFERS + usize::from(ENTRIES) * MAX_FRAME)?;
        let (descriptors, completions) = (memory.address(), memory.address() + RING as u64);
        let q = id as usize;
        for (register, value) in [
            (queues::CONTROL, 0),
            (queues::DESCRIPTORS_LO, descriptors as u32),
            (queues::DESCRIPTORS_HI, (descriptors >> 32) as u32),
            (queues::COMPLETIONS_LO, completions as u32),
            (queues::COMPLETIONS_HI, (completions >> 32) as u32),
            (queues::CONTROL, BITS << 8 | 1),
        ] {
            card.write32(queue(q, register), value)?;
        }
        Ok(Ring { id, memory, filled: 0, taken: 0 })
    }

    /// Which queue it is.
    pub fn id(&self) -> QueueId {
        self.id
    }

    /// Descriptors that the card has not answered.
    pub fn waiting(&self) -> u16 {
        self.filled.wrapping_sub(self.taken)
    }

    /// Offers all free buffers for frames. The doorbell is the caller's.
    pub fn offer(&mut self) {
        while self.waiting() < ENTRIES {
            let address = self.memory.address() + self.buffer(self.filled) as u64;
            let descriptor =
                ReceiveDescriptor { address: address.into(), length: (MAX_FRAME as u32).into(), reserved: 0.into() };
            self.fill(descriptor.as_bytes());
        }
    }

    /// Puts a frame into a free buffer and its descriptor into the ring; the caller has seen that there is room.
    pub fn send(&mut self, frame: &[u8]) {
        let buffer = self.buffer(self.filled);
        self.memory.write(buffer, frame);
        self.send_from(self.memory.address() + buffer as u64, frame.len() as u16);
    }

    /// Fills the next descriptor with any bus address.
    pub fn send_from(&mut self, address: u64, length: u16) {
        let descriptor = TransmitDescriptor { address: address.into(), length: length.into(), ..Default::default() };
        self.fill(descriptor.as_bytes());
    }

    /// Tells the card how far descriptors are filled.
    pub fn doorbell(&self, card: &mut dyn DmaDevice) -> Result<(), DeviceError> {
        card.write32(queue(self.id as usize, queues::TAIL), self.filled.into())
    }

    /// The next completion, and for a receive queue its frame in `frame`; `None`: there is none yet.
    pub fn take(&mut self, frame: &mut Vec<u8>) -> Option<Completion> {
        let at = RING + usize::from(self.taken % ENTRIES) * ENTRY_BYTES;
        let expected = (self.taken / ENTRIES).is_multiple_of(2);
        if self.waiting() == 0 || (self.memory.load32(at + 12) >> 31 == 1) != expected {
            return None;
        }
        let mut entry = [0; ENTRY_BYTES];
        self.memory.read(at, &mut entry);
        let completion = Completion::read_from_bytes(&entry).ok()?;
        let length = usize::from(completion.words[0].get() as u16).min(MAX_FRAME);
        frame.resize(length, 0);
        self.memory.read(self.buffer(self.taken), frame);
        self.taken = self.taken.wrapping_add(1);
        Some(completion)
    }

    fn fill(&mut self, descriptor: &[u8]) {
        self.memory.write(usize::from(self.filled % ENTRIES) * ENTRY_BYTES, descriptor);
        self.filled = self.filled.wrapping_add(1);
    }

    fn buffer(&self, entry: u16) -> usize {
        BUFFERS + usize::from(entry % ENTRIES) * MAX_FRAME
    }
}
