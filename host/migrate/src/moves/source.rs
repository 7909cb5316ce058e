//! The side that gives a connection away.
//!
//! ```text
//! Offered ──88──▶ Confirming ──85──▶ (Copying ──85──▶) Freezing ──frozen──▶ Transferring ──03──▶ HandingOver ──▶ Committed ──86──▶ (done)
//!    │ 81, time-out     │ 81, time-out           │ gave up        │ 81, time-out, hold      │ gave up      └ time-out: (unconfirmed)
//!    └──────────────────┴────────────────────────┴────────────────┴─────────────────────────┴──▶ Cancelling ──81, time-out──▶ (gone)
//! ```
//!
//! 88 brings the destination's nonce. Data without bytes carry it back, which proves that this node is there and its offer no
//! recording; only then does the destination hold what arrives for the flow, and only after that is the connection frozen.
//!
//! Left of `Committed` this node owns the connection and may give up alone; from there on the
//! destination owns it, whatever is lost. No path leads back: if the destination has lost
//! what was prepared, the connection is lost. Other refusals are late answers to something earlier.

mod phase;

use bytes::Bytes;
use ipos_abi::wire::options::Options;

use super::step::Step;
use super::transitions::{By, Machine, assert_legal};
use crate::offers::Offer;
use crate::protocol::{
    AHEAD, Action, Actions, COMMIT_TRIES, Endpoint, Failure, Flow, HOLD, Message, MoveId, Nonces, Ownership, RENEWALS,
    Reason, Stream, Streams, TRIES, Time, features,
};
use crate::timers::Retry;
use crate::transfer::Sender;
use phase::Phase;

/// One move at its source.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Source {
    id: MoveId,
    offer: Offer,
    /// Offers under later epochs so far.
    renewals: u8,
    phase: Phase,
    retry: Retry,
    /// From the first copy or the freeze on.
    sender: Option<Box<Sender>>,
    /// Streams that have arrived, kept until the client no longer waits: to give back so much memory takes time.
    spent: Streams<Bytes>,
    /// The queues are copied before the freeze.
    ahead: bool,
}

impl Source {
    /// `ahead`: the queues are copied before the freeze.
    pub fn start(id: MoveId, offer: Offer, ahead: bool, now: Time, out: &mut Actions) -> Self {
        let (phase, retry, spent) = (Phase::Offered, Retry::start(now), Streams::default());
        assert_legal(Machine::Source, None, By::Start, phase.state());
        let source = Source { id, offer, renewals: 0, phase, retry, sender: None, spent, ahead };
        source.say_offer(out);
        source
    }

    /// Given up by a restart of this node: it begins at the end.
    pub fn retracted(id: MoveId, offer: Offer, now: Time, out: &mut Actions) -> Self {
        let (phase, retry, spent) = (Phase::Cancelling, Retry::start(now), Streams::default());
        assert_legal(Machine::Source, None, By::Restart, phase.state());
        let source = Source { id, offer, renewals: 0, phase, retry, sender: None, spent, ahead: false };
        source.send(Message::Cancel, out);
        source
    }

    pub fn nonces(&self) -> Nonces {
        self.offer.nonces
    }

    /// Offers the same connection under another epoch.
    pub fn renew(&mut self, id: MoveId, nonce: u64, now: Time, out: &mut Actions) {
        self.stay(By::Stale);
        (self.id, self.offer.nonces, self.retry) = (id, Nonces { from: nonce, to: 0 }, Retry::start(now));
        self.renewals += 1;
        self.say_offer(out);
    }

    fn enter(&mut self, by: By, phase: Phase) {
        assert_legal(Machine::Source, Some(self.phase.state()), by, phase.state());
        self.phase = phase;
    }

    fn stay(&self, by: By) {
        assert_legal(Machine::Source, Some(self.phase.state()), by, self.phase.state());
    }

    pub fn flow(&self) -> Flow {
        self.offer.flow
    }

    /// The epoch that an offer was refused for.
    pub fn is_behind(&self, message: &Message) -> Option<u64> {
        match (&self.phase, message) {
            (Phase::Offered, Message::Refuse { reason: Reason::Stale, known })
                if *known >= self.id.epoch && self.renewals < RENEWALS =>
            {
                Some(*known)
            }
            _ => None,
        }
    }

    /// Whether a message repeats this node's nonce.
    pub fn is_told(&self, nonces: Nonces) -> bool {
        nonces.to == self.offer.nonces.from
    }

    pub fn is_committed(&self) -> bool {
        matches!(self.phase, Phase::Committed)
    }

    /// Whether the connection is still this node's to move or to keep.
    pub fn owns(&self) -> bool {
        !matches!(self.phase, Phase::Committed | Phase::Cancelling | Phase::Gone)
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    /// `None` while the shell works.
    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Transferring { hold_until: until, .. } | Phase::Copying { until } => Some(self.retry.at.min(*until)),
            Phase::Freezing | Phase::HandingOver | Phase::Gone => None,
            Phase::Offered | Phase::Confirming | Phase::Committed | Phase::Cancelling => Some(self.retry.at),
        }
    }

    pub fn handle_message(&mut self, message: &Message, nonces: Nonces, now: Time, out: &mut Actions) -> Step {
        // a destination in doubt asks what its acknowledgement has led to
        let doubt = matches!(message, Message::Query { state: Ownership::Prepared, answer: false, .. });
        let message = if doubt { &Message::Acknowledge } else { message };
        match (&mut self.phase, message) {
            (Phase::Offered, Message::Ready { features }) => {
                self.offer.nonces.to = nonces.from;
                self.offer.features &= features;
                self.enter(By::Ready, Phase::Confirming);
                self.retry = Retry::start(now);
                self.confirm(out);
            }
            (Phase::Confirming, Message::Progress { .. }) if self.ahead => {
                self.enter(By::Progress, Phase::Copying { until: now + AHEAD });
                self.retry = Retry::start(now);
                out.push_back(Action::Copy(self.id));
            }
            (Phase::Confirming, Message::Progress { .. }) => self.freeze(By::Progress, out),
            (
                Phase::Offered | Phase::Confirming | Phase::Copying { .. } | Phase::Transferring { .. },
                Message::Refuse { reason, .. },
            ) => {
                out.push_back(Action::Failed(self.id, Failure::Refused(*reason)));
                self.enter(By::Refusal, Phase::Gone);
            }
            (Phase::Copying { .. } | Phase::Transferring { .. }, Message::Progress { contiguous, credit }) => {
                self.progress(*contiguous, *credit, now, out);
            }
            (Phase::Transferring { .. }, Message::Acknowledge) => {
                self.spent = self.sender.take().map(|s| s.into_streams()).unwrap_or_default();
                self.enter(By::Acknowledge, Phase::HandingOver);
                out.push_back(Action::HandOver(self.id));
            }
            (Phase::Committed, Message::Commit { answer: true }) => {
                out.push_back(Action::Done(self.id));
                self.enter(By::Confirmed, Phase::Gone);
            }
            (Phase::Committed, Message::Refuse { reason: Reason::Lost, .. }) => {
                out.push_back(Action::Failed(self.id, Failure::Lost));
                self.enter(By::Lost, Phase::Gone);
                return Step::Lost;
            }
            // the destination has not heard of the commit yet
            (Phase::Committed, Message::Acknowledge) => {
                self.stay(By::Acknowledge);
                self.send(Message::Commit { answer: false }, out);
            }
            (Phase::Cancelling, Message::Refuse { .. }) => self.enter(By::Refusal, Phase::Gone),
            // likewise of the cancel
            (Phase::Cancelling, Message::Acknowledge) => {
                self.stay(By::Acknowledge);
                self.send(Message::Cancel, out);
            }
            _ => tracing::trace!(?self.id, ?message, "out of place, a repetition or late"),
        }
        Step::Stays
    }

    fn progress(&mut self, contiguous: Streams<u32>, credit: u16, now: Time, out: &mut Actions) {
        let Some(sender) = &mut self.sender else { return };
        let (new, again) = sender.progress(contiguous, credit);
        if new {
            self.retry = Retry::start(now);
        }
        self.stay(By::Progress);
        if let Some(frame) = again {
            self.send(frame, out);
        }
        self.pump(By::Progress, out);
    }

    fn freeze(&mut self, by: By, out: &mut Actions) {
        self.enter(by, Phase::Freezing);
        out.push_back(Action::Freeze(self.id));
    }

    /// The queues as they are, of a connection that lives on.
    pub fn copied(&mut self, streams: Streams<Bytes>, out: &mut Actions) -> Step {
        if matches!(self.phase, Phase::Copying { .. }) {
            self.sender = Some(Box::new(Sender::new(streams)));
            self.pump(By::Copied, out);
        }
        Step::Stays
    }

    /// The socket is frozen; `streams` are those bytes that were not copied.
    pub fn frozen(&mut self, mut endpoint: Endpoint, streams: Streams<Vec<u8>>, now: Time, out: &mut Actions) -> Step {
        if !matches!(self.phase, Phase::Freezing) {
            return Step::Stays;
        }
        if let Endpoint::Tcp(tcb, options) = &mut endpoint {
            tcb.epoch = self.id.epoch;
            tcb.application_len = streams.application.len() as u32;
            if self.offer.features & features::OPTIONS == 0 {
                **options = Options::default();
            }
        }
        self.retry = Retry::start(now);
        self.sender.get_or_insert_with(|| Box::new(Sender::new(Streams::default()))).extend(streams.map(Bytes::from));
        self.enter(By::Frozen, Phase::Transferring { endpoint, said: false, hold_until: now + HOLD });
        self.pump(By::Frozen, out);
        Step::Stays
    }

    /// The entry is installed, the socket closed: from here on the destination owns.
    pub fn handed_over(&mut self, now: Time, out: &mut Actions) -> Step {
        if matches!(self.phase, Phase::HandingOver) {
            self.enter(By::HandedOver, Phase::Committed);
            self.retry = Retry::start(now);
            self.send(Message::Commit { answer: false }, out);
        }
        if self.is_committed() { Step::Leaves } else { Step::Stays }
    }

    /// Something failed here, or the application has changed its mind. No effect once the destination may own.
    pub fn give_up(&mut self, failure: Failure, now: Time, out: &mut Actions) -> Step {
        if self.owns() {
            self.cancel(By::GiveUp, failure, now, out);
        }
        Step::Stays
    }

    fn cancel(&mut self, by: By, failure: Failure, now: Time, out: &mut Actions) {
        out.push_back(Action::Failed(self.id, failure));
        self.enter(by, Phase::Cancelling);
        self.sender = None;
        self.retry = Retry::start(now);
        self.send(Message::Cancel, out);
    }

    /// The destination offers the connection, so it has it: a commit has arrived.
    pub fn returned(&mut self, out: &mut Actions) -> Step {
        if self.is_committed() {
            out.push_back(Action::Done(self.id));
            self.enter(By::Returned, Phase::Gone);
        }
        Step::Stays
    }

    pub fn handle_timeout(&mut self, now: Time, out: &mut Actions) -> Step {
        match &self.phase {
            Phase::Transferring { hold_until, .. } if now >= *hold_until => {
                self.cancel(By::Time, Failure::Held, now, out);
            }
            Phase::Copying { until } if now >= *until => self.freeze(By::Time, out),
            Phase::Freezing | Phase::HandingOver | Phase::Gone => {}
            phase => {
                let limit = if matches!(phase, Phase::Committed) { COMMIT_TRIES } else { TRIES };
                match self.retry.due(now, limit) {
                    Ok(false) => {}
                    Ok(true) => self.repeat(out),
                    Err(()) => return self.silent(now, out),
                }
            }
        }
        Step::Stays
    }

    /// Says again what was not answered.
    fn repeat(&mut self, out: &mut Actions) {
        match &mut self.phase {
            Phase::Offered => self.say_offer(out),
            Phase::Confirming => self.confirm(out),
            Phase::Copying { .. } => self.rewind(out),
            Phase::Transferring { said, .. } => {
                *said = false;
                self.rewind(out);
            }
            Phase::Committed => self.send(Message::Commit { answer: false }, out),
            Phase::Cancelling => self.send(Message::Cancel, out),
            Phase::Freezing | Phase::HandingOver | Phase::Gone => {}
        }
    }

    fn rewind(&mut self, out: &mut Actions) {
        if let Some(sender) = &mut self.sender {
            sender.rewind();
        }
        self.pump(By::Time, out);
    }

    /// The destination has not answered for too long.
    fn silent(&mut self, now: Time, out: &mut Actions) -> Step {
        match &self.phase {
            Phase::Offered | Phase::Confirming => self.cancel(By::Silence, Failure::Silent("the offer"), now, out),
            Phase::Copying { .. } | Phase::Transferring { .. } => {
                self.cancel(By::Silence, Failure::Silent("the transfer"), now, out);
            }
            Phase::Committed => {
                out.push_back(Action::Failed(self.id, Failure::Unconfirmed));
                self.enter(By::Silence, Phase::Gone);
                return Step::Unconfirmed;
            }
            Phase::Cancelling => self.enter(By::Silence, Phase::Gone),
            Phase::Freezing | Phase::HandingOver | Phase::Gone => {}
        }
        Step::Stays
    }

    /// Sends as much as there is credit for. The control block comes last, when the digest of all is known. While the queues are
    /// copied it freezes the connection instead, when next to nothing of them is left to arrive.
    fn pump(&mut self, by: By, out: &mut Actions) {
        if !matches!(self.phase, Phase::Copying { .. } | Phase::Transferring { .. }) {
            return;
        }
        let Some(mut sender) = self.sender.take() else { return };
        // of the frames under way: those that go out now have waited long enough
        sender.follow();
        while let Some(frame) = sender.next() {
            self.send(frame, out);
        }
        let sender = self.sender.insert(sender);
        if matches!(self.phase, Phase::Copying { .. }) {
            if sender.is_done() {
                self.freeze(by, out);
            }
            return;
        }
        let Some(digest) = sender.digest() else { return };
        let Phase::Transferring { endpoint, said, .. } = &mut self.phase else { return };
        if std::mem::replace(said, true) {
            return;
        }
        if let Endpoint::Tcp(tcb, _) = endpoint {
            tcb.digest = digest;
        }
        let connection = Message::Connection(Ok(endpoint.clone()));
        self.send(connection, out);
    }

    fn say_offer(&self, out: &mut Actions) {
        let Offer { lengths, features, .. } = self.offer;
        self.send(Message::Offer { lengths, features }, out);
    }

    /// Shows the destination its nonce.
    fn confirm(&self, out: &mut Actions) {
        self.send(Message::Data { stream: Stream::Receive, offset: 0, bytes: Bytes::new() }, out);
    }

    fn send(&self, message: Message, out: &mut Actions) {
        let Offer { flow, owner, nonces, .. } = self.offer;
        out.push_back(Action::Send { id: self.id, flow, owner, nonces, message });
    }
}
