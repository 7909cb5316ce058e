//! Bytes on the wire, one file per protocol, all fields in network byte order.
//!
//! Each protocol has two layers. A view (`Packet`, `Frame`, `Segment`, `Datagram`) checks the
//! lengths once in `new_checked`; after that its accessors can't fail. A `Repr` holds the meaning
//! and is parsed from a view and emitted into a caller's buffer. Offsets stand once, in the
//! `FIELDS` table of each header, from which accessors and the Wireshark [`dissector`] are made.
//!
//! * [`ethernet`], [`ipv4`], [`tcp`], [`udp`]: what clients send.
//! * [`ipos`]: the header that all ipOS packets share (source figure 11b).
//! * [`connection`], [`tcb`]: the packet that moves an endpoint (11c, 11d).
//! * [`options`]: the socket options that travel beside it.
//! * [`ext`], [`trailer`]: this project's extensions and their authentication.
//! * [`control`]: whole back-side frames; the place to start for a host.
//!
//! ```
//! use core::net::{Ipv4Addr, SocketAddrV4};
//! use ipos_abi::{table::Protocol, wire::{Mac, control, ethernet, trailer}};
//!
//! let frame = control::Frame {
//!     link: ethernet::Repr { dst: Mac([2; 6]), src: Mac([4; 6]), vlan: None, ethertype: ethernet::IPOS },
//!     protocol: Protocol::Tcp,
//!     client: SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 49_152),
//!     owner: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 80),
//!     message: control::Message::Ack,
//!     trailer: Some(trailer::Repr { epoch: 7, ..Default::default() }),
//! };
//! let mut buffer = [0; 80];
//! let n = frame.emit(&mut buffer, None)?;
//! assert_eq!(n, 74);
//! assert_eq!(control::parse(&buffer[..n], ethernet::IPOS)?.frame, frame);
//! # Ok::<(), ipos_abi::wire::Error>(())
//! ```

#[macro_use]
mod field;

pub mod checksum;
pub mod connection;
pub mod control;
pub mod dissector;
pub mod ethernet;
pub mod ext;
pub mod ipos;
pub mod ipv4;
pub mod options;
pub mod tcb;
pub mod tcp;
pub mod trailer;
pub mod udp;

pub use field::{Field, Kind};

use core::fmt;

/// Why bytes are not a packet, or a packet can't become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Fewer bytes than the header, or a length in it, asks for.
    #[error("{header}: {need} bytes needed, {have} there")]
    Truncated {
        /// What was being read.
        header: &'static str,
        /// Bytes needed.
        need: usize,
        /// Bytes there.
        have: usize,
    },
    /// The buffer to emit into is too small.
    #[error("{header}: {need} bytes to write, the buffer has {have}; ask buffer_len()")]
    Buffer {
        /// What was being written.
        header: &'static str,
        /// Bytes needed.
        need: usize,
        /// Bytes there.
        have: usize,
    },
    /// A field with a value that is not defined, or that contradicts another field.
    #[error("{header}: {field} is {found:#x}, which is not valid here")]
    Value {
        /// The header.
        header: &'static str,
        /// The field.
        field: &'static str,
        /// What was found.
        found: u64,
    },
    /// A version that this code does not know. It is refused, never guessed.
    #[error("{header}: version {found}, known is {known}; run the same release on both servers")]
    Version {
        /// The header.
        header: &'static str,
        /// What was found.
        found: u8,
        /// What this code writes and reads.
        known: u8,
    },
    /// A checksum or CRC that does not fit the bytes.
    #[error("{header}: wrong checksum, damaged on the way")]
    Checksum {
        /// What was being read.
        header: &'static str,
    },
    /// More than the format can carry.
    #[error("{header}: {found} bytes of {field}, at most {max} fit")]
    TooLong {
        /// What was being written or read.
        header: &'static str,
        /// Which part of it.
        field: &'static str,
        /// What was asked for.
        found: usize,
        /// The limit.
        max: usize,
    },
}

/// The first `need` bytes of a buffer to emit into.
fn room<'a>(header: &'static str, buffer: &'a mut [u8], need: usize) -> Result<&'a mut [u8], Error> {
    let have = buffer.len();
    buffer.get_mut(..need).ok_or(Error::Buffer { header, need, have })
}

/// An Ethernet address.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All stations.
    pub const BROADCAST: Mac = Mac([0xff; 6]);

    /// Multicast or broadcast.
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
