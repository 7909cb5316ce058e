//! What a simulated card is ([`Card`]), and how it becomes the host's device ([`SimDevice`]).
//!
//! Two cards implement the trait: the reference model ([`crate::model`]) and the Verilated
//! fabric. Everything that is the same for both stands here: register offsets and frame lengths
//! are checked, frames move between the card's ports and its wires, and the time that one
//! [`Device::poll`] takes is bounded.

use std::io;
use std::os::fd::BorrowedFd;

use ipos_abi::Port;
use ipos_abi::queue::{Checksum, Event};
use ipos_abi::rx::RxMeta;
use ipos_device::{BAR0_SIZE, Device, DeviceError, MAX_FRAME, Mtu, Queue, Registers};

use crate::wire::Wire;

/// Clock cycles of one [`Device::poll`]: a few hundred microseconds of a Verilated card, less where the
/// card has nothing to do.
pub const CYCLES_PER_POLL: u32 = 256;
/// Frames that one [`Device::poll`] takes from each wire at most.
pub const FRAMES_PER_POLL: usize = 64;
/// The shortest frame that a host may send: an Ethernet header.
const MIN_FRAME: usize = 14;

/// A card without its wires: register bus, host queues, and the two ports' MAC sides.
///
/// Frames are without FCS. A wire has no zero-byte frames: [`Card::wire_in`] is never called with one.
pub trait Card: Send {
    /// Reads a register; the offset is a multiple of four inside BAR0. An offset without a
    /// register reads as zero.
    fn read32(&mut self, offset: u32) -> u32;

    /// Writes a register; the offset is a multiple of four inside BAR0. A write to an offset
    /// without a writable register does nothing.
    fn write32(&mut self, offset: u32, value: u32);

    /// Queues a frame at a port's receiving MAC. `bad_fcs`: the MAC flags an error at its end.
    /// `false`: the simulator's input queue is full, [`run`](Card::run) and try again.
    fn wire_in(&mut self, port: Port, frame: &[u8], bad_fcs: bool) -> bool;

    /// Takes the next good frame that a port sent into `frame` (cleared first). A frame that the
    /// card marked as bad is discarded, as the receiving MAC would. `false`: there is none.
    fn wire_out(&mut self, port: Port, frame: &mut Vec<u8>) -> bool;

    /// Queues a frame of the host for a port, with the checksum that is to be inserted (its place is within the
    /// frame). `false`: the transmit queue is full.
    fn host_in(&mut self, port: Port, frame: &[u8], checksum: Option<Checksum>) -> bool;

    /// Takes the next frame of a host queue into `frame` (cleared first).
    fn host_out(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Option<RxMeta>;

    /// Takes the next event. A card that is not asked keeps a few and loses the rest.
    fn event(&mut self) -> Option<Event>;

    /// Advances the card by at most `cycles`; it may stop early when it has become idle.
    /// `true`: work is left (frames taken by `wire_out` and `host_out` are not the card's work).
    fn run(&mut self, cycles: u32) -> bool;
}

/// What a card's two ports are plugged into.
#[derive(Default)]
pub(crate) struct Wires {
    ports: [Plug; 2],
    scratch: Vec<u8>,
}

/// A port's side of [`Wires`].
#[derive(Default)]
struct Plug {
    wire: Option<Box<dyn Wire>>,
    /// Came from the wire, and the card had no room yet.
    waiting: Option<Vec<u8>>,
}

impl Wires {
    /// Plugs a wire into a port, in place of what was there.
    pub fn plug(&mut self, port: Port, wire: Box<dyn Wire>) {
        self.ports[port as usize].wire = Some(wire);
    }

    /// Moves frames from the wires into the card. `true`: a wire may have more.
    pub fn carry_in(&mut self, mut wire_in: impl FnMut(Port, &[u8], bool) -> bool) -> io::Result<bool> {
        let mut more = false;
        for port in Port::ALL {
            more |= self.take(port, &mut wire_in)?;
        }
        Ok(more)
    }

    fn take(&mut self, port: Port, wire_in: &mut impl FnMut(Port, &[u8], bool) -> bool) -> io::Result<bool> {
        let plug = &mut self.ports[port as usize];
        let Some(wire) = &mut plug.wire else { return Ok(false) };
        for _ in 0..FRAMES_PER_POLL {
            let mut frame = match plug.waiting.take() {
                Some(frame) => frame,
                None if wire.receive(&mut self.scratch)? => std::mem::take(&mut self.scratch),
                None => return Ok(false),
            };
            // a MAC cuts a frame that is longer than it carries and flags it
            let oversized = frame.len() > MAX_FRAME;
            let shown = &frame[..frame.len().min(MAX_FRAME)];
            if !shown.is_empty() && !wire_in(port, shown, oversized) {
                plug.waiting = Some(frame);
                return Ok(true);
            }
            frame.clear();
            self.scratch = frame;
        }
        Ok(true)
    }

    /// Moves what the card has sent to the wires. An unplugged port sends into the void.
    pub fn carry_out(&mut self, mut wire_out: impl FnMut(Port, &mut Vec<u8>) -> bool) -> io::Result<()> {
        for port in Port::ALL {
            while wire_out(port, &mut self.scratch) {
                if let Some(wire) = &mut self.ports[port as usize].wire {
                    wire.send(&self.scratch)?;
                }
            }
        }
        Ok(())
    }

    /// What a port's wire carries.
    pub fn mtu(&self, port: Port) -> Option<Mtu> {
        self.ports[port as usize].wire.as_ref()?.mtu()
    }

    /// Descriptors that become readable when a wire has a frame.
    pub fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.ports.iter().filter_map(|p| p.wire.as_ref()?.fd()).collect()
    }
}

/// A card and what its ports are plugged into.
pub struct SimDevice<C> {
    card: C,
    wires: Wires,
}

impl<C: Card> SimDevice<C> {
    /// A card with nothing plugged in.
    pub fn new(card: C) -> Self {
        SimDevice { card, wires: Wires::default() }
    }

    /// Plugs a wire into a port, in place of what was there.
    #[must_use]
    pub fn with_wire(mut self, port: Port, wire: Box<dyn Wire>) -> Self {
        self.wires.plug(port, wire);
        self
    }

    /// The card itself, for what a host can't see (waveforms, the ports' MAC sides).
    pub fn card_mut(&mut self) -> &mut C {
        &mut self.card
    }

    fn checked(offset: u32) -> Result<u32, DeviceError> {
        if offset.is_multiple_of(4) && offset < BAR0_SIZE {
            Ok(offset)
        } else {
            Err(DeviceError::Register { offset, size: BAR0_SIZE })
        }
    }
}

impl<C: Card> Registers for SimDevice<C> {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        Ok(self.card.read32(Self::checked(offset)?))
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.card.write32(Self::checked(offset)?, value);
        Ok(())
    }
}

impl<C: Card> Device for SimDevice<C> {
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError> {
        if !(MIN_FRAME..=MAX_FRAME).contains(&frame.len()) {
            return Err(DeviceError::FrameLength { length: frame.len(), max: MAX_FRAME });
        }
        Ok(self.card.host_in(port, frame, None))
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError> {
        Ok(self.card.host_out(queue, frame))
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        let card = &mut self.card;
        let more = self.wires.carry_in(|port, frame, error| card.wire_in(port, frame, error))?;
        let busy = card.run(CYCLES_PER_POLL);
        self.wires.carry_out(|port, frame| card.wire_out(port, frame))?;
        Ok(more | busy)
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.wires.fds()
    }

    fn event(&mut self) -> Result<Option<Event>, DeviceError> {
        Ok(self.card.event())
    }

    fn mtu(&self, port: Port) -> Option<Mtu> {
        self.wires.mtu(port)
    }
}
