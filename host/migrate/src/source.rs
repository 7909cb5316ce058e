//! The side that gives a connection away.
//!
//! ```text
//! Offered ──ready──▶ Freezing ──frozen──▶ Transferring ──03──▶ HandingOver ──▶ Committed ──86──▶ (done)
//!    │ 81, time-out     │ gave up            │ 81, time-out, hold      │ gave up      └ time-out: (unconfirmed)
//!    └──────────────────┴────────────────────┴─────────────────────────┴──▶ Cancelling ──81, time-out──▶ (gone)
//! ```
//!
//! To a peer of the plain format there is no offer, no cancel and no commit: it owns what it can build from 01, and says so by
//! 03. So nothing is given up once 01 has been sent; what has not been acknowledged when the hold ends is handed over all the
//! same, and 01 repeated.
//!
//! Left of `Committed` this node owns the connection and may give up alone; from there on the
//! destination owns it, whatever is lost. No path leads back: if the destination has lost
//! what was prepared, the connection is lost. Other refusals are late answers to something earlier.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use bytes::Bytes;

use crate::protocol::{
    Action, COMMIT_TRIES, Endpoint, Failure, Flow, HOLD, Message, MoveId, Ownership, Protocol, Reason, Retry, TRIES,
    Time,
};
use crate::transfer::Sender;

#[derive(Clone, Debug, Hash)]
enum Phase {
    /// Offer sent. Ends with ready, a refusal or silence.
    Offered,
    /// The shell was asked to freeze the socket.
    Freezing,
    /// Streams, and then the endpoint with their digest, are on their way. `said`: the endpoint has been sent.
    /// `hold_until`: the client's packets are not held longer.
    Transferring { endpoint: Endpoint, said: bool, sender: Box<Sender>, hold_until: Time },
    /// The shell was asked to hand over.
    HandingOver,
    /// The destination owns the connection and must hear of it.
    Committed,
    /// Given up; the destination must hear of it.
    Cancelling,
}

/// One move at its source.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Source {
    id: MoveId,
    pub flow: Flow,
    owner: SocketAddrV4,
    lengths: [u32; 3],
    phase: Phase,
    retry: Retry,
    /// Of a peer of the plain format: what 01 says, and whether 03 has come.
    plain: Option<(Option<Endpoint>, bool)>,
    /// What has arrived, kept until the client no longer waits: to give back so much memory takes time.
    spent: [Bytes; 3],
}

/// Whether a move is still to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Yes,
    No,
}

type Out = VecDeque<Action>;

impl Source {
    pub fn start(id: MoveId, flow: Flow, owner: SocketAddrV4, lengths: [u32; 3], now: Time, out: &mut Out) -> Self {
        let source = Source {
            id,
            flow,
            owner,
            lengths,
            phase: Phase::Offered,
            retry: Retry::start(now),
            plain: None,
            spent: Default::default(),
        };
        source.send(Message::Offer { lengths }, out);
        source
    }

    /// To a peer of the plain format.
    pub fn start_plain(id: MoveId, flow: Flow, owner: SocketAddrV4, now: Time, out: &mut Out) -> Self {
        out.push_back(Action::Freeze(id));
        let (phase, retry, spent) = (Phase::Freezing, Retry::start(now), Default::default());
        Source { id, flow, owner, lengths: [0; 3], phase, retry, plain: Some((None, false)), spent }
    }

    /// Whether an acknowledgement without epoch, of a peer of the plain format, may be this one's.
    pub fn awaits(&self, protocol: Protocol, owner: SocketAddrV4) -> bool {
        self.plain.is_some() && self.flow.protocol == protocol && self.owner == owner
    }

    pub fn is_committed(&self) -> bool {
        matches!(self.phase, Phase::Committed)
    }

    /// Whether the connection is still this node's to move or to keep.
    pub fn owns(&self) -> bool {
        !matches!(self.phase, Phase::Committed | Phase::Cancelling)
    }

    /// `None` while the shell works.
    pub fn deadline(&self) -> Option<Time> {
        match &self.phase {
            Phase::Transferring { hold_until, .. } => Some(self.retry.at.min(*hold_until)),
            Phase::Freezing | Phase::HandingOver => None,
            _ => Some(self.retry.at),
        }
    }

    pub fn message(&mut self, message: &Message, now: Time, out: &mut Out) -> Keep {
        // a destination in doubt asks what its acknowledgement has led to
        let doubt = matches!(message, Message::Query { state: Ownership::Prepared, answer: false, .. });
        let message = if doubt { &Message::Acknowledge } else { message };
        match (&mut self.phase, message) {
            (Phase::Offered, Message::Ready) => {
                self.phase = Phase::Freezing;
                out.push_back(Action::Freeze(self.id));
            }
            (Phase::Offered | Phase::Transferring { .. }, Message::Refuse(reason)) => {
                out.push_back(Action::Failed(self.id, Failure::Refused(*reason)));
                return Keep::No;
            }
            (Phase::Transferring { sender, .. }, Message::Progress { contiguous, credit }) => {
                let (new, again) = sender.progress(*contiguous, *credit);
                if new {
                    self.retry = Retry::start(now);
                }
                if let Some(frame) = again {
                    self.send(frame, out);
                }
                self.pump(out);
            }
            (Phase::Transferring { .. }, Message::Acknowledge) => {
                if let Some((_, acknowledged)) = &mut self.plain {
                    *acknowledged = true;
                }
                if let Phase::Transferring { sender, .. } = std::mem::replace(&mut self.phase, Phase::HandingOver) {
                    self.spent = sender.into_streams();
                }
                out.push_back(Action::HandOver(self.id));
            }
            (Phase::Committed, Message::Commit { answer: true }) => {
                out.push_back(Action::Done(self.id));
                return Keep::No;
            }
            (Phase::Committed, Message::Refuse(Reason::Lost)) => {
                out.push_back(Action::Failed(self.id, Failure::Lost));
                return Keep::No;
            }
            (Phase::Committed, Message::Acknowledge) if self.plain.is_some() => {
                out.push_back(Action::Done(self.id));
                return Keep::No;
            }
            // the destination has not heard of the commit yet
            (Phase::Committed, Message::Acknowledge) => self.send(Message::Commit { answer: false }, out),
            (Phase::Cancelling, Message::Refuse(_)) => return Keep::No,
            // likewise of the cancel
            (Phase::Cancelling, Message::Acknowledge | Message::Ready) => self.send(Message::Cancel, out),
            _ => tracing::trace!(?self.id, ?message, "out of place, a repetition or late"),
        }
        Keep::Yes
    }

    /// The socket is frozen.
    pub fn frozen(&mut self, mut endpoint: Endpoint, streams: [Vec<u8>; 3], now: Time, out: &mut Out) -> Keep {
        if !matches!(self.phase, Phase::Freezing) {
            return Keep::Yes;
        }
        if self.plain.is_some() && streams.iter().any(|s| !s.is_empty()) {
            return self.give_up(Failure::Plain, now, out);
        }
        if let Endpoint::Tcp(tcb) = &mut endpoint {
            tcb.epoch = self.id.epoch;
            tcb.application_len = streams[2].len() as u32;
        }
        self.retry = Retry::start(now);
        let sender = Box::new(Sender::new(streams.map(Bytes::from)));
        self.phase = Phase::Transferring { endpoint, said: false, sender, hold_until: now + HOLD };
        self.pump(out);
        Keep::Yes
    }

    /// The entry is installed, the socket closed: from here on the destination owns.
    pub fn handed_over(&mut self, now: Time, out: &mut Out) -> Keep {
        if !matches!(self.phase, Phase::HandingOver) {
            return Keep::Yes;
        }
        self.phase = Phase::Committed;
        self.retry = Retry::start(now);
        if let Some((_, true)) = self.plain {
            out.push_back(Action::Done(self.id));
            return Keep::No;
        }
        self.commit(out);
        Keep::Yes
    }

    /// Says that the destination owns. Of the plain format, 01 does.
    fn commit(&self, out: &mut Out) {
        match &self.plain {
            None => self.send(Message::Commit { answer: false }, out),
            Some((Some(endpoint), _)) => self.send(Message::Connection(Ok(endpoint.clone())), out),
            Some((None, _)) => {}
        }
    }

    /// Something failed here, or the application has changed its mind. `No` effect once committed.
    pub fn give_up(&mut self, failure: Failure, now: Time, out: &mut Out) -> Keep {
        if !self.owns() {
            return Keep::Yes;
        }
        if self.plain.is_some() && matches!(self.phase, Phase::Transferring { .. }) {
            self.phase = Phase::HandingOver;
            out.push_back(Action::HandOver(self.id));
            return Keep::Yes;
        }
        out.push_back(Action::Failed(self.id, failure));
        if self.plain.is_some() {
            return Keep::No;
        }
        self.phase = Phase::Cancelling;
        self.retry = Retry::start(now);
        self.send(Message::Cancel, out);
        Keep::Yes
    }

    pub fn tick(&mut self, now: Time, out: &mut Out) -> Keep {
        if let Phase::Transferring { hold_until, .. } = &self.phase
            && now >= *hold_until
        {
            return self.give_up(Failure::Held, now, out);
        }
        let limit = if self.is_committed() { COMMIT_TRIES } else { TRIES };
        let due = match self.phase {
            Phase::Freezing | Phase::HandingOver => return Keep::Yes,
            _ => self.retry.due(now, limit),
        };
        match (due, &mut self.phase) {
            (Ok(false), _) => {}
            (Ok(true), Phase::Offered) => self.send(Message::Offer { lengths: self.lengths }, out),
            (Ok(true), Phase::Transferring { said, sender, .. }) => {
                sender.rewind();
                *said = false;
                self.pump(out);
            }
            (Ok(true), Phase::Committed) => self.commit(out),
            (Ok(true), Phase::Cancelling) => self.send(Message::Cancel, out),
            (Ok(true), Phase::Freezing | Phase::HandingOver) => {}
            (Err(()), Phase::Offered) => return self.give_up(Failure::Silent("the offer"), now, out),
            (Err(()), Phase::Transferring { .. }) => return self.give_up(Failure::Silent("the transfer"), now, out),
            (Err(()), Phase::Committed) => {
                out.push_back(Action::Failed(self.id, Failure::Unconfirmed));
                return Keep::No;
            }
            (Err(()), _) => return Keep::No,
        }
        Keep::Yes
    }

    /// Sends what there is credit for. The control block comes last, when the digest of all is known.
    fn pump(&mut self, out: &mut Out) {
        if let Phase::Transferring { sender, .. } = &mut self.phase {
            // of what is under way: what goes out now has waited long enough
            sender.follow();
        }
        while let Phase::Transferring { sender, .. } = &mut self.phase
            && let Some(frame) = sender.next()
        {
            self.send(frame, out);
        }
        let Phase::Transferring { endpoint, said, sender, .. } = &mut self.phase else { return };
        let Some(digest) = sender.digest() else { return };
        if std::mem::replace(said, true) {
            return;
        }
        if let Endpoint::Tcp(tcb) = endpoint {
            tcb.digest = digest;
        }
        if let Some((said, _)) = &mut self.plain {
            *said = Some(endpoint.clone());
        }
        let connection = Message::Connection(Ok(endpoint.clone()));
        self.send(connection, out);
    }

    fn send(&self, message: Message, out: &mut Out) {
        out.push_back(Action::Send { id: self.id, flow: self.flow, owner: self.owner, message });
    }
}
