//! Many connections at once, and one connection many times.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::cluster::Cluster;
use crate::crowd::Crowd;

const LIMIT: Duration = Duration::from_secs(120);
const CROWD: usize = 1000;
/// So that a thousand clients leave two cores some time for the moves.
const PACE: Duration = Duration::from_millis(500);

#[test]
fn a_thousand_connections_at_once_while_all_carry_traffic() {
    let mut cluster = Cluster::new(None, [None; 2]);
    let crowd = Crowd::new(cluster.client(), CROWD, PACE);
    assert!(crowd.all_go_on(2, LIMIT), "they do not even begin");
    let mut given_up = Vec::new();
    for (from, to) in [(0, "b"), (1, "a")] {
        let begun = Instant::now();
        // on a busy machine a move may be given up: the connection stays, and is asked for again
        let (mut moved, mut stayed) = (0, 0);
        while moved < CROWD {
            cluster.at(from).tell(&format!("move all {to}"));
            let answer = cluster.at(from).answer().unwrap();
            let numbers = answer.strip_prefix("moved ").and_then(|rest| rest.split_once(", failed "));
            let (some, others) =
                numbers.map(|(m, f)| (m.parse::<usize>().unwrap(), f.parse::<usize>().unwrap())).unwrap();
            assert!(
                some + others == CROWD - moved && begun.elapsed() < LIMIT,
                "{moved} of {CROWD} moved, then: {answer}"
            );
            (moved, stayed) = (moved + some, stayed + others);
        }
        eprintln!("to {to}: {moved} moved in {:.2?}, {stayed} times one stayed", begun.elapsed());
        given_up.push(stayed as u64);
        assert!(crowd.all_go_on(2, LIMIT), "not all go on at {to}");
    }
    let ends = crowd.finish();
    let mut waits: Vec<_> = ends.into_iter().map(|end| end.expect("every answer, no reset")).collect();
    waits.sort();
    eprintln!("longest wait of a client for an answer: p50 {:.2?}, max {:.2?}", waits[CROWD / 2], waits[CROWD - 1]);
    let stats = [cluster.stats(0), cluster.stats(1)];
    for (node, stayed) in stats.iter().zip(given_up) {
        let counted = ["moved_out", "moved_in", "failed"].map(|name| node[name]);
        assert_eq!(counted, [CROWD as u64, CROWD as u64, stayed]);
    }
}

#[test]
fn thousands_of_moves_in_a_row() {
    let moves: u32 = std::env::var("IPOS_MOVES").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let mut cluster = Cluster::new(None, [None; 2]);
    let mut client = Client::new(cluster.client());
    assert!(client.goes_on(1 << 10, LIMIT), "it does not even begin");
    let begun = Instant::now();
    let mut freezes = Vec::new();
    for i in 0..moves {
        let (from, to) = if i % 2 == 0 { (0, "b") } else { (1, "a") };
        let report = cluster.moved(from, client.port, to, LIMIT);
        let words: Vec<&str> = report.split(' ').collect();
        freezes.push(words[1].parse::<u32>().unwrap());
    }
    let took = begun.elapsed();
    assert!(client.finish(LIMIT), "{:?}", client.seen());
    freezes.sort_unstable();
    let seen = client.seen();
    eprintln!(
        "{moves} moves in {:.1} s, {} bytes, longest pause {:.2?}, freeze p50 {} us, p99 {} us",
        took.as_secs_f64(),
        seen.received,
        seen.longest,
        freezes[freezes.len() / 2],
        freezes[freezes.len() * 99 / 100]
    );
}
