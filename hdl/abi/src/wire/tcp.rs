//! TCP header, flags and options (RFC 9293, RFC 7323, RFC 2018).

use super::checksum::Sum;
use super::{Error, room};
use crate::table::Protocol;
use core::net::Ipv4Addr;

/// Most bytes of options.
pub const MAX_OPTIONS: usize = 40;

header! {
    "TCP header", 20 bytes;
    /// A segment, which ends where the buffer does: TCP has no length of its own.
    view Segment;
    struct Raw;
    src_port: u16 as Dec @ 0, "Source port";
    dst_port: u16 as Dec @ 2, "Destination port";
    seq: u32 as Dec @ 4, "Sequence number";
    ack: u32 as Dec @ 8, "Acknowledgement number";
    offset_flags: u16 as Hex @ 12, "Header length in words 15:12, flags 8:0";
    window: u16 as Dec @ 14, "Window, unscaled";
    checksum: u16 as Hex @ 16, "Checksum";
    urgent: u16 as Dec @ 18, "Urgent pointer";
}

/// The nine flags, in bits 8:0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Flags = Flags(1 << 0);
    /// Synchronise sequence numbers.
    pub const SYN: Flags = Flags(1 << 1);
    /// Reset.
    pub const RST: Flags = Flags(1 << 2);
    /// Push.
    pub const PSH: Flags = Flags(1 << 3);
    /// The acknowledgement number is valid.
    pub const ACK: Flags = Flags(1 << 4);
    /// The urgent pointer is valid.
    pub const URG: Flags = Flags(1 << 5);
    /// ECN echo.
    pub const ECE: Flags = Flags(1 << 6);
    /// Congestion window reduced.
    pub const CWR: Flags = Flags(1 << 7);
    /// Accurate ECN (once the nonce sum).
    pub const AE: Flags = Flags(1 << 8);
    const MASK: u16 = 0x1ff;

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn contains(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl core::ops::BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl<T: AsRef<[u8]>> Segment<T> {
    /// Checks the header length against the buffer; not options, not the checksum.
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        let segment = Self::new_fixed(buffer)?;
        let (have, need) = (segment.buffer.as_ref().len(), segment.header_len());
        if need < LEN {
            return Err(Error::Value { header: TITLE, field: "offset_flags", found: segment.offset_flags().into() });
        }
        if have < need {
            return Err(Error::Truncated { header: "TCP options", need, have });
        }
        Ok(segment)
    }

    /// Bytes of header and options.
    #[must_use]
    pub fn header_len(&self) -> usize {
        usize::from(self.offset_flags() >> 12) * 4
    }

    /// The flags.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags(self.offset_flags() & Flags::MASK)
    }

    /// Options, padded to whole words; see [`options`].
    #[must_use]
    pub fn options(&self) -> &[u8] {
        &self.buffer.as_ref()[LEN..self.header_len()]
    }

    /// What follows the header.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[self.header_len()..]
    }

    /// Whether the checksum is right.
    #[must_use]
    pub fn verify_checksum(&self, src: Ipv4Addr, dst: Ipv4Addr) -> bool {
        let bytes = self.buffer.as_ref();
        Sum::pseudo_header(src, dst, Protocol::Tcp, bytes.len()).bytes(bytes).is_valid()
    }
}

/// A TCP option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpOption<'a> {
    /// Largest segment that the sender of the option takes, in bytes.
    MaxSegmentSize(u16),
    /// Shift of the windows that the sender of the option announces.
    WindowScale(u8),
    /// The sender of the option understands SACK.
    SackPermitted,
    /// Ranges that arrived out of order: pairs of 32-bit sequence numbers, see [`sack_blocks`].
    Sack(&'a [u8]),
    /// Timestamps.
    Timestamps {
        /// The sender's clock.
        value: u32,
        /// The receiver's clock as the sender saw it last.
        echo: u32,
    },
    /// Any other option.
    Other {
        /// Option kind.
        kind: u8,
        /// Bytes behind kind and length.
        data: &'a [u8],
    },
}

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAX_SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// Left and right edges of the blocks of a [`TcpOption::Sack`].
pub fn sack_blocks(data: &[u8]) -> impl Iterator<Item = (u32, u32)> + '_ {
    let word = |b: &[u8; 8], at| super::field::Value::get(b, at);
    data.as_chunks::<8>().0.iter().map(move |b| (word(b, 0), word(b, 4)))
}

/// Walks options. Ends at the end of the list or after the first malformed option.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

/// Walks the options of a segment, no-operations left out.
#[must_use]
pub const fn options(bytes: &[u8]) -> Options<'_> {
    Options { rest: bytes }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<TcpOption<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest;
            self.rest = &[];
            match *rest {
                [] | [END, ..] => return None,
                [NO_OPERATION, ..] => self.rest = &rest[1..],
                [kind, length, ..] if length >= 2 && usize::from(length) <= rest.len() => {
                    let (option, after) = rest.split_at(usize::from(length));
                    let option = TcpOption::parse(kind, &option[2..]);
                    if option.is_ok() {
                        self.rest = after;
                    }
                    return Some(option);
                }
                [kind, ref length @ ..] => {
                    let found = u64::from(kind) << 8 | u64::from(length.first().copied().unwrap_or(0));
                    return Some(Err(Error::Value { header: TITLE, field: "option kind and length", found }));
                }
            }
        }
    }
}

impl<'a> TcpOption<'a> {
    fn parse(kind: u8, data: &'a [u8]) -> Result<Self, Error> {
        Ok(match (kind, data) {
            (MAX_SEGMENT_SIZE, &[a, b]) => TcpOption::MaxSegmentSize(u16::from_be_bytes([a, b])),
            (WINDOW_SCALE, &[shift]) => TcpOption::WindowScale(shift),
            (SACK_PERMITTED, []) => TcpOption::SackPermitted,
            (SACK, data) if !data.is_empty() && data.len().is_multiple_of(8) => TcpOption::Sack(data),
            (TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => TcpOption::Timestamps {
                value: u32::from_be_bytes([a, b, c, d]),
                echo: u32::from_be_bytes([e, f, g, h]),
            },
            (MAX_SEGMENT_SIZE | WINDOW_SCALE | SACK_PERMITTED | SACK | TIMESTAMPS, data) => {
                let found = u64::from(kind) << 8 | (data.len() as u64 + 2);
                return Err(Error::Value { header: TITLE, field: "option kind and length", found });
            }
            (kind, data) => TcpOption::Other { kind, data },
        })
    }

    /// Bytes of the option.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        match self {
            TcpOption::SackPermitted => 2,
            TcpOption::WindowScale(_) => 3,
            TcpOption::MaxSegmentSize(_) => 4,
            TcpOption::Timestamps { .. } => 10,
            TcpOption::Sack(data) | TcpOption::Other { data, .. } => 2 + data.len(),
        }
    }

    /// Writes the option at the start of `buffer`; returns its length.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let need = self.buffer_len();
        if need > MAX_OPTIONS {
            return Err(Error::TooLong { header: TITLE, field: "options", found: need, max: MAX_OPTIONS });
        }
        let buffer = room("TCP option", buffer, need)?;
        let (head, data) = buffer.split_at_mut(2);
        head[1] = need as u8;
        head[0] = match *self {
            TcpOption::MaxSegmentSize(mss) => {
                data.copy_from_slice(&mss.to_be_bytes());
                MAX_SEGMENT_SIZE
            }
            TcpOption::WindowScale(shift) => {
                data[0] = shift;
                WINDOW_SCALE
            }
            TcpOption::SackPermitted => SACK_PERMITTED,
            TcpOption::Sack(blocks) => {
                data.copy_from_slice(blocks);
                SACK
            }
            TcpOption::Timestamps { value, echo } => {
                data[..4].copy_from_slice(&value.to_be_bytes());
                data[4..].copy_from_slice(&echo.to_be_bytes());
                TIMESTAMPS
            }
            TcpOption::Other { kind, data: bytes } => {
                data.copy_from_slice(bytes);
                kind
            }
        };
        Ok(need)
    }
}

/// A TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags.
    pub flags: Flags,
    /// Window, unscaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options; padded with zeros (end of list) to whole words when emitted.
    pub options: &'a [u8],
}

impl<'a> Repr<'a> {
    /// Reads the header; a wrong checksum is an error.
    pub fn parse<T: AsRef<[u8]>>(segment: &'a Segment<T>, src: Ipv4Addr, dst: Ipv4Addr) -> Result<Self, Error> {
        if !segment.verify_checksum(src, dst) {
            return Err(Error::Checksum { header: "TCP segment" });
        }
        Ok(Repr {
            src_port: segment.src_port(),
            dst_port: segment.dst_port(),
            seq: segment.seq(),
            ack: segment.ack(),
            flags: segment.flags(),
            window: segment.window(),
            urgent: segment.urgent(),
            options: segment.options(),
        })
    }

    /// Bytes of header and padded options.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        LEN + self.options.len().next_multiple_of(4)
    }

    /// Writes header, options, payload and checksum at the start of `buffer`; returns the length
    /// of the segment.
    pub fn emit(&self, buffer: &mut [u8], src: Ipv4Addr, dst: Ipv4Addr, payload: &[u8]) -> Result<usize, Error> {
        let header_len = self.buffer_len();
        if self.options.len() > MAX_OPTIONS {
            let found = self.options.len();
            return Err(Error::TooLong { header: TITLE, field: "options", found, max: MAX_OPTIONS });
        }
        let need = header_len + payload.len();
        let buffer = room("TCP segment", buffer, need)?;
        buffer[LEN..][..self.options.len()].copy_from_slice(self.options);
        buffer[LEN + self.options.len()..header_len].fill(0);
        buffer[header_len..].copy_from_slice(payload);
        let mut raw = Raw {
            src_port: self.src_port,
            dst_port: self.dst_port,
            seq: self.seq,
            ack: self.ack,
            offset_flags: ((header_len / 4) as u16) << 12 | self.flags.0 & Flags::MASK,
            window: self.window,
            checksum: 0,
            urgent: self.urgent,
        };
        raw.write(buffer);
        raw.checksum = Sum::pseudo_header(src, dst, Protocol::Tcp, need).bytes(buffer).finish();
        raw.write(buffer);
        Ok(need)
    }
}
