//! Connections that end: before, in and after a move, or without a word; and clients that use their port again.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use ipos_migrate::socket::FreezeError;
use ipos_node::{MoveError, NodeConfig};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use socket2::SockRef;

use super::tcp::{Bench, echoes};
use super::{runtime, until, vanish};

fn aborts(socket: TcpStream) {
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
}

/// The client closes first, so that TIME_WAIT is its own.
fn closes(client: TcpStream, mut server: TcpStream) {
    drop(client);
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn an_owner_whose_socket_vanished_silently_releases_it() {
    let mut bench = Bench::new(2, Duration::from_secs(1));
    runtime().block_on(async {
        let (mut client, server) = bench.connect();
        let mut server = bench.moved(server, 0, 1).await;
        echoes(&mut client, &mut server);
        // neither FIN nor RST
        vanish(server);
        until("the entry outlives its socket", async || bench.forwarded().await == 0).await;
    });
}

#[test]
fn a_connection_that_came_home_and_ended_is_forgotten() {
    let mut bench = Bench::new(2, NodeConfig::IDLE);
    runtime().block_on(async {
        let (mut client, server) = bench.connect();
        let server = bench.moved(server, 0, 1).await;
        let mut server = bench.moved(server, 1, 0).await;
        echoes(&mut client, &mut server);
        let state = || std::fs::read_to_string(bench.journal("a")).unwrap();
        assert!(state().trim_end().ends_with(|c: char| c.is_ascii_digit()), "{}", state());
        closes(client, server);
        until("the home remembers what is gone", async || state().ends_with("gone\n")).await;
    });
}

#[test]
fn a_client_uses_its_port_again_after_either_end_closed_or_aborted() {
    let mut bench = Bench::new(2, NodeConfig::IDLE);
    runtime().block_on(async {
        for (i, close) in ["server closes first", "client aborts", "server aborts"].into_iter().enumerate() {
            let port = 40_000 + i as u16;
            let (mut client, server) = bench.connect_from(port);
            let mut server = bench.moved(server, 0, 1).await;
            echoes(&mut client, &mut server);
            match close {
                "server closes first" => {
                    drop(server);
                    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
                    drop(client);
                }
                "client aborts" => {
                    aborts(client);
                    assert_eq!(server.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
                    drop(server);
                }
                _ => {
                    aborts(server);
                    assert_eq!(client.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
                    drop(client);
                }
            }
            // at once, while the card still forwards the old one
            let (mut client, mut server) = bench.connect_from(port);
            echoes(&mut client, &mut server);
            // and it moves as any other
            let mut server = bench.moved(server, 0, 1).await;
            echoes(&mut client, &mut server);
            closes(client, server);
        }
        until("entries of what is gone", async || bench.forwarded().await == 0).await;
    });
}

#[test]
fn a_client_that_ends_its_stream_in_the_middle_of_a_move_gets_its_answer() {
    let mut bench = Bench::new(2, NodeConfig::IDLE);
    let mut rng = StdRng::seed_from_u64(11);
    runtime().block_on(async {
        for i in 0..40 {
            let (mut client, server) = bench.connect();
            let wait = Duration::from_micros(rng.random_range(0..1500));
            let talker = thread::spawn(move || {
                client.write_all(b"question").unwrap();
                thread::sleep(wait);
                client.shutdown(Shutdown::Write).unwrap();
                let mut got = Vec::new();
                client.read_to_end(&mut got).unwrap();
                assert_eq!(got, b"answer", "move {i}");
            });
            let mut server = bench.moved(server, 0, 1).await;
            let mut got = Vec::new();
            server.read_to_end(&mut got).unwrap();
            assert_eq!(got, b"question", "move {i}");
            server.write_all(b"answer").unwrap();
            drop(server);
            talker.join().unwrap();
        }
    });
}

#[test]
fn a_client_that_aborts_in_the_middle_of_a_move_leaves_nothing_behind() {
    let mut bench = Bench::new(2, NodeConfig::IDLE);
    let mut rng = StdRng::seed_from_u64(12);
    runtime().block_on(async {
        let mut before = 0;
        for i in 0..40 {
            let (client, server) = bench.connect();
            let wait = Duration::from_micros(rng.random_range(0..1500));
            let talker = thread::spawn(move || {
                thread::sleep(wait);
                aborts(client);
            });
            match bench.cluster.nodes[0].migrate(server.into(), vec![], "b").await {
                Ok(_) => {
                    let error = bench.arrival(1).await.read(&mut [0; 1]).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "move {i}");
                }
                // it was gone already
                Err(failed) => {
                    let gone =
                        matches!(failed.error, MoveError::Socket(FreezeError::State(_) | FreezeError::Io { .. }));
                    assert!(gone, "move {i}: {failed}");
                    before += 1;
                }
            }
            talker.join().unwrap();
        }
        eprintln!("{before} of 40 were gone before they moved");
        until("entries of what is gone", async || bench.forwarded().await == 0).await;
        for node in &bench.cluster.nodes {
            assert_eq!(node.stats().await.unwrap().holding, 0);
        }
    });
}

#[test]
fn a_half_closed_server_stays_and_ends_as_ever() {
    let mut bench = Bench::new(2, NodeConfig::IDLE);
    runtime().block_on(async {
        // FIN_WAIT2 can't be rebuilt
        let (mut client, server) = bench.connect();
        server.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
        let failed = bench.cluster.nodes[0].migrate(server.into(), vec![], "b").await.unwrap_err();
        assert!(matches!(failed.error, MoveError::Socket(FreezeError::State(4 | 5))), "{failed}");
        let mut server = TcpStream::from(failed.fd.unwrap());
        client.write_all(b"the rest").unwrap();
        let mut got = [0; 8];
        server.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"the rest");
        // half-closed after the move
        let (mut client, server) = bench.connect();
        let mut server = bench.moved(server, 0, 1).await;
        server.write_all(b"all of it").unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"all of it");
        client.write_all(b"thanks").unwrap();
        drop(client);
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"thanks");
        drop(server);
    });
}
