//! Why a move does not begin: at its source, and at its destination.

use std::net::SocketAddrV4;

use crate::config::{Config, Home};
use crate::directory::Directory;
use crate::moves::Moves;
use crate::protocol::{Flow, MoveId, PeerId, Reason, StartError, Streams};

/// Whether a flow may leave for a peer, where it will be known as `owner`.
pub(crate) fn may_start(
    peer: PeerId,
    flow: &Flow,
    owner: SocketAddrV4,
    lengths: Streams<u32>,
    config: &Config,
    moves: &Moves,
) -> Result<(), StartError> {
    let home = config.home(flow.service).ok_or(StartError::UnknownService(flow.service))?;
    let (length, limit) = (lengths.bytes(), config.move_bytes);
    if length > limit {
        return Err(StartError::TooLong { length, limit });
    }
    if moves.is_busy(flow) {
        return Err(StartError::Busy);
    }
    let plain = config.is_plain(peer);
    // a plain home does not hear where its connection goes on to
    let astray = matches!(home, Home::At(home) if home != peer && config.is_plain(home));
    if astray || (plain && length > 0) {
        return Err(StartError::Plain);
    }
    if plain && moves.awaiting(peer, flow.protocol, flow.client, owner).is_some() {
        return Err(StartError::Busy);
    }
    Ok(())
}

/// Why this node would not take a flow, as far as the core knows.
pub(crate) fn refusal(
    id: MoveId,
    flow: &Flow,
    lengths: Streams<u32>,
    config: &Config,
    moves: &Moves,
    directory: &Directory,
) -> Option<Reason> {
    if config.home(flow.service).is_none() {
        Some(Reason::NoListener)
    } else if directory.places.known(flow).is_some_and(|known| known >= id.epoch) {
        Some(Reason::Stale)
    } else if directory.is_lost_sight_of(flow) || moves.is_in_the_way(flow, id) {
        Some(Reason::Busy)
    } else if !moves.has_room(id.peer, lengths.bytes(), config.move_bytes) {
        Some(Reason::NoResources)
    } else {
        None
    }
}
