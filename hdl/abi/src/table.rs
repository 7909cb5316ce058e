//! Keys, values and hash functions of the card's lookup tables.
//!
//! Forward and endpoint tables are cuckoo hash tables of [`BANKS`] banks with one slot per
//! bank and index. The host computes placement and displacement with [`hash`]; the fabric
//! computes the same hash bits from the same [`MASKS`].

/// Banks of a cuckoo table: one slot each for a key.
pub const BANKS: usize = 4;
/// Bits of a key: protocol 1, source IP 32, source port 16, destination IP 32, destination port 16.
pub const KEY_BITS: usize = 97;
/// Hash bits computed per bank: the largest supported log2(slots per bank).
pub const HASH_BITS: usize = 12;

/// log2(slots per bank) of the forward table: 4 × 1,024 = 4,096 slots.
pub const FORWARD_INDEX_BITS: usize = 10;
/// log2(slots per bank) of the endpoint table: 4 × 512 = 2,048 slots.
pub const ENDPOINT_INDEX_BITS: usize = 9;
/// Entries of the destination table.
pub const DESTINATIONS: usize = 256;
/// Entries of the neighbour table.
pub const NEIGHBOURS: usize = 16;

/// Transport protocol of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Protocol {
    /// IP protocol 6, ipOS protocol 1.
    Tcp = 0,
    /// IP protocol 17, ipOS protocol 2.
    Udp = 1,
}

/// The five-tuple that both tables are keyed by, as a packet from the client carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The client's address.
    pub src_ip: [u8; 4],
    /// The client's port.
    pub src_port: u16,
    /// The service's address.
    pub dst_ip: [u8; 4],
    /// The service's port.
    pub dst_port: u16,
}

impl FlowKey {
    /// The key as the fabric compares it: bit 96 protocol (1 = UDP), 95:64 source IP,
    /// 63:48 source port, 47:16 destination IP, 15:0 destination port.
    #[must_use]
    pub const fn bits(&self) -> u128 {
        (self.protocol as u128) << 96
            | (u32::from_be_bytes(self.src_ip) as u128) << 64
            | (self.src_port as u128) << 48
            | (u32::from_be_bytes(self.dst_ip) as u128) << 16
            | self.dst_port as u128
    }

    /// The key with these [`bits`](FlowKey::bits).
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        FlowKey {
            protocol: if bits >> 96 & 1 == 0 { Protocol::Tcp } else { Protocol::Udp },
            src_ip: ((bits >> 64) as u32).to_be_bytes(),
            src_port: (bits >> 48) as u16,
            dst_ip: ((bits >> 16) as u32).to_be_bytes(),
            dst_port: bits as u16,
        }
    }

    /// The key as the four staging registers take it, bits 31:0 first.
    #[must_use]
    pub const fn words(&self) -> [u32; 4] {
        let b = self.bits();
        [b as u32, (b >> 32) as u32, (b >> 64) as u32, (b >> 96) as u32]
    }
}

/// What a forward entry does with a packet that hits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Action {
    /// Encapsulate and send to the entry's destination.
    Forward = 0,
    /// Give to the host (held while an endpoint moves).
    Host = 1,
    /// Drop.
    Drop = 2,
}

/// Value of a forward entry: 10 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ForwardValue {
    /// Index into the destination table.
    pub destination: u8,
    /// What to do.
    pub action: Action,
}

impl ForwardValue {
    /// As the value staging register takes it: destination 7:0, action 9:8.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.destination as u32 | (self.action as u32) << 8
    }
}

/// Key masks of the H3 hash family: bit `i` of bank `b`'s hash is the parity of
/// `key & MASKS[b][i]`. Drawn once by a fixed splitmix64 sequence, so that software,
/// fabric and models agree by construction.
pub const MASKS: [[u128; HASH_BITS]; BANKS] = masks();

const fn masks() -> [[u128; HASH_BITS]; BANKS] {
    let mut out = [[0u128; HASH_BITS]; BANKS];
    let mut state = 0x6970_4f53_2026_0001u64; // "ipOS"
    let mut b = 0;
    while b < BANKS {
        let mut i = 0;
        while i < HASH_BITS {
            let mut word = 0u128;
            let mut half = 0;
            while half < 2 {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                word = word << 64 | (z ^ (z >> 31)) as u128;
                half += 1;
            }
            out[b][i] = word & ((1 << KEY_BITS) - 1);
            i += 1;
        }
        b += 1;
    }
    out
}

/// The slot index of `key` (as [`FlowKey::bits`]) in bank `bank` of a table with
/// `1 << index_bits` slots per bank.
#[must_use]
pub const fn hash(bank: usize, key: u128, index_bits: usize) -> u32 {
    let mut out = 0;
    let mut i = 0;
    while i < index_bits {
        out |= ((key & MASKS[bank][i]).count_ones() & 1) << i;
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_layout() {
        let k =
            FlowKey { protocol: Protocol::Udp, src_ip: [1, 2, 3, 4], src_port: 5, dst_ip: [6, 7, 8, 9], dst_port: 10 };
        assert_eq!(k.bits(), 0x1_0102_0304_0005_0607_0809_000a);
        assert_eq!(k.words(), [0x0809_000a, 0x0005_0607, 0x0102_0304, 1]);
        assert_eq!(FlowKey::from_bits(k.bits()), k);
    }

    #[test]
    fn banks_hash_differently_and_evenly() {
        // one client, all its ports: the worst usual case for a linear hash
        let mut count = [[0u32; 1024]; BANKS];
        for port in 0..=u16::MAX {
            let k = FlowKey {
                protocol: Protocol::Tcp,
                src_ip: [10, 0, 0, 1],
                src_port: port,
                dst_ip: [10, 0, 0, 2],
                dst_port: 80,
            };
            for (b, c) in count.iter_mut().enumerate() {
                c[hash(b, k.bits(), 10) as usize] += 1;
            }
        }
        for c in &count {
            assert!(c.iter().all(|&n| n == 64), "16 port bits map evenly onto 10 index bits");
        }
        assert_ne!(count[0].as_ptr(), count[1].as_ptr());
    }
}
