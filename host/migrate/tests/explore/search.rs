//! Every schedule: depth first over all choices, each state once.

use std::collections::HashSet;

use ipos_migrate::protocol::Failure;

use crate::world::{
    BEGIN, Client, Content, Entry, Frame, HOME, Note, RESTART, Socket, World, core, node_of, peer_of, print,
};

/// One choice of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Deliver(usize),
    Repeat(usize),
    Lose(usize),
    Timer(usize),
    Send,
    Move(usize),
    GiveUp(usize),
    Fail,
    Crash(usize),
    Restart(usize),
    Close,
    Audit,
    Kernel(usize),
    /// A recorded message under the address of the first node to the second.
    Attack(usize, usize, usize),
    Reuse,
}

impl World {
    /// Everything that can happen next.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let left = self.left;
        for (i, frame) in self.wire.iter().enumerate() {
            let behind = |f: &Frame| left.ordered && (f.from, f.to) == (frame.from, frame.to);
            if self.wire[..i].iter().any(|f| f == frame || behind(f)) {
                continue;
            }
            steps.push(Step::Deliver(i));
            if left.repeat > 0 {
                steps.push(Step::Repeat(i));
            }
            if left.loss > 0 {
                steps.push(Step::Lose(i));
            }
        }
        // clocks run at one rate: the earliest timer is the next; no kernel sits on a packet for so long
        let earliest = self.nodes.iter().filter_map(|n| n.core.poll_timeout()).min();
        let worked = self.nodes.iter().all(|n| n.backlog.is_none());
        let time = worked && earliest.is_some() && (self.wire.is_empty() || left.early > 0);
        for (n, node) in self.nodes.iter().enumerate() {
            if time && node.core.poll_timeout() == earliest {
                steps.push(Step::Timer(n));
            }
            if node.backlog.is_some() {
                steps.push(Step::Kernel(n));
            }
            if left.crash > 0 {
                steps.push(Step::Crash(n));
            }
            if left.restart > 0 {
                steps.push(Step::Restart(n));
            }
            // of a plain peer's only the end of a node does so: it hands over what may not be built yet
            if left.fail > 0 && node.outgoing.is_some() && !self.kind.is_plain() {
                steps.push(Step::GiveUp(n));
            }
        }
        if left.attack > 0 && (!left.late || self.client.generation > 0) {
            for (i, frame) in self.heard.values().enumerate() {
                let pairs = (0..self.nodes.len()).flat_map(|a| (0..self.nodes.len()).map(move |b| (a, b)));
                let pairs = pairs.filter(|(a, b)| a != b && World::is_authentic(frame, *a, *b));
                steps.extend(pairs.map(|(a, b)| Step::Attack(i, a, b)));
            }
        }
        // while the home has an entry, a SYN goes where that leads
        let rests = earliest.is_none() && self.wire.is_empty() && worked && self.nodes[HOME].away.is_none();
        if left.reuse > 0 && self.client.closed && rests {
            steps.push(Step::Reuse);
        }
        if left.fail > 0 && !self.failing {
            steps.push(Step::Fail);
        }
        if left.audit > 0 && self.nodes[HOME].away.is_some() {
            steps.push(Step::Audit);
        }
        if left.packets > 0 {
            steps.push(Step::Send);
        }
        if let Some(owner) = self.owner().filter(|o| self.nodes[*o].socket.is_some_and(|s| !s.frozen)) {
            if left.moves > 0 && self.nodes[owner].outgoing.is_none() {
                steps.extend((0..self.nodes.len()).filter(|n| *n != owner).map(Step::Move));
            }
            if left.close > 0 && self.nodes[owner].outgoing.is_none() {
                steps.push(Step::Close);
            }
        }
        steps
    }

    pub fn step(&mut self, step: Step) {
        match step {
            Step::Deliver(i) => {
                let frame = self.wire.remove(i);
                self.arrive(frame);
            }
            Step::Repeat(i) => {
                self.left.repeat -= 1;
                let frame = self.wire[i].clone();
                if let (true, Content::Front(byte) | Content::Forwarded(byte)) = (self.is_udp(), &frame.content) {
                    self.client.repeated |= 1 << byte;
                }
                self.arrive(frame);
            }
            Step::Lose(i) => {
                self.left.loss -= 1;
                let frame = self.wire.remove(i);
                self.lost_with(&frame);
            }
            Step::Timer(n) => {
                if !self.wire.is_empty() {
                    self.left.early -= 1;
                }
                let Some(at) = self.nodes[n].core.poll_timeout() else { return };
                self.now = self.now.max(at);
                let now = self.now;
                self.nodes[n].core.handle_timeout(now);
                self.act(n);
            }
            Step::Send => {
                self.left.packets -= 1;
                self.say();
            }
            Step::Move(to) => {
                self.left.moves -= 1;
                if let Some(owner) = self.owner() {
                    self.start(owner, peer_of(owner, to));
                }
            }
            Step::GiveUp(n) => {
                self.left.fail -= 1;
                let now = self.now;
                if let Some(id) = self.nodes[n].outgoing {
                    self.nodes[n].core.give_up(id, Failure::Local, now);
                    self.act(n);
                }
            }
            Step::Fail => {
                self.left.fail -= 1;
                self.failing = true;
            }
            Step::Crash(n) => {
                self.left.crash -= 1;
                self.crash(n, true);
            }
            Step::Restart(n) => {
                self.left.restart -= 1;
                self.crash(n, false);
            }
            Step::Close => {
                self.left.close -= 1;
                self.client.closed = true;
                if let Some(owner) = self.owner() {
                    (self.nodes[owner].socket, self.nodes[owner].noted) = (None, None);
                    let now = self.now;
                    self.nodes[owner].core.released(self.flow, now);
                    self.act(owner);
                }
            }
            Step::Audit => {
                self.left.audit -= 1;
                self.audit();
            }
            Step::Kernel(n) => {
                if let Some(byte) = self.nodes[n].backlog.take() {
                    self.kernel(n, byte);
                }
            }
            Step::Attack(i, from, to) => {
                self.left.attack -= 1;
                let recorded = self.heard.values().nth(i).cloned();
                if self.left.attack == 0 {
                    self.heard.clear();
                }
                if let Some(frame) = recorded {
                    self.arrive(Frame { from, to, ..frame });
                }
            }
            Step::Reuse => {
                self.left.reuse -= 1;
                self.reuse();
            }
        }
        // else the order of the wire is no order
        if self.left.ordered {
            self.wire.sort_by_key(|f| (f.from, f.to));
        } else {
            self.wire.sort_by_key(|f| f.print);
        }
        self.check();
    }

    fn arrive(&mut self, Frame { from, to, content, .. }: Frame) {
        match content {
            Content::Control(packet) => {
                let now = self.now;
                self.nodes[to].core.handle_message(peer_of(to, from), packet, now);
                self.act(to);
            }
            Content::Forwarded(byte) => self.packet(to, Some(from), byte),
            Content::Front(byte) => self.packet(to, None, byte),
        }
    }

    /// The client begins another connection of the same addresses. Its SYN ends what was left of the old one at the home.
    fn reuse(&mut self) {
        let generation = self.client.generation + 1;
        self.client = Client { generation, ..Client::default() };
        (self.died, self.dead_copy) = (false, None);
        let count = self.nodes.len();
        for (n, node) in self.nodes.iter_mut().enumerate() {
            node.socket = (n == HOME).then_some(Socket { received: 0, generation, given: false, frozen: false });
            node.quiet &= n != HOME;
            if self.left.forget {
                node.life += 1;
                (node.core, node.noted) = (core(n, count, self.kind, node.life), None);
                (node.entry, node.fenced, node.quiet, node.away) = (Entry::Miss, false, false, None);
            }
        }
        if self.left.forget {
            self.behind = self.now - BEGIN;
        }
    }

    /// The node's process ends and starts again. Sockets that it holds end with it, those of applications only if their server
    /// dies, too; the card's tables are emptied at the start.
    fn crash(&mut self, n: usize, server: bool) {
        let elsewhere = self.nodes.iter().enumerate().any(|(o, x)| o != n && x.socket.is_some());
        let count = self.nodes.len();
        self.now += RESTART;
        let node = &mut self.nodes[n];
        let prepared = node.prepared.take().map(|(id, _)| id.epoch);
        let lost = node.socket.is_some_and(|s| server || s.frozen);
        node.socket = node.socket.filter(|_| !lost).map(|s| Socket { given: false, ..s });
        let waiting = std::mem::take(&mut node.unread);
        let held = node.hold.take().unwrap_or_default().into_iter().map(|h| h.byte);
        let gone: Vec<_> = held.chain(node.backlog.take()).chain(waiting.iter().copied().filter(|_| lost)).collect();
        self.died |= lost || (prepared.is_some() && !elsewhere);
        self.dead_copy = prepared.or(self.dead_copy);
        node.life += 1;
        (node.core, node.outgoing, node.reserved) = (core(n, count, self.kind, node.life), None, None);
        (node.entry, node.fenced, node.quiet, node.away, node.frozen_at) = (Entry::Miss, false, false, None, None);
        let now = self.now;
        match node.noted {
            Some(Note::Away(to, epoch)) => node.core.recover(self.flow, peer_of(n, to), epoch, now),
            Some(Note::Here(epoch)) => {
                let alive = node.socket.is_some();
                node.noted = node.noted.filter(|_| alive);
                node.core.adopt(self.flow, epoch, alive, now);
            }
            None => {}
        }
        self.act(n);
        gone.into_iter().for_each(|byte| self.lost(byte));
        waiting.into_iter().filter(|_| !lost).for_each(|byte| self.read(n, byte));
    }

    /// What must be true when nothing is under way and no timer runs.
    pub fn check_end(&mut self) {
        // nobody tells a plain home of an end: its entry goes when it is not used
        if self.died || (self.client.closed && self.kind.is_plain()) {
            self.settle();
        }
        let nodes = &self.nodes;
        let held = nodes.iter().any(|n| n.hold.is_some() || n.reserved.is_some() || n.prepared.is_some());
        let frozen = nodes.iter().any(|n| n.socket.is_some_and(|s| s.frozen) || n.outgoing.is_some());
        self.rule(!held, "something is held or reserved for ever");
        self.rule(!frozen, "something is frozen or moving for ever");
        let gone = self.client.closed || self.died;
        let owner = self.owner();
        self.rule(gone || owner.is_some(), "nobody owns the connection");
        let home = &self.nodes[HOME];
        let (known, away) = (home.core.owner(&self.flow).map(|p| node_of(HOME, p)), home.away);
        self.rule(known == away, "core and shell disagree about the owner");
        self.rule(owner == Some(away.unwrap_or(HOME)) || gone, "the home does not know the owner");
        self.rule(!self.client.closed || away.is_none() || self.died, "the home keeps the entry of what is gone");
        for n in 0..self.nodes.len() {
            self.check_rest(n, owner == Some(n));
        }
        let Client { acked, sent, lost, .. } = self.client;
        self.rule(gone || !(acked | lost) & ((1 << sent) - 1) == 0, "a datagram was lost in a node");
    }

    /// What a node may still have at the end: the home the owner's entry, and it and the owner what they know.
    fn check_rest(&mut self, n: usize, owns: bool) {
        let (node, flow) = (&self.nodes[n], self.flow);
        let moves = node.core.is_at_rest();
        // without the entry the node itself passes packets on
        let entry = node.entry == Entry::Miss || Some(node.entry) == node.away.map(Entry::To);
        let rest = entry && node.unread.is_empty();
        let apart = n == HOME || (node.away.is_none() && !node.fenced);
        let known = n == HOME || owns || (node.core.known(&flow).is_none() && node.noted.is_none());
        self.rule(moves, "a move, a notice or a search is remembered for ever");
        self.rule(rest && apart, "an entry, a fence or a datagram is left");
        self.rule(known, "a node knows for ever of what it has not");
    }

    /// Follows the schedule without faults to its end and tries whether the client is served.
    pub fn probe(mut self) -> Option<&'static str> {
        self.left = Default::default();
        let byte = self.say();
        self.follow();
        let served = self.client.acked & 1 << byte != 0;
        self.rule(served || self.client.closed || (self.died && self.client.reset), "the client is left hanging");
        self.broken
    }

    /// What messages left wrong that came after more than a minute, or after a death, the next audit puts right.
    pub fn settle(&mut self) {
        self.left = Default::default();
        self.audit();
        self.follow();
    }

    fn follow(&mut self) {
        for _ in 0..1000 {
            let Some(step) = self.steps().first().copied() else { return };
            self.step(step);
        }
        self.rule(false, "it goes on for ever");
    }

    fn audit(&mut self) {
        let now = self.now;
        self.nodes[HOME].core.idle(self.flow, now);
        self.act(HOME);
    }
}

/// What a search has found.
#[derive(Debug, Default)]
pub struct Search {
    seen: HashSet<u64>,
    pub transitions: u64,
    pub ends: u64,
    pub deepest: usize,
    path: Vec<String>,
    pub broken: Option<String>,
}

impl Search {
    /// Explores everything that can follow `world`; stops at the first broken rule.
    pub fn run(mut self, world: World) -> Self {
        self.explore(world);
        self
    }

    pub fn states(&self) -> usize {
        self.seen.len()
    }

    fn explore(&mut self, mut world: World) {
        if self.broken.is_some() || !self.seen.insert(print(&world)) {
            return;
        }
        self.deepest = self.deepest.max(self.path.len());
        let steps = world.steps();
        let quiet = world.wire.is_empty() && !steps.iter().any(|s| matches!(s, Step::Timer(_) | Step::Kernel(_)));
        if quiet && world.broken.is_none() {
            self.ends += 1;
            let mut end = world.clone();
            end.check_end();
            world.broken = end.broken.or_else(|| end.probe());
        }
        if let Some(rule) = world.broken {
            self.broken = Some(format!("{rule}\n{}\n{}", self.path.join("\n"), world.nodes_text()));
            return;
        }
        for step in steps {
            let mut next = world.clone();
            self.path.push(world.tell(step));
            next.step(step);
            self.transitions += 1;
            self.explore(next);
            self.path.pop();
        }
    }
}

impl World {
    /// A step for people.
    pub fn tell(&self, step: Step) -> String {
        let frame = |i: usize| {
            let Frame { from, to, content, .. } = &self.wire[i];
            let what = match content {
                Content::Control(p) => format!("{:?} epoch {}", p.message, p.epoch),
                other => format!("{other:?}"),
            };
            format!("{from}->{to} {}", &what[..what.len().min(90)])
        };
        match step {
            Step::Deliver(i) => format!("deliver {}", frame(i)),
            Step::Repeat(i) => format!("repeat  {}", frame(i)),
            Step::Lose(i) => format!("lose    {}", frame(i)),
            Step::Attack(i, a, b) => {
                let recorded = self.heard.values().nth(i).map(|f| &f.content);
                let Some(Content::Control(p)) = recorded else { return "attack".to_owned() };
                let what = format!("{:?} epoch {}", p.message, p.epoch);
                format!("attack  {a}->{b} {}", &what[..what.len().min(90)])
            }
            Step::Timer(n) => format!("timer   {n} at {:?}", self.nodes[n].core.poll_timeout()),
            other => format!("{other:?}"),
        }
    }

    pub fn nodes_text(&self) -> String {
        let mut text = format!("{:?}\n", self.client);
        for n in &self.nodes {
            text += &format!(
                "{:?} socket {:?} prepared {:?} hold {:?} away {:?} fenced {} outgoing {:?}\n",
                n.entry, n.socket, n.prepared, n.hold, n.away, n.fenced, n.outgoing
            );
        }
        text
    }
}
