//! Peers of the plain format: what they are told, what they are believed, and the sizes of the source figures.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ipos_abi::wire::trailer::{Key, Path};
use ipos_abi::wire::{Mac, ethernet};
use ipos_migrate::codec::{Packet, decode, decode_plain, encode, encode_plain};
use ipos_migrate::protocol::{
    Action, Endpoint, Failure, Flow, HOLD, LINGER, Message, MoveId, Nonces, PeerId, Protocol, Reason, Streams, Tcb,
    Time,
};
use ipos_migrate::{Config, Migrator, Secret, Service, StartError};

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 40_000);
const SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 80);
const FLOW: Flow = Flow { protocol: Protocol::Tcp, client: CLIENT, service: SERVICE };
const PLAIN: PeerId = PeerId(0);
const OTHER: PeerId = PeerId(1);
const NOW: Time = Duration::from_secs(1);

/// A node with a plain peer and another; the home is itself or the plain one.
fn node(home: Option<PeerId>) -> Migrator {
    let service = |port| Service { address: SocketAddrV4::new(*SERVICE.ip(), port), home };
    Migrator::new(Config {
        back_ip: Ipv4Addr::new(10, 1, 0, 1),
        peers: vec![Ipv4Addr::new(10, 1, 0, 2), Ipv4Addr::new(10, 1, 0, 3)],
        plain: [PLAIN].into(),
        services: vec![service(80), service(81)],
        move_bytes: 1 << 20,
        ahead_bytes: 10_000,
        features: 0,
        secret: Secret::new([0; 32]),
    })
}

fn actions(core: &mut Migrator) -> Vec<Action> {
    std::iter::from_fn(|| core.poll_action()).collect()
}

/// What is sent, all of it to the plain peer.
fn said(core: &mut Migrator) -> Vec<Message> {
    let sent = actions(core).into_iter().map(|action| match action {
        Action::Send { id, message, .. } if id.peer == PLAIN => message,
        other => panic!("{other:?}"),
    });
    sent.collect()
}

fn packet(message: Message, owner: u8) -> Packet {
    let owner = SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, owner), 80);
    let service = (message != Message::Acknowledge).then_some(SERVICE);
    let nonces = Nonces::default();
    Packet { protocol: Protocol::Tcp, client: CLIENT, owner, service, epoch: 0, nonces, message }
}

fn tcb() -> Endpoint {
    Endpoint::Tcp(Box::new(Tcb { rcv_nxt: 7, copied_seq: 7, ..Tcb::default() }), Box::default())
}

fn started() -> (Migrator, MoveId) {
    let mut core = node(None);
    let id = core.start(NOW, 5, PLAIN, FLOW, Streams::default()).unwrap();
    assert_eq!(actions(&mut core), [Action::Freeze(id)]);
    (core, id)
}

#[test]
fn packets_have_the_sizes_of_the_figures_and_no_epoch() {
    let link = ethernet::Repr { dst: Mac([2; 6]), src: Mac([4; 6]), vlan: None, ethertype: ethernet::IPOS };
    let (mut frame, key) = (Vec::new(), Key::new([7; 32]));
    let path = Path { from: Ipv4Addr::new(10, 1, 0, 2), to: Ipv4Addr::new(10, 1, 0, 1) };
    for (protocol, message, bytes) in [
        (Protocol::Tcp, Message::Connection(Ok(tcb())), 176),
        (Protocol::Udp, Message::Connection(Ok(Endpoint::Udp)), 36),
        (Protocol::Tcp, Message::Acknowledge, 30),
        (Protocol::Udp, Message::Acknowledge, 30),
    ] {
        let packet = Packet { protocol, ..packet(message, 2) };
        encode_plain(&packet, link, &mut frame).unwrap();
        assert_eq!(frame.len(), bytes);
        assert_eq!(decode_plain(&frame, ethernet::IPOS).unwrap(), (link.src, packet.clone()));
        // it passes for nothing that a key could sign
        assert!(decode(&frame, ethernet::IPOS, std::slice::from_ref(&key), path).is_err());
        assert!(decode(&frame, ethernet::IPOS, &[], path).is_err());
        // one that has a trailer is read as if it had none
        encode(&Packet { epoch: 9, ..packet.clone() }, link, path, Some(&key), &mut frame).unwrap();
        assert_eq!(frame.len(), bytes + 44);
        assert_eq!(decode_plain(&frame, ethernet::IPOS).unwrap().1, packet);
    }
    encode(&packet(Message::Ready { features: 0 }, 2), link, path, None, &mut frame).unwrap();
    assert!(decode_plain(&frame, ethernet::IPOS).is_err());
}

#[test]
fn a_connection_goes_by_01_and_03_alone() {
    let (mut core, id) = started();
    core.frozen(id, tcb(), Default::default(), NOW);
    assert!(matches!(said(&mut core)[..], [Message::Connection(Ok(_))]));
    // it was lost
    let again = core.poll_timeout().unwrap();
    core.handle_timeout(again);
    assert!(matches!(said(&mut core)[..], [Message::Connection(Ok(_))]));
    // another tuple's, and what plain peers don't say
    core.handle_message(PLAIN, packet(Message::Acknowledge, 3), again);
    core.handle_message(PLAIN, packet(Message::Refuse { reason: Reason::Other, known: 0 }, 2), again);
    core.handle_message(PLAIN, packet(Message::Commit { answer: true }, 2), again);
    assert_eq!(actions(&mut core), []);
    core.handle_message(PLAIN, packet(Message::Acknowledge, 2), again);
    assert_eq!(actions(&mut core), [Action::HandOver(id)]);
    core.handed_over(id, again);
    assert_eq!(actions(&mut core), [Action::Done(id)]);
    assert_eq!(core.owner(&FLOW), Some(PLAIN));
    // the owner is not asked; when nothing comes any more, that is the end
    core.audit(FLOW, again);
    assert_eq!(actions(&mut core), []);
    core.idle(FLOW, again);
    assert_eq!(actions(&mut core), [Action::Forget(FLOW)]);
    assert_eq!(core.owner(&FLOW), None);
}

#[test]
fn after_01_nothing_is_given_up_and_the_hold_ends() {
    for acknowledged in [true, false] {
        let (mut core, id) = started();
        core.frozen(id, tcb(), Default::default(), NOW);
        assert_eq!(said(&mut core).len(), 1);
        while core.poll_action().is_none() && core.poll_timeout().is_some_and(|at| at < NOW + HOLD) {
            let at = core.poll_timeout().unwrap();
            core.handle_timeout(at);
            said(&mut core);
        }
        core.handle_timeout(NOW + HOLD);
        assert_eq!(actions(&mut core), [Action::HandOver(id)]);
        core.handed_over(id, NOW + HOLD);
        core.give_up(id, Failure::Local, NOW + HOLD);
        assert!(matches!(said(&mut core)[..], [Message::Connection(Ok(_))]));
        let mut ended = Vec::new();
        for _ in 0..100 {
            let Some(at) = core.poll_timeout() else { break };
            core.handle_timeout(at);
            if acknowledged {
                core.handle_message(PLAIN, packet(Message::Acknowledge, 2), at);
            }
            ended.extend(actions(&mut core).into_iter().filter(|a| !matches!(a, Action::Send { .. })));
        }
        let expected = if acknowledged { Action::Done(id) } else { Action::Failed(id, Failure::Unconfirmed) };
        assert_eq!(ended, [expected]);
        assert_eq!(core.owner(&FLOW), Some(PLAIN));
    }
}

#[test]
fn queues_state_and_a_second_move_of_the_tuple_are_refused() {
    let mut core = node(None);
    assert_eq!(core.start(NOW, 5, PLAIN, FLOW, Streams { send: 1, ..Streams::default() }), Err(StartError::Plain));
    // the queue filled meanwhile: nothing was said, so the connection stays
    let (mut core, id) = started();
    core.frozen(id, tcb(), Streams { receive: vec![1], ..Streams::default() }, NOW);
    assert_eq!(actions(&mut core), [Action::Failed(id, Failure::Plain)]);
    core.start(NOW, 5, PLAIN, FLOW, Streams::default()).unwrap();
    assert_eq!(core.start(NOW, 5, PLAIN, FLOW, Streams::default()), Err(StartError::Busy));
    // another port of the service can be told apart
    let other = Flow { service: SocketAddrV4::new(*SERVICE.ip(), 81), ..FLOW };
    core.start(NOW, 5, PLAIN, other, Streams::default()).unwrap();
    // what came from a plain home can only go back there
    let mut core = node(Some(PLAIN));
    assert_eq!(core.start(NOW, 5, OTHER, FLOW, Streams::default()), Err(StartError::Plain));
    core.start(NOW, 5, PLAIN, FLOW, Streams::default()).unwrap();
}

#[test]
fn a_plain_peers_connection_is_live_when_it_is_built() {
    let mut core = node(Some(PLAIN));
    let connection = packet(Message::Connection(Ok(tcb())), 1);
    core.handle_message(PLAIN, connection.clone(), NOW);
    let [Action::Reserve { id, flow: FLOW, .. }] = actions(&mut core)[..] else { panic!() };
    core.reserved(id, Ok(()), NOW);
    core.handle_message(PLAIN, connection.clone(), NOW);
    let [Action::Prepare { endpoint, .. }] = &actions(&mut core)[..] else { panic!() };
    assert_eq!(*endpoint, tcb());
    core.prepared(id, Ok(()), NOW);
    let [Action::GoLive(live), Action::Send { message: Message::Acknowledge, .. }] = &actions(&mut core)[..] else {
        panic!()
    };
    assert_eq!(*live, id);
    // 03 was lost
    core.handle_message(PLAIN, connection, NOW);
    assert_eq!(said(&mut core), [Message::Acknowledge]);
    // it goes back, and comes again: that is no repetition
    let back = core.start(NOW, 9, PLAIN, FLOW, Streams::default()).unwrap();
    core.frozen(back, tcb(), Default::default(), NOW);
    core.handle_message(PLAIN, packet(Message::Acknowledge, 2), NOW);
    core.handed_over(back, NOW);
    actions(&mut core);
    core.handle_message(PLAIN, packet(Message::Connection(Ok(tcb())), 1), NOW);
    let [Action::Reserve { id, .. }] = actions(&mut core)[..] else { panic!() };
    core.reserved(id, Ok(()), NOW);
    core.prepared(id, Ok(()), NOW);
    assert!(actions(&mut core).contains(&Action::GoLive(id)));
    // its home would not understand a release
    core.released(FLOW, NOW);
    assert_eq!(actions(&mut core), []);
}

#[test]
fn what_can_not_be_taken_is_not_acknowledged() {
    let mut queue = Tcb { rcv_nxt: 7, copied_seq: 7, ..Tcb::default() };
    queue.rcv_nxt += 1;
    let mut core = node(Some(PLAIN));
    core.handle_message(PLAIN, packet(Message::Connection(Ok(Endpoint::Tcp(Box::new(queue), Box::default()))), 1), NOW);
    core.handle_message(PLAIN, packet(Message::Connection(Err(Reason::Damaged)), 1), NOW);
    assert_eq!(actions(&mut core), []);
    core.handle_message(PLAIN, packet(Message::Connection(Ok(tcb())), 1), NOW);
    let [Action::Reserve { id, .. }] = actions(&mut core)[..] else { panic!() };
    core.reserved(id, Err(Reason::NoListener), NOW);
    assert_eq!(actions(&mut core), []);
    // its source repeats it, having no way to hear of that: there may be a listener by now
    core.handle_message(PLAIN, packet(Message::Connection(Ok(tcb())), 1), NOW);
    let [Action::Reserve { id: second, .. }] = actions(&mut core)[..] else { panic!() };
    assert!(second > id);
}

#[test]
fn what_is_here_is_acknowledged_however_late_a_repetition_comes() {
    let mut core = node(Some(PLAIN));
    let connection = packet(Message::Connection(Ok(tcb())), 1);
    core.handle_message(PLAIN, connection.clone(), NOW);
    let [Action::Reserve { id, .. }] = actions(&mut core)[..] else { panic!() };
    core.reserved(id, Ok(()), NOW);
    core.prepared(id, Ok(()), NOW);
    actions(&mut core);
    // the move is forgotten, its source repeats 01 for a minute
    let late = NOW + LINGER;
    core.handle_timeout(late);
    assert_eq!(core.poll_timeout(), None);
    core.handle_message(PLAIN, connection, late);
    assert_eq!(said(&mut core), [Message::Acknowledge]);
}

#[test]
fn a_connection_that_comes_back_ends_the_move_that_took_it_away() {
    let (mut core, id) = started();
    core.frozen(id, tcb(), Default::default(), NOW);
    core.handle_timeout(NOW + HOLD);
    core.handed_over(id, NOW + HOLD);
    actions(&mut core);
    core.handle_message(PLAIN, packet(Message::Connection(Ok(tcb())), 1), NOW + HOLD);
    let [Action::Done(done), Action::Reserve { .. }] = actions(&mut core)[..] else { panic!() };
    assert_eq!(done, id);
    // else 01, repeated, would be taken for a new connection there
    assert_eq!(core.poll_timeout(), None);
}

#[test]
fn what_was_said_is_not_given_up() {
    let (mut core, id) = started();
    core.frozen(id, tcb(), Default::default(), NOW);
    said(&mut core);
    // the hold is full
    core.give_up(id, Failure::Held, NOW);
    assert_eq!(actions(&mut core), []);
    // the node ends
    let mut ending = core.clone();
    ending.give_up(id, Failure::Local, NOW);
    assert_eq!(actions(&mut ending), [Action::HandOver(id)]);
    core.handle_message(PLAIN, packet(Message::Acknowledge, 2), NOW);
    assert_eq!(actions(&mut core), [Action::HandOver(id)]);
    core.give_up(id, Failure::Local, NOW);
    assert_eq!(actions(&mut core), []);
    core.handed_over(id, NOW);
    assert_eq!(actions(&mut core), [Action::Done(id)]);
}
