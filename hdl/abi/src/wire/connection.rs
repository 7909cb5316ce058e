//! Connection information, the body of type `0x01` (source figures 11c and 11d).
//!
//! Server address and port are the identity that the client talks to and that the new owner must
//! answer as. TCP adds the [TCP control block](super::tcb).

use super::{Error, room, tcb};
use crate::table::Protocol;
use core::net::{Ipv4Addr, SocketAddrV4};

header! {
    "connection information", 6 bytes;
    /// Connection information of either protocol.
    view Packet;
    struct Raw;
    server_ip: Ipv4Addr as Ip @ 0, "Address of the service, as the client knows it";
    server_port: u16 as Dec @ 4, "Port of the service";
}

/// Bytes of the connection information of UDP (figure 11c).
pub const UDP_LEN: usize = LEN;
/// Bytes of the connection information of TCP (figure 11d).
pub const TCP_LEN: usize = LEN + tcb::LEN;

/// Connection information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repr<'a> {
    /// Figure 11d.
    Tcp {
        /// The service, as the client knows it.
        server: SocketAddrV4,
        /// The control block, unread: [`tcb::Repr::parse`] says what is wrong with it, and the
        /// sender of a wrong one is still known, so that it can be refused.
        tcb: &'a [u8; tcb::LEN],
    },
    /// Figure 11c.
    Udp {
        /// The service, as the client knows it.
        server: SocketAddrV4,
    },
}

impl<'a> Repr<'a> {
    /// Bytes for a protocol.
    #[must_use]
    pub const fn len_of(protocol: Protocol) -> usize {
        match protocol {
            Protocol::Tcp => TCP_LEN,
            Protocol::Udp => UDP_LEN,
        }
    }

    /// Reads the connection information at the start of `bytes`.
    pub fn parse(protocol: Protocol, bytes: &'a [u8]) -> Result<Self, Error> {
        let packet = Packet::new_fixed(bytes)?;
        let server = SocketAddrV4::new(packet.server_ip(), packet.server_port());
        match protocol {
            Protocol::Udp => Ok(Repr::Udp { server }),
            Protocol::Tcp => {
                let tcb = bytes[LEN..].first_chunk().ok_or(Error::Truncated {
                    header: TITLE,
                    need: TCP_LEN,
                    have: bytes.len(),
                })?;
                Ok(Repr::Tcp { server, tcb })
            }
        }
    }

    /// The service, as the client knows it.
    #[must_use]
    pub const fn server(&self) -> SocketAddrV4 {
        match *self {
            Repr::Tcp { server, .. } | Repr::Udp { server } => server,
        }
    }

    /// Its protocol.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match self {
            Repr::Tcp { .. } => Protocol::Tcp,
            Repr::Udp { .. } => Protocol::Udp,
        }
    }

    /// Bytes of the connection information.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        Self::len_of(self.protocol())
    }

    /// Writes it at the start of `buffer`; returns its length.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let need = self.buffer_len();
        let buffer = room(TITLE, buffer, need)?;
        Raw { server_ip: *self.server().ip(), server_port: self.server().port() }.write(buffer);
        if let Repr::Tcp { tcb, .. } = self {
            buffer[LEN..].copy_from_slice(*tcb);
        }
        Ok(need)
    }
}
