//! The daemon: card, kernel, node and Unix socket put together.

use std::fs;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, bail};
use ipos_abi::wire::Mac;
use ipos_control::Gate;
use ipos_control::message::NodeInfo;
use ipos_device::Device;
use ipos_device::vfio::VfioDevice;
use ipos_device::vfio_user::{VfioUser, VfioUserDevice, VfioUserError};
use ipos_holder::Keeper;
use ipos_nic::{RingConfig, Rings};
use ipos_node::{Node, NodeHandle, Server};
use ipos_wire::Wire;
use ipos_wire::netns::Netns;
use ipos_wire::tap::Tap;
use nix::ifaddrs::getifaddrs;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::config::{Card, Config};
use crate::holder;
use crate::simulated::{self, CardKind};
use crate::wires::{self, KernelWire};

/// How often to look whether the node still runs.
const LOOK: Duration = Duration::from_secs(1);
/// How long the node gets to stop, and how often to look whether it has.
const STOP: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(10));
/// How long applications get their connections back once it has stopped.
const GIVE_BACK: Duration = Duration::from_millis(100);
/// How long a card may take before the log says that it is waited for.
const SOON: Duration = Duration::from_secs(2);
/// How often to look for a card's socket that is not there.
const AGAIN: Duration = Duration::from_millis(200);

/// Runs the node until SIGTERM or SIGINT.
pub fn run(config: &Config) -> anyhow::Result<()> {
    descriptors()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let ended = runtime.block_on(serve(config));
    // a thread that waits for a card which does not answer ends with the process
    runtime.shutdown_background();
    ended
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // first: a second node of this server must not touch the card
    if let Some(directory) = config.daemon.socket.parent() {
        fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    }
    let gate = Gate::bind(&config.daemon.socket, config.daemon.socket_mode.0.0).context("a node can't listen there")?;
    let node = tokio::select! {
        node = started(config) => node?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let info =
        NodeInfo { name: config.node.name.clone(), peers: config.node.peers.iter().map(|p| p.name.clone()).collect() };
    let server = tokio::spawn(Server::new(gate, node.clone(), info)?.run());
    // a log that takes nothing, on a disk that is full, is no reason to end
    let _ = writeln!(
        std::io::stderr(),
        "Node {} serves on {}; Ctrl-C ends it.",
        config.node.name,
        config.daemon.socket.display()
    );
    notify("READY=1");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = gone(&node, config) => bail!("the node has stopped; its last messages say why"),
    }
    tracing::info!("node {} stops", config.node.name);
    notify("STOPPING=1");
    node.shutdown();
    let (limit, pause) = STOP;
    let stopping = async {
        while node.stats().await.is_ok() {
            tokio::time::sleep(pause).await;
        }
    };
    if tokio::time::timeout(limit, stopping).await.is_err() {
        tracing::error!("node {} ends without having stopped: its card does not answer", config.node.name);
    }
    tokio::time::sleep(GIVE_BACK).await;
    server.abort();
    // it ends by being cancelled, and removes the socket
    let _ = server.await;
    Ok(())
}

/// Starts the node, which may have to wait for its card.
async fn started(config: &Config) -> anyhow::Result<NodeHandle> {
    let own = config.clone();
    let mut starting = tokio::task::spawn_blocking(move || start(&own));
    if let Ok(started) = tokio::time::timeout(SOON, &mut starting).await {
        return started?;
    }
    let (name, card) = (&config.node.name, &config.daemon.card.0);
    tracing::warn!(
        "node {name} waits for its card, {card:?}: another host has it, it was stopped, or it is not there yet"
    );
    starting.await?
}

/// Tells the service manager, if there is one that wants to know (sd_notify(3)).
fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = UnixDatagram::unbound().and_then(|socket| match path.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.send_to_addr(state.as_bytes(), &SocketAddr::from_abstract_name(name)?),
        None => socket.send_to(state.as_bytes(), &path),
    });
    if let Err(e) = told {
        tracing::warn!("{} was not told {state}: {e}", path.display());
    }
}

/// Waits until the node's thread has ended; says so when it waits for its card meanwhile. To answer it wakes, and so looks
/// whether its card is still there: an idle node notices within [`LOOK`], too.
async fn gone(node: &NodeHandle, config: &Config) {
    let (name, card) = (&config.node.name, &config.daemon.card.0);
    loop {
        let mut asked = pin!(node.stats());
        let answer = match tokio::time::timeout(SOON, &mut asked).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::warn!("node {name} stands still: its card, {card:?}, does not answer");
                let answer = asked.await;
                tracing::warn!("node {name} goes on");
                answer
            }
        };
        if answer.is_err() {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Every connection that is moving and every conversation needs descriptors: takes as many as the system allows.
fn descriptors() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("raising RLIMIT_NOFILE")
}

fn start(config: &Config) -> anyhow::Result<NodeHandle> {
    let namespace = match &config.daemon.wires_namespace {
        Some(path) => Netns::open(path).with_context(|| format!("opening {}", path.display()))?,
        None => Netns::current()?,
    };
    let plug =
        |interface: &str| namespace.run(|| wires::open(interface)).with_context(|| format!("opening {interface}"));
    let kernel: Box<dyn Wire> = match config.daemon.kernel.strip_prefix("tap:") {
        Some(name) => Box::new(namespace.run(|| Tap::lasting(name, config.node.front_mac))?),
        None => plug(&config.daemon.kernel)?,
    };
    front_mac(config)?;
    let kernel = KernelWire::new(kernel, &config.daemon.kernel)?;
    let plugged = |kind| -> anyhow::Result<Box<dyn Device>> {
        let (Some(front), Some(back)) = (&config.daemon.front, &config.daemon.back) else {
            bail!("`front` and `back` are missing")
        };
        simulated::card(kind, plug(front)?, plug(back)?, None)
    };
    let device = match &config.daemon.card.0 {
        Card::Model => plugged(CardKind::Model)?,
        Card::Rtl => plugged(CardKind::Rtl)?,
        Card::Vfio(address) => Box::new(Rings::open(VfioDevice::open(address)?, &RingConfig::default())?),
        Card::VfioUser(socket) => Box::new(Rings::open(served(socket)?, &RingConfig::default())?),
    };
    let kept = match config.holder() {
        Some(path) => Some(Keeper::open(&path, Some(holder::starter(&path)?)).context("watching the holder")?),
        None => None,
    };
    Ok(Node::spawn_kept(device, Box::new(kernel), config.node.clone(), kept, || Ok(()))?)
}

/// The card on a socket, once it is there.
fn served(socket: &Path) -> Result<VfioUserDevice, VfioUserError> {
    loop {
        match VfioUser::connect(socket) {
            Err(e) if e.is_absence() => std::thread::sleep(AGAIN),
            other => return other,
        }
    }
}

/// The kernel drops what the card gives it for an address that none of its interfaces has, and nobody says so.
fn front_mac(config: &Config) -> anyhow::Result<()> {
    let mac = Mac(config.node.front_mac);
    let all = getifaddrs().context("listing the interfaces")?;
    let all = all.filter_map(|i| Some((i.interface_name, Mac(i.address?.as_link_addr()?.addr()?))));
    let mut others = Vec::new();
    for (name, found) in all {
        if found == mac {
            return Ok(());
        }
        others.push(format!("{name} {found}"));
    }
    bail!(
        "front_mac is {mac}, which no interface of this network namespace has ({}): the kernel would drop what the clients \
         send. Write the address of the interface that `kernel` is the far end of, or give that one this address: \
         `ip link set dev NAME address {mac}`",
        others.join(", ")
    )
}
