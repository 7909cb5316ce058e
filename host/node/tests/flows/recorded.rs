//! Whoever reaches the back network records what nodes tell each other, with valid tags, and sends it again: while the connection
//! lives, when it has ended and everybody has forgotten it, when the client's port is in use again. Nothing comes of it.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ipos_abi::Port;
use ipos_abi::rx::RxMeta;
use ipos_abi::wire::control::{Message, parse};
use ipos_abi::wire::ext::{Body, Repr};
use ipos_device::{Device, DeviceError, Queue, Registers};
use ipos_migrate::protocol::KNOWN;
use ipos_node::{Arrival, NodeConfig};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc::Receiver;

use super::{runtime, until};
use crate::common::{CLIENT, Cluster, PORT, SERVICE, name};

/// A frame of the control queue.
type Frame = (Vec<u8>, RxMeta);

/// What one card's control queue has brought its node, and what somebody puts there.
#[derive(Clone, Default)]
struct Tap {
    heard: Arc<Mutex<Vec<Frame>>>,
    again: Arc<Mutex<VecDeque<Frame>>>,
}

impl Tap {
    /// Sends everything again that was heard, in its order.
    fn replay(&self) -> u64 {
        let heard = self.heard.lock().unwrap().clone();
        let count = heard.len() as u64;
        self.again.lock().unwrap().extend(heard);
        count
    }

    fn replay_offers(&self, times: usize) {
        let heard = self.heard.lock().unwrap();
        let is_offer = |frame: &[u8]| {
            let received = parse(frame, NodeConfig::ETHERTYPE).unwrap();
            matches!(received.frame.message, Message::Ext(Repr { body: Body::Offer(_), .. }))
        };
        let offers: Vec<_> = heard.iter().filter(|(frame, _)| is_offer(frame)).cloned().collect();
        assert!(!offers.is_empty(), "an offer was recorded");
        self.again.lock().unwrap().extend(offers.iter().cycle().take(times).cloned());
    }

    fn is_done(&self) -> bool {
        self.again.lock().unwrap().is_empty()
    }
}

/// A card on a network where somebody listens and speaks.
struct Tapped<D> {
    device: D,
    tap: Tap,
}

impl<D: Registers> Registers for Tapped<D> {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        self.device.read32(offset)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.device.write32(offset, value)
    }
}

impl<D: Device> Device for Tapped<D> {
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError> {
        self.device.transmit(port, frame)
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError> {
        if queue == Queue::Control
            && let Some((again, meta)) = self.tap.again.lock().unwrap().pop_front()
        {
            *frame = again;
            return Ok(Some(meta));
        }
        let meta = self.device.receive(queue, frame)?;
        if let (Queue::Control, Some(meta)) = (queue, meta) {
            self.tap.heard.lock().unwrap().push((frame.clone(), meta));
        }
        Ok(meta)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        // what somebody has put there is something to do
        Ok(self.device.poll()? || !self.tap.is_done())
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.device.wait_fds()
    }
}

struct Bench {
    cluster: Cluster,
    taps: Vec<Tap>,
    arrivals: Vec<Receiver<Arrival>>,
    listener: TcpListener,
}

impl Bench {
    fn new(count: usize) -> Self {
        let taps: Vec<_> = (0..count).map(|_| Tap::default()).collect();
        let wrapped = taps.clone();
        let wrap = move |i: usize, device| Tapped { device, tap: wrapped[i].clone() };
        let cluster = Cluster::with(count, wrap, |config: &mut NodeConfig| {
            assert!(!config.cluster_keys.is_empty(), "control packets are signed");
        });
        let arrivals = cluster.nodes.iter().map(|n| n.listen(PORT).unwrap()).collect();
        let listener = cluster.kernels[0].run(|| TcpListener::bind((SERVICE, PORT))).unwrap();
        Bench { cluster, taps, arrivals, listener }
    }

    /// A client on one port.
    fn connect(&self, port: u16) -> (TcpStream, TcpStream) {
        let connect = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddrV4::new(CLIENT, port).into())?;
            socket.connect(&SocketAddrV4::new(SERVICE, PORT).into())?;
            Ok(socket)
        };
        let client: TcpStream = self.cluster.client.run(connect).unwrap().into();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client.set_nodelay(true).unwrap();
        let (server, _) = self.listener.accept().unwrap();
        (client, server)
    }

    async fn moved(&mut self, server: TcpStream, from: usize, to: usize) -> TcpStream {
        self.cluster.nodes[from].migrate(server.into(), vec![7], &name(to)).await.unwrap();
        let server = TcpStream::from(self.arrivals[to].recv().await.unwrap().fd);
        server.set_nonblocking(false).unwrap();
        server
    }

    /// Everything that was ever heard comes again everywhere, and is dealt with.
    async fn replay(&self) {
        for (tap, node) in self.taps.iter().zip(&self.cluster.nodes) {
            let before = node.stats().await.unwrap().control_in;
            let count = tap.replay();
            until("recordings are taken", async || {
                // a node that sleeps is woken by the question
                node.stats().await.unwrap().control_in >= before + count
            })
            .await;
        }
    }

    /// Nobody has anything of a connection but its owner.
    async fn check(&mut self, forwarded: usize) {
        for (node, arrivals) in self.cluster.nodes.iter().zip(&mut self.arrivals) {
            assert!(arrivals.try_recv().is_err(), "a recording has brought a connection");
            let stats = node.stats().await.unwrap();
            assert_eq!(stats.holding, 0, "held for a recording");
            assert_eq!(stats.lost, 0);
        }
        assert_eq!(self.cluster.nodes[0].stats().await.unwrap().forwarded, forwarded);
    }
}

fn echoes(client: &mut TcpStream, server: &mut TcpStream) {
    let mut got = [0; 5];
    client.write_all(b"hello").unwrap();
    server.read_exact(&mut got).unwrap();
    server.write_all(&got).unwrap();
    client.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");
}

/// It takes more than a minute, which is as long as nodes remember what has ended.
#[test]
fn a_move_sent_again_when_all_is_forgotten_brings_nothing_back() {
    let mut bench = Bench::new(3);
    runtime().block_on(async {
        let (mut client, server) = bench.connect(40_001);
        client.write_all(b"command").unwrap();
        let server = bench.moved(server, 0, 1).await;
        let mut server = bench.moved(server, 1, 2).await;
        let mut command = [0; 7];
        server.read_exact(&mut command).unwrap();
        echoes(&mut client, &mut server);
        // at once, while it lives
        bench.replay().await;
        bench.check(1).await;
        echoes(&mut client, &mut server);
        let mut server = bench.moved(server, 2, 1).await;
        bench.replay().await;
        bench.check(1).await;
        echoes(&mut client, &mut server);
        // the client's end rests for a minute, and then uses its port again
        drop(client);
        assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
        drop(server);
        until("the home forgets what has ended", async || bench.cluster.nodes[0].stats().await.unwrap().forwarded == 0)
            .await;
        tokio::time::sleep(KNOWN + Duration::from_secs(5)).await;
        bench.replay().await;
        bench.check(0).await;
        let (mut client, mut server) = bench.connect(40_001);
        echoes(&mut client, &mut server);
        bench.replay().await;
        bench.check(0).await;
        echoes(&mut client, &mut server);
        let mut stale = 0;
        for node in &bench.cluster.nodes {
            stale += node.stats().await.unwrap().control_stale;
        }
        assert!(stale > 0, "what was not believed is counted");
        // and it still moves
        let mut server = bench.moved(server, 0, 2).await;
        echoes(&mut client, &mut server);
    });
}

/// Resident memory of this process, bytes (proc_pid_statm(5)).
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn offers_sent_again_hold_nothing_and_cost_no_memory() {
    let mut bench = Bench::new(2);
    runtime().block_on(async {
        let (mut client, server) = bench.connect(40_002);
        let server = bench.moved(server, 0, 1).await;
        let mut server = bench.moved(server, 1, 0).await;
        let mut round_trips = [Vec::new(), Vec::new()];
        let held = bench.cluster.nodes[0].stats().await.unwrap().held;
        let mut before = 0;
        for (attacked, times) in round_trips.iter_mut().enumerate() {
            for round in 0..2_000 {
                if attacked == 1 {
                    bench.taps[0].replay_offers(10);
                }
                let begun = Instant::now();
                echoes(&mut client, &mut server);
                times.push(begun.elapsed());
                if attacked == 1 && round == 200 {
                    before = resident();
                }
            }
        }
        until("recordings are taken", async || {
            bench.cluster.nodes[0].stats().await.unwrap();
            bench.taps[0].is_done()
        })
        .await;
        bench.check(0).await;
        assert_eq!(bench.cluster.nodes[0].stats().await.unwrap().held, held, "held for a recording");
        let grown = resident().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes of memory for 18,000 recorded offers");
        let p99 = round_trips.map(|mut times| {
            times.sort();
            times[times.len() * 99 / 100]
        });
        eprintln!("echo p99 undisturbed {:?}, with ten recorded offers each {:?}, {grown} bytes more", p99[0], p99[1]);
    });
}
