//! What the node knows of connections: those that are held, live elsewhere or ended a moment ago, and those that moved here.

mod datagram;
mod fragments;
mod hold;
mod neighbour;
mod resets;
mod state;
mod urgent;
mod watch;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ipos_migrate::protocol::Flow;

use crate::frame::Transport;

pub(crate) use datagram::Fragment;
pub(crate) use fragments::Fragments;
pub(crate) use hold::Hold;
pub(crate) use resets::Resets;
pub(crate) use state::{Away, Facts, Sender, Special, State, Verdict};
pub(crate) use urgent::Urgent;
pub(crate) use watch::{PERIOD, Watch};

/// All connections that the node knows.
pub(crate) struct FlowTable {
    special: HashMap<Flow, Special>,
    pub watch: Watch,
    pub urgent: Urgent,
    pub resets: Resets,
    pub fragments: Fragments,
}

impl FlowTable {
    pub fn new(watch: Watch) -> Self {
        FlowTable {
            special: HashMap::new(),
            watch,
            urgent: Urgent::default(),
            resets: Resets::default(),
            fragments: Fragments::default(),
        }
    }

    /// What becomes of a frame of a client.
    pub fn classify(&self, flow: &Flow, inner: &Transport, sender: Sender) -> Verdict {
        let facts = Facts {
            sender,
            condemned: self.resets.is_pending(flow),
            arrived: self.watch.is_here(flow),
            mark: self.resets.mark(flow),
        };
        state::classify(self.special.get(flow), &facts, inner)
    }

    pub fn get(&mut self, flow: &Flow) -> Option<&mut Special> {
        self.special.get_mut(flow)
    }

    pub fn away(&self, flow: &Flow) -> Option<Away> {
        self.special.get(flow).and_then(Special::away).copied()
    }

    /// It lives so from now on. What is held of it still is.
    pub fn set(&mut self, flow: Flow, state: State) {
        self.special.entry(flow).or_default().state = state;
        self.tidy(&flow);
    }

    /// Holds what its client sends.
    pub fn hold(&mut self, flow: Flow, hold: Hold) {
        self.special.entry(flow).or_default().hold = Some(hold);
    }

    /// Where it is held, if it is.
    pub fn held(&mut self, flow: &Flow) -> Option<&mut Hold> {
        self.special.get_mut(flow)?.hold.as_mut()
    }

    /// Holds it no longer.
    pub fn take_hold(&mut self, flow: &Flow) -> Hold {
        let hold = self.special.get_mut(flow).and_then(|special| special.hold.take());
        self.tidy(flow);
        hold.unwrap_or_default()
    }

    /// Forgets a connection that is no longer special.
    fn tidy(&mut self, flow: &Flow) {
        if self.special.get(flow).is_some_and(Special::is_nothing) {
            self.special.remove(flow);
        }
    }

    /// Whether time changes something.
    pub fn is_idle(&self) -> bool {
        self.special.is_empty() && self.watch.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Flow, &Special)> {
        self.special.iter()
    }

    /// Connections elsewhere whose entries are to be looked at, with how often that was done before.
    pub fn due(&mut self, now: Instant, idle: Duration) -> Vec<(Flow, u32)> {
        let due = self.special.iter_mut().filter_map(|(flow, special)| {
            let State::Away(away) = &mut special.state else { return None };
            if away.until.is_some() || now < away.look {
                return None;
            }
            away.look = now + idle;
            away.looks = away.looks.wrapping_add(1);
            Some((*flow, away.looks))
        });
        due.collect()
    }

    /// Ends what has run out; returns the connections whose forward entries are to go.
    pub fn expire(&mut self, now: Instant) -> Vec<Flow> {
        let mut gone = Vec::new();
        self.special.retain(|flow, special| {
            match special.state {
                State::Quiet(until) if now >= until => special.state = State::Here,
                State::Away(away) if special.hold.is_none() && away.until.is_some_and(|t| now >= t) => {
                    special.state = State::Here;
                    gone.push(*flow);
                }
                _ => {}
            }
            !special.is_nothing()
        });
        gone
    }
}
