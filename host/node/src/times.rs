//! When a move reached its steps, at either end: `ipos bench migrate` shows from it where the time goes. A step that
//! has not come has the time of the one before.

use std::time::{Duration, Instant};

/// A move at its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The application asked.
    pub asked: Instant,
    /// It can move, as far as can be told: the offer goes out.
    pub offered: Instant,
    /// The destination was ready.
    pub ready: Instant,
    /// What its queues had has gone ahead.
    pub copied: Instant,
    /// How long the socket was mute while its queues were copied, before it was frozen.
    pub copying: Duration,
    /// The client's packets are held, the receive path is drained.
    pub drained: Instant,
    /// Repair mode was turned on: from here on the socket is mute.
    pub stopped: Instant,
    /// Control block and queues are read.
    pub read: Instant,
    /// The control block was given to the card.
    pub sent: Instant,
    /// The destination acknowledged.
    pub accepted: Instant,
    /// The forward entry is open, the socket closed.
    pub closed: Instant,
}

/// A move at its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    /// The offer came.
    pub offered: Instant,
    /// Control block and queues are complete, their digest is right.
    pub complete: Instant,
    /// The socket is built.
    pub built: Instant,
    /// The commit came.
    pub committed: Instant,
    /// Repair mode is off: the socket speaks again.
    pub speaks: Instant,
    /// The application was given it.
    pub delivered: Instant,
}

impl Departure {
    pub(crate) fn offered(asked: Instant) -> Self {
        let now = Instant::now();
        Departure {
            asked,
            offered: now,
            ready: now,
            copied: now,
            copying: Duration::ZERO,
            drained: now,
            stopped: now,
            read: now,
            sent: now,
            accepted: now,
            closed: now,
        }
    }
}

impl Landing {
    pub(crate) fn offered(now: Instant) -> Self {
        Landing { offered: now, complete: now, built: now, committed: now, speaks: now, delivered: now }
    }
}
