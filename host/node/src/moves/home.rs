//! What the home of a connection does, and every node with one that has left it.

use std::time::{Duration, Instant};

use ipos_datapath::{Action, DatapathError};
use ipos_migrate::protocol::{Flow, PeerId, Protocol};

use super::core::Core;
use crate::error::Result;
use crate::flows::{Away, FlowTable, State};
use crate::journal::Place;
use crate::ports::Ports;
use crate::probe;

/// How long stray segments of a connection that ended elsewhere are dropped.
const QUIET: Duration = Duration::from_secs(60);
/// Probes in one turn of the loop.
const PROBES: usize = 64;

/// Lets the datapath forward a connection to a peer. Without room for that, the node passes its packets on.
pub(super) fn point(flow: &Flow, to: PeerId, ports: &mut Ports) -> Result<(), DatapathError> {
    let action = ports.forward_to(to, flow);
    match ports.change(flow, |entry| entry.action = action) {
        Err(e) if e.is_of_entry() => {
            tracing::warn!(?flow, "the host passes its packets on: {e}");
            ports.change(flow, |entry| entry.action = Action::Pass)
        }
        result => result,
    }
}

/// The connection lives at a peer: the core has settled that.
pub(super) fn repoint(flow: Flow, to: PeerId, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
    let epoch = core.migrator.known(&flow).unwrap_or(0);
    let place = core.away_at(to, epoch);
    core.journal.note(flow, Some(place));
    flows.set(flow, State::Away(Away::new(to, ports.config().idle)));
    ports.change(&flow, |entry| entry.fenced = true)?;
    // while it is held for a move to here, the entry stays as it is
    if flows.held(&flow).is_none() {
        point(&flow, to, ports)?;
    }
    Ok(())
}

/// The owner has lost the connection.
pub(super) fn lost(flow: Flow, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
    ports.stats.lost += 1;
    stop_passing_on(&flow, ports)?;
    no_longer_away(flow, flows);
    reset(flow, core, ports, flows)
}

/// A connection that moved here is gone: its home hears of it, and what still comes of it is not answered.
pub(super) fn release(flow: Flow, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
    flows.watch.left(&flow);
    flows.watch.untrack(&flow);
    core.journal.note(flow, None);
    if !core.is_home(&flow) {
        ports.change(&flow, |entry| entry.endpoint = false)?;
        hush(flow, flows);
    }
    let now = core.now();
    core.migrator.released(flow, now);
    Ok(())
}

/// The connection has ended at its owner.
pub(super) fn forget(flow: Flow, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
    core.journal.note(flow, None);
    stop_passing_on(&flow, ports)?;
    no_longer_away(flow, flows);
    hush(flow, flows);
    Ok(())
}

/// Nobody else has the connection any more.
pub(super) fn stop_passing_on(flow: &Flow, ports: &mut Ports) -> Result<(), DatapathError> {
    ports.change(flow, |entry| (entry.action, entry.fenced) = (Action::Pass, false))
}

fn no_longer_away(flow: Flow, flows: &mut FlowTable) {
    if flows.away(&flow).is_some() {
        flows.set(flow, State::Here);
    }
}

/// Stray segments of a connection that ended are dropped for a while. A datagram is never stray.
fn hush(flow: Flow, flows: &mut FlowTable) {
    if flow.protocol == Protocol::Tcp {
        flows.set(flow, State::Quiet(Instant::now() + QUIET));
    }
}

/// The home of a connection that is nobody's any more tells the client. After a restart it begins again.
pub(super) fn reset(flow: Flow, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
    if flow.protocol != Protocol::Tcp || !core.is_home(&flow) {
        core.journal.note(flow, None);
        return Ok(());
    }
    tracing::info!(node = ports.config().name, ?flow, "its owner has died: the client is reset");
    core.journal.note(flow, Some(Place::Here(0)));
    flows.resets.begin(flow, Instant::now());
    probe_due(core, ports, flows)
}

/// Probes the clients whose time has come.
pub(super) fn probe_due(core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
    let now = Instant::now();
    for _ in 0..PROBES {
        let Some((flow, left)) = flows.resets.due(now) else { break };
        if left == 0 {
            tracing::info!(node = ports.config().name, ?flow, "the client says nothing");
            core.journal.note(flow, None);
        } else {
            probe::probe(flow, left, ports, flows)?;
        }
    }
    Ok(())
}
