//! Forward entries whose connection may be gone without a word: its release was lost, or its owner died.
//!
//! The card tells which entries carried packets (the seen bit) and which connections begin to end or begin anew (events). An
//! entry that was idle is a reason to ask the owner (0x89); one that carries packets is asked about less often, because a
//! client repeats itself to a dead owner, too. What the core makes of the answers stands in `ipos-migrate`.

use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use ipos_abi::wire::tcp::Flags;
use ipos_datapath::Event;
use ipos_migrate::protocol::{Flow, PeerId, Protocol};

use super::core::Core;
use crate::error::Result;
use crate::flows::{FlowTable, Special, State};
use crate::ports::{Ports, flow_of};
use crate::probe;

/// An entry in use is asked about at every so many looks.
const IN_USE: u32 = 4;
/// After a FIN or RST: TIME_WAIT is over, and the owner's release should have come.
const ENDED: Duration = Duration::from_secs(75);

/// A peer that has been silent for so long is asked something.
const ASK: Duration = Duration::from_secs(1);
/// Then it is doubted: everything that depends on it is asked about.
const DOUBT: Duration = Duration::from_millis(2500);
/// Then it is dead: as long as a home asks an owner, which begins with the doubt.
const DEAD: Duration = Duration::from_secs(65);
/// For so long after its start a node repeats what its restart has found dead: no home answers that.
const TOLD: Duration = Duration::from_secs(5);
/// A client that has said nothing for so long is probed while its home is silent.
const PROBE: Duration = Duration::from_secs(4);

/// When a peer was last heard.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Instant,
    /// Its silence was noticed.
    doubted: bool,
}

impl Heard {
    fn now() -> Self {
        Heard { at: Instant::now(), doubted: false }
    }
}

/// Who was heard, and what the homes must hear.
pub(super) struct Audit {
    /// By peer.
    heard: Vec<Heard>,
    /// What a restart has found dead, until the homes have surely been told.
    dead: Vec<(Flow, u64)>,
}

impl Audit {
    pub fn new(peers: usize) -> Self {
        Audit { heard: vec![Heard::now(); peers], dead: Vec::new() }
    }

    pub fn heard(&mut self, peer: PeerId) {
        self.heard[peer.0] = Heard::now();
    }

    /// A restart has found it dead.
    pub fn found_dead(&mut self, flow: Flow, epoch: u64) {
        self.dead.push((flow, epoch));
    }

    pub fn is_telling(&self) -> bool {
        !self.dead.is_empty()
    }

    /// Asks the peers on which connections depend whether they live.
    pub fn attend(&mut self, instant: Instant, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        for peer in 0..self.heard.len() {
            let silence = instant.saturating_duration_since(self.heard[peer].at);
            if silence < ASK || ports.config().peers[peer].plain {
                continue;
            }
            let doubted = silence >= DOUBT;
            let lives_there = |s: &Special| s.away().is_some_and(|a| a.owner == PeerId(peer) && a.until.is_none());
            let there = flows.iter().filter(|(_, s)| lives_there(s)).map(|(flow, _)| *flow);
            let now = core.now();
            there.take(if doubted { usize::MAX } else { 1 }).for_each(|flow| core.migrator.audit(flow, now));
            if doubted {
                self.doubt_home(peer, silence, instant, core, ports, flows)?;
            }
        }
        let now = core.now();
        if now >= TOLD {
            self.dead.clear();
        }
        for &(flow, epoch) in &self.dead {
            core.migrator.adopt(flow, epoch, false, now);
        }
        Ok(())
    }

    /// The home of connections that live here is silent. It may have started again and have forgotten them, so it is told. Their
    /// clients' packets may come through its card all the same, so a client is asked, too; one that doesn't answer for as long as
    /// the home is silent has no way to here.
    fn doubt_home(
        &mut self,
        peer: usize,
        silence: Duration,
        instant: Instant,
        core: &mut Core,
        ports: &mut Ports,
        flows: &mut FlowTable,
    ) -> Result {
        let name = &ports.config().peers[peer].name;
        let ours = ports.config().services.iter().filter(|s| s.home == *name);
        let ours: HashSet<_> = ours.map(|s| SocketAddrV4::new(s.address, s.port)).collect();
        let here: Vec<_> = flows.watch.here().filter(|flow| ours.contains(&flow.service)).copied().collect();
        let now = core.now();
        let first = !std::mem::replace(&mut self.heard[peer].doubted, true);
        for flow in here {
            if first && let Some(epoch) = core.migrator.known(&flow) {
                core.migrator.adopt(flow, epoch, true, now);
            }
            let Some(quiet) = flows.watch.silence(&flow, instant).filter(|_| flow.protocol == Protocol::Tcp) else {
                continue;
            };
            if quiet.min(silence) >= DEAD {
                tracing::info!(node = ports.config().name, ?flow, "neither its home nor its client answers: it ends");
                flows.watch.end(&flow);
            } else if quiet >= PROBE {
                probe::probe(flow, silence.as_secs() as u32, ports, flows)?;
            }
        }
        Ok(())
    }

    /// Takes what the datapath tells of its forward entries.
    pub fn take_events(&mut self, limit: usize, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        for _ in 0..limit {
            let Some(Event { flow, flags }) = ports.event()? else { break };
            let Some(flow) = flow_of(&flow) else { continue };
            tracing::debug!(node = ports.config().name, ?flow, ?flags, "forwarded");
            if flags.contains(Flags::SYN) {
                // the client begins anew: its old connection is over, or its owner is dead
                let now = core.now();
                core.migrator.audit(flow, now);
            } else if let Some(Special { state: State::Away(away), .. }) = flows.get(&flow) {
                away.look = away.look.min(Instant::now() + ENDED);
            }
        }
        Ok(())
    }

    /// Looks at the entries whose time has come.
    pub fn look_after(
        &mut self,
        instant: Instant,
        core: &mut Core,
        ports: &mut Ports,
        flows: &mut FlowTable,
    ) -> Result {
        for (flow, looks) in flows.due(instant, ports.config().idle) {
            let used = ports.carried(&flow)?.is_some_and(|c| c.seen);
            let now = core.now();
            if !used {
                core.migrator.idle(flow, now);
            } else if looks % IN_USE == 0 {
                core.migrator.audit(flow, now);
            }
        }
        Ok(())
    }
}
