//! Servers with nodes that other processes can use, over the node tests' cluster.
#![allow(dead_code)] // each test program uses its part

#[path = "../../../node/tests/common/mod.rs"]
pub mod cluster;
pub mod full;
pub mod program;
pub mod users;

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

pub use cluster::PORT;
use cluster::{Cluster, SERVICE, name};
use ipos::{Listener, Node};
use ipos_control::message::NodeInfo;
use ipos_control::{Client, Gate};
use ipos_node::{Limits, NodeConfig, Server};
use ipos_sim::wire::netns::Netns;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

pub const ADDRESS: SocketAddrV4 = SocketAddrV4::new(SERVICE, PORT);

/// Servers, each with a node and its Unix socket, and a client.
pub struct Rig {
    // dropped in this order
    pub serving: Vec<Option<JoinHandle<()>>>,
    runtimes: Vec<Runtime>,
    /// Of the nodes' conversations, from the next [`Rig::serve`] on.
    pub limits: Limits,
    pub cluster: Cluster,
    directory: TempDir,
}

impl Rig {
    pub fn new(count: usize) -> Self {
        Self::with(count, |_| ())
    }

    pub fn with(count: usize, tweak: impl Fn(&mut NodeConfig)) -> Self {
        let cluster = Cluster::with(count, |_, device| device, tweak);
        let runtimes = cluster.kernels.iter().map(inside).collect();
        let (limits, directory) = (Limits::default(), tempfile::tempdir().unwrap());
        let mut rig = Rig { serving: Vec::new(), runtimes, limits, cluster, directory };
        for i in 0..count {
            rig.serving.push(None);
            rig.serve(i);
        }
        rig
    }

    pub fn socket(&self, server: usize) -> PathBuf {
        self.directory.path().join(name(server))
    }

    /// Opens a node's socket.
    pub fn serve(&mut self, server: usize) {
        self.serve_late(server, std::future::ready(()));
    }

    /// The same, with nobody who answers before `late` is ready.
    pub fn serve_late(&mut self, server: usize, late: impl Future<Output = ()> + Send + 'static) {
        let (path, node) = (self.socket(server), self.cluster.nodes[server].clone());
        let names = (0..self.cluster.nodes.len()).map(name);
        let info = NodeInfo { name: name(server), peers: names.filter(|n| *n != name(server)).collect() };
        let (limits, (ready, is_ready)) = (self.limits, std::sync::mpsc::channel());
        let serving = self.runtimes[server].spawn(async move {
            let server = Server::with_limits(Gate::bind(&path, 0o666).unwrap(), node, info, limits).unwrap();
            ready.send(()).unwrap();
            late.await;
            server.run().await;
        });
        is_ready.recv().unwrap();
        self.serving[server] = Some(serving);
    }

    /// Closes it, and ends all conversations.
    pub async fn close(&mut self, server: usize) {
        let serving = self.serving[server].take().unwrap();
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
    }

    pub fn node(&self, server: usize) -> Node {
        Node::new(self.socket(server))
    }

    /// An operator's way to a node.
    pub fn client(&self, server: usize) -> Client {
        Client::new(self.socket(server))
    }

    /// Runs something in a server's network namespace.
    pub async fn at<T: Send + 'static>(&self, server: usize, f: impl Future<Output = T> + Send + 'static) -> T {
        self.runtimes[server].spawn(f).await.unwrap()
    }

    pub async fn listen(&self, server: usize) -> Listener {
        let node = self.node(server);
        self.at(server, async move { node.listen(ADDRESS).await }).await.unwrap()
    }

    /// Why a second server of this test can't listen.
    pub async fn listen_error(&self, server: usize) -> ipos::Error {
        let node = self.node(server);
        self.at(server, async move { node.listen("127.0.0.1:0".parse().unwrap()).await }).await.unwrap_err()
    }

    /// A client's connection.
    pub fn connect(&self) -> TcpStream {
        let client = self.cluster.client.run(|| TcpStream::connect(ADDRESS)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client.set_nodelay(true).unwrap();
        client
    }
}

/// A runtime whose threads are in a namespace.
fn inside(namespace: &Netns) -> Runtime {
    let namespace = namespace.try_clone().unwrap();
    let enter = move || namespace.enter().unwrap();
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).on_thread_start(enter).enable_all().build().unwrap()
}

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a test to its end; one that hangs has failed.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(120);
    runtime().block_on(async { tokio::time::timeout(limit, test).await }).expect("it hangs")
}

/// The client says something and hears something, or panics.
pub fn expect(client: &mut TcpStream, say: &[u8], hear: &[u8]) {
    client.write_all(say).unwrap();
    let mut heard = vec![0; hear.len()];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(heard, hear);
}

/// Waits for something that another thread brings about.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
