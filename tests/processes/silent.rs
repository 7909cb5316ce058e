//! What died does not come back, and nobody waits for ever: a client whose owner died, an application whose home died. Each server
//! has a stateful firewall.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, End, Kind};
use crate::cluster::Cluster;

const LIMIT: Duration = Duration::from_secs(60);
/// Who waits learns within 75 s that what it waits for is dead; the rest is for busy cores.
const LEARNS: Duration = Duration::from_secs(75 + 15);
const STEP: Duration = Duration::from_millis(200);
/// Bytes that must come back before a connection is said to go on.
const PROOF: u64 = 16 << 10;

/// Two servers and a client that waits; its connection is to move to B.
fn waiting(environment: [Option<(&str, &str)>; 2]) -> (Cluster, Client) {
    let mut cluster = Cluster::new(None, environment);
    assert!(cluster.with_firewalls(), "nft(8) is missing: apt-get install nftables");
    let mut client = Client::of_kind(cluster.client(), Kind::Waits);
    assert!(client.goes_on(PROOF, LIMIT) && client.finish(LIMIT), "it does not even begin");
    cluster.at(0).tell(&format!("move {} b", client.port));
    (cluster, client)
}

fn moved(cluster: &mut Cluster) {
    let answer = cluster.at(0).answer();
    assert!(answer.as_ref().is_some_and(|a| a.starts_with("moved")), "{answer:?}");
}

fn is_reset(client: &Client, what: &str) {
    let begun = Instant::now();
    let end = client.ends(LEARNS);
    eprintln!("{what}: {end:?} after {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(end, Some(End::Reset), "{what}");
}

#[test]
fn a_client_that_waits_for_a_server_that_died_is_reset() {
    let (mut cluster, client) = waiting([None; 2]);
    moved(&mut cluster);
    let server = &mut cluster.servers[1];
    server.node.kill();
    server.application.process.kill();
    server.card.kill();
    is_reset(&client, "owner and its server dead");
}

#[test]
fn a_client_that_waits_for_a_node_that_died_with_what_it_had_prepared_is_reset() {
    let (mut cluster, client) = waiting([None, Some(("IPOS_CRASH", "before go-live"))]);
    assert!(cluster.servers[1].node.died());
    is_reset(&client, "frozen at its new owner");
    let answer = cluster.at(0).answer();
    assert!(answer.as_ref().is_some_and(|a| a.starts_with("failed")), "{answer:?}");
}

#[test]
fn a_client_that_waits_for_a_node_that_died_with_what_it_had_frozen_is_reset_when_it_is_back() {
    let (mut cluster, client) = waiting([Some(("IPOS_CRASH", "after freeze")), None]);
    assert!(cluster.servers[0].node.died());
    // with it the connection would go on
    cluster.servers[0].holder.kill();
    cluster.restart_node(0);
    is_reset(&client, "frozen at its home");
    // it is asked once more whether it has heard
    while cluster.stats(0)["resets"] == 0 {
        thread::sleep(STEP);
    }
    let answer = cluster.at(0).answer();
    assert!(answer.as_ref().is_some_and(|a| a.starts_with("failed")), "{answer:?}");
}

#[test]
fn an_application_whose_home_died_learns_it() {
    let (mut cluster, client) = waiting([None; 2]);
    moved(&mut cluster);
    let server = &mut cluster.servers[0];
    server.node.kill();
    server.card.kill();
    let begun = Instant::now();
    let has = format!("has {}", client.port);
    loop {
        cluster.at(1).tell(&has);
        match cluster.at(1).answer().as_deref() {
            Some("true") => assert!(begun.elapsed() < LEARNS, "the application waits for ever"),
            Some("false") => break,
            other => panic!("{other:?}"),
        }
        thread::sleep(STEP);
    }
    eprintln!("home dead: its application learnt it after {:.1} s", begun.elapsed().as_secs_f64());
    assert!(begun.elapsed() > Duration::from_secs(60), "a home that starts again would find nothing");
}

#[test]
fn a_connection_whose_home_has_only_its_card_left_goes_on() {
    let (mut cluster, mut client) = waiting([None; 2]);
    moved(&mut cluster);
    // nobody answers for the home's address any more
    cluster.clients_know_the_home();
    cluster.servers[0].node.kill();
    // longer than it takes to give up one that does not answer
    assert_eq!(client.ends(LEARNS), None);
    client.go_on();
    assert!(client.goes_on(PROOF, LIMIT) && client.finish(LIMIT), "{:?}", client.seen());
}

#[test]
fn a_home_that_has_forgotten_is_told() {
    let (mut cluster, mut client) = waiting([None; 2]);
    moved(&mut cluster);
    cluster.servers[0].node.kill();
    fs::remove_file(cluster.journal(0)).unwrap();
    cluster.restart_node(0);
    let begun = Instant::now();
    while cluster.stats(0)["forwarded"] == 0 {
        assert!(begun.elapsed() < LIMIT, "nobody tells the home");
        thread::sleep(STEP);
    }
    client.go_on();
    assert!(client.goes_on(PROOF, LIMIT) && client.finish(LIMIT), "{:?}", client.seen());
}
