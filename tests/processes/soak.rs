//! Connections come, move and go for a time; nothing may pile up: memory, descriptors, table entries, namespaces.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::crowd::Crowd;

const LIMIT: Duration = Duration::from_secs(120);
/// Without `IPOS_SOAK_SECONDS`; `cargo xtask soak` sets it.
const SECONDS: u64 = 10;
/// Rounds before what is in use is written down: buffers and tables have grown to their size.
const WARM_UP: u32 = 10;
/// Growth that is an allocator's and not a leak's, in KiB for each process.
const SLACK: i64 = 8 << 10;
/// Connections that stay throughout, and that come and go with each round.
const STAY: usize = 20;
const PASS: usize = 10;
/// Between two questions of a client.
const PACE: Duration = Duration::from_millis(20);

/// What a process has in use.
#[derive(Clone, Debug)]
struct Usage {
    name: String,
    kib: i64,
    descriptors: i64,
}

fn usage(cluster: &Cluster) -> Vec<Usage> {
    let read = |(name, pid): (String, u32)| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
        let kib = line.trim().trim_end_matches(" kB").parse().unwrap();
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as i64;
        Usage { name, kib, descriptors }
    };
    cluster.processes().into_iter().map(read).collect()
}

/// Whether this process, or another by being in it, keeps one of these network namespaces.
fn kept(namespaces: &[PathBuf]) -> bool {
    let own = fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok).map(|fd| fd.path());
    let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|process| process.path().join("ns/net"));
    own.chain(all).filter_map(|link| fs::read_link(link).ok()).any(|link| namespaces.contains(&link))
}

/// Waits until no connection has left anything at either node.
fn settle(cluster: &mut Cluster) {
    let end = Instant::now() + LIMIT;
    loop {
        let left: Vec<_> = (0..2).map(|i| cluster.stats(i)).collect();
        if left.iter().all(|s| s["entries"] + s["forwarded"] + s["holding"] == 0) {
            return;
        }
        assert!(Instant::now() < end, "left behind: {left:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What is in use at last: the conversations in which the nodes were just asked take a moment to end.
fn let_go(cluster: &Cluster, warm: &[Usage]) -> Vec<Usage> {
    let end = Instant::now() + LIMIT;
    loop {
        let now = usage(cluster);
        let fewer = now.iter().zip(warm).all(|(now, warm)| now.descriptors <= warm.descriptors);
        if fewer || Instant::now() > end {
            return now;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Connections come, all move there, every other time back, and those that came go: they end on both servers in turn.
/// A move that fails, on a machine that is too busy for it, leaves its connection where it was.
fn round(cluster: &mut Cluster, number: u32, stay: &Crowd) {
    let pass = Crowd::new(cluster.client(), PASS, PACE);
    let ways: &[(usize, &str)] = if number.is_multiple_of(2) { &[(0, "b"), (1, "a")] } else { &[(0, "b")] };
    for &(from, to) in ways {
        assert!(pass.all_go_on(2, LIMIT) && stay.all_go_on(2, LIMIT), "round {number} before {to}");
        move_all(cluster, from, to);
    }
    assert!(pass.all_go_on(2, LIMIT) && stay.all_go_on(2, LIMIT), "round {number}");
    for end in pass.finish() {
        end.unwrap();
    }
    move_all(cluster, 1, "a");
}

fn move_all(cluster: &mut Cluster, from: usize, to: &str) {
    cluster.at(from).tell(&format!("move all {to}"));
    let answer = cluster.at(from).answer().unwrap();
    assert!(answer.starts_with("moved"), "{answer}");
}

#[test]
fn nothing_piles_up() {
    let seconds = std::env::var("IPOS_SOAK_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(SECONDS);
    let mut cluster = Cluster::new(None, [None; 2]);
    let stay = Crowd::new(cluster.client(), STAY, PACE);
    let begun = Instant::now();
    let (mut rounds, mut warm) = (0, None);
    let mut said = begun;
    while rounds <= WARM_UP || begun.elapsed() < Duration::from_secs(seconds) {
        round(&mut cluster, rounds, &stay);
        rounds += 1;
        if rounds == WARM_UP {
            warm = Some(usage(&cluster));
        }
        if said.elapsed() > Duration::from_secs(60) {
            said = Instant::now();
            eprintln!("{} s, {rounds} rounds: {:?}", begun.elapsed().as_secs(), usage(&cluster));
        }
    }
    let count = |what: &str| cluster.stats(0)[what] + cluster.stats(1)[what];
    let (moved, failed) = (count("moved_out"), count("failed"));
    for end in stay.finish() {
        end.unwrap();
    }
    let took = begun.elapsed();
    settle(&mut cluster);
    let warm = warm.unwrap();
    let now = let_go(&cluster, &warm);
    eprintln!("{} s, {rounds} rounds, {moved} moves, {failed} failed; nothing in the tables", took.as_secs());
    for (warm, now) in warm.iter().zip(&now) {
        eprintln!(
            "{}: {} KiB, {:+} since round {WARM_UP}; {} descriptors, {:+}",
            now.name,
            now.kib,
            now.kib - warm.kib,
            now.descriptors,
            now.descriptors - warm.descriptors
        );
    }
    for (warm, now) in warm.iter().zip(&now) {
        // the connections that stayed are gone now
        assert!(now.descriptors <= warm.descriptors, "{now:?}, {warm:?}");
        assert!(now.kib - warm.kib < SLACK, "{now:?}, {warm:?}");
    }
    let namespaces = cluster.namespaces();
    assert!(kept(&namespaces));
    drop(cluster);
    assert!(!kept(&namespaces));
}
