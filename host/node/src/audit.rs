//! Forward entries whose connection may be gone without a word: its release was lost, or its owner died.
//!
//! The card tells which entries carried packets (the seen bit) and which connections begin to end or begin anew (events). An
//! entry that was idle is a reason to ask the owner (0x89); one that carries packets is asked about less often, because a
//! client repeats itself to a dead owner, too. What the core makes of the answers stands in `ipos-migrate`.

use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use ipos_abi::queue::Event;
use ipos_abi::table::FlowKey;
use ipos_abi::wire::tcp::Flags;
use ipos_device::Device;
use ipos_migrate::protocol::{Flow, PeerId, Protocol};
use ipos_nic::NicError;

use crate::error::NodeError;
use crate::flows::Special;
use crate::run::Runner;

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
pub(crate) struct Heard {
    at: Instant,
    /// Its silence was noticed.
    doubted: bool,
}

impl Heard {
    pub fn now() -> Self {
        Heard { at: Instant::now(), doubted: false }
    }
}

impl<D: Device> Runner<D> {
    /// Asks the peers on which connections depend whether they live.
    pub fn attend(&mut self, instant: Instant) -> Result<(), NodeError> {
        for peer in 0..self.heard.len() {
            let silence = instant.saturating_duration_since(self.heard[peer].at);
            if silence < ASK || self.config.peers[peer].plain {
                continue;
            }
            let doubted = silence >= DOUBT;
            let lives_there = |s: &Special| s.away.is_some_and(|a| a.owner == PeerId(peer) && a.until.is_none());
            let there = self.flows.iter().filter(|(_, s)| lives_there(s)).map(|(flow, _)| *flow);
            let asked: Vec<_> = there.take(if doubted { usize::MAX } else { 1 }).collect();
            let now = self.now();
            asked.into_iter().for_each(|flow| self.core.audit(flow, now));
            if doubted {
                self.doubt_home(peer, silence, instant)?;
            }
        }
        let now = self.now();
        if now >= TOLD {
            self.dead.clear();
        }
        for &(flow, epoch) in &self.dead {
            self.core.adopt(flow, epoch, false, now);
        }
        self.act()
    }

    /// The home of connections that live here is silent. It may have started again and have forgotten them, so it is told. Their
    /// clients' packets may come through its card all the same, so a client is asked, too; one that doesn't answer for as long as
    /// the home is silent has no way to here.
    fn doubt_home(&mut self, peer: usize, silence: Duration, instant: Instant) -> Result<(), NodeError> {
        let name = &self.config.peers[peer].name;
        let ours = self.config.services.iter().filter(|s| s.home == *name);
        let ours: HashSet<_> = ours.map(|s| SocketAddrV4::new(s.address, s.port)).collect();
        let here: Vec<_> = self.watch.here().filter(|flow| ours.contains(&flow.service)).copied().collect();
        let now = self.now();
        let first = !std::mem::replace(&mut self.heard[peer].doubted, true);
        for flow in here {
            if first && let Some(epoch) = self.core.known(&flow) {
                self.core.adopt(flow, epoch, true, now);
            }
            let Some(quiet) = self.watch.silence(&flow, instant).filter(|_| flow.protocol == Protocol::Tcp) else {
                continue;
            };
            if quiet.min(silence) >= DEAD {
                tracing::info!(node = self.config.name, ?flow, "neither its home nor its client answers: it ends");
                self.watch.end(&flow);
            } else if quiet >= PROBE {
                self.probe(flow, silence.as_secs() as u32)?;
            }
        }
        Ok(())
    }

    /// Takes what the card tells of its forward entries.
    pub fn take_events(&mut self, limit: usize) -> Result<(), NodeError> {
        for _ in 0..limit {
            let Some(event) = self.nic.device_mut().event().map_err(NicError::from)? else { break };
            self.forwarded(&event);
        }
        self.act()
    }

    fn forwarded(&mut self, event: &Event) {
        let Some(flow) = self.nic.event_key(event).map(flow_of) else { return };
        let (now, flags) = (Instant::now(), Flags(event.tcp_flags.into()));
        tracing::debug!(node = self.config.name, ?flow, ?flags, "forwarded");
        if flags.contains(Flags::SYN) {
            // the client begins anew: its old connection is over, or its owner is dead
            let now = self.now();
            self.core.audit(flow, now);
        } else if let Some(away) = self.flows.get(&flow).and_then(|s| s.away.as_mut()) {
            away.look = away.look.min(now + ENDED);
        }
    }

    /// Looks at the entries whose time has come.
    pub fn look_after(&mut self, instant: Instant) -> Result<(), NodeError> {
        for (flow, looks) in self.flows.due(instant, self.config.idle) {
            let used = self.nic.carried(&flow.key())?.is_some_and(|c| c.seen);
            let now = self.now();
            if !used {
                self.core.idle(flow, now);
            } else if looks % IN_USE == 0 {
                self.core.audit(flow, now);
            }
            self.act()?;
        }
        Ok(())
    }
}

fn flow_of(key: FlowKey) -> Flow {
    let FlowKey { protocol, src_ip, src_port, dst_ip, dst_port } = key;
    let (client, service) = (SocketAddrV4::new(src_ip.into(), src_port), SocketAddrV4::new(dst_ip.into(), dst_port));
    Flow { protocol, client, service }
}
