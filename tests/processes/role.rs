//! A node and its application in a process of their own: this test program, run again in the server's namespace.
//!
//! The application sends back what it gets. It is told by lines on standard input and answers by lines that begin with `=`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, BufRead};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::RawFd;
use std::path::Path;
use std::rc::Rc;
use std::thread;

use ipos_device::vfio_user::VfioUser;
use ipos_lab::net::{KERNEL_FAR_IF, SERVICE};
use ipos_nic::{RingConfig, Rings};
use ipos_node::{KernelPort, MoveReport, Node, NodeConfig, NodeHandle, NodeStats, PeerConfig, ServiceConfig};
use ipos_sim::wire::Wire;
use ipos_sim::wire::netns::Netns;
use ipos_sim::wire::packet::Packet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet, spawn_local};

/// The service that moves.
pub const PORT: u16 = 7000;
/// What the application sends back at most before it reads on.
const CHUNK: usize = 4096;

/// What a node's process is told by its environment.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Role {
    /// All servers in order, the home first; names and addresses.
    pub servers: Vec<Place>,
    /// Which of them this is.
    pub own: usize,
    /// The card's socket.
    pub card: String,
    /// The network namespace of the server's kernel. The process itself is in the card's.
    pub kernel: String,
}

/// One server of [`Role`].
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Place {
    pub name: String,
    pub front_mac: [u8; 6],
    pub back_mac: [u8; 6],
    pub back_ip: std::net::Ipv4Addr,
}

impl Role {
    /// The variable that holds it.
    pub const VARIABLE: &str = "IPOS_TEST_ROLE";

    fn config(&self) -> NodeConfig {
        let own = &self.servers[self.own];
        let peer =
            |p: &Place| PeerConfig { name: p.name.clone(), back_ip: p.back_ip, back_mac: p.back_mac, plain: false };
        NodeConfig {
            name: own.name.clone(),
            back_ip: own.back_ip,
            front_mac: own.front_mac,
            back_mac: own.back_mac,
            ethertype: NodeConfig::ETHERTYPE,
            peers: self.servers.iter().filter(|p| p.name != own.name).map(peer).collect(),
            services: vec![ServiceConfig { address: SERVICE, port: PORT, home: self.servers[0].name.clone() }],
            cluster_keys: vec![[7; 32]],
            hold_bytes: NodeConfig::HOLD_BYTES,
            move_bytes: NodeConfig::MOVE_BYTES,
            idle: NodeConfig::IDLE,
            state_dir: None,
        }
    }

    /// Plays it until standard input ends.
    pub fn play(&self) {
        let kernel = Netns::open(Path::new(&self.kernel)).unwrap();
        let card = VfioUser::connect(Path::new(&self.card)).unwrap();
        let rings = Rings::open(card, &RingConfig::default()).unwrap();
        let port = KernelWire(Packet::open(KERNEL_FAR_IF).unwrap());
        let inside = kernel.try_clone().unwrap();
        let node = Node::spawn(rings, Box::new(port), self.config(), move || inside.enter()).unwrap();
        let listener = kernel.run(|| StdListener::bind((SERVICE, PORT))).unwrap();
        let (lines, commands) = mpsc::channel(64);
        thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                if lines.blocking_send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, serve(node, listener, commands));
    }
}

struct KernelWire(Packet);

impl KernelPort for KernelWire {
    fn deliver(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.send(frame)
    }

    fn collect(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        self.0.receive(frame)
    }

    fn wait_fd(&self) -> RawFd {
        self.0.fd().unwrap()
    }
}

/// Where the task of a connection is told to let go of it.
type Stop = oneshot::Sender<oneshot::Sender<(TcpStream, Vec<u8>)>>;
type Connections = Rc<RefCell<HashMap<u16, Stop>>>;

async fn serve(node: NodeHandle, listener: StdListener, mut commands: mpsc::Receiver<String>) {
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let mut arrivals = node.listen(PORT).unwrap();
    let connections = Connections::default();
    // the test program has begun this line
    println!("\n= ready");
    loop {
        tokio::select! {
            Ok((stream, client)) = listener.accept() => begin(&connections, stream, client, Vec::new()),
            Some(arrival) = arrivals.recv() => {
                let stream = TcpStream::from_std(arrival.fd.into()).unwrap();
                begin(&connections, stream, arrival.client.into(), arrival.state);
            }
            command = commands.recv() => {
                let Some(command) = command else { return };
                let words: Vec<&str> = command.split(' ').collect();
                match words[..] {
                    ["move", "all", target] => {
                        let all: Vec<u16> = connections.borrow().keys().copied().collect();
                        let target = target.to_owned();
                        let (node, connections) = (node.clone(), connections.clone());
                        spawn_local(async move {
                            let mut moves = JoinSet::new();
                            for client in all {
                                let (node, connections, target) = (node.clone(), connections.clone(), target.clone());
                                moves.spawn_local(async move { depart(&node, &connections, client, &target).await });
                            }
                            let ends = moves.join_all().await;
                            let (moved, failed): (Vec<_>, Vec<_>) = ends.into_iter().partition(Result::is_ok);
                            if let Some(Err(first)) = failed.first() {
                                eprintln!("{first}");
                            }
                            println!("= moved {}, failed {}", moved.len(), failed.len());
                        });
                    }
                    ["move", client, target] => {
                        let (client, target) = (client.parse().unwrap(), target.to_owned());
                        let (node, connections) = (node.clone(), connections.clone());
                        spawn_local(async move {
                            match depart(&node, &connections, client, &target).await {
                                Ok(report) => println!("= moved {} {}", report.freeze_us, report.queue_bytes),
                                Err(why) => println!("= failed: {why}"),
                            }
                        });
                    }
                    ["stats"] => println!("= {}", stats(&node.stats().await.unwrap())),
                    _ => panic!("{command}"),
                }
            }
        }
    }
}

fn begin(connections: &Connections, stream: TcpStream, client: SocketAddr, pending: Vec<u8>) {
    stream.set_nodelay(true).unwrap();
    let (stop, stopped) = oneshot::channel();
    connections.borrow_mut().insert(client.port(), stop);
    let connections = connections.clone();
    spawn_local(async move {
        // one that was reset is the client's to report
        if echo(stream, pending, stopped).await.unwrap_or(true) {
            connections.borrow_mut().remove(&client.port());
        }
    });
}

/// Sends back what comes until the client is done (`true`), or another has use for the connection.
async fn echo(
    stream: TcpStream,
    mut pending: Vec<u8>,
    mut stop: oneshot::Receiver<oneshot::Sender<(TcpStream, Vec<u8>)>>,
) -> io::Result<bool> {
    let mut buffer = [0; CHUNK];
    loop {
        let sending = !pending.is_empty();
        tokio::select! {
            biased;
            Ok(taker) = &mut stop => {
                drop(taker.send((stream, pending)));
                return Ok(false);
            }
            ready = stream.writable(), if sending => {
                ready?;
                match stream.try_write(&pending) {
                    Ok(n) => drop(pending.drain(..n)),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) => return Err(e),
                }
            }
            ready = stream.readable(), if !sending => {
                ready?;
                match stream.try_read(&mut buffer) {
                    Ok(0) => return Ok(true),
                    Ok(n) => pending.extend(&buffer[..n]),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) => return Err(e),
                }
            }
        }
    }
}

/// Gives a connection to another server.
async fn depart(node: &NodeHandle, connections: &Connections, client: u16, target: &str) -> Result<MoveReport, String> {
    let stop = connections.borrow_mut().remove(&client);
    let (taker, taken) = oneshot::channel();
    let asked = stop.is_some_and(|stop| stop.send(taker).is_ok());
    let Some((stream, state)) = (if asked { taken.await.ok() } else { None }) else {
        return Err(format!("no connection of port {client} is here"));
    };
    let address = stream.peer_addr().map_err(|e| e.to_string())?;
    let fd = stream.into_std().unwrap().into();
    node.migrate(fd, state.clone(), target).await.map_err(|failed| {
        if let Some(fd) = failed.fd {
            begin(connections, TcpStream::from_std(fd.into()).unwrap(), address, state);
        }
        failed.error.to_string()
    })
}

/// What the other process reads of it.
fn stats(stats: &NodeStats) -> String {
    serde_json::json!({
        "moved_out": stats.moved_out,
        "moved_in": stats.moved_in,
        "failed": stats.failed,
        "lost": stats.lost,
        "holding": stats.holding,
        "forwarded": stats.forwarded,
        "entries": stats.entries,
    })
    .to_string()
}
