//! What the generated traffic knows of the card: ports, flows and the entries written for them.

use std::collections::HashSet;

use ipos_abi::regs::{ENABLE, mac_words, port, tables};
use ipos_abi::table::{
    Action, BANKS, DESTINATIONS, ENDPOINT_INDEX_BITS, FORWARD_INDEX_BITS, FlowKey, ForwardValue, KEY_BITS, NEIGHBOURS,
    Protocol, hash,
};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

const FLOWS: usize = 256;

/// One of the two cuckoo tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Table {
    Forward,
    Endpoint,
}

impl Table {
    fn index_bits(self) -> usize {
        match self {
            Table::Forward => FORWARD_INDEX_BITS,
            Table::Endpoint => ENDPOINT_INDEX_BITS,
        }
    }

    fn commit(self) -> u32 {
        match self {
            Table::Forward => tables::COMMIT_FORWARD,
            Table::Endpoint => tables::COMMIT_ENDPOINT,
        }
    }
}

type Writes = Vec<(u32, u32)>;

pub(super) struct World {
    pub macs: [[u8; 6]; 2],
    pub vlans: [Option<u16>; 2],
    pub ethertype: u16,
    pub flows: Vec<FlowKey>,
    pub neighbours: [[u8; 6]; NEIGHBOURS],
    occupied: HashSet<(Table, usize, u32)>,
    entries: Vec<(Table, usize, u32)>,
}

impl World {
    /// A world and the writes that put a card which was just reset into it.
    pub fn new(rng: &mut StdRng) -> (Self, Writes) {
        let mut mac = || {
            let mut mac: [u8; 6] = rng.random();
            mac[0] &= !1;
            mac
        };
        let macs = [mac(), mac()];
        // few stations, so that re-forwarding meets the frame's own source
        let stations = [mac(), mac(), mac()];
        let neighbours = std::array::from_fn(|i| stations[i % stations.len()]);
        // few addresses and ports, so that keys differ in few bits
        let flows = (0..FLOWS)
            .map(|_| FlowKey {
                protocol: if rng.random() { Protocol::Tcp } else { Protocol::Udp },
                src_ip: [10, 0, rng.random_range(0..3), rng.random()],
                src_port: rng.random(),
                dst_ip: [192, 168, 7, rng.random_range(1..4)],
                dst_port: *[80, 443, 7].choose(rng).unwrap_or(&80),
            })
            .collect();
        let mut world = World {
            macs,
            vlans: [None; 2],
            ethertype: 0x0007,
            flows,
            neighbours,
            occupied: HashSet::new(),
            entries: Vec::new(),
        };
        // a model of frames has no cycles for the re-forwarding bound to count
        let mut writes = vec![(port::REFORWARD, 0)];
        world.write_port(rng, &mut writes, 0);
        world.write_port(rng, &mut writes, 1);
        for index in 0..NEIGHBOURS as u32 {
            world.write_neighbour(rng, &mut writes, index);
        }
        for index in 0..DESTINATIONS as u32 {
            write_destination(rng, &mut writes, index);
        }
        for _ in 0..3 * FLOWS {
            world.add(rng, &mut writes);
        }
        (world, writes)
    }

    /// One random change of the card's state.
    pub fn change(&mut self, rng: &mut StdRng, writes: &mut Writes) {
        match rng.random_range(0..100) {
            // an add may find its slot taken: with these odds three quarters of the flows have entries
            0..64 => self.add(rng, writes),
            64..80 => self.remove(rng, writes),
            80..88 => {
                let index = rng.random_range(0..DESTINATIONS as u32);
                write_destination(rng, writes, index);
            }
            88..94 => {
                let index = rng.random_range(0..NEIGHBOURS as u32);
                self.write_neighbour(rng, writes, index);
            }
            94..99 => {
                let which = rng.random_range(0..2);
                self.write_port(rng, writes, which);
            }
            _ => {
                self.ethertype = *[0x0007, 0x88b5].choose(rng).unwrap_or(&7);
                writes.push((port::ETHERTYPE, u32::from(self.ethertype)));
            }
        }
    }

    /// Adds an entry: mostly where lookups find it, sometimes where they must not.
    fn add(&mut self, rng: &mut StdRng, writes: &mut Writes) {
        let Some(key) = self.flows.choose(rng).map(FlowKey::bits) else { return };
        let table = if rng.random_ratio(1, 3) { Table::Endpoint } else { Table::Forward };
        let bank = rng.random_range(0..BANKS);
        let slot = hash(bank, key, table.index_bits());
        let (stored, slot) = match rng.random_range(0..10) {
            // another key, different in one bit, in the slot that the lookup reads
            0 => (key ^ 1 << rng.random_range(0..KEY_BITS), slot),
            // the right key in a slot that no lookup reads for it
            1 => (key, slot ^ 1 << rng.random_range(0..table.index_bits())),
            _ => (key, slot),
        };
        // a key has one entry at most: which of two would win is nobody's promise
        let twice = (0..BANKS).any(|b| self.occupied.contains(&(table, b, hash(b, stored, table.index_bits()))));
        if twice || !self.occupied.insert((table, bank, slot)) {
            return;
        }
        self.entries.push((table, bank, slot));
        let value = match table {
            Table::Endpoint => rng.random(),
            Table::Forward => {
                let action = *[Action::Forward, Action::Forward, Action::Forward, Action::Host, Action::Drop]
                    .choose(rng)
                    .unwrap_or(&Action::Forward);
                ForwardValue { destination: rng.random(), action }.bits()
            }
        };
        for (i, offset) in [tables::KEY0, tables::KEY1, tables::KEY2, tables::KEY3].into_iter().enumerate() {
            writes.push((offset, (stored >> (32 * i)) as u32));
        }
        writes.push((tables::VALUE, value));
        writes.push((table.commit(), ENABLE | (bank as u32) << 16 | slot));
    }

    fn remove(&mut self, rng: &mut StdRng, writes: &mut Writes) {
        if self.entries.is_empty() {
            return;
        }
        let entry = self.entries.swap_remove(rng.random_range(0..self.entries.len()));
        self.occupied.remove(&entry);
        let (table, bank, slot) = entry;
        writes.push((table.commit(), (bank as u32) << 16 | slot));
    }

    fn write_port(&mut self, rng: &mut StdRng, writes: &mut Writes, which: usize) {
        let (low, high, vlan) = [
            (port::FRONT_MAC_LO, port::FRONT_MAC_HI, port::FRONT_VLAN),
            (port::BACK_MAC_LO, port::BACK_MAC_HI, port::BACK_VLAN),
        ][which];
        // ID 0 is that of untagged frames
        self.vlans[which] =
            rng.random_ratio(1, 3).then(|| if rng.random_ratio(1, 8) { 0 } else { rng.random_range(1..4095) });
        let (mac_low, mac_high) = mac_words(self.macs[which]);
        writes.push((low, mac_low));
        writes.push((high, mac_high | if rng.random_ratio(1, 5) { ENABLE } else { 0 }));
        // the ID's bits stay while the setting is off: they must not matter
        let id = rng.random_range(0..4096);
        writes.push((vlan, self.vlans[which].map_or(id, |id| ENABLE | u32::from(id))));
    }

    fn write_neighbour(&self, rng: &mut StdRng, writes: &mut Writes, index: u32) {
        let (low, high) = mac_words(self.neighbours[index as usize]);
        writes.push((tables::NEIGHBOUR_LO, low));
        writes.push((tables::NEIGHBOUR_HI, high | if rng.random_ratio(1, 8) { 0 } else { ENABLE }));
        writes.push((tables::COMMIT_NEIGHBOUR, index));
    }
}

fn write_destination(rng: &mut StdRng, writes: &mut Writes, index: u32) {
    writes.push((tables::DEST_IP, rng.random()));
    writes.push((tables::DEST_PORT, rng.random_range(0..1 << 20)));
    writes.push((tables::COMMIT_DEST, index));
}
