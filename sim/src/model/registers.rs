//! The reference card's registers, tables and counters.
//!
//! Where the register map leaves a choice, this is what it means here: bits of a register that
//! the map does not define read as zero; a COMMIT's slot number is cut to the table's size; and
//! if the host gives a key two entries that differ, the lower bank's wins.

use std::collections::HashMap;

use ipos_abi::regs::{BLOCKS, ENABLE, MAGIC, card, counters, entries, port, queues, tables};
use ipos_abi::rx::Outcome;
use ipos_abi::table::{
    BANKS, DESTINATIONS, ENDPOINT_INDEX_BITS, FORWARD_INDEX_BITS, FlowKey, HASH_BITS, NEIGHBOURS, hash,
};
use ipos_abi::{ABI_VERSION, Port};

/// A staged word is kept at its own offset; none lies above this.
const WORDS: usize = tables::COMMIT_NEIGHBOUR as usize / 4 + 1;

/// A port's settings, decoded.
pub(super) struct PortConfig {
    pub mac: [u8; 6],
    pub promiscuous: bool,
    /// The VLAN that may hit; 0: untagged frames may.
    pub vlan: u16,
}

/// An entry of the destination table.
#[derive(Clone, Copy, Default)]
pub(super) struct Destination {
    pub ip: [u8; 4],
    pub port: u16,
    neighbour: usize,
}

/// One port's counters.
#[derive(Clone, Copy, Default)]
pub(super) struct Counters {
    pub outcome: [u64; 16],
    pub rx: u64,
    pub tx: u64,
}

/// Bank and slot of a table.
pub(super) type Place = (usize, usize);

/// What an entry of the forward table has carried.
#[derive(Clone, Copy, Default)]
struct Carried {
    packets: u32,
    bytes: u64,
    seen: bool,
}

/// A cuckoo table as the card sees it: slots, and which of them a key may be found in.
struct Table {
    index_bits: usize,
    banks: [Vec<Option<(u128, u32)>>; BANKS],
}

impl Table {
    fn new(index_bits: usize) -> Self {
        Table { index_bits, banks: std::array::from_fn(|_| vec![None; 1 << index_bits]) }
    }

    /// The slot that a COMMIT or SELECT word names.
    fn place(&self, word: u32) -> Place {
        ((word >> 16) as usize % BANKS, word as usize & ((1 << HASH_BITS) - 1) & ((1 << self.index_bits) - 1))
    }

    fn commit(&mut self, word: u32, key: u128, value: u32) {
        let (bank, slot) = self.place(word);
        self.banks[bank][slot] = (word & ENABLE != 0).then_some((key, value));
    }

    fn lookup(&self, key: u128) -> Option<(u32, Place)> {
        self.banks.iter().enumerate().find_map(|(bank, slots)| {
            let slot = hash(bank, key, self.index_bits) as usize;
            let (stored, value) = slots[slot]?;
            (stored == key).then_some((value, (bank, slot)))
        })
    }
}

/// Everything that the register bus reaches.
pub(super) struct Registers {
    build: u32,
    words: [u32; WORDS],
    forward: Table,
    endpoint: Table,
    /// Addresses of the ports: taken whole, with their high words.
    macs: [[u8; 6]; 2],
    destinations: [Destination; DESTINATIONS],
    neighbours: [Option<[u8; 6]>; NEIGHBOURS],
    pub counters: [Counters; 2],
    high: u32,
    carried: HashMap<Place, Carried>,
    selected: Carried,
}

impl Registers {
    pub fn new(build: u32) -> Self {
        let mut words = [0; WORDS];
        words[port::ETHERTYPE as usize / 4] = 0x0007;
        words[port::REFORWARD as usize / 4] = 1;
        Registers {
            build,
            words,
            forward: Table::new(FORWARD_INDEX_BITS),
            endpoint: Table::new(ENDPOINT_INDEX_BITS),
            macs: Default::default(),
            destinations: [Destination::default(); DESTINATIONS],
            neighbours: [None; NEIGHBOURS],
            counters: [Counters::default(); 2],
            high: 0,
            carried: HashMap::new(),
            selected: Carried::default(),
        }
    }

    pub fn read(&mut self, offset: u32) -> u32 {
        match offset {
            card::MAGIC => MAGIC,
            card::ABI => ABI_VERSION,
            card::BUILD => self.build,
            card::WIDTH => 64,
            card::PORTS => 2,
            card::FORWARD_SLOTS => FORWARD_INDEX_BITS as u32,
            card::ENDPOINT_SLOTS => ENDPOINT_INDEX_BITS as u32,
            card::CLOCK_KHZ => 0,
            counters::HIGH => self.high,
            entries::PACKETS => self.selected.packets & 0x7fff_ffff,
            entries::BYTES_LO => self.selected.bytes as u32,
            entries::BYTES_HI => (self.selected.bytes >> 32) as u32 & 0xff,
            entries::SEEN => self.selected.seen.into(),
            _ if writable(offset) != 0 => self.words[offset as usize / 4],
            _ => match (self.counter(offset), block_word(offset)) {
                (Some(count), _) => {
                    self.high = (count >> 32) as u32;
                    count as u32
                }
                (None, word) => word.unwrap_or(0),
            },
        }
    }

    pub fn write(&mut self, offset: u32, value: u32) {
        match offset {
            tables::COMMIT_FORWARD => {
                self.forward.commit(value, self.staged_key(), self.word(tables::VALUE) & 0x3ff);
                self.carried.remove(&self.forward.place(value));
            }
            entries::SELECT => {
                let carried = self.carried.entry(self.forward.place(value)).or_default();
                self.selected = *carried;
                carried.seen &= value & ENABLE == 0;
            }
            tables::COMMIT_ENDPOINT => self.endpoint.commit(value, self.staged_key(), self.word(tables::VALUE)),
            tables::COMMIT_DEST => {
                let port = self.word(tables::DEST_PORT);
                self.destinations[value as usize % DESTINATIONS] = Destination {
                    ip: self.word(tables::DEST_IP).to_be_bytes(),
                    port: port as u16,
                    neighbour: (port >> 16) as usize % NEIGHBOURS,
                };
            }
            tables::COMMIT_NEIGHBOUR => {
                let valid = self.word(tables::NEIGHBOUR_HI) & ENABLE != 0;
                self.neighbours[value as usize % NEIGHBOURS] =
                    valid.then(|| self.mac(tables::NEIGHBOUR_LO, tables::NEIGHBOUR_HI));
            }
            _ => {
                let bits = writable(offset);
                if bits != 0 {
                    self.words[offset as usize / 4] = value & bits;
                }
                match offset {
                    port::FRONT_MAC_HI => self.macs[0] = self.mac(port::FRONT_MAC_LO, port::FRONT_MAC_HI),
                    port::BACK_MAC_HI => self.macs[1] = self.mac(port::BACK_MAC_LO, port::BACK_MAC_HI),
                    _ => {}
                }
            }
        }
    }

    pub fn ethertype(&self) -> u16 {
        self.word(port::ETHERTYPE) as u16
    }

    pub fn port(&self, which: Port) -> PortConfig {
        let (hi, vlan) = match which {
            Port::Front => (port::FRONT_MAC_HI, port::FRONT_VLAN),
            Port::Back => (port::BACK_MAC_HI, port::BACK_VLAN),
        };
        let vlan = self.word(vlan);
        PortConfig {
            mac: self.macs[which as usize],
            promiscuous: self.word(hi) & ENABLE != 0,
            vlan: if vlan & ENABLE != 0 { vlan as u16 & 0xfff } else { 0 },
        }
    }

    /// Destination, action bits and place of a key in the forward table.
    pub fn lookup_forward(&self, key: &FlowKey) -> Option<(u8, u32, Place)> {
        let (value, place) = self.forward.lookup(key.bits())?;
        Some((value as u8, value >> 8 & 3, place))
    }

    /// Counts a packet that an entry forwarded, `total` bytes of IP.
    pub fn carried(&mut self, place: Place, total: usize) {
        let carried = self.carried.entry(place).or_default();
        carried.packets += 1;
        carried.bytes += total as u64;
        carried.seen = true;
    }

    /// The reference of a key in the endpoint table.
    pub fn lookup_endpoint(&self, key: &FlowKey) -> Option<u32> {
        self.endpoint.lookup(key.bits()).map(|(reference, _)| reference)
    }

    /// A destination, and the MAC of its neighbour if that is valid.
    pub fn destination(&self, index: u8) -> (Destination, Option<[u8; 6]>) {
        let destination = self.destinations[usize::from(index)];
        (destination, self.neighbours[destination.neighbour])
    }

    pub fn count(&mut self, port: Port, outcome: Outcome) {
        self.counters[port as usize].outcome[outcome as usize] += 1;
    }

    fn word(&self, offset: u32) -> u32 {
        self.words[offset as usize / 4]
    }

    fn mac(&self, lo: u32, hi: u32) -> [u8; 6] {
        let (lo, hi) = (self.word(lo).to_be_bytes(), self.word(hi).to_be_bytes());
        [hi[2], hi[3], lo[0], lo[1], lo[2], lo[3]]
    }

    fn staged_key(&self) -> u128 {
        [tables::KEY3, tables::KEY2, tables::KEY1, tables::KEY0]
            .iter()
            .fold(0, |key, &offset| key << 32 | u128::from(self.word(offset)))
    }

    /// The counter whose low word is at `offset`.
    fn counter(&self, offset: u32) -> Option<u64> {
        let [front, back] = &self.counters;
        let nth = |base: u32| offset.checked_sub(base).map(|o| o as usize / 4).filter(|&n| n < 16);
        match offset {
            counters::FRONT_RX => Some(front.rx),
            counters::FRONT_TX => Some(front.tx),
            counters::BACK_RX => Some(back.rx),
            counters::BACK_TX => Some(back.tx),
            _ => nth(counters::FRONT_OUTCOME)
                .map(|n| front.outcome[n])
                .or_else(|| nth(counters::BACK_OUTCOME).map(|n| back.outcome[n])),
        }
    }
}

/// The defined bits of a read-write register; zero for every other offset.
fn writable(offset: u32) -> u32 {
    match offset {
        port::ETHERTYPE | port::REFORWARD => 0xffff,
        port::FRONT_MAC_HI | port::BACK_MAC_HI | tables::NEIGHBOUR_HI => ENABLE | 0xffff,
        port::FRONT_VLAN | port::BACK_VLAN => ENABLE | 0xfff,
        tables::KEY3 => 1,
        tables::DEST_PORT => 0xf_ffff,
        port::FRONT_MAC_LO
        | port::BACK_MAC_LO
        | tables::KEY0
        | tables::KEY1
        | tables::KEY2
        | tables::VALUE
        | tables::DEST_IP
        | tables::NEIGHBOUR_LO => u32::MAX,
        _ => 0,
    }
}

/// The two words at the head of each block: type and version, offset of the next block.
fn block_word(offset: u32) -> Option<u32> {
    // the blocks from the queues on are not the pipelines'
    BLOCKS.iter().enumerate().filter(|(_, block)| block.offset < queues::BASE).find_map(|(i, block)| {
        match offset.checked_sub(block.offset)? {
            0 => Some(u32::from(block.kind) << 16 | u32::from(block.version)),
            4 => Some(BLOCKS.get(i + 1).map_or(0, |next| next.offset)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipos_abi::regs::outcome;

    #[test]
    fn the_high_word_belongs_to_the_low_word_read_last() {
        let mut registers = Registers::new(0);
        registers.counters[0].outcome[Outcome::ToHost as usize] = 0x1_ffff_ffff;
        registers.counters[1].tx = 0x7_0000_0005;
        assert_eq!(registers.read(outcome(Port::Front, Outcome::ToHost)), 0xffff_ffff);
        registers.count(Port::Front, Outcome::ToHost);
        assert_eq!(registers.read(counters::HIGH), 1, "as it was when the low word was read");
        assert_eq!(registers.read(counters::BACK_TX), 5);
        assert_eq!(registers.read(port::ETHERTYPE), 7);
        assert_eq!((registers.read(counters::HIGH), registers.read(counters::HIGH)), (7, 7));
        assert_eq!(registers.read(outcome(Port::Front, Outcome::ToHost)), 0);
        assert_eq!(registers.read(counters::HIGH), 2);
    }

    #[test]
    fn the_blocks_form_a_list_and_only_defined_bits_are_kept() {
        let mut registers = Registers::new(0xb1d);
        let (mut offset, mut kinds) = (0, Vec::new());
        loop {
            kinds.push(registers.read(offset));
            offset = registers.read(offset + 4);
            if offset == 0 || kinds.len() > BLOCKS.len() {
                break;
            }
        }
        assert_eq!(kinds, [0x1_0001, 0x2_0002, 0x3_0001, 0x5_0001, 0x4_0001, 0]);
        for offset in (0..0x1_0000).step_by(4) {
            let before = registers.read(offset);
            registers.write(offset, u32::MAX);
            let kept = match offset {
                0x108 | 0x130 => 0xffff,
                0x114 | 0x124 | 0x244 => 0x8000_ffff,
                0x118 | 0x128 => 0x8000_0fff,
                0x214 => 1,
                0x234 => 0x000f_ffff,
                0x110 | 0x120 | 0x208 | 0x20c | 0x210 | 0x218 | 0x230 | 0x240 => u32::MAX,
                _ => before,
            };
            assert_eq!(registers.read(offset), kept, "{offset:#x}");
        }
    }
}
