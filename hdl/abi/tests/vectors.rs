//! Every ipOS packet against bytes that were written by hand, in both directions.

mod common;

use common::{PATH, emit, ethertype, key, vector, vectors};
use core::net::{Ipv4Addr, SocketAddrV4};
use ipos_abi::table::Protocol;
use ipos_abi::wire::control::{self, AuthError, Frame, Message};
use ipos_abi::wire::ext::{self, Body, Moved, Offer, Ownership, Progress, Ready, Reason, Stream};
use ipos_abi::wire::trailer::{self, Key, Nonces, Path, Seal};
use ipos_abi::wire::{Error, Mac, connection, ethernet, tcb, tcp, udp};

const EPOCH: u64 = 1_700_000_000_000_007;
const SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 80), 8080);

fn control_block() -> tcb::Repr {
    tcb::Repr {
        negotiated: tcb::Negotiated { timestamps: true, sack: true, window_scale: true, ecn: true },
        state: tcb::State::Established,
        snd_scale: 7,
        rcv_scale: 9,
        snd_una: 1000,
        snd_nxt: 1500,
        write_seq: 1800,
        rcv_nxt: 0x10,
        copied_seq: 0xffff_ff20,
        snd_wl1: 0xffff_ffe0,
        snd_wnd: 64_000,
        max_window: 65_535,
        rcv_wnd: 65_000,
        rcv_wup: 0xffff_ffd0,
        ts_value: 0x1122_3344,
        ts_recent: 0x5566_7788,
        mss: 1448,
        advmss: 1460,
        srtt: 250,
        rttvar: 125,
        cwnd: 10,
        ssthresh: 0x7fff_ffff,
        send_buffer: 131_072,
        receive_buffer: 262_144,
        user_timeout: 30_000,
        keepalive_idle: 7200,
        keepalive_interval: 75,
        keepalive_count: 9,
        keepalive_on: true,
        options: tcb::Options { no_delay: true, cork: false, linger: true },
        tos: 0x10,
        ttl: 64,
        congestion: tcb::Congestion::Cubic,
        linger: 30,
        epoch: EPOCH,
        digest: tcb::digest([&b"receive"[..], b"send", b"state"]),
        application_len: 5,
    }
}

/// What each vector means.
fn meaning<'a>(name: &str, block: &'a [u8; tcb::LEN], inner: &'a [u8]) -> Frame<'a> {
    let ext = |answer, body| Message::Ext(ext::Repr { epoch: EPOCH, service: SERVICE, answer, body });
    let tcp = connection::Repr::Tcp { server: SERVICE, tcb: block };
    let udp = connection::Repr::Udp { server: SERVICE };
    let message = match name {
        "TCP_CONNECTION" | "TCP_CONNECTION_PLAIN" | "TCP_CONNECTION_OPTIONS" => Message::Connection(tcp),
        "UDP_CONNECTION" | "UDP_CONNECTION_PLAIN" => Message::Connection(udp),
        "TCP_PACKET" | "UDP_PACKET" => Message::Packet(inner),
        "ACK" | "ACK_NO_KEY" | "ACK_UDP_VLAN" | "ACK_PLAIN" => Message::Ack,
        "OFFER" => ext(
            false,
            Body::Offer(Offer {
                receive_len: 240,
                send_len: 800,
                application_len: 5,
                tcb_version: tcb::VERSION,
                format: 2,
                features: 1,
            }),
        ),
        "REFUSAL" => ext(false, Body::Refusal { reason: Reason::NoResources, known: EPOCH - 1 }),
        "RELEASE" => ext(false, Body::Release),
        "CANCEL" => ext(false, Body::Cancel),
        "DATA_NONE" => ext(false, Body::Data { stream: Stream::Receive, offset: 0, bytes: b"" }),
        "DATA" | "DATA_UDP" => ext(false, Body::Data { stream: Stream::Send, offset: 1400, bytes: b"abcd" }),
        "PROGRESS" => ext(false, Body::Progress(Progress { receive: 240, send: 1404, application: 0, credit: 64 })),
        "COMMIT" => ext(false, Body::Commit),
        "COMMIT_ANSWER" => ext(true, Body::Commit),
        "MOVED" => ext(false, Body::Moved(Moved { owner: Ipv4Addr::new(10, 0, 0, 3), known: EPOCH })),
        "READY" => ext(false, Body::Ready(Ready { format: 2, features: 1 })),
        "QUERY_ANSWER" => {
            ext(true, Body::Query { state: Ownership::Moved, owner: Ipv4Addr::new(10, 0, 0, 3), epoch: EPOCH + 1 })
        }
        other => panic!("vector {other} has no meaning here"),
    };
    let plain = name.ends_with("PLAIN") || name.ends_with("PACKET");
    let to = if name == "OFFER" { 0 } else { 0x1122_3344_5566_7788 };
    let extras: &[u8] = if name.ends_with("OPTIONS") { &[1, 3, 0xaa, 0xbb, 0xcc, 0x7f, 0] } else { &[] };
    let trailer = trailer::Repr { epoch: EPOCH, nonces: Nonces { from: 0x0102_0304_0506_0708, to }, extras };
    Frame {
        link: ethernet::Repr {
            dst: Mac([2, 0x42, 0, 0, 0, 2]),
            src: Mac([2, 0x42, 0, 0, 0, 1]),
            vlan: name.ends_with("VLAN").then_some(0x6064),
            ethertype: ethertype(name),
        },
        protocol: if name.contains("UDP") { Protocol::Udp } else { Protocol::Tcp },
        client: "192.0.2.1:49152".parse().expect("address"),
        owner: "10.0.0.2:80".parse().expect("address"),
        message,
        trailer: (!plain).then_some(trailer),
    }
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    vectors().into_iter().filter(|(name, _)| *name != "TCB").collect()
}

#[test]
fn frames_parse_and_emit() {
    let block = vector("TCB").try_into().expect("140 bytes");
    for (name, bytes) in frames() {
        let inner = &bytes[30..];
        let expected = meaning(name, &block, inner);
        let received = control::parse(&bytes, ethertype(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(received.frame, expected, "{name}");
        let key = (name != "ACK_NO_KEY").then(key);
        assert_eq!(emit(&expected, key.as_ref()), bytes, "{name}");
    }
}

#[test]
fn every_type_has_a_vector() {
    for kind in ipos_abi::wire::ipos::Type::ALL {
        let has = |(name, b): &(&str, Vec<u8>)| b[if name.ends_with("VLAN") { 30 } else { 26 }] == kind.code();
        assert!(frames().iter().any(has), "{kind:?}");
    }
}

#[test]
fn tags_are_made_and_checked() {
    for (name, bytes) in frames() {
        let received = control::parse(&bytes, ethertype(name)).expect(name);
        let expected = match name {
            n if n.ends_with("PLAIN") || n.ends_with("PACKET") => Err(AuthError::Missing),
            "ACK_NO_KEY" => Err(AuthError::Wrong),
            _ => Ok(()),
        };
        let (right, wrong) = (key(), Key::new([7; 32]));
        assert_eq!(received.verify(Seal { key: &right, path: PATH }), expected, "{name}");
        // data of a TCP endpoint are nobody's
        let nobodys = name == "DATA";
        assert_eq!(received.verify(Seal { key: &wrong, path: PATH }).is_ok(), nobodys, "{name} under another key");
        for path in [Path { from: PATH.to, ..PATH }, Path { to: PATH.from, ..PATH }] {
            assert_eq!(received.verify(Seal { key: &right, path }).is_ok(), nobodys, "{name} between others");
        }
    }
}

#[test]
fn later_formats_are_longer_and_are_read() {
    for (name, original) in frames().into_iter().filter(|(_, b)| b[26] >= 0x80) {
        let now = control::parse(&original, ethernet::IPOS).expect(name).frame;
        let mut bytes = original.clone();
        let end = 46 + usize::from(bytes[45]);
        bytes.splice(end..end, [0xd5; 3]);
        bytes[45] += 3;
        let carried = if bytes[26] == 0x84 { usize::from(bytes[52]) } else { 0 };
        // and so is its trailer
        let tag = bytes.len() - trailer::TAG_LEN;
        bytes.splice(tag..tag, [0x7e, 2, 1, 2]);
        bytes[end + 3 + carried + 3] += 4;
        bytes[28..30].fill(0);
        let sum = ipos_abi::wire::checksum::checksum(&bytes[14..end + 3 + carried]);
        bytes[28..30].copy_from_slice(&sum.to_be_bytes());
        let later = control::parse(&bytes, ethernet::IPOS).unwrap_or_else(|e| panic!("{name}: {e}")).frame;
        assert_eq!(later.message, now.message, "{name}");
        let (trailer, before) = (later.trailer.expect(name), now.trailer.expect(name));
        assert_eq!((trailer.epoch, trailer.nonces), (before.epoch, before.nonces), "{name}");
        assert_eq!(trailer.extra(0x7e), Some(&[1, 2][..]), "{name}");
        // what is shorter than this format is no body of it
        if let Some(short) = bytes[45].checked_sub(4) {
            bytes[45] = short;
            let short = control::parse(&bytes, ethernet::IPOS);
            assert!(matches!(short, Err(Error::Value { field: "body_len", .. })), "{name}: {short:?}");
        }
    }
}

#[test]
fn tag_is_keyed_blake3() {
    // From the BLAKE3 project's test vectors: keyed_hash of 0 and of 1 byte (0x00).
    // Its inputs are 0, 1, … 250, 0, …: the first 8 bytes are the addresses.
    let key = Key::new(*b"whats the Elvish word for friend");
    let path = Path { from: Ipv4Addr::new(0, 1, 2, 3), to: Ipv4Addr::new(4, 5, 6, 7) };
    assert_eq!(Seal { key: &key, path }.tag(&[])[..4], [0xbe, 0x2f, 0x54, 0x95]);
    assert_eq!(format!("{key:?}"), "Key(..)");
}

#[test]
fn padding_changes_nothing() {
    for (name, bytes) in frames() {
        let short = control::parse(&bytes, ethertype(name)).expect(name);
        for length in [60, 64, 1514] {
            let mut padded = bytes.clone();
            padded.resize(length.max(bytes.len()), 0);
            assert_eq!(control::parse(&padded, ethertype(name)), Ok(short), "{name} at {length}");
        }
    }
}

#[test]
fn control_block_parses_and_emits() {
    let bytes = vector("TCB");
    let block = control_block();
    assert_eq!(tcb::Repr::parse(&tcb::Packet::new_checked(&bytes).expect("length")), Ok(block));
    let mut out = [0xee; tcb::LEN];
    assert_eq!(block.emit(&mut out), Ok(tcb::LEN));
    assert_eq!(out[..], bytes[..]);
    let lengths = (block.receive_queue_len(), block.unacknowledged_len(), block.unsent_len(), block.send_queue_len());
    assert_eq!(lengths, (240, 500, 300, 800));
}

#[test]
fn control_block_of_another_version_is_refused() {
    let mut bytes = vector("TCB");
    bytes[0] = 2;
    let error = tcb::Repr::parse(&tcb::Packet::new_checked(&bytes).expect("length"));
    assert_eq!(error, Err(Error::Version { header: "TCP control block", found: 2, known: 1 }));
    // the frame around it is still good, so its sender can be told
    let mut frame = vector("TCP_CONNECTION");
    frame[36] = 2;
    let sum = u16::from_be_bytes([frame[28], frame[29]]) - 0x100;
    frame[28..30].copy_from_slice(&sum.to_be_bytes());
    let received = control::parse(&frame, ethernet::IPOS).expect("well formed");
    assert_eq!(received.frame.key().map(|k| k.dst_port), Some(8080));
}

#[test]
fn control_block_that_contradicts_itself_is_refused() {
    let good = control_block();
    let mut buffer = [0; tcb::LEN];
    for (bad, what) in [
        (tcb::Repr { snd_scale: 15, ..good }, "scales"),
        (tcb::Repr { copied_seq: 0x11, ..good }, "copied_seq beyond rcv_nxt"),
        (tcb::Repr { snd_una: 1501, ..good }, "snd_una beyond snd_nxt"),
        (tcb::Repr { write_seq: 1499, ..good }, "snd_nxt beyond write_seq"),
        (tcb::Repr { snd_una: 0, snd_nxt: 1 << 30, write_seq: 1 << 31, ..good }, "snd_una beyond write_seq"),
    ] {
        match bad.emit(&mut buffer) {
            Err(Error::Value { field, .. }) => assert_eq!(field, what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn inner_packets_are_whole() {
    use ipos_abi::wire::ipv4;
    let bytes = vector("TCP_PACKET");
    let ip = ipv4::Packet::new_checked(&bytes[30..]).expect("packet");
    assert!(ip.verify_checksum());
    let segment = tcp::Segment::new_checked(ip.payload()).expect("segment");
    assert!(segment.verify_checksum(ip.src(), ip.dst()));
    assert_eq!(segment.payload(), b"hello");
    let bytes = vector("UDP_PACKET");
    let ip = ipv4::Packet::new_checked(&bytes[30..]).expect("packet");
    let datagram = udp::Datagram::new_checked(ip.payload()).expect("datagram");
    assert!(datagram.verify_checksum(ip.src(), ip.dst()));
    assert_eq!(datagram.payload(), b"hi");
}

#[test]
fn what_does_not_fit_is_not_written() {
    let block = vector("TCB").try_into().expect("140 bytes");
    for (name, bytes) in frames() {
        let frame = meaning(name, &block, &bytes[30..]);
        for short in 0..bytes.len() {
            assert!(matches!(frame.emit(&mut vec![0; short], None), Err(Error::Buffer { .. })), "{name} into {short}");
        }
    }
    let ext = |bytes| {
        Message::Ext(ext::Repr {
            epoch: EPOCH,
            service: SERVICE,
            answer: false,
            body: Body::Data { stream: Stream::Send, offset: 0, bytes },
        })
    };
    let frame = Frame { message: ext(&[0; 1401]), ..meaning("DATA", &block, &[]) };
    assert!(matches!(frame.emit(&mut [0; 2000], None), Err(Error::TooLong { found: 1401, max: 1400, .. })));
    let udp = Frame { protocol: Protocol::Udp, ..meaning("TCP_CONNECTION", &block, &[]) };
    assert!(matches!(udp.emit(&mut [0; 2000], None), Err(Error::Value { field: "protocol", .. })));
    let bytes = vector("TCP_PACKET");
    let cut = Frame { message: Message::Packet(&bytes[30..74]), ..meaning("ACK", &block, &[]) };
    assert!(matches!(cut.emit(&mut [0; 2000], None), Err(Error::Truncated { .. })));
}

#[test]
fn wrong_fields_are_named() {
    let frame = vector("COMMIT");
    assert!(matches!(
        control::parse(&frame, ethernet::IPOS_EXPERIMENTAL),
        Err(Error::Value { header: "Ethernet header", field: "type", found: 7 })
    ));
    // offset of the byte, its new value, the field that the error names
    for (offset, value, expected) in [(26, 0x04, "type"), (26, 0x8a, "type"), (27, 3, "protocol"), (27, 0, "protocol")]
    {
        let mut frame = frame.clone();
        frame[offset] = value;
        match control::parse(&frame, ethernet::IPOS) {
            Err(Error::Value { field, found, .. }) => assert_eq!((field, found), (expected, value.into())),
            other => panic!("{expected}: {other:?}"),
        }
    }
    // an epoch that differs between body and trailer; a trailer of another version; none at all
    let mut other = frame.clone();
    other[46 + 11] ^= 1;
    assert!(matches!(control::parse(&other, ethernet::IPOS), Err(Error::Value { field: "epoch", .. })));
    let mut other = frame.clone();
    other[46 + 2] = 1;
    assert!(matches!(control::parse(&other, ethernet::IPOS), Err(Error::Version { found: 1, .. })));
    // extras that end beyond the tag, a length that is no trailer's
    for (length, expected) in [(45, "extras"), (43, "length")] {
        let mut other = vector("COMMIT");
        other.push(0);
        other[46 + 3] = length;
        match control::parse(&other, ethernet::IPOS) {
            Err(Error::Value { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    assert!(matches!(
        control::parse(&frame[..46], ethernet::IPOS),
        Err(Error::Truncated { header: "ipOS trailer", need: 76, have: 32 })
    ));
    // more data than a packet may carry, though the frame has it
    let mut data = vector("DATA");
    data[51..53].copy_from_slice(&1401u16.to_be_bytes());
    data.resize(2000, 0);
    assert!(matches!(control::parse(&data, ethernet::IPOS), Err(Error::TooLong { found: 1401, max: 1400, .. })));
}
