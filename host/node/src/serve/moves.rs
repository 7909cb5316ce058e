//! Moves that other processes ask for.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;

use ipos_control::message::{BUFFER_BYTES, Reply, Request};
use ipos_control::{Channel, ChannelError};
use ipos_control::{Refusal, Unmovable};
use ipos_migrate::protocol::{Failure, Flow};

use super::refusal::{refusal, unknown_peer};
use super::shared::{Shared, out_of_place};
use super::socket;
use crate::error::MoveError;
use crate::keep::{Given, Reclaimed};
use crate::report::Buffers;

/// Takes a socket over, moves its connection, and gives it back if it stays. The other side keeps its descriptor until the
/// node has one, and the node keeps its own until the other side has one again.
pub(super) async fn attend(
    shared: &Shared,
    channel: &Channel,
    socket: OwnedFd,
    buffers: Buffers,
    state: Vec<u8>,
    target: &str,
) -> Result<(), ChannelError> {
    if let Some(refusal) = unfit(shared, &socket, &buffers) {
        return channel.send(&Reply::Stayed(refusal), None).await;
    }
    let process = channel.peer_process().inspect_err(|e| tracing::debug!("no pidfd of an application: {e}")).ok();
    let given = shared.node.keep(&socket, process.as_ref(), channel.peer_user()?);
    drop(process);
    channel.send(&Reply::Taken, None).await?;
    // with a second descriptor in another process the connection would go on here, too
    match channel.receive().await? {
        (Request::Closed, None) => {}
        _ => return out_of_place(channel, "anything but the word that the socket is closed").await,
    }
    let (reply, socket) = migrate(shared, (socket, given), buffers, state, target).await;
    give_back(channel, &reply, socket).await
}

/// A connection that was given to an earlier life of the node: back, or its end.
pub(super) async fn reclaim(shared: &Shared, channel: &Channel, flow: Flow, cookie: u64) -> Result<(), ChannelError> {
    let (why, socket) = match shared.node.reclaim(flow, cookie, channel.peer_user()?).await {
        Reclaimed::Back(fd, given) => {
            (Refusal::GivenUp("the node was started again".to_owned()), Some((fd, Some(given))))
        }
        Reclaimed::Away => (Refusal::Unconfirmed, None),
        Reclaimed::Unknown => (Refusal::Lost("the node was started again and does not have it".to_owned()), None),
    };
    give_back(channel, &Reply::Stayed(why), socket).await
}

/// Answers, and keeps the node's descriptors of a socket that goes back until the other side has one.
async fn give_back(
    channel: &Channel,
    reply: &Reply,
    socket: Option<(OwnedFd, Option<Given>)>,
) -> Result<(), ChannelError> {
    loop {
        channel.send(reply, socket.as_ref().map(|(fd, _)| fd.as_fd())).await?;
        if socket.is_none() {
            return Ok(());
        }
        match channel.receive().await? {
            (Request::Taken, None) => return Ok(()),
            (Request::Again, None) => {}
            _ => return out_of_place(channel, "anything but the word that the socket has come").await,
        }
    }
}

/// Why a connection needn't be tried.
fn unfit(shared: &Shared, socket: &OwnedFd, buffers: &Buffers) -> Option<Refusal> {
    for (what, length) in [("bytes not consumed", buffers.unread.len()), ("bytes not sent", buffers.unsent.len())] {
        if length > BUFFER_BYTES {
            return Some(Refusal::TooLong { what: what.to_owned(), length: length as u64, limit: BUFFER_BYTES as u64 });
        }
    }
    let detail = "it belongs to another network namespace than the node's".to_owned();
    let elsewhere = Refusal::Unmovable { kind: Unmovable::Elsewhere, detail };
    (!socket::is_of(socket, shared.namespace)).then_some(elsewhere)
}

/// Moves a connection to `target`, or if that is empty to the first peer that takes it, beginning with another one each
/// time. The answer, and the socket if it is still here.
async fn migrate(
    shared: &Shared,
    socket: (OwnedFd, Option<Given>),
    buffers: Buffers,
    state: Vec<u8>,
    target: &str,
) -> (Reply, Option<(OwnedFd, Option<Given>)>) {
    let mut targets = if target.is_empty() { shared.info.peers.clone() } else { vec![target.to_owned()] };
    if targets.len() > 1 {
        let turn = shared.turn.fetch_add(1, Ordering::Relaxed) % targets.len();
        targets.rotate_left(turn);
    }
    let mut left = socket;
    let mut last = unknown_peer(target, &shared.info.peers);
    for target in targets {
        match shared.node.migrate_given(left, buffers.clone(), state.clone(), &target).await {
            Ok(moved) => return (Reply::Moved(moved.report), None),
            Err(failed) => {
                last = refusal(&failed.error);
                match failed.fd {
                    Some(fd) => left = (fd, failed.given),
                    None => return (Reply::Stayed(last), None),
                }
                // the connection is not at fault, the peer is
                if !matches!(failed.error, MoveError::Protocol(Failure::Refused(_) | Failure::Silent(_))) {
                    break;
                }
            }
        }
    }
    (Reply::Stayed(last), Some(left))
}
