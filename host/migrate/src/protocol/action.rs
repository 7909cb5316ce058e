//! What the core asks of its shell.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use super::{Endpoint, Failure, Flow, Message, MoveId, Nonces, PeerId, Streams};

/// Actions in the order in which they must be carried out.
pub(crate) type Actions = VecDeque<Action>;

/// What the shell must do. Actions that ask for an answer name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send a message to the other node of `id`.
    Send {
        /// The move; its peer is the receiver.
        id: MoveId,
        /// The connection.
        flow: Flow,
        /// The owner to be, on the back-side network: the destination of the ipOS header.
        owner: SocketAddrV4,
        /// That it is no recording.
        nonces: Nonces,
        /// What to say.
        message: Message,
    },
    /// Source: the move goes on under another epoch, since the destination knows a later one than it had.
    Renew {
        /// As it was.
        old: MoveId,
        /// As it is.
        new: MoveId,
    },
    /// Source: read what the queues have now, while the connection lives on. Answered by
    /// [`copied`](crate::Migrator::copied).
    Copy(MoveId),
    /// Source: hold the client's packets, drain the receive path, freeze the socket. Answered by
    /// [`frozen`](crate::Migrator::frozen) or [`give_up`](crate::Migrator::give_up).
    Freeze(MoveId),
    /// Source: install the forward entry, close the socket silently, pass on what was held.
    /// Answered by [`handed_over`](crate::Migrator::handed_over) or [`give_up`](crate::Migrator::give_up); a peer of the plain
    /// format owns already, so nothing can be given up: if the entry can't be installed, the shell passes packets on itself.
    HandOver(MoveId),
    /// Source: the destination is live.
    Done(MoveId),
    /// Source: thaw the socket if it is frozen, deliver what was held, tell the application.
    /// After [`Failure::Unconfirmed`] and [`Failure::Lost`] there is nothing left to thaw.
    Failed(MoveId, Failure),
    /// Destination: is there a listener, are there resources, is the flow unknown to the kernel? Nothing may change yet: the offer
    /// may be a recording. Answered by [`asked`](crate::Migrator::asked).
    Ask {
        /// The move.
        id: MoveId,
        /// The connection.
        flow: Flow,
        /// Estimated lengths of the streams.
        lengths: Streams<u32>,
    },
    /// Destination: the source means it. Take the resources, hold what arrives for the flow. Answered by [`reserved`](crate::Migrator::reserved).
    Reserve {
        /// The move.
        id: MoveId,
        /// The connection.
        flow: Flow,
        /// Estimated lengths of the streams.
        lengths: Streams<u32>,
    },
    /// Destination: build the socket, silently. Answered by [`prepared`](crate::Migrator::prepared).
    Prepare {
        /// The move.
        id: MoveId,
        /// The connection.
        flow: Flow,
        /// What it is to be built from.
        endpoint: Endpoint,
        /// Its streams.
        streams: Streams<Vec<u8>>,
    },
    /// Destination: make the socket speak, deliver what was held, hand it to the application.
    GoLive(MoveId),
    /// Destination: drop what was reserved or prepared; put back what was there before.
    Abandon(MoveId),
    /// Home: packets of the flow go to `to` from now on.
    Repoint {
        /// The connection.
        flow: Flow,
        /// Its owner.
        to: PeerId,
    },
    /// The flow has ended or lives far away; remove its forward entry and keep quiet about stray segments.
    Forget(Flow),
    /// The flow's owner died with it; remove its forward entry, so that the kernel resets the client.
    Lost(Flow),
    /// A message was not believed.
    Ignored {
        /// Its sender.
        peer: PeerId,
        /// Why.
        why: Ignored,
    },
}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// It does not repeat the nonce that it should: a recording, or of an earlier life of its sender.
    Nonce,
    /// Its epoch is beyond [`EPOCHS`].
    Epoch,
    /// It names an owner that is neither this node nor its sender.
    Owner,
}
