//! Keys, values and hash functions of the card's lookup tables.
//!
//! Forward and endpoint tables are cuckoo hash tables of [`BANKS`] banks with one slot per
//! bank and index. The host computes placement and displacement with [`hash`]; the fabric
//! computes the same bits from the same [`SPREAD`] and [`ROUNDS`].

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

/// Bits of the word that hashing works on: the hashes of all banks, bank 0 in the lowest [`HASH_BITS`].
pub const WORD_BITS: usize = BANKS * HASH_BITS;

/// How hashing begins: bit `k` of the key flips the bits [`SPREAD`]`[k]` of the word, three of them (two, should two
/// deals agree). Drawn once by a fixed splitmix64 sequence, so that software, fabric and models agree by construction.
pub const SPREAD: [u64; KEY_BITS] = spread();

/// How it goes on: with each `[a, b, c]`, `w ^ rot(w, a) ^ (rot(w, b) & rot(w, c))`, a LUT of four inputs for each bit.
/// The products matter: without them keys that differ in a few bits only, as one client's ports do, would share slots.
/// Rotations and [`SPREAD`]'s seed are those of many that filled tables of such keys best, to 96 % on average.
pub const ROUNDS: [[u32; 3]; 2] = [[36, 38, 5], [29, 39, 28]];

const WORD: u64 = (1 << WORD_BITS) - 1;

const fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Three times the key's bits are shuffled and dealt to the word's bits in turn, so that each gets about six.
const fn spread() -> [u64; KEY_BITS] {
    let mut out = [0u64; KEY_BITS];
    let mut state = 0x6970_4f53_2026_015eu64; // "ipOS"
    let (mut deal, mut dealt) = (0, 0);
    while deal < 3 {
        let mut order = [0usize; KEY_BITS];
        let mut i = 0;
        while i < KEY_BITS {
            order[i] = i;
            i += 1;
        }
        i = KEY_BITS - 1;
        while i > 0 {
            let j = (draw(&mut state) % (i as u64 + 1)) as usize;
            (order[i], order[j]) = (order[j], order[i]);
            i -= 1;
        }
        while i < KEY_BITS {
            out[order[i]] |= 1 << (dealt % WORD_BITS);
            dealt += 1;
            i += 1;
        }
        deal += 1;
    }
    out
}

const fn rotate(word: u64, left: u32) -> u64 {
    (word << left | word >> (WORD_BITS as u32 - left)) & WORD
}

/// The hashes of `key` (as [`FlowKey::bits`]) in all banks, bank 0 in the lowest [`HASH_BITS`].
#[must_use]
pub const fn hashes(key: u128) -> u64 {
    let (mut word, mut k) = (0, 0);
    while k < KEY_BITS {
        if key >> k & 1 == 1 {
            word ^= SPREAD[k];
        }
        k += 1;
    }
    let mut r = 0;
    while r < ROUNDS.len() {
        let [a, b, c] = ROUNDS[r];
        word = word ^ rotate(word, a) ^ (rotate(word, b) & rotate(word, c));
        r += 1;
    }
    word
}

/// The slot index of `key` in bank `bank` of a table with `1 << index_bits` slots per bank.
#[must_use]
pub const fn hash(bank: usize, key: u128, index_bits: usize) -> u32 {
    (hashes(key) >> (HASH_BITS * bank)) as u32 & ((1 << index_bits) - 1)
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
        // one client, all its ports: the worst usual case
        let key = |port| {
            FlowKey {
                protocol: Protocol::Tcp,
                src_ip: [10, 0, 0, 1],
                src_port: port,
                dst_ip: [10, 0, 0, 2],
                dst_port: 80,
            }
            .bits()
        };
        for bank in 0..BANKS {
            let mut count = [0u32; 1024];
            for port in 0..=u16::MAX {
                count[hash(bank, key(port), 10) as usize] += 1;
            }
            assert!(count.iter().all(|&n| (16..=160).contains(&n)), "64 in a slot of bank {bank} on average");
        }
        for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
            let same = (0..=u16::MAX).filter(|&port| hash(a, key(port), 10) == hash(b, key(port), 10)).count();
            assert!(same < 160, "{same} of 65,536 in the same slot of banks {a} and {b}; 64 by chance");
        }
    }

    #[test]
    fn no_two_clients_of_a_service_begin_with_the_same_word() {
        // 48 bits of address and port to 48 bits of the word: invertible
        let mut rows: Vec<u64> = SPREAD[48..96].to_vec();
        for bit in 0..WORD_BITS {
            let pivot = (bit..WORD_BITS).find(|&i| rows[i] >> bit & 1 == 1).expect("full rank");
            rows.swap(bit, pivot);
            for i in bit + 1..WORD_BITS {
                if rows[i] >> bit & 1 == 1 {
                    rows[i] ^= rows[bit];
                }
            }
        }
    }
}
