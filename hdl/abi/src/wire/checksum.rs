//! The Internet checksum (RFC 1071).

use crate::table::Protocol;
use core::net::Ipv4Addr;

/// A running one's complement sum. Parts may have any length: an odd one shifts what follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    sum: u64,
    odd: bool,
}

impl Sum {
    /// The empty sum.
    #[must_use]
    pub const fn new() -> Self {
        Sum { sum: 0, odd: false }
    }

    /// The pseudo-header of TCP and UDP over IPv4 (RFC 9293, 3.1; RFC 768). `length` is that of
    /// the segment or datagram, in bytes.
    #[must_use]
    pub fn pseudo_header(src: Ipv4Addr, dst: Ipv4Addr, protocol: Protocol, length: usize) -> Self {
        // A length beyond 16 bits is impossible in IPv4; folding keeps the sum right anyway.
        Sum { sum: u64::from(protocol.ip_number()) + length as u64, odd: false }
            .bytes(&src.octets())
            .bytes(&dst.octets())
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(mut self, mut bytes: &[u8]) -> Self {
        if self.odd
            && let [first, rest @ ..] = bytes
        {
            self.sum += u64::from(*first);
            self.odd = false;
            bytes = rest;
        }
        let (words, last) = bytes.as_chunks::<2>();
        // RFC 1071, section 2 (B): the sum of words in the machine's order is the sum, swapped. So many fit into 32 bits, and
        // sums of 32 bits go side by side into a vector.
        for block in words.chunks(1 << 16) {
            let sum: u32 = block.iter().map(|w| u32::from(u16::from_ne_bytes(*w))).sum();
            self.sum += u64::from(Sum { sum: sum.into(), odd: false }.fold().to_be());
        }
        if let [last] = last {
            self.sum += u64::from(*last) << 8;
            self.odd = true;
        }
        self
    }

    /// The folded sum; `0xffff` over data that contains its own valid checksum.
    #[must_use]
    pub const fn fold(self) -> u16 {
        let mut s = self.sum;
        while s > 0xffff {
            s = (s & 0xffff) + (s >> 16);
        }
        s as u16
    }

    /// The checksum: the complement of the sum.
    #[must_use]
    pub const fn finish(self) -> u16 {
        !self.fold()
    }

    /// Whether the data, its checksum field included, sums to `0xffff`.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.fold() == 0xffff
    }
}

/// Checksum of one run of bytes.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    Sum::new().bytes(bytes).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071, section 3: the sum of these bytes is 2ddf0 → ddf2.
    const RFC1071: [u8; 8] = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];

    #[test]
    fn rfc_1071_example() {
        assert_eq!(Sum::new().bytes(&RFC1071).fold(), 0xddf2);
        assert_eq!(checksum(&RFC1071), !0xddf2);
    }

    #[test]
    fn parts_of_any_length_sum_alike() {
        for i in 0..=RFC1071.len() {
            for j in i..=RFC1071.len() {
                let parts = Sum::new().bytes(&RFC1071[..i]).bytes(&RFC1071[i..j]).bytes(&RFC1071[j..]);
                assert_eq!(parts.fold(), 0xddf2, "{i} {j}");
            }
        }
        assert_eq!(checksum(&[0x12]), !0x1200, "an odd end is padded with zero");
    }
}
