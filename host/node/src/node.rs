//! Starting a node.

use std::io;
use std::net::SocketAddrV4;
use std::sync::mpsc;
use std::thread;

use ipos_abi::Port;
use ipos_device::{Device, check_mtus};
use ipos_migrate::protocol::{PeerId, features};
use ipos_migrate::{Config, Migrator, Secret, Service};
use ipos_nic::{Nic, PortConfig};

use crate::config::{NodeConfig, ServiceConfig};
use crate::error::NodeError;
use crate::handle::NodeHandle;
use crate::journal::Journal;
use crate::kernel::KernelPort;
use crate::run::Runner;
use crate::watch::Watch;

/// A server's node.
pub struct Node;

impl Node {
    /// Starts the node's thread and waits until the card is configured. `setup` runs first in that
    /// thread: it enters the server's network namespace, where sockets that arrive are made.
    pub fn spawn(
        device: impl Device + 'static,
        kernel: Box<dyn KernelPort>,
        config: NodeConfig,
        setup: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<NodeHandle, NodeError> {
        let core = Migrator::new(core_config(&config)?);
        if config.cluster_keys.is_empty() {
            tracing::warn!(
                "node {} has no cluster key: whoever reaches the back network can take its connections; set cluster_keys",
                config.name
            );
        }
        let (handle, inbox) = NodeHandle::new().map_err(|cause| NodeError::Start { what: "make an eventfd", cause })?;
        let (started, outcome) = mpsc::sync_channel(1);
        let name = config.name.clone();
        let run = move || {
            let opened = setup()
                .map_err(|cause| NodeError::Start { what: "enter the server's network namespace", cause })
                .and_then(|()| {
                    let watch =
                        Watch::new(config.idle).map_err(|cause| NodeError::Start { what: "open sock_diag", cause })?;
                    let journal = Journal::open(config.state_dir.as_deref(), &config.name)
                        .map_err(|cause| NodeError::Start { what: "open its journal in state_dir", cause })?;
                    Ok((open(device, &*kernel, &config)?, watch, journal))
                });
            match opened {
                Ok((nic, watch, journal)) => {
                    // the caller waits for it
                    let _ = started.send(Ok(()));
                    let name = config.name.clone();
                    if let Err(e) = Runner::new(nic, kernel, core, config, inbox, watch, journal).run() {
                        tracing::error!("node {name} stopped: {e}");
                    }
                }
                Err(e) => {
                    let _ = started.send(Err(e));
                }
            }
        };
        thread::Builder::new()
            .name(format!("node {name}"))
            .spawn(run)
            .map_err(|cause| NodeError::Start { what: "start", cause })?;
        outcome.recv().unwrap_or(Err(NodeError::Stopped))?;
        Ok(handle)
    }
}

/// Queues from which on it takes longer to send them than to ask twice.
const AHEAD_BYTES: usize = 64 << 10;

fn open<D: Device>(device: D, kernel: &dyn KernelPort, config: &NodeConfig) -> Result<Nic<D>, NodeError> {
    check_mtus(device.mtu(Port::Front), kernel.mtu(), device.mtu(Port::Back))?;
    let mut nic = Nic::open(device)?;
    for (port, mac, vlan) in [(Port::Front, config.front_mac, config.front_vlan), (Port::Back, config.back_mac, None)] {
        nic.set_port(port, &PortConfig { mac, promiscuous: false, vlan })?;
    }
    nic.set_ethertype(config.ethertype)?;
    Ok(nic)
}

/// What the nonces of this life are made from. The kernel's source is ready long before a node is.
fn secret() -> Result<Secret, NodeError> {
    let mut bytes = [0; 32];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(32) => Ok(Secret::new(bytes)),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(e) => Err(e.into()),
    }
    .map_err(|cause| NodeError::Start { what: "get random bytes", cause })
}

/// Checks the configuration and translates it for the core.
fn core_config(config: &NodeConfig) -> Result<Config, NodeError> {
    config.check()?;
    let home = |name: &str| config.peers.iter().position(|p| p.name == name).map(PeerId);
    let service = |s: &ServiceConfig| Service { address: SocketAddrV4::new(s.address, s.port), home: home(&s.home) };
    Ok(Config {
        back_ip: config.back_ip,
        peers: config.peers.iter().map(|p| p.back_ip).collect(),
        plain: (0..config.peers.len()).filter(|i| config.peers[*i].plain).map(PeerId).collect(),
        services: config.services.iter().map(service).collect(),
        move_bytes: config.move_bytes,
        ahead_bytes: AHEAD_BYTES,
        features: features::ALL,
        secret: secret()?,
    })
}
