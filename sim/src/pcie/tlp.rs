//! Transaction layer packets in wire order, as a root complex reads and writes them (PCI Express base specification, 2.2).
//!
//! Memory requests and completions; everything else is [`Tlp::Other`]. No prefixes, no digest.

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tlp {
    /// Memory read.
    Read {
        /// Bus, device, function.
        requester: u16,
        /// Tag.
        tag: u8,
        /// Byte address of the first word.
        address: u64,
        /// 32-bit words, 1 to 1,024.
        words: usize,
        /// Bytes wanted of the first and the last word.
        enables: [u8; 2],
    },
    /// Memory write.
    Write {
        /// Bus, device, function.
        requester: u16,
        /// Tag, of no meaning.
        tag: u8,
        /// Byte address of the first word.
        address: u64,
        /// Bytes that count of the first and the last word.
        enables: [u8; 2],
        /// Whole words.
        data: Vec<u8>,
        /// The data is known to be bad.
        poisoned: bool,
    },
    /// Completion.
    Completion {
        /// Who answers.
        completer: u16,
        /// Whom.
        requester: u16,
        /// Which request.
        tag: u8,
        /// 0 success, 1 unsupported request, 4 completer abort.
        status: u8,
        /// Bytes of the request that are left, these included: 1 to 4,096.
        bytes: usize,
        /// Lower seven bits of the address of the first byte.
        lower: u8,
        /// Whole words; empty: without data.
        data: Vec<u8>,
        /// The data is known to be bad.
        poisoned: bool,
    },
    /// Any other, header first.
    Other(Vec<u8>),
}

/// Bytes that are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlpError {
    /// Not whole words, or shorter than a header.
    #[error("{0} bytes are no packet: it has whole words, and three or four of header")]
    Length(usize),
    /// The length field says something else.
    #[error("{found} words of payload, and the header says {expected}")]
    Payload {
        /// By the header.
        expected: usize,
        /// There are.
        found: usize,
    },
    /// A digest or a prefix.
    #[error("a packet with a prefix or a digest")]
    Unsupported,
}

/// A length or byte count field: zero stands for its size.
fn count(field: u32, bits: u32) -> usize {
    let value = field as usize & ((1 << bits) - 1);
    if value == 0 { 1 << bits } else { value }
}

fn memory(kind: u32, requester: u16, tag: u8, address: u64, words: usize, enables: [u8; 2]) -> Vec<u8> {
    let wide = address >> 32 != 0;
    let head = kind | u32::from(wide) << 29 | (words as u32 & 0x3ff);
    let ids =
        u32::from(requester) << 16 | u32::from(tag) << 8 | u32::from(enables[1] & 15) << 4 | u32::from(enables[0] & 15);
    let mut out = [head.to_be_bytes(), ids.to_be_bytes()].concat();
    if wide {
        out.extend_from_slice(&address.to_be_bytes());
    } else {
        out.extend_from_slice(&(address as u32).to_be_bytes());
    }
    out
}

impl Tlp {
    /// The packet in wire order.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Tlp::Read { requester, tag, address, words, enables } => {
                memory(0, *requester, *tag, *address, *words, *enables)
            }
            Tlp::Write { requester, tag, address, enables, data, poisoned } => {
                let kind = 0x4000_0000 | u32::from(*poisoned) << 14;
                let mut out = memory(kind, *requester, *tag, *address, data.len() / 4, *enables);
                out.extend_from_slice(data);
                out
            }
            Tlp::Completion { completer, requester, tag, status, bytes, lower, data, poisoned } => {
                let kind = if data.is_empty() { 0x0a00_0000 } else { 0x4a00_0000 };
                let head = kind | u32::from(*poisoned) << 14 | ((data.len() as u32 / 4) & 0x3ff);
                let status = u32::from(*completer) << 16 | u32::from(*status & 7) << 13 | (*bytes as u32 & 0xfff);
                let ids = u32::from(*requester) << 16 | u32::from(*tag) << 8 | u32::from(*lower & 0x7f);
                let mut out = [head.to_be_bytes(), status.to_be_bytes(), ids.to_be_bytes()].concat();
                out.extend_from_slice(data);
                out
            }
            Tlp::Other(bytes) => bytes.clone(),
        }
    }

    /// Reads a packet in wire order.
    pub fn decode(bytes: &[u8]) -> Result<Tlp, TlpError> {
        let word = |i: usize| bytes.get(4 * i..4 * i + 4).and_then(|w| w.try_into().ok()).map_or(0, u32::from_be_bytes);
        let head = word(0);
        let wide = head >> 29 & 1 == 1;
        let header = if wide { 16 } else { 12 };
        if !bytes.len().is_multiple_of(4) || bytes.len() < header {
            return Err(TlpError::Length(bytes.len()));
        }
        if head >> 31 == 1 || head >> 15 & 1 == 1 {
            return Err(TlpError::Unsupported);
        }
        let with_data = head >> 30 & 1 == 1;
        let words = count(head, 10);
        let (expected, found) = (if with_data { words } else { 0 }, (bytes.len() - header) / 4);
        if expected != found {
            return Err(TlpError::Payload { expected, found });
        }
        let data = bytes[header..].to_vec();
        let poisoned = head >> 14 & 1 == 1;
        let (requester, tag) = ((word(1) >> 16) as u16, (word(1) >> 8) as u8);
        let address = if wide { u64::from(word(2)) << 32 | u64::from(word(3)) } else { u64::from(word(2)) };
        let enables = [word(1) as u8 & 15, word(1) as u8 >> 4];
        Ok(match head >> 24 & 0x1f {
            0 if with_data => Tlp::Write { requester, tag, address, enables, data, poisoned },
            0 => Tlp::Read { requester, tag, address, words, enables },
            0x0a if !wide => Tlp::Completion {
                completer: requester,
                requester: (word(2) >> 16) as u16,
                tag: (word(2) >> 8) as u8,
                status: (word(1) >> 13) as u8 & 7,
                bytes: count(word(1), 12),
                lower: word(2) as u8 & 0x7f,
                data,
                poisoned,
            },
            _ => Tlp::Other(bytes.to_vec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    #[test]
    fn packets_round_trip() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..20_000 {
            let address = if rng.random() { rng.random::<u64>() } else { u64::from(rng.random::<u32>()) } & !3;
            let words = rng.random_range(1..=64);
            let mut data = vec![0; 4 * words];
            rng.fill(&mut data[..]);
            let enables = [rng.random_range(0..16), rng.random_range(0..16)];
            let (requester, tag, poisoned) = (rng.random(), rng.random(), rng.random());
            let tlp = match rng.random_range(0..3) {
                0 => Tlp::Read { requester, tag, address, words, enables },
                1 => Tlp::Write { requester, tag, address, enables, data, poisoned },
                _ => Tlp::Completion {
                    completer: rng.random(),
                    requester,
                    tag,
                    status: rng.random_range(0..8),
                    bytes: rng.random_range(1..=4096),
                    lower: rng.random_range(0..128),
                    data: if rng.random() { data } else { Vec::new() },
                    poisoned,
                },
            };
            assert_eq!(Tlp::decode(&tlp.encode()), Ok(tlp));
        }
    }

    #[test]
    fn no_bytes_are_a_panic() {
        let mut rng = StdRng::seed_from_u64(2);
        for _ in 0..100_000 {
            let mut bytes = vec![0; rng.random_range(0..40)];
            rng.fill(&mut bytes[..]);
            if let Ok(tlp) = Tlp::decode(&bytes) {
                assert_eq!(Tlp::decode(&tlp.encode()), Ok(tlp));
            }
        }
    }

    /// By hand from the figures of the base specification: 2-17 (64-bit memory request), 2-15 and 2-34.
    #[test]
    fn packets_are_what_the_specification_draws() {
        let read = Tlp::Read { requester: 0x0100, tag: 7, address: 0x1_2345_6780, words: 2, enables: [15, 15] };
        assert_eq!(read.encode(), [0x20, 0, 0, 2, 1, 0, 7, 0xff, 0, 0, 0, 1, 0x23, 0x45, 0x67, 0x80]);
        let data = vec![1, 2, 3, 4];
        let write =
            Tlp::Write { requester: 0x0100, tag: 0, address: 0xfee0_0000, enables: [15, 0], data, poisoned: false };
        assert_eq!(write.encode(), [0x40, 0, 0, 1, 1, 0, 0, 0x0f, 0xfe, 0xe0, 0, 0, 1, 2, 3, 4]);
        let refusal = Tlp::Completion {
            completer: 0x0100,
            requester: 0x0008,
            tag: 9,
            status: 1,
            bytes: 4,
            lower: 0x10,
            data: Vec::new(),
            poisoned: false,
        };
        assert_eq!(refusal.encode(), [0x0a, 0, 0, 0, 1, 0, 0x20, 4, 0, 8, 9, 0x10]);
    }
}
