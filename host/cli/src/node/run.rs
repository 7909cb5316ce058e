//! The daemon: card, kernel, node and Unix socket put together.

use std::fs;
use std::io;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use ipos::channel::Gate;
use ipos::message::NodeInfo;
use ipos_device::Device;
use ipos_device::vfio::VfioDevice;
use ipos_device::vfio_user::VfioUser;
use ipos_nic::{RingConfig, Rings};
use ipos_node::{Node, NodeHandle, Server};
use ipos_sim::wire::Wire;
use ipos_sim::wire::netns::Netns;
use ipos_sim::wire::packet::Packet;
use ipos_sim::wire::tap::Tap;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::config::{Card, Config};
use crate::demo::card::{self, CardKind, KernelWire};

/// How often to look whether the node still runs.
const LOOK: Duration = Duration::from_secs(1);
/// How long the node gets to stop, in steps.
const STOP: (u32, Duration) = (500, Duration::from_millis(10));
/// How long applications get their connections back once it has stopped.
const GIVE_BACK: Duration = Duration::from_millis(100);

/// Runs the node until SIGTERM or SIGINT.
pub fn run(config: &Config) -> anyhow::Result<()> {
    descriptors()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        // first: a second node of this server must not touch the card
        if let Some(directory) = config.socket.parent() {
            fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        }
        let gate = Gate::bind(&config.socket, config.socket_mode.0.0)
            .with_context(|| format!("listening on {}", config.socket.display()))?;
        let node = start(config)?;
        let info = NodeInfo { name: config.name.clone(), peers: config.peers.iter().map(|p| p.name.clone()).collect() };
        let server = tokio::spawn(Server::new(gate, node.clone(), info)?.run());
        tracing::info!("node {} serves on {}", config.name, config.socket.display());
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = gone(&node) => bail!("the node has stopped; its last messages say why"),
        }
        tracing::info!("node {} stops", config.name);
        node.shutdown();
        for _ in 0..STOP.0 {
            if node.stats().await.is_err() {
                break;
            }
            tokio::time::sleep(STOP.1).await;
        }
        tokio::time::sleep(GIVE_BACK).await;
        server.abort();
        // it ends by being cancelled, and removes the socket
        let _ = server.await;
        Ok(())
    })
}

/// Waits until the node's thread has ended.
async fn gone(node: &NodeHandle) {
    while node.stats().await.is_ok() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Every connection that is moving and every conversation needs descriptors: takes as many as the system allows.
fn descriptors() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("raising RLIMIT_NOFILE")
}

fn start(config: &Config) -> anyhow::Result<NodeHandle> {
    let wires = match &config.wires_namespace {
        Some(path) => Netns::open(path).with_context(|| format!("opening {}", path.display()))?,
        None => Netns::current()?,
    };
    let plug = |interface: &str| wires.run(|| wire(interface)).with_context(|| format!("opening {interface}"));
    let kernel = plug(&config.kernel)?;
    let fd = kernel.fd().ok_or_else(|| anyhow!("{} can't be waited for", config.kernel))?;
    let simulated = |kind| -> anyhow::Result<Box<dyn Device>> {
        let (Some(front), Some(back)) = (&config.front, &config.back) else { bail!("`front` and `back` are missing") };
        card::card(kind, plug(front)?, plug(back)?, None)
    };
    let device = match &config.card.0 {
        Card::Model => simulated(CardKind::Model)?,
        Card::Rtl => simulated(CardKind::Rtl)?,
        Card::Vfio(address) => Box::new(Rings::open(VfioDevice::open(address)?, &RingConfig::default())?),
        Card::VfioUser(socket) => Box::new(Rings::open(VfioUser::connect(socket)?, &RingConfig::default())?),
    };
    Ok(Node::spawn(device, Box::new(KernelWire(kernel, fd)), config.node(), || Ok(()))?)
}

/// `tap:NAME`: a TAP interface, made here; else the far end of a veth pair.
fn wire(interface: &str) -> io::Result<Box<dyn Wire>> {
    Ok(match interface.strip_prefix("tap:") {
        Some(name) => Box::new(Tap::open(name)?),
        None => Box::new(Packet::open(interface)?),
    })
}
