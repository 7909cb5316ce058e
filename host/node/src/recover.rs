//! A node starts again: what it wrote down is put back, then asked about.
//!
//! Its card forwarded until now, and its tables were emptied a moment ago. What a client sent meanwhile waits in the
//! receive queue; it is taken only after this, and goes to the owner by software until the entry is there again.

use std::io;
use std::net::Ipv4Addr;

use ipos_device::Device;
use ipos_migrate::protocol::{Flow, MoveId, PeerId};

use crate::error::NodeError;
use crate::journal::Place;
use crate::run::Runner;

impl<D: Device> Runner<D> {
    /// Puts back what was true when the node ended.
    pub fn recover(&mut self) -> Result<(), NodeError> {
        for (flow, place) in self.journal.places() {
            match place {
                Place::Away(owner, epoch) => self.recover_away(flow, owner, epoch),
                Place::Here(epoch) => self.recover_here(flow, epoch)?,
                // by its commit, or an application would not have it
                Place::Coming { by, .. } if self.watch.exists(&flow) => self.recover_here(flow, by)?,
                Place::Coming { owner, epoch, .. } => {
                    self.journal.note(flow, Some(Place::Away(owner, epoch)));
                    self.recover_away(flow, owner, epoch);
                }
            }
            self.act()?;
        }
        Ok(())
    }

    fn recover_away(&mut self, flow: Flow, owner: Ipv4Addr, epoch: u64) {
        let peer = self.config.peers.iter().position(|p| p.back_ip == owner).map(PeerId);
        if let (Some(peer), Some(_)) = (peer, self.core.is_home(flow.service)) {
            let now = self.now();
            self.core.recover(flow, peer, epoch, now);
        } else {
            tracing::warn!(node = self.config.name, ?flow, %owner, "no peer, or no service, of the configuration any more");
            self.journal.note(flow, None);
        }
    }

    /// The application may have lived on, or not.
    fn recover_here(&mut self, flow: Flow, epoch: u64) -> Result<(), NodeError> {
        let alive = self.watch.exists(&flow);
        if alive {
            if self.core.is_home(flow.service) != Some(true)
                && let Err(e) = self.nic.endpoint_insert(&flow.key(), epoch as u32)
            {
                // its packets come to the host all the same
                tracing::warn!(node = self.config.name, ?flow, "no endpoint entry: {e}");
            }
            self.watch.track(&flow);
            self.watch.arrived(flow);
        } else {
            self.reset(flow)?;
        }
        let now = self.now();
        self.core.adopt(flow, epoch, alive, now);
        if !alive {
            self.dead.push((flow, epoch));
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
            _ if self.core.is_home(flow.service) != Some(true) => Place::Here(by),
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
