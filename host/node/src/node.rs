//! Starting a node.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddrV4;
use std::sync::mpsc;
use std::thread;

use ipos_abi::Port;
use ipos_abi::table::NEIGHBOURS;
use ipos_device::{Device, check_mtus};
use ipos_migrate::protocol::{PeerId, features};
use ipos_migrate::{Config, Migrator, Secret, Service};
use ipos_nic::{Nic, PortConfig};

use crate::config::NodeConfig;
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
        let (handle, inbox) =
            NodeHandle::new().map_err(|source| NodeError::Start { what: "make an eventfd", source })?;
        let (started, outcome) = mpsc::sync_channel(1);
        let name = config.name.clone();
        let run = move || {
            let opened = setup()
                .map_err(|source| NodeError::Start { what: "enter the server's network namespace", source })
                .and_then(|()| {
                    let watch = Watch::new(config.idle)
                        .map_err(|source| NodeError::Start { what: "open sock_diag", source })?;
                    let journal = Journal::open(config.state_dir.as_deref(), &config.name)
                        .map_err(|source| NodeError::Start { what: "open its journal in state_dir", source })?;
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
            .map_err(|source| NodeError::Start { what: "start", source })?;
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
    .map_err(|source| NodeError::Start { what: "get random bytes", source })
}

/// Checks the configuration and translates it for the core.
fn core_config(config: &NodeConfig) -> Result<Config, NodeError> {
    let wrong = |problem| Err(NodeError::Config { name: config.name.clone(), problem });
    if config.peers.len() > NEIGHBOURS {
        return wrong(format!("{} peers, a card knows at most {NEIGHBOURS} neighbours", config.peers.len()));
    }
    if let Some(id) = config.front_vlan
        && !(1..=4094).contains(&id)
    {
        return wrong(format!(
            "front_vlan is {id}: a VLAN has an ID from 1 to 4094; leave it out where clients' frames are untagged"
        ));
    }
    let mut seen = HashSet::from([config.name.as_str()]);
    let mut macs = HashSet::from([config.back_mac]);
    let mut ips = HashSet::from([config.back_ip]);
    for peer in &config.peers {
        if !seen.insert(&peer.name) || !macs.insert(peer.back_mac) || !ips.insert(peer.back_ip) {
            return wrong(format!("peer {} has the name, MAC or IP address of another node", peer.name));
        }
    }
    let mut services = Vec::new();
    for service in &config.services {
        let home = config.peers.iter().position(|p| p.name == service.home).map(PeerId);
        if home.is_none() && service.home != config.name {
            return wrong(format!("{}:{} has the unknown home {:?}", service.address, service.port, service.home));
        }
        services.push(Service { address: SocketAddrV4::new(service.address, service.port), home });
    }
    Ok(Config {
        back_ip: config.back_ip,
        peers: config.peers.iter().map(|p| p.back_ip).collect(),
        plain: (0..config.peers.len()).filter(|i| config.peers[*i].plain).map(PeerId).collect(),
        services,
        move_bytes: config.move_bytes,
        ahead_bytes: AHEAD_BYTES,
        features: features::ALL,
        secret: secret()?,
    })
}
