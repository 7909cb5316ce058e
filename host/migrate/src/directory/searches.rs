//! A home looks for the owners of flows: it asks by 0x89, first the owner that it believes in, then everybody, until one owns the
//! flow or nobody knows it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::context::Context;
use crate::protocol::{COMMIT_TRIES, Flow, Message, MoveId, Nonces, Ownership, PeerId, Time};
use crate::timers::{Retry, Timer};

#[derive(Clone, Debug, Hash)]
struct Search {
    asked: Vec<PeerId>,
    /// What the answers of this round must repeat.
    nonce: u64,
    /// Of this round; a new one begins with each retry.
    answers: BTreeMap<PeerId, Ownership>,
    retry: Retry,
}

/// What an answer leads to.
pub(super) enum Round {
    /// It is of no round, or of another one.
    Stale,
    /// Others are still to answer; or the flow is moving, and the next round or a notice tells where.
    Open,
    /// All that were asked have answered, but not all peers were asked.
    Widen,
    /// Nobody knows the flow.
    Lost,
}

/// The searches that go on.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Searches(BTreeMap<Flow, Search>);

impl Searches {
    /// Asks these peers, each of which is told the last epoch that is `known` here of the flow's owner.
    pub fn begin(&mut self, flow: Flow, asked: Vec<PeerId>, known: u64, now: Time, cx: &mut Context) {
        self.0.insert(flow, Search { asked, nonce: 0, answers: BTreeMap::new(), retry: Retry::start(now) });
        self.ask(flow, known, cx);
    }

    pub fn stop(&mut self, flow: Flow, cx: &mut Context) {
        self.0.remove(&flow);
        cx.timers.set(Timer::Search(flow), None);
    }

    pub fn contains(&self, flow: &Flow) -> bool {
        self.0.contains_key(flow)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Begins a round.
    fn ask(&mut self, flow: Flow, known: u64, cx: &mut Context) {
        let nonce = cx.draw();
        let Some(search) = self.0.get_mut(&flow) else { return };
        search.answers.clear();
        search.nonce = nonce;
        for peer in &search.asked {
            question(*peer, flow, known, nonce, cx);
        }
        cx.timers.set(Timer::Search(flow), Some(search.retry.at));
    }

    /// Whether an answer belongs to the present round.
    pub fn is_awaited(&self, peer: PeerId, flow: &Flow, nonce: u64) -> bool {
        let of_round = |s: &Search| s.asked.contains(&peer) && nonce == s.nonce;
        self.0.get(flow).is_some_and(of_round)
    }

    /// A peer that does not own the flow has answered.
    pub fn handle_answer(&mut self, peer: PeerId, flow: &Flow, state: Ownership, cx: &Context) -> Round {
        let Some(search) = self.0.get_mut(flow) else { return Round::Stale };
        search.answers.insert(peer, state);
        if search.answers.len() < search.asked.len() {
            Round::Open
        } else if search.asked.len() < cx.config.speaking().len() {
            Round::Widen
        } else if search.answers.values().all(|state| *state == Ownership::Unknown) {
            Round::Lost
        } else {
            Round::Open
        }
    }

    /// Asks again. `Lost`: a peer that is silent for so long is dead, and what it owned with it.
    pub fn handle_timeout(&mut self, flow: Flow, known: u64, now: Time, cx: &mut Context) -> Round {
        let Some(search) = self.0.get_mut(&flow) else { return Round::Stale };
        if search.retry.due(now, COMMIT_TRIES).is_err() {
            return Round::Lost;
        }
        self.ask(flow, known, cx);
        Round::Open
    }
}

/// Asks a peer what it is to a flow, of which an owner at the epoch `known` is known here.
fn question(peer: PeerId, flow: Flow, known: u64, nonce: u64, cx: &mut Context) {
    let id = MoveId { peer, client: flow.client, epoch: known };
    let message = Message::Query { state: Ownership::Unknown, owner: cx.config.back_ip, known, answer: false };
    cx.say(id, flow, Nonces { from: nonce, to: 0 }, message);
}

/// Home: asks the node that is said to own a flow, or to have owned it, as of an epoch.
pub(super) fn verify(flow: Flow, named: Ipv4Addr, epoch: u64, known: u64, now: Time, cx: &mut Context) {
    let Some(peer) = cx.config.peers.iter().position(|p| *p == named).map(PeerId) else {
        tracing::warn!(%named, ?flow, "told of an owner that is no peer");
        return;
    };
    if !cx.config.is_plain(peer) {
        let nonce = cx.config.secret.question(peer, &flow, epoch, now);
        question(peer, flow, known, nonce, cx);
    }
}
