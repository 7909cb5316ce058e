//! What the tests of this crate share: the byte vectors, and strategies for valid values.
#![allow(dead_code)] // each test uses a part

pub mod exercise;

use core::net::{Ipv4Addr, SocketAddrV4};
use ipos_abi::table::Protocol;
use ipos_abi::wire::control::{Frame, Message};
use ipos_abi::wire::ext::{self, Body, Moved, Offer, Ownership, Progress, Ready, Reason, Stream};
use ipos_abi::wire::trailer::{self, Key, Nonces, Path, Seal};
use ipos_abi::wire::{Mac, connection, ethernet, ipv4, tcb, tcp, udp};
use proptest::prelude::*;
use proptest::sample::select;

/// The key of the vectors.
pub fn key() -> Key {
    Key::new(core::array::from_fn(|i| i as u8))
}

/// Between whom the vectors go.
pub const PATH: Path = Path { from: Ipv4Addr::new(10, 0, 0, 1), to: Ipv4Addr::new(10, 0, 0, 2) };

/// All vectors, by name.
pub fn vectors() -> Vec<(&'static str, Vec<u8>)> {
    let mut out: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut sizes = Vec::new();
    for line in include_str!("../vectors.txt").lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(head) = line.strip_prefix("= ") {
            let (name, size) = head.split_once(' ').expect("name and size");
            out.push((name, Vec::new()));
            sizes.push(size.parse::<usize>().expect("size"));
        } else if !line.is_empty() {
            let bytes = (0..line.len()).step_by(2).map(|i| u8::from_str_radix(&line[i..i + 2], 16).expect("hex"));
            out.last_mut().expect("a name comes first").1.extend(bytes);
        }
    }
    for ((name, bytes), size) in out.iter().zip(sizes) {
        assert_eq!(bytes.len(), size, "{name}");
    }
    out
}

/// One vector.
pub fn vector(name: &str) -> Vec<u8> {
    vectors().into_iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("no vector {name}")).1
}

/// The EtherType of a vector.
pub fn ethertype(name: &str) -> u16 {
    if name.ends_with("VLAN") { ethernet::IPOS_EXPERIMENTAL } else { ethernet::IPOS }
}

/// Writes a frame into a buffer that is too long and not clean.
pub fn emit(frame: &Frame, key: Option<&Key>) -> Vec<u8> {
    let mut buffer = vec![0xee; frame.buffer_len() + 9];
    let n = frame.emit(&mut buffer, key.map(|key| Seal { key, path: PATH })).expect("valid");
    assert_eq!(n, frame.buffer_len());
    assert!(buffer[n..].iter().all(|b| *b == 0xee), "writes behind its end");
    buffer.truncate(n);
    buffer
}

/// Any address.
pub fn ip() -> impl Strategy<Value = Ipv4Addr> {
    any::<[u8; 4]>().prop_map(Ipv4Addr::from)
}

/// Any address and port.
pub fn socket() -> impl Strategy<Value = SocketAddrV4> {
    (ip(), any::<u16>()).prop_map(|(ip, port)| SocketAddrV4::new(ip, port))
}

/// An Ethernet header whose payload is not a second tag.
pub fn link() -> impl Strategy<Value = ethernet::Repr> {
    (any::<[u8; 6]>(), any::<[u8; 6]>(), any::<Option<u16>>(), any::<u16>()).prop_map(|(dst, src, vlan, ethertype)| {
        let ethertype = if ethertype == ethernet::VLAN { ethernet::IPOS } else { ethertype };
        ethernet::Repr { dst: Mac(dst), src: Mac(src), vlan, ethertype }
    })
}

/// Options of whole words.
pub fn options() -> impl Strategy<Value = Vec<u8>> {
    (0..=10usize).prop_flat_map(|words| prop::collection::vec(any::<u8>(), words * 4))
}

/// A control block that is valid.
pub fn tcb() -> impl Strategy<Value = tcb::Repr> {
    // Three starts and three lengths that stay within half the sequence space.
    let lengths = (0..=0x7fff_ffffu32, 0..=0x3fff_ffffu32, 0..=0x3fff_ffffu32);
    (any::<[u32; 32]>(), lengths, any::<[bool; 8]>(), any::<[u8; 16]>(), 0..=14u8, 0..=14u8).prop_map(
        |(r, (unread, unacknowledged, unsent), b, digest, snd_scale, rcv_scale)| tcb::Repr {
            negotiated: tcb::Negotiated { timestamps: b[0], sack: b[1], window_scale: b[2], ecn: b[3] },
            state: if b[4] { tcb::State::Established } else { tcb::State::CloseWait },
            snd_scale,
            rcv_scale,
            snd_una: r[0],
            snd_nxt: r[0].wrapping_add(unacknowledged),
            write_seq: r[0].wrapping_add(unacknowledged).wrapping_add(unsent),
            rcv_nxt: r[1].wrapping_add(unread),
            copied_seq: r[1],
            snd_wl1: r[2],
            snd_wnd: r[3],
            max_window: r[4],
            rcv_wnd: r[5],
            rcv_wup: r[6],
            ts_value: r[7],
            ts_recent: r[8],
            mss: r[9] as u16,
            advmss: r[10] as u16,
            srtt: r[11],
            rttvar: r[12],
            cwnd: r[13],
            ssthresh: r[14],
            send_buffer: r[15],
            receive_buffer: r[16],
            user_timeout: r[17],
            keepalive_idle: r[18] as u16,
            keepalive_interval: r[19] as u16,
            keepalive_count: r[20] as u8,
            keepalive_on: b[5],
            options: tcb::Options { no_delay: b[6], cork: b[7], linger: b[0] ^ b[1] },
            tos: r[21] as u8,
            ttl: r[22] as u8,
            congestion: tcb::Congestion::ALL[r[23] as usize % tcb::Congestion::ALL.len()],
            linger: r[24] as u16,
            epoch: u64::from(r[25]) << 32 | u64::from(r[26]),
            digest,
            application_len: r[27],
        },
    )
}

/// A trailer: epoch, nonces, extras.
type Trailer = (u64, (u64, u64), Vec<u8>);

/// What the variable part of a [`Frame`] borrows from.
#[derive(Clone, Debug)]
pub enum Owned {
    Connection(Option<Trailer>, SocketAddrV4, Box<[u8; tcb::LEN]>),
    Packet(Vec<u8>),
    Ack(Option<Trailer>),
    Ext(Trailer, SocketAddrV4, bool, Body<'static>),
    Data(Trailer, SocketAddrV4, Stream, u32, Vec<u8>),
}

/// A frame and what it borrows.
#[derive(Clone, Debug)]
pub struct OwnedFrame {
    link: ethernet::Repr,
    protocol: Protocol,
    client: SocketAddrV4,
    owner: SocketAddrV4,
    owned: Owned,
}

impl OwnedFrame {
    /// The frame.
    pub fn frame(&self) -> Frame<'_> {
        let message = match &self.owned {
            Owned::Connection(_, server, tcb) => Message::Connection(match self.protocol {
                Protocol::Tcp => connection::Repr::Tcp { server: *server, tcb },
                Protocol::Udp => connection::Repr::Udp { server: *server },
            }),
            Owned::Packet(inner) => Message::Packet(inner),
            Owned::Ack(_) => Message::Ack,
            Owned::Ext((epoch, ..), service, answer, body) => {
                Message::Ext(ext::Repr { epoch: *epoch, service: *service, answer: *answer, body: *body })
            }
            Owned::Data((epoch, ..), service, stream, offset, bytes) => {
                let body = Body::Data { stream: *stream, offset: *offset, bytes };
                Message::Ext(ext::Repr { epoch: *epoch, service: *service, answer: false, body })
            }
        };
        let trailer = match &self.owned {
            Owned::Connection(trailer, ..) | Owned::Ack(trailer) => trailer.as_ref(),
            Owned::Packet(_) => None,
            Owned::Ext(trailer, ..) | Owned::Data(trailer, ..) => Some(trailer),
        };
        let trailer = trailer.map(|(epoch, (from, to), extras)| trailer::Repr {
            epoch: *epoch,
            nonces: Nonces { from: *from, to: *to },
            extras,
        });
        let (link, protocol, client, owner) = (self.link, self.protocol, self.client, self.owner);
        Frame { link, protocol, client, owner, message, trailer }
    }
}

/// An IP packet of `protocol`.
pub fn inner(protocol: Protocol, src: SocketAddrV4, dst: SocketAddrV4, ip_options: &[u8], payload: &[u8]) -> Vec<u8> {
    let l4_len = match protocol {
        Protocol::Tcp => tcp::LEN,
        Protocol::Udp => udp::LEN,
    };
    let ip = ipv4::Repr {
        options: ip_options,
        ..ipv4::Repr::new(*src.ip(), *dst.ip(), protocol.ip_number(), l4_len + payload.len())
    };
    let mut bytes = vec![0; ip.buffer_len()];
    let n = ip.emit(&mut bytes).expect("valid");
    let (src_port, dst_port) = (src.port(), dst.port());
    match protocol {
        Protocol::Tcp => {
            let (flags, options) = (tcp::Flags::ACK, &[][..]);
            tcp::Repr { src_port, dst_port, seq: 1, ack: 2, flags, window: 3, urgent: 0, options }.emit(
                &mut bytes[n..],
                *src.ip(),
                *dst.ip(),
                payload,
            )
        }
        Protocol::Udp => udp::Repr { src_port, dst_port }.emit(&mut bytes[n..], *src.ip(), *dst.ip(), payload),
    }
    .expect("valid");
    bytes
}

fn body() -> impl Strategy<Value = Body<'static>> {
    prop_oneof![
        any::<(u32, u32, u32, u8, u8, u16)>().prop_map(
            |(receive_len, send_len, application_len, tcb_version, format, features)| Body::Offer(Offer {
                receive_len,
                send_len,
                application_len,
                tcb_version,
                format,
                features
            })
        ),
        any::<(u8, u16)>().prop_map(|(format, features)| Body::Ready(Ready { format, features })),
        (select(Reason::ALL), any::<u64>()).prop_map(|(reason, known)| Body::Refusal { reason, known }),
        any::<(u32, u32, u32, u16)>().prop_map(|(receive, send, application, credit)| Body::Progress(Progress {
            receive,
            send,
            application,
            credit
        })),
        (ip(), any::<u64>()).prop_map(|(owner, known)| Body::Moved(Moved { owner, known })),
        (select(Ownership::ALL), ip(), any::<u64>()).prop_map(|(state, owner, epoch)| Body::Query {
            state,
            owner,
            epoch
        }),
        select(&[Body::Cancel, Body::Commit, Body::Release][..]),
    ]
}

/// Any trailer.
fn trailer() -> impl Strategy<Value = Trailer> {
    let extra = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..60));
    let extras = prop::collection::vec(extra, 0..3).prop_map(|extras| {
        extras.into_iter().flat_map(|(kind, value)| [vec![kind, value.len() as u8], value].concat()).collect()
    });
    (any::<u64>(), any::<(u64, u64)>(), extras)
}

/// Any valid back-side frame.
pub fn frame() -> impl Strategy<Value = OwnedFrame> {
    let protocol = select(&[Protocol::Tcp, Protocol::Udp][..]);
    (link(), protocol, socket(), socket()).prop_flat_map(|(link, protocol, client, owner)| {
        let block = tcb().prop_map(|t| {
            let mut bytes = Box::new([0; tcb::LEN]);
            t.emit(&mut bytes[..]).expect("valid");
            bytes
        });
        let payload = prop::collection::vec(any::<u8>(), 0..200);
        let data = prop::collection::vec(any::<u8>(), 0..=ext::MAX_DATA);
        prop_oneof![
            (prop::option::of(trailer()), socket(), block).prop_map(|(e, s, t)| Owned::Connection(e, s, t)),
            (socket(), options(), payload)
                .prop_map(move |(dst, options, bytes)| Owned::Packet(inner(protocol, client, dst, &options, &bytes))),
            prop::option::of(trailer()).prop_map(Owned::Ack),
            (trailer(), socket(), any::<bool>(), body()).prop_map(|(e, s, a, b)| Owned::Ext(e, s, a, b)),
            (trailer(), socket(), select(Stream::ALL), any::<u32>(), data)
                .prop_map(|(e, s, stream, offset, bytes)| Owned::Data(e, s, stream, offset, bytes)),
        ]
        .prop_map(move |owned| OwnedFrame { link, protocol, client, owner, owned })
    })
}
