//! A node starts again: what it wrote down is put back, then asked about.
//!
//! Its card forwarded until now, and its tables were emptied a moment ago. What a client sent meanwhile waits in the
//! receive queue; it is taken only after this, and goes to the owner by software until the entry is there again.

use std::net::Ipv4Addr;

use ipos_migrate::protocol::{Flow, PeerId};

use super::core::Core;
use super::home;
use crate::config::NodeConfig;
use crate::error::Result;
use crate::flows::FlowTable;
use crate::journal::Place;
use crate::ports::Ports;

/// Puts back what was true of a connection. Its epoch, if the connection has died with this server.
pub(super) fn put_back(
    flow: Flow,
    place: Place,
    core: &mut Core,
    ports: &mut Ports,
    flows: &mut FlowTable,
) -> Result<Option<u64>> {
    match place {
        Place::Away(owner, epoch) => away(flow, owner, epoch, core, ports.config()),
        Place::Here(epoch) => return here(flow, epoch, core, ports, flows),
        // by its commit, or an application would not have it
        Place::Coming { by, .. } if flows.watch.exists(&flow) => return here(flow, by, core, ports, flows),
        Place::Coming { owner, epoch, .. } => {
            core.journal.note(flow, Some(Place::Away(owner, epoch)));
            away(flow, owner, epoch, core, ports.config());
        }
    }
    Ok(None)
}

/// A connection of this home lives elsewhere.
pub(super) fn away(flow: Flow, owner: Ipv4Addr, epoch: u64, core: &mut Core, config: &NodeConfig) {
    let peer = config.peers.iter().position(|p| p.back_ip == owner).map(PeerId);
    if let (Some(peer), Some(_)) = (peer, core.migrator.is_home(flow.service)) {
        let now = core.now();
        core.migrator.recover(flow, peer, epoch, now);
    } else {
        tracing::warn!(node = config.name, ?flow, %owner, "no peer, or no service, of the configuration any more");
        core.journal.note(flow, None);
    }
}

/// The application may have lived on, or not.
fn here(flow: Flow, epoch: u64, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result<Option<u64>> {
    let alive = flows.watch.exists(&flow);
    if alive {
        let endpoint = |entry: &mut ipos_datapath::Entry| (entry.endpoint, entry.epoch) = (true, epoch);
        if !core.is_home(&flow)
            && let Err(e) = ports.change(&flow, endpoint)
        {
            // its packets come to the host all the same
            tracing::warn!(node = ports.config().name, ?flow, "no endpoint entry: {e}");
        }
        flows.watch.track(&flow);
        flows.watch.arrived(flow);
    } else {
        home::reset(flow, core, ports, flows)?;
    }
    let now = core.now();
    core.migrator.adopt(flow, epoch, alive, now);
    Ok((!alive).then_some(epoch))
}
