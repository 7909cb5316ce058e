//! The card whole, as a driver meets it: registers, rings in host memory, interrupts, errors, reset. Each test runs on the
//! Verilated fabric and on the reference, with one driver and one memory model.

mod driver;
mod errors;
mod faults;
mod frames;
mod link;
mod ordering;
mod packets;

use ipos_abi::ABI_VERSION;
use ipos_abi::queue::QUEUES;
use ipos_abi::regs::{self, BLOCKS, card, dma, port, queues, tables};

#[test]
fn the_blocks_form_the_declared_list() {
    for rig in &mut driver::both() {
        let (mut offset, mut found) = (0, Vec::new());
        while found.len() <= BLOCKS.len() {
            let header = rig.read32(offset);
            found.push((offset, header));
            offset = rig.read32(offset + 4);
            if offset == 0 {
                break;
            }
        }
        let declared: Vec<_> =
            BLOCKS.iter().map(|b| (b.offset, u32::from(b.kind) << 16 | u32::from(b.version))).collect();
        assert_eq!(found, declared, "{}", rig.name);
        assert_eq!((rig.read32(card::MAGIC), rig.read32(card::ABI)), (regs::MAGIC, ABI_VERSION));
    }
}

#[test]
fn registers_keep_what_is_written_and_reset_forgets_it() {
    for rig in &mut driver::both() {
        let mut written = vec![
            (port::FRONT_MAC_LO, 0x1234_5678, 0),
            (tables::KEY0, 0xffff_0001, 0),
            (port::ETHERTYPE, 0x88b5, 7),
            (port::REFORWARD, 0, 1),
        ];
        for q in 0..QUEUES {
            for (register, value) in [
                (queues::DESCRIPTORS_LO, 0x1000),
                (queues::DESCRIPTORS_HI, 2),
                (queues::COMPLETIONS_LO, 0x3000),
                (queues::COMPLETIONS_HI, 4),
                (queues::MODERATION, 5),
            ] {
                written.push((regs::queue(q, register), (value + (q as u32)) << 16, 0));
            }
        }
        for w in &mut written {
            if w.0 & 0x3f == queues::MODERATION & 0x3f && w.0 >= queues::BASE && w.0 < dma::BASE {
                w.1 &= 0xffff;
            }
        }
        for &(offset, value, _) in &written {
            rig.write32(offset, value);
        }
        for &(offset, value, _) in &written {
            assert_eq!(rig.read32(offset), value, "{}: {offset:#x}", rig.name);
        }
        rig.reset();
        for &(offset, _, reset) in &written {
            assert_eq!(rig.read32(offset), reset, "{}: {offset:#x} after reset", rig.name);
        }
    }
}
