//! Socket options and requests that `socket2` does not have. All unsafe code of this crate.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_void, socklen_t};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// Queue selectors of `TCP_REPAIR_QUEUE` (linux/tcp.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum RepairQueue {
    None = 0,
    Receive = 1,
    Send = 2,
}

/// `struct tcp_repair_opt` (linux/tcp.h).
#[derive(Clone, Copy, IntoBytes, Immutable)]
#[repr(C)]
pub struct RepairOption {
    pub code: u32,
    pub value: u32,
}

/// `struct tcp_repair_window` (linux/tcp.h).
#[derive(Clone, Copy, Debug, Default, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub struct RepairWindow {
    pub snd_wl1: u32,
    pub snd_wnd: u32,
    pub max_window: u32,
    pub rcv_wnd: u32,
    pub rcv_wup: u32,
}

/// The head of `struct tcp_info` (linux/tcp.h), as far as it is used here; libc's lacks names for the bit fields.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct TcpInfo {
    pub state: u8,
    pub ca_state: u8,
    pub retransmits: u8,
    pub probes: u8,
    pub backoff: u8,
    /// `TCPI_OPT_*`.
    pub options: u8,
    /// Send scale 3:0, receive scale 7:4 (little-endian bit fields).
    pub wscale: u8,
    pub flags: u8,
    pub rto: u32,
    pub ato: u32,
    pub snd_mss: u32,
    pub rcv_mss: u32,
    pub unacked: u32,
    pub sacked: u32,
    pub lost: u32,
    pub retrans: u32,
    pub fackets: u32,
    pub last: [u32; 4],
    pub pmtu: u32,
    pub rcv_ssthresh: u32,
    pub rtt: u32,
    pub rttvar: u32,
    pub snd_ssthresh: u32,
    pub snd_cwnd: u32,
    pub advmss: u32,
}

/// `SO_BUF_LOCK` (asm-generic/socket.h, Linux 5.14); libc has no name for it.
pub const SO_BUF_LOCK: c_int = 72;
/// `SOCK_RCVBUF_LOCK` and `SOCK_BUF_LOCK_MASK` of `SO_BUF_LOCK` (linux/socket.h).
pub const RECEIVE_BUFFER_LOCKED: u32 = 2;
pub const BUFFERS_LOCKED: u32 = 3;
/// `TCP_AO_INFO` (linux/tcp.h, Linux 6.7).
pub const TCP_AO_INFO: c_int = 40;
/// `TCPOPT_*` of `TCP_REPAIR_OPTIONS` (RFC 9293 section 3.2, RFC 7323, RFC 2018).
pub const OPT_MSS: u32 = 2;
pub const OPT_WINDOW: u32 = 3;
pub const OPT_SACK_PERMITTED: u32 = 4;
pub const OPT_TIMESTAMP: u32 = 8;

fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// `setsockopt(2)`.
pub fn set<T: IntoBytes + Immutable + ?Sized>(
    fd: BorrowedFd<'_>,
    level: c_int,
    option: c_int,
    value: &T,
) -> io::Result<()> {
    let bytes = value.as_bytes();
    // SAFETY: `bytes` is valid for reads of its length for the call.
    let r = unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, option, bytes.as_ptr().cast::<c_void>(), bytes.len() as socklen_t)
    };
    check(r as isize).map(drop)
}

/// `getsockopt(2)`; bytes that the kernel does not fill are zero.
pub fn get<T: FromZeros + FromBytes + IntoBytes>(fd: BorrowedFd<'_>, level: c_int, option: c_int) -> io::Result<T> {
    let mut value = T::new_zeroed();
    let bytes = value.as_mut_bytes();
    let mut length = bytes.len() as socklen_t;
    // SAFETY: `bytes` is valid for writes of `length` bytes; any bytes are a valid T.
    let r = unsafe {
        libc::getsockopt(fd.as_raw_fd(), level, option, bytes.as_mut_ptr().cast::<c_void>(), &raw mut length)
    };
    check(r as isize)?;
    Ok(value)
}

/// Whether packets pass a filter before the socket has them (`SO_ATTACH_FILTER`, `SO_ATTACH_BPF`).
pub fn has_filter(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut instructions: socklen_t = 0;
    // SAFETY: without a buffer the kernel tells the filter's length only.
    let r = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_GET_FILTER,
            std::ptr::null_mut(),
            &raw mut instructions,
        )
    };
    match check(r as isize) {
        Ok(_) => Ok(instructions > 0),
        // one that was not made of classic instructions is not shown
        Err(e) if e.raw_os_error() == Some(libc::EACCES) => Ok(true),
        Err(e) => Err(e),
    }
}

/// A TCP level option.
pub fn set_tcp<T: IntoBytes + Immutable + ?Sized>(fd: BorrowedFd<'_>, option: c_int, value: &T) -> io::Result<()> {
    set(fd, libc::IPPROTO_TCP, option, value)
}

/// A TCP level option.
pub fn get_tcp<T: FromZeros + FromBytes + IntoBytes>(fd: BorrowedFd<'_>, option: c_int) -> io::Result<T> {
    get(fd, libc::IPPROTO_TCP, option)
}

/// Turns repair mode on; off, 0, sends a window probe.
pub fn set_repair(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set_tcp(fd, libc::TCP_REPAIR, &c_int::from(on))
}

/// Turns repair mode off without a probe: the connection goes on as if nothing had been (`TCP_REPAIR_OFF_NO_WP`).
pub fn leave_repair(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_tcp(fd, libc::TCP_REPAIR, &c_int::from(-1i8))
}

/// Whether a socket is in repair mode.
pub fn in_repair(fd: BorrowedFd<'_>) -> io::Result<bool> {
    get_tcp::<c_int>(fd, libc::TCP_REPAIR).map(|on| on != 0)
}

/// Ends a connection whose socket is in repair mode without a segment, whoever else has a descriptor of it (`tcp_disconnect`).
pub fn disconnect(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all zeros is a valid sockaddr, of the family AF_UNSPEC (0).
    let none: libc::sockaddr = unsafe { std::mem::zeroed() };
    // SAFETY: `none` is valid for reads of its size for the call.
    let r = unsafe { libc::connect(fd.as_raw_fd(), &raw const none, size_of_val(&none) as socklen_t) };
    check(r as isize).map(drop)
}

/// Selects the queue that sequence numbers, reads and writes mean in repair mode.
pub fn select(fd: BorrowedFd<'_>, queue: RepairQueue) -> io::Result<()> {
    set_tcp(fd, libc::TCP_REPAIR_QUEUE, &(queue as c_int))
}

/// A count of bytes by `ioctl(2)`: `FIONREAD`, `TIOCOUTQ`, `SIOCOUTQNSD`.
pub fn count(fd: BorrowedFd<'_>, request: libc::c_ulong) -> io::Result<usize> {
    let mut n: c_int = 0;
    // SAFETY: these three requests write one int; callers pass no other.
    let r = unsafe { libc::ioctl(fd.as_raw_fd(), request as libc::Ioctl, &raw mut n) };
    check(r as isize)?;
    Ok(n.max(0) as usize)
}

/// `recv(2)` into the spare capacity of `buffer`, appended.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>, flags: c_int) -> io::Result<usize> {
    let spare = buffer.spare_capacity_mut();
    // SAFETY: the spare capacity is valid for writes of its length.
    let r = unsafe { libc::recv(fd.as_raw_fd(), spare.as_mut_ptr().cast::<c_void>(), spare.len(), flags) };
    let n = check(r)?;
    // SAFETY: the kernel has initialised `n` bytes behind the old length, within the capacity.
    unsafe { buffer.set_len(buffer.len() + n) };
    Ok(n)
}

/// `send(2)` without SIGPIPE and without waiting.
pub fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: `bytes` is valid for reads of its length.
    check(unsafe { libc::send(fd.as_raw_fd(), bytes.as_ptr().cast::<c_void>(), bytes.len(), flags) })
}
