//! Cores that start again beside sockets that another process has kept.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ipos_migrate::codec::Packet;
use ipos_migrate::protocol::{
    Action, Flow, Ignored, Message, MoveId, Nonces, Ownership, PeerId, Protocol, Reason, Time,
};
use ipos_migrate::{Config, Migrator, Secret, Service};

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 40_000);
const SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 80);
const FLOW: Flow = Flow { protocol: Protocol::Tcp, client: CLIENT, service: SERVICE };
const OWN: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const ID: MoveId = MoveId { peer: PeerId(0), client: CLIENT, epoch: 5 };
/// This node's and the peer's, of a life before.
const NONCES: Nonces = Nonces { from: 11, to: 22 };
const NOW: Time = Duration::from_secs(1);

/// A new life of a node; the peer is the home.
fn core() -> Migrator {
    Migrator::new(Config {
        back_ip: OWN,
        peers: vec![PEER],
        plain: BTreeSet::new(),
        services: vec![Service { address: SERVICE, home: Some(PeerId(0)) }],
        move_bytes: 1 << 20,
        ahead_bytes: 1 << 16,
        features: 0,
        secret: Secret::new([9; 32]),
    })
}

/// What the peer says, with its number and the one that it repeats.
fn told(core: &mut Migrator, nonces: Nonces, message: Message) -> Vec<Action> {
    let owner = SocketAddrV4::new(OWN, SERVICE.port());
    let (protocol, client, service, epoch) = (Protocol::Tcp, CLIENT, Some(SERVICE), ID.epoch);
    core.handle_message(ID.peer, Packet { protocol, client, owner, service, epoch, nonces, message }, NOW);
    actions(core)
}

fn actions(core: &mut Migrator) -> Vec<Action> {
    std::iter::from_fn(|| core.poll_action()).collect()
}

/// What is sent alone.
fn sent(actions: &[Action]) -> (&Message, Nonces) {
    match actions {
        [Action::Send { id: ID, flow: FLOW, nonces, message, .. }] => (message, *nonces),
        other => panic!("{other:?}"),
    }
}

const BACK: Nonces = Nonces { from: NONCES.to, to: NONCES.from };

fn resumed() -> Migrator {
    let mut core = core();
    core.resume(ID, FLOW, NONCES, NOW);
    assert_eq!(core.nonces(ID), Some(NONCES));
    let asked = actions(&mut core);
    let (message, nonces) = sent(&asked);
    assert!(
        matches!(message, Message::Query { state: Ownership::Prepared, answer: false, known: 5, .. }),
        "{message:?}"
    );
    assert_eq!(nonces, NONCES);
    core
}

#[test]
fn what_was_prepared_goes_live_by_a_commit_with_its_number_alone() {
    let mut core = resumed();
    let recording = Nonces { from: NONCES.to, to: 12 };
    let commit = Message::Commit { answer: false };
    assert_eq!(told(&mut core, recording, commit.clone()), [Action::Ignored { peer: ID.peer, why: Ignored::Nonce }]);
    let all = told(&mut core, BACK, commit);
    assert!(matches!(&all[..2], [Action::GoLive(ID), Action::Send { message: Message::Commit { answer: true }, .. }]));
    assert_eq!(core.known(&FLOW), Some(5));
}

#[test]
fn what_was_prepared_is_dropped_by_a_cancel_and_after_two_minutes_of_silence() {
    let mut core = resumed();
    let all = told(&mut core, BACK, Message::Cancel);
    assert!(matches!(
        &all[..],
        [Action::Abandon(ID), Action::Send { message: Message::Refuse { reason: Reason::Cancelled, .. }, .. }]
    ));
    let mut core = resumed();
    let mut questions = 0;
    let dropped = loop {
        let now = core.poll_timeout().expect("it asks on");
        core.handle_timeout(now);
        for action in actions(&mut core) {
            match action {
                Action::Send { message: Message::Query { .. }, .. } => questions += 1,
                Action::Abandon(ID) => {}
                Action::Send { message: Message::Refuse { reason: Reason::Lost, .. }, .. } => {}
                other => panic!("{other:?}"),
            }
        }
        if questions >= 99 && core.poll_timeout().is_some_and(|t| t > now + Duration::from_secs(2)) {
            break now;
        }
    };
    assert!(dropped > Duration::from_secs(90) && dropped < Duration::from_secs(120), "{dropped:?}");
}

#[test]
fn what_was_not_committed_is_called_off_until_that_is_answered() {
    let mut core = core();
    core.retract(ID, FLOW, NONCES, NOW);
    assert_eq!(sent(&actions(&mut core)), (&Message::Cancel, NONCES));
    let again = core.poll_timeout().unwrap();
    core.handle_timeout(again);
    assert_eq!(sent(&actions(&mut core)), (&Message::Cancel, NONCES));
    // a destination in doubt hears it, too
    let (state, owner, known) = (Ownership::Prepared, OWN, 5);
    let doubt = Message::Query { state, owner, known, answer: false };
    assert_eq!(sent(&told(&mut core, BACK, doubt)), (&Message::Cancel, NONCES));
    // the connection can move again meanwhile, under a later number
    let id = core.start(NOW, 0, PeerId(0), FLOW, Default::default()).unwrap();
    assert!(id.epoch > ID.epoch);
    actions(&mut core);
    assert_eq!(told(&mut core, BACK, Message::Refuse { reason: Reason::Cancelled, known: 0 }), []);
    assert_eq!(core.nonces(ID), None);
}
