//! What is measured: two servers with their nodes and reference cards, as in the demo, and one thread that is the
//! application on both.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use ipos_node::{Arrival, Departure, Landing, NodeHandle};
use ipos_sim::wire::netns::Netns;
use tokio::sync::mpsc;

use crate::demo::card::Nodes;
use crate::demo::server::ECHO_PORT;
use crate::simulated::CardKind;
use ipos_lab::net::{Net, SERVICE};

/// A move that takes longer has failed.
const MOVE_LIMIT: Duration = Duration::from_secs(30);

/// One move, as its two nodes and its application saw it.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// The application asked for it.
    pub asked: Instant,
    /// The application has the connection at the other server.
    pub landed: Instant,
    /// At the source.
    pub departure: Departure,
    /// At the destination.
    pub landing: Landing,
    /// Bytes of queues that travelled.
    pub bytes: usize,
}

/// Two servers, a and b, and the application of both.
pub struct Cluster {
    // stopped before the networks are taken down
    nodes: Nodes,
    arrivals: [mpsc::Receiver<Arrival>; 2],
    listener: TcpListener,
    net: Net,
}

impl Cluster {
    /// Starts it. Without a key control packets are not signed.
    pub fn start(key: Option<[u8; 32]>) -> anyhow::Result<Self> {
        let net = Net::new(2)?;
        let nodes = Nodes::cabled(CardKind::Model, &net.servers, key)?;
        let [a, b] = nodes.handles() else { return Err(anyhow!("two servers have two nodes")) };
        let arrivals = [a.listen(ECHO_PORT)?, b.listen(ECHO_PORT)?];
        let listener = net.servers[0].kernel.run(|| TcpListener::bind((SERVICE, ECHO_PORT)))?;
        Ok(Cluster { nodes, arrivals, listener, net })
    }

    /// The client's namespace.
    pub fn client(&self) -> &Netns {
        &self.net.client
    }

    /// The node of a server: 0 is a, the home.
    pub fn node(&self, server: usize) -> &NodeHandle {
        &self.nodes.handles()[server]
    }

    /// Name of a server.
    pub fn name(&self, server: usize) -> &str {
        &self.net.servers[server].name
    }

    /// The next connection of a client, at a.
    pub fn accept(&self) -> anyhow::Result<TcpStream> {
        Ok(self.listener.accept().context("accepting a connection")?.0)
    }

    /// A new connection: the client's end, and the end at a.
    pub fn connect(&self) -> anyhow::Result<(TcpStream, TcpStream)> {
        let client = self.net.client.run(|| TcpStream::connect((SERVICE, ECHO_PORT))).context("connecting")?;
        client.set_nodelay(true)?;
        Ok((client, self.accept()?))
    }

    /// The next connection that arrives at a server.
    pub async fn arrival(&mut self, server: usize) -> anyhow::Result<Arrival> {
        let arrival = tokio::time::timeout(MOVE_LIMIT, self.arrivals[server].recv()).await;
        arrival
            .ok()
            .flatten()
            .with_context(|| format!("nothing arrived at {} within {MOVE_LIMIT:?}", self.name(server)))
    }

    /// Moves a connection from a server to the other.
    pub async fn relocate(&mut self, fd: OwnedFd, state: Vec<u8>, from: usize) -> anyhow::Result<(Arrival, Move)> {
        let (node, target) = (self.node(from).clone(), self.name(1 - from).to_owned());
        let asked = Instant::now();
        let moving = async { Ok(node.migrate(fd, state, &target).await?) };
        let landing = async { self.arrival(1 - from).await.map(|arrival| (arrival, Instant::now())) };
        let (moved, (arrival, landed)) = tokio::try_join!(moving, landing)?;
        let (departure, landing, bytes) = (moved.times, arrival.times, moved.report.queue_bytes as usize);
        Ok((arrival, Move { asked, landed, departure, landing, bytes }))
    }
}
