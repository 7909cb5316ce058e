//! Messages of the core as frames of the back-side network, and back.

use std::net::SocketAddrV4;

use bytes::Bytes;
use ipos_abi::wire::control::{self, AuthError, Frame};
use ipos_abi::wire::ext::{Body, Moved, Offer, Progress, Repr as Ext};
use ipos_abi::wire::trailer::Key;
use ipos_abi::wire::{Error, Mac, connection, ethernet, tcb};

use crate::protocol::{Endpoint, Message, Protocol, Reason, Tcb};

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

/// Writes a frame from `src` to `dst` into `buffer`, in place of what was there.
pub fn encode(packet: &Packet, link: ethernet::Repr, key: Option<&Key>, buffer: &mut Vec<u8>) -> Result<(), Error> {
    write(packet, Some(packet.epoch), link, key, buffer)
}

/// The same for a peer of the plain format: without trailer. It has no extensions.
pub fn encode_plain(packet: &Packet, link: ethernet::Repr, buffer: &mut Vec<u8>) -> Result<(), Error> {
    write(packet, None, link, None, buffer)
}

fn write(
    packet: &Packet,
    trailer: Option<u64>,
    link: ethernet::Repr,
    key: Option<&Key>,
    buffer: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut block = [0; tcb::LEN];
    let service = packet.service.unwrap_or(packet.owner);
    let (client, owner, epoch) = (packet.client, packet.owner, packet.epoch);
    let ext = |answer, body| control::Message::Ext(Ext { epoch, service, answer, body });
    let message = match &packet.message {
        Message::Connection(endpoint) => {
            let info = match endpoint {
                Ok(Endpoint::Tcp(tcb)) => {
                    tcb.emit(&mut block)?;
                    connection::Repr::Tcp { server: service, tcb: &block }
                }
                Ok(Endpoint::Udp) => connection::Repr::Udp { server: service },
                Err(_) => return Err(Error::Value { header: "TCP control block", field: "version", found: 0 }),
            };
            control::Message::Connection { epoch: trailer, info }
        }
        Message::Acknowledge => control::Message::Ack { epoch: trailer },
        Message::Offer { lengths: [receive_len, send_len, application_len] } => {
            let (receive_len, send_len, application_len) = (*receive_len, *send_len, *application_len);
            ext(false, Body::Offer(Offer { receive_len, send_len, application_len, tcb_version: tcb::VERSION }))
        }
        Message::Ready => ext(false, Body::Ready),
        Message::Refuse(reason) => ext(false, Body::Refusal(*reason)),
        Message::Data { stream, offset, bytes } => ext(false, Body::Data { stream: *stream, offset: *offset, bytes }),
        Message::Progress { contiguous: [receive, send, application], credit } => {
            let (receive, send, application, credit) = (*receive, *send, *application, *credit);
            ext(false, Body::Progress(Progress { receive, send, application, credit }))
        }
        Message::Cancel => ext(false, Body::Cancel),
        Message::Commit { answer } => ext(*answer, Body::Commit),
        Message::Moved { owner, answer } => ext(*answer, Body::Moved(Moved { owner: *owner })),
        Message::Release { answer } => ext(*answer, Body::Release),
        Message::Query { state, owner, known, answer } => {
            ext(*answer, Body::Query { state: *state, owner: *owner, epoch: *known })
        }
    };
    let frame = Frame { link, protocol: packet.protocol, client, owner, message };
    buffer.clear();
    buffer.resize(frame.buffer_len(), 0);
    frame.emit(buffer, key).map(drop)
}

/// Reads a control frame and tells its sender's MAC address. With keys, a packet whose tag none of them makes
/// is an error: while a key is replaced, the old and the new one are accepted.
pub fn decode(frame: &[u8], ethertype: u16, keys: &[Key]) -> Result<(Mac, Packet), DecodeError> {
    let received = control::parse(frame, ethertype)?;
    let mut verdict = Ok(());
    for key in keys {
        verdict = received.verify(key);
        if verdict.is_ok() {
            break;
        }
    }
    verdict?;
    let epoch = received.frame.message.epoch().ok_or(DecodeError::Unhandled("a plain packet, without epoch,"))?;
    read(&received.frame, epoch)
}

/// Reads a control frame of a peer of the plain format. Nothing authenticates it, and its epoch is zero.
pub fn decode_plain(frame: &[u8], ethertype: u16) -> Result<(Mac, Packet), DecodeError> {
    let received = control::parse(frame, ethertype)?;
    match received.frame.message {
        control::Message::Ext(_) => Err(DecodeError::Unhandled("an extension of a plain peer")),
        _ => read(&received.frame, 0),
    }
}

fn read(frame: &Frame<'_>, epoch: u64) -> Result<(Mac, Packet), DecodeError> {
    let Frame { link, protocol, client, owner, message } = *frame;
    let (service, message) = match message {
        control::Message::Connection { info, .. } => {
            let endpoint = match info {
                connection::Repr::Tcp { tcb: block, .. } => control_block(block).map(Endpoint::Tcp),
                connection::Repr::Udp { .. } => Ok(Endpoint::Udp),
            };
            (Some(info.server()), Message::Connection(endpoint))
        }
        control::Message::Packet(_) => return Err(DecodeError::Unhandled("a forwarded packet as control")),
        control::Message::Ack { .. } => (None, Message::Acknowledge),
        control::Message::Ext(ext) => (Some(ext.service), extension(&ext)),
    };
    Ok((link.src, Packet { protocol, client, owner, service, epoch, message }))
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
        Body::Offer(o) => Message::Offer { lengths: [o.receive_len, o.send_len, o.application_len] },
        Body::Ready => Message::Ready,
        Body::Refusal(reason) => Message::Refuse(reason),
        Body::Cancel => Message::Cancel,
        Body::Data { stream, offset, bytes } => Message::Data { stream, offset, bytes: Bytes::copy_from_slice(bytes) },
        Body::Progress(p) => Message::Progress { contiguous: [p.receive, p.send, p.application], credit: p.credit },
        Body::Commit => Message::Commit { answer },
        Body::Moved(m) => Message::Moved { owner: m.owner, answer },
        Body::Release => Message::Release { answer },
        Body::Query { state, owner, epoch: known } => Message::Query { state, owner, known, answer },
    }
}
