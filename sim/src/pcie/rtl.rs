//! The whole fabric as a [`Function`]: its Verilog, compiled by Verilator, with MACs at its wires and a root complex at its
//! PCIe border.
//!
//! The root complex answers reads in any order that PCIe allows, grants credits as a link partner does, and holds the card to the
//! rules of its contract: a packet that breaks one is a defect of the fabric, and a panic. Paragraphs are those of the PCI Express
//! base specification 2.1, from memory: nobody could look them up here, so each is one reading.

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
/// Cycles in which a function reset must end, whoever takes nothing meanwhile.
const RESET_CYCLES: u32 = 2000;
/// The clock's rate, unless a test sets another.
pub const KHZ: u32 = 156_250;
/// Credits for non-posted requests that the PCIe core advertises for the card.
pub const REQUESTS: usize = 8;
/// Cycles in which a packet that has begun leaves, credits and stalls included.
const SETTLING: u64 = 1000;
/// Credits for headers and for data that are out at most.
const HEADERS: u16 = 32;
const DATA: u16 = 1024;
const FRESH: [u16; 5] = [HEADERS, DATA, HEADERS, 0, 0];

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
    tag: u8,
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
    /// The root complex's requests that wait for the core's credits, and how many of these it has.
    requests: VecDeque<Vec<u8>>,
    room: usize,
    /// Completions of the root complex's own reads, and other packets of the card.
    registers: VecDeque<Tlp>,
    /// Tags of reads that are being answered.
    open: u32,
    /// Nothing is taken from the wires; none of the card's packets; no credit is given back.
    held: [bool; 2],
    link_held: bool,
    credits_held: bool,
    /// Frames and packets that ended with the mark.
    marked: u32,
    config: PciConfig,
    /// Until then a packet may come that had begun when configuration was another one: with bus mastering, and reads of that size.
    settling: u64,
    former_mrrs: u8,
    manners: Manners,
    rng: SmallRng,
    /// Of the next answers, in their order; then whole ones.
    fates: VecDeque<Fate>,
    /// Cumulative credits: posted headers and data, non-posted headers, completion headers and data.
    limits: [u16; 5],
    /// What the card's packets have consumed of them, and what the partner has not yet given back of that.
    used: [u16; 5],
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
            requests: VecDeque::new(),
            room: REQUESTS,
            registers: VecDeque::new(),
            open: 0,
            held: [false; 2],
            link_held: false,
            credits_held: false,
            marked: 0,
            config: PciConfig::default(),
            former_mrrs: 0,
            settling: 0,
            manners,
            rng: SmallRng::seed_from_u64(manners.random.map_or(0, |r| r.0)),
            fates: VecDeque::new(),
            limits: FRESH,
            used: [0; 5],
            owed: [0; 5],
            cycles: 0,
            quiet: 0,
            tag: 0,
        };
        card.model.set_build(BUILD);
        card.model.set_cfg_id(CARD);
        card.model.set_clock_khz(KHZ);
        card.model.set_cfg_power(0);
        card.model.set_link_up(1);
        card.model.set_fc_infinite(0b11000); // a root complex takes every completion
        card.model.set_reset(1);
        card.tick();
        card.model.set_reset(0);
        card.function_reset();
        card
    }

    /// Tells the card another rate of its clock.
    pub fn set_khz(&mut self, khz: u32) {
        self.model.set_clock_khz(khz);
    }

    /// Puts the function into a power state, 0 (D0) or 3 (D3hot).
    pub fn set_power(&mut self, state: u8) {
        self.model.set_cfg_power(state);
    }

    /// The MAC of a port takes nothing more, until told otherwise.
    pub fn hold_wire(&mut self, port: Port, held: bool) {
        self.held[port as usize] = held;
    }

    /// The PCIe core takes no packet of the card's, until told otherwise.
    pub fn hold_link(&mut self, held: bool) {
        self.link_held = held;
    }

    /// The link partner gives no credit back, until told otherwise.
    pub fn hold_credits(&mut self, held: bool) {
        self.credits_held = held;
    }

    /// Frames and packets so far that a reset has cut.
    #[must_use]
    pub fn marked(&self) -> u32 {
        self.marked
    }

    /// Bytes and packets that the card has still to take.
    #[must_use]
    pub fn untaken(&self) -> usize {
        self.down.frames.len() + self.requests.len()
    }

    /// The link goes down and comes up again: what was under way is lost on both sides, and credits start anew (2.9.1, 2.6.1).
    pub fn retrain(&mut self) {
        self.model.set_link_up(0);
        for _ in 0..16 {
            self.tick();
        }
        self.down = Feed::default();
        self.answers.clear();
        self.requests.clear();
        (self.room, self.open) = (REQUESTS, 0);
        self.limits = FRESH;
        (self.used, self.owed) = ([0; 5], [0; 5]);
        self.grant();
        self.model.set_link_up(1);
        self.function_reset();
    }

    /// Clock cycles so far.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// Sends the card a TLP of the caller's making.
    pub fn send(&mut self, tlp: &Tlp) {
        self.send_bytes(&tlp.encode());
    }

    /// What becomes of the answers to the card's next reads.
    pub fn fates(&mut self, fates: impl IntoIterator<Item = Fate>) {
        self.fates.extend(fates);
    }

    /// Sends the card bytes that need not be a TLP, whole words.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        // 2.6.1: a non-posted request needs a credit; what comes behind it may pass (2.4.1)
        if non_posted(bytes) {
            if self.room == 0 {
                self.requests.push_back(bytes.to_vec());
                return;
            }
            self.room -= 1;
        }
        let hit = self.config.memory && hits(bytes);
        self.down.frames.push_back((bytes.to_vec(), hit));
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
            |m: &mut Model, hit| m.set_pcie_rx_tuser(hit)
        );
        m.set_front_tx_tready((!stalls[3] && !self.held[0]).into());
        m.set_back_tx_tready((!stalls[4] && !self.held[1]).into());
        m.set_pcie_tx_tready((!stalls[5] && !self.link_held).into());
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
            whole(m.front_tx_tuser(), &mut self.marked)
        );
        give!(
            self.tx[1],
            back_tx_tvalid,
            back_tx_tready,
            back_tx_tdata,
            back_tx_tkeep,
            back_tx_tlast,
            whole(m.back_tx_tuser(), &mut self.marked)
        );
        give!(
            self.up,
            pcie_tx_tvalid,
            pcie_tx_tready,
            pcie_tx_tdata,
            pcie_tx_tkeep,
            pcie_tx_tlast,
            whole(m.pcie_tx_tuser(), &mut self.marked)
        );
        let freed = m.pcie_rx_freed() != 0;
        m.set_clock(1);
        m.eval();
        m.dump(self.cycles * 2 + 1);
        self.cycles += 1;
        if freed {
            self.room += 1;
            assert!(self.room <= REQUESTS, "more requests' credits than were taken");
            if let Some(next) = self.requests.pop_front() {
                self.send_bytes(&next);
            }
        }
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
                self.consume(0, 1);
                self.consume(1, size.div_ceil(16) as u16);
                self.bus.write(address, &data[..size - 4 + last.count_ones() as usize]);
            }
            Tlp::Read { requester, tag, address, words, enables } => {
                assert!(self.may_master(), "a read without bus mastering");
                assert!(requester == CARD && tag < 32 && enables == [15, 15]);
                let mrrs = if self.cycles < self.settling { self.former_mrrs } else { 0 }.max(self.config.mrrs);
                assert!(4 * words <= 128 << mrrs, "{words} words exceed the maximum read request");
                assert!(address % 4096 + 4 * words as u64 <= 4096, "{address:#x} + {words} words cross a page");
                self.consume(2, 1);
                assert!(self.open >> tag & 1 == 0, "tag {tag} again while it is outstanding (2.2.6.2)");
                self.begin(tag, address, 4 * words);
            }
            Tlp::Completion { completer, requester, .. } => {
                assert_eq!((completer, requester), (CARD, ROOT));
                self.registers.push_back(tlp);
            }
            // a message: PME_TO_Ack, with four words of header and nothing else (2.2.8.2)
            Tlp::Other(ref bytes) if bytes.len() == 16 && bytes[0] == 0x35 && bytes[7] == 0x1b => {
                assert_eq!(bytes[1..4], [0; 3]);
                assert_eq!(bytes[4..6], CARD.to_be_bytes());
                self.consume(0, 1);
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
        self.open |= 1 << tag;
        let factor = if self.manners.random.is_some() { self.rng.random_range(1..=8) } else { 1 };
        self.answers.push(Answer { due: self.cycles + self.manners.delay * factor, tag, parts });
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
            let done = self.answers.remove(i);
            self.open &= !(1 << done.tag);
        }
    }

    /// A packet takes credits. Base specification 2.6.1: it is sent only within the partner's limit, whatever became of the
    /// function meanwhile (6.6.2 resets nothing of the link).
    fn consume(&mut self, kind: usize, amount: u16) {
        self.used[kind] = self.used[kind].wrapping_add(amount);
        let left = self.limits[kind].wrapping_sub(self.used[kind]);
        assert!(left < 0x8000, "a packet beyond the limit of credits of kind {kind} (2.6.1): {left:#x} left");
        self.owed[kind] += amount;
    }

    /// Gives credits back.
    fn grant(&mut self) {
        if self.credits_held || self.manners.random.is_some() && self.rng.random_range(0..8) != 0 {
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
        !self.answers.is_empty()
            || !self.requests.is_empty()
            || [&self.rx[0], &self.rx[1], &self.down].iter().any(|f| !f.frames.is_empty())
    }
}

/// What stands beside a frame's last beat: it is good.
fn whole(user: u8, marked: &mut u32) -> Option<()> {
    *marked += u32::from(user);
    (user == 0).then_some(())
}

/// The packet wants a completion: neither a memory write nor a message nor a completion (2.4.1).
fn non_posted(bytes: &[u8]) -> bool {
    let kind = bytes[0] & 0x1f;
    !(kind == 0 && bytes[0] & 0x40 != 0 || kind >> 3 == 2 || kind >> 1 == 5)
}

/// A memory request for BAR0, as the core's comparators see it.
fn hits(bytes: &[u8]) -> bool {
    let word = |i: usize| bytes.get(4 * i..4 * i + 4).map_or(0, |w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]));
    let address = if bytes[0] & 0x20 == 0 { word(2).into() } else { u64::from(word(2)) << 32 | u64::from(word(3)) };
    bytes[0] & 0x1f == 0 && (BAR0..BAR0 + 0x1_0000).contains(&address)
}

impl Function for RtlFunction {
    fn read32(&mut self, offset: u32) -> u32 {
        self.tag = self.tag.wrapping_add(1);
        let (tag, address) = (self.tag, BAR0 + u64::from(offset));
        self.send(&Tlp::Read { requester: ROOT, tag, address, words: 1, enables: [15, 0] });
        for _ in 0..REGISTER_CYCLES {
            self.tick();
            if let Some(Tlp::Completion { tag: found, status, data, bytes, .. }) = self.registers.pop_front() {
                assert_eq!((found, bytes), (tag, 4), "the answer to a read of {offset:#x}");
                // a root complex makes all ones of a refusal (2.3.2); with memory space on nothing is refused
                if status == 1 && !self.config.memory {
                    return u32::MAX;
                }
                assert_eq!((status, data.len()), (0, 4), "the answer to a read of {offset:#x}");
                return u32::from_le_bytes([data[0], data[1], data[2], data[3]]);
            }
        }
        panic!("the fabric did not answer a read of {offset:#x} within {REGISTER_CYCLES} cycles");
    }

    fn write32(&mut self, offset: u32, value: u32) {
        let (address, data) = (BAR0 + u64::from(offset), value.to_le_bytes().to_vec());
        self.send(&Tlp::Write { requester: ROOT, tag: 0, address, enables: [15, 0], data, poisoned: false });
        let last = self.down.gone + self.down.frames.len() as u64; // a write waits for no request
        for _ in 0..REGISTER_CYCLES {
            self.tick();
            if self.down.gone >= last {
                return;
            }
        }
        panic!("the fabric did not take a write to {offset:#x} within {REGISTER_CYCLES} cycles");
    }

    fn configure(&mut self, config: &PciConfig) {
        if self.config.bus_master && (!config.bus_master || config.mrrs < self.config.mrrs) {
            (self.settling, self.former_mrrs) = (self.cycles + SETTLING, self.config.mrrs);
        }
        self.config = *config;
        self.model.set_cfg_master(config.bus_master.into());
        self.model.set_cfg_memory(config.memory.into());
        self.model.set_cfg_timeout(config.timeout);
        self.model.set_cfg_timeout_off(config.timeout_off.into());
        self.model.set_cfg_msix(config.msix_enable.into());
        self.model.set_cfg_msix_mask(config.msix_mask.into());
        self.model.set_cfg_mps(config.mps);
        self.model.set_cfg_mrrs(config.mrrs);
    }

    fn function_reset(&mut self) {
        // 6.6.2: neither MACs nor the link are reset: what they have begun they end, credits and the answers to reads stay
        for feed in &mut self.rx {
            feed.cut();
        }
        self.model.set_flr(1);
        for cycle in 0..RESET_CYCLES {
            self.tick();
            self.model.set_flr((cycle == 0).into());
            if cycle > 1 && self.model.flr_done() != 0 {
                break;
            }
        }
        assert_eq!(self.model.flr_done(), 1, "a reset ends within {RESET_CYCLES} cycles");
        for _ in 0..64 {
            self.tick(); // smaller memories are swept
        }
        for sink in &mut self.tx {
            sink.frames.clear();
        }
        self.registers.clear();
        self.configure(&self.config.after_reset());
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
