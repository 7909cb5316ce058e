//! Messages of the core as frames of the back-side network, and back.

use std::net::SocketAddrV4;

use bytes::Bytes;
use ipos_abi::wire::control::{self, AuthError, Frame};
use ipos_abi::wire::ext::{Body, FORMAT, Moved, Offer, Progress, Ready, Repr as Ext};
use ipos_abi::wire::options::{self, Options};
use ipos_abi::wire::trailer::{self, Key, Path, Seal};
use ipos_abi::wire::{Error, Mac, connection, ethernet, tcb};

use crate::protocol::{Endpoint, Message, Nonces, Protocol, Reason, Streams, Tcb};

/// A message and what travels beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Of the connection.
    pub protocol: Protocol,
    /// The client.
    pub client: SocketAddrV4,
    /// The owner, or the owner to be, on the back-side network.
    pub owner: SocketAddrV4,
    /// The service; an acknowledgement does not name it.
    pub service: Option<SocketAddrV4>,
    /// The epoch of the move.
    pub epoch: u64,
    /// That it is no recording.
    pub nonces: Nonces,
    /// What it says.
    pub message: Message,
}

/// Why a control packet was dropped.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Malformed.
    #[error(transparent)]
    Malformed(#[from] Error),
    /// Not authentic.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Well formed, but nothing that this node understands.
    #[error("{0} is not handled")]
    Unhandled(&'static str),
}

/// Writes a frame into `buffer`, in place of what was there. `path`: from this node to the receiver.
pub fn encode(
    packet: &Packet,
    link: ethernet::Repr,
    path: Path,
    key: Option<&Key>,
    buffer: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut extras = [0; 2 + options::MAX_LEN];
    let extras = options_of(&packet.message, &mut extras)?;
    let trailer = trailer::Repr { epoch: packet.epoch, nonces: packet.nonces, extras };
    write(packet, Some(trailer), link, key.map(|key| Seal { key, path }), buffer)
}

/// The extra that carries a socket's options, written into `buffer`; most sockets need none.
fn options_of<'a>(message: &Message, buffer: &'a mut [u8; 2 + options::MAX_LEN]) -> Result<&'a [u8], Error> {
    let Message::Connection(Ok(Endpoint::Tcp(_, options))) = message else { return Ok(&[]) };
    let length = options.emit(&mut buffer[2..])?;
    buffer[..2].copy_from_slice(&[trailer::OPTIONS, length as u8]);
    Ok(if length == 0 { &[] } else { &buffer[..2 + length] })
}

/// The same for a peer of the plain format: without trailer. It has no extensions.
pub fn encode_plain(packet: &Packet, link: ethernet::Repr, buffer: &mut Vec<u8>) -> Result<(), Error> {
    write(packet, None, link, None, buffer)
}

fn write(
    packet: &Packet,
    trailer: Option<trailer::Repr<'_>>,
    link: ethernet::Repr,
    seal: Option<Seal<'_>>,
    buffer: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut block = [0; tcb::LEN];
    let service = packet.service.unwrap_or(packet.owner);
    let (client, owner, epoch) = (packet.client, packet.owner, packet.epoch);
    let ext = |answer, body| control::Message::Ext(Ext { epoch, service, answer, body });
    let message = match &packet.message {
        Message::Connection(endpoint) => {
            let info = match endpoint {
                Ok(Endpoint::Tcp(tcb, _)) => {
                    tcb.emit(&mut block)?;
                    connection::Repr::Tcp { server: service, tcb: &block }
                }
                Ok(Endpoint::Udp) => connection::Repr::Udp { server: service },
                Err(_) => return Err(Error::Value { header: "TCP control block", field: "version", found: 0 }),
            };
            control::Message::Connection(info)
        }
        Message::Acknowledge => control::Message::Ack,
        Message::Offer { lengths, features } => {
            let Streams { receive: receive_len, send: send_len, application: application_len } = *lengths;
            let (tcb_version, format, features) = (tcb::VERSION, FORMAT, *features);
            let offer = Offer { receive_len, send_len, application_len, tcb_version, format, features };
            ext(false, Body::Offer(offer))
        }
        Message::Ready { features } => ext(false, Body::Ready(Ready { format: FORMAT, features: *features })),
        Message::Refuse { reason, known } => ext(false, Body::Refusal { reason: *reason, known: *known }),
        Message::Data { stream, offset, bytes } => ext(false, Body::Data { stream: *stream, offset: *offset, bytes }),
        Message::Progress { contiguous: Streams { receive, send, application }, credit } => {
            let (receive, send, application, credit) = (*receive, *send, *application, *credit);
            ext(false, Body::Progress(Progress { receive, send, application, credit }))
        }
        Message::Cancel => ext(false, Body::Cancel),
        Message::Commit { answer } => ext(*answer, Body::Commit),
        Message::Moved { owner, known, answer } => ext(*answer, Body::Moved(Moved { owner: *owner, known: *known })),
        Message::Release { answer } => ext(*answer, Body::Release),
        Message::Query { state, owner, known, answer } => {
            ext(*answer, Body::Query { state: *state, owner: *owner, epoch: *known })
        }
    };
    let frame = Frame { link, protocol: packet.protocol, client, owner, message, trailer };
    buffer.clear();
    buffer.resize(frame.buffer_len(), 0);
    frame.emit(buffer, seal).map(drop)
}

/// Reads a control frame and tells its sender's MAC address. With keys, a packet whose tag none of them makes for this
/// path, from its sender to this node, is an error: while a key is replaced, the old and the new one are accepted.
pub fn decode(frame: &[u8], ethertype: u16, keys: &[Key], path: Path) -> Result<(Mac, Packet), DecodeError> {
    let received = control::parse(frame, ethertype)?;
    let mut verdict = Ok(());
    for key in keys {
        verdict = received.verify(Seal { key, path });
        if verdict.is_ok() {
            break;
        }
    }
    verdict?;
    let trailer = received.frame.trailer.ok_or(DecodeError::Unhandled("a plain packet, without epoch,"))?;
    read(&received.frame, &trailer)
}

/// Reads a control frame of a peer of the plain format. Nothing authenticates it, and its epoch is zero.
pub fn decode_plain(frame: &[u8], ethertype: u16) -> Result<(Mac, Packet), DecodeError> {
    let received = control::parse(frame, ethertype)?;
    match received.frame.message {
        control::Message::Ext(_) => Err(DecodeError::Unhandled("an extension of a plain peer")),
        _ => read(&received.frame, &trailer::Repr::default()),
    }
}

fn read(frame: &Frame<'_>, trailer: &trailer::Repr<'_>) -> Result<(Mac, Packet), DecodeError> {
    let Frame { link, protocol, client, owner, message, .. } = *frame;
    let (epoch, nonces) = (trailer.epoch, trailer.nonces);
    let (service, message) = match message {
        control::Message::Connection(info) => {
            let endpoint = match info {
                connection::Repr::Tcp { tcb: block, .. } => control_block(block).and_then(|tcb| {
                    let options = trailer.extra(trailer::OPTIONS).map_or(Ok(Options::default()), Options::parse);
                    Ok(Endpoint::Tcp(tcb, Box::new(options.map_err(|_| Reason::Damaged)?)))
                }),
                connection::Repr::Udp { .. } => Ok(Endpoint::Udp),
            };
            (Some(info.server()), Message::Connection(endpoint))
        }
        control::Message::Packet(_) => return Err(DecodeError::Unhandled("a forwarded packet as control")),
        control::Message::Ack => (None, Message::Acknowledge),
        control::Message::Ext(ext) => (Some(ext.service), extension(&ext)),
    };
    Ok((link.src, Packet { protocol, client, owner, service, epoch, nonces, message }))
}

fn control_block(block: &[u8; tcb::LEN]) -> Result<Box<Tcb>, Reason> {
    let read = tcb::Packet::new_checked(block).and_then(|p| Tcb::parse(&p));
    read.map(Box::new).map_err(|e| match e {
        Error::Version { .. } => Reason::UnknownVersion,
        Error::Value { field: "state", .. } => Reason::Unsupported,
        _ => Reason::Damaged,
    })
}

fn extension(ext: &Ext<'_>) -> Message {
    let answer = ext.answer;
    match ext.body {
        Body::Offer(o) => {
            let lengths = Streams { receive: o.receive_len, send: o.send_len, application: o.application_len };
            Message::Offer { lengths, features: o.features }
        }
        Body::Ready(r) => Message::Ready { features: r.features },
        Body::Refusal { reason, known } => Message::Refuse { reason, known },
        Body::Cancel => Message::Cancel,
        Body::Data { stream, offset, bytes } => Message::Data { stream, offset, bytes: Bytes::copy_from_slice(bytes) },
        Body::Progress(Progress { receive, send, application, credit }) => {
            Message::Progress { contiguous: Streams { receive, send, application }, credit }
        }
        Body::Commit => Message::Commit { answer },
        Body::Moved(m) => Message::Moved { owner: m.owner, known: m.known, answer },
        Body::Release => Message::Release { answer },
        Body::Query { state, owner, epoch: known } => Message::Query { state, owner, known, answer },
    }
}
