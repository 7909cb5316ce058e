//! What a node knows of where connections live.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::protocol::{EPOCHS, Flow, KNOWN, PeerId, Time};
use crate::timers::Timer;

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Places {
    /// Where connections went, with the epoch of that knowledge; for ever at their home.
    pub away: BTreeMap<Flow, (PeerId, u64)>,
    /// Connections that moved here.
    pub here: BTreeMap<Flow, u64>,
    /// The last epoch of connections that have ended.
    pub ended: BTreeMap<Flow, u64>,
    /// The highest epoch that was given or seen.
    newest: u64,
}

impl Places {
    /// Where a connection that left this node lives, as far as known.
    pub fn owner(&self, flow: &Flow) -> Option<PeerId> {
        self.away.get(flow).map(|(peer, _)| *peer)
    }

    /// The last epoch that is known of a flow.
    pub fn known(&self, flow: &Flow) -> Option<u64> {
        let away = self.away.get(flow).map(|(_, epoch)| *epoch);
        self.here.get(flow).copied().max(away).max(self.ended.get(flow).copied())
    }

    /// The epoch by which a connection moved here.
    pub fn here(&self, flow: &Flow) -> Option<u64> {
        self.here.get(flow).copied()
    }

    /// The epoch of the next ownership of a flow, by the real-time clock if that is not behind.
    pub fn next_epoch(&mut self, wall: u64, flow: &Flow) -> u64 {
        let least = self.newest.max(self.known(flow).unwrap_or(0)) + 1;
        self.newest = wall.clamp(least, least.max(EPOCHS - 1));
        self.newest
    }

    /// Notes an epoch that somebody else has given.
    pub fn saw(&mut self, epoch: u64) {
        self.newest = self.newest.max(epoch);
    }

    /// The epoch at which a connection left; zero: it did not.
    pub fn away_epoch(&self, flow: &Flow) -> u64 {
        self.away.get(flow).map_or(0, |(_, epoch)| *epoch)
    }

    pub fn place(&mut self, flow: Flow, peer: PeerId, epoch: u64, cx: &mut Context) {
        self.away.insert(flow, (peer, epoch));
        self.ended.remove(&flow);
        cx.timers.set(Timer::Known(flow), None);
    }

    /// Elsewhere than at the home, knowledge of connections that left ends.
    pub fn remember(&mut self, flow: Flow, now: Time, cx: &mut Context) {
        if !cx.config.is_home(flow.service) && self.away.contains_key(&flow) {
            cx.timers.set(Timer::Known(flow), Some(now + KNOWN));
        }
    }

    /// The flow has ended: messages about it that are still under way must not revive it.
    pub fn end(&mut self, flow: Flow, epoch: u64, now: Time, cx: &mut Context) {
        self.away.remove(&flow);
        self.ended.insert(flow, epoch);
        cx.timers.set(Timer::Known(flow), Some(now + KNOWN));
    }
}
