//! Three cores joined by a network that loses, repeats and reorders, in virtual time. What the
//! shells see is judged by rules that the cores don't know: one owner at most at any instant,
//! exactly one in the end, the bytes as they were written, and a home that knows the owner.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ipos_abi::wire::trailer::{Key, Path};
use ipos_abi::wire::{Mac, ethernet};
use ipos_migrate::codec::{Packet, decode, encode};
use ipos_migrate::protocol::{
    Action, EPOCHS, Endpoint, Failure, Flow, Ignored, Message, MoveId, Nonces, Ownership, PeerId, Protocol, Reason,
    Stream, Streams, Tcb,
};
use ipos_migrate::{Config, Migrator, Secret, Service, StartError};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

const NODES: usize = 3;
const HOME: usize = 0;
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 40_000);
const SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 80);
const FLOW: Flow = Flow { protocol: Protocol::Tcp, client: CLIENT, service: SERVICE };

fn back(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 0, node as u8)
}

/// The node that `node` knows as `peer`: each lists the others in order.
fn node_of(node: usize, peer: PeerId) -> usize {
    if peer.0 < node { peer.0 } else { peer.0 + 1 }
}

fn peer_of(node: usize, other: usize) -> PeerId {
    PeerId(if other < node { other } else { other - 1 })
}

struct Faults {
    loss: f64,
    repeat: f64,
    delay: Duration,
    /// Local work that fails.
    local: f64,
}

struct Node {
    core: Migrator,
    owns: bool,
    /// Streams given to the core, and built.
    prepared: bool,
}

struct World {
    rng: StdRng,
    seed: u64,
    now: Duration,
    faults: Faults,
    nodes: Vec<Node>,
    truth: Streams<Vec<u8>>,
    /// What of the first two went ahead, of which move.
    copied: Option<(MoveId, [usize; 2])>,
    /// Frames under way, by time of arrival.
    wire: BTreeMap<(Duration, u64), (usize, usize, Vec<u8>)>,
    sent: u64,
    moving: Option<usize>,
    /// What the nodes' real-time clocks show.
    clocks: [Duration; NODES],
    ended: HashMap<&'static str, u32>,
    key: Key,
}

/// A node in one of its lives.
fn core(n: usize, life: u8) -> Migrator {
    Migrator::new(Config {
        back_ip: back(n),
        peers: (0..NODES).filter(|o| *o != n).map(back).collect(),
        plain: BTreeSet::new(),
        services: vec![Service { address: SERVICE, home: (n != HOME).then(|| peer_of(n, HOME)) }],
        move_bytes: 1 << 20,
        ahead_bytes: 10_000,
        features: 0,
        secret: Secret::new([n as u8 + 16 * life; 32]),
    })
}

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        let nodes = (0..NODES).map(|n| Node { core: core(n, 0), owns: n == HOME, prepared: false }).collect();
        World {
            rng: StdRng::seed_from_u64(seed),
            seed,
            now: Duration::from_secs(1),
            faults,
            nodes,
            truth: Default::default(),
            copied: None,
            wire: BTreeMap::new(),
            sent: 0,
            moving: None,
            clocks: [Duration::from_secs(7_200); NODES],
            ended: HashMap::new(),
            key: Key::new([7; 32]),
        }
    }

    fn owners(&self) -> usize {
        self.nodes.iter().filter(|n| n.owns).count()
    }

    fn send(&mut self, from: usize, id: MoveId, packet: &Packet) {
        let to = node_of(from, id.peer);
        let link = ethernet::Repr {
            dst: Mac([2, 0, 0, 0, 0, to as u8]),
            src: Mac([2, 0, 0, 0, 0, from as u8]),
            vlan: None,
            ethertype: ethernet::IPOS,
        };
        let mut frame = Vec::new();
        let path = Path { from: back(from), to: back(to) };
        encode(packet, link, path, Some(&self.key), &mut frame).unwrap();
        let copies =
            u32::from(!self.rng.random_bool(self.faults.loss)) + u32::from(self.rng.random_bool(self.faults.repeat));
        for _ in 0..copies {
            let delay = self.faults.delay.mul_f64(self.rng.random::<f64>()) + Duration::from_micros(50);
            self.sent += 1;
            self.wire.insert((self.now + delay, self.sent), (from, to, frame.clone()));
        }
    }

    fn act(&mut self, n: usize) {
        while let Some(action) = self.nodes[n].core.poll_action() {
            let fails = self.faults.local > 0.0 && self.rng.random_bool(self.faults.local);
            let now = self.now;
            let node = &mut self.nodes[n];
            match action {
                Action::Send { id, flow, owner, nonces, message } => {
                    let Flow { protocol, client, service } = flow;
                    let (service, epoch) = (Some(service), id.epoch);
                    let packet = Packet { protocol, client, owner, service, epoch, nonces, message };
                    self.send(n, id, &packet);
                }
                Action::Copy(id) if fails => node.core.give_up(id, Failure::Local, now),
                Action::Copy(id) => {
                    assert!(node.owns, "seed {}: a copy of what is not owned", self.seed);
                    for stream in [&mut self.truth.receive, &mut self.truth.send] {
                        let longest = [0, 1, 5_000, 300_000][self.rng.random_range(0..4)];
                        stream.resize(self.rng.random_range(0..=longest), 0);
                        self.rng.fill_bytes(stream);
                    }
                    let Streams { receive, send, .. } = self.truth.clone();
                    self.copied = Some((id, [receive.len(), send.len()]));
                    node.core.copied(id, [receive, send]);
                }
                Action::Freeze(id) if fails => node.core.give_up(id, Failure::Local, now),
                Action::Freeze(id) => {
                    assert!(node.owns, "seed {}: a freeze of what is not owned", self.seed);
                    // what was copied stays, and more has come behind it
                    let copied = self.copied.take().filter(|(of, _)| *of == id).map_or([0; 2], |(_, lengths)| lengths);
                    let known = Streams { receive: copied[0], send: copied[1], application: 0 };
                    for (stream, known) in known {
                        let stream = &mut self.truth[stream];
                        let longest = [0, 1, 5_000, 300_000][self.rng.random_range(0..4)];
                        stream.resize(known + self.rng.random_range(0..=longest), 0);
                        self.rng.fill_bytes(&mut stream[known..]);
                    }
                    let rest = self.truth.as_ref().zip(known).map(|(stream, known)| stream[known..].to_vec());
                    let tcb = Tcb {
                        rcv_nxt: (self.truth.receive.len() as u32).wrapping_sub(9),
                        copied_seq: 9u32.wrapping_neg(),
                        write_seq: self.truth.send.len() as u32,
                        ..Tcb::default()
                    };
                    node.core.frozen(id, Endpoint::Tcp(Box::new(tcb), Box::default()), rest, now);
                }
                Action::HandOver(id) if fails => node.core.give_up(id, Failure::Local, now),
                Action::HandOver(id) => {
                    assert!(std::mem::take(&mut node.owns), "seed {}", self.seed);
                    node.core.handed_over(id, now);
                }
                Action::Done(_) => {
                    assert!(self.moving.take().is_some());
                    *self.ended.entry("done").or_default() += 1;
                }
                Action::Failed(id, failure) => {
                    assert_ne!(failure, Failure::Unconfirmed, "seed {}: {id:?}", self.seed);
                    assert!(node.owns, "seed {}: {failure} without the connection", self.seed);
                    self.moving = None;
                    *self.ended.entry("failed").or_default() += 1;
                }
                Action::Ask { id, flow, .. } => {
                    assert_eq!(flow, FLOW);
                    node.core.asked(id, if node.owns || fails { Err(Reason::Busy) } else { Ok(()) });
                }
                Action::Renew { old, new } => {
                    assert!(new.epoch > old.epoch, "seed {}", self.seed);
                    *self.ended.entry("behind").or_default() += 1;
                }
                // the networks here repeat and delay
                Action::Ignored { why, .. } => assert_eq!(why, Ignored::Nonce, "seed {}", self.seed),
                Action::Reserve { id, flow, .. } => {
                    assert_eq!(flow, FLOW);
                    assert!(!node.owns, "seed {}: offered to its owner", self.seed);
                    node.core.reserved(id, if fails { Err(Reason::NoListener) } else { Ok(()) }, now);
                }
                Action::Prepare { id, streams, .. } => {
                    assert!(streams == self.truth, "seed {}: the bytes changed on the way", self.seed);
                    node.prepared = !fails;
                    node.core.prepared(id, if fails { Err(Reason::Unsupported) } else { Ok(()) }, now);
                }
                Action::GoLive(_) => {
                    assert!(std::mem::take(&mut node.prepared), "seed {}: live without a socket", self.seed);
                    node.owns = true;
                }
                Action::Abandon(_) => {
                    assert!(!node.owns, "seed {}: abandoned what it owns", self.seed);
                    node.prepared = false;
                }
                Action::Repoint { flow, .. } => assert_eq!((n, flow), (HOME, FLOW), "seed {}", self.seed),
                Action::Forget(flow) => assert_eq!(flow, FLOW, "seed {}", self.seed),
                Action::Lost(_) => panic!("seed {}: a connection is lost without a crash", self.seed),
            }
            assert!(self.owners() <= 1, "seed {}: two owners", self.seed);
        }
    }

    /// Runs until `until` or until nothing is left to do; returns whether something is.
    fn step(&mut self, until: Duration) -> bool {
        let frame = self.wire.first_key_value().map(|(k, _)| k.0);
        let timers = self.nodes.iter().filter_map(|n| n.core.poll_timeout());
        let Some(next) = timers.chain(frame).min().filter(|t| *t <= until) else { return false };
        self.now = self.now.max(next);
        if frame == Some(next) {
            let (_, (from, to, bytes)) = self.wire.pop_first().unwrap();
            let (mac, packet) = decode(
                &bytes,
                ethernet::IPOS,
                std::slice::from_ref(&self.key),
                Path { from: back(from), to: back(to) },
            )
            .unwrap();
            assert_eq!(mac.0[5] as usize, from);
            self.nodes[to].core.handle_message(peer_of(to, from), packet, self.now);
            self.act(to);
        } else {
            for n in 0..NODES {
                self.nodes[n].core.handle_timeout(self.now);
                self.act(n);
            }
        }
        true
    }

    fn run_moves(&mut self, moves: u32) {
        for _ in 0..moves {
            let until = self.now + Duration::from_secs(200);
            while self.moving.is_some() {
                assert!(self.step(until), "seed {}: a move hangs", self.seed);
            }
            // while a commit's answer is under way the new owner may already move on
            let Some(owner) = self.nodes.iter().position(|n| n.owns) else { panic!("seed {}: no owner", self.seed) };
            let to = (owner + self.rng.random_range(1..NODES)) % NODES;
            let wall = (self.clocks[owner] + self.now).as_micros() as u64;
            let lengths = Streams { receive: self.rng.random_range(0..20_000), send: 2, application: 3 };
            let started = self.nodes[owner].core.start(self.now, wall, peer_of(owner, to), FLOW, lengths);
            assert!(started.is_ok(), "seed {}: {started:?}", self.seed);
            self.moving = Some(owner);
            self.act(owner);
        }
        let until = self.now + Duration::from_secs(300);
        while self.step(until) {}
        assert_eq!(self.owners(), 1, "seed {}", self.seed);
        assert_eq!(self.moving, None, "seed {}", self.seed);
        let owner = self.nodes.iter().position(|n| n.owns).unwrap();
        let known = self.nodes[HOME].core.owner(&FLOW).map_or(HOME, |p| node_of(HOME, p));
        assert_eq!(known, owner, "seed {}: the home does not know the owner", self.seed);
    }
}

#[test]
fn every_move_completes_and_needs_no_timer_on_a_good_network() {
    for seed in 0..20 {
        let faults = Faults { loss: 0.0, repeat: 0.0, delay: Duration::from_micros(1), local: 0.0 };
        let mut world = World::new(seed, faults);
        let begin = world.now;
        world.run_moves(1);
        // the tombstones' timers run at the end; the move itself took no retry's time
        assert_eq!(world.ended.get("done"), Some(&1), "seed {seed}");
        let mut world =
            World::new(seed, Faults { loss: 0.0, repeat: 0.0, delay: Duration::from_micros(1), local: 0.0 });
        world.moving = Some(HOME);
        let peer = peer_of(HOME, 1);
        world.nodes[HOME].core.start(world.now, 5, peer, FLOW, Streams::default()).unwrap();
        world.act(HOME);
        while world.moving.is_some() {
            assert!(world.step(begin + Duration::from_millis(90)), "seed {seed}: waited for a timer");
        }
    }
}

/// One an hour ahead, one an hour behind, one set back between two moves and started again without a journal.
#[test]
fn clocks_that_disagree_and_step_back_keep_nobody_from_moving() {
    let hour = Duration::from_secs(3_600);
    let mut behind = 0;
    for seed in 0..100 {
        let faults = Faults { loss: 0.0, repeat: 0.1, delay: Duration::from_millis(1), local: 0.0 };
        let mut world = World::new(seed, faults);
        world.clocks = [2 * hour, Duration::ZERO, hour];
        let mut moves = 0;
        for life in 1..8 {
            world.run_moves(3);
            moves += 3;
            let forgetful = 1 + seed as usize % 2;
            if !world.nodes[forgetful].owns {
                world.clocks[forgetful] = world.clocks[forgetful].saturating_sub(hour);
                world.nodes[forgetful].core = core(forgetful, life);
            }
        }
        // it ends; its home starts again with another clock, and a client uses its port again while others remember it
        let owner = world.nodes.iter().position(|n| n.owns).unwrap();
        let now = world.now;
        world.nodes[owner].core.released(FLOW, now);
        world.nodes[owner].owns = false;
        world.act(owner);
        let until = now + Duration::from_secs(30);
        while world.step(until) {}
        world.clocks[HOME] = Duration::ZERO;
        world.nodes[HOME] = Node { core: core(HOME, 9), owns: true, prepared: false };
        world.run_moves(4);
        assert_eq!(world.ended["done"], moves + 4, "seed {seed}: {:?}", world.ended);
        behind += world.ended.get("behind").copied().unwrap_or(0);
    }
    assert!(behind > 0, "nobody was behind, so nothing was tried");
}

#[test]
fn one_owner_over_a_bad_network() {
    let mut ended = HashMap::new();
    for seed in 0..150 {
        let faults = Faults { loss: 0.1, repeat: 0.1, delay: Duration::from_millis(40), local: 0.0 };
        let mut world = World::new(seed, faults);
        world.run_moves(8);
        for (k, v) in world.ended {
            *ended.entry(k).or_insert(0) += v;
        }
    }
    assert!(ended["done"] > 600, "{ended:?}");
}

#[test]
fn one_owner_when_local_work_fails_and_the_network_is_awful() {
    let mut ended = HashMap::new();
    for seed in 1000..1150 {
        let faults = Faults { loss: 0.3, repeat: 0.3, delay: Duration::from_millis(400), local: 0.1 };
        let mut world = World::new(seed, faults);
        world.run_moves(8);
        for (k, v) in world.ended {
            *ended.entry(k).or_insert(0) += v;
        }
    }
    assert!(ended["done"] > 100 && ended["failed"] > 100, "both ways must have been tried: {ended:?}");
}

#[test]
fn a_release_reaches_the_home() {
    let faults = Faults { loss: 0.3, repeat: 0.3, delay: Duration::from_millis(40), local: 0.0 };
    let mut world = World::new(4, faults);
    while world.nodes[HOME].owns {
        world.run_moves(1);
    }
    let owner = world.nodes.iter().position(|n| n.owns).unwrap();
    let now = world.now;
    world.nodes[owner].core.released(FLOW, now);
    world.act(owner);
    let until = world.now + Duration::from_secs(60);
    while world.step(until) {}
    assert_eq!(world.nodes[HOME].core.owner(&FLOW), None);
}

#[test]
fn what_cannot_start_says_why() {
    let mut world = World::new(1, Faults { loss: 0.0, repeat: 0.0, delay: Duration::ZERO, local: 0.0 });
    let core = &mut world.nodes[HOME].core;
    let other = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 80);
    let now = world.now;
    let unknown = core.start(now, 1, PeerId(0), Flow { service: other, ..FLOW }, Streams::default());
    assert_eq!(unknown, Err(StartError::UnknownService(other)));
    let long = core.start(now, 1, PeerId(0), FLOW, Streams { receive: 1 << 20, send: 1, application: 0 });
    assert_eq!(long, Err(StartError::TooLong { length: (1 << 20) + 1, limit: 1 << 20 }));
    core.start(now, 1, PeerId(0), FLOW, Streams::default()).unwrap();
    assert_eq!(core.start(now, 1, PeerId(1), FLOW, Streams::default()), Err(StartError::Busy));
}

/// The nonce of the other side, in every test that speaks for it.
const THEIRS: u64 = 0x7e1e;

/// The only message that a core wants to send now, and its nonces.
fn sent(core: &mut Migrator) -> (Message, Nonces) {
    match (core.poll_action(), core.poll_action()) {
        (Some(Action::Send { message, nonces, .. }), None) => (message, nonces),
        other => panic!("{other:?}"),
    }
}

/// A message about [`FLOW`] that repeats a nonce.
fn packet(owner: SocketAddrV4, epoch: u64, to: u64, message: Message) -> Packet {
    let nonces = Nonces { from: THEIRS, to };
    Packet { protocol: Protocol::Tcp, client: CLIENT, owner, service: Some(SERVICE), epoch, nonces, message }
}

fn node(n: usize) -> (Migrator, Duration) {
    let mut world = World::new(1, Faults { loss: 0.0, repeat: 0.0, delay: Duration::ZERO, local: 0.0 });
    (world.nodes.remove(n).core, world.now)
}

/// Nothing but what answers 88.
fn confirmation() -> Message {
    Message::Data { stream: Stream::Receive, offset: 0, bytes: Default::default() }
}

/// Node 1 as the destination of a move of its home, reserved; its nonce.
fn reserved(protocol: Protocol, application: u32) -> (Migrator, MoveId, u64, Duration) {
    let (mut core, now) = node(1);
    let (home, owner) = (peer_of(1, HOME), SocketAddrV4::new(back(1), 80));
    let packet = |to, message| Packet { protocol, ..packet(owner, 5, to, message) };
    let lengths = Streams { application, ..Streams::default() };
    core.handle_message(home, packet(0, Message::Offer { lengths, features: 0 }), now);
    let Some(Action::Ask { id, .. }) = core.poll_action() else { panic!() };
    core.asked(id, Ok(()));
    let (Message::Ready { .. }, Nonces { from: nonce, to: THEIRS }) = sent(&mut core) else { panic!() };
    core.handle_message(home, packet(nonce, confirmation()), now);
    assert!(matches!(core.poll_action(), Some(Action::Reserve { id: of, .. }) if of == id));
    core.reserved(id, Ok(()), now);
    assert!(matches!(sent(&mut core), (Message::Progress { .. }, Nonces { to: THEIRS, .. })));
    (core, id, nonce, now)
}

#[test]
fn a_control_block_that_can_not_be_read_is_refused() {
    let (mut core, id, nonce, now) = reserved(Protocol::Tcp, 0);
    let owner = SocketAddrV4::new(back(1), 80);
    let message = Message::Connection(Err(Reason::UnknownVersion));
    core.handle_message(id.peer, packet(owner, 5, nonce, message), now);
    assert_eq!(core.poll_action(), Some(Action::Abandon(id)));
    let (refused, _) = sent(&mut core);
    assert!(matches!(refused, Message::Refuse { reason: Reason::UnknownVersion, .. }), "{refused:?}");
}

#[test]
fn damaged_queues_are_refused() {
    let (mut core, id, nonce, now) = reserved(Protocol::Tcp, 4);
    let packet = |message| packet(SocketAddrV4::new(back(1), 80), 5, nonce, message);
    // BLAKE3 of "good", of which another byte arrives
    let digest = ipos_abi::wire::tcb::digest([b"good".as_slice()]);
    let tcb = Tcb { epoch: 5, application_len: 4, digest, ..Tcb::default() };
    core.handle_message(id.peer, packet(Message::Connection(Ok(Endpoint::Tcp(Box::new(tcb), Box::default())))), now);
    let data = Message::Data { stream: Stream::Application, offset: 0, bytes: b"goof"[..].into() };
    core.handle_message(id.peer, packet(data), now);
    assert_eq!(core.poll_action(), Some(Action::Abandon(id)));
    assert!(matches!(sent(&mut core).0, Message::Refuse { reason: Reason::Damaged, .. }));
}

#[test]
fn data_of_tcp_are_not_believed_in_a_move_of_udp() {
    let (mut core, id, nonce, now) = reserved(Protocol::Udp, 4);
    let owner = SocketAddrV4::new(back(1), 80);
    let packet = |protocol, message| Packet { protocol, ..packet(owner, 5, nonce, message) };
    core.handle_message(id.peer, packet(Protocol::Udp, Message::Connection(Ok(Endpoint::Udp))), now);
    let data = |bytes: &'static [u8]| Message::Data { stream: Stream::Application, offset: 0, bytes: bytes.into() };
    // nobody has signed this one
    core.handle_message(id.peer, packet(Protocol::Tcp, data(b"goof")), now);
    assert_eq!(core.poll_action(), None);
    core.handle_message(id.peer, packet(Protocol::Udp, data(b"good")), now);
    let Some(Action::Prepare { streams, .. }) = core.poll_action() else { panic!() };
    assert_eq!(streams.application, b"good");
}

#[test]
fn after_the_commit_nothing_gives_the_connection_back() {
    let (mut core, now) = node(HOME);
    let id = core.start(now, 5, PeerId(0), FLOW, Streams::default()).unwrap();
    let (Message::Offer { .. }, Nonces { from: nonce, to: 0 }) = sent(&mut core) else { panic!() };
    let owner = SocketAddrV4::new(back(1), 80);
    let packet = |message| packet(owner, id.epoch, nonce, message);
    core.handle_message(PeerId(0), packet(Message::Ready { features: 0 }), now);
    assert_eq!(sent(&mut core), (confirmation(), Nonces { from: nonce, to: THEIRS }));
    core.handle_message(PeerId(0), packet(Message::Progress { contiguous: Streams::default(), credit: 64 }), now);
    assert_eq!(core.poll_action(), Some(Action::Freeze(id)));
    core.frozen(id, Endpoint::Tcp(Box::default(), Box::default()), Default::default(), now);
    assert!(matches!(sent(&mut core).0, Message::Connection(Ok(_))));
    core.handle_message(PeerId(0), packet(Message::Acknowledge), now);
    assert_eq!(core.poll_action(), Some(Action::HandOver(id)));
    core.handed_over(id, now);
    assert_eq!(sent(&mut core).0, Message::Commit { answer: false });

    core.give_up(id, Failure::Local, now);
    assert_eq!(core.poll_action(), None);
    // a destination that asks again is told again
    core.handle_message(PeerId(0), packet(Message::Acknowledge), now);
    assert_eq!(sent(&mut core).0, Message::Commit { answer: false });
    // a late refusal of something earlier changes nothing
    core.handle_message(PeerId(0), packet(Message::Refuse { reason: Reason::Cancelled, known: 0 }), now);
    assert_eq!(core.poll_action(), None);
    // one that has lost it says so; whether another has it is asked
    core.handle_message(PeerId(0), packet(Message::Refuse { reason: Reason::Lost, known: 0 }), now);
    assert_eq!(core.poll_action(), Some(Action::Failed(id, Failure::Lost)));
    for peer in [PeerId(0), PeerId(1)] {
        let asked = core.poll_action();
        assert!(
            matches!(&asked, Some(Action::Send { id, message: Message::Query { .. }, .. }) if id.peer == peer),
            "{asked:?}"
        );
    }
    assert_eq!(core.poll_action(), None);
}

#[test]
fn an_offer_alone_changes_nothing_and_its_answers_are_bounded() {
    let (mut core, now) = node(1);
    let (home, owner) = (peer_of(1, HOME), SocketAddrV4::new(back(1), 80));
    let offer = |epoch| {
        packet(
            owner,
            epoch,
            0,
            Message::Offer { lengths: Streams { receive: 1 << 19, ..Streams::default() }, features: 0 },
        )
    };
    let mut nonces = BTreeSet::new();
    for epoch in 1..=10_000 {
        core.handle_message(home, offer(epoch), now);
        let Some(Action::Ask { id, .. }) = core.poll_action() else { panic!("{epoch}") };
        core.asked(id, Ok(()));
        nonces.insert(sent(&mut core).1.from);
        // again: the same answer, and nobody is asked
        core.handle_message(home, offer(epoch), now);
        assert!(nonces.contains(&sent(&mut core).1.from), "{epoch}");
    }
    assert_eq!(nonces.len(), 10_000);
    // the first ones are forgotten, the last one goes on
    let last = *nonces.iter().next().unwrap();
    core.handle_message(home, packet(owner, 1, last, confirmation()), now);
    assert!(matches!(sent(&mut core).0, Message::Refuse { reason: Reason::Cancelled, .. }));
    core.handle_timeout(now + ipos_migrate::protocol::LINGER);
    assert_eq!((core.poll_action(), core.poll_timeout()), (None, None));
}

#[test]
fn reservations_are_bounded_in_sum_and_per_peer() {
    let (mut core, now) = node(1);
    let owner = SocketAddrV4::new(back(1), 80);
    let mut taken = BTreeMap::new();
    for n in 0..20_u16 {
        for peer in [PeerId(0), PeerId(1)] {
            let client = SocketAddrV4::new(*CLIENT.ip(), 1000 + 2 * n + peer.0 as u16);
            let lengths = Streams { receive: 1 << 20, ..Streams::default() };
            let message = Message::Offer { lengths, features: 0 };
            core.handle_message(peer, Packet { client, ..packet(owner, 5, 0, message) }, now);
            match core.poll_action() {
                Some(Action::Ask { id, .. }) => core.asked(id, Ok(())),
                Some(Action::Send { message: Message::Refuse { reason: Reason::NoResources, .. }, .. }) => continue,
                other => panic!("{other:?}"),
            }
            let nonce = sent(&mut core).1.from;
            core.handle_message(peer, Packet { client, ..packet(owner, 5, nonce, confirmation()) }, now);
            let Some(Action::Reserve { id, .. }) = core.poll_action() else { panic!() };
            core.reserved(id, Ok(()), now);
            sent(&mut core);
            *taken.entry(peer).or_insert(0) += 1;
        }
    }
    // 16 of the greatest length in sum, half of that for one peer
    assert_eq!(taken, [(PeerId(0), 8), (PeerId(1), 8)].into());
}

#[test]
fn who_is_behind_offers_again_under_a_higher_epoch_whatever_the_clocks_say() {
    let hour = 3_600_000_000;
    let (mut core, now) = node(HOME);
    let old = core.start(now, 5, PeerId(0), FLOW, Streams::default()).unwrap();
    let (_, Nonces { from: nonce, .. }) = sent(&mut core);
    let owner = SocketAddrV4::new(back(1), 80);
    let behind = |nonce, epoch| packet(owner, epoch, nonce, Message::Refuse { reason: Reason::Stale, known: hour });
    core.handle_message(PeerId(0), behind(nonce, old.epoch), now);
    let Some(Action::Renew { old: from, new }) = core.poll_action() else { panic!() };
    assert_eq!(from, old);
    assert!(new.epoch > hour);
    let (message, Nonces { from: again, to: 0 }) = sent(&mut core) else { panic!() };
    assert!(matches!(message, Message::Offer { .. }) && again != nonce);
    // what belongs to the old number is over
    core.handle_message(PeerId(0), packet(owner, old.epoch, nonce, Message::Ready { features: 0 }), now);
    assert!(!matches!(core.poll_action(), Some(Action::Freeze(_))));
    // an epoch that can't be counted up from is none
    let edge = packet(owner, new.epoch, again, Message::Refuse { reason: Reason::Stale, known: EPOCHS });
    core.handle_message(PeerId(0), edge, now);
    assert_eq!(core.poll_action(), Some(Action::Ignored { peer: PeerId(0), why: Ignored::Epoch }));
    for epoch in [EPOCHS, u64::MAX] {
        core.handle_message(
            PeerId(1),
            packet(owner, epoch, 0, Message::Offer { lengths: Streams::default(), features: 0 }),
            now,
        );
        assert_eq!(core.poll_action(), Some(Action::Ignored { peer: PeerId(1), why: Ignored::Epoch }));
    }
}

#[test]
fn a_claim_is_believed_of_the_node_that_it_names_alone() {
    let (mut core, now) = node(HOME);
    let at = |n| SocketAddrV4::new(back(n), 80);
    let moved = |n, epoch| packet(at(n), epoch, 0, Message::Moved { owner: back(1), known: epoch, answer: false });
    let says =
        |n, state, known, to| packet(at(n), 0, to, Message::Query { state, owner: back(1), known, answer: true });
    core.handle_message(peer_of(HOME, 2), moved(2, 7), now);
    let Some(Action::Send { id, message: Message::Query { answer: false, .. }, nonces, .. }) = core.poll_action()
    else {
        panic!()
    };
    assert_eq!((id.peer, core.poll_action(), core.owner(&FLOW)), (peer_of(HOME, 1), None, None));
    // another node, another epoch, another answer, another number, another time
    let (right, late) = (nonces.from, now + Duration::from_secs(33));
    for (from, state, known, nonce, when) in [
        (2, Ownership::Owner, 7, right, now),
        (1, Ownership::Owner, 8, right, now),
        (1, Ownership::Moved, 7, right, now),
        (1, Ownership::Owner, 7, right ^ 1, now),
        (1, Ownership::Owner, 7, right, late),
    ] {
        core.handle_message(peer_of(HOME, from), says(from, state, known, nonce), when);
        assert!(!matches!(core.poll_action(), Some(Action::Repoint { .. })), "{from} {state:?} {known}");
        assert_eq!(core.owner(&FLOW), None);
    }
    core.handle_message(peer_of(HOME, 1), says(1, Ownership::Owner, 7, right), now);
    assert_eq!(core.poll_action(), Some(Action::Repoint { flow: FLOW, to: peer_of(HOME, 1) }));
    // now the claim is answered, with the number of who made it
    core.handle_message(peer_of(HOME, 1), moved(1, 7), now);
    assert_eq!(
        sent(&mut core),
        (Message::Moved { owner: back(1), known: 7, answer: true }, Nonces { from: 0, to: THEIRS })
    );
}

#[test]
fn a_notice_ends_by_an_answer_of_its_own() {
    let (mut core, now) = node(1);
    let (home, at_home) = (peer_of(1, HOME), SocketAddrV4::new(back(HOME), 80));
    core.adopt(FLOW, 5, true, now);
    let (Message::Moved { answer: false, .. }, Nonces { from: nonce, .. }) = sent(&mut core) else { panic!() };
    let answer = |to, known| packet(at_home, 5, to, Message::Moved { owner: back(1), known, answer: true });
    core.handle_message(home, answer(nonce ^ 1, 5), now);
    let again = core.poll_timeout().unwrap();
    core.handle_timeout(again);
    assert_eq!(sent(&mut core).1.from, nonce);
    // a home that remembers a later ownership hears that this one is the truth
    core.handle_message(home, answer(nonce, 9), again);
    let (Message::Moved { known: 10, answer: false, .. }, Nonces { from: nonce, .. }) = sent(&mut core) else {
        panic!()
    };
    let answer = packet(at_home, 10, nonce, Message::Moved { owner: back(1), known: 10, answer: true });
    core.handle_message(home, answer, again);
    assert_eq!((core.poll_action(), core.poll_timeout()), (None, None));
}
