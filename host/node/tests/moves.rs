//! Live connections between real kernels move through model cards. The oracle is the client's
//! kernel and the bytes that it was promised.

mod common;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::{Cluster, PORT, SERVICE, name};
use ipos_abi::Port;
use ipos_abi::queue::Event;
use ipos_abi::regs::card;
use ipos_abi::rx::RxMeta;
use ipos_device::{Device, DeviceError, Queue, Registers};
use ipos_migrate::protocol::{Failure, Reason};
use ipos_node::{Arrival, MoveError};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use tokio::sync::mpsc::Receiver;

/// An application that sends back what it gets, and can be stopped at any point.
struct Echo {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(TcpStream, Vec<u8>)>,
}

impl Echo {
    fn run(mut socket: TcpStream, pending: Vec<u8>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = thread::spawn(move || {
            socket.set_nonblocking(true).unwrap();
            let mut pending = VecDeque::from(pending);
            let mut buffer = [0; 4096];
            let mut open = true;
            while !told.load(Ordering::Relaxed) && (open || !pending.is_empty()) {
                let mut idle = true;
                if open && pending.len() < 1 << 15 {
                    match socket.read(&mut buffer) {
                        Ok(0) => open = false,
                        Ok(n) => {
                            pending.extend(&buffer[..n]);
                            idle = false;
                        }
                        Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock, "{e}"),
                    }
                }
                if !pending.is_empty() {
                    match socket.write(pending.as_slices().0) {
                        Ok(n) => {
                            pending.drain(..n);
                            idle = false;
                        }
                        Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock, "{e}"),
                    }
                }
                if idle {
                    thread::sleep(Duration::from_micros(100));
                }
            }
            if !open && pending.is_empty() {
                socket.shutdown(Shutdown::Write).unwrap();
            }
            (socket, pending.into())
        });
        Echo { stop, thread }
    }

    /// Stops it in mid-stream: what it has read but not sent back is its state.
    fn stop(self) -> (OwnedFd, Vec<u8>) {
        self.stop.store(true, Ordering::Relaxed);
        let (socket, state) = self.thread.join().unwrap();
        (socket.into(), state)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

struct Bench {
    cluster: Cluster,
    arrivals: Vec<Receiver<Arrival>>,
    listener: TcpListener,
}

impl Bench {
    fn new(count: usize) -> Self {
        Self::over(Cluster::new(count))
    }

    fn over(cluster: Cluster) -> Self {
        let arrivals = cluster.nodes.iter().map(|n| n.listen(PORT).unwrap()).collect();
        let listener = cluster.kernels[0].run(|| TcpListener::bind((SERVICE, PORT))).unwrap();
        Bench { cluster, arrivals, listener }
    }

    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = self.cluster.client.run(|| TcpStream::connect((SERVICE, PORT))).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client.set_nodelay(true).unwrap();
        let (server, _) = self.listener.accept().unwrap();
        server.set_nodelay(true).unwrap();
        (client, server)
    }

    /// Moves an application's connection and starts the application where it arrives.
    async fn move_echo(&mut self, echo: Echo, from: usize, to: usize) -> (Echo, ipos_control::message::MoveReport) {
        let (fd, state) = echo.stop();
        let moved = self.cluster.nodes[from].migrate(fd, state, &name(to)).await.unwrap();
        let arrival = self.arrivals[to].recv().await.unwrap();
        assert_eq!(arrival.server, std::net::SocketAddrV4::new(SERVICE, PORT));
        (Echo::run(arrival.fd.into(), arrival.state), moved.report)
    }
}

/// A client that sends random bytes, and checks that they come back, until it is told that it is enough.
struct Exchange {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Exchange {
    fn run(client: TcpStream, seed: u64) -> Self {
        const CHUNK: usize = 10_000;
        let enough = Arc::new(AtomicBool::new(false));
        let told = enough.clone();
        let thread = thread::spawn(move || {
            let mut writer = client.try_clone().unwrap();
            let writing = thread::spawn(move || {
                let (mut rng, mut data, mut sent) = (StdRng::seed_from_u64(seed), [0; CHUNK], 0_u64);
                while !told.load(Ordering::Relaxed) {
                    rng.fill_bytes(&mut data);
                    writer.write_all(&data).unwrap();
                    sent += 1;
                    thread::sleep(Duration::from_millis(1));
                }
                writer.shutdown(Shutdown::Write).unwrap();
                sent
            });
            let (mut rng, mut data, mut got, mut back) = (StdRng::seed_from_u64(seed), [0; CHUNK], [0; CHUNK], 0);
            let mut reader = BufReader::new(client);
            while !reader.fill_buf().unwrap().is_empty() {
                reader.read_exact(&mut got).unwrap();
                rng.fill_bytes(&mut data);
                assert!(got == data, "chunk {back} came back, and is another");
                back += 1;
            }
            assert_eq!(back, writing.join().unwrap(), "chunks came back");
        });
        Exchange { enough, thread }
    }

    /// Lets it end, and everything come back.
    fn finish(self) {
        self.enough.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

#[test]
fn a_connection_moves_back_and_forth_while_data_flows() {
    let mut bench = Bench::new(2);
    let (client, server) = bench.connect();
    let mut echo = Echo::run(server, Vec::new());
    let exchange = Exchange::run(client, 1);
    let mut queued = 0;
    let echo = runtime().block_on(async {
        let mut at = 0;
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(15)).await;
            let (next, report) = bench.move_echo(echo, at, 1 - at).await;
            queued += report.queue_bytes;
            echo = next;
            at = 1 - at;
        }
        let (home, other) =
            (bench.cluster.nodes[0].stats().await.unwrap(), bench.cluster.nodes[1].stats().await.unwrap());
        assert_eq!((home.moved_out, home.moved_in, other.moved_out, other.moved_in), (20, 20, 20, 20));
        assert_eq!((home.failed, other.failed, home.lost, other.lost), (0, 0, 0, 0));
        eprintln!("home {home:?}\nother {other:?}");
        echo
    });
    exchange.finish();
    assert!(queued > 0, "queues must have travelled");
    drop(echo.stop());
}

#[test]
fn a_connection_moves_round_three_servers_and_the_home_follows() {
    let mut bench = Bench::new(3);
    let (client, server) = bench.connect();
    let mut echo = Echo::run(server, Vec::new());
    let exchange = Exchange::run(client, 2);
    let echo = runtime().block_on(async {
        let mut at = 0;
        for to in [1, 2, 1, 2, 0, 2, 1, 0] {
            tokio::time::sleep(Duration::from_millis(30)).await;
            echo = bench.move_echo(echo, at, to).await.0;
            at = to;
        }
        echo
    });
    exchange.finish();
    drop(echo.stop());
}

#[test]
fn every_small_request_is_answered_through_sixty_moves() {
    let mut bench = Bench::new(2);
    let (mut client, server) = bench.connect();
    let mut echo = Echo::run(server, Vec::new());
    let done = Arc::new(AtomicBool::new(false));
    let told = done.clone();
    let pings = thread::spawn(move || {
        let mut rounds = Vec::new();
        let mut reply = [0; 64];
        while !told.load(Ordering::Relaxed) {
            let begin = Instant::now();
            client.write_all(&[rounds.len() as u8; 64]).unwrap();
            client.read_exact(&mut reply).unwrap();
            assert_eq!(reply, [rounds.len() as u8; 64]);
            rounds.push(begin.elapsed());
        }
        rounds
    });
    let moves = 60;
    let mut freezes = Vec::new();
    let echo = runtime().block_on(async {
        for i in 0..moves {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let (next, report) = bench.move_echo(echo, i % 2, 1 - i % 2).await;
            freezes.push(report.freeze_us);
            echo = next;
        }
        echo
    });
    done.store(true, Ordering::Relaxed);
    let mut rounds = pings.join().unwrap();
    rounds.sort();
    freezes.sort();
    // every move interrupts one round
    let pauses = &rounds[rounds.len() - moves..];
    eprintln!(
        "{} rounds, p50 {:?}; during {moves} moves p50 {:?} max {:?}; freeze p50 {} us max {} us",
        rounds.len(),
        rounds[rounds.len() / 2],
        pauses[moves / 2],
        pauses[moves - 1],
        freezes[moves / 2],
        freezes[moves - 1],
    );
    assert!(rounds.len() > moves, "requests went on between the moves");
    drop(echo.stop());
}

#[test]
fn close_wait_moves_with_its_end_of_stream() {
    let mut bench = Bench::new(2);
    let (mut client, server) = bench.connect();
    client.write_all(b"the last word").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    thread::sleep(Duration::from_millis(100));
    let arrival = runtime().block_on(async {
        bench.cluster.nodes[0].migrate(server.into(), b"state".to_vec(), "b").await.unwrap();
        bench.arrivals[1].recv().await.unwrap()
    });
    assert_eq!(arrival.state, b"state");
    let mut server = TcpStream::from(arrival.fd);
    server.set_nonblocking(false).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut got = Vec::new();
    server.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"the last word");
    server.write_all(b"answer").unwrap();
    drop(server);
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"answer");
}

#[test]
fn a_full_hold_ends_the_move_not_the_connection() {
    let mut bench = Bench::over(Cluster::with(2, |_, device| device, |config| config.hold_bytes = 2000));
    let (client, server) = bench.connect();
    let mut echo = Echo::run(server, Vec::new());
    let exchange = Exchange::run(client, 3);
    let (echo, held) = runtime().block_on(async {
        let (mut at, mut held) = (0, 0);
        // whether packets come in a freeze is chance: thirty moves, and on until one was held too long
        for moves in 0..400 {
            if moves >= 30 && held > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            let (fd, state) = echo.stop();
            echo = match bench.cluster.nodes[at].migrate(fd, state.clone(), &name(1 - at)).await {
                Ok(_) => {
                    at = 1 - at;
                    let arrival = bench.arrivals[at].recv().await.unwrap();
                    Echo::run(arrival.fd.into(), arrival.state)
                }
                Err(failed) => {
                    assert!(matches!(failed.error, MoveError::Protocol(Failure::Held)), "{failed}");
                    held += 1;
                    Echo::run(failed.fd.unwrap().into(), state)
                }
            };
        }
        (echo, held)
    });
    exchange.finish();
    assert!(held > 0, "2,000 bytes were enough for the client's packets");
    drop(echo.stop());
}

#[test]
fn the_home_forgets_a_connection_that_ended_elsewhere() {
    let mut bench = Bench::new(2);
    let (mut client, server) = bench.connect();
    runtime().block_on(async {
        bench.cluster.nodes[0].migrate(server.into(), vec![], "b").await.unwrap();
        let mut server = TcpStream::from(bench.arrivals[1].recv().await.unwrap().fd);
        echoes(&mut client, &mut server);
        let forwarded = async || bench.cluster.nodes[0].stats().await.unwrap().forwarded;
        assert_eq!(forwarded().await, 1);
        // the client closes first, so that TIME_WAIT is its own
        drop(client);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(forwarded().await, 1, "the server's end is still open");
        drop(server);
        let end = Instant::now() + Duration::from_secs(10);
        while forwarded().await != 0 {
            assert!(Instant::now() < end, "not released");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

#[test]
fn a_second_descriptor_ends_with_the_move_and_does_not_keep_the_connection_from_coming_back() {
    let mut bench = Bench::new(2);
    let (mut client, server) = bench.connect();
    runtime().block_on(async {
        let mut second = server.try_clone().unwrap();
        bench.cluster.nodes[0].migrate(server.into(), vec![], "b").await.unwrap();
        let there = bench.arrivals[1].recv().await.unwrap().fd;
        // nothing of the connection is left behind it, and the client hears nothing of its end
        second.write(b"from the past").unwrap_err();
        second.shutdown(Shutdown::Both).unwrap_err();
        bench.cluster.nodes[1].migrate(there, vec![], "a").await.unwrap();
        let mut back = TcpStream::from(bench.arrivals[0].recv().await.unwrap().fd);
        echoes(&mut client, &mut back);
        drop(second);
        echoes(&mut client, &mut back);
    });
}

fn echoes(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(b"still here?").unwrap();
    let mut got = [0; 11];
    server.set_nonblocking(false).unwrap();
    server.read_exact(&mut got).unwrap();
    server.write_all(&got).unwrap();
    client.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"still here?");
}

#[test]
fn a_refused_connection_stays_and_works() {
    let mut bench = Bench::new(2);
    let (mut client, server) = bench.connect();
    runtime().block_on(async {
        let node = &bench.cluster.nodes[0];
        let failed = node.migrate(server.into(), vec![], "nobody").await.unwrap_err();
        assert!(matches!(failed.error, MoveError::UnknownPeer { .. }), "{failed}");
        let failed = node.migrate(failed.fd.unwrap(), vec![0; 65_537], "b").await.unwrap_err();
        assert!(matches!(failed.error, MoveError::StateTooLong { length: 65_537, .. }), "{failed}");

        bench.arrivals[1].close();
        let failed = node.migrate(failed.fd.unwrap(), vec![], "b").await.unwrap_err();
        let refused = MoveError::Protocol(Failure::Refused(Reason::NoListener));
        assert_eq!(failed.error.to_string(), refused.to_string());
        let mut server = TcpStream::from(failed.fd.unwrap());
        echoes(&mut client, &mut server);

        // and it can still move
        bench.arrivals[1] = bench.cluster.nodes[1].listen(PORT).unwrap();
        node.migrate(server.into(), vec![], "b").await.unwrap();
        let mut server = TcpStream::from(bench.arrivals[1].recv().await.unwrap().fd);
        echoes(&mut client, &mut server);
    });
}

/// A card that says that its tables are tiny.
struct Tiny<D> {
    inner: D,
    register: u32,
}

impl<D: Device> Registers for Tiny<D> {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        // 2^1 slots in each of four banks
        if offset == self.register { Ok(1) } else { self.inner.read32(offset) }
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.inner.write32(offset, value)
    }
}

impl<D: Device> Device for Tiny<D> {
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError> {
        self.inner.transmit(port, frame)
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError> {
        self.inner.receive(queue, frame)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        self.inner.poll()
    }

    fn wait_fds(&self) -> Vec<std::os::fd::BorrowedFd<'_>> {
        self.inner.wait_fds()
    }

    fn event(&mut self) -> Result<Option<Event>, DeviceError> {
        self.inner.event()
    }
}

#[test]
fn full_tables_on_either_side_fail_the_move_not_the_connection() {
    for (tiny, register) in [(0, card::FORWARD_SLOTS), (1, card::ENDPOINT_SLOTS)] {
        // an offset that nobody reads leaves the card as it is
        let wrap = |i, inner| Tiny { inner, register: if i == tiny { register } else { u32::MAX } };
        let cluster = Cluster::with(2, wrap, |_| ());
        let mut bench = Bench::over(cluster);
        runtime().block_on(async {
            let mut moved = Vec::new();
            let mut failures = 0;
            for _ in 0..10 {
                let (mut client, server) = bench.connect();
                let mut server = match bench.cluster.nodes[0].migrate(server.into(), vec![], "b").await {
                    Ok(_) => TcpStream::from(bench.arrivals[1].recv().await.unwrap().fd),
                    Err(failed) => {
                        failures += 1;
                        let expected = match failed.error {
                            MoveError::Card(_) => tiny == 0,
                            MoveError::Protocol(Failure::Refused(Reason::NoResources)) => tiny == 1,
                            _ => false,
                        };
                        assert!(expected, "{failed}");
                        TcpStream::from(failed.fd.unwrap())
                    }
                };
                echoes(&mut client, &mut server);
                moved.push((client, server));
            }
            // eight slots, of which cuckoo placement fills most
            assert!((2..6).contains(&failures), "{failures} of 10 failed");
            for (client, server) in &mut moved {
                echoes(client, server);
            }
        });
    }
}

#[test]
fn socket_options_that_the_control_block_has_no_room_for_travel() {
    let mut bench = Bench::new(2);
    let (mut client, server) = bench.connect();
    socket2::SockRef::from(&server).set_tcp_notsent_lowat(54_321).unwrap();
    let mut server = runtime().block_on(async {
        bench.cluster.nodes[0].migrate(server.into(), vec![], "b").await.unwrap();
        TcpStream::from(bench.arrivals[1].recv().await.unwrap().fd)
    });
    assert_eq!(socket2::SockRef::from(&server).tcp_notsent_lowat().unwrap(), 54_321);
    echoes(&mut client, &mut server);
}

#[test]
fn the_cluster_key_changes_between_moves_and_a_node_with_another_is_not_heard() {
    let mut bench = Bench::new(2);
    let (client, server) = bench.connect();
    let exchange = Exchange::run(client, 9);
    let mut echo = Echo::run(server, Vec::new());
    let (old, new) = ([7; 32], [8; 32]);
    let echo = runtime().block_on(async {
        let mut moves = 0;
        for keys in [vec![old, new], vec![new, old], vec![new]] {
            for node in [1, 0] {
                bench.cluster.nodes[node].set_keys(keys.clone()).await.unwrap();
                // each stage holds while the nodes differ
                (echo, _) = bench.move_echo(echo, moves % 2, 1 - moves % 2).await;
                moves += 1;
            }
        }
        for node in &bench.cluster.nodes {
            assert_eq!(node.stats().await.unwrap().control_bad, 0);
        }
        assert!(matches!(bench.cluster.nodes[0].set_keys(Vec::new()).await, Err(ipos_node::NodeError::NoKeys)));
        // a key that the peer does not know: the move fails, the connection goes on
        bench.cluster.nodes[0].set_keys(vec![[9; 32]]).await.unwrap();
        let (fd, state) = echo.stop();
        let failed = bench.cluster.nodes[0].migrate(fd, state.clone(), &name(1)).await.unwrap_err();
        assert!(bench.cluster.nodes[1].stats().await.unwrap().control_bad > 0);
        Echo::run(failed.fd.expect("alive as before").into(), state)
    });
    exchange.finish();
    drop(echo.stop());
}
