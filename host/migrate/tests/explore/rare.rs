//! Steps of the table of transitions that random schedules hardly ever take: silence for minutes, long queues, damage.

use std::net::SocketAddrV4;
use std::time::Duration;

use ipos_abi::wire::tcb;
use ipos_migrate::protocol::{
    Action, DATA, Endpoint, Failure, Flow, HOLD, Message, MoveId, Nonces, Ownership, PeerId, Protocol, Reason, Stream,
    Streams, Tcb,
};

use crate::record::{Core, packet};
use crate::world::{BEGIN, CLIENT, Kind, SERVICE, back, core};

const FLOW: Flow = Flow { protocol: Protocol::Tcp, client: CLIENT, service: SERVICE };
const PEER: PeerId = PeerId(0);

/// The home or the other one of two nodes, and what its peer knows of a move.
struct Talk {
    core: Core,
    epoch: u64,
    nonces: Nonces,
}

impl Talk {
    fn new(node: usize, kind: Kind) -> Self {
        Talk { core: core(node, 2, kind, 0), epoch: 5, nonces: Nonces { from: 7, to: 0 } }
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.core.poll_action()).collect()
    }

    /// The peer says something; the actions that follow.
    fn tell(&mut self, message: Message) -> Vec<Action> {
        let packet = packet(FLOW, SocketAddrV4::new(back(1), 80), self.epoch, self.nonces, message);
        self.core.handle_message(PEER, packet, BEGIN);
        self.actions()
    }

    /// The move of a connection of the home, up to the freeze or to the copy of queues of this length.
    fn start(&mut self, receive: u32) -> MoveId {
        let lengths = Streams { receive, ..Streams::default() };
        let id = self.core.start(BEGIN, 0, PEER, FLOW, lengths).unwrap();
        if let [Action::Send { nonces, .. }] = self.actions()[..] {
            (self.epoch, self.nonces.to) = (id.epoch, nonces.from);
            self.tell(Message::Ready { features: 0 });
            self.tell(Message::Progress { contiguous: Streams::default(), credit: 64 });
        }
        id
    }

    /// Up to the time when the peer owns.
    fn commit(&mut self, id: MoveId) {
        self.core.frozen(id, tcp(), Streams::default(), BEGIN);
        self.tell(Message::Acknowledge);
        self.core.handed_over(id, BEGIN);
        self.actions();
    }

    /// The peer says nothing any more; the actions that follow and are no messages.
    fn silence(&mut self) -> Vec<Action> {
        let mut found = Vec::new();
        while let Some(at) = self.core.poll_timeout() {
            self.core.handle_timeout(at);
            found.extend(self.actions().into_iter().filter(|a| !matches!(a, Action::Send { .. })));
        }
        found
    }
}

fn tcp() -> Endpoint {
    Endpoint::Tcp(Box::default(), Box::default())
}

/// Takes all of them.
pub fn rare() {
    long_queues();
    silence();
    damage();
    restart();
    plain();
}

fn long_queues() {
    let arrived = |frames: usize| {
        let contiguous = Streams { receive: (frames * DATA) as u32, ..Streams::default() };
        Message::Progress { contiguous, credit: 160 }
    };
    let mut talk = Talk::new(0, Kind::Tcp);
    let id = talk.start(1);
    talk.core.copied(id, [vec![0; 300 * DATA], Vec::new()]);
    assert_eq!(talk.actions().len(), 64);
    assert_eq!(talk.tell(arrived(32)).len(), 128);
    let mut late = talk.core.clone();
    late.handle_timeout(BEGIN + Duration::from_secs(2));
    assert_eq!(late.poll_action(), Some(Action::Freeze(id)));
    assert!(talk.tell(arrived(290)).contains(&Action::Freeze(id)));
}

fn silence() {
    let mut talk = Talk::new(0, Kind::Tcp);
    let id = talk.start(0);
    talk.commit(id);
    assert_eq!(talk.silence().first(), Some(&Action::Failed(id, Failure::Unconfirmed)));
    let (mut talk, id) = reserved();
    talk.tell(Message::Connection(Ok(empty(talk.epoch))));
    talk.core.prepared(id, Ok(()), BEGIN);
    assert_eq!(talk.silence(), [Action::Abandon(id)]);
}

/// A connection without queues and state, and the digest of nothing.
fn empty(epoch: u64) -> Endpoint {
    Endpoint::Tcp(Box::new(Tcb { epoch, digest: tcb::digest([]), ..Tcb::default() }), Box::default())
}

/// A move to the other node, which is ready for it.
fn reserved() -> (Talk, MoveId) {
    let mut talk = Talk::new(1, Kind::Tcp);
    let offer = Message::Offer { lengths: Streams::default(), features: 0 };
    let [Action::Ask { id, .. }] = talk.tell(offer)[..] else { panic!() };
    talk.core.asked(id, Ok(()));
    let [Action::Send { nonces, .. }] = talk.actions()[..] else { panic!() };
    talk.nonces.to = nonces.from;
    talk.tell(Message::Data { stream: Stream::Receive, offset: 0, bytes: Default::default() });
    talk.core.reserved(id, Ok(()), BEGIN);
    talk.actions();
    (talk, id)
}

fn damage() {
    let (mut talk, id) = reserved();
    assert_eq!(talk.tell(Message::Connection(Err(Reason::Damaged))).first(), Some(&Action::Abandon(id)));
}

/// Sockets that another process has kept: what was frozen is retracted, what was built asks who owns it.
fn restart() {
    let id = MoveId { peer: PEER, client: CLIENT, epoch: 5 };
    let nonces = Nonces { from: 8, to: 7 };
    let said = |talk: &mut Talk| match &talk.actions()[..] {
        [Action::Send { message, .. }] => message.clone(),
        other => panic!("{other:?}"),
    };
    let mut talk = Talk { nonces: Nonces { from: 7, to: 8 }, ..Talk::new(0, Kind::Tcp) };
    talk.core.0.retract(id, FLOW, nonces, BEGIN);
    assert_eq!(said(&mut talk), Message::Cancel);
    assert_eq!(talk.tell(Message::Refuse { reason: Reason::Cancelled, known: 0 }), []);
    let mut talk = Talk { nonces: Nonces { from: 7, to: 8 }, ..Talk::new(1, Kind::Tcp) };
    talk.core.0.resume(id, FLOW, nonces, BEGIN);
    assert!(matches!(said(&mut talk), Message::Query { state: Ownership::Prepared, answer: false, .. }));
    assert_eq!(talk.tell(Message::Commit { answer: false }).first(), Some(&Action::GoLive(id)));
}

fn plain() {
    let mut talk = Talk::new(0, Kind::PlainTcp);
    let id = talk.start(0);
    let mut silent = Talk { core: talk.core.clone(), ..talk };
    talk.core.frozen(id, tcp(), Streams { receive: vec![1], ..Streams::default() }, BEGIN);
    assert_eq!(talk.actions(), [Action::Failed(id, Failure::Plain)]);
    silent.core.frozen(id, tcp(), Streams::default(), BEGIN);
    silent.core.handle_timeout(BEGIN + HOLD);
    silent.core.handed_over(id, BEGIN + HOLD);
    silent.actions();
    assert_eq!(silent.silence(), [Action::Failed(id, Failure::Unconfirmed)]);
    let mut talk = Talk::new(1, Kind::PlainTcp);
    let [Action::Reserve { id, .. }] = talk.tell(Message::Connection(Ok(tcp())))[..] else { panic!() };
    talk.core.reserved(id, Ok(()), BEGIN);
    talk.core.prepared(id, Err(Reason::Unsupported), BEGIN);
    assert_eq!(talk.actions().last(), Some(&Action::Abandon(id)));
}
