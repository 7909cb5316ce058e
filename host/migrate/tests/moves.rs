//! Three cores joined by a network that loses, repeats and reorders, in virtual time. What the
//! shells see is judged by rules that the cores don't know: one owner at most at any instant,
//! exactly one in the end, the bytes as they were written, and a home that knows the owner.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ipos_abi::wire::trailer::Key;
use ipos_abi::wire::{Mac, ethernet};
use ipos_migrate::codec::{Packet, decode, encode};
use ipos_migrate::protocol::{Action, Endpoint, Failure, Flow, Message, MoveId, PeerId, Protocol, Reason, Stream, Tcb};
use ipos_migrate::{Config, Migrator, Service, StartError};
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
    truth: [Vec<u8>; 3],
    /// What of the first two went ahead, of which move.
    copied: Option<(MoveId, [usize; 2])>,
    /// Frames under way, by time of arrival.
    wire: BTreeMap<(Duration, u64), (usize, usize, Vec<u8>)>,
    sent: u64,
    moving: Option<usize>,
    ended: HashMap<&'static str, u32>,
    key: Key,
}

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        let nodes = (0..NODES)
            .map(|n| Node {
                core: Migrator::new(Config {
                    back_ip: back(n),
                    peers: (0..NODES).filter(|o| *o != n).map(back).collect(),
                    plain: BTreeSet::new(),
                    services: vec![Service { address: SERVICE, home: (n != HOME).then(|| peer_of(n, HOME)) }],
                    move_bytes: 1 << 20,
                    ahead_bytes: 10_000,
                    born: 0,
                }),
                owns: n == HOME,
                prepared: false,
            })
            .collect();
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
        encode(packet, link, Some(&self.key), &mut frame).unwrap();
        let copies =
            u32::from(!self.rng.random_bool(self.faults.loss)) + u32::from(self.rng.random_bool(self.faults.repeat));
        for _ in 0..copies {
            let delay = self.faults.delay.mul_f64(self.rng.random::<f64>()) + Duration::from_micros(50);
            self.sent += 1;
            self.wire.insert((self.now + delay, self.sent), (from, to, frame.clone()));
        }
    }

    fn act(&mut self, n: usize) {
        while let Some(action) = self.nodes[n].core.action() {
            let fails = self.faults.local > 0.0 && self.rng.random_bool(self.faults.local);
            let now = self.now;
            let node = &mut self.nodes[n];
            match action {
                Action::Send { id, flow, owner, message } => {
                    let Flow { protocol, client, service } = flow;
                    let packet = Packet { protocol, client, owner, service: Some(service), epoch: id.epoch, message };
                    self.send(n, id, &packet);
                }
                Action::Copy(id) if fails => node.core.give_up(id, Failure::Local, now),
                Action::Copy(id) => {
                    assert!(node.owns, "seed {}: a copy of what is not owned", self.seed);
                    for stream in &mut self.truth[..2] {
                        let longest = [0, 1, 5_000, 300_000][self.rng.random_range(0..4)];
                        stream.resize(self.rng.random_range(0..=longest), 0);
                        self.rng.fill_bytes(stream);
                    }
                    let [receive, send, _] = self.truth.clone();
                    self.copied = Some((id, [receive.len(), send.len()]));
                    node.core.copied(id, [receive, send]);
                }
                Action::Freeze(id) if fails => node.core.give_up(id, Failure::Local, now),
                Action::Freeze(id) => {
                    assert!(node.owns, "seed {}: a freeze of what is not owned", self.seed);
                    // what was copied stays, and more has come behind it
                    let copied = self.copied.take().filter(|(of, _)| *of == id).map_or([0; 2], |(_, lengths)| lengths);
                    let known = [copied[0], copied[1], 0];
                    for (stream, known) in self.truth.iter_mut().zip(known) {
                        let longest = [0, 1, 5_000, 300_000][self.rng.random_range(0..4)];
                        stream.resize(known + self.rng.random_range(0..=longest), 0);
                        self.rng.fill_bytes(&mut stream[known..]);
                    }
                    let rest = [0, 1, 2].map(|i| self.truth[i][known[i]..].to_vec());
                    let tcb = Tcb {
                        rcv_nxt: (self.truth[0].len() as u32).wrapping_sub(9),
                        copied_seq: 9u32.wrapping_neg(),
                        write_seq: self.truth[1].len() as u32,
                        ..Tcb::default()
                    };
                    node.core.frozen(id, Endpoint::Tcp(Box::new(tcb)), rest, now);
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
        let timers = self.nodes.iter().filter_map(|n| n.core.deadline());
        let Some(next) = timers.chain(frame).min().filter(|t| *t <= until) else { return false };
        self.now = self.now.max(next);
        if frame == Some(next) {
            let (_, (from, to, bytes)) = self.wire.pop_first().unwrap();
            let (mac, packet) = decode(&bytes, ethernet::IPOS, std::slice::from_ref(&self.key)).unwrap();
            assert_eq!(mac.0[5] as usize, from);
            self.nodes[to].core.receive(peer_of(to, from), packet, self.now);
            self.act(to);
        } else {
            for n in 0..NODES {
                self.nodes[n].core.tick(self.now);
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
            let wall = self.now.as_micros() as u64;
            let lengths = [self.rng.random_range(0..20_000), 2, 3];
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
        world.nodes[HOME].core.start(world.now, 5, peer, FLOW, [0; 3]).unwrap();
        world.act(HOME);
        while world.moving.is_some() {
            assert!(world.step(begin + Duration::from_millis(90)), "seed {seed}: waited for a timer");
        }
    }
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
    let unknown = core.start(now, 1, PeerId(0), Flow { service: other, ..FLOW }, [0; 3]);
    assert_eq!(unknown, Err(StartError::UnknownService(other)));
    let long = core.start(now, 1, PeerId(0), FLOW, [1 << 20, 1, 0]);
    assert_eq!(long, Err(StartError::TooLong { length: (1 << 20) + 1, limit: 1 << 20 }));
    core.start(now, 1, PeerId(0), FLOW, [0; 3]).unwrap();
    assert_eq!(core.start(now, 1, PeerId(1), FLOW, [0; 3]), Err(StartError::Busy));
}

#[test]
fn a_control_block_that_can_not_be_read_is_refused() {
    let mut world = World::new(1, Faults { loss: 0.0, repeat: 0.0, delay: Duration::ZERO, local: 0.0 });
    let now = world.now;
    let core = &mut world.nodes[1].core;
    let packet = |message| Packet {
        protocol: Protocol::Tcp,
        client: CLIENT,
        owner: SocketAddrV4::new(back(1), 80),
        service: Some(SERVICE),
        epoch: 5,
        message,
    };
    let home = peer_of(1, HOME);
    core.receive(home, packet(Message::Offer { lengths: [0; 3] }), now);
    let Some(Action::Reserve { id, .. }) = core.action() else { panic!() };
    core.reserved(id, Ok(()), now);
    assert!(matches!(core.action(), Some(Action::Send { message: Message::Ready, .. })));
    core.receive(home, packet(Message::Connection(Err(Reason::UnknownVersion))), now);
    assert_eq!(core.action(), Some(Action::Abandon(id)));
    let refused = core.action();
    assert!(
        matches!(refused, Some(Action::Send { message: Message::Refuse(Reason::UnknownVersion), .. })),
        "{refused:?}"
    );
}

/// The only message that a core wants to send now.
fn sent(core: &mut Migrator) -> Message {
    match (core.action(), core.action()) {
        (Some(Action::Send { message, .. }), None) => message,
        other => panic!("{other:?}"),
    }
}

/// A message about [`FLOW`].
fn packet(owner: SocketAddrV4, epoch: u64, message: Message) -> Packet {
    Packet { protocol: Protocol::Tcp, client: CLIENT, owner, service: Some(SERVICE), epoch, message }
}

#[test]
fn damaged_queues_are_refused() {
    let mut world = World::new(1, Faults { loss: 0.0, repeat: 0.0, delay: Duration::ZERO, local: 0.0 });
    let now = world.now;
    let core = &mut world.nodes[1].core;
    let home = peer_of(1, HOME);
    let owner = SocketAddrV4::new(back(1), 80);
    let packet = |message| packet(owner, 5, message);
    core.receive(home, packet(Message::Offer { lengths: [0, 0, 4] }), now);
    let Some(Action::Reserve { id, .. }) = core.action() else { panic!() };
    core.reserved(id, Ok(()), now);
    assert_eq!(sent(core), Message::Ready);
    // BLAKE3 of "good", of which another byte arrives
    let digest = ipos_abi::wire::tcb::digest([b"good".as_slice()]);
    let tcb = Tcb { epoch: 5, application_len: 4, digest, ..Tcb::default() };
    core.receive(home, packet(Message::Connection(Ok(Endpoint::Tcp(Box::new(tcb))))), now);
    let data = Message::Data { stream: Stream::Application, offset: 0, bytes: b"goof"[..].into() };
    core.receive(home, packet(data), now);
    assert_eq!(core.action(), Some(Action::Abandon(id)));
    assert_eq!(sent(core), Message::Refuse(Reason::Damaged));
}

#[test]
fn data_of_tcp_are_not_believed_in_a_move_of_udp() {
    let mut world = World::new(1, Faults { loss: 0.0, repeat: 0.0, delay: Duration::ZERO, local: 0.0 });
    let now = world.now;
    let core = &mut world.nodes[1].core;
    let home = peer_of(1, HOME);
    let owner = SocketAddrV4::new(back(1), 80);
    let packet = |protocol, message| Packet { protocol, ..packet(owner, 5, message) };
    core.receive(home, packet(Protocol::Udp, Message::Offer { lengths: [0, 0, 4] }), now);
    let Some(Action::Reserve { id, .. }) = core.action() else { panic!() };
    core.reserved(id, Ok(()), now);
    assert_eq!(sent(core), Message::Ready);
    core.receive(home, packet(Protocol::Udp, Message::Connection(Ok(Endpoint::Udp))), now);
    let data = |bytes: &'static [u8]| Message::Data { stream: Stream::Application, offset: 0, bytes: bytes.into() };
    // nobody has signed this one
    core.receive(home, packet(Protocol::Tcp, data(b"goof")), now);
    assert_eq!(core.action(), None);
    core.receive(home, packet(Protocol::Udp, data(b"good")), now);
    let Some(Action::Prepare { streams, .. }) = core.action() else { panic!() };
    assert_eq!(streams[2], b"good");
}

#[test]
fn after_the_commit_nothing_gives_the_connection_back() {
    let mut world = World::new(1, Faults { loss: 0.0, repeat: 0.0, delay: Duration::ZERO, local: 0.0 });
    let now = world.now;
    let core = &mut world.nodes[HOME].core;
    let id = core.start(now, 5, PeerId(0), FLOW, [0; 3]).unwrap();
    assert!(matches!(sent(core), Message::Offer { .. }));
    let owner = SocketAddrV4::new(back(1), 80);
    let packet = |message| packet(owner, id.epoch, message);
    core.receive(PeerId(0), packet(Message::Ready), now);
    assert_eq!(core.action(), Some(Action::Freeze(id)));
    core.frozen(id, Endpoint::Tcp(Box::default()), Default::default(), now);
    assert!(matches!(sent(core), Message::Connection(Ok(_))));
    core.receive(PeerId(0), packet(Message::Acknowledge), now);
    assert_eq!(core.action(), Some(Action::HandOver(id)));
    core.handed_over(id, now);
    assert_eq!(sent(core), Message::Commit { answer: false });

    core.give_up(id, Failure::Local, now);
    assert_eq!(core.action(), None);
    // a destination that asks again is told again
    core.receive(PeerId(0), packet(Message::Acknowledge), now);
    assert_eq!(sent(core), Message::Commit { answer: false });
    // a late refusal of something earlier changes nothing
    core.receive(PeerId(0), packet(Message::Refuse(Reason::Cancelled)), now);
    assert_eq!(core.action(), None);
    // one that has lost it says so; whether another has it is asked
    core.receive(PeerId(0), packet(Message::Refuse(Reason::Lost)), now);
    assert_eq!(core.action(), Some(Action::Failed(id, Failure::Lost)));
    for peer in [PeerId(0), PeerId(1)] {
        let asked = core.action();
        assert!(
            matches!(&asked, Some(Action::Send { id, message: Message::Query { .. }, .. }) if id.peer == peer),
            "{asked:?}"
        );
    }
    assert_eq!(core.action(), None);
}
