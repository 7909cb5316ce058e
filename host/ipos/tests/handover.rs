//! How a socket is handed over between application and node, the test in the place of the node: no connection is lost when
//! the application is out of descriptors, or the node goes. The limit is this whole process's: one test at a time.

mod rig;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipos::{Error, Listener, Origin, Refusal};
use ipos_control::message::{Reply, Request};
use ipos_control::{Channel, Gate};
use rig::full::Full;
use rig::{expect, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listener, and this test in the place of its node.
struct Fake {
    listener: Listener,
    conversation: Channel,
    gate: Gate,
    _directory: tempfile::TempDir,
}

impl Fake {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node");
        let gate = Gate::bind(&path, 0o600).unwrap();
        let listening = tokio::spawn(async move { ipos::Node::new(path).listen("127.0.0.1:0".parse().unwrap()).await });
        let conversation = gate.accept().await.unwrap();
        assert!(matches!(conversation.receive::<Request>().await.unwrap(), (Request::Listen { .. }, Some(_))));
        conversation.send(&Reply::Listening, None).await.unwrap();
        Fake { listener: listening.await.unwrap().unwrap(), conversation, gate, _directory: directory }
    }
}

fn v4(address: std::io::Result<SocketAddr>) -> SocketAddrV4 {
    match address.unwrap() {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(other) => panic!("{other}"),
    }
}

/// Descriptors of a socket in this process.
fn descriptors(socket: &impl AsFd) -> usize {
    let inode = rustix::fs::fstat(socket).unwrap().st_ino;
    let name = format!("socket:[{inode}]");
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    entries.filter(|e| fs::read_link(e.path()).is_ok_and(|to| to.as_os_str() == name.as_str())).count()
}

#[test]
fn an_arrival_waits_at_the_node_until_the_application_has_a_descriptor_for_it() {
    let _turn = one_at_a_time();
    run(async {
        let mut fake = Fake::new().await;
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(elsewhere.local_addr().unwrap()).unwrap();
        let (socket, _) = elsewhere.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let (from, to) = (v4(client.local_addr()), v4(elsewhere.local_addr()));
        let arrived = Reply::Arrived { client: from, server: to, state: b"state".to_vec() };
        let mut full = Full::new();
        for _ in 0..3 {
            let answer = fake.conversation.ask::<_, Request>(&arrived, Some(socket.as_fd())).await.unwrap();
            assert!(matches!(answer, (Request::Again, None)), "{answer:?}");
        }
        full.free(1);
        let answer = fake.conversation.ask::<_, Request>(&arrived, Some(socket.as_fd())).await.unwrap();
        assert!(matches!(answer, (Request::Taken, None)), "{answer:?}");
        drop(socket);
        let mut stream = fake.listener.accept().await.unwrap();
        assert_eq!((stream.origin(), stream.peer_addr(), stream.state()), (Origin::Arrived, from, &b"state"[..]));
        stream.write_all(b"here").await.unwrap();
        expect(&mut client, b"", b"here");
    });
}

#[test]
fn a_socket_has_two_descriptors_until_the_other_side_has_said_that_it_has_one() {
    let _turn = one_at_a_time();
    run(async {
        let mut fake = Fake::new().await;
        let mut client = TcpStream::connect(fake.listener.local_addr()).unwrap();
        let stream = fake.listener.accept().await.unwrap();
        let moving = tokio::spawn(stream.migrate("b", "state"));
        let conversation = fake.gate.accept().await.unwrap();
        let (request, socket) = conversation.receive::<Request>().await.unwrap();
        assert!(matches!(request, Request::Migrate { .. }), "{request:?}");
        let socket = socket.unwrap();
        assert_eq!(descriptors(&socket), 2, "the application's and the node's");
        assert_eq!(conversation.ask::<_, Request>(&Reply::Taken, None).await.unwrap().0, Request::Closed);
        assert_eq!(descriptors(&socket), 1);
        // it does not move, and the application has no descriptor left
        let mut full = Full::new();
        let stayed = Reply::Stayed(Refusal::GivenUp("no answer".to_owned()));
        for _ in 0..3 {
            let answer = conversation.ask::<_, Request>(&stayed, Some(socket.as_fd())).await.unwrap();
            assert!(matches!(answer, (Request::Again, None)), "{answer:?}");
        }
        full.free(1);
        let answer = conversation.ask::<_, Request>(&stayed, Some(socket.as_fd())).await.unwrap();
        assert!(matches!(answer, (Request::Taken, None)), "{answer:?}");
        assert_eq!(descriptors(&socket), 2);
        drop(socket);
        let failed = moving.await.unwrap().unwrap_err();
        assert!(matches!(failed.error, Error::Refused(Refusal::GivenUp(_))), "{}", failed.error);
        let mut stream = failed.stream.expect("it is handed back");
        stream.write_all(b"stays").await.unwrap();
        expect(&mut client, b"", b"stays");
    });
}

#[test]
fn a_node_that_goes_before_it_has_said_that_it_has_a_socket_has_not_taken_it() {
    let _turn = one_at_a_time();
    run(async {
        let mut fake = Fake::new().await;
        let mut client = TcpStream::connect(fake.listener.local_addr()).unwrap();
        let stream = fake.listener.accept().await.unwrap();
        let moving = tokio::spawn(stream.migrate("b", "state"));
        let conversation = fake.gate.accept().await.unwrap();
        drop(conversation.receive::<Request>().await.unwrap());
        drop(conversation);
        let failed = moving.await.unwrap().unwrap_err();
        let mut stream = failed.stream.expect("it is handed back");
        stream.write_all(b"stays").await.unwrap();
        expect(&mut client, b"", b"stays");
    });
}

#[test]
fn clients_wait_in_the_backlog_while_their_server_has_no_descriptor() {
    let _turn = one_at_a_time();
    run(async {
        let mut fake = Fake::new().await;
        let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let mut full = Full::new();
        client.connect(&SocketAddr::from(fake.listener.local_addr()).into()).unwrap();
        // neither an error, which would end most servers, nor a stream
        let waiting = tokio::time::timeout(Duration::from_millis(300), fake.listener.accept()).await;
        assert!(waiting.is_err(), "{waiting:?}");
        full.free(1);
        let mut stream = fake.listener.accept().await.unwrap();
        stream.write_all(b"served").await.unwrap();
        let mut got = [0; 6];
        (&client).read_exact(&mut got).unwrap();
        (&client).write_all(&got).unwrap();
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"served");
    });
}
