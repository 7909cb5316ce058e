//! The migration core, the time that it is told, and what is written down of its decisions.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use ipos_migrate::Migrator;
use ipos_migrate::protocol::{Failure, Flow, MoveId, PeerId};

use super::crash::{self, Crash};
use crate::clock::Clock;
use crate::config::NodeConfig;
use crate::error::Result;
use crate::journal::{Journal, Place};
use crate::ports::Ports;

pub(crate) struct Core {
    pub migrator: Migrator,
    pub journal: Journal,
    config: Rc<NodeConfig>,
    clock: Clock,
    crash: Crash,
}

impl Core {
    pub fn new(migrator: Migrator, journal: Journal, config: Rc<NodeConfig>) -> Self {
        Core { migrator, journal, config, clock: Clock::start(), crash: Crash::from_environment() }
    }

    /// Time as the core counts it.
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Whether this node is the home of a connection's service.
    pub fn is_home(&self, flow: &Flow) -> bool {
        self.migrator.is_home(flow.service) == Some(true)
    }

    pub fn give_up(&mut self, id: MoveId, failure: Failure) {
        self.migrator.give_up(id, failure, self.clock.now());
    }

    /// Dies or halts, where a trial wants that.
    pub fn crash_if(&mut self, when: &str, step: &str, ports: &mut Ports) -> Result {
        if let Some(signal) = self.crash.take(when, step) {
            // what was sent before is on the wire
            ports.poll()?;
            crash::suffer(signal);
        }
        Ok(())
    }

    /// The record of a commit: what is to be true of a connection that goes to a peer.
    pub fn away_at(&self, peer: PeerId, epoch: u64) -> Place {
        Place::Away(self.config.peers[peer.0].back_ip, epoch)
    }

    /// Writes down that a connection may become this node's, before the peer is told so. What was true before still is, if
    /// nothing comes of it.
    pub fn record_arrival(&mut self, flow: Flow, id: MoveId) -> io::Result<()> {
        let by = id.epoch;
        let place = match self.journal.place(&flow) {
            _ if !self.is_home(&flow) => Place::Here(by),
            Some(Place::Away(owner, epoch)) => Place::Coming { by, owner, epoch },
            _ => Place::Coming { by, owner: self.config.peers[id.peer.0].back_ip, epoch: 0 },
        };
        self.journal.record(flow, Some(place))
    }

    /// Nothing came of the move `by`.
    pub fn note_stayed_away(&mut self, flow: Flow, by: u64) {
        match self.journal.place(&flow) {
            Some(Place::Coming { by: this, owner, epoch }) if this == by => {
                // 0: nothing was known
                self.journal.note(flow, (epoch > 0).then_some(Place::Away(owner, epoch)));
            }
            Some(Place::Here(this)) if this == by => self.journal.note(flow, None),
            _ => {}
        }
    }
}
