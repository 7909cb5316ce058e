//! Where connections live: what a home knows and finds out, and what nodes remember of connections that left.
//!
//! A home believes the highest epoch. It hears of owners by 0x87 and of ends by 0x82, each repeated
//! until it is answered. After a restart, or when an owner is silent, it asks by 0x89: first the owner that
//! it believes in, then everybody, until one owns the flow or nobody knows it.
//!
//! 0x87 and 0x82 may be recordings. Before the home acts on one it asks the node that is named by 0x89, with a nonce that it can
//! make again from the answer, so that nothing is kept of what is not true. That goes for the end of an ownership that the home
//! knows, too: after clocks were set back the same epoch may come again.

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::migrator::{Migrator, Timer};
use crate::protocol::{
    Action, COMMIT_TRIES, Flow, Ignored, KNOWN, Message, MoveId, Nonces, Ownership, PeerId, Reason, Retry, Time,
};

/// Something that the home must acknowledge: where a connection went, or that it is gone.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Notice {
    flow: Flow,
    message: Message,
    /// What the answer must repeat.
    nonce: u64,
    retry: Retry,
}

/// A home looks for the owner of a flow.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Search {
    asked: Vec<PeerId>,
    /// What the answers of this round must repeat.
    nonce: u64,
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
            self.notify(id, flow, self.is_here(epoch), now);
        } else {
            // repeated by nobody: the home's next audit finds out, too
            self.say(id, flow, Nonces::default(), Message::Refuse { reason: Reason::Lost, known: epoch });
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
            self.notify(MoveId { peer: home, ..id }, flow, self.is_here(id.epoch), now);
        }
    }

    /// What the home is told of an arrival.
    fn is_here(&self, epoch: u64) -> Message {
        Message::Moved { owner: self.config.back_ip, known: epoch, answer: false }
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

    /// A message about a move that is not known here. It may be a recording: an answer repeats the nonce of its sender, so that only
    /// somebody who waits for it believes it.
    pub(crate) fn about(&mut self, id: MoveId, flow: Flow, nonces: Nonces, message: Message, now: Time) {
        let known = self.known(&flow).unwrap_or(0);
        let answer = match message {
            Message::Moved { answer: true, known, .. } => return self.noted(id, flow, nonces, &message, known, now),
            Message::Release { answer: true } => return self.noted(id, flow, nonces, &message, 0, now),
            Message::Moved { owner, answer: false, .. } => {
                if self.is_home(flow.service) == Some(true) && known < id.epoch {
                    return self.verify(flow, owner, id.epoch, now);
                }
                Message::Moved { owner, known, answer: true }
            }
            Message::Release { answer: false } => {
                // without either there is nothing to forget
                let open = self.away.contains_key(&flow) || self.searches.contains_key(&flow);
                if self.is_home(flow.service) == Some(true) && open && known <= id.epoch {
                    return self.verify(flow, self.config.peers[id.peer.0], id.epoch, now);
                }
                Message::Release { answer: true }
            }
            Message::Query { state: Ownership::Prepared, answer: false, .. }
            | Message::Ready { .. }
            | Message::Progress { .. }
            | Message::Acknowledge => {
                // the destination waits for more; where a connection went is the record of its commit
                match self.away.get(&flow) {
                    Some((peer, epoch)) if *peer == id.peer && *epoch <= id.epoch => Message::Commit { answer: false },
                    _ => Message::Cancel,
                }
            }
            Message::Query { answer: false, .. } => self.knowledge(&flow),
            Message::Query { state, known, answer: true, .. } => {
                return self.found(id.peer, flow, nonces.to, state, known, now);
            }
            // it came, and may be gone by now; or it never did
            Message::Commit { answer: false } if known >= id.epoch => Message::Commit { answer: true },
            Message::Commit { answer: false } => Message::Refuse { reason: Reason::Lost, known },
            Message::Connection(_) | Message::Data { .. } | Message::Cancel => {
                Message::Refuse { reason: Reason::Cancelled, known }
            }
            // an owner that restarted has found no socket; what it says begins a search, at the home alone
            Message::Refuse { reason: Reason::Lost, .. } => {
                if self.is_home(flow.service) == Some(true) {
                    self.lost_by(flow, id, now);
                }
                return;
            }
            Message::Offer { .. } | Message::Refuse { .. } | Message::Commit { answer: true } => return,
        };
        self.say(id, flow, Nonces { from: 0, to: nonces.from }, answer);
    }

    /// An answer to a notice.
    fn noted(&mut self, id: MoveId, flow: Flow, nonces: Nonces, answer: &Message, known: u64, now: Time) {
        // an answer to the one is none to the other, which has the same number
        let to = |n: &Notice| discriminant(&n.message) == discriminant(answer) && n.nonce == nonces.to;
        if !self.notices.get(&id).is_some_and(to) {
            return;
        }
        self.unnotify(id);
        // the home knows an ownership of later: this one is the truth, and says so under a higher epoch
        if known > id.epoch && self.here.get(&flow) == Some(&id.epoch) {
            self.epoch = self.epoch.max(known);
            let epoch = self.next_epoch(0, &flow);
            self.here.insert(flow, epoch);
            self.notify(MoveId { epoch, ..id }, flow, self.is_here(epoch), now);
        }
    }

    /// Home: asks the node that is said to own a flow, or to have owned it, as of an epoch.
    fn verify(&mut self, flow: Flow, named: Ipv4Addr, epoch: u64, now: Time) {
        let Some(peer) = self.config.peers.iter().position(|p| *p == named).map(PeerId) else {
            tracing::warn!(%named, ?flow, "told of an owner that is no peer");
            return;
        };
        if !self.config.plain.contains(&peer) {
            let nonce = self.config.secret.question(peer, &flow, epoch, now);
            self.question(peer, flow, nonce);
        }
    }

    /// Asks a peer what it is to a flow.
    fn question(&mut self, peer: PeerId, flow: Flow, nonce: u64) {
        let known = self.away.get(&flow).map_or(0, |(_, epoch)| *epoch);
        let id = MoveId { peer, client: flow.client, epoch: known };
        let owner = self.config.back_ip;
        let message = Message::Query { state: Ownership::Unknown, owner, known, answer: false };
        self.say(id, flow, Nonces { from: nonce, to: 0 }, message);
    }

    /// The owner at `epoch`, the last one, no longer has the connection.
    fn released_at(&mut self, flow: Flow, epoch: u64, now: Time) {
        // with neither, the packets of a new connection may already come here
        if self.away.contains_key(&flow) || self.searches.contains_key(&flow) {
            self.out.push_back(Action::Forget(flow));
        }
        self.settled(flow);
        self.end(flow, epoch, now);
    }

    /// Sends a message about a flow that is here, or is asked about from here.
    fn say(&mut self, id: MoveId, flow: Flow, nonces: Nonces, message: Message) {
        let owner = SocketAddrV4::new(self.config.back_ip, flow.service.port());
        self.out.push_back(Action::Send { id, flow, owner, nonces, message });
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
    fn moved(&mut self, flow: Flow, to: PeerId, epoch: u64) {
        self.settled(flow);
        self.here.remove(&flow);
        self.place(flow, to, epoch);
        self.out.push_back(Action::Repoint { flow, to });
    }

    fn search(&mut self, flow: Flow, believed: Option<PeerId>, now: Time) {
        let asked = believed.map_or_else(|| self.speaking(), |peer| vec![peer]);
        self.searches.insert(flow, Search { asked, nonce: 0, answers: BTreeMap::new(), retry: Retry::start(now) });
        self.ask(flow);
    }

    /// Who can be asked.
    fn speaking(&self) -> Vec<PeerId> {
        (0..self.config.peers.len()).map(PeerId).filter(|p| !self.config.plain.contains(p)).collect()
    }

    /// Begins a round.
    fn ask(&mut self, flow: Flow) {
        let nonce = self.draw();
        let Some(search) = self.searches.get_mut(&flow) else { return };
        search.answers.clear();
        search.nonce = nonce;
        let (at, asked) = (search.retry.at, search.asked.clone());
        for peer in asked {
            self.question(peer, flow, nonce);
        }
        self.timers.set(Timer::Search(flow), Some(at));
    }

    /// A peer has said what it is to a flow.
    fn found(&mut self, peer: PeerId, flow: Flow, nonce: u64, state: Ownership, epoch: u64, now: Time) {
        if self.config.secret.is_answered(nonce, peer, &flow, epoch, now) {
            return self.verified(peer, flow, state, epoch, now);
        }
        let known = self.away.get(&flow).map_or(0, |(_, epoch)| *epoch);
        let asked_at_most = self.speaking().len();
        let of_round = |s: &&mut Search| s.asked.contains(&peer) && nonce == s.nonce;
        let Some(search) = self.searches.get_mut(&flow).filter(of_round) else {
            return self.ignore(peer, Ignored::Nonce);
        };
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

    /// A peer confirms what 0x87 or 0x82 has said of it.
    fn verified(&mut self, peer: PeerId, flow: Flow, state: Ownership, epoch: u64, now: Time) {
        if self.is_home(flow.service) != Some(true) {
            return;
        }
        let later = self.known(&flow).is_none_or(|known| known < epoch);
        match state {
            Ownership::Owner if later => self.moved(flow, peer, epoch),
            Ownership::Unknown if later || self.away.get(&flow) == Some(&(peer, epoch)) => {
                self.released_at(flow, epoch, now);
            }
            // else it is no news, or the connection goes on and the next notice tells where
            _ => {}
        }
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
        let notice = Notice { flow, message, nonce: self.draw(), retry: Retry::start(now) };
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
        self.say(id, notice.flow, Nonces { from: notice.nonce, to: 0 }, notice.message.clone());
    }
}
