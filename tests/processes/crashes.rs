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
use Victim::{Application, Both, Node};

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
    (0, Node, "after offer", MayEnd),
    (0, Node, "after freeze", MayEnd),
    (0, Node, "before hand-over", MayEnd),
    (0, Node, "after hand-over", GoOn),
    (0, Node, "after commit", Unnoticed),
    (0, Node, "", Unnoticed),
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
    (1, Node, "after ready", GoOn),
    (1, Node, "before acknowledgement", GoOn),
    (1, Node, "after acknowledgement", MayEnd),
    (1, Node, "after go-live", MayEnd),
    (1, Node, "", GoOn),
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
        // an application has no steps: its node halts at one, and the application dies meanwhile
        let variable = if victim == Application { "IPOS_HALT" } else { "IPOS_CRASH" };
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
        (_, Application) => server.node.halted(),
        _ => server.node.died(),
    };
    if step.is_empty() && victim != Application {
        server.node.kill();
    }
    if victim != Node {
        server.application.process.kill();
    }
    if !step.is_empty() && victim == Application {
        server.node.go_on();
    }
    let meanwhile = if waits { client.ends(DEAD).is_none() } else { client.goes_on(PROOF, DEAD) };
    if victim != Application {
        cluster.restart_node(own);
    }
    if victim != Node {
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
        let (own, victim) = (random.random_range(0..2), [Both, Node, Application][random.random_range(0..3)]);
        cluster.at(at).tell(&format!("move {} {}", client.port, ["b", "a"][at]));
        thread::sleep(Duration::from_micros(random.random_range(0..8000)));
        if victim != Application {
            cluster.servers[own].node.kill();
        }
        if victim != Node {
            cluster.servers[own].application.process.kill();
        }
        thread::sleep(Duration::from_millis(random.random_range(0..1000)));
        if victim != Application {
            cluster.restart_node(own);
        }
        if own != at || victim == Node {
            let answer = cluster.at(at).answer();
            assert!(answer.is_some(), "{about}: the move never ended");
        }
        if victim != Node {
            cluster.restart_application(own);
        }
        let survived = client.goes_on(PROOF, LIMIT) && client.finish(LIMIT);
        let seen = client.seen();
        let clean = matches!(seen.end, Some(End::Reset | End::Closed));
        assert!(!seen.wrong && (survived || clean), "{about} of {victim:?} {own}: {seen:?}");
        if survived { went_on += 1 } else { ended += 1 }
    }
    eprintln!("{kills} kills, IPOS_SEED={seed}: {went_on} connections went on, {ended} ended with their owner");
}
