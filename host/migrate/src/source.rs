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
use ipos_abi::wire::options::Options;

use crate::offers::Offer;
use crate::protocol::{
    AHEAD, Action, COMMIT_TRIES, Endpoint, Failure, Flow, HOLD, Message, MoveId, Nonces, Ownership, Protocol, RENEWALS,
    Reason, Retry, Stream, Streams, TRIES, Time, features,
};
use crate::transfer::Sender;

#[derive(Clone, Debug, Hash)]
enum Phase {
    /// Offer sent. Ends with ready, a refusal or silence.
    Offered,
    /// Data without bytes sent. Ends with a report, a refusal or silence.
    Confirming,
    /// The shell was asked for what the queues have, which goes ahead while the connection lives on. The freeze does not wait
    /// for it longer than `until`.
    Copying { until: Time },
    /// The shell was asked to freeze the socket.
    Freezing,
    /// Streams, and then the endpoint with their digest, are on their way. `said`: the endpoint has been sent.
    /// `hold_until`: the client's packets are not held longer.
    Transferring { endpoint: Endpoint, said: bool, hold_until: Time },
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
    offer: Offer,
    /// Offers under later epochs so far.
    renewals: u8,
    phase: Phase,
    retry: Retry,
    /// Of a peer of the plain format: what 01 says, and whether 03 has come.
    plain: Option<(Option<Endpoint>, bool)>,
    /// From the first copy or the freeze on.
    sender: Option<Box<Sender>>,
    /// What has arrived, kept until the client no longer waits: to give back so much memory takes time.
    spent: Streams<Bytes>,
    /// Whether the queues are worth to be copied before the freeze.
    ahead: bool,
}

/// Whether a move is still to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Yes,
    No,
}

type Out = VecDeque<Action>;

impl Source {
    /// `ahead`: the queues are copied before the freeze.
    pub fn start(id: MoveId, offer: Offer, ahead: bool, now: Time, out: &mut Out) -> Self {
        let source = Source {
            id,
            flow: offer.flow,
            offer,
            renewals: 0,
            phase: Phase::Offered,
            retry: Retry::start(now),
            plain: None,
            sender: None,
            spent: Default::default(),
            ahead,
        };
        source.say_offer(out);
        source
    }

    /// Offers the same connection under another epoch.
    pub fn renew(&mut self, id: MoveId, nonce: u64, now: Time, out: &mut Out) {
        (self.id, self.offer.nonces, self.retry) = (id, Nonces { from: nonce, to: 0 }, Retry::start(now));
        self.renewals += 1;
        self.say_offer(out);
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

    /// To a peer of the plain format.
    pub fn start_plain(id: MoveId, flow: Flow, owner: SocketAddrV4, now: Time, out: &mut Out) -> Self {
        out.push_back(Action::Freeze(id));
        let (phase, retry, spent) = (Phase::Freezing, Retry::start(now), Default::default());
        let (plain, renewals, sender, ahead) = (Some((None, false)), 0, None, false);
        let offer = Offer { flow, owner, lengths: Streams::default(), features: 0, nonces: Nonces::default() };
        Source { id, flow, offer, renewals, phase, retry, plain, sender, spent, ahead }
    }

    /// Whether an acknowledgement without epoch, of a peer of the plain format, may be this one's.
    pub fn awaits(&self, protocol: Protocol, owner: SocketAddrV4) -> bool {
        self.plain.is_some() && self.flow.protocol == protocol && self.offer.owner == owner
    }

    pub fn is_committed(&self) -> bool {
        matches!(self.phase, Phase::Committed)
    }

    /// Whether the connection is still this node's to move or to keep.
    pub fn owns(&self) -> bool {
        !matches!(self.phase, Phase::Committed | Phase::Cancelling)
    }

    /// `None` while the shell works.
    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Transferring { hold_until: until, .. } | Phase::Copying { until } => Some(self.retry.at.min(*until)),
            Phase::Freezing | Phase::HandingOver => None,
            _ => Some(self.retry.at),
        }
    }

    pub fn handle_message(&mut self, message: &Message, nonces: Nonces, now: Time, out: &mut Out) -> Keep {
        // a destination in doubt asks what its acknowledgement has led to
        let doubt = matches!(message, Message::Query { state: Ownership::Prepared, answer: false, .. });
        let message = if doubt { &Message::Acknowledge } else { message };
        match (&mut self.phase, message) {
            (Phase::Offered, Message::Ready { features }) => {
                self.offer.nonces.to = nonces.from;
                self.offer.features &= features;
                self.phase = Phase::Confirming;
                self.retry = Retry::start(now);
                self.confirm(out);
            }
            (Phase::Confirming, Message::Progress { .. }) if self.ahead => {
                self.phase = Phase::Copying { until: now + AHEAD };
                self.retry = Retry::start(now);
                out.push_back(Action::Copy(self.id));
            }
            (Phase::Confirming, Message::Progress { .. }) => self.freeze(out),
            (
                Phase::Offered | Phase::Confirming | Phase::Copying { .. } | Phase::Transferring { .. },
                Message::Refuse { reason, .. },
            ) => {
                out.push_back(Action::Failed(self.id, Failure::Refused(*reason)));
                return Keep::No;
            }
            (Phase::Copying { .. } | Phase::Transferring { .. }, Message::Progress { contiguous, credit }) => {
                let Some(sender) = &mut self.sender else { return Keep::Yes };
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
                self.spent = self.sender.take().map(|s| s.into_streams()).unwrap_or_default();
                self.hand_over(out);
            }
            (Phase::Committed, Message::Commit { answer: true }) => {
                out.push_back(Action::Done(self.id));
                return Keep::No;
            }
            (Phase::Committed, Message::Refuse { reason: Reason::Lost, .. }) => {
                out.push_back(Action::Failed(self.id, Failure::Lost));
                return Keep::No;
            }
            (Phase::Committed, Message::Acknowledge) if self.plain.is_some() => {
                out.push_back(Action::Done(self.id));
                return Keep::No;
            }
            // the destination has not heard of the commit yet
            (Phase::Committed, Message::Acknowledge) => self.send(Message::Commit { answer: false }, out),
            (Phase::Cancelling, Message::Refuse { .. }) => return Keep::No,
            // likewise of the cancel
            (Phase::Cancelling, Message::Acknowledge) => self.send(Message::Cancel, out),
            _ => tracing::trace!(?self.id, ?message, "out of place, a repetition or late"),
        }
        Keep::Yes
    }

    fn freeze(&mut self, out: &mut Out) {
        self.phase = Phase::Freezing;
        out.push_back(Action::Freeze(self.id));
    }

    /// The queues as they are, of a connection that lives on.
    pub fn copied(&mut self, streams: Streams<Bytes>, out: &mut Out) {
        if matches!(self.phase, Phase::Copying { .. }) {
            self.sender = Some(Box::new(Sender::new(streams)));
            self.pump(out);
        }
    }

    /// The socket is frozen; `streams` are what was not copied.
    pub fn frozen(&mut self, mut endpoint: Endpoint, streams: Streams<Vec<u8>>, now: Time, out: &mut Out) -> Keep {
        if !matches!(self.phase, Phase::Freezing) {
            return Keep::Yes;
        }
        if self.plain.is_some() && streams.as_ref().into_iter().any(|(_, bytes)| !bytes.is_empty()) {
            return self.give_up(Failure::Plain, now, out);
        }
        if let Endpoint::Tcp(tcb, options) = &mut endpoint {
            tcb.epoch = self.id.epoch;
            tcb.application_len = streams.application.len() as u32;
            if self.offer.features & features::OPTIONS == 0 {
                **options = Options::default();
            }
        }
        self.retry = Retry::start(now);
        self.sender.get_or_insert_with(|| Box::new(Sender::new(Default::default()))).extend(streams.map(Bytes::from));
        self.phase = Phase::Transferring { endpoint, said: false, hold_until: now + HOLD };
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

    fn hand_over(&mut self, out: &mut Out) {
        self.phase = Phase::HandingOver;
        out.push_back(Action::HandOver(self.id));
    }

    /// Something failed here, or the application has changed its mind. No effect once the destination may own.
    pub fn give_up(&mut self, failure: Failure, now: Time, out: &mut Out) -> Keep {
        if !self.owns() {
            return Keep::Yes;
        }
        // a peer of the plain format owns as soon as it has 01; a full hold can wait for 03
        let said = self.plain.is_some() && matches!(self.phase, Phase::Transferring { .. } | Phase::HandingOver);
        if said {
            if failure != Failure::Held && !matches!(self.phase, Phase::HandingOver) {
                self.hand_over(out);
            }
            return Keep::Yes;
        }
        out.push_back(Action::Failed(self.id, failure));
        if self.plain.is_some() {
            return Keep::No;
        }
        self.phase = Phase::Cancelling;
        self.sender = None;
        self.retry = Retry::start(now);
        self.send(Message::Cancel, out);
        Keep::Yes
    }

    pub fn handle_timeout(&mut self, now: Time, out: &mut Out) -> Keep {
        if let Phase::Transferring { hold_until, .. } = &self.phase
            && now >= *hold_until
        {
            if self.plain.is_some() {
                self.hand_over(out);
                return Keep::Yes;
            }
            return self.give_up(Failure::Held, now, out);
        }
        if let Phase::Copying { until } = &self.phase
            && now >= *until
        {
            self.freeze(out);
            return Keep::Yes;
        }
        let limit = if self.is_committed() { COMMIT_TRIES } else { TRIES };
        let due = match self.phase {
            Phase::Freezing | Phase::HandingOver => return Keep::Yes,
            _ => self.retry.due(now, limit),
        };
        match (due, &mut self.phase) {
            (Ok(false), _) => {}
            (Ok(true), Phase::Offered) => self.say_offer(out),
            (Ok(true), Phase::Confirming) => self.confirm(out),
            (Ok(true), Phase::Transferring { .. } | Phase::Copying { .. }) => {
                if let Phase::Transferring { said, .. } = &mut self.phase {
                    *said = false;
                }
                if let Some(sender) = &mut self.sender {
                    sender.rewind();
                }
                self.pump(out);
            }
            (Ok(true), Phase::Committed) => self.commit(out),
            (Ok(true), Phase::Cancelling) => self.send(Message::Cancel, out),
            (Ok(true), Phase::Freezing | Phase::HandingOver) => {}
            (Err(()), Phase::Offered | Phase::Confirming) => {
                return self.give_up(Failure::Silent("the offer"), now, out);
            }
            (Err(()), Phase::Transferring { .. } | Phase::Copying { .. }) => {
                return self.give_up(Failure::Silent("the transfer"), now, out);
            }
            (Err(()), Phase::Committed) => {
                out.push_back(Action::Failed(self.id, Failure::Unconfirmed));
                return Keep::No;
            }
            (Err(()), _) => return Keep::No,
        }
        Keep::Yes
    }

    /// Sends what there is credit for. The control block comes last, when the digest of all is known; if the connection is not
    /// frozen yet, it is when next to nothing of what was copied is left to arrive.
    fn pump(&mut self, out: &mut Out) {
        if !matches!(self.phase, Phase::Copying { .. } | Phase::Transferring { .. }) {
            return;
        }
        let Some(mut sender) = self.sender.take() else { return };
        // of what is under way: what goes out now has waited long enough
        sender.follow();
        while let Some(frame) = sender.next() {
            self.send(frame, out);
        }
        let sender = self.sender.insert(sender);
        if matches!(self.phase, Phase::Copying { .. }) {
            if sender.is_done() {
                self.freeze(out);
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
        if let Some((said, _)) = &mut self.plain {
            *said = Some(endpoint.clone());
        }
        let connection = Message::Connection(Ok(endpoint.clone()));
        self.send(connection, out);
    }

    fn say_offer(&self, out: &mut Out) {
        let Offer { lengths, features, .. } = self.offer;
        self.send(Message::Offer { lengths, features }, out);
    }

    /// Shows the destination its nonce.
    fn confirm(&self, out: &mut Out) {
        self.send(Message::Data { stream: Stream::Receive, offset: 0, bytes: Bytes::new() }, out);
    }

    fn send(&self, message: Message, out: &mut Out) {
        let Offer { flow, owner, nonces, .. } = self.offer;
        out.push_back(Action::Send { id: self.id, flow, owner, nonces, message });
    }
}
