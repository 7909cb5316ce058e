//! The queues between card and host memory: descriptors, completion entries, interrupt vectors.
//!
//! A queue is two rings of `1 << size` entries of 16 bytes in host memory: descriptors, which the host fills and
//! counts in the TAIL doorbell, and completions, which the card writes in the order of the descriptors: entry *i*
//! of one ring answers entry *i* of the other. A completion carries a phase bit that is set on the first lap and
//! changes with every lap, so that the host sees a new entry without a register read. The event queue has no
//! descriptors; its TAIL counts the entries that the host has taken. `docs/host-interface.md` has the rules.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Port;
use crate::table::BANKS;

codes! {
    /// A queue, by its index among the queues' registers; also its interrupt vector.
    QueueId {
        Receive = 0, "frames that are not ipOS control packets";
        Control = 1, "ipOS control packets; never waits behind receive";
        Event = 2, "what happened to forwarded connections";
        TransmitFront = 3, "frames from the host to the front wire";
        TransmitBack = 4, "frames from the host to the back wire";
    }
}

impl QueueId {
    /// The transmit queue of a port.
    #[must_use]
    pub const fn transmit(port: Port) -> Self {
        match port {
            Port::Front => QueueId::TransmitFront,
            Port::Back => QueueId::TransmitBack,
        }
    }
}

/// Queues of the card.
pub const QUEUES: usize = QueueId::ALL.len();
/// Interrupt vectors: one for each queue, then [`ERROR_VECTOR`].
pub const VECTORS: usize = QUEUES + 1;
/// The vector that says that a cause was set in `regs::dma::ERRORS`.
pub const ERROR_VECTOR: usize = QUEUES;

/// log2 of the entries of the smallest ring.
pub const MIN_RING_BITS: u32 = 3;
/// log2 of the entries of the largest ring.
pub const MAX_RING_BITS: u32 = 12;
/// Bytes of a descriptor or a completion entry.
pub const ENTRY_BYTES: usize = 16;
/// Buffers begin at a multiple of this many bytes.
pub const BUFFER_ALIGN: u64 = 8;

/// Longest frame that the card forwards, or takes from the host, in bytes without FCS.
pub const MAX_FRAME: usize = 2_048;
/// Longest frame on the receive queue, in bytes: what a port's buffer for it holds. A longer one is dropped
/// ([`Outcome::DropHostFull`](crate::rx::Outcome::DropHostFull)).
pub const MAX_RECEIVED: usize = 8_192;
/// The same for the control queue.
pub const MAX_CONTROL: usize = 4_096;
/// Bits of the length of a write to host memory, 0 to [`MAX_RECEIVED`] bytes.
pub const LENGTH_BITS: usize = MAX_RECEIVED.ilog2() as usize + 1;

codes! {
    /// Why a queue stopped: bits 15:8 of its STATUS. It starts again when its enable bit is cleared and set.
    QueueError {
        None = 0, "running, or never started";
        Doorbell = 1, "the doorbell counts more descriptors than the ring has, or takes some back";
        DescriptorRead = 2, "a descriptor could not be read";
        Size = 3, "the ring's size is not one that the card supports";
    }
}

codes! {
    /// How a descriptor ended: bits 27:24 of the last word of its completion.
    Status {
        Ok = 0, "done";
        Address = 1, "the buffer's address is null or not a multiple of 8; the frame was dropped";
        Length = 2, "the frame does not fit the buffer, or is shorter than a header or longer than the card takes; it was dropped";
        Read = 3, "the frame could not be read from host memory; it was dropped";
        Checksum = 4, "the checksum's place is outside the frame; it was dropped";
    }
}

codes! {
    /// Bit numbers of `regs::dma::ERRORS`, and the order of its counters: what went wrong on the way to the host.
    DmaError {
        UnsupportedRequest = 0, "a request that the card does not support was refused";
        Poisoned = 1, "a poisoned packet arrived and was discarded";
        UnexpectedCompletion = 2, "a completion that nobody waits for arrived and was discarded";
        CompletionStatus = 3, "a read was refused: address not mapped, or aborted";
        CompletionTimeout = 4, "a read was not answered in time";
        Malformed = 5, "a packet whose length contradicts its header arrived and was discarded";
        RegisterAccess = 6, "a register access that is not of whole, aligned 32- or 64-bit words, or outside BAR0, was refused";
        Queue = 7, "a queue stopped: see its STATUS";
        EventLost = 8, "an event found the event ring full, or its queue off";
    }
}

/// Where a checksum goes in a frame to be sent: see [`TransmitDescriptor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// First byte that is summed; even.
    pub start: u16,
    /// Place of the 16-bit sum, counted from `start`; even.
    pub offset: u16,
}

/// Flag of [`TransmitDescriptor`]: insert a checksum.
pub const CHECKSUM: u16 = 1;
/// Bit of a completion's last word: the phase.
pub const PHASE: u32 = 1 << 31;
/// Lowest bit of [`Status`] in a completion's last word.
pub const STATUS_SHIFT: u32 = 24;

/// Where a received frame may go. 16 bytes, little endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ReceiveDescriptor {
    /// Bus address of the buffer, a multiple of [`BUFFER_ALIGN`], not zero.
    pub address: U64,
    /// Bytes of the buffer.
    pub length: U32,
    /// Zero.
    pub reserved: U32,
}

/// A frame to be sent. 16 bytes, little endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TransmitDescriptor {
    /// Bus address of the frame, a multiple of [`BUFFER_ALIGN`], not zero.
    pub address: U64,
    /// Bytes of the frame without FCS, 14 to [`MAX_FRAME`].
    pub length: U16,
    /// [`CHECKSUM`], or zero.
    pub flags: U16,
    /// With [`CHECKSUM`]: first byte of the frame that is summed, to its end; even.
    pub start: U16,
    /// With [`CHECKSUM`]: place of the 16-bit sum, counted from `start`; even. What stands there is summed too (the
    /// pseudo-header's sum); the complement replaces it, `0xffff` for zero, as Linux's `CHECKSUM_PARTIAL` has it.
    pub offset: U16,
}

/// Any completion entry: the receive queues' words 0 to 2 and the low bits of word 3 are an
/// [`RxMeta`](crate::rx::RxMeta); a transmit queue's word 0 is the frame's length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Completion {
    /// By queue.
    pub words: [U32; 3],
    /// [`PHASE`] in bit 31, [`Status`] in 27:24, 23:0 by queue.
    pub flags: U32,
}

impl Completion {
    /// The phase bit.
    #[must_use]
    pub fn phase(&self) -> bool {
        self.flags.get() & PHASE != 0
    }

    /// How the descriptor ended; `None`: a code of another version.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        Status::from_code((self.flags.get() >> STATUS_SHIFT & 0xf) as u8)
    }
}

/// An entry of the event queue, decoded: a TCP packet with FIN, SYN or RST hit a forward entry and was forwarded.
///
/// | word | bits |
/// |---|---|
/// | 0 | slot 11:0, bank 17:16 of the forward table |
/// | 1 | TCP flags 7:0 (FIN 0x01, SYN 0x02, RST 0x04, ACK 0x10) |
/// | 2 | zero |
/// | 3 | phase 31 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Slot within the bank.
    pub slot: u16,
    /// Bank of the forward table.
    pub bank: u8,
    /// The packet's TCP flags.
    pub tcp_flags: u8,
}

impl From<&Completion> for Event {
    fn from(c: &Completion) -> Self {
        let place = c.words[0].get();
        Event {
            slot: (place & 0xfff) as u16,
            bank: (place >> 16) as u8 % BANKS as u8,
            tcp_flags: c.words[1].get() as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sixteen_bytes() {
        assert_eq!(size_of::<ReceiveDescriptor>(), ENTRY_BYTES);
        assert_eq!(size_of::<TransmitDescriptor>(), ENTRY_BYTES);
        assert_eq!(size_of::<Completion>(), ENTRY_BYTES);
    }

    #[test]
    fn an_event_is_read_from_its_entry() {
        let c = Completion { words: [U32::new(0x0003_0fff), U32::new(0x11), U32::new(0)], flags: U32::new(PHASE) };
        assert_eq!(Event::from(&c), Event { slot: 0xfff, bank: 3, tcp_flags: 0x11 });
        assert!(c.phase());
        assert_eq!(c.status(), Some(Status::Ok));
    }
}
