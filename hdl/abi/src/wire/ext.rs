//! Extensions, types from `0x80` on: how a move is agreed on, its data carried and its end made safe.
//!
//! Behind the ipOS header each has the same 16 bytes (epoch, service, flags, length of the body) and then its body. The
//! service's address together with the header's client makes the tuple: two services of one client
//! may move at the same time. Reserved bytes are sent as zero and not looked at.
//!
//! | type | body | bytes |
//! |---|---|---|
//! | offer | receive queue 4, send queue 4, application state 4, TCB version 1, format 1, features 2 | 16 |
//! | ready | format 1, reserved 1, features 2 | 4 |
//! | release, cancel, commit | – | 0 |
//! | refusal | reason 2, reserved 2, epoch known of the tuple 8 | 12 |
//! | data | stream 1, offset 4, length 2, bytes ≤ 1,400 | 7 + n |
//! | progress | offsets of the three streams 4 each, credit 2, reserved 2 | 16 |
//! | moved | back-side address of the new owner 4, epoch known of the tuple 8 | 12 |
//! | query | state 1, reserved 3, owner 4, epoch 8 | 16 |
//!
//! Commit, moved, release and query are answered by the same type with the answer flag set. Data without bytes are the answer
//! to ready.
//!
//! **Later formats** make bodies longer, never shorter: a receiver reads the part that it knows and skips the rest, by the
//! length in the head (of data: without the bytes that they carry). A capability that a receiver has to know of has a bit among
//! the features: the offer names what the sender can do, ready what both can, and nothing else is used in that move.

use super::ipos::Type;
use super::{Error, room};
use core::net::{Ipv4Addr, SocketAddrV4};

header! {
    "ipOS extension", 16 bytes;
    /// What all extensions have behind the ipOS header.
    view Packet;
    struct Raw;
    epoch: u64 as Dec @ 0, "Epoch of the move";
    service_ip: Ipv4Addr as Ip @ 8, "Address of the service, as the client knows it";
    service_port: u16 as Dec @ 12, "Port of the service";
    flags: u8 as Hex @ 14, "Answer 0";
    body_len: u8 as Dec @ 15, "Bytes of the body; of data without those that they carry";
}

const ANSWER: u8 = 1;

/// The format of extensions and trailer that this code speaks.
pub const FORMAT: u8 = 2;

/// Capabilities of a side of a move beyond the format, a bit each; unknown bits are ignored.
pub mod features {
    /// The connection packet carries options of the socket that the control block has no room for: [`super::super::options`].
    pub const OPTIONS: u16 = 1 << 0;
    /// All that this code knows.
    pub const ALL: u16 = OPTIONS;
}

/// Most bytes in one data packet.
pub const MAX_DATA: usize = 1400;

/// What is to come, asked before freezing.
pub mod offer {
    header! {
        "ipOS offer", 16 bytes;
        /// Body of an offer.
        view Packet;
        /// What the new owner must have room for.
        pub struct Offer;
        receive_len: u32 as Dec @ 0, "Receive queue, bytes, as of now";
        send_len: u32 as Dec @ 4, "Send queue, bytes, as of now";
        application_len: u32 as Dec @ 8, "Application state, bytes, as of now";
        tcb_version: u8 as Dec @ 12, "Version of the TCP control block to come";
        format: u8 as Dec @ 13, "Highest format that the sender speaks";
        features: u16 as Hex @ 14, "What the sender can do: 0 socket options";
    }
}

/// The part of an offer that both sides agree on.
pub mod ready {
    header! {
        "ipOS ready", 4 bytes;
        /// Body of a ready packet.
        view Packet;
        /// Format and features that the move uses.
        pub struct Ready;
        format: u8 as Dec @ 0, "Format of the move";
        features: u16 as Hex @ 2, "What both can do: 0 socket options";
    }
}

/// Why a move does not happen.
pub mod refusal {
    header! {
        "ipOS refusal", 12 bytes;
        /// Body of a refusal.
        view Packet;
        pub(super) struct Raw;
        reason: u16 as Dec @ 0, "Reason";
        known: u64 as Dec @ 4, "Last epoch that is known of the tuple; zero: none";
    }
}

/// Bytes of queues and application state.
pub mod data {
    header! {
        "ipOS data", 7 bytes;
        /// Fixed part of a data body.
        view Packet;
        pub(super) struct Raw;
        stream: u8 as Dec @ 0, "Stream: 0 receive queue, 1 send queue, 2 application state";
        offset: u32 as Dec @ 1, "Offset of the first byte in its stream";
        length: u16 as Dec @ 5, "Bytes that follow, at most 1,400";
    }
}

/// What has arrived, and how much more may be sent.
pub mod progress {
    header! {
        "ipOS progress", 16 bytes;
        /// Body of a progress packet.
        view Packet;
        /// Contiguous bytes of each stream from its start, and credit.
        pub struct Progress;
        receive: u32 as Dec @ 0, "Contiguous bytes of the receive queue";
        send: u32 as Dec @ 4, "Contiguous bytes of the send queue";
        application: u32 as Dec @ 8, "Contiguous bytes of the application state";
        credit: u16 as Dec @ 12, "Data packets that may be under way";
    }
}

/// Where the endpoint is now.
pub mod moved {
    header! {
        "ipOS moved", 12 bytes;
        /// Body of a moved packet.
        view Packet;
        /// The new owner.
        pub struct Moved;
        owner: core::net::Ipv4Addr as Ip @ 0, "Back-side address of the new owner";
        known: u64 as Dec @ 4, "Last epoch that the sender knows of the tuple; zero: none";
    }
}

/// What a server knows about a tuple.
pub mod query {
    header! {
        "ipOS query", 16 bytes;
        /// Body of a query, question or answer.
        view Packet;
        pub(super) struct Raw;
        state: u8 as Dec @ 0, "State: 0 unknown, 1 prepared, 2 owner, 3 moved on";
        owner: core::net::Ipv4Addr as Ip @ 4, "Back-side address of the owner, as far as known";
        owner_epoch: u64 as Dec @ 8, "Epoch of that knowledge";
    }
}

pub use moved::Moved;
pub use offer::Offer;
pub use progress::Progress;
pub use ready::Ready;

codes! {
    /// Why a move does not happen.
    Reason: u16 {
        Other = 0, "other", "Any other reason, and codes that are not defined.";
        NoListener = 1, "no listener", "No process listens on the service's port.";
        NoResources = 2, "no resources", "No memory, no descriptor or no table entry.";
        UnknownVersion = 3, "unknown version", "The TCP control block has a version that is not known here.";
        Cancelled = 4, "cancelled", "The answer to a cancel: nothing of this epoch is left.";
        Busy = 5, "busy", "The tuple is in another move.";
        Stale = 6, "stale", "A later epoch of the tuple is known, which the refusal tells.";
        Damaged = 7, "damaged", "Control block, queues or application state arrived damaged.";
        Unsupported = 8, "unsupported", "The endpoint's state or options can't be rebuilt here.";
        Lost = 9, "lost", "What was prepared is gone, by a restart or after too long in doubt.";
        Translated = 10, "translated", "The server's firewall translates the tuple's addresses (NAT).";
        NoAddress = 12, "the service's address is missing", "The service's address is not one of the destination's own.";
        StillOpen = 13, "a socket is still open", "The destination has a socket of the connection: a second descriptor outlived its move away.";
        PortTaken = 14, "port taken", "A socket of the destination that does not share its port (`SO_REUSEADDR`) has the service's.";
    }
}

codes! {
    /// What a data packet carries a part of.
    Stream: u8 {
        Receive = 0, "receive queue", "Bytes that the application has not read.";
        Send = 1, "send queue", "Bytes that the client has not acknowledged.";
        Application = 2, "application state", "What the application exported.";
    }
}

codes! {
    /// What a server is to a tuple.
    Ownership: u8 {
        Unknown = 0, "unknown", "Nothing is known of the tuple.";
        Prepared = 1, "prepared", "Offered here, not committed.";
        Owner = 2, "owner", "The endpoint lives here.";
        Moved = 3, "moved on", "The endpoint lives at the address given.";
    }
}

/// Body of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Old to new owner: will you take this endpoint?
    Offer(Offer),
    /// New to old owner: yes. Nothing has changed there yet: data without bytes answer it.
    Ready(Ready),
    /// New to old owner: no, or not any more.
    Refusal {
        /// Why.
        reason: Reason,
        /// Last epoch that is known of the tuple; zero: none.
        known: u64,
    },
    /// Old to new owner: this epoch is given up. Answered by a refusal.
    Cancel,
    /// Old to new owner: a part of a stream, repeated until progress covers it.
    Data {
        /// Which stream.
        stream: Stream,
        /// Offset of the first byte in the stream.
        offset: u32,
        /// At most [`MAX_DATA`] bytes.
        bytes: &'a [u8],
    },
    /// New to old owner: what has arrived.
    Progress(Progress),
    /// Old to new owner: the endpoint is yours.
    Commit,
    /// New owner to home: send the client's packets here.
    Moved(Moved),
    /// Owner to home: the endpoint is gone.
    Release,
    /// Either way: who owns this tuple? A question tells what the asker knows, an answer what
    /// the asked one knows.
    Query {
        /// What the sender is to the tuple.
        state: Ownership,
        /// Back-side address of the owner, as far as known.
        owner: Ipv4Addr,
        /// Epoch of that knowledge.
        epoch: u64,
    },
}

impl Body<'_> {
    /// Type in the ipOS header.
    #[must_use]
    pub const fn kind(&self) -> Type {
        match self {
            Body::Offer(_) => Type::Offer,
            Body::Ready(_) => Type::Ready,
            Body::Refusal { .. } => Type::Refusal,
            Body::Cancel => Type::Cancel,
            Body::Data { .. } => Type::Data,
            Body::Progress(_) => Type::Progress,
            Body::Commit => Type::Commit,
            Body::Moved(_) => Type::Moved,
            Body::Release => Type::Release,
            Body::Query { .. } => Type::Query,
        }
    }
}

/// Bytes of the body of a type in this format, of data without those that they carry; `None` if it is not an extension.
const fn body_len(kind: Type) -> Option<usize> {
    Some(match kind {
        Type::Offer => offer::LEN,
        Type::Ready => ready::LEN,
        Type::Refusal => refusal::LEN,
        Type::Data => data::LEN,
        Type::Progress => progress::LEN,
        Type::Moved => moved::LEN,
        Type::Query => query::LEN,
        Type::Release | Type::Cancel | Type::Commit => 0,
        Type::Connection | Type::Packet | Type::Ack => return None,
    })
}

/// An extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr<'a> {
    /// Epoch of the move.
    pub epoch: u64,
    /// The service, as the client knows it.
    pub service: SocketAddrV4,
    /// An answer to a packet of the same type.
    pub answer: bool,
    /// What it says.
    pub body: Body<'a>,
}

impl<'a> Repr<'a> {
    /// Bytes that an extension of type `kind` has behind the ipOS header, which `bytes` begin
    /// with: what the ipOS checksum covers.
    pub fn measure(kind: Type, bytes: &[u8]) -> Result<usize, Error> {
        let least = body_len(kind).ok_or(Error::Value { header: TITLE, field: "type", found: kind.code().into() })?;
        let truncated = |need| Error::Truncated { header: TITLE, need, have: bytes.len() };
        let told = Packet::new_fixed(bytes)?.body_len();
        if usize::from(told) < least {
            return Err(Error::Value { header: TITLE, field: "body_len", found: told.into() });
        }
        let mut need = LEN + usize::from(told);
        let body = bytes.get(LEN..need).ok_or(truncated(need))?;
        if kind == Type::Data {
            let found = usize::from(data::Packet::new_fixed(body)?.length());
            if found > MAX_DATA {
                return Err(Error::TooLong { header: data::TITLE, field: "data", found, max: MAX_DATA });
            }
            need += found;
        }
        if bytes.len() < need { Err(truncated(need)) } else { Ok(need) }
    }

    /// Reads an extension of type `kind` at the start of `bytes`, which follow the ipOS header.
    pub fn parse(kind: Type, bytes: &'a [u8]) -> Result<Self, Error> {
        let bytes = &bytes[..Self::measure(kind, bytes)?];
        let value = |header, field, found: u8| Error::Value { header, field, found: found.into() };
        let head = Raw::read(&Packet::new_fixed(bytes)?);
        let (rest, carried) = bytes[LEN..].split_at(head.body_len.into());
        let body = match kind {
            Type::Offer => Body::Offer(Offer::read(&offer::Packet::new_fixed(rest)?)),
            Type::Ready => Body::Ready(Ready::read(&ready::Packet::new_fixed(rest)?)),
            Type::Refusal => {
                let p = refusal::Packet::new_fixed(rest)?;
                Body::Refusal { reason: Reason::from_code(p.reason()).unwrap_or(Reason::Other), known: p.known() }
            }
            Type::Cancel => Body::Cancel,
            Type::Data => {
                let p = data::Packet::new_fixed(rest)?;
                let stream = Stream::from_code(p.stream()).ok_or(value(data::TITLE, "stream", p.stream()))?;
                Body::Data { stream, offset: p.offset(), bytes: carried }
            }
            Type::Progress => Body::Progress(Progress::read(&progress::Packet::new_fixed(rest)?)),
            Type::Commit => Body::Commit,
            Type::Moved => Body::Moved(Moved::read(&moved::Packet::new_fixed(rest)?)),
            Type::Release => Body::Release,
            Type::Query => {
                let p = query::Packet::new_fixed(rest)?;
                let state = Ownership::from_code(p.state()).ok_or(value(query::TITLE, "state", p.state()))?;
                Body::Query { state, owner: p.owner(), epoch: p.owner_epoch() }
            }
            Type::Connection | Type::Packet | Type::Ack => return Err(value(TITLE, "type", kind.code())),
        };
        Ok(Repr {
            epoch: head.epoch,
            service: SocketAddrV4::new(head.service_ip, head.service_port),
            answer: head.flags & ANSWER != 0,
            body,
        })
    }

    /// Bytes behind the ipOS header.
    #[must_use]
    pub fn buffer_len(&self) -> usize {
        let data = if let Body::Data { bytes, .. } = self.body { bytes.len() } else { 0 };
        LEN + body_len(self.body.kind()).unwrap_or(0) + data
    }

    /// Writes what follows the ipOS header at the start of `buffer`; returns its length.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let need = self.buffer_len();
        let buffer = room(TITLE, buffer, need)?;
        let (service_ip, service_port) = (*self.service.ip(), self.service.port());
        let body_len = body_len(self.body.kind()).unwrap_or(0) as u8;
        Raw { epoch: self.epoch, service_ip, service_port, flags: self.answer.into(), body_len }.write(buffer);
        let rest = &mut buffer[LEN..];
        match self.body {
            Body::Offer(offer) => offer.write(rest),
            Body::Ready(ready) => ready.write(rest),
            Body::Refusal { reason, known } => refusal::Raw { reason: reason.code(), known }.write(rest),
            Body::Data { stream, offset, bytes } => {
                let found = bytes.len();
                if found > MAX_DATA {
                    return Err(Error::TooLong { header: data::TITLE, field: "data", found, max: MAX_DATA });
                }
                data::Raw { stream: stream.code(), offset, length: found as u16 }.write(rest);
                rest[data::LEN..].copy_from_slice(bytes);
            }
            Body::Progress(progress) => progress.write(rest),
            Body::Moved(moved) => moved.write(rest),
            Body::Query { state, owner, epoch } => {
                query::Raw { state: state.code(), owner, owner_epoch: epoch }.write(rest);
            }
            Body::Cancel | Body::Commit | Body::Release => {}
        }
        Ok(need)
    }
}
