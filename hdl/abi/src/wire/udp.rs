//! UDP (RFC 768).

use super::checksum::Sum;
use super::{Error, room};
use crate::table::Protocol;
use core::net::Ipv4Addr;

header! {
    "UDP header", 8 bytes;
    /// A datagram; bytes behind its length are ignored.
    view Datagram;
    struct Raw;
    src_port: u16 as Dec @ 0, "Source port";
    dst_port: u16 as Dec @ 2, "Destination port";
    length: u16 as Dec @ 4, "Bytes of header and payload";
    checksum: u16 as Hex @ 6, "Checksum; zero: none";
}

impl<T: AsRef<[u8]>> Datagram<T> {
    /// Checks the length against the buffer; not the checksum.
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        let datagram = Self::new_fixed(buffer)?;
        let (have, need) = (datagram.buffer.as_ref().len(), usize::from(datagram.length()));
        if need < LEN {
            return Err(Error::Value { header: TITLE, field: "length", found: need as u64 });
        }
        if have < need {
            return Err(Error::Truncated { header: "UDP datagram", need, have });
        }
        Ok(datagram)
    }

    fn covered(&self) -> &[u8] {
        &self.buffer.as_ref()[..usize::from(self.length())]
    }

    /// What follows the header, up to the length.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.covered()[LEN..]
    }

    /// Whether the checksum is right or absent.
    #[must_use]
    pub fn verify_checksum(&self, src: Ipv4Addr, dst: Ipv4Addr) -> bool {
        let covered = self.covered();
        self.checksum() == 0 || Sum::pseudo_header(src, dst, Protocol::Udp, covered.len()).bytes(covered).is_valid()
    }
}

/// A UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
}

impl Repr {
    /// Reads the header; a wrong checksum is an error.
    pub fn parse<T: AsRef<[u8]>>(datagram: &Datagram<T>, src: Ipv4Addr, dst: Ipv4Addr) -> Result<Self, Error> {
        if !datagram.verify_checksum(src, dst) {
            return Err(Error::Checksum { header: "UDP datagram" });
        }
        Ok(Repr { src_port: datagram.src_port(), dst_port: datagram.dst_port() })
    }

    /// Bytes of the header.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        LEN
    }

    /// Writes header, payload and checksum at the start of `buffer`; returns the length of the datagram.
    pub fn emit(&self, buffer: &mut [u8], src: Ipv4Addr, dst: Ipv4Addr, payload: &[u8]) -> Result<usize, Error> {
        let need = LEN + payload.len();
        let max = usize::from(u16::MAX) - LEN;
        let too_long = Error::TooLong { header: TITLE, field: "payload", found: payload.len(), max };
        let length = u16::try_from(need).map_err(|_| too_long)?;
        let buffer = room("UDP datagram", buffer, need)?;
        buffer[LEN..].copy_from_slice(payload);
        let mut raw = Raw { src_port: self.src_port, dst_port: self.dst_port, length, checksum: 0 };
        raw.write(buffer);
        // A sum of zero is sent as its other form: zero means that there is none.
        raw.checksum = match Sum::pseudo_header(src, dst, Protocol::Udp, need).bytes(buffer).finish() {
            0 => 0xffff,
            sum => sum,
        };
        raw.write(buffer);
        Ok(need)
    }
}
