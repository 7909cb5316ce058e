//! A move to a peer of the plain format.

use std::net::SocketAddrV4;

use ipos_abi::wire::options::Options;
use ipos_abi::wire::tcb;

use super::Subject;
use crate::moves::step::Step;
use crate::moves::transitions::{By, Machine, State, assert_legal};
use crate::protocol::{Action, Actions, COMMIT_TRIES, Endpoint, Failure, Flow, HOLD, Message, Protocol, Streams, Time};
use crate::timers::Retry;

#[derive(Clone, Debug, Hash)]
enum Phase {
    /// The shell was asked to freeze the socket.
    Freezing,
    /// 01 was sent. The client's packets are not held longer than `hold_until`.
    Transferring { endpoint: Endpoint, hold_until: Time },
    /// The shell was asked to hand over.
    HandingOver { endpoint: Endpoint, acknowledged: bool },
    /// The peer owns the connection if it has 01.
    Committed { endpoint: Endpoint },
    /// Over, to be forgotten.
    Gone,
}

impl Phase {
    fn state(&self) -> State {
        match self {
            Phase::Freezing => State::Freezing,
            Phase::Transferring { .. } => State::Transferring,
            Phase::HandingOver { .. } => State::HandingOver,
            Phase::Committed { .. } => State::Committed,
            Phase::Gone => State::Gone,
        }
    }
}

/// A move to a peer of the plain format.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Source {
    subject: Subject,
    phase: Phase,
    retry: Retry,
}

impl Source {
    pub fn start(subject: Subject, now: Time, out: &mut Actions) -> Self {
        out.push_back(Action::Freeze(subject.id));
        assert_legal(Machine::PlainSource, None, By::Start, State::Freezing);
        Source { subject, phase: Phase::Freezing, retry: Retry::start(now) }
    }

    fn enter(&mut self, by: By, phase: Phase) {
        assert_legal(Machine::PlainSource, Some(self.phase.state()), by, phase.state());
        self.phase = phase;
    }

    pub fn flow(&self) -> Flow {
        self.subject.flow
    }

    /// Whether an acknowledgement, which has no epoch, may be this one's.
    pub fn awaits(&self, protocol: Protocol, owner: SocketAddrV4) -> bool {
        self.subject.flow.protocol == protocol && self.subject.owner == owner
    }

    pub fn is_committed(&self) -> bool {
        matches!(self.phase, Phase::Committed { .. })
    }

    pub fn owns(&self) -> bool {
        !matches!(self.phase, Phase::Committed { .. } | Phase::Gone)
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Transferring { hold_until, .. } => Some(self.retry.at.min(*hold_until)),
            Phase::Committed { .. } => Some(self.retry.at),
            Phase::Freezing | Phase::HandingOver { .. } | Phase::Gone => None,
        }
    }

    pub fn frozen(&mut self, mut endpoint: Endpoint, streams: &Streams<Vec<u8>>, now: Time, out: &mut Actions) -> Step {
        if !matches!(self.phase, Phase::Freezing) {
            return Step::Stays;
        }
        if streams.as_ref().into_iter().any(|(_, bytes)| !bytes.is_empty()) {
            out.push_back(Action::Failed(self.subject.id, Failure::Plain));
            self.enter(By::Frozen, Phase::Gone);
            return Step::Stays;
        }
        if let Endpoint::Tcp(tcb, options) = &mut endpoint {
            (tcb.epoch, tcb.application_len) = (self.subject.id.epoch, 0);
            tcb.digest = tcb::digest([]);
            **options = Options::default();
        }
        self.retry = Retry::start(now);
        self.say(&endpoint, out);
        self.enter(By::Frozen, Phase::Transferring { endpoint, hold_until: now + HOLD });
        Step::Stays
    }

    /// The peer has built the connection.
    pub fn acknowledged(&mut self, out: &mut Actions) -> Step {
        match &self.phase {
            Phase::Transferring { .. } => self.hand_over(By::Acknowledge, true, out),
            Phase::Committed { .. } => self.done(By::Acknowledge, out),
            Phase::Freezing | Phase::HandingOver { .. } | Phase::Gone => {}
        }
        Step::Stays
    }

    pub fn handed_over(&mut self, now: Time, out: &mut Actions) -> Step {
        match &self.phase {
            Phase::HandingOver { acknowledged: true, .. } => {
                self.done(By::HandedOver, out);
                return Step::Leaves;
            }
            Phase::HandingOver { endpoint, acknowledged: false } => {
                let endpoint = endpoint.clone();
                self.say(&endpoint, out);
                self.enter(By::HandedOver, Phase::Committed { endpoint });
                self.retry = Retry::start(now);
            }
            _ => {}
        }
        if self.is_committed() { Step::Leaves } else { Step::Stays }
    }

    /// Once 01 has been sent the peer may own: then the connection is handed over. A full hold can wait for 03.
    pub fn give_up(&mut self, failure: Failure, out: &mut Actions) -> Step {
        if matches!(self.phase, Phase::Freezing) {
            out.push_back(Action::Failed(self.subject.id, failure));
            self.enter(By::GiveUp, Phase::Gone);
        } else if failure != Failure::Held {
            self.hand_over(By::GiveUp, false, out);
        }
        Step::Stays
    }

    /// No effect unless 01 was the last thing that happened.
    fn hand_over(&mut self, by: By, acknowledged: bool, out: &mut Actions) {
        let Phase::Transferring { endpoint, .. } = &self.phase else { return };
        let endpoint = endpoint.clone();
        self.enter(by, Phase::HandingOver { endpoint, acknowledged });
        out.push_back(Action::HandOver(self.subject.id));
    }

    /// The peer sends the connection back, so it has it.
    pub fn returned(&mut self, out: &mut Actions) -> Step {
        if self.is_committed() {
            self.done(By::Returned, out);
        }
        Step::Stays
    }

    fn done(&mut self, by: By, out: &mut Actions) {
        out.push_back(Action::Done(self.subject.id));
        self.enter(by, Phase::Gone);
    }

    pub fn handle_timeout(&mut self, now: Time, out: &mut Actions) -> Step {
        match &self.phase {
            Phase::Transferring { hold_until, .. } if now >= *hold_until => self.hand_over(By::Time, false, out),
            Phase::Transferring { endpoint, .. } | Phase::Committed { endpoint } => {
                match self.retry.due(now, COMMIT_TRIES) {
                    Ok(true) => self.say(endpoint, out),
                    Ok(false) => {}
                    Err(()) => {
                        out.push_back(Action::Failed(self.subject.id, Failure::Unconfirmed));
                        self.enter(By::Silence, Phase::Gone);
                        return Step::Unconfirmed;
                    }
                }
            }
            Phase::Freezing | Phase::HandingOver { .. } | Phase::Gone => {}
        }
        Step::Stays
    }

    fn say(&self, endpoint: &Endpoint, out: &mut Actions) {
        self.subject.send(Message::Connection(Ok(endpoint.clone())), out);
    }
}
