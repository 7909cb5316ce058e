//! Counts TCP resets on an interface, those sent and those received.
//!
//! A FIN whose acknowledgement a stall delays is repeated and acknowledged twice. The first acknowledgement ends its
//! sender's LAST_ACK, the second finds no socket and is answered by a reset: any Linux does that (docs/limits.md). It
//! harms nobody, for both sides have all bytes and each knows it of the other. Such resets are counted apart.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::SocketAddrV4;

use ipos_abi::wire::tcp::Flags;
use ipos_abi::wire::{ethernet, ipv4, tcp};
use ipos_sim::wire::netns::Netns;
use nix::net::if_::if_nametoindex;
use socket2::{Domain, SockAddr, SockFilter, Socket, Type};

// classic BPF, linux/bpf_common.h
const LDH_ABS: u16 = 0x28;
const LDB_ABS: u16 = 0x30;
const LDB_IND: u16 = 0x50;
const LDX_IHL: u16 = 0xb1;
const JEQ: u16 = 0x15;
const JSET: u16 = 0x45;
const RET: u16 = 0x06;

/// Longest frame, that of a segment which the kernel has not cut yet.
const FRAME: usize = 1 << 16;

/// Passes untagged Ethernet frames with an unfragmented IPv4 TCP segment that has RST or FIN set.
const ENDS: [SockFilter; 11] = [
    SockFilter::new(LDH_ABS, 0, 0, 12),
    SockFilter::new(JEQ, 0, 8, 0x0800),
    SockFilter::new(LDB_ABS, 0, 0, 14 + 9),
    SockFilter::new(JEQ, 0, 6, 6),
    SockFilter::new(LDH_ABS, 0, 0, 14 + 6),
    SockFilter::new(JSET, 4, 0, 0x1fff),
    SockFilter::new(LDX_IHL, 0, 0, 14),
    SockFilter::new(LDB_IND, 0, 0, 14 + 13),
    SockFilter::new(JSET, 0, 1, 0x05),
    SockFilter::new(RET, 0, 0, FRAME as u32),
    SockFilter::new(RET, 0, 0, 0),
];

/// Resets so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that can harm a client.
    pub harmful: u64,
    /// Those after both FINs of their connection had come and had been acknowledged.
    pub late: u64,
}

/// What a segment says about the end of its connection.
struct Segment {
    from: SocketAddrV4,
    to: SocketAddrV4,
    flags: Flags,
    seq: u32,
    ack: u32,
    /// Bytes of payload.
    length: u32,
}

impl Segment {
    fn parse(frame: &[u8]) -> Option<Self> {
        let frame = ethernet::Frame::new_checked(frame).ok()?;
        let ip = ipv4::Packet::new_checked(frame.payload()).ok()?;
        let tcp = tcp::Segment::new_checked(ip.payload()).ok()?;
        Some(Segment {
            from: SocketAddrV4::new(ip.src(), tcp.src_port()),
            to: SocketAddrV4::new(ip.dst(), tcp.dst_port()),
            flags: tcp.flags(),
            seq: tcp.seq(),
            ack: tcp.ack(),
            length: tcp.payload().len() as u32,
        })
    }
}

/// The end of one direction of a connection.
#[derive(Default)]
struct Half {
    /// The sequence number behind its FIN.
    end: Option<u32>,
    /// The other side has acknowledged that.
    acknowledged: bool,
}

/// Ends of connections, by who sends and who receives.
#[derive(Default)]
struct Ends(HashMap<(SocketAddrV4, SocketAddrV4), Half>);

impl Ends {
    /// Takes note of a segment. Whether both directions of its connection have ended, and both sides know it.
    fn over(&mut self, s: &Segment) -> bool {
        let (there, back) = ((s.from, s.to), (s.to, s.from));
        if s.flags.contains(Flags::FIN) {
            let end = Some(s.seq.wrapping_add(s.length).wrapping_add(1));
            let before = self.0.get(&there).and_then(|h| h.end);
            if before != end {
                if before.is_some() {
                    // that was another connection between the same ports
                    self.0.remove(&back);
                }
                self.0.insert(there, Half { end, acknowledged: false });
            }
        }
        let sent = self.0.entry(there).or_default();
        // a reset that acknowledges nothing has the number that the segment acknowledged which it answers (RFC 9293,
        // 3.10.7.1): acknowledgements without a FIN, which are too many to be queued, show themselves here
        if s.flags.contains(Flags::RST) && !s.flags.contains(Flags::ACK) && sent.end == Some(s.seq) {
            sent.acknowledged = true;
        }
        let sent = sent.acknowledged;
        let received = self.0.entry(back).or_default();
        // one that acknowledges is of a side that gives up, perhaps with bytes that nobody has read
        if s.flags.contains(Flags::ACK) && !s.flags.contains(Flags::RST) && received.end == Some(s.ack) {
            received.acknowledged = true;
        }
        sent && received.acknowledged
    }
}

/// Counts from the moment it is made: the kernel queues nothing but resets and FINs.
pub struct Resets {
    socket: Socket,
    ends: Ends,
    seen: Counts,
}

impl Resets {
    /// Watches an interface of a namespace.
    pub fn watch(ns: &Netns, interface: &str) -> io::Result<Self> {
        let socket = ns.run(|| {
            // protocol 0: nothing is received until the filter is in place and the socket bound
            let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
            socket.set_nonblocking(true)?;
            socket.attach_filter(&ENDS)?;
            let index = if_nametoindex(interface)?;
            // SAFETY: the storage is large and aligned enough for any address, zeroed, and becomes
            // a `sockaddr_ll` of the length given.
            let ((), address) = unsafe {
                SockAddr::try_init(|storage, length| {
                    let link = storage.cast::<libc::sockaddr_ll>();
                    (*link).sll_family = libc::AF_PACKET as u16;
                    (*link).sll_protocol = (libc::ETH_P_ALL as u16).to_be();
                    (*link).sll_ifindex = index as i32;
                    *length = size_of::<libc::sockaddr_ll>() as u32;
                    Ok(())
                })
            }?;
            socket.bind(&address)?;
            Ok(socket)
        })?;
        Ok(Resets { socket, ends: Ends::default(), seen: Counts::default() })
    }

    /// Resets so far.
    pub fn count(&mut self) -> io::Result<Counts> {
        let mut frame = vec![0; FRAME];
        loop {
            let length = match (&self.socket).read(&mut frame) {
                Ok(length) => length,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(self.seen),
                Err(e) => return Err(e),
            };
            match Segment::parse(&frame[..length]) {
                Some(segment) => {
                    let over = self.ends.over(&segment);
                    if segment.flags.contains(Flags::RST) {
                        *if over { &mut self.seen.late } else { &mut self.seen.harmful } += 1;
                    }
                }
                // nothing that a kernel sends; not to be overlooked
                None => self.seen.harmful += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::io::Write;
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::BorrowedFd;
    use std::time::{Duration, Instant};

    use ipos_lab::net::{CLIENT_IF, FRONT_IF, KERNEL_FAR_IF, Net};
    use ipos_lab::switch::Switch;
    use ipos_sim::wire::Wire;
    use ipos_sim::wire::packet::Packet;

    /// The port that servers listen on here.
    const ADDRESS: (&str, u16) = ("10.77.0.1", 80);

    impl Counts {
        const fn of(harmful: u64, late: u64) -> Self {
            Counts { harmful, late }
        }
    }

    #[test]
    fn a_refused_connection_is_one_reset_and_a_good_one_is_none() {
        let net = Net::new(2).unwrap();
        // a card that is a plain cable
        let wires = net.servers[0].card.run(|| Ok(vec![Packet::open(FRONT_IF)?, Packet::open(KERNEL_FAR_IF)?]));
        let _card = Switch::spawn(wires.unwrap()).unwrap();
        let mut resets = Resets::watch(&net.client, CLIENT_IF).unwrap();
        let listener = net.servers[0].kernel.run(|| TcpListener::bind(ADDRESS)).unwrap();
        let connect = |port| net.client.run(|| TcpStream::connect((ADDRESS.0, port)));
        drop((connect(80).unwrap(), listener.accept().unwrap()));
        assert_eq!(resets.count().unwrap(), Counts::of(0, 0));
        assert!(connect(81).is_err());
        assert_eq!(resets.count().unwrap(), Counts::of(1, 0));
        assert!(connect(81).is_err());
        assert_eq!(resets.count().unwrap(), Counts::of(2, 0));
        // a server that ends with something unread
        let (mut client, server) = (connect(80).unwrap(), listener.accept().unwrap().0);
        client.write_all(b"x").unwrap();
        server.peek(&mut [0]).unwrap();
        drop(server);
        assert!(client.read(&mut [0]).is_err());
        assert_eq!(resets.count().unwrap(), Counts::of(3, 0));
    }

    /// The client's wire: what comes from it is held from the first FIN to it until that is repeated.
    struct Stalls {
        wire: Packet,
        fins: usize,
        held: VecDeque<Vec<u8>>,
    }

    impl Wire for Stalls {
        fn send(&mut self, frame: &[u8]) -> io::Result<()> {
            self.fins += usize::from(Segment::parse(frame).is_some_and(|s| s.flags.contains(Flags::FIN)));
            self.wire.send(frame)
        }

        fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
            while self.wire.receive(frame)? {
                self.held.push_back(frame.clone());
            }
            if self.fins == 1 {
                return Ok(false);
            }
            Ok(self.held.pop_front().map(|held| *frame = held).is_some())
        }

        fn fd(&self) -> Option<BorrowedFd<'_>> {
            self.wire.fd()
        }
    }

    #[test]
    fn a_stall_at_the_end_brings_a_reset_from_any_linux_and_it_is_late() {
        let net = Net::new(2).unwrap();
        let wires = net.servers[0].card.run(|| {
            let client = Stalls { wire: Packet::open(FRONT_IF)?, fins: 0, held: VecDeque::new() };
            Ok(vec![Box::new(client) as Box<dyn Wire>, Box::new(Packet::open(KERNEL_FAR_IF)?)])
        });
        let _card = Switch::spawn_watchful(wires.unwrap()).unwrap();
        let mut resets = Resets::watch(&net.client, CLIENT_IF).unwrap();
        let listener = net.servers[0].kernel.run(|| TcpListener::bind(ADDRESS)).unwrap();
        let mut client = net.client.run(|| TcpStream::connect(ADDRESS)).unwrap();
        let mut server = listener.accept().unwrap().0;
        // as the echo client and its server do
        client.write_all(b"x").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut echo = Vec::new();
        server.read_to_end(&mut echo).unwrap();
        server.write_all(&echo).unwrap();
        drop(server);
        echo.clear();
        client.read_to_end(&mut echo).unwrap();
        assert_eq!(echo, b"x");
        let end = Instant::now() + Duration::from_secs(20);
        while resets.count().unwrap() == Counts::default() {
            assert!(Instant::now() < end, "no reset");
            std::thread::sleep(Duration::from_millis(10));
        }
        let counts = resets.count().unwrap();
        assert!(counts.harmful == 0 && counts.late > 0, "{counts:?}");
    }

    #[test]
    fn a_reset_is_late_once_both_fins_are_acknowledged() {
        const FIN: Flags = Flags(Flags::FIN.0 | Flags::ACK.0);
        const ABORT: Flags = Flags(Flags::RST.0 | Flags::ACK.0);
        let addresses = ["10.77.0.10:50000", "10.77.0.100:7"].map(|a| a.parse().unwrap());
        // who sends, flags, sequence number, acknowledgement, bytes; whether the connection is over then
        let check = |segments: &[(usize, Flags, u32, u32, u32, bool)]| {
            let mut ends = Ends::default();
            for (i, &(sender, flags, seq, ack, length, over)) in segments.iter().enumerate() {
                let (from, to) = (addresses[sender], addresses[1 - sender]);
                assert_eq!(ends.over(&Segment { from, to, flags, seq, ack, length }), over, "segment {i}");
            }
        };
        // the client closes, then the server, whose FIN wraps and is repeated
        let (client, server) = ((0, FIN, 100, 200, 0, false), (1, FIN, u32::MAX - 9, 101, 10, false));
        check(&[client, server, server, (1, Flags::RST, 1, 0, 0, true), (1, Flags::RST, 1, 0, 0, true)]);
        // the server first, and the client finds its own end acknowledged twice
        check(&[(1, FIN, 5, 100, 0, false), (0, FIN, 100, 6, 0, false), (0, Flags::RST, 101, 0, 0, true)]);
        // one FIN is missing, or what is acknowledged does not cover it
        check(&[client, (1, Flags::RST, 1, 0, 0, false)]);
        check(&[server, (1, Flags::RST, 1, 0, 0, false)]);
        check(&[client, (1, FIN, 5, 100, 0, false), (1, Flags::RST, 6, 0, 0, false)]);
        check(&[client, server, (1, Flags::RST, 0, 0, 0, false)]);
        // a side that gives up tells nothing about what the other one has acknowledged
        check(&[client, server, (1, ABORT, 1, 101, 0, false)]);
        check(&[client, server, (0, ABORT, 101, 1, 0, false)]);
        // the next connection between the same ports
        check(&[
            client,
            server,
            (1, Flags::RST, 1, 0, 0, true),
            (0, FIN, 900, 700, 0, false),
            (0, Flags::RST, 901, 0, 0, false),
        ]);
    }
}
