//! The side that takes a connection.
//!
//! ```text
//! Reserving ──▶ Reserved ──01, 84, digest──▶ Preparing ──▶ Prepared ──86──▶ Live ──linger──▶ (gone)
//!     │ no room     │ 83, silence, digest      │ restore        │ 83 (A owns), doubt
//!     └─────────────┴──────────────────────────┴────────────────┴────────▶ Refused ──linger──▶ (gone)
//! ```
//!
//! It begins when the source has answered 88, by which it has proved that it is there: `offers` stand before that.
//!
//! From a peer of the plain format 01 comes without an offer, and 03 is the last word: the connection is live when it is built.
//!
//! The socket says nothing before `Live`. `Prepared` waits for the source's word: it may have
//! committed, so silence proves nothing, and 0x89 asks. A source that answers nothing for
//! [`DOUBT_TRIES`] is taken for dead, and what was prepared is dropped: two owners would be worse.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use crate::offers::Offer;
use crate::protocol::{
    Action, DOUBT_TRIES, Endpoint, Flow, LINGER, Message, MoveId, Nonces, Ownership, Reason, Retry, Streams, Time,
};
use crate::source::Keep;
use crate::transfer::Receiver;

#[derive(Clone, Debug, Hash)]
enum Phase {
    /// The shell was asked for a listener and resources.
    Reserving,
    /// Endpoint and streams arrive. `until`: an offer that nothing follows is forgotten.
    Reserved { endpoint: Option<Endpoint>, receiver: Box<Receiver>, until: Time },
    /// The shell builds the socket.
    Preparing,
    /// Complete and silent.
    Prepared,
    /// This node owns the connection; repetitions are still answered.
    Live { until: Time },
    /// Nothing is left; repetitions are still answered.
    Refused { reason: Reason, until: Time },
}

/// One move at its destination.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Destination {
    id: MoveId,
    pub flow: Flow,
    owner: SocketAddrV4,
    /// This node's and the source's.
    nonces: Nonces,
    phase: Phase,
    retry: Retry,
    /// Of the streams, as offered.
    pub lengths: Streams<u32>,
    limit: usize,
    /// From a peer of the plain format: what its 01 says, until there is room.
    plain: Option<Option<Endpoint>>,
}

type Out = VecDeque<Action>;

impl Destination {
    /// The source of an offer means it.
    pub fn confirmed(id: MoveId, offer: Offer, limit: usize, now: Time, out: &mut Out) -> Self {
        let Offer { flow, owner, lengths, nonces, .. } = offer;
        out.push_back(Action::Reserve { id, flow, lengths });
        let (phase, retry) = (Phase::Reserving, Retry::start(now));
        Destination { id, flow, owner, nonces, phase, retry, lengths, limit, plain: None }
    }

    /// A connection of a peer of the plain format, which has neither queues nor state.
    pub fn plain(id: MoveId, flow: Flow, owner: SocketAddrV4, endpoint: Endpoint, now: Time, out: &mut Out) -> Self {
        let (phase, retry, lengths) = (Phase::Reserving, Retry::start(now), Streams::default());
        out.push_back(Action::Reserve { id, flow, lengths });
        let nonces = Nonces::default();
        Destination { id, flow, owner, nonces, phase, retry, lengths, limit: 0, plain: Some(Some(endpoint)) }
    }

    /// Whether a message repeats this node's nonce; an offer comes before it can.
    pub fn is_told(&self, nonces: Nonces, message: &Message) -> bool {
        match message {
            Message::Offer { .. } => nonces.from == self.nonces.to,
            _ => nonces.to == self.nonces.from,
        }
    }

    /// Whether something of the flow is reserved here, without being owned.
    pub fn is_pending(&self) -> bool {
        !matches!(self.phase, Phase::Live { .. } | Phase::Refused { .. })
    }

    /// `None` while the shell works.
    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Reserving | Phase::Preparing => None,
            Phase::Prepared => Some(self.retry.at),
            Phase::Reserved { until, .. } | Phase::Live { until } | Phase::Refused { until, .. } => Some(*until),
        }
    }

    /// The shell's answer to [`Action::Reserve`].
    pub fn reserved(&mut self, result: Result<(), Reason>, now: Time, out: &mut Out) {
        if !matches!(self.phase, Phase::Reserving) {
            return;
        }
        match (result, self.plain.as_mut().and_then(Option::take)) {
            (Ok(()), Some(endpoint)) => {
                self.phase = Phase::Preparing;
                out.push_back(Action::Prepare { id: self.id, flow: self.flow, endpoint, streams: Default::default() });
            }
            (Ok(()), None) => {
                let mut receiver = Box::new(Receiver::new(self.limit, self.lengths));
                let report = receiver.report();
                self.phase = Phase::Reserved { endpoint: None, receiver, until: now + LINGER };
                self.send(report, out);
            }
            (Err(reason), _) => self.refuse(reason, now, out),
        }
    }

    /// The shell's answer to [`Action::Prepare`]. `true`: the connection has just become this node's.
    pub fn prepared(&mut self, result: Result<(), Reason>, now: Time, out: &mut Out) -> bool {
        if !matches!(self.phase, Phase::Preparing) {
            return false;
        }
        match result {
            Ok(()) if self.plain.is_some() => {
                self.phase = Phase::Live { until: now + LINGER };
                out.push_back(Action::GoLive(self.id));
                self.send(Message::Acknowledge, out);
                return true;
            }
            Ok(()) => {
                self.phase = Phase::Prepared;
                self.retry = Retry::start(now);
                self.send(Message::Acknowledge, out);
            }
            Err(reason) => self.abandon(reason, now, out),
        }
        false
    }

    /// Takes a message. `true`: the connection has just become this node's.
    pub fn handle_message(&mut self, message: Message, now: Time, out: &mut Out) -> bool {
        match (&mut self.phase, message) {
            (Phase::Refused { reason, until }, m) => {
                // an answer to an answer would go on for ever
                if !matches!(m, Message::Refuse { .. } | Message::Commit { answer: true }) {
                    let reason = *reason;
                    *until = now + LINGER;
                    self.send(Message::Refuse { reason, known: 0 }, out);
                }
            }
            (Phase::Live { until }, Message::Commit { answer: false }) => {
                *until = now + LINGER;
                self.send(Message::Commit { answer: true }, out);
            }
            (Phase::Live { .. }, _) => {}
            (_, Message::Cancel) => self.abandon(Reason::Cancelled, now, out),
            (Phase::Reserved { .. }, Message::Connection(Err(reason))) => self.abandon(reason, now, out),
            (Phase::Reserved { endpoint, until, .. }, Message::Connection(Ok(received))) => {
                *until = now + LINGER;
                *endpoint = Some(received);
                self.complete(now, out);
            }
            // nobody has signed it: it prolongs nothing
            (Phase::Reserved { receiver, .. }, Message::Data { stream, offset, bytes }) => {
                let Ok(report) = receiver.data(stream, offset, bytes) else {
                    return {
                        self.abandon(Reason::NoResources, now, out);
                        false
                    };
                };
                receiver.follow(stream);
                let report = report.then(|| receiver.report());
                self.complete(now, out);
                // once all is there, the acknowledgement is the report
                if let (Phase::Reserved { .. }, Some(report)) = (&self.phase, report) {
                    self.send(report, out);
                }
            }
            (Phase::Prepared, Message::Connection(_) | Message::Data { .. }) => {
                self.send(Message::Acknowledge, out);
            }
            (Phase::Prepared, Message::Commit { answer: false }) => {
                self.phase = Phase::Live { until: now + LINGER };
                out.push_back(Action::GoLive(self.id));
                self.send(Message::Commit { answer: true }, out);
                return true;
            }
            (_, message) => tracing::trace!(?self.id, ?message, "out of place"),
        }
        false
    }

    /// The same source offers the flow again, so it owns it: this move is dead.
    pub fn supersede(&mut self, now: Time, out: &mut Out) {
        self.abandon(Reason::Stale, now, out);
    }

    pub fn handle_timeout(&mut self, now: Time, out: &mut Out) -> Keep {
        match &self.phase {
            Phase::Live { until } | Phase::Refused { until, .. } if now >= *until => return Keep::No,
            Phase::Reserved { until, .. } if now >= *until => self.abandon(Reason::Cancelled, now, out),
            Phase::Prepared => match self.retry.due(now, DOUBT_TRIES) {
                Ok(true) => {
                    let (state, owner, known) = (Ownership::Prepared, *self.owner.ip(), self.id.epoch);
                    self.send(Message::Query { state, owner, known, answer: false }, out);
                }
                Ok(false) => {}
                Err(()) => self.abandon(Reason::Lost, now, out),
            },
            _ => {}
        }
        Keep::Yes
    }

    /// If everything has arrived, checks it and has the socket built.
    fn complete(&mut self, now: Time, out: &mut Out) {
        let Phase::Reserved { endpoint: Some(endpoint), receiver, .. } = &mut self.phase else { return };
        let lengths = match endpoint {
            Endpoint::Tcp(tcb, _) => Streams {
                receive: tcb.receive_queue_len(),
                send: tcb.send_queue_len(),
                application: tcb.application_len,
            },
            Endpoint::Udp => self.lengths,
        };
        let contiguous = receiver.contiguous();
        if contiguous.zip(lengths).into_iter().any(|(_, (have, want))| have < want) {
            return;
        }
        let endpoint = endpoint.clone();
        let (streams, digest) = receiver.take();
        // the 6 bytes that travel of a UDP endpoint have no room for a digest
        let same = match &endpoint {
            Endpoint::Tcp(tcb, _) => tcb.epoch == self.id.epoch && digest == tcb.digest,
            Endpoint::Udp => true,
        };
        if contiguous != lengths || !same {
            return self.abandon(Reason::Damaged, now, out);
        }
        self.phase = Phase::Preparing;
        out.push_back(Action::Prepare { id: self.id, flow: self.flow, endpoint, streams });
    }

    fn abandon(&mut self, reason: Reason, now: Time, out: &mut Out) {
        out.push_back(Action::Abandon(self.id));
        self.refuse(reason, now, out);
    }

    fn refuse(&mut self, reason: Reason, now: Time, out: &mut Out) {
        self.phase = Phase::Refused { reason, until: now + LINGER };
        // the plain format has no word for it
        if self.plain.is_none() {
            self.send(Message::Refuse { reason, known: 0 }, out);
        }
    }

    fn send(&self, message: Message, out: &mut Out) {
        out.push_back(Action::Send { id: self.id, flow: self.flow, owner: self.owner, nonces: self.nonces, message });
    }
}
