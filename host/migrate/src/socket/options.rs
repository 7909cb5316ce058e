//! Which socket options travel with a connection, and why the others don't: one table, from which the code that carries them,
//! the tests and `docs/socket-options.md` are made.

use std::fmt::Write;
use std::io;
use std::os::fd::BorrowedFd;

use libc::{c_int, timeval};

use super::error::{FreezeError, RestoreError, What};
use super::sys;
use Fate::{Block, Listed, Refused, Stays};
use ipos_abi::wire::options::{Kind, Options};

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It travels in the TCP control block.
    Block,
    /// It travels in the list of options.
    Listed(Kind),
    /// A socket that has it does not move.
    Refused,
    /// It does not travel.
    Stays,
}

/// An option of Linux.
#[derive(Clone, Copy, Debug)]
pub struct SocketOption {
    /// As `setsockopt(2)` numbers it.
    pub level: c_int,
    /// As `setsockopt(2)` numbers it.
    pub number: c_int,
    /// In the kernel's headers.
    pub name: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// How, or why.
    pub remark: &'static str,
}

macro_rules! options {
    ($($level:ident { $($number:literal $name:ident $fate:expr, $remark:literal;)* })*) => {
        &[$($(SocketOption {
            level: libc::$level, number: $number, name: stringify!($name), fate: $fate, remark: $remark,
        },)*)*]
    };
}

/// Every socket, TCP and IP option of Linux 6.18, in the order of levels and numbers.
pub const OPTIONS: &[SocketOption] = options! {
    SOL_SOCKET {
        1 SO_DEBUG Stays, "changes nothing about a connection";
        2 SO_REUSEADDR Stays, "always on after a move, so that a listener can bind the port again";
        3 SO_TYPE Stays, "read only";
        4 SO_ERROR Stays, "read only";
        5 SO_DONTROUTE Listed(Kind::DontRoute), "";
        6 SO_BROADCAST Stays, "of datagrams";
        7 SO_SNDBUF Block, "its lock: SO_BUF_LOCK";
        8 SO_RCVBUF Block, "its lock: SO_BUF_LOCK";
        9 SO_KEEPALIVE Block, "";
        10 SO_OOBINLINE Refused, "urgent data loses its place in the stream";
        11 SO_NO_CHECK Stays, "of datagrams";
        12 SO_PRIORITY Listed(Kind::Priority), "";
        13 SO_LINGER Block, "at most 65,535 seconds";
        14 SO_BSDCOMPAT Stays, "does nothing";
        15 SO_REUSEPORT Listed(Kind::ReusePort), "";
        16 SO_PASSCRED Stays, "of Unix sockets";
        17 SO_PEERCRED Stays, "of Unix sockets";
        18 SO_RCVLOWAT Listed(Kind::ReceiveLow), "";
        19 SO_SNDLOWAT Stays, "read only";
        20 SO_RCVTIMEO_OLD Listed(Kind::ReceiveTimeout), "";
        21 SO_SNDTIMEO_OLD Listed(Kind::SendTimeout), "";
        22 SO_SECURITY_AUTHENTICATION Stays, "not implemented in Linux";
        23 SO_SECURITY_ENCRYPTION_TRANSPORT Stays, "not implemented in Linux";
        24 SO_SECURITY_ENCRYPTION_NETWORK Stays, "not implemented in Linux";
        25 SO_BINDTODEVICE Stays, "names an interface of the server";
        26 SO_ATTACH_FILTER Refused, "a socket without its filter would let through what the application wants dropped";
        27 SO_DETACH_FILTER Stays, "an action";
        28 SO_PEERNAME Stays, "read only";
        29 SO_TIMESTAMP_OLD Stays, "times are those of the server that data arrived at; ask again";
        30 SO_ACCEPTCONN Stays, "read only";
        31 SO_PEERSEC Stays, "read only";
        32 SO_SNDBUFFORCE Block, "as SO_SNDBUF";
        33 SO_RCVBUFFORCE Block, "as SO_RCVBUF";
        34 SO_PASSSEC Stays, "of Unix sockets";
        35 SO_TIMESTAMPNS_OLD Stays, "as SO_TIMESTAMP_OLD";
        36 SO_MARK Listed(Kind::Mark), "";
        37 SO_TIMESTAMPING_OLD Stays, "as SO_TIMESTAMP_OLD; its count of bytes begins where it is asked for";
        38 SO_PROTOCOL Stays, "read only";
        39 SO_DOMAIN Stays, "read only";
        40 SO_RXQ_OVFL Stays, "of datagrams";
        41 SO_WIFI_STATUS Stays, "of packet sockets";
        42 SO_PEEK_OFF Listed(Kind::PeekOffset), "Linux 6.9";
        43 SO_NOFCS Stays, "of packet sockets";
        44 SO_LOCK_FILTER Stays, "a socket with a filter does not move";
        45 SO_SELECT_ERR_QUEUE Listed(Kind::SelectErrors), "";
        46 SO_BUSY_POLL Listed(Kind::BusyPoll), "";
        47 SO_MAX_PACING_RATE Listed(Kind::PacingRate), "";
        48 SO_BPF_EXTENSIONS Stays, "read only";
        49 SO_INCOMING_CPU Stays, "names a processor of the server";
        50 SO_ATTACH_BPF Refused, "as SO_ATTACH_FILTER";
        51 SO_ATTACH_REUSEPORT_CBPF Stays, "of listeners";
        52 SO_ATTACH_REUSEPORT_EBPF Stays, "of listeners";
        53 SO_CNX_ADVICE Stays, "an action";
        54 SCM_TIMESTAMPING_OPT_STATS Stays, "a control message";
        55 SO_MEMINFO Stays, "read only";
        56 SO_INCOMING_NAPI_ID Stays, "read only";
        57 SO_COOKIE Stays, "read only; another one after a move";
        58 SCM_TIMESTAMPING_PKTINFO Stays, "a control message";
        59 SO_PEERGROUPS Stays, "of Unix sockets";
        60 SO_ZEROCOPY Listed(Kind::ZeroCopy), "completions that have not been read are lost";
        61 SO_TXTIME Stays, "of datagrams: TCP paces itself";
        62 SO_BINDTOIFINDEX Stays, "as SO_BINDTODEVICE";
        63 SO_TIMESTAMP_NEW Stays, "as SO_TIMESTAMP_OLD";
        64 SO_TIMESTAMPNS_NEW Stays, "as SO_TIMESTAMP_OLD";
        65 SO_TIMESTAMPING_NEW Stays, "as SO_TIMESTAMPING_OLD";
        66 SO_RCVTIMEO_NEW Listed(Kind::ReceiveTimeout), "the same as SO_RCVTIMEO_OLD";
        67 SO_SNDTIMEO_NEW Listed(Kind::SendTimeout), "the same as SO_SNDTIMEO_OLD";
        68 SO_DETACH_REUSEPORT_BPF Stays, "of listeners";
        69 SO_PREFER_BUSY_POLL Listed(Kind::PreferBusyPoll), "";
        70 SO_BUSY_POLL_BUDGET Stays, "the kernel does not tell it";
        71 SO_NETNS_COOKIE Stays, "read only";
        72 SO_BUF_LOCK Listed(Kind::BufferLock), "Linux 5.14";
        73 SO_RESERVE_MEM Stays, "memory of the server's control group";
        74 SO_TXREHASH Listed(Kind::Rehash), "Linux 5.18";
        75 SO_RCVMARK Stays, "of datagrams";
        76 SO_PASSPIDFD Stays, "of Unix sockets";
        77 SO_PEERPIDFD Stays, "of Unix sockets";
        78 SO_DEVMEM_LINEAR Stays, "a control message";
        79 SO_DEVMEM_DMABUF Stays, "a control message";
        80 SO_DEVMEM_DONTNEED Stays, "an action";
        81 SCM_TS_OPT_ID Stays, "a control message";
        82 SO_RCVPRIORITY Stays, "of datagrams";
        83 SO_PASSRIGHTS Stays, "of Unix sockets";
        84 SO_INQ Stays, "of Unix sockets";
    }
    IPPROTO_TCP {
        1 TCP_NODELAY Block, "";
        2 TCP_MAXSEG Block, "the client's segment size; what an application asked for has worked in the SYN";
        3 TCP_CORK Block, "";
        4 TCP_KEEPIDLE Block, "also while keepalive is off";
        5 TCP_KEEPINTVL Block, "also while keepalive is off";
        6 TCP_KEEPCNT Block, "also while keepalive is off";
        7 TCP_SYNCNT Listed(Kind::SynCount), "";
        8 TCP_LINGER2 Listed(Kind::Linger2), "";
        9 TCP_DEFER_ACCEPT Stays, "of listeners";
        10 TCP_WINDOW_CLAMP Listed(Kind::WindowClamp), "";
        11 TCP_INFO Stays, "read only; its counters begin again";
        12 TCP_QUICKACK Listed(Kind::QuickAck), "";
        13 TCP_CONGESTION Block, "cubic, reno, bbr and dctcp, where the destination has them; else its default";
        14 TCP_MD5SIG Refused, "keys don't move";
        16 TCP_THIN_LINEAR_TIMEOUTS Listed(Kind::ThinLinear), "";
        17 TCP_THIN_DUPACK Stays, "does nothing";
        18 TCP_USER_TIMEOUT Block, "";
        19 TCP_REPAIR Stays, "it is how a connection moves";
        20 TCP_REPAIR_QUEUE Stays, "as TCP_REPAIR";
        21 TCP_QUEUE_SEQ Stays, "as TCP_REPAIR";
        22 TCP_REPAIR_OPTIONS Stays, "as TCP_REPAIR";
        23 TCP_FASTOPEN Stays, "of listeners";
        24 TCP_TIMESTAMP Stays, "as TCP_REPAIR";
        25 TCP_NOTSENT_LOWAT Listed(Kind::UnsentLow), "";
        26 TCP_CC_INFO Stays, "read only";
        27 TCP_SAVE_SYN Stays, "of listeners";
        28 TCP_SAVED_SYN Stays, "read once, before the move";
        29 TCP_REPAIR_WINDOW Stays, "as TCP_REPAIR";
        30 TCP_FASTOPEN_CONNECT Stays, "of connections that are not yet made";
        31 TCP_ULP Refused, "the kernel runs another protocol on the connection";
        32 TCP_MD5SIG_EXT Refused, "keys don't move";
        33 TCP_FASTOPEN_KEY Stays, "of listeners";
        34 TCP_FASTOPEN_NO_COOKIE Stays, "of connections that are not yet made";
        35 TCP_ZEROCOPY_RECEIVE Stays, "an action";
        36 TCP_INQ Listed(Kind::InQueue), "";
        37 TCP_TX_DELAY Listed(Kind::SendDelay), "";
        38 TCP_AO_ADD_KEY Refused, "keys don't move";
        39 TCP_AO_DEL_KEY Stays, "an action";
        40 TCP_AO_INFO Refused, "keys don't move";
        41 TCP_AO_GET_KEYS Stays, "read only";
        42 TCP_AO_REPAIR Refused, "keys don't move";
        43 TCP_IS_MPTCP Refused, "a connection of several paths does not move";
        44 TCP_RTO_MAX_MS Listed(Kind::RtoMax), "Linux 6.15";
        45 TCP_RTO_MIN_US Listed(Kind::RtoMin), "Linux 6.15";
        46 TCP_DELACK_MAX_US Listed(Kind::AckDelayMax), "Linux 6.15";
    }
    IPPROTO_IP {
        1 IP_TOS Block, "";
        2 IP_TTL Block, "";
        3 IP_HDRINCL Stays, "of raw sockets";
        4 IP_OPTIONS Refused, "a route that packets must take need not exist elsewhere";
        5 IP_ROUTER_ALERT Stays, "of raw sockets";
        6 IP_RECVOPTS Stays, "of datagrams";
        7 IP_RETOPTS Stays, "of datagrams";
        8 IP_PKTINFO Stays, "of datagrams";
        9 IP_PKTOPTIONS Stays, "read only";
        10 IP_MTU_DISCOVER Listed(Kind::MtuDiscovery), "";
        11 IP_RECVERR Listed(Kind::ReceiveErrors), "errors that have not been read are lost";
        12 IP_RECVTTL Stays, "of datagrams";
        13 IP_RECVTOS Stays, "of datagrams";
        14 IP_MTU Stays, "read only";
        15 IP_FREEBIND Stays, "always on after a move";
        16 IP_IPSEC_POLICY Stays, "the kernel does not tell it";
        17 IP_XFRM_POLICY Stays, "the kernel does not tell it";
        18 IP_PASSSEC Stays, "of datagrams";
        19 IP_TRANSPARENT Listed(Kind::Transparent), "";
        20 IP_RECVORIGDSTADDR Stays, "of datagrams";
        21 IP_MINTTL Listed(Kind::MinTtl), "";
        22 IP_NODEFRAG Stays, "of raw sockets";
        23 IP_CHECKSUM Stays, "of datagrams";
        24 IP_BIND_ADDRESS_NO_PORT Stays, "of sockets that are not yet bound";
        25 IP_RECVFRAGSIZE Stays, "of datagrams";
        26 IP_RECVERR_RFC4884 Stays, "of datagrams";
        32 IP_MULTICAST_IF Stays, "of datagrams";
        33 IP_MULTICAST_TTL Stays, "of datagrams";
        34 IP_MULTICAST_LOOP Stays, "of datagrams";
        35 IP_ADD_MEMBERSHIP Stays, "of datagrams";
        36 IP_DROP_MEMBERSHIP Stays, "of datagrams";
        37 IP_UNBLOCK_SOURCE Stays, "of datagrams";
        38 IP_BLOCK_SOURCE Stays, "of datagrams";
        39 IP_ADD_SOURCE_MEMBERSHIP Stays, "of datagrams";
        40 IP_DROP_SOURCE_MEMBERSHIP Stays, "of datagrams";
        41 IP_MSFILTER Stays, "of datagrams";
        42 MCAST_JOIN_GROUP Stays, "of datagrams";
        43 MCAST_BLOCK_SOURCE Stays, "of datagrams";
        44 MCAST_UNBLOCK_SOURCE Stays, "of datagrams";
        45 MCAST_LEAVE_GROUP Stays, "of datagrams";
        46 MCAST_JOIN_SOURCE_GROUP Stays, "of datagrams";
        47 MCAST_LEAVE_SOURCE_GROUP Stays, "of datagrams";
        48 MCAST_MSFILTER Stays, "of datagrams";
        49 IP_MULTICAST_ALL Stays, "of datagrams";
        50 IP_UNICAST_IF Stays, "names an interface of the server";
        51 IP_LOCAL_PORT_RANGE Stays, "of sockets that are not yet bound";
        52 IP_PROTOCOL Stays, "read only";
    }
};

/// The longest `TCP_RTO_MIN_US` that an application can set, microseconds: a longer one is the system's (`tcp_rto_min_us`).
const RTO_MIN_CHOSEN: u64 = 200_000;

/// Where a kind stands in the table.
fn option(kind: Kind) -> &'static SocketOption {
    OPTIONS.iter().find(|o| o.fate == Listed(kind)).expect("every kind stands in the table, which a test checks")
}

/// Reads one. `None`: this kernel does not have it.
fn get(fd: BorrowedFd<'_>, kind: Kind) -> io::Result<Option<u64>> {
    let SocketOption { level, number, .. } = *option(kind);
    let value = match kind {
        Kind::PacingRate => sys::get::<u64>(fd, level, number),
        Kind::ReceiveTimeout | Kind::SendTimeout => {
            sys::get::<[i64; 2]>(fd, level, number).map(|[seconds, micros]| (seconds * 1_000_000 + micros) as u64)
        }
        _ => sys::get::<u32>(fd, level, number).map(u64::from),
    };
    match value {
        Ok(value) => Ok(Some(value)),
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP)) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Sets one.
fn set(fd: BorrowedFd<'_>, kind: Kind, value: u64) -> io::Result<()> {
    let SocketOption { level, number, .. } = *option(kind);
    match kind {
        Kind::PacingRate => sys::set(fd, level, number, &value),
        Kind::ReceiveTimeout | Kind::SendTimeout => {
            sys::set(fd, level, number, &[(value / 1_000_000) as i64, (value % 1_000_000) as i64])
        }
        _ => sys::set(fd, level, number, &(value as u32)),
    }
}

const _: () = assert!(size_of::<timeval>() == size_of::<[i64; 2]>(), "time values as read and written above");

/// What the application has chosen: where the socket differs from `fresh`, a new one.
pub(super) fn chosen(fd: BorrowedFd<'_>, fresh: BorrowedFd<'_>) -> Result<Options, FreezeError> {
    let mut options = Options::default();
    for kind in Kind::ALL {
        let value = get(fd, *kind).reading(kind.name())?;
        let system = *kind == Kind::RtoMin && value.is_some_and(|v| v > RTO_MIN_CHOSEN);
        if let Some(value) = value
            && !system
            && Some(value) != get(fresh, *kind).reading(kind.name())?
        {
            options.set(*kind, value);
        }
    }
    Ok(options)
}

/// Reads again what the kernel itself changes in a connection that lives.
pub(super) fn refresh(fd: BorrowedFd<'_>, options: &mut Options) -> Result<(), FreezeError> {
    for kind in [Kind::WindowClamp, Kind::QuickAck] {
        if let Some(value) = get(fd, kind).reading(kind.name())? {
            options.set(kind, value);
        }
    }
    Ok(())
}

/// Gives a connected socket in repair mode what was chosen, but for the lock of its buffers.
pub(super) fn apply(fd: BorrowedFd<'_>, options: &Options) -> Result<(), RestoreError> {
    options
        .iter()
        .filter(|(kind, _)| *kind != Kind::BufferLock)
        .try_for_each(|(kind, value)| set(fd, kind, value).doing(kind.name()))
}

/// `docs/socket-options.md`.
#[must_use]
pub fn options_page() -> String {
    let mut page = String::from(PREFACE);
    for (level, title) in [
        (libc::SOL_SOCKET, "Sockets (`SOL_SOCKET`)"),
        (libc::IPPROTO_TCP, "TCP (`IPPROTO_TCP`)"),
        (libc::IPPROTO_IP, "IP (`IPPROTO_IP`)"),
    ] {
        // a String takes everything
        let _ = write!(page, "\n## {title}\n\n| option | | |\n|---|---|---|\n");
        for SocketOption { name, fate, remark, .. } in OPTIONS.iter().filter(|o| o.level == level) {
            let fate = match fate {
                Block | Listed(_) => "carried",
                Refused => "does not move",
                Stays => "not carried",
            };
            let _ = writeln!(page, "| `{name}` | {fate} | {remark} |");
        }
    }
    page
}

const PREFACE: &str = "\
<!-- Generated by `cargo xtask gen` from host/migrate/src/socket/options.rs; do not edit. -->
# Socket options

What becomes of each option of a TCP socket when its connection moves, as of Linux 6.18. Options are carried where they differ from those of
a new socket at the origin; what nobody chose is the destination's default. An option that the destination's kernel does not have, or that its node
may not set, fails the move: the connection stays where it is. A socket with an option marked \"does not move\" is refused.

A UDP socket is a new one at the destination: none of its options are carried.
";
