//! The back network loses, repeats, reorders and delays: the client sees every byte once, and no reset.

use std::time::Duration;

use ipos_sim::fault::Faults;

use crate::client::Client;
use crate::cluster::Cluster;

const LIMIT: Duration = Duration::from_secs(120);

/// Moves a connection there and back while data flows; how many moves of how many succeeded.
fn moves(name: &str, faults: Faults, tries: u32) -> u32 {
    let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut cluster = Cluster::new(Some((faults, seed)), [None; 2]);
    let mut client = Client::new(cluster.client());
    let (mut at, mut moved) = (0, 0);
    for _ in 0..tries {
        assert!(client.goes_on(4 << 10, LIMIT), "{name}, IPOS_SEED={seed}: {:?}", client.seen());
        let target = ["b", "a"][at];
        cluster.at(at).tell(&format!("move {} {target}", client.port));
        let answer = cluster.at(at).answer().unwrap();
        if answer.starts_with("moved") {
            at = 1 - at;
            moved += 1;
        } else {
            eprintln!("{name}: {answer}");
        }
    }
    let whole = client.finish(LIMIT);
    let seen = client.seen();
    eprintln!(
        "{name}: {moved} of {tries} moves, {} bytes, longest pause {:.2} s, IPOS_SEED={seed}",
        seen.received,
        seen.longest.as_secs_f64()
    );
    assert!(whole && seen.end.is_none(), "{name}, IPOS_SEED={seed}: {seen:?}");
    moved
}

#[test]
fn loss_of_1_percent() {
    assert!(moves("1 % loss", Faults { loss: 0.01, ..Faults::default() }, 40) >= 36);
}

#[test]
fn loss_of_5_percent() {
    assert!(moves("5 % loss", Faults { loss: 0.05, ..Faults::default() }, 40) >= 32);
}

#[test]
fn loss_of_20_percent() {
    assert!(moves("20 % loss", Faults { loss: 0.2, ..Faults::default() }, 20) >= 10);
}

#[test]
fn duplication_and_reordering() {
    assert!(moves("5 % duplication", Faults { duplicate: 0.05, ..Faults::default() }, 40) >= 38);
    assert!(moves("20 % reordering", Faults { reorder: 0.2, ..Faults::default() }, 40) >= 38);
}

#[test]
fn a_delay_of_100_ms() {
    let delay = Duration::from_millis(100);
    let faults = Faults { delay: 1.0, min_delay: delay, max_delay: delay, ..Faults::default() };
    assert!(moves("100 ms delay", faults, 20) >= 18);
}
