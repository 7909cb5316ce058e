//! From a live socket to a control block and two queues.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::CONGESTION;
use super::diag::Diag;
use super::error::{FreezeError, FreezeFailed, What};
use super::options;
use super::queues::{Copied, Room, peek, state};
use super::sys::{self, RepairQueue, RepairWindow, TcpInfo};
use crate::protocol::Flow;
use crate::protocol::Protocol::{Tcp, Udp};
use crate::transfer::ready_room;
use ipos_abi::wire::options::Options;
use ipos_abi::wire::tcb::{self, Congestion, Negotiated, Repr as Tcb, State};

/// Readings of a socket that keeps changing before it is given up.
const READINGS: u32 = 8;

/// The longest `TCP_KEEPIDLE` and `TCP_KEEPINTVL`, seconds, and the largest `TCP_KEEPCNT` (linux/tcp.h).
const MAX_KEEPALIVE: u64 = 32_767;
const MAX_KEEPALIVE_COUNT: u32 = 127;

/// A socket in repair mode, with everything that must travel.
#[derive(Debug)]
pub struct Frozen {
    fd: OwnedFd,
    /// When repair mode was turned on.
    pub since: Instant,
    /// The control block; epoch, digest and state length are not the socket's and zero.
    pub tcb: Tcb,
    /// Socket options that the control block has no room for.
    pub options: Options,
    /// The peer of the connection.
    pub client: SocketAddrV4,
    /// The address that the connection answers as.
    pub server: SocketAddrV4,
    /// Received, not yet read by the application, without what was copied before.
    pub receive: Vec<u8>,
    /// Sent but unacknowledged, then unsent; nothing if it was copied before.
    pub send: Vec<u8>,
}

impl Frozen {
    /// Gives the move up: the socket lives on as if nothing had happened. The egress fence must
    /// be open again, or the window probe that this sends is lost.
    pub fn thaw(self) -> Result<OwnedFd, FreezeFailed> {
        match thaw(self.fd.as_fd()) {
            Ok(()) => Ok(self.fd),
            Err(cause) => Err(FreezeFailed { fd: self.fd, error: FreezeError::Io { what: "TCP_REPAIR off", cause } }),
        }
    }

    /// Closes the socket without a segment, for all who have a descriptor of it: repair mode is still on.
    pub fn close_silently(self) {
        close_silently(self.fd);
    }
}

/// Closes a socket in repair mode without a segment, for all who have a descriptor of it.
pub fn close_silently(fd: OwnedFd) {
    if let Err(e) = sys::disconnect(fd.as_fd()) {
        // closing it does the same, once it is the last
        tracing::debug!("a frozen socket can't be disconnected: {e}");
    }
}

/// Leaves repair mode with a window probe: the connection lives on where it was.
pub fn thaw(fd: BorrowedFd<'_>) -> io::Result<()> {
    // leaving a queue selected would let a timer mark unsent data as sent
    sys::select(fd, RepairQueue::None)?;
    sys::set_repair(fd, false)?;
    // repair-off clears it (tcp_repair_off, SK_NO_REUSE)
    SockRef::from(&fd).set_reuse_address(true)
}

/// The peer's and the local address.
fn ends(fd: BorrowedFd<'_>) -> Result<(SocketAddrV4, SocketAddrV4), FreezeError> {
    let v4 = |a: io::Result<socket2::SockAddr>, what| {
        a.reading(what)?.as_socket_ipv4().ok_or(FreezeError::NotConnected("another address family"))
    };
    let socket = SockRef::from(&fd);
    let peer = match socket.peer_addr() {
        Err(e) if e.kind() == io::ErrorKind::NotConnected => return Err(FreezeError::NotConnected("no peer")),
        peer => v4(peer, "the peer's address")?,
    };
    Ok((peer, v4(socket.local_addr(), "the local address")?))
}

/// Refuses what can't move, before anything is disturbed. Returns the connection's two ends.
fn check(fd: BorrowedFd<'_>, diag: &mut Diag) -> Result<(SocketAddrV4, SocketAddrV4), FreezeError> {
    let socket = SockRef::from(&fd);
    match socket.protocol().reading("SO_PROTOCOL")? {
        Some(Protocol::TCP) => {}
        Some(p) if i32::from(p) == libc::IPPROTO_MPTCP => return Err(FreezeError::Mptcp),
        _ => return Err(FreezeError::NotConnected("another protocol")),
    }
    passing(fd)?;
    let (client, server) = ends(fd)?;
    let ulp: [u8; 16] = sys::get_tcp(fd, libc::TCP_ULP).reading("TCP_ULP")?;
    if ulp[0] != 0 {
        return Err(FreezeError::Ulp(String::from_utf8_lossy(&ulp).trim_end_matches('\0').to_owned()));
    }
    // the size of struct tcp_ao_info_opt; without TCP-AO on the socket or in the kernel this fails
    if sys::get_tcp::<[u8; 48]>(fd, sys::TCP_AO_INFO).is_ok() {
        return Err(FreezeError::Signed("TCP-AO"));
    }
    // the lookup sees the calling thread's network namespace: it may not know the socket
    let known = diag.lookup(server, client).reading("sock_diag")?;
    if known.is_some_and(|k| k.md5) {
        return Err(FreezeError::Signed("TCP MD5"));
    }
    if socket.out_of_band_inline().reading("SO_OOBINLINE")? {
        return Err(FreezeError::Urgent);
    }
    if sys::has_filter(fd).reading("SO_GET_FILTER")? {
        return Err(FreezeError::Option("a filter (SO_ATTACH_FILTER, SO_ATTACH_BPF)"));
    }
    // without any the kernel writes nothing
    if sys::get::<[u8; 40]>(fd, libc::IPPROTO_IP, libc::IP_OPTIONS).reading("IP_OPTIONS")?[0] != 0 {
        return Err(FreezeError::Option("IP_OPTIONS"));
    }
    Ok((client, server))
}

/// The part of it that the client can change at any time.
fn passing(fd: BorrowedFd<'_>) -> Result<(), FreezeError> {
    let info: TcpInfo = sys::get_tcp(fd, libc::TCP_INFO).reading("TCP_INFO")?;
    state(&info)?;
    let mut byte = [std::mem::MaybeUninit::uninit()];
    let peek = libc::MSG_OOB | libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // EINVAL: there is none; EAGAIN: announced, not here yet
    match SockRef::from(&fd).recv_with_flags(&mut byte, peek) {
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        _ => Err(FreezeError::Urgent),
    }
}

/// A connection that can move, as far as can be told without disturbing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The connection.
    pub flow: Flow,
    /// Bytes in the receive and the send queue that travel as streams, as of now.
    pub queues: [u32; 2],
    /// The control block as far as the application has set it; who freezes need not read that again.
    chosen: Tcb,
    /// The same of what has no room there.
    options: Options,
}

impl Inspection {
    /// A UDP flow, of which nothing travels as a stream.
    #[must_use]
    pub fn udp(client: SocketAddrV4, service: SocketAddrV4) -> Self {
        Inspection {
            flow: Flow { protocol: Udp, client, service },
            queues: [0; 2],
            chosen: Tcb::default(),
            options: Options::default(),
        }
    }

    /// Room for queues that are as long as these.
    #[must_use]
    pub fn room(&self) -> Room {
        self.queues.map(|length| ready_room(length as usize + 1))
    }
}

/// Refuses what can't move and reads what only the application can change: from here on it leaves the socket alone. A UDP
/// socket must be connected. `diag` is asked in its network namespace, which need not know the socket.
pub fn inspect(fd: BorrowedFd<'_>, diag: &mut Diag) -> Result<Inspection, FreezeError> {
    if SockRef::from(&fd).protocol().reading("SO_PROTOCOL")? == Some(Protocol::UDP) {
        let (client, service) = ends(fd)?;
        return Ok(Inspection::udp(client, service));
    }
    let (client, service) = check(fd, diag)?;
    let received = sys::count(fd, libc::FIONREAD as libc::c_ulong).reading("FIONREAD")?;
    let written = sys::count(fd, libc::TIOCOUTQ as libc::c_ulong).reading("TIOCOUTQ")?;
    let flow = Flow { protocol: Tcp, client, service };
    let fresh = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).reading("options of a new socket")?;
    let options = options::chosen(fd, fresh.as_fd())?;
    Ok(Inspection { flow, queues: [received as u32, written as u32], chosen: chosen(fd)?, options })
}

/// Freezes a connection that was inspected. `copied`: what a [`copy`](super::copy) has of its queues, if there is one. The caller holds the client's packets and has drained the receive path;
/// `fence` is called once the socket is in repair mode and must keep every further segment of it
/// from leaving the host. On an error the socket is as it was, but the fence is not undone.
pub fn freeze(
    fd: OwnedFd,
    seen: &Inspection,
    copied: Option<&Copied>,
    room: Room,
    fence: impl FnOnce(),
) -> Result<Frozen, FreezeFailed> {
    let Flow { client, service: server, .. } = seen.flow;
    match try_freeze(fd.as_fd(), seen, copied, room, fence) {
        Ok((since, (tcb, receive, send), options)) => {
            Ok(Frozen { fd, since, tcb, options, client, server, receive, send })
        }
        Err(error) => Err(FreezeFailed { fd, error }),
    }
}

/// Sends the acknowledgement that the kernel delays. The new owner's kernel would not know that one is due, and a client
/// that waits for it before it sends more (RFC 896) would wait for its retransmission time-out instead.
fn acknowledge(fd: BorrowedFd<'_>) -> io::Result<()> {
    let quick: i32 = sys::get_tcp(fd, libc::TCP_QUICKACK)?;
    sys::set_tcp(fd, libc::TCP_QUICKACK, &1i32)?;
    // a thawed socket goes on delaying as it did
    if quick == 0 { sys::set_tcp(fd, libc::TCP_QUICKACK, &quick) } else { Ok(()) }
}

type Dump = (Tcb, Vec<u8>, Vec<u8>);

fn try_freeze(
    fd: BorrowedFd<'_>,
    seen: &Inspection,
    copied: Option<&Copied>,
    room: Room,
    fence: impl FnOnce(),
) -> Result<(Instant, Dump, Options), FreezeError> {
    passing(fd)?;
    acknowledge(fd).reading("TCP_QUICKACK")?;
    let mut options = seen.options;
    options::refresh(fd, &mut options)?;
    let since = Instant::now();
    sys::set_repair(fd, true).map_err(FreezeError::Repair)?;
    fence();
    match dump(fd, &seen.chosen, copied, room) {
        Ok(dumped) => Ok((since, dumped, options)),
        Err(error) => {
            thaw(fd).reading("TCP_REPAIR off")?;
            Err(error)
        }
    }
}

fn dump(fd: BorrowedFd<'_>, chosen: &Tcb, copied: Option<&Copied>, mut room: Room) -> Result<Dump, FreezeError> {
    // Before the send queue is selected: with it selected, a timer marks unsent data as sent
    // without sending it. What a timer really sends from here on stops at the fence, so the
    // count can only be too large by data that nobody has seen.
    let unsent = sys::count(fd, libc::SIOCOUTQNSD).reading("SIOCOUTQNSD")?;
    for _ in 0..READINGS {
        let info: TcpInfo = sys::get_tcp(fd, libc::TCP_INFO).reading("TCP_INFO")?;
        state(&info)?;
        let received = sys::count(fd, libc::FIONREAD as libc::c_ulong).reading("FIONREAD")?;
        let written = sys::count(fd, libc::TIOCOUTQ as libc::c_ulong).reading("TIOCOUTQ")?;
        // of what was copied before, nothing is read again: the application has given the socket away, so both queues begin where
        // they did, but for what the client has acknowledged since
        let (known, sent) = copied.map_or((0, None), |c| (c.receive, Some(c.send)));
        let unread = if received > known { received } else { 0 };
        let (receive_end, mut receive) = peek(fd, RepairQueue::Receive, unread, std::mem::take(&mut room[0]))?;
        let unsaved = if sent.is_some() { 0 } else { written };
        let (send_end, send) = peek(fd, RepairQueue::Send, unsaved, std::mem::take(&mut room[1]))?;
        sys::select(fd, RepairQueue::None).reading("TCP_REPAIR_QUEUE")?;
        let window: RepairWindow = sys::get_tcp(fd, libc::TCP_REPAIR_WINDOW).reading("TCP_REPAIR_WINDOW")?;
        let still = sys::count(fd, libc::FIONREAD as libc::c_ulong).reading("FIONREAD")? == received
            && sys::count(fd, libc::TIOCOUTQ as libc::c_ulong).reading("TIOCOUTQ")? == written;
        if !still || receive.len() != unread || send.len() != unsaved {
            continue;
        }
        // in CLOSE_WAIT rcv_nxt counts the FIN, which the new owner replays
        let fin = u32::from(state(&info)? == State::CloseWait);
        let rcv_nxt = receive_end.wrapping_sub(fin);
        let copied_seq = rcv_nxt.wrapping_sub(received as u32);
        if copied.is_some_and(|c| c.copied_seq != copied_seq || c.write_seq != send_end) {
            return Err(FreezeError::Moving(1));
        }
        receive.drain(..known.min(receive.len()));
        // what was acknowledged after it had been copied travels as if it had not been: the client says so again
        let written = sent.unwrap_or(written);
        let mut tcb = negotiated(fd, &info, chosen)?;
        tcb.snd_una = send_end.wrapping_sub(written as u32);
        tcb.snd_nxt = send_end.wrapping_sub(unsent.min(written) as u32);
        tcb.write_seq = send_end;
        tcb.rcv_nxt = rcv_nxt;
        tcb.copied_seq = copied_seq;
        tcb.snd_wl1 = window.snd_wl1;
        tcb.snd_wnd = window.snd_wnd;
        tcb.max_window = window.max_window;
        tcb.rcv_wnd = window.rcv_wnd.wrapping_add(fin);
        tcb.rcv_wup = window.rcv_wup.wrapping_sub(fin);
        return Ok((tcb, receive, send));
    }
    Err(FreezeError::Moving(READINGS))
}

/// What an application can set.
fn chosen(fd: BorrowedFd<'_>) -> Result<Tcb, FreezeError> {
    let socket = SockRef::from(&fd);
    let name = socket.tcp_congestion().reading("TCP_CONGESTION")?;
    let name = name.split(|b| *b == 0).next().unwrap_or_default();
    let congestion = CONGESTION.iter().find(|(_, n)| n.as_bytes() == name).map_or(Congestion::Other, |(c, _)| *c);
    // the system's own may be longer than what a socket can be told
    let seconds = |d: io::Result<std::time::Duration>, what| -> Result<u16, FreezeError> {
        Ok(d.reading(what)?.as_secs().min(MAX_KEEPALIVE) as u16)
    };
    let linger = socket.linger().reading("SO_LINGER")?;
    Ok(Tcb {
        user_timeout: sys::get_tcp(fd, libc::TCP_USER_TIMEOUT).reading("TCP_USER_TIMEOUT")?,
        keepalive_idle: seconds(socket.tcp_keepalive_time(), "TCP_KEEPIDLE")?,
        keepalive_interval: seconds(socket.tcp_keepalive_interval(), "TCP_KEEPINTVL")?,
        keepalive_count: socket.tcp_keepalive_retries().reading("TCP_KEEPCNT")?.min(MAX_KEEPALIVE_COUNT) as u8,
        keepalive_on: socket.keepalive().reading("SO_KEEPALIVE")?,
        options: tcb::Options {
            no_delay: socket.tcp_nodelay().reading("TCP_NODELAY")?,
            cork: socket.tcp_cork().reading("TCP_CORK")?,
            linger: linger.is_some(),
        },
        linger: linger.map_or(0, |d| d.as_secs().min(u64::from(u16::MAX)) as u16),
        tos: socket.tos_v4().reading("IP_TOS")? as u8,
        ttl: socket.ttl_v4().reading("IP_TTL")? as u8,
        congestion,
        ..Tcb::default()
    })
}

/// What the two ends have negotiated and the kernel has measured, in repair mode, beside what was chosen.
fn negotiated(fd: BorrowedFd<'_>, info: &TcpInfo, chosen: &Tcb) -> Result<Tcb, FreezeError> {
    let socket = SockRef::from(&fd);
    let timestamps = info.options & 1 != 0;
    Ok(Tcb {
        negotiated: Negotiated {
            timestamps,
            sack: info.options & 2 != 0,
            window_scale: info.options & 4 != 0,
            ecn: info.options & 8 != 0,
        },
        state: state(info)?,
        snd_scale: info.wscale & 15,
        rcv_scale: info.wscale >> 4,
        ts_value: if timestamps { sys::get_tcp(fd, libc::TCP_TIMESTAMP).reading("TCP_TIMESTAMP")? } else { 0 },
        // in repair mode this is the MSS that the client announced, not the current one
        mss: socket.tcp_mss().reading("TCP_MAXSEG")?.min(u32::from(u16::MAX)) as u16,
        advmss: info.advmss.min(u32::from(u16::MAX)) as u16,
        srtt: info.rtt,
        rttvar: info.rttvar,
        cwnd: info.snd_cwnd,
        ssthresh: info.snd_ssthresh,
        // the kernel tunes them
        send_buffer: socket.send_buffer_size().reading("SO_SNDBUF")? as u32,
        receive_buffer: socket.recv_buffer_size().reading("SO_RCVBUF")? as u32,
        ..*chosen
    })
}
