//! Where connections live: what a home knows and finds out, and what nodes remember of connections that left.
//!
//! A home believes the highest epoch. It hears of owners by 0x87 and of ends by 0x82, each repeated until it is answered
//! (`notices`). After a restart, or when an owner is silent, it asks by 0x89 (`searches`).
//!
//! 0x87 and 0x82 may be recordings. Before the home acts on one it asks the node that is named by 0x89, with a nonce that it can
//! make again from the answer, so that nothing is kept of claims that are not true. That goes for the end of an ownership that the
//! home knows, too: after clocks were set back the same epoch may come again.

mod notices;
mod places;
mod searches;

use std::net::Ipv4Addr;

use crate::context::Context;
use crate::moves::{Moves, Step};
use crate::protocol::{Action, Flow, Ignored, Message, MoveId, Nonces, Ownership, PeerId, Reason, Time};
use crate::timers::Timer;
use notices::Notices;
pub(crate) use places::Places;
use searches::{Round, Searches, verify};

/// What a message says about itself.
#[derive(Clone, Copy)]
pub(crate) struct About {
    pub id: MoveId,
    pub flow: Flow,
    pub nonces: Nonces,
}

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Directory {
    pub places: Places,
    notices: Notices,
    searches: Searches,
}

impl Directory {
    /// Whether an owner is looked for and not even supposed: after a restart the home holds for it.
    pub fn is_lost_sight_of(&self, flow: &Flow) -> bool {
        self.searches.contains(flow) && self.places.owner(flow).is_none()
    }

    /// No notice and no search goes on.
    pub fn is_at_rest(&self) -> bool {
        self.notices.is_empty() && self.searches.is_empty()
    }

    /// See [`Migrator::recover`](crate::Migrator::recover).
    pub fn recover(&mut self, flow: Flow, peer: PeerId, epoch: u64, now: Time, cx: &mut Context) {
        self.places.saw(epoch);
        self.places.place(flow, peer, epoch, cx);
        cx.actions.push_back(Action::Repoint { flow, to: peer });
        if cx.config.is_home(flow.service) {
            self.audit(flow, now, cx);
        } else {
            self.places.remember(flow, now, cx);
        }
    }

    /// See [`Migrator::adopt`](crate::Migrator::adopt).
    pub fn adopt(&mut self, flow: Flow, epoch: u64, alive: bool, now: Time, cx: &mut Context) {
        self.places.saw(epoch);
        if alive {
            self.places.here.insert(flow, epoch);
        }
        let Some(home) = cx.config.other_home(flow.service).filter(|home| !cx.config.is_plain(*home)) else { return };
        let id = MoveId { peer: home, client: flow.client, epoch };
        if alive {
            self.notices.send(id, flow, is_here(epoch, cx), now, cx);
        } else {
            // repeated by nobody: the home's next audit finds out, too
            cx.say(id, flow, Nonces::default(), Message::Refuse { reason: Reason::Lost, known: epoch });
        }
    }

    /// See [`Migrator::audit`](crate::Migrator::audit).
    pub fn audit(&mut self, flow: Flow, now: Time, cx: &mut Context) {
        if cx.config.is_home(flow.service)
            && !self.searches.contains(&flow)
            && let Some(peer) = self.places.owner(&flow).filter(|peer| !cx.config.is_plain(*peer))
        {
            self.search(flow, vec![peer], now, cx);
        }
    }

    /// See [`Migrator::idle`](crate::Migrator::idle).
    pub fn idle(&mut self, flow: Flow, now: Time, cx: &mut Context) {
        if self.places.owner(&flow).is_some_and(|peer| cx.config.is_plain(peer)) {
            let epoch = self.places.known(&flow).unwrap_or(0);
            self.places.end(flow, epoch, now, cx);
            cx.actions.push_back(Action::Forget(flow));
        } else {
            self.audit(flow, now, cx);
        }
    }

    /// See [`Migrator::released`](crate::Migrator::released).
    pub fn released(&mut self, flow: Flow, now: Time, cx: &mut Context) {
        let Some(epoch) = self.places.here.remove(&flow) else { return };
        self.places.end(flow, epoch, now, cx);
        if let Some(home) = cx.config.other_home(flow.service) {
            let id = MoveId { peer: home, client: flow.client, epoch };
            self.notices.send(id, flow, Message::Release { answer: false }, now, cx);
        }
    }

    /// A move has changed who owns the connection, or what is known of that.
    pub fn follow(&mut self, step: Step, id: MoveId, flow: Flow, now: Time, cx: &mut Context) {
        match step {
            Step::Stays => {}
            Step::Arrives => self.arrived(id, flow, now, cx),
            Step::Leaves => self.left(id, flow, now, cx),
            Step::Lost => self.lost_by(flow, id, now, cx),
            // the destination may still ask
            Step::Unconfirmed => {
                self.places.remember(flow, now, cx);
                self.audit(flow, now, cx);
            }
        }
    }

    /// The connection has become this node's.
    fn arrived(&mut self, id: MoveId, flow: Flow, now: Time, cx: &mut Context) {
        self.places.saw(id.epoch);
        self.places.away.remove(&flow);
        self.places.ended.remove(&flow);
        self.searches.stop(flow, cx);
        cx.timers.set(Timer::Known(flow), None);
        self.places.here.insert(flow, id.epoch);
        if let Some(home) = cx.config.other_home(flow.service).filter(|home| *home != id.peer) {
            self.notices.send(MoveId { peer: home, ..id }, flow, is_here(id.epoch, cx), now, cx);
        }
    }

    /// The connection has become the peer's.
    fn left(&mut self, id: MoveId, flow: Flow, now: Time, cx: &mut Context) {
        if let (Some(epoch), Some(home)) = (self.places.here.remove(&flow), cx.config.other_home(flow.service)) {
            self.notices.stop(MoveId { peer: home, client: flow.client, epoch }, cx);
        }
        self.places.place(flow, id.peer, id.epoch, cx);
        self.places.remember(flow, now, cx);
    }

    /// The destination of a committed move says that it has lost the connection. It may have moved on before that.
    fn lost_by(&mut self, flow: Flow, id: MoveId, now: Time, cx: &mut Context) {
        if self.places.away.get(&flow) != Some(&(id.peer, id.epoch)) {
            return;
        }
        if cx.config.is_home(flow.service) {
            self.search(flow, cx.config.speaking(), now, cx);
        } else {
            self.lost(flow, now, cx);
        }
    }

    /// The owner has lost the connection. Its home lets the client know.
    fn lost(&mut self, flow: Flow, now: Time, cx: &mut Context) {
        self.searches.stop(flow, cx);
        self.places.end(flow, self.places.away_epoch(&flow), now, cx);
        cx.actions.push_back(Action::Lost(flow));
    }

    /// Knowledge of a flow is old enough.
    pub fn forget(&mut self, flow: Flow, moves: &Moves, cx: &mut Context) {
        if self.places.away.remove(&flow).is_some() && !moves.is_pending(&flow) {
            cx.actions.push_back(Action::Forget(flow));
        }
        self.places.ended.remove(&flow);
    }

    pub fn notice_due(&mut self, id: MoveId, now: Time, cx: &mut Context) {
        self.notices.handle_timeout(id, now, cx);
    }

    pub fn search_due(&mut self, flow: Flow, now: Time, cx: &mut Context) {
        let known = self.places.away_epoch(&flow);
        if let Round::Lost = self.searches.handle_timeout(flow, known, now, cx) {
            self.lost(flow, now, cx);
        }
    }

    fn search(&mut self, flow: Flow, asked: Vec<PeerId>, now: Time, cx: &mut Context) {
        let known = self.places.away_epoch(&flow);
        self.searches.begin(flow, asked, known, now, cx);
    }

    /// A message about a flow, or about a move that is not known here. It may be a recording: an answer repeats the nonce of its
    /// sender, so that only somebody who waits for it believes it.
    pub fn handle_message(&mut self, about: About, message: Message, moves: &Moves, now: Time, cx: &mut Context) {
        let About { id, flow, nonces } = about;
        let known = self.places.known(&flow).unwrap_or(0);
        let answer = match message {
            Message::Moved { answer: true, known, .. } => {
                return self.noted(about, &message, known, now, cx);
            }
            Message::Release { answer: true } => return self.noted(about, &message, 0, now, cx),
            Message::Moved { owner, answer: false, .. } => {
                if cx.config.is_home(flow.service) && known < id.epoch {
                    return verify(flow, owner, id.epoch, self.places.away_epoch(&flow), now, cx);
                }
                Message::Moved { owner, known, answer: true }
            }
            Message::Release { answer: false } => {
                if cx.config.is_home(flow.service) && self.is_open(&flow) && known <= id.epoch {
                    let named = cx.config.peers[id.peer.0];
                    return verify(flow, named, id.epoch, self.places.away_epoch(&flow), now, cx);
                }
                Message::Release { answer: true }
            }
            Message::Query { state: Ownership::Prepared, answer: false, .. }
            | Message::Ready { .. }
            | Message::Progress { .. }
            | Message::Acknowledge => {
                // the destination waits for more; where a connection went is the record of its commit
                match self.places.away.get(&flow) {
                    Some((peer, epoch)) if *peer == id.peer && *epoch <= id.epoch => Message::Commit { answer: false },
                    _ => Message::Cancel,
                }
            }
            Message::Query { answer: false, .. } => self.knowledge(&flow, moves, cx),
            Message::Query { state, known, answer: true, .. } => {
                return self.found(about, state, known, now, cx);
            }
            // it came, and may be gone by now; or it never did
            Message::Commit { answer: false } if known >= id.epoch => Message::Commit { answer: true },
            Message::Commit { answer: false } => Message::Refuse { reason: Reason::Lost, known },
            Message::Connection(_) | Message::Data { .. } | Message::Cancel => {
                Message::Refuse { reason: Reason::Cancelled, known }
            }
            // an owner that restarted has found no socket; what it says begins a search, at the home alone
            Message::Refuse { reason: Reason::Lost, .. } => {
                if cx.config.is_home(flow.service) {
                    self.lost_by(flow, id, now, cx);
                }
                return;
            }
            Message::Offer { .. } | Message::Refuse { .. } | Message::Commit { answer: true } => return,
        };
        cx.say(id, flow, Nonces { from: 0, to: nonces.from }, answer);
    }

    /// Whether there is an entry or a search, so that there is something to end. With neither, the packets of a new connection may
    /// already come here.
    fn is_open(&self, flow: &Flow) -> bool {
        self.places.away.contains_key(flow) || self.searches.contains(flow)
    }

    /// An answer to a notice, of a home that knows of the epoch `known`.
    fn noted(&mut self, about: About, answer: &Message, known: u64, now: Time, cx: &mut Context) {
        let About { id, flow, nonces } = about;
        if !self.notices.is_answered(id, nonces.to, answer, cx) {
            return;
        }
        // the home knows an ownership of later: this one is the truth, and says so under a higher epoch
        if known > id.epoch && self.places.here.get(&flow) == Some(&id.epoch) {
            self.places.saw(known);
            let epoch = self.places.next_epoch(0, &flow);
            self.places.here.insert(flow, epoch);
            self.notices.send(MoveId { epoch, ..id }, flow, is_here(epoch, cx), now, cx);
        }
    }

    /// What this node is to a flow.
    fn knowledge(&self, flow: &Flow, moves: &Moves, cx: &Context) -> Message {
        let (here, known) = (cx.config.back_ip, self.places.known(flow).unwrap_or(0));
        let (state, owner) = match self.places.owner(flow) {
            _ if moves.owns(flow) || self.places.here.contains_key(flow) => (Ownership::Owner, here),
            _ if moves.is_pending(flow) => (Ownership::Prepared, here),
            Some(peer) => (Ownership::Moved, cx.config.peers[peer.0]),
            None => (Ownership::Unknown, Ipv4Addr::UNSPECIFIED),
        };
        Message::Query { state, owner, known, answer: true }
    }

    /// A peer has said what it is to a flow.
    fn found(&mut self, about: About, state: Ownership, epoch: u64, now: Time, cx: &mut Context) {
        let About { id: MoveId { peer, .. }, flow, nonces: Nonces { to: nonce, .. } } = about;
        if cx.config.secret.is_answered(nonce, peer, &flow, epoch, now) {
            return self.verified(peer, flow, state, epoch, now, cx);
        }
        if !self.searches.is_awaited(peer, &flow, nonce) {
            return cx.ignore(peer, Ignored::Nonce);
        }
        if state == Ownership::Owner && epoch >= self.places.away_epoch(&flow) {
            let before = self.places.owner(&flow);
            self.places.place(flow, peer, epoch, cx);
            self.places.remember(flow, now, cx);
            self.searches.stop(flow, cx);
            if before != Some(peer) {
                cx.actions.push_back(Action::Repoint { flow, to: peer });
            }
            return;
        }
        match self.searches.handle_answer(peer, &flow, state, cx) {
            Round::Widen => self.search(flow, cx.config.speaking(), now, cx),
            Round::Lost => self.lost(flow, now, cx),
            Round::Open | Round::Stale => {}
        }
    }

    /// A peer confirms what 0x87 or 0x82 has said of it.
    fn verified(&mut self, peer: PeerId, flow: Flow, state: Ownership, epoch: u64, now: Time, cx: &mut Context) {
        if !cx.config.is_home(flow.service) {
            return;
        }
        let later = self.places.known(&flow).is_none_or(|known| known < epoch);
        match state {
            Ownership::Owner if later => self.moved(flow, peer, epoch, cx),
            Ownership::Unknown if later || self.places.away.get(&flow) == Some(&(peer, epoch)) => {
                self.released_at(flow, epoch, now, cx);
            }
            // else it is no news, or the connection goes on and the next notice tells where
            _ => {}
        }
    }

    /// Home: a connection lives elsewhere now.
    fn moved(&mut self, flow: Flow, to: PeerId, epoch: u64, cx: &mut Context) {
        self.searches.stop(flow, cx);
        self.places.here.remove(&flow);
        self.places.place(flow, to, epoch, cx);
        cx.actions.push_back(Action::Repoint { flow, to });
    }

    /// Home: the owner at `epoch`, the last one, no longer has the connection.
    fn released_at(&mut self, flow: Flow, epoch: u64, now: Time, cx: &mut Context) {
        if self.is_open(&flow) {
            cx.actions.push_back(Action::Forget(flow));
        }
        self.searches.stop(flow, cx);
        self.places.end(flow, epoch, now, cx);
    }
}

/// What a home is told of an arrival.
fn is_here(epoch: u64, cx: &Context) -> Message {
    Message::Moved { owner: cx.config.back_ip, known: epoch, answer: false }
}
