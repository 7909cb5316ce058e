//! From a control block and two queues to a live socket, in three steps: [`Blank::new`] makes a socket before they have
//! come, [`Blank::fill`] builds the connection and sends nothing, [`Prepared::go_live`] makes it speak.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::CONGESTION;
use super::error::{RestoreError, What};
use super::freeze::close_silently;
use super::options;
use super::sys::{self, RepairOption, RepairQueue, RepairWindow};
use ipos_abi::wire::options::{Kind, Options};
use ipos_abi::wire::tcb::Repr as Tcb;

/// What `TCP_MAXSEG` takes (`TCP_MIN_MSS`, `MAX_TCP_WINDOW`); a client's may be smaller, loopback's is larger. That it is set
/// before connect matters, `TCP_REPAIR_OPTIONS` and the computation at the end put it right.
const MAXSEG: std::ops::RangeInclusive<u16> = 88..=32767;

/// A socket in repair mode, bound to the service's address: what can be done while the connection still lives elsewhere.
#[derive(Debug)]
pub struct Blank(Socket);

/// A complete socket, still silent. Dropping it sends nothing.
#[derive(Debug)]
pub struct Prepared {
    fd: OwnedFd,
    tcb: Tcb,
    /// The buffers whose sizes the application has chosen, as `SO_BUF_LOCK` tells them.
    locked: u32,
    /// The send queue, and how much of it the socket has.
    send: Vec<u8>,
    sent: usize,
}

/// A socket that owns its connection.
#[derive(Debug)]
pub struct Live {
    /// The socket, non-blocking.
    pub fd: OwnedFd,
    /// When repair mode was turned off.
    pub since: Instant,
    send: Vec<u8>,
    sent: usize,
}

impl Live {
    /// Of the parts of a socket that has gone live: the kernel tells how much of the unsent bytes was written.
    pub fn from_parts(fd: OwnedFd, tcb: &Tcb, unsent: Vec<u8>) -> io::Result<Self> {
        let since = Instant::now();
        sys::set_repair(fd.as_fd(), true)?;
        let end = sys::select(fd.as_fd(), RepairQueue::Send)
            .and_then(|()| sys::get_tcp::<u32>(fd.as_fd(), libc::TCP_QUEUE_SEQ));
        sys::select(fd.as_fd(), RepairQueue::None)?;
        sys::leave_repair(fd.as_fd())?;
        SockRef::from(&fd).set_reuse_address(true)?;
        let sent = (end?.wrapping_sub(tcb.snd_nxt) as usize).min(unsent.len());
        Ok(Live { fd, since, send: unsent, sent })
    }

    /// Writes what the socket takes of the unsent bytes. `true`: nothing is left.
    pub fn write_unsent(&mut self) -> io::Result<bool> {
        self.sent += write(self.fd.as_fd(), self.unsent())?;
        Ok(self.unsent().is_empty())
    }

    /// Unsent bytes that the socket did not take: to be written before anything else.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        &self.send[self.sent..]
    }

    /// Gives the unsent bytes up.
    pub fn drop_unsent(&mut self) {
        self.sent = self.send.len();
    }
}

impl Blank {
    /// Makes a socket for a connection to `server` in the calling thread's network namespace.
    pub fn new(server: SocketAddrV4) -> Result<Self, RestoreError> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).doing("creating a socket")?;
        socket.set_nonblocking(true).doing("O_NONBLOCK")?;
        socket.set_reuse_address(true).doing("SO_REUSEADDR")?;
        socket.set_freebind_v4(true).doing("IP_FREEBIND")?;
        sys::set_repair(socket.as_fd(), true).doing("TCP_REPAIR (needs CAP_NET_ADMIN over the network namespace)")?;
        socket.bind(&server.into()).doing("binding the service address")?;
        Ok(Blank(socket))
    }

    /// Builds the connection in repair mode. `options`: those that the control block has no room for. `send` begins with the unacknowledged bytes, as [`super::Frozen::send`] does.
    pub fn fill(
        self,
        tcb: &Tcb,
        options: &Options,
        client: SocketAddrV4,
        receive: &[u8],
        send: Vec<u8>,
    ) -> Result<Prepared, RestoreError> {
        check(tcb, receive, &send)?;
        let sent = tcb.unacknowledged_len() as usize;
        let Blank(socket) = self;
        let fd = socket.as_fd();
        sequence(fd, RepairQueue::Receive, tcb.copied_seq)?;
        sequence(fd, RepairQueue::Send, tcb.snd_una)?;
        // before connect: the window's clamp is taken from the buffer, and the MSS would stay at 524
        buffers(fd, tcb, receive.len(), send.len())?;
        socket.set_tcp_mss(u32::from(tcb.mss.clamp(*MAXSEG.start(), *MAXSEG.end()))).doing("TCP_MAXSEG")?;
        socket.connect(&client.into()).map_err(|cause| {
            let service = socket.local_addr().ok().and_then(|a| a.as_socket_ipv4());
            RestoreError::unconnected(service, "connecting in repair mode", cause)
        })?;
        negotiated(fd, tcb)?;
        chosen(&socket, tcb)?;
        options::apply(fd, options)?;
        push(fd, RepairQueue::Receive, "receive", receive)?;
        push(fd, RepairQueue::Send, "send", &send[..sent])?;
        sys::select(fd, RepairQueue::None).doing("TCP_REPAIR_QUEUE")?;
        let window = RepairWindow {
            snd_wl1: tcb.snd_wl1,
            snd_wnd: tcb.snd_wnd,
            max_window: tcb.max_window,
            rcv_wnd: tcb.rcv_wnd,
            rcv_wup: tcb.rcv_wup,
        };
        sys::set_tcp(fd, libc::TCP_REPAIR_WINDOW, &window).doing("TCP_REPAIR_WINDOW")?;
        // the kernel computed its segment size before it knew the largest window: one above the window leaves by a
        // timer only, every 200 ms. Setting IP options, none here, has it compute again (tcp_sync_mss).
        sys::set::<[u8]>(fd, libc::IPPROTO_IP, libc::IP_OPTIONS, &[]).doing("IP_OPTIONS")?;
        // other bits would be refused when it is too late
        let locked = options.get(Kind::BufferLock).unwrap_or_default() as u32 & sys::BUFFERS_LOCKED;
        Ok(Prepared { fd: socket.into(), tcb: *tcb, locked, send, sent })
    }
}

impl Prepared {
    /// What another process of this server needs to go on with the socket: it, the locked buffers and the unsent bytes. The control
    /// block is the caller's.
    #[must_use]
    pub fn parts(&self) -> (BorrowedFd<'_>, u32, &[u8]) {
        (self.fd.as_fd(), self.locked, &self.send[self.sent..])
    }

    /// Of such [parts](Self::parts).
    #[must_use]
    pub fn from_parts(fd: OwnedFd, tcb: &Tcb, locked: u32, unsent: Vec<u8>) -> Self {
        Prepared { fd, tcb: *tcb, locked: locked & sys::BUFFERS_LOCKED, send: unsent, sent: 0 }
    }

    /// Closes the socket without a segment, for all who have a descriptor of it.
    pub fn close_silently(self) {
        close_silently(self.fd);
    }

    /// Makes the socket speak: from here on this server owns the connection. The window probe
    /// of repair-off tells the client at once.
    pub fn go_live(self) -> Result<Live, RestoreError> {
        let Prepared { fd, tcb, locked, send, mut sent } = self;
        let socket = SockRef::from(&fd);
        sys::set_repair(fd.as_fd(), false).doing("TCP_REPAIR off")?;
        let since = Instant::now();
        // repair-off clears it, and a restarted listener could not bind its port
        socket.set_reuse_address(true).doing("SO_REUSEADDR")?;
        sent += write(fd.as_fd(), &send[sent..]).doing("writing the unsent data")?;
        if tcb.options.cork {
            socket.set_tcp_cork(true).doing("TCP_CORK")?;
        }
        // the origin's size, or buffers grow with every move; then autotuning has again what the application did not choose
        set_buffer(fd.as_fd(), Buffer::Send, tcb.send_buffer as usize).doing("SO_SNDBUF")?;
        if locked & sys::RECEIVE_BUFFER_LOCKED != 0 {
            set_buffer(fd.as_fd(), Buffer::Receive, tcb.receive_buffer as usize).doing("SO_RCVBUF")?;
        }
        sys::set(fd.as_fd(), libc::SOL_SOCKET, sys::SO_BUF_LOCK, &locked).doing("SO_BUF_LOCK")?;
        Ok(Live { fd, since, send, sent })
    }
}

fn check(tcb: &Tcb, receive: &[u8], send: &[u8]) -> Result<(), RestoreError> {
    let expect = |ok, what| if ok { Ok(()) } else { Err(RestoreError::Inconsistent(what)) };
    expect(tcb.rcv_nxt.wrapping_sub(tcb.copied_seq) as usize == receive.len(), "receive queue and its length differ")?;
    expect(tcb.write_seq.wrapping_sub(tcb.snd_una) as usize == send.len(), "send queue and its length differ")?;
    expect(tcb.snd_nxt.wrapping_sub(tcb.snd_una) as usize <= send.len(), "snd_nxt is outside the send queue")?;
    expect(tcb.snd_scale <= 14 && tcb.rcv_scale <= 14, "a window scale exceeds 14 (RFC 7323)")
}

fn sequence(fd: BorrowedFd<'_>, queue: RepairQueue, seq: u32) -> Result<(), RestoreError> {
    sys::select(fd, queue).doing("TCP_REPAIR_QUEUE")?;
    sys::set_tcp(fd, libc::TCP_QUEUE_SEQ, &seq).doing("TCP_QUEUE_SEQ")
}

#[derive(Clone, Copy)]
enum Buffer {
    Send,
    Receive,
}

/// Sets a buffer to `size` as `SO_*BUF` reports it (twice what is asked for), beyond the system's
/// limit where this process may, and returns what it got.
fn set_buffer(fd: BorrowedFd<'_>, buffer: Buffer, size: usize) -> io::Result<usize> {
    let socket = SockRef::from(&fd);
    let half = i32::try_from(size / 2).unwrap_or(i32::MAX);
    let (force, plain) = match buffer {
        Buffer::Send => (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
        Buffer::Receive => (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
    };
    match sys::set(fd, libc::SOL_SOCKET, force, &half) {
        // the initial user namespace is asked for; anyone may set it up to *mem_max
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => sys::set(fd, libc::SOL_SOCKET, plain, &half)?,
        other => other?,
    }
    match buffer {
        Buffer::Send => socket.send_buffer_size(),
        Buffer::Receive => socket.recv_buffer_size(),
    }
}

/// Buffers of the origin's size, larger where the queues need it: the kernel counts a buffer's
/// overhead too, which differs from the origin's for the same bytes.
fn buffers(fd: BorrowedFd<'_>, tcb: &Tcb, receive: usize, send: usize) -> Result<(), RestoreError> {
    for (buffer, queue, sysctl, size, length) in [
        (Buffer::Receive, "receive", "rmem_max", tcb.receive_buffer as usize, receive),
        (Buffer::Send, "send", "wmem_max", tcb.send_buffer as usize, send),
    ] {
        let wanted = size.max(length.saturating_mul(4).saturating_add(1 << 16)).min(i32::MAX as usize);
        let limit = set_buffer(fd, buffer, wanted).doing("SO_RCVBUF, SO_SNDBUF")?;
        if limit < length {
            return Err(RestoreError::Buffer { queue, length, limit, sysctl });
        }
    }
    Ok(())
}

/// What the two ends agreed on in their SYNs.
fn negotiated(fd: BorrowedFd<'_>, tcb: &Tcb) -> Result<(), RestoreError> {
    let mut options = vec![RepairOption { code: sys::OPT_MSS, value: u32::from(tcb.mss) }];
    if tcb.negotiated.sack {
        options.push(RepairOption { code: sys::OPT_SACK_PERMITTED, value: 0 });
    }
    if tcb.negotiated.window_scale {
        let value = u32::from(tcb.snd_scale) | u32::from(tcb.rcv_scale) << 16;
        options.push(RepairOption { code: sys::OPT_WINDOW, value });
    }
    if tcb.negotiated.timestamps {
        options.push(RepairOption { code: sys::OPT_TIMESTAMP, value: 0 });
    }
    sys::set_tcp(fd, libc::TCP_REPAIR_OPTIONS, options.as_slice()).doing("TCP_REPAIR_OPTIONS")?;
    if tcb.negotiated.timestamps {
        // without it the client drops segments as old (RFC 7323 section 5)
        sys::set_tcp(fd, libc::TCP_TIMESTAMP, &tcb.ts_value).doing("TCP_TIMESTAMP")?;
    }
    Ok(())
}

/// What the application chose.
fn chosen(socket: &Socket, tcb: &Tcb) -> Result<(), RestoreError> {
    if let Some((_, name)) = CONGESTION.iter().find(|(c, _)| *c == tcb.congestion) {
        let name_of = |c: &[u8]| c.split(|b| *b == 0).next() == Some(name.as_bytes());
        // a kernel without this one keeps its default
        if !socket.tcp_congestion().is_ok_and(|now| name_of(&now))
            && let Err(e) = socket.set_tcp_congestion(name.as_bytes())
        {
            tracing::debug!("congestion control {name} is not to be had here: {e}");
        }
    }
    // the rest is off on a new socket
    if tcb.options.no_delay {
        socket.set_tcp_nodelay(true).doing("TCP_NODELAY")?;
    }
    if tcb.tos != 0 {
        socket.set_tos_v4(u32::from(tcb.tos)).doing("IP_TOS")?;
    }
    if tcb.ttl != 0 {
        socket.set_ttl_v4(u32::from(tcb.ttl)).doing("IP_TTL")?;
    }
    if tcb.options.linger {
        socket.set_linger(Some(Duration::from_secs(tcb.linger.into()))).doing("SO_LINGER")?;
    }
    if tcb.user_timeout != 0 {
        let timeout = Duration::from_millis(tcb.user_timeout.into());
        socket.set_tcp_user_timeout(Some(timeout)).doing("TCP_USER_TIMEOUT")?;
    }
    for (option, value, name) in [
        (libc::TCP_KEEPIDLE, tcb.keepalive_idle, "TCP_KEEPIDLE"),
        (libc::TCP_KEEPINTVL, tcb.keepalive_interval, "TCP_KEEPINTVL"),
        (libc::TCP_KEEPCNT, tcb.keepalive_count.into(), "TCP_KEEPCNT"),
    ] {
        let value = i32::from(value);
        // a peer of the plain format may leave them out
        if value != 0 && sys::get_tcp::<i32>(socket.as_fd(), option).doing(name)? != value {
            sys::set_tcp(socket.as_fd(), option, &value).doing(name)?;
        }
    }
    if tcb.keepalive_on {
        socket.set_keepalive(true).doing("SO_KEEPALIVE")?;
    }
    Ok(())
}

/// Bytes per write into a queue; a large one needs contiguous memory on the receive side.
const CHUNK: usize = 32 << 10;

fn push(fd: BorrowedFd<'_>, queue: RepairQueue, name: &'static str, bytes: &[u8]) -> Result<(), RestoreError> {
    sys::select(fd, queue).doing("TCP_REPAIR_QUEUE")?;
    let mut rest = bytes;
    while !rest.is_empty() {
        match sys::send(fd, &rest[..rest.len().min(CHUNK)]) {
            Ok(n) if n > 0 => rest = &rest[n..],
            Err(cause) if cause.raw_os_error() != Some(libc::ENOMEM) && cause.kind() != io::ErrorKind::WouldBlock => {
                return Err(RestoreError::Io { what: "filling a queue", cause });
            }
            _ => {
                let sysctl = if queue == RepairQueue::Send { "wmem_max" } else { "rmem_max" };
                let limit = bytes.len() - rest.len();
                return Err(RestoreError::Buffer { queue: name, length: bytes.len(), limit, sysctl });
            }
        }
    }
    Ok(())
}

/// Writes what the socket takes.
fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match sys::send(fd, &bytes[written..]) {
            Ok(n) => written += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) => return Err(e),
        }
    }
    Ok(written)
}
