//! Nodes and applications are killed at each step of a move, and at any time: what the client sees.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::client::{Client, End, Kind};
use crate::cluster::Cluster;

/// How long a connection gets to go on: the client's retransmission timer has backed off meanwhile.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at what has become of a connection.
const STEP: Duration = Duration::from_millis(100);
/// How long the dead stay dead.
const DEAD: Duration = Duration::from_millis(1500);
/// How long after all are back a client that waits learns that its connection is dead: 3 s, and what busy cores add.
const LEARNS: Duration = Duration::from_secs(10);
/// Bytes that must come back before a connection is said to go on.
const PROOF: u64 = 32 << 10;

/// What is killed of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    /// Node and application: the server, but for its card and kernel.
    Both,
    Node,
    Application,
    /// What keeps the node's sockets.
    Holder,
    NodeAndHolder,
}

impl Victim {
    fn has_node(self) -> bool {
        matches!(self, Both | Node | NodeAndHolder)
    }

    fn has_application(self) -> bool {
        matches!(self, Both | Application)
    }

    fn has_holder(self) -> bool {
        matches!(self, Holder | NodeAndHolder)
    }
}

/// What may become of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// What was killed owned it: it may end.
    End,
    /// It must go on, once what was killed is back.
    GoOn,
    /// It must go on meanwhile.
    Unnoticed,
}

use Allowed::{End as MayEnd, GoOn, Unnoticed};
use Victim::{Application, Both, Holder, Node, NodeAndHolder};

/// Server (0: source and home, 1: destination), what of it is killed, at which step of its node, what is allowed.
type Case = (usize, Victim, &'static str, Allowed);

#[rustfmt::skip]
const CASES: &[Case] = &[
    (0, Both, "before offer", MayEnd),
    (0, Both, "after offer", MayEnd),
    (0, Both, "before freeze", MayEnd),
    (0, Both, "after freeze", MayEnd),
    (0, Both, "after connection", MayEnd),
    (0, Both, "before hand-over", MayEnd),
    (0, Both, "after record", GoOn),
    (0, Both, "after hand-over", GoOn),
    (0, Both, "after commit", Unnoticed),
    (0, Both, "before done", Unnoticed),
    (0, Both, "", Unnoticed),
    (0, Node, "before offer", GoOn),
    (0, Node, "after offer", GoOn),
    (0, Node, "before freeze", GoOn),
    (0, Node, "after freeze", GoOn),
    (0, Node, "after connection", GoOn),
    (0, Node, "before hand-over", GoOn),
    (0, Node, "after record", GoOn),
    (0, Node, "after hand-over", GoOn),
    (0, Node, "after commit", Unnoticed),
    (0, Node, "before done", Unnoticed),
    (0, Node, "", Unnoticed),
    (0, NodeAndHolder, "after offer", MayEnd),
    (0, NodeAndHolder, "after freeze", MayEnd),
    (0, NodeAndHolder, "before hand-over", MayEnd),
    (0, NodeAndHolder, "after record", GoOn),
    (0, NodeAndHolder, "after hand-over", GoOn),
    (0, Holder, "after offer", Unnoticed),
    (0, Holder, "after freeze", Unnoticed),
    (0, Holder, "before hand-over", Unnoticed),
    (0, Holder, "after commit", Unnoticed),
    (0, Holder, "", Unnoticed),
    (0, Application, "after offer", MayEnd),
    (0, Application, "after freeze", MayEnd),
    (0, Application, "after hand-over", Unnoticed),
    (0, Application, "after commit", Unnoticed),
    (0, Application, "", Unnoticed),
    (1, Both, "before reserve", GoOn),
    (1, Both, "before ready", GoOn),
    (1, Both, "after ready", GoOn),
    (1, Both, "before prepare", GoOn),
    (1, Both, "after prepare", GoOn),
    (1, Both, "before acknowledgement", GoOn),
    (1, Both, "after acknowledgement", MayEnd),
    (1, Both, "before go-live", MayEnd),
    (1, Both, "after go-live", MayEnd),
    (1, Both, "after commit answer", MayEnd),
    (1, Both, "", MayEnd),
    (1, Node, "before reserve", GoOn),
    (1, Node, "before ready", GoOn),
    (1, Node, "after ready", GoOn),
    (1, Node, "before prepare", GoOn),
    (1, Node, "after prepare", GoOn),
    (1, Node, "before acknowledgement", GoOn),
    (1, Node, "after acknowledgement", GoOn),
    (1, Node, "before go-live", GoOn),
    (1, Node, "after go-live", GoOn),
    (1, Node, "after commit answer", GoOn),
    (1, Node, "", GoOn),
    (1, NodeAndHolder, "after prepare", GoOn),
    (1, NodeAndHolder, "after acknowledgement", MayEnd),
    (1, NodeAndHolder, "before go-live", MayEnd),
    (1, Holder, "after ready", Unnoticed),
    (1, Holder, "after prepare", Unnoticed),
    (1, Holder, "before go-live", Unnoticed),
    (1, Holder, "after go-live", Unnoticed),
    (1, Application, "before reserve", GoOn),
    (1, Application, "after ready", GoOn),
    (1, Application, "after acknowledgement", MayEnd),
    (1, Application, "after go-live", MayEnd),
    (1, Application, "", MayEnd),
];

/// What became of one.
#[derive(Debug)]
struct Outcome {
    died: bool,
    meanwhile: bool,
    afterwards: bool,
    end: Option<End>,
    /// From when all was back until a client that waits learnt of the end.
    learnt: Option<Duration>,
    wrong: bool,
    pause: Duration,
}

/// The victim dies as the move gets to the step; without one, after the move.
fn play(&(own, victim, step, allowed): &Case, kind: Kind) -> Outcome {
    let mut environment = [None; 2];
    if !step.is_empty() {
        // others have no steps: their node halts at one, and they die meanwhile
        let variable = if victim.has_node() { "IPOS_CRASH" } else { "IPOS_HALT" };
        environment[own] = Some((variable, step));
    }
    let mut cluster = Cluster::new(None, environment);
    let mut client = Client::of_kind(cluster.client(), kind);
    assert!(client.goes_on(PROOF, LIMIT), "it does not even begin");
    let waits = kind == Kind::Waits;
    assert!(!waits || client.finish(LIMIT), "it is not answered");
    cluster.at(0).tell(&format!("move {} b", client.port));
    if step.is_empty() {
        assert!(cluster.at(0).answer().is_some_and(|a| a.starts_with("moved")));
    }
    let server = &mut cluster.servers[own];
    let died = match (step, victim) {
        ("", _) => true,
        _ if victim.has_node() => server.node.died(),
        _ => server.node.halted(),
    };
    if step.is_empty() && victim.has_node() {
        server.node.kill();
    }
    if victim.has_application() {
        server.application.process.kill();
    }
    if victim.has_holder() {
        server.holder.kill();
    }
    if !step.is_empty() && !victim.has_node() {
        server.node.go_on();
    }
    let meanwhile = if waits { client.ends(DEAD).is_none() } else { client.goes_on(PROOF, DEAD) };
    // a node finds that its holder is gone, and starts one
    if victim.has_node() {
        cluster.restart_node(own);
    }
    if victim.has_application() {
        cluster.restart_application(own);
    }
    let back = Instant::now();
    // one that lives on somewhere needs no telling
    let may_end = allowed == MayEnd && waits;
    while may_end && client.ends(STEP).is_none() && (back.elapsed() < LEARNS / 2 || cluster.owners(client.port) == 0) {
        assert!(back.elapsed() < LIMIT, "{step}: nobody has the connection, and the client that waits is not told");
    }
    let learnt = client.seen().end.map(|_| back.elapsed());
    client.go_on();
    let afterwards = client.goes_on(PROOF, LIMIT) && client.finish(LIMIT);
    let seen = client.seen();
    Outcome { died, meanwhile, afterwards, end: seen.end, learnt, wrong: seen.wrong, pause: seen.longest }
}

#[test]
fn a_card_forwards_without_its_node() {
    let mut cluster = Cluster::new(None, [None; 2]);
    let mut client = Client::new(cluster.client());
    assert!(client.goes_on(PROOF, LIMIT), "it does not even begin");
    cluster.moved(0, client.port, "b", LIMIT);
    cluster.servers[0].node.kill();
    assert!(client.goes_on(1 << 20, LIMIT) && client.finish(LIMIT), "{:?}", client.seen());
    eprintln!("longest pause {:?}", client.seen().longest);
}

#[test]
fn a_node_whose_card_is_gone_ends_and_says_so() {
    let mut cluster = Cluster::new(None, [None; 2]);
    let client = Client::new(cluster.client());
    assert!(client.goes_on(PROOF, LIMIT), "it does not even begin");
    cluster.servers[0].card.kill();
    assert_eq!(cluster.servers[0].node.ended(), Some(1));
    let log = cluster.log(0);
    assert!(log.contains("the card's process"), "{log}");
}

#[test]
fn killed_at_each_step() {
    killed_while_the_client(Kind::Streams);
}

#[test]
fn killed_at_each_step_while_the_client_waits() {
    killed_while_the_client(Kind::Waits);
}

#[test]
fn killed_at_each_step_while_the_client_sends_small_pieces() {
    killed_while_the_client(Kind::Nagle);
}

fn killed_while_the_client(kind: Kind) {
    let next = Mutex::new(CASES.iter().enumerate());
    let outcomes: Mutex<Vec<(usize, Outcome)>> = Mutex::default();
    thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| {
                loop {
                    let Some((i, case)) = next.lock().unwrap().next() else { return };
                    let outcome = play(case, kind);
                    outcomes.lock().unwrap().push((i, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by_key(|(i, _)| *i);
    eprintln!("{kind:?}\n| killed | at | until it is back | after | longest pause |\n|---|---|---|---|---|");
    let mut off = Vec::new();
    for (i, outcome) in &outcomes {
        let &(own, victim, step, allowed) = &CASES[*i];
        let server = ["A", "B"][own];
        let (what, at) = (format!("{victim:?}").to_lowercase(), if step.is_empty() { "after the move" } else { step });
        let meanwhile = if outcome.meanwhile { "goes on" } else { "waits" };
        let after = match outcome.end {
            _ if outcome.afterwards => "goes on, every byte once".to_owned(),
            Some(End::Reset) => "reset".to_owned(),
            Some(End::Closed) => "closed".to_owned(),
            Some(End::Other(kind)) => format!("{kind}"),
            None => "nothing".to_owned(),
        };
        let seconds = |t: Duration| format!("{:.1} s", t.as_secs_f64());
        let learnt = outcome.learnt.map(|t| format!("told after {}", seconds(t)));
        let pause = if outcome.afterwards { seconds(outcome.pause) } else { learnt.unwrap_or("–".to_owned()) };
        eprintln!("| {server}, {what} | {at} | {meanwhile} | {after} | {pause} |");
        let ended = matches!(outcome.end, Some(End::Reset | End::Closed));
        let right = match allowed {
            MayEnd => outcome.afterwards || ended,
            GoOn => outcome.afterwards,
            Unnoticed => outcome.afterwards && outcome.meanwhile,
        };
        // what ended only when the client spoke would have left it waiting
        let told = kind != Kind::Waits || outcome.end.is_none() || outcome.learnt.is_some_and(|t| t < LEARNS);
        if !outcome.died || outcome.wrong || !right || !told {
            off.push(format!("{server}, {what}, {at}: {outcome:?}"));
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}

/// The holder is replaced while a node stands at a step, the node dies there, and what it had is with the new holder.
#[test]
fn a_holder_that_takes_over_in_mid_move_has_what_the_first_one_had() {
    for (own, step) in [(0, "after freeze"), (1, "before go-live")] {
        let mut environment = [None; 2];
        environment[own] = Some(("IPOS_HALT", step));
        let mut cluster = Cluster::new(None, environment);
        let mut client = Client::new(cluster.client());
        assert!(client.goes_on(PROOF, LIMIT), "it does not even begin");
        cluster.at(0).tell(&format!("move {} b", client.port));
        assert!(cluster.servers[own].node.halted());
        cluster.replace_holder(own);
        cluster.servers[own].node.kill();
        cluster.restart_node(own);
        assert!(client.goes_on(PROOF, LIMIT) && client.finish(LIMIT), "{step}: {:?}", client.seen());
        assert!(!client.seen().wrong);
    }
}

/// No holder is there: the node starts one, which outlives it, and ends with a node that is told to end.
#[test]
fn a_node_starts_a_holder_where_there_is_none() {
    let mut cluster = Cluster::new(None, [None; 2]);
    cluster.clients_know_the_home();
    cluster.servers[0].node.kill();
    cluster.servers[0].holder.kill();
    cluster.restart_node_with(0, Some(("IPOS_CRASH", "after freeze")));
    let mut client = Client::new(cluster.client());
    assert!(client.goes_on(PROOF, LIMIT), "it does not even begin");
    cluster.at(0).tell(&format!("move {} b", client.port));
    assert!(cluster.servers[0].node.died());
    cluster.restart_node(0);
    assert!(client.goes_on(PROOF, LIMIT) && client.finish(LIMIT), "{:?}", client.seen());
    cluster.servers[0].node.terminate();
    assert_eq!(cluster.servers[0].node.ended(), Some(0));
    assert!(cluster.holder_ends(0), "it outlives a node that needs it no more");
}

#[test]
fn killed_at_any_time() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(default);
    let (seed, kills) = (number("IPOS_SEED", 1), number("IPOS_KILLS", 8));
    let mut random = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::new(None, [None; 2]);
    let (mut went_on, mut ended) = (0, 0);
    for round in 0..kills {
        let about = format!("kill {round}, IPOS_SEED={seed}");
        let mut client = Client::new(cluster.client());
        assert!(client.goes_on(PROOF, LIMIT), "{about}: it does not even begin");
        let mut at = 0;
        for _ in 0..random.random_range(0..4) {
            cluster.moved(at, client.port, ["b", "a"][at], LIMIT);
            assert!(client.goes_on(PROOF, LIMIT), "{about}: {:?}", client.seen());
            at = 1 - at;
        }
        let victims = [Both, Node, Application, NodeAndHolder, Holder];
        let (own, victim) = (random.random_range(0..2), victims[random.random_range(0..victims.len())]);
        cluster.at(at).tell(&format!("move {} {}", client.port, ["b", "a"][at]));
        thread::sleep(Duration::from_micros(random.random_range(0..8000)));
        if victim.has_node() {
            cluster.servers[own].node.kill();
        }
        if victim.has_application() {
            cluster.servers[own].application.process.kill();
        }
        if victim.has_holder() {
            cluster.servers[own].holder.kill();
        }
        thread::sleep(Duration::from_millis(random.random_range(0..1000)));
        if victim.has_node() {
            cluster.restart_node(own);
        }
        if own != at || !victim.has_application() {
            let answer = cluster.at(at).answer();
            assert!(answer.is_some(), "{about}: the move never ended");
        }
        if victim.has_application() {
            cluster.restart_application(own);
        }
        let survived = client.goes_on(PROOF, LIMIT) && client.finish(LIMIT);
        let seen = client.seen();
        let clean = matches!(seen.end, Some(End::Reset | End::Closed));
        let may_end = !matches!(victim, Node | Holder);
        assert!(!seen.wrong && (survived || clean && may_end), "{about} of {victim:?} {own}: {seen:?}");
        if survived { went_on += 1 } else { ended += 1 }
    }
    eprintln!("{kills} kills, IPOS_SEED={seed}: {went_on} connections went on, {ended} ended with their owner");
}
