//! The fabric as a [`Card`]: its Verilog, compiled by Verilator, with a MAC's and a host's ends of its streams.
//!
//! One [`tick`](RtlCard::tick) is one clock cycle. Inputs change while the clock is low; what was valid and ready then
//! is what the rising edge transfers.

use std::collections::VecDeque;
use std::path::Path;

use ipos_abi::Port;
use ipos_abi::queue::{Checksum, Event};
use ipos_abi::rx::RxMeta;
use ipos_device::Queue;
pub use ipos_verilated_card::BUILD;
use ipos_verilated_card::ipos_card::Model;
pub use ipos_verilated_rt::TraceError;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::card::Card;

/// Frames that wait at a port's receiving MAC or at the host's transmit side, at most.
const INPUT_QUEUE: usize = 256;
/// Frames that wait for the host on a queue; then the card's own buffers fill, and it drops and counts.
const HOST_QUEUE: usize = 512;
/// Events that wait for the host.
const EVENTS: usize = 64;
/// Cycles without a transferred beat after which nothing can be under way: longer than the card's deepest delay.
const QUIET: u32 = 160;
/// Cycles in which a register access must be answered.
const REGISTER_CYCLES: u32 = 1000;

/// Frames on their way into a stream.
#[derive(Default)]
pub(crate) struct Feed {
    pub frames: VecDeque<(Vec<u8>, bool)>,
    offset: usize,
    /// Frames that have gone.
    pub gone: u64,
    /// The beat that is shown; once shown it stays until taken.
    shown: bool,
}

impl Feed {
    pub fn push(&mut self, frame: &[u8], flag: bool) -> bool {
        if self.frames.len() >= INPUT_QUEUE {
            return false;
        }
        self.frames.push_back((frame.to_vec(), flag));
        true
    }

    /// The next beat: data, keep, last, and the frame's flag.
    fn beat(&self) -> Option<(u64, u8, bool, bool)> {
        let (frame, flag) = self.frames.front()?;
        let rest = &frame[self.offset..];
        let n = rest.len().min(8);
        let mut bytes = [0; 8];
        bytes[..n].copy_from_slice(&rest[..n]);
        Some((u64::from_le_bytes(bytes), 0xff >> (8 - n), rest.len() <= 8, *flag))
    }

    /// Only what has begun is still to come.
    pub fn cut(&mut self) {
        self.frames.truncate(usize::from(self.offset > 0 || self.shown));
    }

    /// The next beat, unless it waits; once shown it stays.
    pub fn show(&mut self, stall: bool) -> Option<(u64, u8, bool, bool)> {
        if !self.shown && stall {
            return None;
        }
        let beat = self.beat();
        self.shown = beat.is_some();
        beat
    }

    pub fn taken(&mut self) {
        self.offset += 8;
        self.shown = false;
        if self.frames.front().is_some_and(|(f, _)| self.offset >= f.len()) {
            self.frames.pop_front();
            self.gone += 1;
            self.offset = 0;
        }
    }
}

/// Frames coming out of a stream, with what stood beside their last beat.
pub(crate) struct Sink<M> {
    pub frames: VecDeque<(Vec<u8>, M)>,
    current: Vec<u8>,
}

impl<M> Default for Sink<M> {
    fn default() -> Self {
        Sink { frames: VecDeque::new(), current: Vec::new() }
    }
}

impl<M> Sink<M> {
    /// No frame has begun that has not ended.
    pub fn between(&self) -> bool {
        self.current.is_empty()
    }

    /// Takes a beat; `Some` at the frame's end keeps it, `None` there discards it.
    pub fn beat(&mut self, data: u64, keep: u8, last: bool, meta: impl FnOnce() -> Option<M>) {
        self.current.extend_from_slice(&data.to_le_bytes()[..keep.count_ones() as usize]);
        if last {
            let frame = std::mem::take(&mut self.current);
            if let Some(meta) = meta() {
                self.frames.push_back((frame, meta));
            }
        }
    }

    pub fn pop(&mut self, frame: &mut Vec<u8>) -> Option<M> {
        frame.clear();
        let (taken, meta) = self.frames.pop_front()?;
        *frame = taken;
        Some(meta)
    }
}

/// Random gaps on every stream, by seed: an input that waits, an output that is not ready.
struct Stalls {
    rng: SmallRng,
    /// Of 256 chances.
    rate: u8,
}

/// The Verilated card.
pub struct RtlCard {
    model: Model,
    rx: [Feed; 2],
    tx: [Sink<()>; 2],
    /// The host's frames to either wire.
    host: [Feed; 2],
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

impl Default for RtlCard {
    fn default() -> Self {
        RtlCard::from_model(Model::new(None))
    }
}

impl RtlCard {
    /// A card whose registers without a reset start with random contents, by seed.
    #[must_use]
    pub fn with_seed(seed: u32) -> Self {
        RtlCard::from_model(Model::new(Some(seed)))
    }

    /// A card that writes waveforms (FST) to `path`, about thirty times slower.
    pub fn traced(path: &Path) -> Result<Self, TraceError> {
        Ok(RtlCard::from_model(Model::traced(None, path)?))
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
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    fn from_model(model: Model) -> Self {
        let mut card = RtlCard {
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
        card.model.set_build(BUILD);
        card.reset();
        card
    }

    /// Resets the card in the midst of whatever it does. Frames that wait outside of it are gone too.
    pub fn reset(&mut self) {
        self.rx = Default::default();
        self.host = Default::default();
        self.checksums = Default::default();
        self.events.clear();
        self.model.set_reset(1);
        self.tick();
        self.model.set_reset(0);
        self.tx = Default::default(); // of a frame that was on its way out, too
        self.queues = Default::default();
        while self.model.ready() == 0 {
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
    pub fn tick_seen<T>(&mut self, look: impl FnOnce(&Model) -> T) -> T {
        let stalls: [bool; 8] = if self.stalls.is_some() { std::array::from_fn(|_| self.stall()) } else { [false; 8] };
        let m = &mut self.model;

        macro_rules! show {
            ($feed:expr, $stall:expr, $valid:ident, $data:ident, $keep:ident, $last:ident, $flag:ident) => {
                match $feed.show($stall) {
                    Some((data, keep, last, flag)) => {
                        m.$valid(1);
                        m.$data(data);
                        m.$keep(keep);
                        m.$last(last.into());
                        m.$flag(flag.into());
                    }
                    None => m.$valid(0),
                }
            };
        }
        show!(
            self.rx[0],
            stalls[0],
            set_front_rx_tvalid,
            set_front_rx_tdata,
            set_front_rx_tkeep,
            set_front_rx_tlast,
            set_front_rx_tuser
        );
        show!(
            self.rx[1],
            stalls[1],
            set_back_rx_tvalid,
            set_back_rx_tdata,
            set_back_rx_tkeep,
            set_back_rx_tlast,
            set_back_rx_tuser
        );
        show!(
            self.host[0],
            stalls[2],
            set_front_send_tvalid,
            set_front_send_tdata,
            set_front_send_tkeep,
            set_front_send_tlast,
            set_front_send_tuser
        );
        show!(
            self.host[1],
            stalls[7],
            set_back_send_tvalid,
            set_back_send_tdata,
            set_back_send_tkeep,
            set_back_send_tlast,
            set_back_send_tuser
        );
        m.set_front_tx_tready((!stalls[3] && !self.held[0]).into());
        m.set_back_tx_tready((!stalls[4] && !self.held[1]).into());
        m.set_host_tready((!stalls[5] && !self.held[2] && self.queues[0].frames.len() < HOST_QUEUE).into());
        m.set_control_tready((!stalls[6] && !self.held[3] && self.queues[1].frames.len() < HOST_QUEUE).into());
        m.set_front_send_checksum(self.checksums[0].front().copied().unwrap_or(0));
        m.set_back_send_checksum(self.checksums[1].front().copied().unwrap_or(0));
        m.set_event_ready((self.events.len() < EVENTS).into());
        // `tuser` rides on the last beat only
        let (f, b) = (m.front_rx_tlast() & m.front_rx_tuser(), m.back_rx_tlast() & m.back_rx_tuser());
        m.set_front_rx_tuser(f);
        m.set_back_rx_tuser(b);
        m.set_clock(0);
        m.eval();
        m.dump(self.cycles * 2);
        let seen = look(m);

        self.quiet += 1;
        macro_rules! take {
            ($feed:expr, $valid:ident, $ready:ident) => {
                if m.$valid() & m.$ready() != 0 {
                    $feed.taken();
                    self.quiet = 0;
                }
            };
        }
        take!(self.rx[0], front_rx_tvalid, front_rx_tready);
        take!(self.rx[1], back_rx_tvalid, back_rx_tready);
        take!(self.host[0], front_send_tvalid, front_send_tready);
        take!(self.host[1], back_send_tvalid, back_send_tready);
        for (checksums, feed) in self.checksums.iter_mut().zip(&self.host) {
            while checksums.len() > feed.frames.len() {
                checksums.pop_front();
            }
        }
        if m.event_valid() & m.event_ready() != 0 {
            let data = m.event_data();
            self.events.push_back(Event {
                slot: data as u16 & 0xfff,
                bank: (data >> 16) as u8 & 3,
                tcp_flags: (data >> 24) as u8,
            });
            self.quiet = 0;
        }
        macro_rules! give {
            ($sink:expr, $valid:ident, $ready:ident, $data:ident, $keep:ident, $last:ident, $meta:expr) => {
                if m.$valid() & m.$ready() != 0 {
                    $sink.beat(m.$data(), m.$keep(), m.$last() != 0, || $meta);
                    self.quiet = 0;
                }
            };
        }
        let good = |error: u8| (error == 0).then_some(());
        give!(
            self.tx[0],
            front_tx_tvalid,
            front_tx_tready,
            front_tx_tdata,
            front_tx_tkeep,
            front_tx_tlast,
            good(m.front_tx_tuser())
        );
        give!(
            self.tx[1],
            back_tx_tvalid,
            back_tx_tready,
            back_tx_tdata,
            back_tx_tkeep,
            back_tx_tlast,
            good(m.back_tx_tuser())
        );
        give!(
            self.queues[0],
            host_tvalid,
            host_tready,
            host_tdata,
            host_tkeep,
            host_tlast,
            Some(RxMeta::from_words(*m.host_meta()))
        );
        give!(
            self.queues[1],
            control_tvalid,
            control_tready,
            control_tdata,
            control_tkeep,
            control_tlast,
            Some(RxMeta::from_words(*m.control_meta()))
        );
        m.set_clock(1);
        m.eval();
        m.dump(self.cycles * 2 + 1);
        self.cycles += 1;
        seen
    }

    fn waiting(&self) -> bool {
        self.rx.iter().chain(&self.host).any(|f| !f.frames.is_empty())
    }

    /// Ticks until the card answers a register access. An answer that never comes is a defect of the fabric.
    fn access(&mut self) -> u32 {
        for _ in 0..REGISTER_CYCLES {
            self.tick();
            if self.model.reg_ack() != 0 {
                let value = self.model.reg_rdata();
                self.model.set_reg_read(0);
                self.model.set_reg_write(0);
                self.tick();
                return value;
            }
        }
        panic!("the fabric did not answer a register access within {REGISTER_CYCLES} cycles");
    }
}

impl Card for RtlCard {
    fn read32(&mut self, offset: u32) -> u32 {
        self.model.set_reg_address(offset as u16);
        self.model.set_reg_read(1);
        self.access()
    }

    fn write32(&mut self, offset: u32, value: u32) {
        self.model.set_reg_address(offset as u16);
        self.model.set_reg_wdata(value);
        self.model.set_reg_write(1);
        self.access();
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
