//! What the reference card reads from an IPv4 packet: step 7 of `docs/datapath.md` and the
//! TCP/UDP checksum.

use ipos_abi::rx::{L3, L4, Reason};
use ipos_abi::table::{FlowKey, Protocol};

/// An IPv4 packet, judged.
pub(super) struct Packet {
    /// The verdict on its header.
    pub l3: L3,
    /// Its key, or why it has none (a reason of step 8).
    pub key: Result<FlowKey, Reason>,
    /// Header length in bytes; meaningful with a key.
    header: usize,
    /// Total length in bytes; meaningful with a key.
    pub total: usize,
}

/// The ones' complement sum (RFC 1071) of `bytes`; an odd last byte is the high one.
pub(super) fn sum(bytes: &[u8]) -> u16 {
    let wide: u64 = bytes.chunks(2).map(|c| u64::from(c[0]) << 8 | u64::from(*c.get(1).unwrap_or(&0))).sum();
    fold(wide)
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn ip(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

impl Packet {
    /// Reads `p`, which begins with the IPv4 header and ends with the frame.
    pub fn parse(p: &[u8]) -> Packet {
        let unreadable = |l3| Packet { l3, key: Err(Reason::Header), header: 0, total: 0 };
        if p.len() < 20 {
            return unreadable(L3::Truncated);
        }
        let header = usize::from(p[0] & 0xf) * 4;
        if p[0] >> 4 != 4 || header < 20 {
            return unreadable(L3::Malformed);
        }
        if p.len() < header {
            return unreadable(L3::Truncated);
        }
        let total = usize::from(be16(p, 2));
        let fragment = be16(p, 6) & 0x3fff != 0;
        let transport = match p[9] {
            6 => Some((Protocol::Tcp, header + 20)),
            17 => Some((Protocol::Udp, header + 8)),
            _ => None,
        };
        // bytes up to the end of the TCP or UDP header, where there is one
        let needed = transport.filter(|_| !fragment).map_or(header, |(_, end)| end);

        let l3 = if sum(&p[..header]) != 0xffff {
            L3::BadChecksum
        } else if total < header {
            L3::Malformed
        } else if p.len() < needed {
            L3::Truncated
        } else if total < needed {
            L3::Malformed
        } else if total > p.len() {
            L3::Short
        } else {
            L3::Ok
        };

        // a bad checksum hides the other verdicts, but not their effect on the key
        let key = match transport {
            _ if total < header => Err(Reason::Header),
            _ if fragment => Err(Reason::Fragment),
            None => Err(Reason::Protocol),
            Some(_) if p.len() < needed || total < needed => Err(Reason::Header),
            Some((protocol, _)) => Ok(FlowKey {
                protocol,
                src_ip: ip(p, 12),
                src_port: be16(p, header),
                dst_ip: ip(p, 16),
                dst_port: be16(p, header + 2),
            }),
        };
        Packet { l3, key, header, total }
    }

    /// The verdict on the TCP or UDP checksum of `p`, the bytes that this was parsed from.
    pub fn l4(&self, p: &[u8]) -> L4 {
        let (Ok(key), L3::Ok) = (&self.key, self.l3) else { return L4::NotChecked };
        let segment = &p[self.header..self.total];
        let unchecked = be16(segment, 6) == 0 || usize::from(be16(segment, 4)) != segment.len();
        let protocol = match key.protocol {
            Protocol::Udp if unchecked => return L4::NotChecked,
            Protocol::Udp => 17,
            Protocol::Tcp => 6,
        };
        let pseudo = u64::from(sum(&p[12..20])) + protocol + segment.len() as u64;
        if fold(pseudo + u64::from(sum(segment))) == 0xffff { L4::Valid } else { L4::Bad }
    }
}
