//! Forward entries whose connection may be gone without a word: its release was lost, or its owner died.
//!
//! The card tells which entries carried packets (the seen bit) and which connections begin to end or begin anew (events). An
//! entry that was idle is a reason to ask the owner (0x89); one that carries packets is asked about less often, because a
//! client repeats itself to a dead owner, too. What the core makes of the answers stands in `ipos-migrate`.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use ipos_abi::queue::Event;
use ipos_abi::table::FlowKey;
use ipos_abi::wire::tcp::Flags;
use ipos_device::Device;
use ipos_migrate::protocol::Flow;
use ipos_nic::NicError;

use crate::error::NodeError;
use crate::run::Runner;

/// An entry in use is asked about at every so many looks.
const IN_USE: u32 = 4;
/// After a FIN or RST: TIME_WAIT is over, and the owner's release should have come.
const ENDED: Duration = Duration::from_secs(75);

impl<D: Device> Runner<D> {
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
