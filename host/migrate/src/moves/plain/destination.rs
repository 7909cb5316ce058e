//! A move from a peer of the plain format.

use super::Subject;
use crate::moves::step::Step;
use crate::moves::transitions::{By, Machine, State, assert_legal};
use crate::protocol::{Action, Actions, Endpoint, Flow, LINGER, Reason, Streams, Time};

#[derive(Clone, Debug, Hash)]
enum Phase {
    /// The shell was asked for a listener and resources.
    Reserving { endpoint: Endpoint },
    /// The shell builds the socket.
    Preparing,
    /// This node owns the connection.
    Live { until: Time },
    /// Nothing is left.
    Refused { until: Time },
    /// Over, to be forgotten.
    Gone,
}

impl Phase {
    fn state(&self) -> State {
        match self {
            Phase::Reserving { .. } => State::Reserving,
            Phase::Preparing => State::Preparing,
            Phase::Live { .. } => State::Live,
            Phase::Refused { .. } => State::Refused,
            Phase::Gone => State::Gone,
        }
    }
}

/// A move from a peer of the plain format, which has neither queues nor state.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Destination {
    subject: Subject,
    phase: Phase,
}

impl Destination {
    pub fn start(subject: Subject, endpoint: Endpoint, out: &mut Actions) -> Self {
        let Subject { id, flow, .. } = subject;
        out.push_back(Action::Reserve { id, flow, lengths: Streams::default() });
        assert_legal(Machine::PlainDestination, None, By::Connection, State::Reserving);
        Destination { subject, phase: Phase::Reserving { endpoint } }
    }

    fn enter(&mut self, by: By, phase: Phase) {
        assert_legal(Machine::PlainDestination, Some(self.phase.state()), by, phase.state());
        self.phase = phase;
    }

    pub fn flow(&self) -> Flow {
        self.subject.flow
    }

    pub fn is_pending(&self) -> bool {
        matches!(self.phase, Phase::Reserving { .. } | Phase::Preparing)
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Live { until } | Phase::Refused { until } => Some(*until),
            Phase::Reserving { .. } | Phase::Preparing | Phase::Gone => None,
        }
    }

    pub fn reserved(&mut self, result: Result<(), Reason>, now: Time, out: &mut Actions) -> Step {
        let Phase::Reserving { endpoint } = &self.phase else { return Step::Stays };
        if result.is_ok() {
            let Subject { id, flow, .. } = self.subject;
            out.push_back(Action::Prepare { id, flow, endpoint: endpoint.clone(), streams: Streams::default() });
            self.enter(By::Room, Phase::Preparing);
        } else {
            self.enter(By::NoRoom, Phase::Refused { until: now + LINGER });
        }
        Step::Stays
    }

    pub fn prepared(&mut self, result: Result<(), Reason>, now: Time, out: &mut Actions) -> Step {
        if !matches!(self.phase, Phase::Preparing) {
            return Step::Stays;
        }
        let until = now + LINGER;
        if result.is_err() {
            out.push_back(Action::Abandon(self.subject.id));
            self.enter(By::NotBuilt, Phase::Refused { until });
            return Step::Stays;
        }
        self.enter(By::Built, Phase::Live { until });
        out.push_back(Action::GoLive(self.subject.id));
        self.subject.acknowledge(out);
        Step::Arrives
    }

    /// The peer sends the connection again, which is not owned here: the move is over.
    pub fn returned(&mut self) -> Step {
        if !self.is_pending() {
            self.enter(By::Connection, Phase::Gone);
        }
        Step::Stays
    }

    pub fn handle_timeout(&mut self, now: Time) -> Step {
        if self.poll_timeout().is_some_and(|until| now >= until) {
            self.enter(By::Time, Phase::Gone);
        }
        Step::Stays
    }
}
