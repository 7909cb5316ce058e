//! Starting a node.

use std::io;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use ipos_datapath::{Card, CardConfig, Datapath, DatapathError, KernelPort};
use ipos_device::Device;
use ipos_holder::{Claimed, Keeper};
use ipos_migrate::protocol::{PeerId, features};
use ipos_migrate::{Config, Migrator, Secret, Service};

use crate::api::Api;
use crate::config::{NodeConfig, ServiceConfig};
use crate::error::NodeError;
use crate::flows::{FlowTable, Watch};
use crate::handle::NodeHandle;
use crate::journal::Journal;
use crate::moves::Moves;
use crate::ports::Ports;
use crate::run::Runner;

/// A server's node.
pub struct Node;

impl Node {
    /// Starts the node of a card: its thread, and waits until the card is configured. `setup` runs first in that
    /// thread: it enters the server's network namespace, where sockets that arrive are made.
    pub fn spawn(
        device: impl Device + 'static,
        kernel: Box<dyn KernelPort>,
        config: NodeConfig,
        setup: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<NodeHandle, NodeError> {
        Self::spawn_kept(device, kernel, config, None, setup)
    }

    /// The same with a holder, and what that has kept of an earlier life of the node.
    pub fn spawn_kept(
        device: impl Device + 'static,
        kernel: Box<dyn KernelPort>,
        config: NodeConfig,
        found: Option<(Keeper, Vec<Claimed>)>,
        setup: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<NodeHandle, NodeError> {
        let card = CardConfig {
            front: config.front_mac,
            front_vlan: config.front_vlan,
            back: config.back_mac,
            ethertype: config.ethertype,
        };
        Self::over_kept(move || Card::open(device, kernel, &card), config, found, setup)
    }

    /// The same over any datapath, which `open` takes into use in the node's thread.
    pub fn over<D: Datapath + 'static>(
        open: impl FnOnce() -> Result<D, DatapathError> + Send + 'static,
        config: NodeConfig,
        setup: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<NodeHandle, NodeError> {
        Self::over_kept(open, config, None, setup)
    }

    fn over_kept<D: Datapath + 'static>(
        open: impl FnOnce() -> Result<D, DatapathError> + Send + 'static,
        config: NodeConfig,
        found: Option<(Keeper, Vec<Claimed>)>,
        setup: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<NodeHandle, NodeError> {
        let core = Migrator::new(core_config(&config)?);
        if config.cluster_keys.is_empty() {
            tracing::warn!(
                "node {} has no cluster key: whoever reaches the back network can take its connections; set cluster_keys",
                config.name
            );
        }
        let keeper = found.as_ref().map(|(keeper, _)| keeper.clone());
        let (handle, inbox) =
            NodeHandle::new(keeper).map_err(|cause| NodeError::Start { what: "make an eventfd", cause })?;
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
                    Ok((open()?, watch, journal))
                });
            match opened {
                Ok((datapath, watch, journal)) => {
                    // the caller waits for it
                    let _ = started.send(Ok(()));
                    let config = Rc::new(config);
                    let name = &config.name;
                    let ports = Ports::new(Box::new(datapath), config.clone());
                    let moves = Moves::new(core, journal, config.clone(), inbox.listeners.clone(), found);
                    let runner = Runner::new(ports, FlowTable::new(watch), moves, Api::new(inbox));
                    if let Err(e) = runner.run() {
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
