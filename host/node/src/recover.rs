//! A node starts again: what it wrote down is put back, then asked about.
//!
//! Its card forwarded until now, and its tables were emptied a moment ago. What a client sent meanwhile waits in the
//! receive queue; it is taken only after this, and goes to the owner by software until the entry is there again.

use std::net::Ipv4Addr;

use ipos_device::Device;
use ipos_migrate::protocol::{Flow, PeerId};

use crate::error::NodeError;
use crate::journal::Place;
use crate::run::Runner;

impl<D: Device> Runner<D> {
    /// Puts back what was true when the node ended.
    pub fn recover(&mut self) -> Result<(), NodeError> {
        for (flow, place) in self.journal.places() {
            match place {
                Place::Away(owner, epoch) => self.recover_away(flow, owner, epoch),
                Place::Here(epoch) => self.recover_here(flow, epoch),
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
    fn recover_here(&mut self, flow: Flow, epoch: u64) {
        let alive = self.watch.exists(&flow);
        if alive {
            if self.core.is_home(flow.service) != Some(true)
                && let Err(e) = self.nic.endpoint_insert(&flow.key(), epoch as u32)
            {
                // its packets come to the host all the same
                tracing::warn!(node = self.config.name, ?flow, "no endpoint entry: {e}");
            }
            self.watch.arrived(flow);
        } else {
            self.journal.note(flow, None);
        }
        let now = self.now();
        self.core.adopt(flow, epoch, alive, now);
    }

    /// Writes down that a connection lives at a peer.
    pub fn note_away(&mut self, flow: Flow, peer: PeerId, epoch: u64) {
        let owner = self.config.peers[peer.0].back_ip;
        self.journal.note(flow, Some(Place::Away(owner, epoch)));
    }
}
