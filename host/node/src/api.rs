//! What an application asks of the loop.

use std::os::fd::BorrowedFd;

use ipos_control::message::{Connection, Place};

use crate::command::{Command, Inbox};
use crate::error::Result;
use crate::flows::{FlowTable, Special, State};
use crate::moves::Moves;
use crate::ports::Ports;
use crate::stats::NodeStats;

/// The loop's end of all handles.
pub(crate) struct Api(Inbox);

impl Api {
    pub fn new(inbox: Inbox) -> Self {
        Api(inbox)
    }

    /// Becomes readable when something is asked.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.wake.fd()
    }

    /// Commands are taken whether the bell rang or not; after a sleep it must not ring again for the same ones.
    pub fn clear(&self) {
        self.0.wake.clear();
    }

    /// Answers what was asked. `false`: the node is to stop.
    pub fn take(&self, ports: &mut Ports, flows: &mut FlowTable, moves: &mut Moves) -> Result<bool> {
        // who asked may have gone, and hears no answer
        while let Ok(command) = self.0.commands.try_recv() {
            match command {
                Command::Nothing => {}
                Command::Migrate(departing) => moves.migrate(*departing, ports, flows)?,
                Command::Reclaim { flow, cookie, user, reply } => {
                    let _ = reply.send(moves.reclaim(&flow, cookie, user));
                }
                Command::Keys { keys, reply } => {
                    ports.set_keys(keys);
                    let _ = reply.send(());
                }
                Command::Stats { reply } => {
                    let _ = reply.send(stats(ports, flows, moves));
                }
                Command::Counters { reply } => {
                    let _ = reply.send(ports.counters()?);
                }
                Command::Connections { reply } => {
                    let _ = reply.send(connections(ports, flows));
                }
                Command::Shutdown => return Ok(false),
            }
        }
        Ok(true)
    }
}

fn stats(ports: &Ports, flows: &FlowTable, moves: &Moves) -> NodeStats {
    let kept = moves.kept();
    let count = |is: fn(&Special) -> bool| flows.iter().filter(|(_, special)| is(special)).count();
    NodeStats {
        holding: count(|s| s.hold.is_some()),
        forwarded: count(|s| matches!(s.state, State::Away(_))),
        reassembled: flows.fragments.reassembled,
        fragments_dropped: flows.fragments.dropped,
        kept: kept.kept,
        kept_not: kept.missed + kept.refused,
        ..ports.stats()
    }
}

fn connections(ports: &Ports, flows: &FlowTable) -> Vec<Connection> {
    let special = flows.iter().filter_map(|(flow, special)| {
        let away = special.away().map(|a| Place::At(ports.config().peers[a.owner.0].name.clone()));
        special.hold.as_ref().map(|_| Place::Moving).or(away).map(|place| (flow, place))
    });
    let here = flows.watch.here().map(|flow| (flow, Place::Here));
    let all = special.chain(here);
    all.map(|(f, place)| Connection { client: f.client, service: f.service, place }).collect()
}
