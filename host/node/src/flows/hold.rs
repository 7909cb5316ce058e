//! Frames that are kept for a connection while it moves.

use std::collections::VecDeque;

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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use ipos_migrate::protocol::{Flow, Protocol};

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
