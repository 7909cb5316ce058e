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
//! The socket says nothing before `Live`. `Prepared` waits for the source's word: it may have
//! committed, so silence proves nothing, and 0x89 asks. A source that answers nothing for
//! [`DOUBT_TRIES`] is taken for dead, and what was prepared is dropped: two owners would be worse.

use super::step::Step;
use super::transitions::{By, Machine, State, assert_legal};
use crate::offers::Offer;
use crate::protocol::{
    Action, Actions, DOUBT_TRIES, Endpoint, Flow, LINGER, Message, MoveId, Nonces, Ownership, Reason, Streams, Time,
};
use crate::timers::Retry;
use crate::transfer::Receiver;

#[derive(Clone, Debug, Hash)]
enum Phase {
    /// The shell was asked for a listener and resources.
    Reserving,
    /// Endpoint and streams arrive. `until`: a move that nothing follows is forgotten.
    Reserved { endpoint: Option<Endpoint>, receiver: Box<Receiver>, until: Time },
    /// The shell builds the socket.
    Preparing,
    /// Complete and silent.
    Prepared,
    /// This node owns the connection; repetitions are still answered.
    Live { until: Time },
    /// Nothing is left; repetitions are still answered.
    Refused { reason: Reason, until: Time },
    /// Over, to be forgotten.
    Gone,
}

impl Phase {
    fn state(&self) -> State {
        match self {
            Phase::Reserving => State::Reserving,
            Phase::Reserved { .. } => State::Reserved,
            Phase::Preparing => State::Preparing,
            Phase::Prepared => State::Prepared,
            Phase::Live { .. } => State::Live,
            Phase::Refused { .. } => State::Refused,
            Phase::Gone => State::Gone,
        }
    }
}

/// One move at its destination.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Destination {
    id: MoveId,
    /// With this node's nonce and the source's.
    offer: Offer,
    phase: Phase,
    retry: Retry,
    /// Bytes that the streams may have.
    limit: usize,
}

impl Destination {
    /// The source of an offer has proved that it is there.
    pub fn confirmed(id: MoveId, offer: Offer, limit: usize, now: Time, out: &mut Actions) -> Self {
        let Offer { flow, lengths, .. } = offer;
        out.push_back(Action::Reserve { id, flow, lengths });
        let (phase, retry) = (Phase::Reserving, Retry::start(now));
        assert_legal(Machine::Destination, None, By::Confirmation, phase.state());
        Destination { id, offer, phase, retry, limit }
    }

    fn enter(&mut self, by: By, phase: Phase) {
        assert_legal(Machine::Destination, Some(self.phase.state()), by, phase.state());
        self.phase = phase;
    }

    fn stay(&self, by: By) {
        assert_legal(Machine::Destination, Some(self.phase.state()), by, self.phase.state());
    }

    pub fn flow(&self) -> Flow {
        self.offer.flow
    }

    /// Of the streams, as offered.
    pub fn lengths(&self) -> Streams<u32> {
        self.offer.lengths
    }

    /// Complete and silent before a restart of this node, and still so: it begins in the middle.
    pub fn resumed(id: MoveId, offer: Offer, now: Time, out: &mut Actions) -> Self {
        let (phase, retry) = (Phase::Prepared, Retry::start(now));
        assert_legal(Machine::Destination, None, By::Restart, phase.state());
        let destination = Destination { id, offer, phase, retry, limit: 0 };
        destination.ask(out);
        destination
    }

    pub fn nonces(&self) -> Nonces {
        self.offer.nonces
    }

    /// Whether a message repeats this node's nonce; an offer comes before it can.
    pub fn is_told(&self, nonces: Nonces, message: &Message) -> bool {
        match message {
            Message::Offer { .. } => nonces.from == self.offer.nonces.to,
            _ => nonces.to == self.offer.nonces.from,
        }
    }

    /// Whether something of the flow is reserved here, without being owned.
    pub fn is_pending(&self) -> bool {
        !matches!(self.phase, Phase::Live { .. } | Phase::Refused { .. } | Phase::Gone)
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    /// `None` while the shell works.
    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Reserving | Phase::Preparing | Phase::Gone => None,
            Phase::Prepared => Some(self.retry.at),
            Phase::Reserved { until, .. } | Phase::Live { until } | Phase::Refused { until, .. } => Some(*until),
        }
    }

    /// The shell's answer to [`Action::Reserve`].
    pub fn reserved(&mut self, result: Result<(), Reason>, now: Time, out: &mut Actions) -> Step {
        match (&self.phase, result) {
            (Phase::Reserving, Ok(())) => {
                let mut receiver = Box::new(Receiver::new(self.limit, self.lengths()));
                let report = receiver.report();
                self.enter(By::Room, Phase::Reserved { endpoint: None, receiver, until: now + LINGER });
                self.send(report, out);
            }
            (Phase::Reserving, Err(reason)) => self.refuse(By::NoRoom, reason, now, out),
            _ => {}
        }
        Step::Stays
    }

    /// The shell's answer to [`Action::Prepare`].
    pub fn prepared(&mut self, result: Result<(), Reason>, now: Time, out: &mut Actions) -> Step {
        match (&self.phase, result) {
            (Phase::Preparing, Ok(())) => {
                self.enter(By::Built, Phase::Prepared);
                self.retry = Retry::start(now);
                self.send(Message::Acknowledge, out);
            }
            (Phase::Preparing, Err(reason)) => self.abandon(By::NotBuilt, reason, now, out),
            _ => {}
        }
        Step::Stays
    }

    pub fn handle_message(&mut self, message: Message, now: Time, out: &mut Actions) -> Step {
        match (&mut self.phase, message) {
            // an answer to an answer would go on for ever
            (Phase::Refused { .. }, Message::Refuse { .. } | Message::Commit { answer: true }) => {}
            (Phase::Refused { reason, until }, _) => {
                let reason = *reason;
                *until = now + LINGER;
                self.stay(By::Anything);
                self.send(Message::Refuse { reason, known: 0 }, out);
            }
            (Phase::Live { until }, Message::Commit { answer: false }) => {
                *until = now + LINGER;
                self.stay(By::Commit);
                self.send(Message::Commit { answer: true }, out);
            }
            (Phase::Live { .. }, _) => {}
            (_, Message::Cancel) => self.abandon(By::Cancel, Reason::Cancelled, now, out),
            (Phase::Reserved { .. }, Message::Connection(Err(reason))) => self.abandon(By::Damaged, reason, now, out),
            (Phase::Reserved { endpoint, until, .. }, Message::Connection(Ok(received))) => {
                *until = now + LINGER;
                *endpoint = Some(received);
                self.complete(now, out);
            }
            // nobody has signed it: it prolongs nothing
            (Phase::Reserved { receiver, .. }, Message::Data { stream, offset, bytes }) => {
                let Ok(report) = receiver.data(stream, offset, bytes) else {
                    self.abandon(By::Damaged, Reason::NoResources, now, out);
                    return Step::Stays;
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
                self.stay(By::Repetition);
                self.send(Message::Acknowledge, out);
            }
            (Phase::Prepared, Message::Commit { answer: false }) => {
                self.enter(By::Commit, Phase::Live { until: now + LINGER });
                out.push_back(Action::GoLive(self.id));
                self.send(Message::Commit { answer: true }, out);
                return Step::Arrives;
            }
            (_, message) => tracing::trace!(?self.id, ?message, "out of place"),
        }
        Step::Stays
    }

    /// The same source offers the flow again, so it owns it: this move is dead.
    pub fn returned(&mut self, now: Time, out: &mut Actions) -> Step {
        if self.is_pending() {
            self.abandon(By::Returned, Reason::Stale, now, out);
        }
        Step::Stays
    }

    pub fn handle_timeout(&mut self, now: Time, out: &mut Actions) -> Step {
        match &self.phase {
            Phase::Live { until } | Phase::Refused { until, .. } if now >= *until => self.enter(By::Time, Phase::Gone),
            Phase::Reserved { until, .. } if now >= *until => self.abandon(By::Time, Reason::Cancelled, now, out),
            Phase::Prepared => match self.retry.due(now, DOUBT_TRIES) {
                Ok(true) => {
                    self.stay(By::Time);
                    self.ask(out);
                }
                Ok(false) => {}
                Err(()) => self.abandon(By::Silence, Reason::Lost, now, out),
            },
            _ => {}
        }
        Step::Stays
    }

    /// Asks the source who owns the connection.
    fn ask(&self, out: &mut Actions) {
        let (state, owner, known) = (Ownership::Prepared, *self.offer.owner.ip(), self.id.epoch);
        self.send(Message::Query { state, owner, known, answer: false }, out);
    }

    /// If everything has arrived, checks it and has the socket built.
    fn complete(&mut self, now: Time, out: &mut Actions) {
        let offered = self.lengths();
        let Phase::Reserved { endpoint: Some(endpoint), receiver, .. } = &mut self.phase else { return };
        let lengths = match endpoint {
            Endpoint::Tcp(tcb, _) => Streams {
                receive: tcb.receive_queue_len(),
                send: tcb.send_queue_len(),
                application: tcb.application_len,
            },
            Endpoint::Udp => offered,
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
            return self.abandon(By::Damaged, Reason::Damaged, now, out);
        }
        self.enter(By::Complete, Phase::Preparing);
        out.push_back(Action::Prepare { id: self.id, flow: self.flow(), endpoint, streams });
    }

    fn abandon(&mut self, by: By, reason: Reason, now: Time, out: &mut Actions) {
        out.push_back(Action::Abandon(self.id));
        self.refuse(by, reason, now, out);
    }

    fn refuse(&mut self, by: By, reason: Reason, now: Time, out: &mut Actions) {
        self.enter(by, Phase::Refused { reason, until: now + LINGER });
        self.send(Message::Refuse { reason, known: 0 }, out);
    }

    fn send(&self, message: Message, out: &mut Actions) {
        let Offer { flow, owner, nonces, .. } = self.offer;
        out.push_back(Action::Send { id: self.id, flow, owner, nonces, message });
    }
}
