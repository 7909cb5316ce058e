//! The register file against the map it is declared by (`ipos_abi::regs::BLOCKS`): every register's bits, what it drives,
//! the handshake of commits and the halves of 64-bit counters.

use std::collections::HashMap;

use ipos_abi::regs::{self, Access, BLOCKS, Block, card, counters, entries, port, queues, tables};
use ipos_verilated_blocks::{Clocked, registers, seeded};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

const ACCESSES: u32 = 150_000;
const BUILD: u32 = 0x1234_5678;
const KHZ: u32 = 156_250;
/// What the selected entry has carried.
const SELECTED: [u32; 3] = [0x89ab_cdef, 0x7654_3210, 0xfe];

/// The bits of each register that can be written and read back.
const BITS: &[(u32, u32)] = &[
    (port::ETHERTYPE, 0xffff),
    (port::FRONT_MAC_LO, 0xffff_ffff),
    (port::FRONT_MAC_HI, 0x8000_ffff),
    (port::FRONT_VLAN, 0x8000_0fff),
    (port::BACK_MAC_LO, 0xffff_ffff),
    (port::BACK_MAC_HI, 0x8000_ffff),
    (port::BACK_VLAN, 0x8000_0fff),
    (port::REFORWARD, 0xffff),
    (tables::KEY0, 0xffff_ffff),
    (tables::KEY1, 0xffff_ffff),
    (tables::KEY2, 0xffff_ffff),
    (tables::KEY3, 1),
    (tables::VALUE, 0xffff_ffff),
    (tables::DEST_IP, 0xffff_ffff),
    (tables::DEST_PORT, 0x000f_ffff),
    (tables::NEIGHBOUR_LO, 0xffff_ffff),
    (tables::NEIGHBOUR_HI, 0x8000_ffff),
];

/// The pipelines' blocks: those from the queues on are answered elsewhere.
fn blocks() -> impl Iterator<Item = &'static Block> {
    BLOCKS.iter().filter(|b| b.offset < queues::BASE)
}

/// What answers behind the registers: the lookup's commits, the outcome counters.
#[derive(Default)]
struct Behind {
    commit_in: Option<u32>,
    count_in: Option<u32>,
    counted: Option<u64>,
    forward: u32,
    endpoint: u32,
    dest: u32,
    neighbour: u32,
    select_in: Option<u32>,
    select: u32,
}

struct Bench {
    block: registers::Model,
    rng: SmallRng,
    values: HashMap<u32, u32>,
    /// The low words of the ports' MAC addresses that were taken with the high ones.
    taken: [u32; 2],
    high: u32,
    behind: Behind,
    /// The four plain counters, new in each cycle, since the access began.
    plain: Vec<[u64; 4]>,
}

/// The port and number of an outcome's address.
fn outcome(address: u32) -> Option<(usize, u8)> {
    [counters::FRONT_OUTCOME, counters::BACK_OUTCOME]
        .iter()
        .enumerate()
        .find_map(|(port, &base)| (base..base + 64).contains(&address).then(|| (port, (address - base) as u8 / 4)))
}

impl Bench {
    fn get(&self, address: u32) -> u64 {
        self.values[&address].into()
    }

    /// All that the registers drive.
    fn check_outputs(&self, commit: u32) {
        let (b, enable) = (&self.block, |address| (self.get(address) >> 31) as u8);
        let mac = |lo: u32, hi| (self.get(hi) & 0xffff) << 32 | u64::from(lo);
        assert_eq!(u64::from(b.ethertype()), self.get(port::ETHERTYPE));
        assert_eq!(b.front_mac(), mac(self.taken[0], port::FRONT_MAC_HI));
        assert_eq!(b.front_promiscuous(), enable(port::FRONT_MAC_HI));
        assert_eq!(u64::from(b.front_vlan()), self.get(port::FRONT_VLAN));
        assert_eq!(b.back_mac(), mac(self.taken[1], port::BACK_MAC_HI));
        assert_eq!(b.back_promiscuous(), enable(port::BACK_MAC_HI));
        assert_eq!(u64::from(b.back_vlan()), self.get(port::BACK_VLAN));
        assert_eq!(*b.key(), [tables::KEY0, tables::KEY1, tables::KEY2, tables::KEY3].map(|a| self.values[&a]));
        assert_eq!(u64::from(b.value()), self.get(tables::VALUE));
        assert_eq!(b.dest(), self.get(tables::DEST_PORT) << 32 | self.get(tables::DEST_IP));
        let valid = u64::from(enable(tables::NEIGHBOUR_HI));
        assert_eq!(b.neighbour(), valid << 48 | mac(self.values[&tables::NEIGHBOUR_LO], tables::NEIGHBOUR_HI));
        if b.commit_forward() | b.commit_endpoint() != 0 {
            assert_eq!(
                (u32::from(b.slot()), u32::from(b.bank()), u32::from(b.entry_valid())),
                (commit & 0xfff, commit >> 16 & 3, commit >> 31)
            );
        }
        if b.commit_dest() | b.commit_neighbour() != 0 {
            assert_eq!(u32::from(b.index()), commit & 0xff);
        }
    }

    /// One cycle; the answer, if there is one after the edge.
    fn cycle(&mut self, commit: u32, count: Option<(usize, u8)>) -> Option<u32> {
        let plain: [u64; 4] = self.rng.random();
        self.plain.push(plain);
        let (b, behind, rng) = (&mut self.block, &mut self.behind, &mut self.rng);
        b.set_front_rx(plain[0]);
        b.set_front_tx(plain[1]);
        b.set_back_rx(plain[2]);
        b.set_back_tx(plain[3]);
        let committed = behind.commit_in == Some(0);
        b.set_committed(committed.into());
        b.set_select_done((behind.select_in == Some(0)).into());
        let (front, back): (u64, u64) = rng.random();
        b.set_front_value(front);
        b.set_back_value(back);
        let counted = behind.count_in == Some(0);
        let port = count.map_or(2, |c| c.0);
        b.set_front_ack((counted && port == 0).into());
        b.set_back_ack((counted && port == 1).into());
        if counted {
            behind.counted = Some([front, back][port]);
        }
        b.low();

        let commits = b.commit_forward() | b.commit_endpoint() != 0;
        let counts = b.front_read() | b.back_read() != 0;
        let wait = |left: Option<u32>, on: bool, rng: &mut SmallRng| match left {
            None if on => Some(rng.random_range(0..6)),
            None | Some(0) => None,
            Some(n) => Some(n - 1),
        };
        behind.forward += u32::from(committed && b.commit_forward() != 0);
        behind.endpoint += u32::from(committed && b.commit_endpoint() != 0);
        behind.commit_in = wait(behind.commit_in, commits, rng);
        behind.count_in = wait(behind.count_in, counts, rng);
        behind.select_in = wait(behind.select_in, b.select() != 0, rng);
        if b.select() != 0 {
            behind.select += 1;
            assert_eq!(
                (u32::from(b.select_place()), u32::from(b.forget())),
                ((commit >> 16 & 3) << 12 | commit & 0xfff, commit >> 31)
            );
        }
        behind.dest += u32::from(b.commit_dest());
        behind.neighbour += u32::from(b.commit_neighbour());
        if counts {
            let (port, code) = count.expect("an outcome is being read");
            assert_eq!(
                (b.front_read(), b.back_read(), b.outcome_code()),
                ((port == 0).into(), (port == 1).into(), code)
            );
        }
        self.check_outputs(commit);
        let b = &mut self.block;
        b.rise();
        (b.ack() != 0).then(|| b.rdata())
    }

    fn access(&mut self, address: u32, write: Option<u32>) -> u32 {
        self.plain.clear();
        self.behind = Behind::default();
        let (commit, count) = (write.unwrap_or(0), if write.is_none() { outcome(address) } else { None });
        self.block.set_address(address as u16);
        self.block.set_wdata(write.unwrap_or_else(|| self.rng.random()));
        self.block.set_read(write.is_none().into());
        self.block.set_write(write.is_some().into());
        if let (Some(value), Some((_, bits))) = (write, BITS.iter().find(|b| b.0 == address)) {
            // it shows from the second edge on
            for _ in 0..2 {
                self.block.low();
                self.check_outputs(0);
                self.block.rise();
            }
            self.values.insert(address, value & bits);
            match address {
                port::FRONT_MAC_HI => self.taken[0] = self.values[&port::FRONT_MAC_LO],
                port::BACK_MAC_HI => self.taken[1] = self.values[&port::BACK_MAC_LO],
                _ => {}
            }
            assert_eq!(self.block.ack(), 1, "a plain write is answered at once");
            self.idle(commit);
            return 0;
        }
        let answer = (0..40).find_map(|_| self.cycle(commit, count)).expect("an answer");
        self.idle(commit);
        answer
    }

    /// The master takes its request back with the answer or a cycle later, and may wait.
    fn idle(&mut self, commit: u32) {
        let keep: bool = self.rng.random();
        if !keep {
            self.block.set_read(0);
            self.block.set_write(0);
        }
        for _ in 0..self.rng.random_range(1..3) {
            assert_eq!(self.cycle(commit, None), None, "one answer each");
            self.block.set_read(0);
            self.block.set_write(0);
        }
    }

    /// What a read must give: fixed, stored, or of a counter.
    fn check_read(&mut self, address: u32) {
        let found = self.access(address, None);
        let plain = [counters::FRONT_RX, counters::FRONT_TX, counters::BACK_RX, counters::BACK_TX];
        let wide = if outcome(address).is_some() {
            Some(self.behind.counted.expect("the counter was asked"))
        } else {
            // the value of some cycle of the access, high word and low word of the same
            plain.iter().position(|&a| a == address).map(|i| {
                let seen = self.plain.iter().map(|p| p[i]).find(|&v| v as u32 == found);
                seen.unwrap_or_else(|| panic!("{found:#x} is no value of counter {i}"))
            })
        };
        if let Some(wide) = wide {
            assert_eq!(found, wide as u32, "{address:#x}");
            self.high = (wide >> 32) as u32;
            return;
        }
        assert_eq!(found, self.fixed(address), "{address:#x}");
    }

    fn fixed(&self, address: u32) -> u32 {
        if let Some(i) = blocks().position(|b| (b.offset..b.offset + 8).contains(&address)) {
            let next = BLOCKS.get(i + 1).map_or(0, |b| b.offset);
            let header = u32::from(BLOCKS[i].kind) << 16 | u32::from(BLOCKS[i].version);
            return if address == BLOCKS[i].offset { header } else { next };
        }
        match address {
            card::MAGIC => u32::from_be_bytes(*b"ipOS"),
            card::ABI => ipos_abi::ABI_VERSION,
            card::BUILD => BUILD,
            card::WIDTH => 64,
            card::CLOCK_KHZ => KHZ,
            card::PORTS => 2,
            card::FORWARD_SLOTS => 10,
            card::ENDPOINT_SLOTS => 9,
            entries::PACKETS => SELECTED[0] & 0x7fff_ffff,
            entries::BYTES_LO => SELECTED[0] >> 31 | SELECTED[1] << 1,
            entries::BYTES_HI => (SELECTED[1] >> 31 | SELECTED[2] << 1) & 0xff,
            entries::SEEN => SELECTED[2] >> 7 & 1,
            counters::HIGH => self.high,
            other => self.values.get(&other).copied().unwrap_or(0),
        }
    }

    fn check_write(&mut self, address: u32, value: u32) {
        self.access(address, Some(value));
        let b = &self.behind;
        let strobes = [b.forward, b.endpoint, b.dest, b.neighbour, b.select];
        let commits = [
            tables::COMMIT_FORWARD,
            tables::COMMIT_ENDPOINT,
            tables::COMMIT_DEST,
            tables::COMMIT_NEIGHBOUR,
            entries::SELECT,
        ];
        assert_eq!(strobes, commits.map(|a| u32::from(a == address)), "{address:#x}");
    }
}

#[test]
fn every_register_is_as_declared() {
    let writable: Vec<u32> =
        blocks().flat_map(|b| b.regs).filter(|r| r.access == Access::Rw).map(|r| r.offset).collect();
    assert_eq!(BITS.iter().map(|b| b.0).collect::<Vec<_>>(), writable, "each has its bits in this test");

    let mut rng = seeded();
    let mut block = registers::Model::new(Some(rng.random()));
    block.set_build(BUILD);
    block.set_clock_khz(KHZ);
    block.restart();
    let values = writable
        .iter()
        .map(|&a| {
            (
                a,
                match a {
                    port::ETHERTYPE => 7,
                    port::REFORWARD => 1,
                    _ => 0,
                },
            )
        })
        .collect();
    block.set_selected(&SELECTED);
    let mut bench = Bench { block, rng, values, taken: [0; 2], high: 0, behind: Behind::default(), plain: Vec::new() };
    let declared: Vec<u32> = blocks()
        .flat_map(|b| [b.offset, b.offset + 4].into_iter().chain(b.regs.iter().map(|r| r.offset)))
        .chain((0..16).flat_map(|i| [counters::FRONT_OUTCOME + 4 * i, counters::BACK_OUTCOME + 4 * i]))
        .collect();
    for &address in &declared {
        bench.check_read(address); // after reset
    }
    for _ in 0..ACCESSES {
        let address = match bench.rng.random_range(0..8) {
            0 => bench.rng.random_range(0..0x4000) * 4, // mostly where nothing is
            1 => bench.rng.random_range(0..0x100) * 4,
            2 => counters::HIGH,
            _ => *declared.choose(&mut bench.rng).expect("registers"),
        };
        if bench.rng.random() {
            let value = match bench.rng.random_range(0..8) {
                0 => 0,
                1 => u32::MAX,
                _ => bench.rng.random(),
            };
            bench.check_write(address, value);
        } else {
            bench.check_read(address);
        }
    }
    assert_eq!(regs::MAGIC, u32::from_be_bytes(*b"ipOS"));
}
