//! The disk that the nodes keep their journals on is full: nothing moves that a restart would not know of.

use std::time::Duration;

use crate::client::{Client, End};
use crate::cluster::Cluster;
use crate::crowd::Crowd;
use crate::disk::Disk;

const LIMIT: Duration = Duration::from_secs(60);
const CROWD: usize = 75;
const PACE: Duration = Duration::from_millis(50);
/// Bytes that must come back before a connection is said to go on.
const PROOF: u64 = 16 << 10;

/// Moves all and tells how many moved.
fn move_all(cluster: &mut Cluster, from: usize, to: &str) -> usize {
    cluster.at(from).tell(&format!("move all {to}"));
    let answer = cluster.at(from).answer().unwrap();
    answer.strip_prefix("moved ").and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap()
}

#[test]
fn moves_while_the_disk_is_full_then_room_then_a_crash() {
    for full in [[true, false], [false, true], [true, true]] {
        let disks = Disk::pair();
        let fill = |fill: fn(&Disk)| disks.iter().zip(full).filter(|(_, full)| *full).for_each(|(disk, _)| fill(disk));
        // nodes start on full disks
        fill(Disk::fill);
        let mut cluster = Cluster::with_disks(&disks, [None; 2]);
        let crowd = Crowd::new(cluster.client(), CROWD, PACE);
        assert!(crowd.all_go_on(2, LIMIT), "they do not even begin");
        assert_eq!(move_all(&mut cluster, 0, "b"), 0, "full: {full:?}");
        let client = Client::new(cluster.client());
        cluster.at(0).tell(&format!("move {} b", client.port));
        let answer = cluster.at(0).answer().unwrap();
        let cause = if full[0] { "journal" } else { "resources" };
        assert!(answer.starts_with("failed") && answer.contains(cause), "{answer}");
        assert!(!full[0] || answer.contains("No space left on device"), "{answer}");
        assert!(crowd.all_go_on(2, LIMIT), "full: {full:?}");

        fill(Disk::make_room);
        assert_eq!(move_all(&mut cluster, 0, "b"), CROWD + 1, "full: {full:?}");
        for own in [0, 1] {
            cluster.servers[own].node.kill();
            cluster.restart_node(own);
            assert!(crowd.all_go_on(2, LIMIT), "full: {full:?}, after the death of {own}");
        }
        assert!(client.goes_on(PROOF, LIMIT));
        assert_eq!(
            crowd.finish().into_iter().filter_map(Result::err).map(|e| e.to_string()).collect::<Vec<_>>(),
            [""; 0]
        );
    }
}

#[test]
fn the_disk_fills_up_while_all_are_away() {
    let disks = Disk::pair();
    let mut cluster = Cluster::with_disks(&disks, [None; 2]);
    let crowd = Crowd::new(cluster.client(), CROWD, PACE);
    assert!(crowd.all_go_on(2, LIMIT), "they do not even begin");
    assert_eq!(move_all(&mut cluster, 0, "b"), CROWD);
    disks.iter().for_each(Disk::fill);
    // what the pages of the journals have left takes some of these
    for _ in 0..3 {
        move_all(&mut cluster, 1, "a");
        move_all(&mut cluster, 0, "b");
    }
    for own in [0, 1] {
        cluster.servers[own].node.kill();
        cluster.restart_node(own);
        assert!(crowd.all_go_on(2, LIMIT), "after the death of {own}");
    }
    assert!(crowd.finish().into_iter().all(|end| end.is_ok()));
}

/// Where the node of a server dies in a move, while its journal takes so many lines more.
const CRASHES: &[(usize, &str)] = &[
    (0, "after offer"),
    (0, "after freeze"),
    (0, "before hand-over"),
    (0, "after record"),
    (0, "after hand-over"),
    (0, "after commit"),
    (0, "before failure"),
    (0, "after cancel"),
    (1, "before prepare"),
    (1, "after prepare"),
    (1, "after acknowledgement"),
    (1, "before go-live"),
    (1, "after go-live"),
    (1, "after commit answer"),
    (1, "after abandon"),
];

#[test]
fn a_crash_at_each_step_while_the_journal_takes_a_few_lines_more() {
    for &(own, step) in CRASHES {
        for lines in 0..3 {
            let mut environment = [None; 2];
            environment[own] = Some(("IPOS_CRASH", step));
            let mut cluster = Cluster::new(None, environment);
            let mut client = Client::new(cluster.client());
            let what = format!("{own} dies {step}, room for {lines} lines");
            assert!(client.goes_on(PROOF, LIMIT), "{what}: it does not even begin");
            cluster.bound_journal(own, lines);
            cluster.at(0).tell(&format!("move {} b", client.port));
            let [a, b] = &mut cluster.servers[..] else { unreachable!("two servers") };
            let (source, node) = (&a.application, if own == 0 { &mut a.node } else { &mut b.node });
            let answer = node.died_or(|| source.answered());
            let died = answer.as_ref().is_none_or(|a| a.contains("ended the conversation"));
            let node = &mut cluster.servers[own].node;
            if died {
                // its conversations end a little before it does
                assert!(node.died(), "{what}: {answer:?}");
            } else {
                node.kill();
            }
            cluster.restart_node(own);
            let went_on = client.goes_on(PROOF, LIMIT) && client.finish(LIMIT);
            let seen = client.seen();
            let ended = matches!(seen.end, Some(End::Reset | End::Closed));
            assert!(!seen.wrong && (went_on || ended), "{what}: {seen:?}");
            // what died with nothing under way owned nothing
            assert!(died || went_on, "{what}: {answer:?}, {seen:?}");
            assert!(cluster.owners(client.port) <= 1, "{what}: two owners");
            // the first line says that the node has the connection, the second one is the commit
            if lines == 2 && matches!(step, "after record" | "after hand-over" | "after commit") {
                assert!(went_on, "{what}: a commit was forgotten, {seen:?}");
            }
            eprintln!("{what}: {}", if died { "died" } else { "never got there" });
        }
    }
}
