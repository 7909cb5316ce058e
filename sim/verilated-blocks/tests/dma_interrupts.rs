//! MSI-X by the specification (PCI 3.0, 6.8.2): each vector's own message, once for any number of raises; none while it is
//! masked, by whatever mask and whenever that was set, and its pending bit tells; all of them when it is unmasked.

use ipos_abi::regs::{MSIX_PENDING, MSIX_TABLE};
use ipos_verilated_blocks::{Beat, Clocked, dma_interrupts, seeded};
use rand::Rng;

struct Rig {
    block: dma_interrupts::Model,
    ready: bool,
    /// Address and data of the messages that were handed over.
    sent: Vec<(u64, u32)>,
    /// A message stands at the port.
    shown: bool,
}

fn address(vector: u32) -> u64 {
    0x1_0000_fee0_0000 + 0x40 * u64::from(vector)
}

fn data(vector: u32) -> u32 {
    0xabcd_0000 | vector
}

impl Rig {
    fn new(seed: u32) -> Self {
        let mut block = dma_interrupts::Model::new(Some(seed));
        block.set_master(1);
        block.set_enable(1);
        block.restart();
        let mut rig = Rig { block, ready: true, sent: Vec::new(), shown: false };
        rig.cycles(40);
        for vector in 0..6 {
            let words = [address(vector) as u32, (address(vector) >> 32) as u32, data(vector), 0];
            for (i, word) in words.into_iter().enumerate() {
                rig.write(MSIX_TABLE + 16 * vector + 4 * i as u32, word);
            }
        }
        rig
    }

    fn cycle(&mut self) -> bool {
        let b = &mut self.block;
        b.set_ready(self.ready.into());
        b.low();
        self.shown = b.valid() != 0;
        if self.shown && self.ready {
            let (target, beat) = (*b.target(), Beat::unpack(b.beat()));
            assert_eq!((beat.cnt, beat.last), (3, 1), "four bytes");
            self.sent.push((u64::from(target[0]) | u64::from(target[1]) << 32, beat.data as u32));
        }
        let ack = b.ack() != 0;
        b.rise();
        b.set_raise(0);
        ack
    }

    fn cycles(&mut self, n: u32) {
        (0..n).for_each(|_| {
            self.cycle();
        });
    }

    fn access(&mut self, offset: u32, write: Option<u32>) -> u32 {
        self.block.set_address(offset as u16);
        self.block.set_wdata(write.unwrap_or(0));
        self.block.set_write(write.is_some().into());
        self.block.set_read(write.is_none().into());
        for _ in 0..100 {
            self.block.low();
            let value = self.block.rdata();
            if self.cycle() {
                self.block.set_write(0);
                self.block.set_read(0);
                return value;
            }
        }
        panic!("no answer at {offset:#x}");
    }

    fn write(&mut self, offset: u32, value: u32) {
        self.access(offset, Some(value));
    }

    fn mask(&mut self, vector: u32, masked: bool) {
        self.write(MSIX_TABLE + 16 * vector + 12, masked.into());
    }

    fn pending(&mut self) -> u32 {
        self.access(MSIX_PENDING, None)
    }
}

/// A mask that comes at any moment after a raise: the message has gone out by then, or it stays pending.
#[test]
fn a_mask_holds_back_what_was_chosen() {
    let mut held = 0;
    for delay in 0..24 {
        for vector in 0..6 {
            for how in 0..3 {
                let mut rig = Rig::new(1);
                rig.block.set_raise(1 << vector);
                rig.cycle();
                rig.cycles(delay);
                match how {
                    0 => rig.mask(vector, true),
                    1 => rig.block.set_mask(1),
                    _ => rig.block.set_enable(0),
                }
                // what stands at the port may not be taken back
                rig.cycle();
                let shown = usize::from(rig.shown && rig.sent.is_empty());
                let before = rig.sent.len() + shown;
                rig.cycles(60);
                assert_eq!(rig.sent.len(), before, "sent although masked: {delay}, {vector}, {how}");
                let pending = rig.pending();
                assert_eq!(pending, if before == 0 { 1 << vector } else { 0 }, "{delay}, {vector}, {how}");
                held += 1 - before;
                match how {
                    0 => rig.mask(vector, false),
                    1 => rig.block.set_mask(0),
                    _ => rig.block.set_enable(1),
                }
                rig.cycles(60);
                assert_eq!(rig.sent, [(address(vector), data(vector))], "once in all");
                assert_eq!(rig.pending(), 0);
            }
        }
    }
    println!("{held} held back");
    assert!(held > 50);
}

/// Random raises, masks and a slow port: no message that nobody raised; after a raise comes a message, or it is pending.
#[test]
fn each_raise_is_followed_by_its_message() {
    /// Raises less messages, and whether no message came after the last raise.
    fn note(rig: &Rig, vectors: &mut [(u32, bool); 6], from: usize) {
        for &(at, value) in &rig.sent[from..] {
            let vector = value & 7;
            assert_eq!((at, value), (address(vector), data(vector)));
            let (raised, fresh) = &mut vectors[vector as usize];
            *raised = raised.checked_sub(1).expect("somebody raised it");
            *fresh = false;
        }
    }
    let mut rng = seeded();
    for _ in 0..20 {
        let mut rig = Rig::new(rng.random());
        let (mut vectors, mut masked) = ([(0, false); 6], [false; 6]);
        for _ in 0..1_500 {
            let raised: u8 = if rng.random_range(0..10) == 0 { rng.random_range(0..64) } else { 0 };
            rig.ready = rng.random_range(0..4) > 0;
            let before = rig.sent.len();
            rig.block.set_raise(raised);
            rig.cycle();
            note(&rig, &mut vectors, before);
            (0..6).filter(|v| raised >> v & 1 == 1).for_each(|v| vectors[v] = (vectors[v].0 + 1, true));
            if rng.random_range(0..40) == 0 {
                let vector = rng.random_range(0..6);
                masked[vector] = !masked[vector];
                rig.ready = true;
                let before = rig.sent.len();
                rig.mask(vector as u32, masked[vector]);
                note(&rig, &mut vectors, before);
            }
        }
        rig.ready = true;
        let before = rig.sent.len();
        rig.cycles(200);
        note(&rig, &mut vectors, before);
        let pending = rig.pending();
        for v in 0..6 {
            let waits = pending >> v & 1 == 1;
            assert!(!vectors[v].1 || waits, "vector {v} was forgotten");
            assert!(!waits || masked[v], "vector {v} waits for nothing");
        }
    }
}
