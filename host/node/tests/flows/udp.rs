//! UDP flows.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ipos_migrate::protocol::{Failure, Reason};
use ipos_node::{Arrival, MoveError};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::sync::mpsc::Receiver;

use super::common::{Cluster, PORT, SERVICE, name};
use super::{runtime, until};

const ADDRESS: SocketAddrV4 = SocketAddrV4::new(SERVICE, PORT);

struct Bench {
    cluster: Cluster,
    arrivals: Vec<Receiver<Arrival>>,
    /// At the home, for all clients.
    server: UdpSocket,
    client: UdpSocket,
    client_address: SocketAddrV4,
}

impl Bench {
    fn new(cluster: Cluster) -> Self {
        let arrivals = cluster.nodes.iter().map(|n| n.listen_udp(PORT).unwrap()).collect();
        let server = cluster.kernels[0].run(|| Ok(serve(None))).unwrap();
        let client = cluster.client.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
        client.connect(ADDRESS).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client.send(b"first").unwrap();
        let mut buffer = [0; 16];
        let (5, SocketAddr::V4(client_address)) = server.recv_from(&mut buffer).unwrap() else { panic!() };
        Bench { cluster, arrivals, server, client, client_address }
    }

    /// A socket at the home for this client alone.
    fn connected(&self) -> UdpSocket {
        self.cluster.kernels[0].run(|| Ok(serve(Some(self.client_address)))).unwrap()
    }

    async fn arrival(&mut self, node: usize) -> (UdpSocket, Vec<u8>) {
        let arrival = self.arrivals[node].recv().await.unwrap();
        assert_eq!((arrival.client, arrival.server), (self.client_address, ADDRESS));
        let socket = UdpSocket::from(arrival.fd);
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        (socket, arrival.state)
    }

    async fn forwarded(&self) -> usize {
        self.cluster.nodes[0].stats().await.unwrap().forwarded
    }

    fn echoes(&self, owner: &UdpSocket, text: &[u8]) {
        self.client.send(text).unwrap();
        let mut buffer = [0; 9000];
        let n = owner.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], text);
        owner.send(&buffer[..n]).unwrap();
        // the client's socket is connected: it hears the service's address only
        let n = self.client.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], text);
    }
}

/// A socket of the service; several may be bound to it.
pub fn serve(client: Option<SocketAddrV4>) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SockAddr::from(ADDRESS)).unwrap();
    if let Some(client) = client {
        socket.connect(&SockAddr::from(client)).unwrap();
    }
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.into()
}

#[test]
fn a_flow_moves_round_three_servers_with_the_datagrams_that_wait() {
    let mut bench = Bench::new(Cluster::new(3));
    runtime().block_on(async {
        let mut socket = bench.connected();
        let mut at = 0;
        for (i, to) in [1, 2, 1, 0, 2, 0].into_iter().enumerate() {
            bench.echoes(&socket, format!("at {at}").as_bytes());
            // not read here: a short one, an empty one
            let waiting = [vec![i as u8; 10], vec![], vec![7; 1472]];
            for datagram in &waiting {
                bench.client.send(datagram).unwrap();
            }
            let peeked = |s: &UdpSocket| s.peek(&mut [0; 16]).unwrap();
            assert_eq!(peeked(&socket), 10);
            let moved = bench.cluster.nodes[at].migrate(socket.into(), vec![i as u8; 3], &name(to)).await.unwrap();
            assert!(moved.report.epoch > 0);
            let state;
            (socket, state) = bench.arrival(to).await;
            assert_eq!(state, [i as u8; 3]);
            // one that was still on its way when the flow left may come behind the others
            let mut came: Vec<_> = waiting
                .iter()
                .map(|_| {
                    let mut buffer = [0; 9000];
                    let n = socket.recv(&mut buffer).unwrap();
                    buffer[..n].to_vec()
                })
                .collect();
            came.sort();
            let mut sent = waiting.to_vec();
            sent.sort();
            assert_eq!(came, sent);
            at = to;
            until("the home does not follow", async || bench.forwarded().await == usize::from(at != 0)).await;
        }
        bench.echoes(&socket, b"home again");
    });
}

#[test]
fn what_waits_at_the_home_may_be_longer_than_a_packet() {
    let mut bench = Bench::new(Cluster::new(2));
    runtime().block_on(async {
        let socket = bench.connected();
        let long: Vec<_> = (0..5000).map(|i| i as u8).collect();
        bench.client.send(&long).unwrap();
        assert_eq!(socket.peek(&mut [0; 9000]).unwrap(), long.len());
        bench.cluster.nodes[0].migrate(socket.into(), vec![], "b").await.unwrap();
        let (socket, _) = bench.arrival(1).await;
        let mut buffer = [0; 9000];
        let n = socket.recv(&mut buffer).unwrap();
        assert!(buffer[..n] == long);
    });
}

/// Answers each datagram, until it is told to stop.
fn echo(socket: UdpSocket) -> (Arc<AtomicBool>, JoinHandle<UdpSocket>) {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let thread = thread::spawn(move || {
        socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 64];
        while !told.load(Ordering::Relaxed) {
            match socket.recv(&mut buffer) {
                Ok(n) => drop(socket.send(&buffer[..n]).unwrap()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_micros(100)),
                Err(e) => panic!("{e}"),
            }
        }
        socket
    });
    (stop, thread)
}

#[test]
fn no_datagram_is_lost_while_a_flow_moves_back_and_forth() {
    let mut bench = Bench::new(Cluster::new(2));
    let mut socket = bench.connected();
    let sending = Arc::new(AtomicBool::new(true));
    let (client, told) = (bench.client.try_clone().unwrap(), sending.clone());
    let answered = Arc::new(AtomicU32::new(0));
    let (seen, counted) = (answered.clone(), answered.clone());
    let sender = thread::spawn(move || {
        let mut sent = 0u32;
        while told.load(Ordering::Relaxed) {
            // no more than a socket's buffer takes, however busy the machine is
            if sent - seen.load(Ordering::Relaxed) < 100 {
                client.send(&sent.to_be_bytes()).unwrap();
                sent += 1;
            }
            thread::sleep(Duration::from_micros(300));
        }
        sent
    });
    let client = bench.client.try_clone().unwrap();
    let receiver = thread::spawn(move || {
        let (mut got, mut buffer) = (BTreeSet::new(), [0; 4]);
        loop {
            assert_eq!(client.recv(&mut buffer).unwrap(), 4);
            match u32::from_be_bytes(buffer) {
                u32::MAX => return got,
                n => assert!(got.insert(n), "datagram {n} was answered twice"),
            }
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    runtime().block_on(async {
        let (mut at, mut held, mut queued) = (0, 0, 0);
        for _ in 0..40 {
            let (stop, thread) = echo(socket);
            tokio::time::sleep(Duration::from_millis(10)).await;
            stop.store(true, Ordering::Relaxed);
            let old = thread.join().unwrap();
            let moved = bench.cluster.nodes[at].migrate(old.into(), vec![], &name(1 - at)).await.unwrap();
            (held, queued) = (held + moved.report.held, queued + moved.report.queue_bytes);
            at = 1 - at;
            socket = bench.arrival(at).await.0;
        }
        sending.store(false, Ordering::Relaxed);
        let sent = sender.join().unwrap();
        let (stop, thread) = echo(socket);
        until("datagrams are lost", async || answered.load(Ordering::Relaxed) == sent).await;
        bench.client.send(&u32::MAX.to_be_bytes()).unwrap();
        assert_eq!(receiver.join().unwrap().last(), Some(&(sent - 1)));
        stop.store(true, Ordering::Relaxed);
        drop(thread.join().unwrap());
        eprintln!("{sent} datagrams, {held} held or queued ({queued} bytes queued) in 40 moves");
    });
}

#[test]
fn a_flow_without_a_socket_of_its_own_moves_by_its_state() {
    let mut bench = Bench::new(Cluster::new(2));
    runtime().block_on(async {
        let node = &bench.cluster.nodes[0];
        node.migrate_udp(bench.client_address, ADDRESS, b"session 7".to_vec(), "b").await.unwrap();
        let (socket, state) = bench.arrival(1).await;
        assert_eq!(state, b"session 7");
        bench.echoes(&socket, b"hello");
        bench.server.set_nonblocking(true).unwrap();
        let nothing = bench.server.recv(&mut [0; 16]).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_refused_flow_stays_with_what_waits() {
    let mut bench = Bench::new(Cluster::new(2));
    runtime().block_on(async {
        bench.arrivals[1].close();
        let socket = bench.connected();
        bench.client.send(b"waits").unwrap();
        let failed = bench.cluster.nodes[0].migrate(socket.into(), vec![], "b").await.unwrap_err();
        let refused = MoveError::Protocol(Failure::Refused(Reason::NoListener));
        assert_eq!(failed.error.to_string(), refused.to_string());
        let socket = UdpSocket::from(failed.fd.unwrap());
        let mut buffer = [0; 16];
        assert_eq!(socket.recv(&mut buffer).unwrap(), 5);
        bench.echoes(&socket, b"still here");

        // refused when the socket is built: the port is taken there by one that does not share it
        bench.arrivals[1] = bench.cluster.nodes[1].listen_udp(PORT).unwrap();
        let _taken = bench.cluster.kernels[1].run(|| UdpSocket::bind(ADDRESS)).unwrap();
        bench.client.send(b"waits too").unwrap();
        assert_eq!(socket.peek(&mut buffer).unwrap(), 9);
        let failed = bench.cluster.nodes[0].migrate(socket.into(), vec![], "b").await.unwrap_err();
        let refused = MoveError::Protocol(Failure::Refused(Reason::PortTaken));
        assert_eq!(failed.error.to_string(), refused.to_string());
        let socket = UdpSocket::from(failed.fd.unwrap());
        assert_eq!(socket.recv(&mut buffer).unwrap(), 9);
        bench.echoes(&socket, b"and here");
        let stats = bench.cluster.nodes[0].stats().await.unwrap();
        assert_eq!((stats.holding, stats.forwarded), (0, 0));
    });
}

#[test]
fn a_silent_flow_ends_and_its_client_begins_anew_at_the_home() {
    let idle = Duration::from_secs(2);
    let mut bench = Bench::new(Cluster::with(2, |_, device| device, |config| config.idle = idle));
    runtime().block_on(async {
        bench.cluster.nodes[0].migrate(bench.connected().into(), vec![], "b").await.unwrap();
        let (socket, _) = bench.arrival(1).await;
        for i in 0..60 {
            bench.echoes(&socket, b"busy");
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(bench.forwarded().await, 1, "after {i} datagrams");
        }
        until("the entry outlives its flow", async || bench.forwarded().await == 0).await;
        bench.client.send(b"again").unwrap();
        let mut buffer = [0; 16];
        let (n, from) = bench.server.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..n], from), (b"again".as_slice(), bench.client_address.into()));
        drop(socket);
    });
}

#[test]
fn a_flow_ends_with_its_socket() {
    let idle = Duration::from_secs(1);
    let mut bench = Bench::new(Cluster::with(2, |_, device| device, |config| config.idle = idle));
    runtime().block_on(async {
        bench.cluster.nodes[0].migrate(bench.connected().into(), vec![], "b").await.unwrap();
        let (socket, _) = bench.arrival(1).await;
        bench.echoes(&socket, b"busy");
        drop(socket);
        // the client goes on: not silence ends it
        until("the entry outlives its socket", async || {
            // what the other end's kernel has to say about that is not looked at
            let _ = bench.client.send(b"anybody?");
            bench.forwarded().await == 0
        })
        .await;
    });
}

#[test]
fn an_icmp_error_about_a_moved_flow_reaches_its_owner() {
    let mut bench = Bench::new(Cluster::new(3));
    runtime().block_on(async {
        bench.cluster.nodes[0].migrate(bench.connected().into(), vec![], "b").await.unwrap();
        let (socket, _) = bench.arrival(1).await;
        bench.echoes(&socket, b"hello");
        // its kernel says so to the service's address, so to the home
        drop(std::mem::replace(&mut bench.client, UdpSocket::bind("127.0.0.1:0").unwrap()));
        socket.send(b"anybody?").unwrap();
        let error = socket.recv(&mut [0; 16]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}
