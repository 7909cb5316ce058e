//! Listeners come and go, servers are emptied, nodes restart.

mod rig;

use std::time::Duration;

use ipos::{Error, Origin, Refusal, Stream, Unmovable};
use rig::{ADDRESS, Rig, eventually, expect, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An application of one byte a time, which counts them and leaves when it is to, if it can.
async fn serve(mut stream: Stream) {
    let mut count = stream.state().first().copied().unwrap_or_default();
    let leaving = stream.leaving();
    tokio::pin!(leaving);
    let (mut byte, mut told) = ([0], false);
    loop {
        tokio::select! {
            target = &mut leaving, if !told => match stream.migrate(&target, [count]).await {
                Ok(_) => return,
                Err(failed) => (stream, told) = (failed.stream.unwrap(), true),
            },
            read = stream.read_exact(&mut byte) => {
                if read.is_err() {
                    return;
                }
                count += 1;
                stream.write_all(&[byte[0], count]).await.unwrap();
            }
        }
    }
}

#[test]
fn a_listener_that_is_drained_leaves_no_stream_and_no_open_port() {
    let rig = Rig::new(2);
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        let mut clients: Vec<_> = (0..8).map(|_| rig.connect()).collect();
        // six are served; one of them came from b; two were never accepted
        for client in &mut clients[..6] {
            tokio::spawn(serve(a.accept().await.unwrap()));
            let echo = client.try_clone().map(|mut c| std::thread::spawn(move || expect(&mut c, b"x", b"x\x01")));
            eventually("echo", || echo.as_ref().unwrap().is_finished()).await;
            echo.unwrap().join().unwrap();
        }
        assert_eq!(a.streams(), 6);
        tokio::time::timeout(Duration::from_secs(20), a.drain("b")).await.expect("it ends");
        assert_eq!(a.streams(), 0);
        let refused = rig.cluster.client.run(|| std::net::TcpStream::connect(ADDRESS));
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
        for _ in 0..8 {
            let stream = b.accept().await.unwrap();
            assert_eq!(stream.origin(), Origin::Arrived);
            tokio::spawn(serve(stream));
        }
        let check = move || {
            for (i, client) in clients.iter_mut().enumerate() {
                expect(client, b"y", &[b'y', if i < 6 { 2 } else { 1 }]);
            }
            clients
        };
        let _clients = tokio::task::spawn_blocking(check).await.unwrap();
        // nothing moves to a any more: b's listener keeps its streams
        assert_eq!(rig.client(1).drain("a", 1).await.unwrap(), 1);
        assert_eq!(b.streams(), 8);
        assert_eq!(rig.cluster.nodes[1].stats().await.unwrap().moved_out, 0);
    });
}

#[test]
fn a_drained_node_empties_its_listeners_and_takes_nothing() {
    let rig = Rig::new(2);
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        let node = rig.client(0);
        let unknown = node.drain("c", 1).await.unwrap_err();
        assert!(matches!(unknown, Error::Refused(Refusal::UnknownPeer { .. })), "{unknown}");
        let mut client = rig.connect();
        tokio::spawn(serve(a.accept().await.unwrap()));
        let leaving = a.leaving();
        let drained = tokio::spawn(async move { node.drain("", 20).await.unwrap() });
        assert_eq!(leaving.await, "");
        let stream = b.accept().await.unwrap();
        assert_eq!(drained.await.unwrap(), 0);
        // clients that still come are sent on as well
        let mut late = rig.connect();
        tokio::spawn(serve(a.accept().await.unwrap()));
        let second = b.accept().await.unwrap();
        // and nothing comes back
        let failed = stream.migrate("a", [9]).await.unwrap_err();
        assert!(matches!(&failed.error, Error::Refused(Refusal::Destination(r)) if r == "no listener"), "{failed}");
        tokio::spawn(serve(failed.stream.unwrap()));
        tokio::spawn(serve(second));
        tokio::task::spawn_blocking(move || {
            expect(&mut client, b"x", b"x\x0a");
            expect(&mut late, b"x", b"x\x01");
        })
        .await
        .unwrap();
    });
}

#[test]
fn a_listener_that_is_gone_is_not_offered_anything_and_a_second_one_takes_its_place() {
    let rig = Rig::new(2);
    run(async {
        let mut a = rig.listen(0).await;
        for _ in 0..5 {
            drop(rig.listen(1).await);
            // the node finds out by itself; what moves there before ends, as with an application that dies
            let mut tries = 0;
            loop {
                let _client = rig.connect();
                let Err(failed) = a.accept().await.unwrap().migrate("b", "").await else {
                    tries += 1;
                    assert!(tries < 1000, "it goes where nobody listens");
                    continue;
                };
                assert!(
                    matches!(&failed.error, Error::Refused(Refusal::Destination(r)) if r == "no listener"),
                    "{failed}"
                );
                break;
            }
        }
        let mut client = rig.connect();
        let stream = a.accept().await.unwrap();
        let mut b = rig.listen(1).await;
        stream.migrate("b", "last").await.unwrap();
        let mut stream = b.accept().await.unwrap();
        stream.write_all(b"here").await.unwrap();
        expect(&mut client, b"", b"here");
    });
}

#[test]
fn a_listener_finds_its_node_again() {
    let mut rig = Rig::new(2);
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        rig.close(1).await;
        let mut client = rig.connect();
        let mut stream = a.accept().await.unwrap();
        rig.close(0).await;
        let failed = stream.migrate("b", "").await.unwrap_err();
        assert!(matches!(failed.error, Error::Unreachable { .. }), "{failed}");
        stream = failed.stream.unwrap();
        rig.serve(0);
        rig.serve(1);
        // as soon as b's listener is back
        let mut tries = 0;
        while let Err(failed) = stream.migrate("b", "found").await {
            stream = failed.stream.unwrap();
            tries += 1;
            assert!(tries < 1000, "{}", failed.error);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut stream = b.accept().await.unwrap();
        stream.write_all(b"here").await.unwrap();
        expect(&mut client, b"", b"here");
    });
}

#[test]
fn a_port_is_only_given_to_who_listens_on_it_and_sockets_of_other_namespaces_stay() {
    let rig = Rig::new(2);
    run(async {
        // this thread is in another namespace than the node
        let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = elsewhere.local_addr().unwrap().port();
        let refused = rig.node(0).listen_on(elsewhere).await.unwrap_err();
        assert!(matches!(refused, Error::Refused(Refusal::NotListening(p)) if p == port), "{refused}");
        let failed = rig.cluster.nodes[0].listen(7).map(drop);
        assert!(failed.is_ok(), "the node itself asks for no proof");
        // an application that claims a port that it does not have
        let a = rig.listen(0).await;
        let channel = ipos_control::Channel::connect(rig.node(0).path()).await.unwrap();
        let not_listening = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let request = ipos_control::message::Request::Listen { port: a.local_addr().port() };
        channel.send(&request, Some(std::os::fd::AsFd::as_fd(&not_listening))).await.unwrap();
        let (reply, _) = channel.receive::<ipos_control::message::Reply>().await.unwrap();
        assert_eq!(reply, ipos_control::message::Reply::Refused(Refusal::NotListening(a.local_addr().port())));
        // a connection between addresses of another namespace
        let there = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = std::net::TcpStream::connect(there.local_addr().unwrap()).unwrap();
        let (socket, _) = there.accept().unwrap();
        let request = ipos_control::message::Request::Migrate {
            target: "b".to_owned(),
            state: Vec::new(),
            unread: Vec::new(),
            unsent: Vec::new(),
        };
        let channel = ipos_control::Channel::connect(rig.node(0).path()).await.unwrap();
        channel.send(&request, Some(std::os::fd::AsFd::as_fd(&socket))).await.unwrap();
        let (reply, back) = channel.receive::<ipos_control::message::Reply>().await.unwrap();
        let ipos_control::message::Reply::Stayed(Refusal::Unmovable { kind, .. }) = reply else { panic!("{reply:?}") };
        assert_eq!(kind, Unmovable::Elsewhere);
        assert!(back.is_none(), "the node never said that it took the socket: it is here");
    });
}

#[test]
fn the_node_says_who_it_is_what_it_counted_and_where_connections_live() {
    let rig = Rig::new(2);
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        let _client = rig.connect();
        a.accept().await.unwrap().migrate("b", "").await.unwrap();
        let stream = b.accept().await.unwrap();
        let info = rig.client(0).info().await.unwrap();
        assert_eq!((info.name.as_str(), &info.peers[..]), ("a", &["b".to_owned()][..]));
        let stats = rig.client(0).stats().await.unwrap();
        let value = |name: &str| stats.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        assert_eq!((value("moved_out"), value("moved_in"), value("forwarded")), (Some(1), Some(0), Some(1)));
        for (server, place) in
            [(0, ipos_control::message::Place::At("b".to_owned())), (1, ipos_control::message::Place::Here)]
        {
            let all = rig.client(server).connections().await.unwrap();
            assert_eq!(all.len(), 1, "{all:?}");
            assert_eq!((all[0].client, all[0].service, &all[0].place), (stream.peer_addr(), ADDRESS, &place));
        }
    });
}
