//! The whole fabric as a [`Function`]: its Verilog, compiled by Verilator, with MACs at its wires and a root complex at its
//! PCIe border.
//!
//! The root complex answers reads in any order that PCIe allows, grants credits as a link partner does, and holds the card to the
//! rules of its contract: a packet that breaks one is a defect of the fabric, and a panic.

use std::collections::VecDeque;
use std::path::Path;

use ipos_abi::Port;
pub use ipos_verilated_nic::BUILD;
use ipos_verilated_nic::ipos_nic::Model;
pub use ipos_verilated_rt::TraceError;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::tlp::Tlp;
use super::{Bus, Function, PciConfig};
use crate::rtl::{Feed, Sink};

/// The card's place on the bus, and the root complex's.
const CARD: u16 = 0x0100;
const ROOT: u16 = 0x0000;
/// Where BAR0 lies.
const BAR0: u64 = 0xe000_0000;
/// Cycles without a transfer after which nothing can be under way.
const QUIET: u32 = 400;
/// Cycles in which a register access must be answered.
const REGISTER_CYCLES: u32 = 5000;
/// Cycles in which a function reset must end.
const RESET_CYCLES: u32 = 3000;
/// Cycles in which a packet that has begun leaves, credits and stalls included.
const SETTLING: u64 = 1000;
/// Credits for headers and for data that are out at most.
const HEADERS: u8 = 32;
const DATA: u16 = 1024;

/// How the root complex behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Cycles from a read to its answer, at least.
    pub delay: u64,
    /// With a seed: answers split, delayed up to eight times as long and in any order, credits late, and every stream waits
    /// `rate` of 256 cycles.
    pub random: Option<(u64, u8)>,
}

impl Default for Manners {
    fn default() -> Self {
        Manners { delay: 24, random: None }
    }
}

/// What becomes of an answer to one of the card's reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It comes as it should.
    #[default]
    Whole,
    /// It never comes.
    Lost,
    /// Its data is marked as bad.
    Poisoned,
    /// Its last part is cut short.
    Cut,
}

/// A read that is being answered.
struct Answer {
    due: u64,
    parts: VecDeque<Tlp>,
}

/// The Verilated card on its slot.
pub struct RtlFunction {
    model: Model,
    bus: Box<dyn Bus>,
    rx: [Feed; 2],
    tx: [Sink<()>; 2],
    /// TLPs to the card and from it.
    down: Feed,
    up: Sink<()>,
    answers: Vec<Answer>,
    /// Completions of the root complex's own reads.
    registers: VecDeque<Tlp>,
    config: PciConfig,
    /// Until then a packet may come that had begun when bus mastering was cleared.
    settling: u64,
    manners: Manners,
    rng: SmallRng,
    /// Of the next answers, in their order; then whole ones.
    fates: VecDeque<Fate>,
    /// Cumulative credits: posted headers and data, non-posted headers, completion headers and data.
    limits: [u16; 5],
    owed: [u16; 5],
    cycles: u64,
    quiet: u32,
    tag: u8,
}

impl RtlFunction {
    /// A card on a slot whose root complex has these manners and this memory. Registers without a reset start with random
    /// contents by `seed`.
    #[must_use]
    pub fn new(seed: Option<u32>, manners: Manners, bus: Box<dyn Bus>) -> Self {
        RtlFunction::of_model(Model::new(seed), manners, bus)
    }

    /// A card that writes waveforms (FST) to `path`, about thirty times slower.
    pub fn traced(path: &Path, manners: Manners, bus: Box<dyn Bus>) -> Result<Self, TraceError> {
        Ok(RtlFunction::of_model(Model::traced(None, path)?, manners, bus))
    }

    fn of_model(model: Model, manners: Manners, bus: Box<dyn Bus>) -> Self {
        let mut card = RtlFunction {
            model,
            bus,
            rx: Default::default(),
            tx: Default::default(),
            down: Feed::default(),
            up: Sink::default(),
            answers: Vec::new(),
            registers: VecDeque::new(),
            config: PciConfig::default(),
            settling: 0,
            manners,
            rng: SmallRng::seed_from_u64(manners.random.map_or(0, |r| r.0)),
            fates: VecDeque::new(),
            limits: [0; 5],
            owed: [0; 5],
            cycles: 0,
            quiet: 0,
            tag: 0,
        };
        card.model.set_build(BUILD);
        card.model.set_cfg_id(CARD);
        card.model.set_fc_infinite(0b11000); // a root complex takes every completion
        card.model.set_reset(1);
        card.tick();
        card.model.set_reset(0);
        card.function_reset();
        card
    }

    /// Clock cycles so far.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// Sends the card a TLP of the caller's making.
    pub fn send(&mut self, tlp: &Tlp) {
        self.down.frames.push_back((tlp.encode(), false));
    }

    /// What becomes of the answers to the card's next reads.
    pub fn fates(&mut self, fates: impl IntoIterator<Item = Fate>) {
        self.fates.extend(fates);
    }

    /// Sends the card bytes that need not be a TLP, whole words.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.down.frames.push_back((bytes.to_vec(), false));
    }

    /// The next completion that the card sent to the root complex.
    pub fn completion(&mut self) -> Option<Tlp> {
        self.registers.pop_front()
    }

    fn chance(&mut self) -> bool {
        self.manners.random.is_some_and(|(_, rate)| self.rng.random::<u8>() < rate)
    }

    /// One clock cycle.
    pub fn tick(&mut self) {
        let stalls: [bool; 6] = std::array::from_fn(|_| self.chance());
        self.answer();
        self.grant();
        let m = &mut self.model;
        macro_rules! show {
            ($feed:expr, $stall:expr, $valid:ident, $data:ident, $keep:ident, $last:ident, $flag:expr) => {
                match $feed.show($stall) {
                    Some((data, keep, last, flag)) => {
                        m.$valid(1);
                        m.$data(data);
                        m.$keep(keep);
                        m.$last(last.into());
                        $flag(m, (last && flag).into());
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
            |m: &mut Model, flag| m.set_front_rx_tuser(flag)
        );
        show!(
            self.rx[1],
            stalls[1],
            set_back_rx_tvalid,
            set_back_rx_tdata,
            set_back_rx_tkeep,
            set_back_rx_tlast,
            |m: &mut Model, flag| m.set_back_rx_tuser(flag)
        );
        show!(
            self.down,
            stalls[2],
            set_pcie_rx_tvalid,
            set_pcie_rx_tdata,
            set_pcie_rx_tkeep,
            set_pcie_rx_tlast,
            |_: &mut Model, _: u8| ()
        );
        m.set_front_tx_tready((!stalls[3]).into());
        m.set_back_tx_tready((!stalls[4]).into());
        m.set_pcie_tx_tready((!stalls[5]).into());
        m.set_clock(0);
        m.eval();
        m.dump(self.cycles * 2);

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
        take!(self.down, pcie_rx_tvalid, pcie_rx_tready);
        macro_rules! give {
            ($sink:expr, $valid:ident, $ready:ident, $data:ident, $keep:ident, $last:ident, $meta:expr) => {
                if m.$valid() & m.$ready() != 0 {
                    $sink.beat(m.$data(), m.$keep(), m.$last() != 0, || $meta);
                    self.quiet = 0;
                }
            };
        }
        give!(
            self.tx[0],
            front_tx_tvalid,
            front_tx_tready,
            front_tx_tdata,
            front_tx_tkeep,
            front_tx_tlast,
            (m.front_tx_tuser() == 0).then_some(())
        );
        give!(
            self.tx[1],
            back_tx_tvalid,
            back_tx_tready,
            back_tx_tdata,
            back_tx_tkeep,
            back_tx_tlast,
            (m.back_tx_tuser() == 0).then_some(())
        );
        give!(self.up, pcie_tx_tvalid, pcie_tx_tready, pcie_tx_tdata, pcie_tx_tkeep, pcie_tx_tlast, Some(()));
        m.set_clock(1);
        m.eval();
        m.dump(self.cycles * 2 + 1);
        self.cycles += 1;
        let mut packet = Vec::new();
        while self.up.pop(&mut packet).is_some() {
            self.take(&packet);
        }
    }

    /// A packet of the card: what it does, and whether it keeps to the rules.
    fn take(&mut self, packet: &[u8]) {
        let tlp = Tlp::decode(packet).unwrap_or_else(|e| panic!("the fabric sent {packet:02x?}: {e}"));
        match tlp {
            Tlp::Write { requester, address, enables, data, poisoned, .. } => {
                assert!(self.may_master(), "a write without bus mastering");
                assert!(requester == CARD && !poisoned && address % 4 == 0);
                assert!(address >> 32 != 0 || packet[0] & 0x20 == 0, "four words of header below 4 GiB");
                let size = data.len();
                assert!(size <= 128 << self.config.mps, "{size} bytes exceed the maximum payload");
                assert!(address % 4096 + size as u64 <= 4096, "{address:#x} + {size} crosses a page");
                // the fabric writes from the first byte on
                let last = if size == 4 { enables[0] } else { enables[1] };
                assert!(size == 4 && enables[1] == 0 || size > 4 && enables[0] == 15, "{enables:?} for {size} bytes");
                assert!([1, 3, 7, 15].contains(&last), "byte enables {last:#x}");
                self.owed[0] += 1;
                self.owed[1] += size.div_ceil(16) as u16;
                self.bus.write(address, &data[..size - 4 + last.count_ones() as usize]);
            }
            Tlp::Read { requester, tag, address, words, enables } => {
                assert!(self.may_master(), "a read without bus mastering");
                assert!(requester == CARD && tag < 32 && enables == [15, 15]);
                assert!(4 * words <= 128 << self.config.mrrs, "{words} words exceed the maximum read request");
                assert!(address % 4096 + 4 * words as u64 <= 4096, "{address:#x} + {words} words cross a page");
                self.owed[2] += 1;
                self.begin(tag, address, 4 * words);
            }
            Tlp::Completion { completer, requester, .. } => {
                assert_eq!((completer, requester), (CARD, ROOT));
                self.registers.push_back(tlp);
            }
            Tlp::Other(bytes) => panic!("the fabric sent {bytes:02x?}"),
        }
    }

    /// Prepares the answer to a read.
    fn begin(&mut self, tag: u8, address: u64, length: usize) {
        let answer = |status, bytes, lower: u64, data| Tlp::Completion {
            completer: ROOT,
            requester: CARD,
            tag,
            status,
            bytes,
            lower: lower as u8 & 0x7f,
            data,
            poisoned: false,
        };
        let mut data = vec![0; length];
        let mut parts = VecDeque::new();
        if self.bus.read(address, &mut data).is_err() {
            parts.push_back(answer(1, length, address, Vec::new()));
        } else {
            let mut from = 0;
            while from < length {
                let mut to = length;
                if self.manners.random.is_some() && self.rng.random() {
                    // a split is at a multiple of 64 bytes
                    let line = 64 - (address as usize + from) % 64;
                    to = length.min(from + line + 64 * self.rng.random_range(0..4));
                }
                parts.push_back(answer(0, length - from, address + from as u64, data[from..to].to_vec()));
                from = to;
            }
        }
        let fate = self.fates.pop_front().unwrap_or_default();
        if fate == Fate::Lost {
            return;
        }
        let mut cut = None;
        match (fate, parts.back_mut()) {
            (Fate::Poisoned, Some(Tlp::Completion { poisoned, .. })) => *poisoned = true,
            (Fate::Cut, Some(last)) => {
                let mut bytes = last.encode();
                bytes.truncate(16);
                cut = Some(Tlp::Other(bytes));
            }
            _ => {}
        }
        if let Some(cut) = cut {
            parts.pop_back();
            parts.push_back(cut);
        }
        let factor = if self.manners.random.is_some() { self.rng.random_range(1..=8) } else { 1 };
        self.answers.push(Answer { due: self.cycles + self.manners.delay * factor, parts });
    }

    /// Sends a part of an answer that is due: the oldest, or any.
    fn answer(&mut self) {
        if self.down.frames.len() > 1 {
            return;
        }
        let due: Vec<usize> = (0..self.answers.len()).filter(|&i| self.answers[i].due <= self.cycles).collect();
        let Some(&oldest) = due.first() else { return };
        let i = if self.manners.random.is_some() { due[self.rng.random_range(0..due.len())] } else { oldest };
        if let Some(part) = self.answers[i].parts.pop_front() {
            self.send(&part);
        }
        if self.answers[i].parts.is_empty() {
            self.answers.remove(i);
        }
    }

    /// Gives credits back.
    fn grant(&mut self) {
        if self.manners.random.is_some() && self.rng.random_range(0..8) != 0 {
            return;
        }
        for (limit, owed) in self.limits.iter_mut().zip(&mut self.owed) {
            *limit = limit.wrapping_add(std::mem::take(owed));
        }
        let m = &mut self.model;
        m.set_fc_ph(self.limits[0] as u8);
        m.set_fc_pd(self.limits[1] & 0xfff);
        m.set_fc_nph(self.limits[2] as u8);
    }

    fn may_master(&self) -> bool {
        self.config.bus_master || self.cycles < self.settling
    }

    fn waiting(&self) -> bool {
        !self.answers.is_empty() || [&self.rx[0], &self.rx[1], &self.down].iter().any(|f| !f.frames.is_empty())
    }
}

impl Function for RtlFunction {
    fn read32(&mut self, offset: u32) -> u32 {
        self.tag = self.tag.wrapping_add(1);
        let (tag, address) = (self.tag, BAR0 + u64::from(offset));
        self.send(&Tlp::Read { requester: ROOT, tag, address, words: 1, enables: [15, 0] });
        for _ in 0..REGISTER_CYCLES {
            self.tick();
            if let Some(Tlp::Completion { tag: found, status, data, bytes, .. }) = self.registers.pop_front() {
                assert_eq!((found, status, bytes, data.len()), (tag, 0, 4, 4), "the answer to a read of {offset:#x}");
                return u32::from_le_bytes([data[0], data[1], data[2], data[3]]);
            }
        }
        panic!("the fabric did not answer a read of {offset:#x} within {REGISTER_CYCLES} cycles");
    }

    fn write32(&mut self, offset: u32, value: u32) {
        let (address, data) = (BAR0 + u64::from(offset), value.to_le_bytes().to_vec());
        self.send(&Tlp::Write { requester: ROOT, tag: 0, address, enables: [15, 0], data, poisoned: false });
        let last = self.down.gone + self.down.frames.len() as u64;
        for _ in 0..REGISTER_CYCLES {
            self.tick();
            if self.down.gone >= last {
                return;
            }
        }
        panic!("the fabric did not take a write to {offset:#x} within {REGISTER_CYCLES} cycles");
    }

    fn configure(&mut self, config: &PciConfig) {
        if self.config.bus_master && !config.bus_master {
            self.settling = self.cycles + SETTLING;
        }
        self.config = *config;
        self.model.set_cfg_master(config.bus_master.into());
        self.model.set_cfg_msix(config.msix_enable.into());
        self.model.set_cfg_msix_mask(config.msix_mask.into());
        self.model.set_cfg_mps(config.mps);
        self.model.set_cfg_mrrs(config.mrrs);
    }

    fn function_reset(&mut self) {
        // neither MACs nor the PCIe core are reset: what they have begun they end
        for feed in &mut self.rx {
            feed.cut();
        }
        self.model.set_flr(1);
        for cycle in 0..RESET_CYCLES {
            self.down.cut();
            self.answers.clear();
            self.tick();
            self.model.set_flr((cycle == 0).into());
            if cycle > 1 && self.model.flr_done() != 0 {
                break;
            }
        }
        assert_eq!(self.model.flr_done(), 1, "a reset ends within {RESET_CYCLES} cycles");
        assert!(self.up.between() && self.tx.iter().all(Sink::between), "a reset cuts no packet");
        self.limits = [u16::from(HEADERS), DATA, u16::from(HEADERS), 0, 0];
        self.owed = [0; 5];
        for _ in 0..64 {
            self.tick(); // smaller memories are swept
        }
        self.tx = Default::default();
        self.up = Sink::default();
        self.registers.clear();
        self.configure(&PciConfig::default());
    }

    fn wire_in(&mut self, port: Port, frame: &[u8], bad_fcs: bool) -> bool {
        self.quiet = 0;
        self.rx[port as usize].push(frame, bad_fcs)
    }

    fn wire_out(&mut self, port: Port, frame: &mut Vec<u8>) -> bool {
        self.tx[port as usize].pop(frame).is_some()
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
