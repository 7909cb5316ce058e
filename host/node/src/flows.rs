//! Connections that are treated specially: held while they move, fenced and passed on after they left.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use ipos_migrate::protocol::{Flow, PeerId};

use crate::frame::Transport;

/// Frames held for one connection, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    /// The application had not read them yet.
    queued: VecDeque<(Vec<u8>, Transport)>,
    /// From a peer's card, thus on the way for longer than the others.
    decapsulated: VecDeque<(Vec<u8>, Transport)>,
    /// From the client directly.
    direct: VecDeque<(Vec<u8>, Transport)>,
    bytes: usize,
}

impl Hold {
    /// `false`: over `limit` bytes, the frame is not held.
    pub fn push(&mut self, frame: Vec<u8>, inner: Transport, decapsulated: bool, limit: usize) -> bool {
        if self.bytes + frame.len() > limit {
            return false;
        }
        self.bytes += frame.len();
        if decapsulated { &mut self.decapsulated } else { &mut self.direct }.push_back((frame, inner));
        true
    }

    /// What the socket had taken before anything was held; its own bounds were kept.
    pub fn queued(&mut self, frame: Vec<u8>, inner: Transport) {
        self.queued.push_back((frame, inner));
    }

    pub fn len(&self) -> usize {
        self.queued.len() + self.decapsulated.len() + self.direct.len()
    }

    /// In the order in which the client sent them.
    pub fn iter(&self) -> impl Iterator<Item = &(Vec<u8>, Transport)> {
        self.queued.iter().chain(&self.decapsulated).chain(&self.direct)
    }

    /// The same without what a peer, told by its address on the back network, has sent on.
    pub fn without(&self, mac: [u8; 6]) -> impl Iterator<Item = &(Vec<u8>, Transport)> {
        let others = self.decapsulated.iter().filter(move |(frame, _)| frame[6..12] != mac);
        self.queued.iter().chain(others).chain(&self.direct)
    }
}

/// A connection that lives on another server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Away {
    pub owner: PeerId,
    /// When it is forgotten: never at its home, soon on other servers that it left.
    pub until: Option<Instant>,
    /// When to see whether its forward entry is still used.
    pub look: Instant,
    /// How often that was done.
    pub looks: u32,
}

impl Away {
    /// Lives at `owner` from now on.
    pub fn new(owner: PeerId, idle: Duration) -> Self {
        Away { owner, until: None, look: Instant::now() + idle, looks: 0 }
    }
}

/// What is special about one connection.
#[derive(Debug, Default)]
pub(crate) struct Special {
    /// The client's frames are kept.
    pub hold: Option<Hold>,
    /// Nothing of it leaves this server.
    pub fenced: bool,
    pub away: Option<Away>,
    /// It ended elsewhere: stray segments are dropped until then, so that nobody answers them.
    pub quiet: Option<Instant>,
}

impl Special {
    fn is_plain(&self) -> bool {
        self.hold.is_none() && !self.fenced && self.away.is_none() && self.quiet.is_none()
    }
}

/// All special connections.
#[derive(Debug, Default)]
pub(crate) struct Flows(HashMap<Flow, Special>);

impl Flows {
    pub fn get(&mut self, flow: &Flow) -> Option<&mut Special> {
        self.0.get_mut(flow)
    }

    pub fn entry(&mut self, flow: Flow) -> &mut Special {
        self.0.entry(flow).or_default()
    }

    /// Forgets a connection that is no longer special.
    pub fn tidy(&mut self, flow: &Flow) {
        if self.0.get(flow).is_some_and(Special::is_plain) {
            self.0.remove(flow);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Flow, &Special)> {
        self.0.iter()
    }

    pub fn holding(&self) -> usize {
        self.0.values().filter(|s| s.hold.is_some()).count()
    }

    pub fn away(&self) -> usize {
        self.0.values().filter(|s| s.away.is_some()).count()
    }

    /// Connections elsewhere whose entries are to be looked at, with how often that was done before.
    pub fn due(&mut self, now: Instant, idle: Duration) -> Vec<(Flow, u32)> {
        let due = self.0.iter_mut().filter_map(|(flow, special)| {
            let away = special.away.as_mut().filter(|a| a.until.is_none() && now >= a.look)?;
            away.look = now + idle;
            away.looks = away.looks.wrapping_add(1);
            Some((*flow, away.looks))
        });
        due.collect()
    }

    /// Ends what has run out; returns the connections whose forward entries are to go.
    pub fn expire(&mut self, now: Instant) -> Vec<Flow> {
        let mut gone = Vec::new();
        self.0.retain(|flow, s| {
            s.quiet = s.quiet.filter(|t| now < *t);
            if s.hold.is_none() && s.away.is_some_and(|a| a.until.is_some_and(|t| now >= t)) {
                s.away = None;
                s.fenced = false;
                gone.push(*flow);
            }
            !s.is_plain()
        });
        gone
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use ipos_migrate::protocol::Protocol;

    use super::*;

    #[test]
    fn what_a_home_sent_on_is_not_what_the_owner_sent_on() {
        let address = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let inner = Transport::of(&Flow { protocol: Protocol::Udp, client: address(1), service: address(2) }, 14);
        let frame = |from: u8| [[0; 6], [from; 6]].concat();
        let (owner, home, client) = (1, 2, 3);
        let mut hold = Hold::default();
        hold.queued(frame(owner), inner);
        for (from, decapsulated) in [(client, false), (owner, true), (home, true)] {
            assert!(hold.push(frame(from), inner, decapsulated, 100));
        }
        let senders = |frames: Vec<&(Vec<u8>, Transport)>| frames.iter().map(|(f, _)| f[6]).collect::<Vec<_>>();
        assert_eq!(senders(hold.iter().collect()), [owner, owner, home, client]);
        assert_eq!(senders(hold.without([owner; 6]).collect()), [owner, home, client]);
    }
}
