//! The card's registers, read back as the kernel's tables.

use std::collections::HashMap;
use std::net::SocketAddrV4;

use ipos_abi::regs::{ENABLE, port, tables};
use ipos_abi::table::{ENDPOINT_INDEX_BITS, FORWARD_INDEX_BITS, FlowKey, hash};
use ipos_kernel::table::{Action, Entry, Owner, Peer};
use ipos_kernel::{Config, KernelCard};

/// The card's registers, as far as the traffic writes them, and the flows that they mean.
#[derive(Default)]
pub struct Mirror {
    words: HashMap<u32, u32>,
    pub slots: HashMap<(u32, u32), (u128, u32)>,
    destinations: HashMap<u32, (u32, u32)>,
    peers: HashMap<u32, Option<[u8; 6]>>,
    /// The flows in the kernel's table.
    pub now: HashMap<FlowKey, Entry>,
}

impl Mirror {
    pub fn word(&self, offset: u32) -> u32 {
        self.words.get(&offset).copied().unwrap_or(0)
    }

    pub fn mac(&self, low: u32, high: u32) -> [u8; 6] {
        let (low, high) = (self.word(low).to_be_bytes(), self.word(high).to_be_bytes());
        [high[2], high[3], low[0], low[1], low[2], low[3]]
    }

    pub fn write(&mut self, offset: u32, value: u32) {
        match offset {
            tables::COMMIT_FORWARD | tables::COMMIT_ENDPOINT => {
                let key = [tables::KEY3, tables::KEY2, tables::KEY1, tables::KEY0];
                let key = key.iter().fold(0u128, |k, o| k << 32 | u128::from(self.word(*o)));
                let place = (offset, value & !ENABLE);
                if value & ENABLE == 0 {
                    self.slots.remove(&place);
                } else {
                    self.slots.insert(place, (key, self.word(tables::VALUE)));
                }
            }
            tables::COMMIT_DEST => {
                self.destinations.insert(value, (self.word(tables::DEST_IP), self.word(tables::DEST_PORT)));
            }
            tables::COMMIT_NEIGHBOUR => {
                let valid = self.word(tables::NEIGHBOUR_HI) & ENABLE != 0;
                self.peers.insert(value, valid.then(|| self.mac(tables::NEIGHBOUR_LO, tables::NEIGHBOUR_HI)));
            }
            _ => _ = self.words.insert(offset, value),
        }
    }

    /// The flows: a key is found in the slot that its hash names, and nowhere else.
    fn flows(&self) -> HashMap<FlowKey, Entry> {
        let mut flows: HashMap<FlowKey, Entry> = HashMap::new();
        for (&(table, place), &(key, value)) in &self.slots {
            let bits = if table == tables::COMMIT_FORWARD { FORWARD_INDEX_BITS } else { ENDPOINT_INDEX_BITS };
            if hash((place >> 16) as usize, key, bits) != place & 0xffff {
                continue;
            }
            let entry = flows.entry(FlowKey::from_bits(key)).or_default();
            if table == tables::COMMIT_ENDPOINT {
                entry.endpoint = Some(value);
                continue;
            }
            let (ip, port) = self.destinations.get(&(value & 0xff)).copied().unwrap_or_default();
            entry.owner = Owner { address: SocketAddrV4::new(ip.into(), port as u16), peer: (port >> 16 & 15) as u16 };
            entry.action = [Action::Forward, Action::Host, Action::Drop, Action::Drop][(value >> 8 & 3) as usize];
        }
        flows
    }

    /// Makes the kernel's tables and settings what the registers mean.
    pub fn apply(&mut self, card: &mut KernelCard, carried: &mut HashMap<FlowKey, (u64, u64)>) {
        for (&index, mac) in &self.peers {
            card.set_peer(index as u16, mac.map(Peer::Mac).as_ref()).unwrap();
        }
        let wanted = self.flows();
        for key in self.now.keys().filter(|k| !wanted.contains_key(k)) {
            assert!(card.remove(key).unwrap());
            carried.remove(key);
        }
        for (key, entry) in &wanted {
            if self.now.get(key) != Some(entry) {
                card.set(key, entry).unwrap();
                assert_eq!(card.get(key).unwrap(), Some(*entry));
            }
        }
        self.now = wanted;
        let vlan = |o| if self.word(o) & ENABLE != 0 { Some(self.word(o) as u16 & 0xfff) } else { None };
        let change = |c: &mut Config| {
            c.ethertype = self.word(port::ETHERTYPE) as u16;
            c.vlans = [vlan(port::FRONT_VLAN), vlan(port::BACK_VLAN)];
            c.any_address = [port::FRONT_MAC_HI, port::BACK_MAC_HI].map(|o| self.word(o) & ENABLE != 0);
        };
        card.configure(change).unwrap();
    }

    /// Whether two hosts have an entry: their fragments go to the node.
    pub fn has_pair(&self, frame: &[u8]) -> bool {
        self.now.keys().any(|k| frame[26..30] == k.src_ip && frame[30..34] == k.dst_ip)
    }
}
