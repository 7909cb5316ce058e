//! Where connections live: what a home knows and finds out, and what nodes remember of connections that left.
//!
//! A home believes the highest epoch. It hears of owners by 0x87 and of ends by 0x82, each repeated
//! until it is answered. After a restart, or when an owner is silent, it asks by 0x89: first the owner that
//! it believes in, then everybody, until one owns the flow or nobody knows it.

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::migrator::{Migrator, Timer};
use crate::protocol::{Action, COMMIT_TRIES, Flow, KNOWN, Message, MoveId, Ownership, PeerId, Reason, Retry, Time};

/// Something that the home must acknowledge: where a connection went, or that it is gone.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Notice {
    flow: Flow,
    message: Message,
    retry: Retry,
}

/// A home looks for the owner of a flow.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Search {
    asked: Vec<PeerId>,
    /// Of this round; a new one begins with each retry.
    answers: BTreeMap<PeerId, Ownership>,
    retry: Retry,
}

impl Migrator {
    /// Whether this node is the home of a service; `None`: the cluster does not serve it.
    #[must_use]
    pub fn is_home(&self, service: SocketAddrV4) -> Option<bool> {
        self.home(service).map(|home| home.is_none())
    }

    pub(crate) fn home(&self, service: SocketAddrV4) -> Option<Option<PeerId>> {
        self.config.services.iter().find(|s| s.address == service).map(|s| s.home)
    }

    /// Where a connection that left this node lives, as far as known: at its home always.
    #[must_use]
    pub fn owner(&self, flow: &Flow) -> Option<PeerId> {
        self.away.get(flow).map(|(peer, _)| *peer)
    }

    /// The last epoch that is known of a flow.
    #[must_use]
    pub fn known(&self, flow: &Flow) -> Option<u64> {
        let away = self.away.get(flow).map(|(_, epoch)| *epoch);
        self.here.get(flow).copied().max(away).max(self.ended.get(flow).copied())
    }

    /// After a restart: a flow left this node for `peer` in the move `epoch`, as it has written down. That is the record of a
    /// commit, so the shell passes on what arrives for the flow; a home asks whether it is still true.
    pub fn recover(&mut self, flow: Flow, peer: PeerId, epoch: u64, now: Time) {
        self.epoch = self.epoch.max(epoch);
        self.place(flow, peer, epoch);
        self.out.push_back(Action::Repoint { flow, to: peer });
        if self.is_home(flow.service) == Some(true) {
            self.audit(flow, now);
        } else {
            self.remember(flow, now);
        }
    }

    /// After a restart: a flow that moved here by the move `epoch`, as it was written down, still has its socket, or has it
    /// no more. Either way its home is told, which may have heard nothing or have asked in vain.
    pub fn adopt(&mut self, flow: Flow, epoch: u64, alive: bool, now: Time) {
        let home = self.home(flow.service).flatten();
        self.epoch = self.epoch.max(epoch);
        if alive {
            self.here.insert(flow, epoch);
        }
        let Some(home) = home.filter(|h| !self.config.plain.contains(h)) else { return };
        let id = MoveId { peer: home, client: flow.client, epoch };
        if alive {
            self.notify(id, flow, Message::Moved { owner: self.config.back_ip, answer: false }, now);
        } else {
            let owner = SocketAddrV4::new(self.config.back_ip, flow.service.port());
            // repeated by nobody: the home's next audit finds out, too
            self.out.push_back(Action::Send { id, flow, owner, message: Message::Refuse(Reason::Lost) });
        }
    }

    /// Home: asks the owner of a flow that lives elsewhere whether it still does. To be called now and
    /// then, say once a minute, so that entries of dead owners end.
    pub fn audit(&mut self, flow: Flow, now: Time) {
        if self.is_home(flow.service) == Some(true)
            && !self.searches.contains_key(&flow)
            && let Some(peer) = self.owner(&flow).filter(|p| !self.config.plain.contains(p))
        {
            self.search(flow, Some(peer), now);
        }
    }

    /// A connection that moved here is gone, TIME_WAIT included.
    pub fn released(&mut self, flow: Flow, now: Time) {
        let Some(epoch) = self.here.remove(&flow) else { return };
        self.end(flow, epoch, now);
        if let Some(Some(home)) = self.home(flow.service) {
            let id = MoveId { peer: home, client: flow.client, epoch };
            self.notify(id, flow, Message::Release { answer: false }, now);
        }
    }

    /// The connection has become this node's.
    pub(crate) fn arrived(&mut self, id: MoveId, flow: Flow, now: Time) {
        self.epoch = self.epoch.max(id.epoch);
        self.away.remove(&flow);
        self.ended.remove(&flow);
        self.settled(flow);
        self.timers.set(Timer::Known(flow), None);
        self.here.insert(flow, id.epoch);
        if let Some(Some(home)) = self.home(flow.service)
            && home != id.peer
        {
            let id = MoveId { peer: home, ..id };
            let message = Message::Moved { owner: self.config.back_ip, answer: false };
            self.notify(id, flow, message, now);
        }
    }

    /// The connection has become the peer's.
    pub(crate) fn left(&mut self, flow: Flow, id: MoveId, now: Time) {
        if let (Some(epoch), Some(Some(home))) = (self.here.remove(&flow), self.home(flow.service)) {
            self.unnotify(MoveId { peer: home, client: flow.client, epoch });
        }
        self.place(flow, id.peer, id.epoch);
        self.remember(flow, now);
    }

    /// The destination never confirmed: it may still ask.
    pub(crate) fn unconfirmed(&mut self, flow: Flow, now: Time) {
        self.remember(flow, now);
        self.audit(flow, now);
    }

    fn place(&mut self, flow: Flow, peer: PeerId, epoch: u64) {
        self.away.insert(flow, (peer, epoch));
        self.ended.remove(&flow);
        self.timers.set(Timer::Known(flow), None);
    }

    /// Elsewhere than at the home, knowledge of what left ends.
    fn remember(&mut self, flow: Flow, now: Time) {
        if self.is_home(flow.service) != Some(true) && self.away.contains_key(&flow) {
            self.timers.set(Timer::Known(flow), Some(now + KNOWN));
        }
    }

    /// What was known long enough.
    pub(crate) fn forget(&mut self, flow: Flow) {
        let moving = self.moves_of(&flow).iter().any(|id| self.destinations.get(id).is_some_and(|d| d.is_pending()));
        if self.away.remove(&flow).is_some() && !moving {
            self.out.push_back(Action::Forget(flow));
        }
        self.ended.remove(&flow);
    }

    /// The flow has ended: messages about it that are still under way must not revive it.
    pub(crate) fn end(&mut self, flow: Flow, epoch: u64, now: Time) {
        self.away.remove(&flow);
        self.ended.insert(flow, epoch);
        self.timers.set(Timer::Known(flow), Some(now + KNOWN));
    }

    /// The destination of a committed move says that it has lost the connection. It may have moved on before that.
    pub(crate) fn lost_by(&mut self, flow: Flow, id: MoveId, now: Time) {
        if self.away.get(&flow) != Some(&(id.peer, id.epoch)) {
            return;
        }
        if self.is_home(flow.service) == Some(true) {
            self.search(flow, None, now);
        } else {
            self.lost(flow, now);
        }
    }

    /// The owner has lost the connection. Its home lets the client know.
    pub(crate) fn lost(&mut self, flow: Flow, now: Time) {
        self.settled(flow);
        let known = self.away.get(&flow).map_or(0, |(_, epoch)| *epoch);
        self.end(flow, known, now);
        self.out.push_back(Action::Lost(flow));
    }

    /// A message about a move that is not known here.
    pub(crate) fn about(&mut self, id: MoveId, flow: Flow, message: Message, now: Time) {
        let owner = SocketAddrV4::new(self.config.peers[id.peer.0], flow.service.port());
        let answer = match message {
            Message::Moved { answer: true, .. } | Message::Release { answer: true } => {
                // an answer to the one is none to the other, which has the same number
                if self.notices.get(&id).is_some_and(|n| discriminant(&n.message) == discriminant(&message)) {
                    self.unnotify(id);
                }
                return;
            }
            Message::Moved { owner, answer: false } => {
                self.moved(id, flow, owner);
                Message::Moved { owner, answer: true }
            }
            Message::Release { answer: false } => {
                // an older epoch is about an ownership that has ended by a move
                if self.is_home(flow.service) == Some(true) && self.known(&flow).is_none_or(|known| known <= id.epoch) {
                    // with neither, the packets of a new connection may already come here
                    if self.away.contains_key(&flow) || self.searches.contains_key(&flow) {
                        self.out.push_back(Action::Forget(flow));
                    }
                    self.settled(flow);
                    self.end(flow, id.epoch, now);
                }
                Message::Release { answer: true }
            }
            Message::Query { state: Ownership::Prepared, answer: false, .. }
            | Message::Ready
            | Message::Progress { .. }
            | Message::Acknowledge => {
                // the destination waits for more; where a connection went is the record of its commit
                match self.away.get(&flow) {
                    Some((peer, epoch)) if *peer == id.peer && *epoch <= id.epoch => Message::Commit { answer: false },
                    _ => Message::Cancel,
                }
            }
            Message::Query { answer: false, .. } => self.knowledge(&flow),
            Message::Query { state, known, answer: true, .. } => return self.found(id.peer, flow, state, known, now),
            // it came, and may be gone by now; or it never did
            Message::Commit { answer: false } if self.known(&flow).is_some_and(|known| known >= id.epoch) => {
                Message::Commit { answer: true }
            }
            Message::Commit { answer: false } => Message::Refuse(Reason::Lost),
            Message::Connection(_) | Message::Data { .. } | Message::Cancel => Message::Refuse(Reason::Cancelled),
            // an owner that restarted has found no socket
            Message::Refuse(Reason::Lost) => return self.lost_by(flow, id, now),
            Message::Offer { .. } | Message::Refuse(_) | Message::Commit { answer: true } => return,
        };
        self.out.push_back(Action::Send { id, flow, owner, message: answer });
    }

    /// What this node is to a flow.
    fn knowledge(&self, flow: &Flow) -> Message {
        let (here, known) = (self.config.back_ip, self.known(flow).unwrap_or(0));
        let moves = self.moves_of(flow);
        let owns = moves.iter().any(|id| self.sources.get(id).is_some_and(|s| s.owns()));
        let pending = moves.iter().any(|id| self.destinations.get(id).is_some_and(|d| d.is_pending()));
        let (state, owner) = match self.owner(flow) {
            _ if owns || self.here.contains_key(flow) => (Ownership::Owner, here),
            _ if pending => (Ownership::Prepared, here),
            Some(peer) => (Ownership::Moved, self.config.peers[peer.0]),
            None => (Ownership::Unknown, Ipv4Addr::UNSPECIFIED),
        };
        Message::Query { state, owner, known, answer: true }
    }

    /// Home: a connection lives elsewhere now.
    fn moved(&mut self, id: MoveId, flow: Flow, owner: Ipv4Addr) {
        let Some(to) = self.config.peers.iter().position(|p| *p == owner).map(PeerId) else {
            tracing::warn!(%owner, ?flow, "told of an owner that is no peer");
            return;
        };
        if self.is_home(flow.service) == Some(true) && self.known(&flow).is_none_or(|known| known < id.epoch) {
            self.settled(flow);
            self.here.remove(&flow);
            self.place(flow, to, id.epoch);
            self.out.push_back(Action::Repoint { flow, to });
        }
    }

    fn search(&mut self, flow: Flow, believed: Option<PeerId>, now: Time) {
        let asked = believed.map_or_else(|| self.speaking(), |peer| vec![peer]);
        self.searches.insert(flow, Search { asked, answers: BTreeMap::new(), retry: Retry::start(now) });
        self.ask(flow);
    }

    /// Who can be asked.
    fn speaking(&self) -> Vec<PeerId> {
        (0..self.config.peers.len()).map(PeerId).filter(|p| !self.config.plain.contains(p)).collect()
    }

    /// Begins a round.
    fn ask(&mut self, flow: Flow) {
        let Some(search) = self.searches.get_mut(&flow) else { return };
        search.answers.clear();
        let known = self.away.get(&flow).map_or(0, |(_, epoch)| *epoch);
        let owner = SocketAddrV4::new(self.config.back_ip, flow.service.port());
        for peer in &search.asked {
            let id = MoveId { peer: *peer, client: flow.client, epoch: known };
            let message = Message::Query { state: Ownership::Unknown, owner: *owner.ip(), known, answer: false };
            self.out.push_back(Action::Send { id, flow, owner, message });
        }
        self.timers.set(Timer::Search(flow), Some(search.retry.at));
    }

    /// A peer has said what it is to a flow.
    fn found(&mut self, peer: PeerId, flow: Flow, state: Ownership, epoch: u64, now: Time) {
        let known = self.away.get(&flow).map_or(0, |(_, epoch)| *epoch);
        let asked_at_most = self.speaking().len();
        let Some(search) = self.searches.get_mut(&flow).filter(|s| s.asked.contains(&peer)) else { return };
        if state == Ownership::Owner && epoch >= known {
            let before = self.owner(&flow);
            self.place(flow, peer, epoch);
            self.remember(flow, now);
            self.settled(flow);
            if before != Some(peer) {
                self.out.push_back(Action::Repoint { flow, to: peer });
            }
            return;
        }
        search.answers.insert(peer, state);
        if search.answers.len() < search.asked.len() {
            return;
        }
        if search.asked.len() < asked_at_most {
            self.search(flow, None, now);
        } else if search.answers.values().all(|state| *state == Ownership::Unknown) {
            self.lost(flow, now);
        }
        // else it is moving: the next round or a notice tells where
    }

    pub(crate) fn search_due(&mut self, flow: Flow, now: Time) {
        let Some(search) = self.searches.get_mut(&flow) else { return };
        match search.retry.due(now, COMMIT_TRIES) {
            Ok(_) => self.ask(flow),
            // a peer that is silent for so long is dead, and what it owned with it
            Err(()) => self.lost(flow, now),
        }
    }

    /// The search for a flow's owner has ended.
    fn settled(&mut self, flow: Flow) {
        self.searches.remove(&flow);
        self.timers.set(Timer::Search(flow), None);
    }

    fn notify(&mut self, id: MoveId, flow: Flow, message: Message, now: Time) {
        if self.config.plain.contains(&id.peer) {
            return;
        }
        let notice = Notice { flow, message, retry: Retry::start(now) };
        self.timers.set(Timer::Notice(id), Some(notice.retry.at));
        self.tell(id, &notice);
        self.notices.insert(id, notice);
    }

    fn unnotify(&mut self, id: MoveId) {
        self.notices.remove(&id);
        self.timers.set(Timer::Notice(id), None);
    }

    /// Where a connection lives is told for as long as it lives here; its end, for about a minute.
    pub(crate) fn notice_due(&mut self, id: MoveId, now: Time) {
        let Some(mut notice) = self.notices.remove(&id) else { return };
        let limit = if matches!(notice.message, Message::Moved { .. }) { u32::MAX } else { COMMIT_TRIES };
        if notice.retry.due(now, limit).is_err() {
            tracing::warn!(?id, message = ?notice.message, "the home does not answer");
            return;
        }
        self.tell(id, &notice);
        self.timers.set(Timer::Notice(id), Some(notice.retry.at));
        self.notices.insert(id, notice);
    }

    fn tell(&mut self, id: MoveId, notice: &Notice) {
        let owner = SocketAddrV4::new(self.config.back_ip, notice.flow.service.port());
        self.out.push_back(Action::Send { id, flow: notice.flow, owner, message: notice.message.clone() });
    }
}
