//! Moves to and from peers of the plain format: 01 and 03 without trailer, and nothing else.
//!
//! ```text
//! source:       Freezing ──frozen──▶ Transferring ──03, hold──▶ HandingOver ──▶ Committed ──03──▶ (done)
//!                  │ gave up, queues                                 └ 03 has come: (done)   └ time-out: (unconfirmed)
//!                  └──▶ (gone)
//! destination:  Reserving ──▶ Preparing ──▶ Live ──linger──▶ (gone)
//!                  │ no room     │ restore
//!                  └─────────────┴──▶ Refused ──linger──▶ (gone)
//! ```
//!
//! There is no offer, no cancel and no commit: the peer owns what it can build from 01, and says so by 03. So nothing is given up
//! once 01 has been sent; a connection that has not been acknowledged when the hold ends is handed over all the same, and 01
//! repeated. In the other direction a connection is live when it is built.
//!
//! Without an epoch a move is told by its tuple, so there is one at a time, and a delayed 01 can't be told from a new one once
//! the connection has left again or ended.

mod destination;
mod source;

use std::net::SocketAddrV4;

use crate::protocol::{Action, Actions, Flow, Message, MoveId, Nonces};
pub(crate) use destination::Destination;
pub(crate) use source::Source;

/// A move, its connection, and the owner to be on the back-side network.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Subject {
    pub id: MoveId,
    pub flow: Flow,
    pub owner: SocketAddrV4,
}

impl Subject {
    fn send(self, message: Message, out: &mut Actions) {
        let Subject { id, flow, owner } = self;
        out.push_back(Action::Send { id, flow, owner, nonces: Nonces::default(), message });
    }

    /// What a connection says that is here already.
    pub fn acknowledge(self, out: &mut Actions) {
        self.send(Message::Acknowledge, out);
    }
}
