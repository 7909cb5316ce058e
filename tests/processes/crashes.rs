//! A node and its application are killed at each step of a move: what the client sees.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::client::{Client, End};
use crate::cluster::Cluster;

/// How long a connection gets to go on: the client's retransmission timer has backed off meanwhile.
const LIMIT: Duration = Duration::from_secs(60);
/// How long the dead stay dead.
const DEAD: Duration = Duration::from_millis(1500);
/// Bytes that must come back before a connection is said to go on.
const PROOF: u64 = 32 << 10;

/// Who is killed, when.
struct Case {
    /// 0: the source and home. 1: the destination.
    victim: usize,
    step: &'static str,
    /// Whether the connection may die with the victim, which owned it.
    may_end: bool,
    /// Whether the client must not even notice, before the victim is back.
    goes_on_meanwhile: bool,
}

/// What became of one.
#[derive(Debug)]
struct Outcome {
    died: bool,
    meanwhile: bool,
    afterwards: bool,
    end: Option<End>,
    wrong: bool,
    pause: Duration,
}

const fn source(step: &'static str, may_end: bool, goes_on_meanwhile: bool) -> Case {
    Case { victim: 0, step, may_end, goes_on_meanwhile }
}

const fn destination(step: &'static str, may_end: bool, goes_on_meanwhile: bool) -> Case {
    Case { victim: 1, step, may_end, goes_on_meanwhile }
}

/// A node that starts again empties its card's tables, so far: the home's death ends what it has moved away.
const NOT_YET: bool = true;

const CASES: &[Case] = &[
    source("before offer", true, false),
    source("after offer", true, false),
    source("before freeze", true, false),
    source("after freeze", true, false),
    source("after connection", true, false),
    source("before hand-over", true, false),
    source("after hand-over", NOT_YET, false),
    source("after commit", NOT_YET, true),
    source("before done", NOT_YET, true),
    source("after done", NOT_YET, true),
    destination("before reserve", false, false),
    destination("before ready", false, false),
    destination("after ready", false, false),
    destination("before prepare", false, false),
    destination("after prepare", false, false),
    destination("before acknowledgement", false, false),
    destination("after acknowledgement", true, false),
    destination("before go-live", true, false),
    destination("after go-live", true, false),
    destination("after commit answer", true, false),
];

fn play(case: &Case) -> Outcome {
    let mut crash = [None; 2];
    crash[case.victim] = Some(case.step);
    let mut cluster = Cluster::new(None, crash);
    let mut client = Client::new(cluster.client());
    assert!(client.goes_on(PROOF, LIMIT), "it does not even begin");
    cluster.node(0).tell(&format!("move {} b", client.port));
    let died = cluster.node(case.victim).died();
    // a move that is given up by the survivor takes as long as packets may be held
    let meanwhile = client.goes_on(PROOF, DEAD);
    cluster.start(case.victim, None);
    let afterwards = client.goes_on(PROOF, LIMIT) && client.finish(LIMIT);
    let seen = client.seen();
    Outcome { died, meanwhile, afterwards, end: seen.end, wrong: seen.wrong, pause: seen.longest }
}

#[test]
fn a_card_forwards_without_its_node() {
    let mut cluster = Cluster::new(None, [None; 2]);
    let mut client = Client::new(cluster.client());
    assert!(client.goes_on(PROOF, LIMIT), "it does not even begin");
    cluster.node(0).tell(&format!("move {} b", client.port));
    assert!(cluster.node(0).answer().is_some_and(|a| a.starts_with("moved")));
    cluster.node(0).kill();
    assert!(client.goes_on(1 << 20, LIMIT) && client.finish(LIMIT), "{:?}", client.seen());
    eprintln!("longest pause {:?}", client.seen().longest);
}

#[test]
fn killed_at_each_step() {
    let next = Mutex::new(CASES.iter().enumerate());
    let outcomes: Mutex<Vec<(usize, Outcome)>> = Mutex::default();
    thread::scope(|s| {
        for _ in 0..5 {
            s.spawn(|| {
                loop {
                    let Some((i, case)) = next.lock().unwrap().next() else { return };
                    let outcome = play(case);
                    outcomes.lock().unwrap().push((i, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by_key(|(i, _)| *i);
    eprintln!("| killed | at | until it is back | after | longest pause |\n|---|---|---|---|---|");
    let mut off = Vec::new();
    for (i, outcome) in &outcomes {
        let case = &CASES[*i];
        let victim = ["A", "B"][case.victim];
        let after = match outcome.end {
            _ if outcome.afterwards => "goes on, every byte once".to_owned(),
            Some(End::Reset) => "reset".to_owned(),
            Some(End::Closed) => "closed".to_owned(),
            Some(End::Other(kind)) => format!("{kind}"),
            None => "nothing".to_owned(),
        };
        let meanwhile = if outcome.meanwhile { "goes on" } else { "waits" };
        let pause = if outcome.afterwards { format!("{:.1} s", outcome.pause.as_secs_f64()) } else { "–".to_owned() };
        eprintln!("| {victim} | {} | {meanwhile} | {after} | {pause} |", case.step);
        let ended = matches!(outcome.end, Some(End::Reset | End::Closed));
        let allowed = outcome.afterwards || case.may_end && ended;
        let good = outcome.died && !outcome.wrong && allowed && (outcome.meanwhile || !case.goes_on_meanwhile);
        if !good {
            off.push(format!("{victim} {}: {outcome:?}", case.step));
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
    for kill in 0..kills {
        let mut client = Client::new(cluster.client());
        assert!(client.goes_on(PROOF, LIMIT), "kill {kill}, IPOS_SEED={seed}: it does not even begin");
        let mut at = 0;
        for _ in 0..random.random_range(0..4) {
            cluster.node(at).tell(&format!("move {} {}", client.port, ["b", "a"][at]));
            let answer = cluster.node(at).answer().unwrap();
            assert!(answer.starts_with("moved"), "kill {kill}, IPOS_SEED={seed}: {answer}");
            at = 1 - at;
        }
        let victim = random.random_range(0..2);
        cluster.node(at).tell(&format!("move {} {}", client.port, ["b", "a"][at]));
        thread::sleep(Duration::from_micros(random.random_range(0..8000)));
        cluster.node(victim).kill();
        thread::sleep(Duration::from_millis(random.random_range(0..1000)));
        cluster.start(victim, None);
        let survived = client.goes_on(PROOF, LIMIT) && client.finish(LIMIT);
        let seen = client.seen();
        let clean = matches!(seen.end, Some(End::Reset | End::Closed));
        assert!(!seen.wrong && (survived || clean), "kill {kill} of {victim}, IPOS_SEED={seed}: {seen:?}");
        if survived {
            went_on += 1
        } else {
            ended += 1
        }
        if victim != at {
            // the survivor's answer to the last command is still to come
            let answer = cluster.node(at).answer();
            assert!(answer.is_some(), "kill {kill}, IPOS_SEED={seed}: the move never ended");
        }
    }
    eprintln!("{kills} kills, IPOS_SEED={seed}: {went_on} connections went on, {ended} ended with their owner");
}
