//! A node's process ends and starts again, over a card that went on, beside applications that did or did not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ipos_node::NodeConfig;

use super::tcp::{Bench, echo, echoes, exchange};
use super::{runtime, until, vanish};

/// The client hears that its connection is gone.
fn is_reset(client: &mut TcpStream) {
    // a delayed acknowledgement may have had that answer before
    let error = client.write_all(b"anybody?").and_then(|()| client.read(&mut [0; 16])).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
}

#[test]
fn a_home_starts_again_while_its_connections_are_served_elsewhere() {
    let mut bench = Bench::new(2, NodeConfig::IDLE);
    runtime().block_on(async {
        let (client, server) = bench.connect();
        let (mut second, other) = bench.connect();
        let server = bench.moved(server, 0, 1).await;
        let mut other = bench.moved(other, 0, 1).await;
        let serving = echo(server);
        let (stop, exchanged) = exchange(client, 5);
        for _ in 0..5 {
            let alone = bench.stop(0);
            // the card needs nobody for what it knows
            echoes(&mut second, &mut other);
            tokio::time::sleep(Duration::from_millis(50)).await;
            bench.start(0, alone, true);
            assert_eq!(bench.forwarded().await, 2);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // it is the home that it was: takes one back, and learns of the end of the other
        let mut other = bench.moved(other, 1, 0).await;
        echoes(&mut second, &mut other);
        assert_eq!(bench.forwarded().await, 1);
        stop.store(true, Ordering::Relaxed);
        let rounds = exchanged.join().unwrap();
        assert!(rounds > 50, "{rounds} rounds of traffic");
        serving.join().unwrap();
        until("the home keeps an entry of what is gone", async || bench.forwarded().await == 0).await;
    });
}

#[test]
fn an_owner_starts_again_beside_its_applications() {
    let mut bench = Bench::new(3, NodeConfig::IDLE);
    runtime().block_on(async {
        let (mut client, server) = bench.connect();
        let mut server = bench.moved(server, 0, 1).await;
        for journal in [true, false, true] {
            let alone = bench.stop(1);
            bench.start(1, alone, journal);
            echoes(&mut client, &mut server);
        }
        // one that has forgotten moves it all the same
        let mut server = bench.moved(server, 1, 2).await;
        echoes(&mut client, &mut server);
        // the home followed, and the old owner has forgotten again that it passes on
        let alone = bench.stop(1);
        echoes(&mut client, &mut server);
        bench.start(1, alone, false);
        echoes(&mut client, &mut server);
        let mut server = bench.moved(server, 2, 0).await;
        echoes(&mut client, &mut server);
        assert_eq!(bench.forwarded().await, 0);
    });
}

#[test]
fn what_died_with_its_owner_is_reset_and_forgotten() {
    for journal in [true, false] {
        // with a journal the owner tells; without, the home asks when the entry was idle
        let idle = if journal { NodeConfig::IDLE } else { Duration::from_secs(1) };
        let mut bench = Bench::new(2, idle);
        runtime().block_on(async {
            let (mut client, server) = bench.connect();
            let mut server = bench.moved(server, 0, 1).await;
            echoes(&mut client, &mut server);
            let alone = bench.stop(1);
            vanish(server);
            bench.start(1, alone, journal);
            until("the home believes in a dead owner", async || bench.forwarded().await == 0).await;
            assert_eq!(bench.cluster.nodes[0].stats().await.unwrap().lost, 1);
            is_reset(&mut client);
        });
    }
}

#[test]
fn a_home_finds_stale_entries_when_it_starts() {
    let mut bench = Bench::new(2, NodeConfig::IDLE);
    runtime().block_on(async {
        let (mut client, server) = bench.connect();
        let mut server = bench.moved(server, 0, 1).await;
        let (mut second, other) = bench.connect();
        let mut other = bench.moved(other, 0, 1).await;
        echoes(&mut client, &mut server);
        let alone = bench.stop(0);
        // over while the home does not hear
        drop(client);
        assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
        drop(server);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        bench.start(0, alone, true);
        until("the home keeps a stale entry", async || bench.forwarded().await == 1).await;
        echoes(&mut second, &mut other);
    });
}

#[test]
fn a_home_without_a_journal_cuts_what_lives_elsewhere() {
    let mut bench = Bench::new(2, NodeConfig::IDLE);
    runtime().block_on(async {
        let (mut client, server) = bench.connect();
        let mut server = bench.moved(server, 0, 1).await;
        echoes(&mut client, &mut server);
        let alone = bench.stop(0);
        bench.start(0, alone, false);
        is_reset(&mut client);
    });
}
