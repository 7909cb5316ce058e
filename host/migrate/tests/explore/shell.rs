//! What a node does for its core, in the order in which `host/node` does it.

use ipos_migrate::protocol::{Action, Endpoint, Failure, MoveId, PeerId, Protocol, Reason, Streams, Tcb};

use crate::record::packet;
use crate::world::{Content, Entry, Frame, HOME, Held, Note, Socket, World, node_of};

/// Of a receive queue: what goes ahead of the freeze, and what is left for it.
const COPIED: u8 = 9;
const UNCOPIED: u8 = 8;

impl World {
    /// Carries out what the core of `n` has decided.
    pub fn act(&mut self, n: usize) {
        while let Some(action) = self.nodes[n].core.poll_action() {
            match action {
                Action::Send { id, flow, owner, nonces, message } => {
                    let to = node_of(n, id.peer);
                    let epoch = if self.kind.is_plain_between(n, to) { 0 } else { id.epoch };
                    self.put(Frame::new(n, to, Content::Control(packet(flow, owner, epoch, nonces, message))));
                }
                Action::Copy(id) => self.copy(n, id),
                Action::Freeze(id) => self.freeze(n, id),
                Action::HandOver(id) => self.hand_over(n, id),
                Action::Done(id) => {
                    if self.nodes[n].outgoing == Some(id) {
                        self.nodes[n].outgoing = None;
                    }
                }
                Action::Failed(id, failure) => self.failed(n, id, failure),
                Action::Renew { old, new } => {
                    if self.nodes[n].outgoing == Some(old) {
                        self.nodes[n].outgoing = Some(new);
                    }
                }
                Action::Ignored { .. } => {}
                // the kernel has a socket of the flow: nothing of the kind can arrive
                Action::Ask { id, .. } => {
                    let busy = self.nodes[n].socket.is_some();
                    self.nodes[n].core.asked(id, if busy { Err(Reason::Busy) } else { Ok(()) });
                }
                Action::Reserve { id, .. } => self.reserve(n, id),
                Action::Prepare { id, streams, endpoint, .. } => {
                    let fails = std::mem::take(&mut self.failing);
                    let whole = streams.receive.is_empty() || streams.receive == [COPIED, UNCOPIED];
                    self.rule(whole, "a queue is not what it was");
                    let plain = self.kind.is_plain_between(n, node_of(n, id.peer));
                    let received = match (plain, &endpoint, &streams.application[..]) {
                        (true, Endpoint::Tcp(tcb, _), []) => Some(tcb.rcv_nxt as u16),
                        // nothing travels: its applications know what they must from elsewhere
                        (true, Endpoint::Udp, []) => Some(self.client.acked),
                        (false, _, [_, state @ ..]) => state.try_into().ok().map(u16::from_le_bytes),
                        _ => None,
                    };
                    let generation = streams.application.first().copied().unwrap_or(self.client.generation);
                    self.rule(received.is_some(), "the application's state is not what it was");
                    let received = received.unwrap_or(0);
                    if !fails {
                        self.nodes[n].prepared =
                            Some((id, Socket { received, generation, given: false, frozen: true }));
                    }
                    let result = if fails { Err(Reason::Unsupported) } else { Ok(()) };
                    let now = self.now;
                    self.nodes[n].core.prepared(id, result, now);
                }
                Action::GoLive(id) => self.go_live(n, id),
                Action::Abandon(id) => self.abandon(n, id),
                Action::Repoint { to, .. } => {
                    let to = node_of(n, to);
                    let node = &mut self.nodes[n];
                    (node.away, node.fenced) = (Some(to), true);
                    node.noted = node.core.known(&self.flow).map(|epoch| Note::Away(to, epoch));
                    // while it is held for a move to here, the entry stays as it is
                    if node.reserved.is_none() {
                        node.entry = Entry::To(to);
                        let hold = node.hold.take().unwrap_or_default();
                        self.pass_on(n, to, hold);
                    }
                }
                Action::Forget(_) => {
                    let node = &mut self.nodes[n];
                    (node.entry, node.away, node.fenced) = (Entry::Miss, None, false);
                    // at its home the next datagram begins a new flow
                    node.quiet = n != HOME || self.flow.protocol == Protocol::Tcp;
                    node.noted = None;
                    node.hold = node.hold.take().filter(|_| node.reserved.is_some());
                }
                Action::Lost(_) => {
                    let node = &mut self.nodes[n];
                    (node.entry, node.away, node.fenced, node.noted) = (Entry::Miss, None, false, None);
                    if node.reserved.is_none() {
                        for held in node.hold.take().unwrap_or_default() {
                            self.deliver(n, held.byte);
                        }
                    }
                }
            }
        }
    }

    fn pass_on(&mut self, n: usize, to: usize, hold: impl IntoIterator<Item = Held>) {
        for Held { byte, .. } in hold {
            self.put(Frame::new(n, to, Content::Forwarded(byte)));
        }
    }

    fn copy(&mut self, n: usize, id: MoveId) {
        let now = self.now;
        let owned = self.nodes[n].socket.is_some_and(|s| !s.frozen);
        if std::mem::take(&mut self.failing) || !owned {
            return self.nodes[n].core.give_up(id, Failure::Local, now);
        }
        self.nodes[n].copied = true;
        self.nodes[n].core.copied(id, [vec![COPIED], Vec::new()]);
    }

    fn freeze(&mut self, n: usize, id: MoveId) {
        let now = self.now;
        let owned = self.nodes[n].socket.is_some_and(|s| !s.frozen);
        if std::mem::take(&mut self.failing) || !owned {
            // the connection may have ended meanwhile: sock_diag no longer knows it
            return self.nodes[n].core.give_up(id, Failure::Local, now);
        }
        let node = &mut self.nodes[n];
        (node.entry, node.hold, node.fenced) = (Entry::Host, Some(Vec::new()), true);
        // datagrams that wait go the way of those that are held
        let waiting = std::mem::take(&mut node.unread).into_iter().map(|byte| Held { byte, from: Some(n) });
        node.hold.get_or_insert_default().extend(waiting);
        let Some(socket) = &mut node.socket else { return };
        socket.frozen = true;
        node.frozen_at = Some(now);
        let (received, plain) = (socket.received, self.kind.is_plain_between(n, node_of(n, id.peer)));
        let [low, high] = received.to_le_bytes();
        let state = if plain { Vec::new() } else { vec![socket.generation, low, high] };
        // a byte has come since
        let rest = if std::mem::take(&mut node.copied) { vec![UNCOPIED] } else { Vec::new() };
        let tcb = if plain {
            Tcb { rcv_nxt: received.into(), copied_seq: received.into(), ..Tcb::default() }
        } else {
            Tcb { rcv_nxt: 2 * rest.len() as u32, ..Tcb::default() }
        };
        let endpoint = match self.flow.protocol {
            Protocol::Tcp => Endpoint::Tcp(Box::new(tcb), Box::default()),
            Protocol::Udp => Endpoint::Udp,
        };
        node.core.frozen(id, endpoint, Streams { receive: rest, send: Vec::new(), application: state }, now);
    }

    fn hand_over(&mut self, n: usize, id: MoveId) {
        let now = self.now;
        let (fails, to) = (std::mem::take(&mut self.failing), node_of(n, id.peer));
        if fails && !self.kind.is_plain_between(n, to) {
            return self.nodes[n].core.give_up(id, Failure::Local, now);
        }
        self.died |= self.dead_copy == Some(id.epoch);
        let node = &mut self.nodes[n];
        let (socket, hold, late) = (node.socket.take(), node.hold.take(), std::mem::take(&mut node.unread));
        node.frozen_at = None;
        node.entry = if fails { Entry::Miss } else { Entry::To(to) };
        (node.away, node.noted) = (Some(to), Some(Note::Away(to, id.epoch)));
        node.core.handed_over(id, now);
        self.rule(socket.is_some_and(|s| s.frozen), "handed over what was not frozen");
        let late = late.into_iter().map(|byte| Held { byte, from: Some(n) });
        self.pass_on(n, to, hold.unwrap_or_default().into_iter().chain(late));
    }

    fn failed(&mut self, n: usize, id: MoveId, failure: Failure) {
        self.rule(!self.calm || self.client.closed, "a recording made a move fail");
        let node = &mut self.nodes[n];
        if node.outgoing == Some(id) {
            node.outgoing = None;
        }
        if matches!(failure, Failure::Unconfirmed | Failure::Lost) {
            return;
        }
        let Some(socket) = &mut node.socket else { return self.rule(false, "a failed move took the connection away") };
        socket.given = false;
        let mut hold = Vec::new();
        if std::mem::take(&mut socket.frozen) {
            (node.fenced, node.entry, node.frozen_at) = (false, Entry::Miss, None);
            hold = node.hold.take().unwrap_or_default();
        }
        for byte in std::mem::take(&mut node.unread) {
            self.read(n, byte);
        }
        for held in hold {
            self.deliver(n, held.byte);
        }
    }

    fn reserve(&mut self, n: usize, id: MoveId) {
        let now = self.now;
        let fails = std::mem::take(&mut self.failing);
        let node = &mut self.nodes[n];
        let mut ok = true;
        if !fails {
            ok = node.socket.is_none() && node.reserved.is_none();
            // after a restart of the home something may be held already
            node.reserved = Some(id);
            node.hold.get_or_insert_default();
            if n == HOME || node.away.is_some() {
                node.entry = Entry::Host;
            }
        }
        node.core.reserved(id, if fails { Err(Reason::NoListener) } else { Ok(()) }, now);
        self.rule(ok, "reserved what is owned or held here");
    }

    fn go_live(&mut self, n: usize, id: MoveId) {
        let node = &mut self.nodes[n];
        let prepared = node.prepared.take();
        let hold = node.hold.take().unwrap_or_default();
        (node.reserved, node.fenced, node.away, node.quiet, node.entry) = (None, false, None, false, Entry::Miss);
        node.noted = Some(Note::Here(id.epoch));
        match prepared {
            Some((prepared, socket)) if prepared == id => {
                node.socket = Some(Socket { frozen: false, ..socket });
                self.rule(socket.generation == self.client.generation, "a connection of the past came back");
            }
            _ => self.rule(false, "live without a socket"),
        }
        for held in hold {
            self.deliver(n, held.byte);
        }
    }

    fn abandon(&mut self, n: usize, id: MoveId) {
        let node = &mut self.nodes[n];
        if node.reserved != Some(id) {
            return;
        }
        (node.reserved, node.prepared) = (None, None);
        let (hold, away) = (node.hold.take().unwrap_or_default(), node.away);
        node.entry = node.away.map_or(Entry::Miss, Entry::To);
        // what the owner sent on it still holds, or it is as late as what `packet` drops
        if let Some(to) = away {
            let (late, others): (Vec<_>, Vec<_>) = hold.into_iter().partition(|h| h.from == Some(to));
            self.pass_on(n, to, others);
            late.into_iter().for_each(|h| self.lost(h.byte));
        }
    }

    /// An application at `n` wants its connection at `to`.
    pub fn start(&mut self, n: usize, peer: PeerId) {
        let (now, wall) = (self.now, (self.now - self.behind).as_micros() as u64);
        let plain = self.kind.is_plain_between(n, node_of(n, peer));
        let ahead = u32::from(self.left.ahead > 0 && !self.kind.is_udp() && !plain);
        let state = if plain { 0 } else { 3 };
        if let Ok(id) = self.nodes[n].core.start(
            now,
            wall,
            peer,
            self.flow,
            Streams { receive: ahead, send: 0, application: state },
        ) {
            self.left.ahead = self.left.ahead.saturating_sub(1);
            let node = &mut self.nodes[n];
            (node.outgoing, node.copied) = (Some(id), false);
            node.socket = node.socket.map(|s| Socket { given: true, ..s });
            self.act(n);
        }
    }
}
