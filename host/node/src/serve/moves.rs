//! Moves that other processes ask for.

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use ipos::message::{BUFFER_BYTES, Reply};
use ipos::{Refusal, Unmovable};
use ipos_migrate::protocol::Failure;

use super::refusal::{refusal, unknown_peer};
use super::{Shared, socket};
use crate::error::MoveError;
use crate::handle::Buffers;

/// Moves a connection to `target`, or if that is empty to the first peer that takes it, beginning with another one each
/// time. The answer, and the socket if it is still here.
pub(super) async fn migrate(
    shared: &Shared,
    socket: OwnedFd,
    buffers: Buffers,
    state: Vec<u8>,
    target: &str,
) -> (Reply, Option<OwnedFd>) {
    for (what, length) in [("bytes not consumed", buffers.unread.len()), ("bytes not sent", buffers.unsent.len())] {
        if length > BUFFER_BYTES {
            let (what, length, limit) = (what.to_owned(), length as u64, BUFFER_BYTES as u64);
            return (Reply::Stayed(Refusal::TooLong { what, length, limit }), Some(socket));
        }
    }
    if !socket::is_of(&socket, shared.namespace) {
        let detail = "it belongs to another network namespace than the node's".to_owned();
        return (Reply::Stayed(Refusal::Unmovable { kind: Unmovable::Elsewhere, detail }), Some(socket));
    }
    let mut targets = if target.is_empty() { shared.info.peers.clone() } else { vec![target.to_owned()] };
    if targets.len() > 1 {
        let turn = shared.turn.fetch_add(1, Ordering::Relaxed) % targets.len();
        targets.rotate_left(turn);
    }
    let mut left = socket;
    let mut last = unknown_peer(target, &shared.info.peers);
    for target in targets {
        match shared.node.migrate_with(left, buffers.clone(), state.clone(), &target).await {
            Ok(report) => {
                let report = ipos::MoveReport {
                    epoch: report.epoch,
                    freeze_us: report.freeze_us,
                    queue_bytes: report.queue_bytes as u64,
                    total_us: report.total_us,
                    held: report.held as u64,
                };
                return (Reply::Moved(report), None);
            }
            Err(failed) => {
                last = refusal(&failed.error);
                match failed.fd {
                    Some(fd) => left = fd,
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
