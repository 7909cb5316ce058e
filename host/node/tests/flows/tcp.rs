//! What the tests of TCP share: connections to the service, and a card that outlives its node.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ipos_abi::Port;
use ipos_abi::queue::Event;
use ipos_abi::rx::RxMeta;
use ipos_device::{Device, DeviceError, Queue, Registers};
use ipos_node::{Arrival, NodeConfig};
use ipos_sim::card::SimDevice;
use ipos_sim::model::ModelCard;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::sync::mpsc::Receiver;

use super::common::{CLIENT, Cluster, PORT, SERVICE};
use super::later;

pub const ADDRESS: SocketAddrV4 = SocketAddrV4::new(SERVICE, PORT);

/// A card that a node borrows: it lives on when the node ends. With the flag set, its node seems to speak a later format.
#[derive(Clone)]
pub struct Board(Arc<Mutex<SimDevice<ModelCard>>>, Arc<AtomicBool>, Arc<Vec<OwnedFd>>);

impl Board {
    fn new(device: SimDevice<ModelCard>) -> Self {
        let fds = device.wait_fds().iter().map(|fd| fd.try_clone_to_owned().unwrap()).collect();
        Board(Arc::new(Mutex::new(device)), Arc::default(), Arc::new(fds))
    }
}

impl Registers for Board {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        self.0.lock().unwrap().read32(offset)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.0.lock().unwrap().write32(offset, value)
    }
}

impl Device for Board {
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError> {
        let later = self.1.load(Ordering::Relaxed) && port == Port::Back;
        let rewritten = if later { later::rewrite(frame) } else { None };
        self.0.lock().unwrap().transmit(port, rewritten.as_deref().unwrap_or(frame))
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError> {
        self.0.lock().unwrap().receive(queue, frame)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        self.0.lock().unwrap().poll()
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.2.iter().map(AsFd::as_fd).collect()
    }

    fn event(&mut self) -> Result<Option<Event>, DeviceError> {
        self.0.lock().unwrap().event()
    }
}

/// A card without a node, at work.
pub struct Alone {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A directory that is removed at the end.
struct State(PathBuf);

impl State {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        State(std::env::temp_dir().join(format!("ipos-flows-{}-{number}", std::process::id())))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // a test may have ended before anything was written
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Bench {
    pub cluster: Cluster,
    pub arrivals: Vec<Receiver<Arrival>>,
    pub listener: TcpListener,
    /// The client's.
    pub address: Ipv4Addr,
    boards: Vec<Board>,
    state: State,
    tweak: Box<dyn Fn(&mut NodeConfig)>,
}

impl Bench {
    pub fn new(count: usize, idle: Duration) -> Self {
        Self::tweaked(count, move |config| config.idle = idle)
    }

    pub fn tweaked(count: usize, tweak: impl Fn(&mut NodeConfig) + 'static) -> Self {
        let (boards, state) = (Mutex::new(Vec::new()), State::new());
        let wrap = |_, device| {
            let board = Board::new(device);
            boards.lock().unwrap().push(board.clone());
            board
        };
        let cluster = Cluster::with(count, wrap, |config| configure(config, &state, &tweak));
        Bench { boards: boards.into_inner().unwrap(), state, tweak: Box::new(tweak), ..Bench::over(cluster) }
    }

    /// Over a cluster whose nodes are not started anew.
    pub fn over(cluster: Cluster) -> Self {
        let arrivals = cluster.nodes.iter().map(|n| n.listen(PORT).unwrap()).collect();
        let listener = cluster.kernels[0].run(|| TcpListener::bind(ADDRESS)).unwrap();
        let (boards, state, tweak) = (Vec::new(), State::new(), Box::new(|_: &mut NodeConfig| ()));
        Bench { cluster, arrivals, listener, address: CLIENT, boards, state, tweak }
    }

    pub fn connect(&self) -> (TcpStream, TcpStream) {
        self.connect_from(0)
    }

    /// With the client's port; 0: any.
    pub fn connect_from(&self, port: u16) -> (TcpStream, TcpStream) {
        let address = self.address;
        let connect = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket.bind(&SockAddr::from(SocketAddrV4::new(address, port)))?;
            socket.connect_timeout(&SockAddr::from(ADDRESS), Duration::from_secs(30))?;
            Ok(TcpStream::from(socket))
        };
        let end = Instant::now() + Duration::from_secs(30);
        let client = loop {
            match self.cluster.client.run(connect) {
                // the client's own kernel still waits for the last acknowledgement of the connection before
                Err(e) if e.kind() == ErrorKind::AddrNotAvailable && Instant::now() < end => {
                    thread::sleep(Duration::from_millis(1));
                }
                other => break other.unwrap(),
            }
        };
        (ready(client), ready(self.listener.accept().unwrap().0))
    }

    /// Moves a connection and takes it where it arrives.
    pub async fn moved(&mut self, server: TcpStream, from: usize, to: usize) -> TcpStream {
        self.cluster.nodes[from].migrate(server.into(), vec![], &super::common::name(to)).await.unwrap();
        self.arrival(to).await
    }

    pub async fn arrival(&mut self, to: usize) -> TcpStream {
        ready(TcpStream::from(self.arrivals[to].recv().await.unwrap().fd))
    }

    /// Connections of the home that live elsewhere, as its node sees it.
    pub async fn forwarded(&self) -> usize {
        self.cluster.nodes[0].stats().await.unwrap().forwarded
    }

    /// The journal of a node.
    pub fn journal(&self, name: &str) -> PathBuf {
        self.state.0.join(format!("{name}.connections"))
    }

    /// From now on a node speaks a later format.
    pub fn speak_later(&self, node: usize) {
        self.boards[node].1.store(true, Ordering::Relaxed);
    }

    /// Ends a node; its card goes on.
    pub fn stop(&mut self, node: usize) -> Alone {
        self.cluster.nodes[node].shutdown();
        let end = Instant::now() + Duration::from_secs(20);
        while Arc::strong_count(&self.boards[node].0) > 1 {
            assert!(Instant::now() < end, "the node does not end");
            thread::sleep(Duration::from_millis(1));
        }
        let (mut board, stop) = (self.boards[node].clone(), Arc::new(AtomicBool::new(false)));
        let told = stop.clone();
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                if !board.poll().unwrap() {
                    thread::sleep(Duration::from_micros(100));
                }
            }
        });
        Alone { stop, thread: Some(thread) }
    }

    /// Starts a node again over the same card, with its journal or without.
    pub fn start(&mut self, node: usize, alone: Alone, journal: bool) {
        drop(alone);
        let tweak = |config: &mut NodeConfig| {
            configure(config, &self.state, &*self.tweak);
            config.state_dir = config.state_dir.take().filter(|_| journal);
        };
        self.cluster.nodes[node] = self.cluster.start(node, self.boards[node].clone(), tweak);
        self.arrivals[node] = self.cluster.nodes[node].listen(PORT).unwrap();
    }
}

fn configure(config: &mut NodeConfig, state: &State, tweak: &dyn Fn(&mut NodeConfig)) {
    tweak(config);
    config.state_dir = Some(state.0.clone());
}

fn ready(stream: TcpStream) -> TcpStream {
    stream.set_nonblocking(false).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

pub fn echoes(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(b"still here?").unwrap();
    let mut got = [0; 11];
    server.read_exact(&mut got).unwrap();
    server.write_all(&got).unwrap();
    client.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"still here?");
}

/// Sends back what comes, to the end.
pub fn echo(mut server: TcpStream) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            match server.read(&mut buffer).unwrap() {
                0 => return,
                n => server.write_all(&buffer[..n]).unwrap(),
            }
        }
    })
}

/// Sends random bytes until it is told to stop, and checks that they come back.
pub fn exchange(mut client: TcpStream, seed: u64) -> (Arc<AtomicBool>, JoinHandle<u64>) {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let thread = thread::spawn(move || {
        let (mut rng, mut rounds) = (StdRng::seed_from_u64(seed), 0);
        let (mut data, mut got) = (vec![0; 3000], vec![0; 3000]);
        while !told.load(Ordering::Relaxed) {
            rng.fill_bytes(&mut data);
            client.write_all(&data).unwrap();
            client.read_exact(&mut got).unwrap();
            assert!(got == data, "round {rounds}");
            rounds += 1;
        }
        rounds
    });
    (stop, thread)
}
