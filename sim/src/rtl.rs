//! The fabric as a [`Card`]: its Verilog, compiled by Verilator, with a MAC's and a host's ends of its streams, at
//! 64 bits ([`RtlCard`]) and at 512 ([`WideCard`]).
//!
//! One [`tick`](FabricCard::tick) is one clock cycle. Inputs change while the clock is low; what was valid and ready then
//! is what the rising edge transfers.

mod fabric;
mod stream;

use std::collections::VecDeque;
use std::path::Path;

use ipos_abi::Port;
use ipos_abi::queue::{Checksum, Event};
use ipos_abi::rx::RxMeta;
use ipos_device::Queue;
pub use ipos_verilated_card::BUILD;
pub use ipos_verilated_rt::TraceError;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::card::Card;
use crate::pcie::rtl::KHZ;
pub use fabric::{Fabric, Narrow, Wide};
pub use stream::Data;
pub(crate) use stream::{Feed, Sink};

/// Frames that wait for the host on a queue; then the card's own buffers fill, and it drops and counts.
const HOST_QUEUE: usize = 512;
/// Events that wait for the host.
const EVENTS: usize = 64;
/// Cycles without a transferred beat after which nothing can be under way: longer than the card's deepest delay.
const QUIET: u32 = 160;
/// Cycles in which a register access must be answered.
const REGISTER_CYCLES: u32 = 1000;

/// Random gaps on every stream, by seed: an input that waits, an output that is not ready.
struct Stalls {
    rng: SmallRng,
    /// Of 256 chances.
    rate: u8,
}

/// The Verilated card.
pub type RtlCard = FabricCard<Narrow>;
/// The same at 512 bits.
pub type WideCard = FabricCard<Wide>;

/// A Verilated card of any width.
pub struct FabricCard<F: Fabric> {
    model: F,
    rx: [Feed<F::Data>; 2],
    tx: [Sink<()>; 2],
    /// The host's frames to either wire.
    host: [Feed<F::Data>; 2],
    /// What stands beside each of them.
    checksums: [VecDeque<u64>; 2],
    events: VecDeque<Event>,
    queues: [Sink<RxMeta>; 2],
    stalls: Option<Stalls>,
    /// Outputs that are not taken: front wire, back wire, receive queue, control queue.
    held: [bool; 4],
    cycles: u64,
    quiet: u32,
}

impl<F: Fabric> Default for FabricCard<F> {
    fn default() -> Self {
        FabricCard::from_model(F::new(None))
    }
}

impl RtlCard {
    /// A card that writes waveforms (FST) to `path`, about thirty times slower.
    pub fn traced(path: &Path) -> Result<Self, TraceError> {
        Ok(FabricCard::from_model(Narrow::traced(None, path)?))
    }
}

impl<F: Fabric> FabricCard<F> {
    /// A card whose registers without a reset start with random contents, by seed.
    #[must_use]
    pub fn with_seed(seed: u32) -> Self {
        FabricCard::from_model(F::new(Some(seed)))
    }

    /// Makes every stream wait at random: `rate` of 256 cycles.
    #[must_use]
    pub fn with_stalls(mut self, seed: u64, rate: u8) -> Self {
        self.stalls = Some(Stalls { rng: SmallRng::seed_from_u64(seed), rate });
        self
    }

    /// Clock cycles so far.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// Takes nothing more from a port's wire side until told otherwise.
    pub fn hold_wire(&mut self, port: Port, held: bool) {
        self.held[port as usize] = held;
    }

    /// Takes nothing more from a host queue until told otherwise.
    pub fn hold_queue(&mut self, queue: Queue, held: bool) {
        self.held[2 + queue as usize] = held;
    }

    /// The Verilated model itself, for what the [`Card`] trait has no word for (reset, an odd register access).
    pub fn model_mut(&mut self) -> &mut F {
        &mut self.model
    }

    fn from_model(model: F) -> Self {
        let mut card = FabricCard {
            model,
            rx: Default::default(),
            tx: Default::default(),
            host: Default::default(),
            checksums: Default::default(),
            events: VecDeque::new(),
            queues: Default::default(),
            stalls: None,
            held: [false; 4],
            cycles: 0,
            quiet: 0,
        };
        card.model.identify(BUILD, KHZ);
        card.reset();
        card
    }

    /// Resets the card in the midst of whatever it does. Frames that wait outside of it are gone too.
    pub fn reset(&mut self) {
        self.rx = Default::default();
        self.host = Default::default();
        self.checksums = Default::default();
        self.events.clear();
        self.model.reset(true);
        self.tick(); // taken into a register, then it holds
        self.tick();
        self.model.reset(false);
        self.tx = Default::default(); // of a frame that was on its way out, too
        self.queues = Default::default();
        while !self.model.is_ready() {
            self.tick(); // the tables are swept
        }
        for _ in 0..32 {
            self.tick(); // and the counters
        }
    }

    fn stall(&mut self) -> bool {
        self.stalls.as_mut().is_some_and(|s| s.rng.random::<u8>() < s.rate)
    }

    /// One clock cycle.
    pub fn tick(&mut self) {
        self.tick_seen(|_| ());
    }

    /// One clock cycle, and what `look` finds at the borders just before its rising edge.
    pub fn tick_seen<T>(&mut self, look: impl FnOnce(&F) -> T) -> T {
        let stalls: [bool; 8] = if self.stalls.is_some() { std::array::from_fn(|_| self.stall()) } else { [false; 8] };
        let m = &mut self.model;
        for (i, feed) in self.rx.iter_mut().chain(&mut self.host).enumerate() {
            m.offer(i, feed.show(stalls[[0, 1, 2, 7][i]]));
        }
        for (i, held) in self.held.iter().enumerate() {
            let room = i < 2 || self.queues[i - 2].frames.len() < HOST_QUEUE;
            m.accept(i, !stalls[3 + i] && !held && room);
        }
        m.set_checksums(std::array::from_fn(|i| self.checksums[i].front().copied().unwrap_or(0)));
        m.event(self.events.len() < EVENTS);
        m.clock(false, self.cycles * 2);
        let seen = look(m);

        self.quiet += 1;
        for (i, feed) in self.rx.iter_mut().chain(&mut self.host).enumerate() {
            if m.offered(i) == (true, true) {
                feed.taken();
                self.quiet = 0;
            }
        }
        for (checksums, feed) in self.checksums.iter_mut().zip(&self.host) {
            while checksums.len() > feed.frames.len() {
                checksums.pop_front();
            }
        }
        if let Some(data) = m.event(self.events.len() < EVENTS) {
            self.events.push_back(Event {
                slot: data as u16 & 0xfff,
                bank: (data >> 16) as u8 & 3,
                tcp_flags: (data >> 24) as u8,
            });
            self.quiet = 0;
        }
        for i in 0..4 {
            if let (Some((data, keep, last, error)), true) = m.shown(i) {
                self.quiet = 0;
                if i < 2 {
                    self.tx[i].beat(data, keep, last, || (!error).then_some(()));
                } else {
                    self.queues[i - 2].beat(data, keep, last, || Some(m.meta(i)));
                }
            }
        }
        m.clock(true, self.cycles * 2 + 1);
        self.cycles += 1;
        seen
    }

    fn waiting(&self) -> bool {
        self.rx.iter().chain(&self.host).any(|f| !f.frames.is_empty())
    }

    /// Ticks until the card answers a register access. An answer that never comes is a defect of the fabric.
    fn access(&mut self, write: bool, offset: u32, value: u32) -> u32 {
        self.model.access(!write, write, offset as u16, value);
        for _ in 0..REGISTER_CYCLES {
            self.tick();
            if let Some(answer) = self.model.answer() {
                self.model.access(false, false, offset as u16, value);
                self.tick();
                return answer;
            }
        }
        panic!("the fabric did not answer a register access within {REGISTER_CYCLES} cycles");
    }
}

impl<F: Fabric> Card for FabricCard<F> {
    fn read32(&mut self, offset: u32) -> u32 {
        self.access(false, offset, 0)
    }

    fn write32(&mut self, offset: u32, value: u32) {
        self.access(true, offset, value);
    }

    fn wire_in(&mut self, port: Port, frame: &[u8], bad_fcs: bool) -> bool {
        self.rx[port as usize].push(frame, bad_fcs)
    }

    fn wire_out(&mut self, port: Port, frame: &mut Vec<u8>) -> bool {
        self.tx[port as usize].pop(frame).is_some()
    }

    fn host_in(&mut self, port: Port, frame: &[u8], checksum: Option<Checksum>) -> bool {
        let place = checksum.map_or(0, |c| 1 << 32 | u64::from(c.offset) << 16 | u64::from(c.start));
        let taken = self.host[port as usize].push(frame, false);
        if taken {
            self.checksums[port as usize].push_back(place);
        }
        taken
    }

    fn host_out(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Option<RxMeta> {
        let queue = &mut self.queues[queue as usize];
        if queue.frames.len() >= HOST_QUEUE {
            self.quiet = 0; // what the card held back can come now
        }
        queue.pop(frame)
    }

    fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn run(&mut self, cycles: u32) -> bool {
        for _ in 0..cycles {
            if self.quiet >= QUIET && !self.waiting() {
                return false;
            }
            self.tick();
        }
        self.quiet < QUIET || self.waiting()
    }
}
