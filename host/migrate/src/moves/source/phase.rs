//! How far a move has come at its source.

use crate::moves::transitions::State;
use crate::protocol::{Endpoint, Time};

#[derive(Clone, Debug, Hash)]
pub(super) enum Phase {
    /// Offer sent. Ends with ready, a refusal or silence.
    Offered,
    /// Data without bytes sent. Ends with a report, a refusal or silence.
    Confirming,
    /// Pre-copy: the shell was asked for the queues, which are sent while the connection lives on. The freeze does not wait for
    /// it longer than `until`.
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
    /// Over, to be forgotten.
    Gone,
}

impl Phase {
    pub fn state(&self) -> State {
        match self {
            Phase::Offered => State::Offered,
            Phase::Confirming => State::Confirming,
            Phase::Copying { .. } => State::Copying,
            Phase::Freezing => State::Freezing,
            Phase::Transferring { .. } => State::Transferring,
            Phase::HandingOver => State::HandingOver,
            Phase::Committed => State::Committed,
            Phase::Cancelling => State::Cancelling,
            Phase::Gone => State::Gone,
        }
    }
}
