//! Telling the kernel's connection tracking what moves (ctnetlink, linux/netfilter/nfnetlink_conntrack.h).
//!
//! A firewall judges a segment by what it has seen of the connection. Where a connection comes it has seen nothing, or what
//! was before it left: it takes the segments for a new connection that does not begin with a SYN, or for invalid ones.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddrV4};
use std::path::Path;

use netlink_packet_core::{
    DecodeError, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_netfilter::conntrack::{
    self, ConntrackAttribute as Attribute, ConntrackMessage, IPTuple, ProtoInfo, ProtoInfoTCP, ProtoTuple, Status,
    TCPFlags, Tuple,
};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};
use socket2::{Domain, Socket, Type};

use crate::protocol::{Flow, Protocol};

/// There where the kernel tracks connections. A netlink socket would load what does so.
const TRACKING: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
/// `TCP_CONNTRACK_ESTABLISHED` (linux/netfilter/nf_conntrack_tcp.h).
const ESTABLISHED: u8 = 3;
/// `IP_CT_TCP_FLAG_BE_LIBERAL` of the same: windows of which tracking knows nothing are not held against a segment.
const LIBERAL: u8 = 8;
/// How long an entry lives until its connection is heard of, seconds. Where a firewall tracks, that is at once: the new owner
/// sends a window probe, and the kernel's own time holds from then on. Where none does, the entry is gone soon.
const UNHEARD: u32 = 120;

/// A way to tell, for the network namespace of the thread that first uses it.
#[derive(Debug, Default)]
pub struct Conntrack {
    socket: Option<Socket>,
    sequence: u32,
}

impl Conntrack {
    /// A connection comes: its segments are those of an established one, and what was known of it before is not.
    pub fn arrives(&mut self, flow: &Flow) -> io::Result<()> {
        self.leaves(flow)?;
        let mut attributes = vec![
            Attribute::CtaTupleOrig(tuple(flow.protocol, flow.client, flow.service)),
            Attribute::CtaTupleReply(tuple(flow.protocol, flow.service, flow.client)),
            Attribute::CtaTimeout(UNHEARD),
            Attribute::CtaStatus(Status::Confirmed | Status::SeenReply | Status::Assured),
        ];
        if flow.protocol == Protocol::Tcp {
            // the flag and its mask
            let liberal = TCPFlags::parse(&[LIBERAL; 2]).map_err(malformed)?;
            attributes.push(Attribute::CtaProtoInfo(vec![ProtoInfo::TCP(vec![
                ProtoInfoTCP::State(ESTABLISHED),
                ProtoInfoTCP::OriginalFlags(liberal.clone()),
                ProtoInfoTCP::ReplyFlags(liberal),
            ])]));
        }
        self.ask(ConntrackMessage::New(attributes), NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK).map(drop)
    }

    /// A connection leaves, or is over: nothing is known of it any more.
    pub fn leaves(&mut self, flow: &Flow) -> io::Result<()> {
        let entry = Attribute::CtaTupleReply(tuple(flow.protocol, flow.service, flow.client));
        match self.ask(ConntrackMessage::Delete(vec![entry]), NLM_F_ACK) {
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            told => told.map(drop),
        }
    }

    /// Whether the client or the service is known by other addresses on the wire than at the socket (NAT).
    pub fn is_translated(&mut self, flow: &Flow) -> io::Result<bool> {
        // sent by the socket: the direction in which translation comes last
        let sent = tuple(flow.protocol, flow.service, flow.client);
        let mirror = tuple(flow.protocol, flow.client, flow.service);
        let known = match self.ask(ConntrackMessage::Get(vec![Attribute::CtaTupleReply(sent.clone())]), 0) {
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => return Ok(false),
            known => known?,
        };
        let other = |attribute: &Attribute| match attribute {
            Attribute::CtaTupleOrig(t) | Attribute::CtaTupleReply(t) => !same(t, &sent) && !same(t, &mirror),
            _ => false,
        };
        Ok(known.iter().any(other))
    }

    /// One question and its answer; nothing where the kernel tracks nothing.
    fn ask(&mut self, message: ConntrackMessage, flags: u16) -> io::Result<Vec<Attribute>> {
        if self.socket.is_none() {
            if !Path::new(TRACKING).exists() {
                return Ok(Vec::new());
            }
            let protocol = Some(socket2::Protocol::from(libc::NETLINK_NETFILTER));
            let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW.nonblocking(), protocol)?;
            self.socket = Some(socket);
        }
        let Some(socket) = &self.socket else { return Ok(Vec::new()) };
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        (header.flags, header.sequence_number) = (NLM_F_REQUEST | flags, self.sequence);
        let payload = NetfilterMessage::new(NetfilterHeader::new(NetfilterProtoFamily::IPv4, 0, 0), message);
        let mut question = NetlinkMessage::new(header, NetlinkPayload::from(payload));
        question.finalize();
        let mut buffer = vec![0; question.buffer_len().max(8192)];
        question.serialize(&mut buffer);
        socket.send(&buffer[..question.buffer_len()])?;
        // answers are queued before send returns; an old one would belong to a failed call
        loop {
            let n = (&*socket).read(&mut buffer)?;
            let answer = NetlinkMessage::<NetfilterMessage>::deserialize(&buffer[..n]).map_err(malformed)?;
            if answer.header.sequence_number != self.sequence {
                continue;
            }
            return match answer.payload {
                NetlinkPayload::Error(e) if e.code.is_some() => Err(e.to_io()),
                NetlinkPayload::InnerMessage(NetfilterMessage {
                    inner: NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)),
                    ..
                }) => Ok(attributes),
                _ => Ok(Vec::new()),
            };
        }
    }
}

fn malformed(error: DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

fn tuple(protocol: Protocol, from: SocketAddrV4, to: SocketAddrV4) -> Vec<Tuple> {
    let protocol = match protocol {
        Protocol::Tcp => conntrack::Protocol::Tcp,
        Protocol::Udp => conntrack::Protocol::Udp,
    };
    vec![
        Tuple::Ip(vec![
            IPTuple::SourceAddress(IpAddr::V4(*from.ip())),
            IPTuple::DestinationAddress(IpAddr::V4(*to.ip())),
        ]),
        Tuple::Proto(vec![
            ProtoTuple::Protocol(protocol),
            ProtoTuple::SourcePort(from.port()),
            ProtoTuple::DestinationPort(to.port()),
        ]),
    ]
}

/// Whether the kernel's tuple says what this one does; it may say more, such as a zone.
fn same(kernels: &[Tuple], ours: &[Tuple]) -> bool {
    ours.iter().all(|part| kernels.contains(part))
}
