//! A client behind a path of 1,400 bytes whose packets may be fragmented: its router's kernel makes the fragments, the owner's
//! kernel puts them together.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ipos_migrate::protocol::Failure;
use ipos_node::{MoveError, MoveFailed};
use ipos_sim::card::Card;
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::rtl::RtlCard;
use ipos_sim::wire::netns::Netns;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::route::{RouteAttribute, RouteMetric};

use super::common::{CLIENT, Cluster, PORT, SERVICE, address, index, name, namespace, netlink, veth};
use super::tcp::{ADDRESS, Bench};
use super::udp::serve;
use super::{runtime, until};

/// The client's router, beyond the front network and before it.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 2);

fn model() -> ModelCard {
    ModelCard::new(ModelConfig::default())
}

fn route(ns: &Netns, to: (Ipv4Addr, u8), interface: &str, gateway: Option<Ipv4Addr>, mtu: Option<u32>) {
    netlink(ns, async |handle| {
        let mut route =
            RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(to.0, to.1).output_interface(index(interface));
        if let Some(gateway) = gateway {
            route = route.gateway(gateway);
        }
        let mut route = route.build();
        route.attributes.extend(mtu.map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])));
        handle.route().add(route).execute().await
    });
}

/// Two servers; what was the client's place is a router's, and the client is behind it. The router is to go last.
fn behind_a_router<C: Card + 'static>(card: impl Fn() -> C) -> (Netns, Bench) {
    let cluster = Cluster::of_cards(2, card, |wire| Box::new(wire), |_, device| device, |_| ());
    let far = namespace();
    veth(&cluster.client, "r0", &far, "e0", None);
    address(&cluster.client, "r0", GATEWAY, 24);
    address(&far, "e0", FAR, 24);
    let set = |ns: &Netns, name| ns.run(|| fs::write(format!("/proc/sys/net/ipv4/{name}"), "1")).unwrap();
    set(&cluster.client, "ip_forward");
    // clears DF
    set(&far, "ip_no_pmtu_disc");
    route(&far, (SERVICE, 32), "e0", Some(GATEWAY), None);
    route(&cluster.client, (SERVICE, 32), "c0", None, Some(1400));
    for kernel in &cluster.kernels {
        route(kernel, (FAR, 32), "nic0", Some(CLIENT), None);
    }
    let mut bench = Bench::over(cluster);
    bench.address = FAR;
    let router = std::mem::replace(&mut bench.cluster.client, far);
    (router, bench)
}

/// Moves a connection; on a busy machine a simulated card may be slower than the time that a client may be kept waiting, and the
/// connection stays.
async fn moved(bench: &mut Bench, mut server: TcpStream, from: usize, to: usize) -> TcpStream {
    loop {
        match bench.cluster.nodes[from].migrate(server.into(), vec![], &name(to)).await {
            Ok(_) => return bench.arrival(to).await,
            Err(MoveFailed { fd: Some(fd), error: MoveError::Protocol(Failure::Held), .. }) => server = fd.into(),
            Err(e) => panic!("{e}"),
        }
    }
}

/// Every byte of a client arrives, whoever has the connection.
fn tcp<C: Card + 'static>(card: impl Fn() -> C, bytes: usize) {
    let (_router, mut bench) = behind_a_router(card);
    let (client, server) = bench.connect();
    let mut data = vec![0; bytes];
    StdRng::seed_from_u64(6).fill_bytes(&mut data);
    let (mut writer, mut reader, sent) = (client.try_clone().unwrap(), client, data.clone());
    let (more, wanted) = std::sync::mpsc::channel::<usize>();
    let sender = thread::spawn(move || {
        let mut rest = &sent[..];
        for length in wanted {
            let (now, later) = rest.split_at(length);
            writer.write_all(now).unwrap();
            rest = later;
        }
        assert!(rest.is_empty());
    });
    let answers = thread::spawn(move || {
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        got
    });
    let mut got = vec![0; bytes];
    let server = runtime().block_on(async {
        let mut server = server;
        // the client's segments come during each move and after it
        let places = [0, 1, 0, 1];
        let part = bytes / places.len();
        more.send(part).unwrap();
        for (got, (i, at)) in got.chunks_mut(part).zip(places.into_iter().enumerate()) {
            server.read_exact(got).unwrap();
            server.write_all(got).unwrap();
            if let Some(&to) = places.get(i + 1) {
                more.send(part / 2).unwrap();
                server = moved(&mut bench, server, at, to).await;
                more.send(part - part / 2).unwrap();
            }
        }
        drop(more);
        let (home, owner) =
            (bench.cluster.nodes[0].stats().await.unwrap(), bench.cluster.nodes[1].stats().await.unwrap());
        assert!(home.reassembled > 0 && home.passed_on > 0 && owner.reassembled > 0, "{home:?} {owner:?}");
        server
    });
    assert!(got == data);
    drop(server);
    sender.join().unwrap();
    assert!(answers.join().unwrap() == data);
}

#[test]
fn a_tcp_client_without_df_goes_on_after_a_move() {
    tcp(model, 4 << 20);
}

#[test]
fn a_tcp_client_without_df_goes_on_after_a_move_through_the_fabric() {
    tcp(RtlCard::default, 512 << 10);
}

/// A datagram that is some fragments long, told by its number.
fn datagram(number: u32) -> Vec<u8> {
    number.to_be_bytes().into_iter().cycle().take(4000).collect()
}

/// Answers each datagram, until it is told to stop.
fn echo(socket: UdpSocket) -> (Arc<AtomicBool>, JoinHandle<UdpSocket>) {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let thread = thread::spawn(move || {
        socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 9000];
        while !told.load(Ordering::Relaxed) {
            match socket.recv(&mut buffer) {
                Ok(n) => {
                    let number = u32::from_be_bytes(buffer[..4].try_into().unwrap());
                    assert!(buffer[..n] == datagram(number));
                    socket.send(&buffer[..n]).unwrap();
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_micros(100)),
                Err(e) => panic!("{e}"),
            }
        }
        socket
    });
    (stop, thread)
}

/// Every datagram of a client is answered once, whoever has the flow, those that come during moves included.
fn udp<C: Card + 'static>(card: impl Fn() -> C, moves: usize) {
    let (_router, bench) = behind_a_router(card);
    let cluster = &bench.cluster;
    let mut arrivals: Vec<_> = cluster.nodes.iter().map(|n| n.listen_udp(PORT).unwrap()).collect();
    let client = cluster.client.run(|| UdpSocket::bind((FAR, 0))).unwrap();
    client.connect(ADDRESS).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let SocketAddr::V4(from) = client.local_addr().unwrap() else { panic!() };
    let socket = cluster.kernels[0].run(|| Ok(serve(Some(from)))).unwrap();

    let (sending, answered) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let (sender, told, seen) = (client.try_clone().unwrap(), sending.clone(), answered.clone());
    let sender = thread::spawn(move || {
        let mut sent = 0;
        while told.load(Ordering::Relaxed) {
            // no more than a socket's buffer takes, however slow the cards are
            if sent - seen.load(Ordering::Relaxed) < 8 {
                sender.send(&datagram(sent)).unwrap();
                sent += 1;
            } else {
                thread::sleep(Duration::from_micros(100));
            }
        }
        sent
    });
    let (receiver, counted) = (client.try_clone().unwrap(), answered.clone());
    let receiver = thread::spawn(move || {
        let (mut got, mut buffer) = (BTreeSet::new(), [0; 9000]);
        loop {
            let n = receiver.recv(&mut buffer).unwrap();
            let number = u32::from_be_bytes(buffer[..4].try_into().unwrap());
            if number == u32::MAX {
                return got;
            }
            assert!(buffer[..n] == datagram(number) && got.insert(number), "datagram {number} was answered twice");
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    runtime().block_on(async {
        let (mut at, mut socket) = (0, socket);
        for _ in 0..moves {
            let before = answered.load(Ordering::Relaxed);
            let (stop, thread) = echo(socket);
            until("nothing is answered", async || answered.load(Ordering::Relaxed) > before + 3).await;
            stop.store(true, Ordering::Relaxed);
            let old = thread.join().unwrap();
            cluster.nodes[at].migrate(old.into(), vec![], &name(1 - at)).await.unwrap();
            at = 1 - at;
            socket = arrivals[at].recv().await.unwrap().fd.into();
        }
        sending.store(false, Ordering::Relaxed);
        let sent = sender.join().unwrap();
        let (stop, thread) = echo(socket);
        until("datagrams are lost", async || answered.load(Ordering::Relaxed) == sent).await;
        client.send(&datagram(u32::MAX)).unwrap();
        assert_eq!(receiver.join().unwrap().last(), Some(&(sent - 1)));
        stop.store(true, Ordering::Relaxed);
        drop(thread.join().unwrap());
        for node in &cluster.nodes {
            let stats = node.stats().await.unwrap();
            assert!(stats.reassembled > 0 && stats.fragments_dropped == 0, "{stats:?}");
        }
    });
}

#[test]
fn no_datagram_in_fragments_is_lost_while_a_flow_moves_back_and_forth() {
    udp(model, 20);
}

#[test]
fn no_datagram_in_fragments_is_lost_while_a_flow_moves_through_the_fabric() {
    udp(RtlCard::default, 5);
}
