//! Makes a server's card, plugs it in, and starts its node.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::Context;
use ipos_device::Mtu;
use ipos_node::{Addresses, Node, NodeConfig, NodeHandle, PeerConfig, ServiceConfig};
use ipos_sim::wire::memory;
use ipos_sim::wire::pcap::Recorder;
use ipos_wire::Wire;
use ipos_wire::packet::Packet;

use super::net::{BACK_IF, FRONT_IF, KERNEL_FAR_IF, SERVICE, ServerNet};
use super::server::{ECHO_PORT, HTTP_PORT};
use crate::simulated::{self, CardKind};
use crate::wires::KernelWire;

/// How long the nodes get to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What a demo with a kind of card does by default, so that it ends within a minute on two cores.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// Moves of each connection.
    pub moves: u32,
    /// Bytes of the file.
    pub size: u64,
    /// Bytes per second that the download is sent at, below what a simulated card carries: a
    /// card that can't keep up would show its queue's delay and not the moves'.
    pub pace: u64,
}

impl CardKind {
    /// See [`Defaults`].
    pub fn defaults(self) -> Defaults {
        match self {
            CardKind::Rtl => Defaults { moves: 50, size: 32 << 20, pace: 1 << 20 },
            CardKind::Model => Defaults { moves: 50, size: 64 << 20, pace: 16 << 20 },
        }
    }
}

/// Where to write what the cards did.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Folder for captures, one per card and port.
    pub pcap: Option<PathBuf>,
    /// Folder for waveforms, one per card.
    pub fst: Option<PathBuf>,
}

impl Recording {
    /// Makes the folders.
    pub fn prepare(&self) -> anyhow::Result<()> {
        for dir in [&self.pcap, &self.fst].into_iter().flatten() {
            fs::create_dir_all(dir).with_context(|| format!("making the folder {}", dir.display()))?;
        }
        Ok(())
    }
}

/// A wire that lets somebody know when it is gone, and with it the card that it was plugged into.
struct Watched {
    // dropped first, with what it still has to write
    inner: Box<dyn Wire>,
    _open: Sender<Infallible>,
}

impl Wire for Watched {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.inner.send(frame)
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        self.inner.receive(frame)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.fd()
    }

    fn lost(&self) -> u64 {
        self.inner.lost()
    }

    fn mtu(&self) -> Option<Mtu> {
        self.inner.mtu()
    }
}

/// The servers' nodes with their cards. Dropping it stops them and waits for their captures and
/// waveforms to be written.
pub struct Nodes {
    handles: Vec<NodeHandle>,
    open: Receiver<Infallible>,
}

impl Nodes {
    /// Starts the card and the node of each server.
    pub fn start(kind: CardKind, servers: &[ServerNet], key: [u8; 32], recording: &Recording) -> anyhow::Result<Self> {
        Nodes::plugged(kind, servers, Some(key), recording, Vec::new())
    }

    /// Two servers whose cards' back ports are joined by a cable in memory, which costs no system calls per frame. Without a
    /// key control packets are not signed.
    pub fn cabled(kind: CardKind, servers: &[ServerNet], key: Option<[u8; 32]>) -> anyhow::Result<Self> {
        let (a, b) = memory::pair()?;
        Nodes::plugged(kind, servers, key, &Recording::default(), vec![Box::new(a), Box::new(b)])
    }

    /// `backs`: the back ports' wires, where they are not the servers' interfaces.
    fn plugged(
        kind: CardKind,
        servers: &[ServerNet],
        key: Option<[u8; 32]>,
        recording: &Recording,
        backs: Vec<Box<dyn Wire>>,
    ) -> anyhow::Result<Self> {
        let (sender, open) = mpsc::channel();
        let mut nodes = Nodes { handles: Vec::new(), open };
        let mut backs = backs.into_iter();
        for server in servers {
            let node = start(kind, server, config(servers, server, key), recording, &sender, backs.next())
                .with_context(|| format!("starting the card and the node of server {}", server.name))?;
            nodes.handles.push(node);
        }
        Ok(nodes)
    }

    /// In the order of the servers.
    pub fn handles(&self) -> &[NodeHandle] {
        &self.handles
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for node in self.handles.drain(..) {
            node.shutdown();
        }
        if let Err(RecvTimeoutError::Timeout) = self.open.recv_timeout(STOP_LIMIT) {
            tracing::warn!("a node did not stop within {STOP_LIMIT:?}; its recordings may end early");
        }
    }
}

fn start(
    kind: CardKind,
    server: &ServerNet,
    config: NodeConfig,
    recording: &Recording,
    open: &Sender<Infallible>,
    back: Option<Box<dyn Wire>>,
) -> anyhow::Result<NodeHandle> {
    let wire = |interface: &str, port: &str| -> anyhow::Result<Box<dyn Wire>> {
        let wire = server.card.run(|| Packet::open(interface))?;
        let inner: Box<dyn Wire> = match &recording.pcap {
            Some(dir) => Box::new(Recorder::create(wire, &dir.join(format!("{}-{port}.pcap", server.name)))?),
            None => Box::new(wire),
        };
        Ok(Box::new(Watched { inner, _open: open.clone() }))
    };
    let kernel = KernelWire::new(wire(KERNEL_FAR_IF, "kernel")?, KERNEL_FAR_IF)?;
    let fst = recording.fst.as_ref().map(|dir| dir.join(format!("{}.fst", server.name)));
    let back = back.map_or_else(|| wire(BACK_IF, "back"), Ok)?;
    let device = simulated::card(kind, wire(FRONT_IF, "front")?, back, fst.as_deref())?;
    let inside = server.kernel.try_clone()?;
    Ok(Node::spawn(device, Box::new(kernel), config, move || inside.enter())?)
}

fn config(servers: &[ServerNet], own: &ServerNet, key: Option<[u8; 32]>) -> NodeConfig {
    let peers = servers.iter().filter(|s| s.name != own.name);
    let peer = |s: &ServerNet| PeerConfig::new(&s.name, s.back_ip, s.back_mac);
    let service = |port| ServiceConfig { address: SERVICE, port, home: servers[0].name.clone() };
    let addresses = Addresses { back_ip: own.back_ip, front_mac: own.front_mac, back_mac: own.back_mac };
    let mut config = NodeConfig::new(&own.name, addresses);
    config.peers = peers.map(peer).collect();
    config.services = vec![service(HTTP_PORT), service(ECHO_PORT)];
    config.cluster_keys = key.into_iter().collect();
    config
}
