//! Real sockets over the loopback of a network namespace: frozen, closed without a segment, and
//! rebuilt in the same place, while the client on the other end notices nothing. The oracle is
//! the kernel's own TCP at the client, and the bytes that were written.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::thread;
use std::time::Duration;

use ipos_abi::wire::options::{Kind, Options};
use ipos_abi::wire::tcb::State;
use ipos_migrate::socket::{
    self, Blank, Diag, Fate, FreezeError, FreezeFailed, Frozen, OPTIONS, RestoreError, inspect, replay,
};
use nix::sched::{CloneFlags, unshare};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use socket2::{Domain, Protocol, SockAddr, SockFilter, SockRef, Socket, Type};

/// Long enough that nothing is under way any more on an idle loopback: delayed acknowledgements take 40 ms.
const QUIET: Duration = Duration::from_millis(150);

/// Runs `body` in a network namespace of its own: as root in this thread, else by running the
/// test again in a user namespace (which only a single-threaded process may create).
fn in_namespace(test: &str, body: fn()) {
    if !nix::unistd::geteuid().is_root() {
        let exe = std::env::current_exe().unwrap();
        let status = Command::new("unshare").arg("-Ur").arg(exe).args(["--exact", test]).status().unwrap();
        assert!(status.success(), "{test} in a user namespace: {status}");
        return;
    }
    thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        loopback_up();
        body();
    })
    .join()
    .unwrap_or_else(|e| std::panic::resume_unwind(e));
}

fn loopback_up() {
    loopback(libc::SIOCSIFFLAGS, |request| request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short);
}

fn set_mtu(mtu: i32) {
    loopback(libc::SIOCSIFMTU, |request| request.ifr_ifru.ifru_mtu = mtu);
}

fn loopback(call: libc::Ioctl, fill: impl FnOnce(&mut libc::ifreq)) {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    // SAFETY: all zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    fill(&mut request);
    // SAFETY: the callers' requests read one ifreq.
    let r = unsafe { libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&socket), call, &raw const request) };
    assert_eq!(r, 0, "{}", std::io::Error::last_os_error());
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (server, _) = listener.accept().unwrap();
    (client, server)
}

/// A connection under TCP MD5 (RFC 2385).
fn signed_pair() -> (TcpStream, TcpStream) {
    // struct tcp_md5sig (linux/tcp.h) with one key for 127.0.0.1
    let mut key = [0u8; 128 + 1 + 1 + 2 + 4 + 80];
    key[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    key[4..8].copy_from_slice(&[127, 0, 0, 1]);
    key[130..132].copy_from_slice(&4u16.to_ne_bytes());
    key[136..140].copy_from_slice(b"test");
    let sign = |socket: &dyn std::os::fd::AsRawFd| {
        // SAFETY: the option reads a struct tcp_md5sig, whose size is given.
        let r = unsafe {
            libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_MD5SIG, key.as_ptr().cast(), 216)
        };
        assert_eq!(r, 0, "{}", std::io::Error::last_os_error());
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    sign(&listener);
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    sign(&client);
    client.connect(&listener.local_addr().unwrap().into()).unwrap();
    (client.into(), listener.accept().unwrap().0)
}

fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut v = vec![0; length];
    StdRng::seed_from_u64(seed).fill_bytes(&mut v);
    v
}

/// Writes until the socket takes no more; returns how much that was.
fn fill(socket: &mut TcpStream, data: &[u8]) -> usize {
    socket.set_nonblocking(true).unwrap();
    let mut n = 0;
    while n < data.len() {
        match socket.write(&data[n..]) {
            Ok(k) => n += k,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(e) => panic!("{e}"),
        }
    }
    n
}

/// Inspects and freezes at once.
fn freeze(fd: OwnedFd, fence: impl FnOnce()) -> Result<Frozen, FreezeFailed> {
    match inspect(fd.as_fd(), &mut Diag::open().unwrap()) {
        Ok(seen) => socket::freeze(fd, &seen, None, seen.room(), fence),
        Err(error) => Err(FreezeFailed { fd, error }),
    }
}

/// Closes a frozen socket and builds it again. Reads of the new one wait for a while.
fn rebuild(frozen: Frozen) -> TcpStream {
    let stream = rebuild_as_it_was(frozen);
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn rebuild_as_it_was(frozen: Frozen) -> TcpStream {
    let (tcb, options, client, server) = (frozen.tcb, frozen.options, frozen.client, frozen.server);
    let (receive, send) = (frozen.receive.clone(), frozen.send.clone());
    frozen.close_silently();
    let packet = replay(&tcb, client, server);
    let prepared = Blank::new(server).unwrap().fill(&tcb, &options, client, &receive, send).unwrap();
    let live = prepared.go_live().unwrap();
    assert!(live.unsent().is_empty(), "what fitted into the old socket fits into the new one");
    if let Some(packet) = packet {
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW))).unwrap();
        assert_eq!(raw.send_to(&packet, &SockAddr::from(server)).unwrap(), packet.len());
    }
    live.fd.into()
}

fn read(socket: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut v = vec![0; length];
    socket.read_exact(&mut v).unwrap();
    v
}

#[test]
fn both_queues_travel() {
    in_namespace("both_queues_travel", || {
        let (mut client, mut server) = pair();
        server.set_nodelay(true).unwrap();
        SockRef::from(&server).set_tos_v4(0x48).unwrap();
        let up = bytes(1, 100_000);
        client.write_all(&up).unwrap();
        // the client does not read: its buffer fills, the rest stays unsent at the server
        let down = bytes(2, 64 << 20);
        let queued = fill(&mut server, &down);
        thread::sleep(QUIET);

        let frozen = freeze(server.into(), || ()).unwrap();
        assert_eq!(frozen.tcb.state, State::Established);
        assert_eq!(frozen.receive, up);
        assert_eq!(frozen.tcb.rcv_nxt.wrapping_sub(frozen.tcb.copied_seq), 100_000);
        let unsent = frozen.tcb.write_seq.wrapping_sub(frozen.tcb.snd_nxt) as usize;
        assert!(unsent > 0 && unsent <= frozen.send.len(), "{unsent} of {}", frozen.send.len());
        assert!(down[..queued].ends_with(&frozen.send));

        let mut server = rebuild(frozen);
        assert_eq!(read(&mut server, up.len()), up);
        assert!(server.nodelay().unwrap());
        assert_eq!(SockRef::from(&server).tos_v4().unwrap(), 0x48);
        assert_eq!(read(&mut client, queued), &down[..queued]);
        client.write_all(b"later").unwrap();
        assert_eq!(read(&mut server, 5), b"later");
    });
}

#[test]
fn what_was_copied_is_not_read_again_and_the_connection_lives_on_meanwhile() {
    in_namespace("what_was_copied_is_not_read_again_and_the_connection_lives_on_meanwhile", || {
        let (mut client, mut server) = pair();
        let (up, down) = (bytes(1, 100_000), bytes(2, 64 << 20));
        client.write_all(&up[..90_000]).unwrap();
        let queued = fill(&mut server, &down);
        thread::sleep(QUIET);
        let seen = inspect(server.as_fd(), &mut Diag::open().unwrap()).unwrap();
        let (copied, [receive, send]) = socket::copy(server.as_fd(), seen.room()).unwrap().unwrap();
        assert_eq!(receive, up[..90_000]);
        assert!(down[..queued].ends_with(&send) && send.len() > 1 << 16);

        // more comes, and some of what was copied is acknowledged
        client.write_all(&up[90_000..]).unwrap();
        assert_eq!(read(&mut client, 300_000), down[..300_000]);
        thread::sleep(QUIET);
        let mut frozen = socket::freeze(server.into(), &seen, Some(&copied), seen.room(), || ()).unwrap();
        assert_eq!((&frozen.receive[..], frozen.send.len()), (&up[90_000..], 0));
        let tcb = frozen.tcb;
        assert_eq!(tcb.rcv_nxt.wrapping_sub(tcb.copied_seq), 100_000);
        assert_eq!(tcb.write_seq.wrapping_sub(tcb.snd_una) as usize, send.len());
        (frozen.receive, frozen.send) = ([&receive[..], &frozen.receive].concat(), send);
        let mut server = rebuild(frozen);
        assert_eq!(read(&mut server, up.len()), up);
        assert_eq!(read(&mut client, queued - 300_000), &down[300_000..queued]);
        server.write_all(b"later").unwrap();
        assert_eq!(read(&mut client, 5), b"later");
    });
}

#[test]
fn a_socket_that_is_read_after_it_was_copied_does_not_move() {
    in_namespace("a_socket_that_is_read_after_it_was_copied_does_not_move", || {
        let (mut client, mut server) = pair();
        client.write_all(&bytes(1, 5_000)).unwrap();
        thread::sleep(QUIET);
        let seen = inspect(server.as_fd(), &mut Diag::open().unwrap()).unwrap();
        let (copied, _) = socket::copy(server.as_fd(), seen.room()).unwrap().unwrap();
        assert_eq!(read(&mut server, 10), bytes(1, 5_000)[..10]);
        let failed = socket::freeze(server.into(), &seen, Some(&copied), seen.room(), || ()).unwrap_err();
        assert!(matches!(failed.error, FreezeError::Moving(_)), "{}", failed.error);
        let mut server = TcpStream::from(failed.fd);
        assert_eq!(read(&mut server, 4_990), bytes(1, 5_000)[10..]);
        server.write_all(b"alive").unwrap();
        assert_eq!(read(&mut client, 5), b"alive");
    });
}

#[test]
fn sent_but_unacknowledged_data_is_sent_again() {
    in_namespace("sent_but_unacknowledged_data_is_sent_again", || {
        let (mut client, mut server) = pair();
        // the client's socket sees nothing: BPF "ret 0"
        SockRef::from(&client).attach_filter(&[SockFilter::new(0x06, 0, 0, 0)]).unwrap();
        let down = bytes(3, 40_000);
        server.write_all(&down).unwrap();
        let frozen = freeze(server.into(), || ()).unwrap();
        assert_eq!(frozen.send, down);
        assert!(frozen.tcb.snd_nxt.wrapping_sub(frozen.tcb.snd_una) > 1000, "{:?}", frozen.tcb);
        SockRef::from(&client).detach_filter().unwrap();
        let mut server = rebuild(frozen);
        assert_eq!(read(&mut client, down.len()), down);
        client.write_all(b"seen").unwrap();
        assert_eq!(read(&mut server, 4), b"seen");
    });
}

#[test]
fn close_wait_gets_its_fin_again() {
    in_namespace("close_wait_gets_its_fin_again", || {
        let (mut client, server) = pair();
        client.write_all(b"request").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        thread::sleep(QUIET);
        let frozen = freeze(server.into(), || ()).unwrap();
        assert_eq!(frozen.tcb.state, State::CloseWait);
        assert_eq!(frozen.receive, b"request");
        let mut server = rebuild(frozen);
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"request");
        server.write_all(b"response").unwrap();
        drop(server);
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"response");
    });
}

#[test]
fn a_connection_moves_many_times() {
    in_namespace("a_connection_moves_many_times", || {
        let (mut client, mut server) = pair();
        let sndbuf = SockRef::from(&server).send_buffer_size().unwrap();
        for i in 0..50u64 {
            let (up, down) = (bytes(i, 3000), bytes(100 + i, 5000));
            client.write_all(&up).unwrap();
            server.write_all(&down).unwrap();
            thread::sleep(Duration::from_millis(5));
            let got = read(&mut client, down.len());
            assert_eq!(got, down, "move {i}");
            thread::sleep(Duration::from_millis(60));
            server = rebuild(freeze(server.into(), || ()).unwrap());
            assert_eq!(read(&mut server, up.len()), up, "move {i}");
        }
        let now = SockRef::from(&server).send_buffer_size().unwrap();
        assert!(now <= 4 * sndbuf, "the send buffer grew from {sndbuf} to {now} bytes");
    });
}

#[test]
fn a_thawed_socket_lives_on() {
    in_namespace("a_thawed_socket_lives_on", || {
        let (mut client, server) = pair();
        client.write_all(b"before").unwrap();
        let mut fenced = false;
        let frozen = freeze(server.into(), || fenced = true).unwrap();
        assert!(fenced);
        let mut server = TcpStream::from(frozen.thaw().unwrap());
        assert_eq!(read(&mut server, 6), b"before");
        server.write_all(b"after").unwrap();
        assert_eq!(read(&mut client, 5), b"after");
    });
}

#[test]
fn the_kernel_tells_whether_a_connection_still_exists() {
    in_namespace("the_kernel_tells_whether_a_connection_still_exists", || {
        let (client, server) = pair();
        let v4 = |a: std::net::SocketAddr| match a {
            std::net::SocketAddr::V4(a) => a,
            std::net::SocketAddr::V6(_) => panic!("an IPv4 connection"),
        };
        let (here, there) = (v4(server.local_addr().unwrap()), v4(server.peer_addr().unwrap()));
        let mut diag = Diag::open().unwrap();
        let state = |diag: &mut Diag| diag.lookup(here, there).unwrap().map(|k| k.state);
        assert_eq!(state(&mut diag), Some(1));
        drop(client);
        thread::sleep(QUIET);
        assert_eq!(state(&mut diag), Some(8));
        drop(server);
        thread::sleep(QUIET);
        assert_eq!(state(&mut diag), None);
        // the client closed first: its end is in TIME_WAIT
        assert_eq!(diag.lookup(there, here).unwrap().map(|k| k.state), Some(6));
    });
}

/// An option as the kernel tells it.
fn option(socket: &TcpStream, level: i32, number: i32) -> Vec<u8> {
    let (mut value, mut length) = (vec![0u8; 64], 64);
    let fd = std::os::fd::AsRawFd::as_raw_fd(socket);
    // SAFETY: `value` has `length` bytes.
    let r = unsafe { libc::getsockopt(fd, level, number, value.as_mut_ptr().cast(), &raw mut length) };
    assert_eq!(r, 0, "{level} {number}: {}", std::io::Error::last_os_error());
    value.truncate(length as usize);
    value
}

fn set_option(socket: &TcpStream, level: i32, number: i32, value: &[u8]) -> std::io::Result<()> {
    let fd = std::os::fd::AsRawFd::as_raw_fd(socket);
    // SAFETY: `value` has so many bytes.
    let r = unsafe { libc::setsockopt(fd, level, number, value.as_ptr().cast(), value.len() as u32) };
    if r == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// A client whose small writes wait for acknowledgements, and its server, which has one to send and delays it.
fn unacknowledged() -> (TcpStream, TcpStream) {
    // a client that is not acknowledged does not help itself within the test's patience; Linux 6.11 can be told so
    let _ = std::fs::write("/proc/sys/net/ipv4/tcp_rto_min_us", "60000000");
    let (mut client, server) = pair();
    set_option(&server, libc::IPPROTO_TCP, libc::TCP_QUICKACK, &0i32.to_ne_bytes()).unwrap();
    client.write_all(b"a").unwrap();
    client.write_all(b"b").unwrap();
    (client, server)
}

#[test]
fn a_client_with_nagle_does_not_wait_for_an_acknowledgement_that_was_delayed() {
    in_namespace("a_client_with_nagle_does_not_wait_for_an_acknowledgement_that_was_delayed", || {
        let (client, mut server) = unacknowledged();
        assert_eq!(read(&mut server, 1), b"a");
        let frozen = freeze(server.into(), || ()).unwrap();
        assert_eq!(frozen.tcb.rcv_wup, frozen.tcb.rcv_nxt, "all is acknowledged");
        let mut server = rebuild(frozen);
        assert_eq!(read(&mut server, 1), b"b");
        drop(client);
    });
}

#[test]
fn a_client_with_nagle_does_not_wait_for_an_acknowledgement_of_what_is_not_read() {
    in_namespace("a_client_with_nagle_does_not_wait_for_an_acknowledgement_of_what_is_not_read", || {
        let (client, server) = unacknowledged();
        let frozen = freeze(server.into(), || ()).unwrap();
        assert_ne!(frozen.tcb.rcv_wup, frozen.tcb.rcv_nxt, "Linux acknowledges at once only what was read");
        let mut server = rebuild(frozen);
        assert_eq!(read(&mut server, 2), b"ab");
        drop(client);
    });
}

#[test]
fn segments_fit_into_a_small_window_after_a_move() {
    in_namespace("segments_fit_into_a_small_window_after_a_move", || {
        set_mtu(1500);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // the smallest that there is: the window is half of it
        client.set_recv_buffer_size(1).unwrap();
        client.connect(&listener.local_addr().unwrap().into()).unwrap();
        let mut client = TcpStream::from(client);
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let data = bytes(5, 10_000);
        // the server learns the window
        server.write_all(&data[..5_000]).unwrap();
        assert_eq!(read(&mut client, 5_000), data[..5_000]);
        let before = option(&server, libc::IPPROTO_TCP, libc::TCP_MAXSEG);
        let frozen = freeze(server.into(), || ()).unwrap();
        assert!(frozen.tcb.max_window < 1460 && frozen.tcb.mss == 1460, "{:?}", frozen.tcb);
        let mut server = rebuild(frozen);
        assert_eq!(option(&server, libc::IPPROTO_TCP, libc::TCP_MAXSEG), before);
        server.write_all(&data[5_000..]).unwrap();
        assert_eq!(read(&mut client, 5_000), data[5_000..]);
    });
}

#[test]
fn a_client_of_tiny_segments_gets_them_after_a_move() {
    in_namespace("a_client_of_tiny_segments_gets_them_after_a_move", || {
        // 20 bytes of IP, 20 of TCP
        set_mtu(100);
        std::fs::write("/proc/sys/net/ipv4/route/min_adv_mss", "60").unwrap();
        let (mut client, server) = pair();
        // from here on only the client's own limit holds
        set_mtu(1500);
        let before = option(&server, libc::IPPROTO_TCP, libc::TCP_MAXSEG);
        let mut server = server;
        for _ in 0..2 {
            let frozen = freeze(server.into(), || ()).unwrap();
            assert_eq!(frozen.tcb.mss, 60);
            server = rebuild(frozen);
            assert_eq!(option(&server, libc::IPPROTO_TCP, libc::TCP_MAXSEG), before);
            server.write_all(&[7; 500]).unwrap();
            assert_eq!(read(&mut client, 500), [7; 500]);
        }
    });
}

/// A value that an application could choose, unlike that of a new socket: a number of 4 bytes, but for some.
fn choice(kind: Kind) -> Vec<u8> {
    let number: u32 = match kind {
        // set by the sizes, which the control block has
        Kind::BufferLock => 3,
        Kind::Priority => 5,
        Kind::Mark => 0x1234,
        Kind::ReceiveLow => 3_000,
        Kind::PacingRate => return 5_000_000_000u64.to_ne_bytes().to_vec(),
        // Linux rounds to its clock's ticks
        Kind::ReceiveTimeout => return [3i64, 400_000].map(i64::to_ne_bytes).concat(),
        Kind::SendTimeout => return [4i64, 600_000].map(i64::to_ne_bytes).concat(),
        Kind::BusyPoll => 50,
        Kind::Rehash => 0,
        Kind::PeekOffset => 2,
        Kind::SynCount => 3,
        Kind::Linger2 => -1i32 as u32,
        Kind::WindowClamp => 20_000,
        Kind::QuickAck => 0,
        Kind::UnsentLow => 16_384,
        Kind::SendDelay => 1_000,
        Kind::RtoMax => 5_000,
        Kind::RtoMin => 100_000,
        Kind::AckDelayMax => 80_000,
        Kind::MtuDiscovery => 3,
        Kind::MinTtl => 60,
        Kind::PreferBusyPoll
        | Kind::ZeroCopy
        | Kind::ReusePort
        | Kind::DontRoute
        | Kind::SelectErrors
        | Kind::ThinLinear
        | Kind::InQueue
        | Kind::ReceiveErrors
        | Kind::Transparent => 1,
    };
    number.to_ne_bytes().to_vec()
}

/// Each option that the table calls carried is set, and read before the move, after it and after another one. `list` says which.
fn carried(list: bool) {
    let (mut client, mut server) = pair();
    let fresh = TcpStream::from(Socket::new(Domain::IPV4, Type::STREAM, None).unwrap());
    let number = |n: i32| n.to_ne_bytes().to_vec();
    let block = [
        (libc::SOL_SOCKET, libc::SO_LINGER, [number(1), number(7)].concat()),
        (libc::IPPROTO_TCP, libc::TCP_NODELAY, number(1)),
        (libc::IPPROTO_TCP, libc::TCP_CORK, number(1)),
        // keepalive itself is off
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, number(500)),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, number(40)),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, number(4)),
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, number(31_000)),
        (libc::IPPROTO_TCP, libc::TCP_CONGESTION, b"reno".to_vec()),
        (libc::IPPROTO_IP, libc::IP_TOS, number(0x48)),
        (libc::IPPROTO_IP, libc::IP_TTL, number(99)),
    ];
    // by itself each: corks and windows apart, options don't meddle with each other
    let listed = OPTIONS.iter().filter_map(|o| match o.fate {
        Fate::Listed(Kind::BufferLock) => None,
        Fate::Listed(kind) => Some((o.level, o.number, choice(kind))),
        _ => None,
    });
    let mut chosen: Vec<_> = if list { listed.collect() } else { block.into() };
    if list {
        SockRef::from(&server).set_send_buffer_size(40_000).unwrap();
        SockRef::from(&server).set_recv_buffer_size(50_000).unwrap();
    }
    chosen.retain(|(level, number, value)| match set_option(&server, *level, *number, value) {
        // some want more than a user namespace gives
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => false,
        set => {
            set.unwrap_or_else(|e| panic!("{level} {number}: {e}"));
            let (now, new) = (option(&server, *level, *number), option(&fresh, *level, *number));
            assert_ne!(now, new, "{level} {number} is no choice");
            true
        }
    });
    let mut numbers: Vec<_> = chosen.iter().map(|(level, number, _)| (*level, *number)).collect();
    if list {
        let sizes = [libc::SO_SNDBUF, libc::SO_RCVBUF, SO_BUF_LOCK];
        numbers.extend(sizes.map(|n| (libc::SOL_SOCKET, n)));
        assert_eq!(option(&server, libc::SOL_SOCKET, SO_BUF_LOCK), number(3));
    }
    let tell =
        |server: &TcpStream| -> Vec<_> { numbers.iter().map(|(l, n)| (*l, *n, option(server, *l, *n))).collect() };
    let before = tell(&server);
    for _ in 0..2 {
        server = rebuild_as_it_was(freeze(server.into(), || ()).unwrap());
        assert_eq!(tell(&server), before);
    }
    client.write_all(b"alive").unwrap();
    // a low mark lets a read wait for more
    client.shutdown(Shutdown::Write).unwrap();
    server.set_nonblocking(false).unwrap();
    assert_eq!(read(&mut server, 5), b"alive");
}

const SO_BUF_LOCK: i32 = 72;

#[test]
fn options_of_the_control_block_are_those_of_the_origin() {
    in_namespace("options_of_the_control_block_are_those_of_the_origin", || carried(false));
}

#[test]
fn options_of_the_list_are_those_of_the_origin() {
    in_namespace("options_of_the_list_are_those_of_the_origin", || carried(true));
}

#[test]
fn what_nobody_chose_is_the_destinations_default() {
    in_namespace("what_nobody_chose_is_the_destinations_default", || {
        let (_client, server) = pair();
        let frozen = freeze(server.into(), || ()).unwrap();
        // the kernel's own, which it goes on changing
        let own = [Kind::WindowClamp, Kind::QuickAck];
        let chosen: Vec<_> = frozen.options.iter().filter(|(kind, _)| !own.contains(kind)).collect();
        assert_eq!(chosen, []);
        // a keepalive time of the system that no application could choose
        let server = TcpStream::from(frozen.thaw().unwrap());
        std::fs::write("/proc/sys/net/ipv4/tcp_keepalive_time", "100000").unwrap();
        SockRef::from(&server).set_keepalive(true).unwrap();
        let server = rebuild(freeze(server.into(), || ()).unwrap());
        assert!(SockRef::from(&server).keepalive().unwrap());
    });
}

#[test]
fn a_peek_goes_on_where_it_was() {
    in_namespace("a_peek_goes_on_where_it_was", || {
        let (mut client, server) = pair();
        client.write_all(b"abcdef").unwrap();
        thread::sleep(QUIET);
        let two = 2i32.to_ne_bytes();
        if set_option(&server, libc::SOL_SOCKET, libc::SO_PEEK_OFF, &two).is_err() {
            eprintln!("this kernel has no peek offset for TCP; it was not tried");
            return;
        }
        let peek = |server: &TcpStream, length: usize| {
            let mut got = vec![0; length];
            assert_eq!(server.peek(&mut got).unwrap(), length);
            got
        };
        assert_eq!(peek(&server, 1), b"c");
        // nor does copying move it, nor a freeze that is undone
        let seen = inspect(server.as_fd(), &mut Diag::open().unwrap()).unwrap();
        let (_, [receive, _]) = socket::copy(server.as_fd(), seen.room()).unwrap().unwrap();
        assert_eq!(receive, b"abcdef");
        let server = TcpStream::from(freeze(server.into(), || ()).unwrap().thaw().unwrap());
        let mut server = rebuild(freeze(server.into(), || ()).unwrap());
        assert_eq!(peek(&server, 3), b"def");
        assert_eq!(read(&mut server, 6), b"abcdef");
    });
}

#[test]
fn options_that_a_kernel_does_not_take_fail_the_move() {
    in_namespace("options_that_a_kernel_does_not_take_fail_the_move", || {
        let (_client, server) = pair();
        let mut frozen = freeze(server.into(), || ()).unwrap();
        frozen.options.set(Kind::SynCount, 200);
        let (tcb, options, there, here) = (frozen.tcb, frozen.options, frozen.client, frozen.server);
        frozen.close_silently();
        let error = Blank::new(here).unwrap().fill(&tcb, &options, there, &[], Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "TCP_SYNCNT: Invalid argument (os error 22)");
    });
}

fn refusal(fd: impl Into<OwnedFd>) -> (OwnedFd, FreezeError) {
    let failed = freeze(fd.into(), || panic!("a refused socket must not be fenced")).unwrap_err();
    (failed.fd, failed.error)
}

#[test]
fn what_cannot_move_is_refused_and_lives_on() {
    in_namespace("what_cannot_move_is_refused_and_lives_on", || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(matches!(refusal(listener).1, FreezeError::State(10)));
        let udp = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(matches!(refusal(udp).1, FreezeError::NotConnected(_)));

        // half closed by the server: FIN_WAIT2
        let (mut client, server) = pair();
        server.shutdown(Shutdown::Write).unwrap();
        thread::sleep(QUIET);
        let (fd, error) = refusal(server);
        assert!(matches!(error, FreezeError::State(5)), "{error}");
        client.write_all(b"x").unwrap();
        assert_eq!(read(&mut TcpStream::from(fd), 1), b"x");

        let (client, server) = pair();
        SockRef::from(&client).send_out_of_band(b"!").unwrap();
        thread::sleep(QUIET);
        let (fd, error) = refusal(server);
        assert!(matches!(error, FreezeError::Urgent), "{error}");
        // the urgent byte is still there
        let mut byte = [std::mem::MaybeUninit::uninit()];
        assert_eq!(SockRef::from(&fd.as_fd()).recv_out_of_band(&mut byte).unwrap(), 1);

        let (_client, server) = pair();
        // BPF "ret 0xffff": everything passes
        SockRef::from(&server).attach_filter(&[SockFilter::new(0x06, 0, 0, 0xffff)]).unwrap();
        let (fd, error) = refusal(server);
        assert!(matches!(error, FreezeError::Option(what) if what.contains("SO_ATTACH_FILTER")), "{error}");
        SockRef::from(&fd.as_fd()).detach_filter().unwrap();
        let server = TcpStream::from(fd);
        // a record of one address (RFC 791): type 7, 7 bytes, first free place 4; then the end
        set_option(&server, libc::IPPROTO_IP, libc::IP_OPTIONS, &[7, 7, 4, 0, 0, 0, 0, 0]).unwrap();
        let (fd, error) = refusal(server);
        assert!(matches!(error, FreezeError::Option("IP_OPTIONS")), "{error}");
        let server = TcpStream::from(fd);
        set_option(&server, libc::IPPROTO_IP, libc::IP_OPTIONS, &[]).unwrap();
        freeze(server.into(), || ()).unwrap();

        let (_client, server) = signed_pair();
        let (_, error) = refusal(server);
        assert!(matches!(error, FreezeError::Signed("TCP MD5")), "{error}");

        match Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(libc::IPPROTO_MPTCP))) {
            Ok(mptcp) => assert!(matches!(refusal(mptcp).1, FreezeError::Mptcp)),
            Err(e) => eprintln!("this kernel has no MPTCP ({e}); its refusal was not tried"),
        }
    });
}

#[test]
fn contradictory_control_blocks_are_refused() {
    in_namespace("contradictory_control_blocks_are_refused", || {
        let (client, mut server) = pair();
        server.write_all(b"abc").unwrap();
        thread::sleep(QUIET);
        let frozen = freeze(server.into(), || ()).unwrap();
        let good = frozen.tcb;
        let here: SocketAddrV4 = frozen.server;
        let there = frozen.client;
        frozen.close_silently();
        let refused = |tcb, receive: &[u8]| {
            let filled = Blank::new(here).unwrap().fill(&tcb, &Options::default(), there, receive, Vec::new());
            matches!(filled, Err(RestoreError::Inconsistent(_)))
        };
        let mut queue = good;
        queue.copied_seq = queue.copied_seq.wrapping_sub(1);
        let mut nxt = good;
        nxt.snd_nxt = nxt.snd_nxt.wrapping_add(1);
        let mut scale = good;
        scale.rcv_scale = 15;
        for (i, tcb) in [queue, nxt, scale].into_iter().enumerate() {
            assert!(refused(tcb, &[]), "case {i}");
        }
        assert!(refused(good, b"z"));
        let build = |tcb, at| Blank::new(at).unwrap().fill(&tcb, &Options::default(), there, &[], Vec::new());
        // of TEST-NET-1 (RFC 5737): nobody's
        let missing = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 80);
        let error = build(good, missing).unwrap_err();
        assert!(matches!(error, RestoreError::NoAddress(ip) if ip == *missing.ip()), "{error}");
        let error = socket::connect_udp(there, missing).unwrap_err();
        assert!(matches!(error, RestoreError::NoAddress(ip) if ip == *missing.ip()), "{error}");
        let open = build(good, here).unwrap();
        let error = build(good, here).unwrap_err();
        assert!(matches!(error, RestoreError::StillOpen), "{error}");
        drop(open);
        // the good one still builds, so none of the above was refused for another reason
        drop(Blank::new(here).unwrap().fill(&good, &Options::default(), there, &[], Vec::new()).unwrap());
        drop(client);
    });
}
