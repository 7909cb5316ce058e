//! Moves with peers of either format.

use super::destination::Destination;
use super::plain;
use super::source::Source;
use super::step::Step;
use crate::protocol::{Actions, Endpoint, Failure, Flow, Reason, Streams, Time};

/// A move with a peer of either format.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Move<F, P> {
    Full(F),
    Plain(P),
}

pub(crate) type Outgoing = Move<Source, plain::Source>;
pub(crate) type Incoming = Move<Destination, plain::Destination>;

macro_rules! either {
    ($of:expr, $machine:ident => $do:expr) => {
        match $of {
            Move::Full($machine) => $do,
            Move::Plain($machine) => $do,
        }
    };
}

impl Outgoing {
    pub fn flow(&self) -> Flow {
        either!(self, source => source.flow())
    }

    pub fn owns(&self) -> bool {
        either!(self, source => source.owns())
    }

    pub fn is_gone(&self) -> bool {
        either!(self, source => source.is_gone())
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        either!(self, source => source.poll_timeout())
    }

    pub fn frozen(&mut self, endpoint: Endpoint, streams: Streams<Vec<u8>>, now: Time, out: &mut Actions) -> Step {
        match self {
            Move::Full(source) => source.frozen(endpoint, streams, now, out),
            Move::Plain(source) => source.frozen(endpoint, &streams, now, out),
        }
    }

    pub fn handed_over(&mut self, now: Time, out: &mut Actions) -> Step {
        either!(self, source => source.handed_over(now, out))
    }

    pub fn give_up(&mut self, failure: Failure, now: Time, out: &mut Actions) -> Step {
        match self {
            Move::Full(source) => source.give_up(failure, now, out),
            Move::Plain(source) => source.give_up(failure, out),
        }
    }

    pub fn returned(&mut self, out: &mut Actions) -> Step {
        either!(self, source => source.returned(out))
    }

    pub fn handle_timeout(&mut self, now: Time, out: &mut Actions) -> Step {
        either!(self, source => source.handle_timeout(now, out))
    }
}

impl Incoming {
    pub fn flow(&self) -> Flow {
        either!(self, destination => destination.flow())
    }

    pub fn is_pending(&self) -> bool {
        either!(self, destination => destination.is_pending())
    }

    pub fn is_gone(&self) -> bool {
        either!(self, destination => destination.is_gone())
    }

    /// Bytes of its streams, as offered.
    pub fn bytes(&self) -> usize {
        match self {
            Move::Full(destination) => destination.lengths().bytes(),
            Move::Plain(_) => 0,
        }
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        either!(self, destination => destination.poll_timeout())
    }

    pub fn reserved(&mut self, result: Result<(), Reason>, now: Time, out: &mut Actions) -> Step {
        either!(self, destination => destination.reserved(result, now, out))
    }

    pub fn prepared(&mut self, result: Result<(), Reason>, now: Time, out: &mut Actions) -> Step {
        either!(self, destination => destination.prepared(result, now, out))
    }

    pub fn returned(&mut self, now: Time, out: &mut Actions) -> Step {
        match self {
            Move::Full(destination) => destination.returned(now, out),
            Move::Plain(destination) => destination.returned(),
        }
    }

    pub fn handle_timeout(&mut self, now: Time, out: &mut Actions) -> Step {
        match self {
            Move::Full(destination) => destination.handle_timeout(now, out),
            Move::Plain(destination) => destination.handle_timeout(now),
        }
    }
}
