//! A small driver with a memory of its own: what `ipos-nic` is for real, kept apart from it so that both are checked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use ipos_abi::Port;
use ipos_abi::queue::{Completion, QueueId, ReceiveDescriptor, TransmitDescriptor, VECTORS};
use ipos_abi::regs::{self, ENABLE, MSIX_TABLE, counters, mac_words, port, queues};
use ipos_abi::rx::{Outcome, RxInfo, RxMeta};
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::pcie::rings::RingCard;
use ipos_sim::pcie::rtl::{BUILD, Manners, RtlFunction};
use ipos_sim::pcie::{Bus, Function, PciConfig, Unmapped};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Where the memory lies on the bus: it reaches over 4 GiB.
pub const BASE: u64 = 0xfff8_0000;
const SIZE: usize = 1 << 20;
const INTERRUPTS: u64 = 0xfee0_0000;
pub const FRONT: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const BACK: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Host memory, and the interrupts that came.
#[derive(Clone)]
pub struct Memory(Arc<Mutex<(Vec<u8>, [u32; VECTORS])>>);

impl Memory {
    pub fn new() -> Self {
        Memory(Arc::new(Mutex::new((vec![0; SIZE], [0; VECTORS]))))
    }

    fn range(address: u64, len: usize) -> Option<std::ops::Range<usize>> {
        let from = usize::try_from(address.checked_sub(BASE)?).ok()?;
        (from + len <= SIZE).then_some(from..from + len)
    }

    pub fn get(&self, address: u64, len: usize) -> Vec<u8> {
        self.0.lock().unwrap().0[Self::range(address, len).unwrap()].to_vec()
    }

    pub fn put(&self, address: u64, data: &[u8]) {
        self.0.lock().unwrap().0[Self::range(address, data.len()).unwrap()].copy_from_slice(data);
    }

    pub fn interrupts(&self) -> [u32; VECTORS] {
        self.0.lock().unwrap().1
    }
}

impl Bus for Memory {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Unmapped> {
        let range = Self::range(address, data.len()).ok_or(Unmapped)?;
        data.copy_from_slice(&self.0.lock().unwrap().0[range]);
        Ok(())
    }

    fn write(&mut self, address: u64, data: &[u8]) {
        let mut memory = self.0.lock().unwrap();
        if address == INTERRUPTS {
            memory.1[usize::from(data[0])] += 1;
        } else if let Some(range) = Self::range(address, data.len()) {
            memory.0[range].copy_from_slice(data);
        }
    }
}

/// A queue as its driver keeps it.
#[derive(Clone)]
pub struct Ring {
    id: QueueId,
    bits: u32,
    descriptors: u64,
    completions: u64,
    pub filled: u16,
    pub done: u16,
    /// Buffers of the descriptors under way: address and length.
    pub buffers: VecDeque<(u64, usize)>,
}

/// A card with its memory.
pub struct Rig {
    pub name: &'static str,
    pub card: Box<dyn Function>,
    pub memory: Memory,
    next: u64,
}

/// The reference and the fabric, the latter with gentle manners.
pub fn both() -> Vec<Rig> {
    vec![model(), rtl(Manners::default())]
}

pub fn model() -> Rig {
    let memory = Memory::new();
    let make = || ModelCard::new(ModelConfig { build: BUILD, ..ModelConfig::default() });
    Rig::new("reference", Box::new(RingCard::new(make, Box::new(memory.clone()))), memory)
}

pub fn rtl(manners: Manners) -> Rig {
    let memory = Memory::new();
    let seed = manners.random.map_or(1, |r| r.0 as u32);
    Rig::new("fabric", Box::new(RtlFunction::new(Some(seed), manners, Box::new(memory.clone()))), memory)
}

impl Rig {
    pub fn new(name: &'static str, card: Box<dyn Function>, memory: Memory) -> Self {
        let mut rig = Rig { name, card, memory, next: 0 };
        rig.start();
        rig
    }

    /// What a driver does with a card that was just reset.
    fn start(&mut self) {
        self.configure(true, 1, 2);
        self.next = BASE;
        for vector in 0..VECTORS as u32 {
            for (word, value) in [INTERRUPTS as u32, 0, vector, 0].into_iter().enumerate() {
                self.write32(MSIX_TABLE + 16 * vector + 4 * word as u32, value);
            }
        }
        let (front, back) = (mac_words(FRONT), mac_words(BACK));
        for (offset, value) in [
            (port::FRONT_MAC_LO, front.0),
            (port::FRONT_MAC_HI, front.1 | ENABLE),
            (port::BACK_MAC_LO, back.0),
            (port::BACK_MAC_HI, back.1),
            (port::REFORWARD, 0),
        ] {
            self.write32(offset, value);
        }
    }

    pub fn configure(&mut self, bus_master: bool, mps: u8, mrrs: u8) {
        self.card.configure(&PciConfig {
            memory: true,
            bus_master,
            msix_enable: true,
            mps,
            mrrs,
            timeout: 1,
            ..PciConfig::default()
        });
    }

    pub fn reset(&mut self) {
        self.card.function_reset();
        self.configure(true, 1, 2);
    }

    pub fn restart(&mut self) {
        self.card.function_reset();
        self.start();
    }

    pub fn read32(&mut self, offset: u32) -> u32 {
        self.card.read32(offset)
    }

    pub fn write32(&mut self, offset: u32, value: u32) {
        self.card.write32(offset, value);
    }

    /// Room in memory.
    pub fn allocate(&mut self, bytes: usize, align: u64) -> u64 {
        let at = self.next.next_multiple_of(align);
        self.next = at + bytes as u64;
        assert!(self.next <= BASE + SIZE as u64);
        at
    }

    /// Gives the room of buffers that are no longer used back; rings stay.
    pub fn rewind(&mut self) {
        self.next = BASE + SIZE as u64 / 2;
    }

    /// Runs until the card is idle.
    pub fn settle(&mut self) {
        for _ in 0..2000 {
            if !self.card.run(256) {
                return;
            }
        }
        panic!("{}: the card does not come to rest", self.name);
    }

    /// Starts a queue with rings of `1 << bits` entries.
    pub fn queue(&mut self, id: QueueId, bits: u32) -> Ring {
        let bytes = 16 << bits;
        let (descriptors, completions) = (self.allocate(bytes, bytes as u64), self.allocate(bytes, bytes as u64));
        self.queue_at(id, bits, descriptors, completions)
    }

    pub fn queue_at(&mut self, id: QueueId, bits: u32, descriptors: u64, completions: u64) -> Ring {
        self.memory.put(completions, &vec![0; 16 << bits]);
        let register = |r| regs::queue(id as usize, r);
        for (r, value) in [
            (queues::DESCRIPTORS_LO, descriptors as u32),
            (queues::DESCRIPTORS_HI, (descriptors >> 32) as u32),
            (queues::COMPLETIONS_LO, completions as u32),
            (queues::COMPLETIONS_HI, (completions >> 32) as u32),
            (queues::CONTROL, bits << 8 | 1),
        ] {
            self.write32(register(r), value);
        }
        Ring { id, bits, descriptors, completions, filled: 0, done: 0, buffers: VecDeque::new() }
    }

    fn slot(ring: &Ring, count: u16) -> u64 {
        u64::from(count) % (1 << ring.bits) * 16
    }

    /// Fills a receive descriptor; the doorbell is [`Rig::ring`].
    pub fn offer(&mut self, ring: &mut Ring, address: u64, length: usize) {
        let d = ReceiveDescriptor { address: address.into(), length: (length as u32).into(), ..Default::default() };
        self.memory.put(ring.descriptors + Self::slot(ring, ring.filled), d.as_bytes());
        ring.filled = ring.filled.wrapping_add(1);
        ring.buffers.push_back((address, length));
    }

    /// Fills a transmit descriptor.
    pub fn send(&mut self, ring: &mut Ring, d: TransmitDescriptor) {
        self.memory.put(ring.descriptors + Self::slot(ring, ring.filled), d.as_bytes());
        ring.filled = ring.filled.wrapping_add(1);
        ring.buffers.push_back((d.address.get(), d.length.get().into()));
    }

    /// Tells the card.
    pub fn ring(&mut self, ring: &Ring) {
        self.write32(regs::queue(ring.id as usize, queues::TAIL), ring.filled.into());
    }

    /// The next completion, if it has come.
    pub fn completion(&mut self, ring: &mut Ring) -> Option<Completion> {
        let bytes = self.memory.get(ring.completions + Self::slot(ring, ring.done), 16);
        let mut c = Completion::new_zeroed();
        c.as_mut_bytes().copy_from_slice(&bytes);
        let phase = ring.done >> ring.bits & 1 == 0;
        (c.phase() == phase).then(|| {
            ring.done = ring.done.wrapping_add(1);
            c
        })
    }

    /// The next received frame.
    pub fn receive(&mut self, ring: &mut Ring) -> Option<(RxInfo, Vec<u8>)> {
        let c = self.completion(ring)?;
        let (address, _) = ring.buffers.pop_front().expect("a descriptor for each completion");
        assert_eq!(c.status(), Some(ipos_abi::queue::Status::Ok));
        let meta = RxMeta::read_from_bytes(c.as_bytes()).expect("16 bytes");
        let info = meta.info().expect("known codes");
        Some((info, self.memory.get(address, info.length.into())))
    }

    pub fn status(&mut self, id: QueueId) -> (bool, u32) {
        let status = self.read32(regs::queue(id as usize, queues::STATUS));
        (status & 1 != 0, status >> 8 & 0xff)
    }

    pub fn wire_in(&mut self, port: Port, frame: &[u8]) {
        assert!(self.card.wire_in(port, frame, false), "{}: the wire's queue is full", self.name);
    }

    pub fn wire_out(&mut self, port: Port) -> Option<Vec<u8>> {
        let mut frame = Vec::new();
        self.card.wire_out(port, &mut frame).then_some(frame)
    }

    fn counter(&mut self, offset: u32) -> u64 {
        let low = u64::from(self.read32(offset));
        u64::from(self.read32(counters::HIGH)) << 32 | low
    }

    pub fn outcome(&mut self, port: Port, outcome: Outcome) -> u64 {
        self.counter(regs::outcome(port, outcome))
    }

    /// Received = forwarded + to host + dropped, per port.
    pub fn conserved(&mut self) {
        for (port, rx) in [(Port::Front, counters::FRONT_RX), (Port::Back, counters::BACK_RX)] {
            let sum: u64 = Outcome::ALL.iter().map(|&o| self.outcome(port, o)).sum();
            assert_eq!(self.counter(rx), sum, "{}: {port:?}", self.name);
        }
    }
}

/// After every test, whatever it was about: each frame that a port received has its one outcome.
impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.settle();
            self.conserved();
        }
    }
}
