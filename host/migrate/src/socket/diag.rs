//! Asking the kernel about a connection by its addresses (sock_diag(7)): whether it still exists
//! after its descriptor has gone to an application, TIME_WAIT included, and whether its segments
//! are signed, which no socket option tells.

use std::io::{self, Read};
use std::mem::size_of;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `SOCK_DIAG_BY_FAMILY` (linux/sock_diag.h).
const BY_FAMILY: u16 = 20;
/// `SOCK_DESTROY` (linux/sock_diag.h).
const DESTROY: u16 = 21;
/// Asks for `INET_DIAG_INFO`, with which the kernel gives the next one too.
const INFO: u8 = 1 << (2 - 1);
/// `INET_DIAG_MD5SIG` (linux/inet_diag.h); only given to who has `CAP_NET_ADMIN`.
const MD5SIG: u16 = 18;
/// Netlink aligns messages and attributes to this.
const ALIGN: usize = 4;

/// `struct nlmsghdr`.
#[derive(Clone, Copy, IntoBytes, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
}

/// `struct inet_diag_sockid`.
#[derive(Clone, Copy, IntoBytes, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Id {
    local_port: U16,
    remote_port: U16,
    local: [[u8; 4]; 4],
    remote: [[u8; 4]; 4],
    interface: u32,
    cookie: [u32; 2],
}

/// `struct inet_diag_req_v2` behind its header.
#[derive(Clone, Copy, IntoBytes, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Request {
    header: Header,
    family: u8,
    protocol: u8,
    extensions: u8,
    pad: u8,
    states: u32,
    id: Id,
}

/// The head of `struct inet_diag_msg`.
#[derive(Clone, Copy, IntoBytes, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Reply {
    family: u8,
    state: u8,
    timer: u8,
    retransmits: u8,
    id: Id,
    numbers: [u32; 5],
}

/// What the kernel knows of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// TCP state (linux/tcp_states.h).
    pub state: u8,
    /// Its segments are signed (TCP MD5, RFC 2385).
    pub md5: bool,
}

impl Known {
    /// `TCP_TIME_WAIT`: both ends have closed, the addresses rest.
    pub const TIME_WAIT: u8 = 6;
}

/// A way to ask, for the network namespace that it was opened in.
#[derive(Debug)]
pub struct Diag {
    socket: Socket,
    sequence: u32,
}

impl Diag {
    /// Opens it for the calling thread's network namespace.
    pub fn open() -> io::Result<Self> {
        let protocol = Protocol::from(libc::NETLINK_SOCK_DIAG);
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(protocol))?;
        Ok(Diag { socket, sequence: 0 })
    }

    /// Looks a connection up. `None`: it is gone, TIME_WAIT included.
    pub fn lookup(&mut self, local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<Option<Known>> {
        Ok(self.find(libc::IPPROTO_TCP, local, remote)?.map(|(_, known)| known))
    }

    /// Ends a connection: its application gets `ECONNABORTED`, the peer a reset. Needs `CAP_NET_ADMIN`, and a kernel with
    /// `CONFIG_INET_DIAG_DESTROY`. One that is gone is no error.
    pub fn destroy(&mut self, local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<()> {
        // by its cookie: the kernel would fall back to the socket that listens on the port
        let Some((id, _)) = self.find(libc::IPPROTO_TCP, local, remote)? else { return Ok(()) };
        self.ask(DESTROY, libc::IPPROTO_TCP, id).map(drop)
    }

    /// Looks a connected UDP socket up. A kernel without `udp_diag` says of each that it is gone: [`Diag::finds_udp`].
    pub fn lookup_udp(&mut self, local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<Option<Known>> {
        // of UDP the remote end comes first, "for historical reasons" (udp_diag.c)
        Ok(self.find(libc::IPPROTO_UDP, remote, local)?.map(|(_, known)| known))
    }

    /// Whether the kernel knows of UDP sockets: tried on one.
    pub fn finds_udp(&mut self) -> io::Result<bool> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(socket.local_addr()?)?;
        let SocketAddr::V4(address) = socket.local_addr()? else { return Ok(false) };
        Ok(self.lookup_udp(address, address)?.is_some())
    }

    fn find(
        &mut self,
        protocol: libc::c_int,
        first: SocketAddrV4,
        second: SocketAddrV4,
    ) -> io::Result<Option<(Id, Known)>> {
        let words = |ip: &Ipv4Addr| [ip.octets(), [0; 4], [0; 4], [0; 4]];
        let id = Id {
            local_port: U16::new(first.port()),
            remote_port: U16::new(second.port()),
            local: words(first.ip()),
            remote: words(second.ip()),
            interface: 0,
            cookie: [u32::MAX; 2],
        };
        self.ask(BY_FAMILY, protocol, id)
    }

    fn ask(&mut self, kind: u16, protocol: libc::c_int, id: Id) -> io::Result<Option<(Id, Known)>> {
        self.sequence = self.sequence.wrapping_add(1);
        // a lookup is answered anyway
        let acknowledged = if kind == DESTROY { libc::NLM_F_ACK } else { 0 };
        let request = Request {
            header: Header {
                length: size_of::<Request>() as u32,
                kind,
                flags: (libc::NLM_F_REQUEST | acknowledged) as u16,
                sequence: self.sequence,
                port: 0,
            },
            family: libc::AF_INET as u8,
            protocol: protocol as u8,
            extensions: INFO,
            pad: 0,
            states: u32::MAX,
            id,
        };
        self.socket.send(request.as_bytes())?;
        // answers are queued before send returns; an old one would belong to a failed call
        loop {
            let mut buffer = vec![0; 8192];
            let n = (&self.socket).read(&mut buffer)?;
            let (header, body) = Header::read_from_prefix(&buffer[..n]).map_err(|_| malformed())?;
            if header.sequence == self.sequence {
                return read(&header, body);
            }
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an answer of sock_diag that is too short")
}

fn read(header: &Header, body: &[u8]) -> io::Result<Option<(Id, Known)>> {
    if i32::from(header.kind) == libc::NLMSG_ERROR {
        let (error, _) = i32::read_from_prefix(body).map_err(|_| malformed())?;
        // 0 acknowledges
        return if matches!(-error, 0 | libc::ENOENT) { Ok(None) } else { Err(io::Error::from_raw_os_error(-error)) };
    }
    let (reply, attributes) = Reply::read_from_prefix(body).map_err(|_| malformed())?;
    // a lookup falls back to a socket of the port alone, which is not the connection's
    if reply.id.remote_port.get() == 0 {
        return Ok(None);
    }
    Ok(Some((reply.id, Known { state: reply.state, md5: has_attribute(attributes, MD5SIG) })))
}

/// `struct rtattr` after `struct rtattr`: length and type, 2 bytes each, then the value.
fn has_attribute(mut bytes: &[u8], wanted: u16) -> bool {
    while let Ok(([length, kind], _)) = <[u16; 2]>::read_from_prefix(bytes) {
        if kind == wanted {
            return true;
        }
        let step = usize::from(length).next_multiple_of(ALIGN);
        match bytes.get(step..) {
            Some(rest) if step > 0 => bytes = rest,
            _ => break,
        }
    }
    false
}

const _: () = assert!(size_of::<Request>() == 16 + 56 && size_of::<Reply>() == 72);
