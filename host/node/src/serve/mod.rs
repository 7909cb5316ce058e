//! The node's Unix socket: what other processes ask, and descriptors both ways. The messages are those of
//! [`ipos::message`].
//!
//! A conversation is a task. Whatever comes in it is answered or ends it; what a process asked for ends with its
//! conversation. Read next: `listen` for listeners, `moves` for moves.

mod listen;
mod moves;
mod refusal;
mod socket;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use ipos::Refusal;
use ipos::channel::{Channel, ChannelError, Gate};
use ipos::message::{CONNECTIONS, Connection, MessageError, NodeInfo, Reply, Request};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::handle::NodeHandle;

/// Conversations at once; more wait in the socket's backlog.
const CONVERSATIONS: usize = 16384;
/// Pause after a conversation could not be taken, for want of descriptors.
const RESPITE: Duration = Duration::from_millis(100);

/// Lets other processes use a node.
#[derive(Debug)]
pub struct Server {
    gate: Gate,
    shared: Arc<Shared>,
}

/// What conversations have in common.
#[derive(Debug)]
struct Shared {
    node: NodeHandle,
    info: NodeInfo,
    /// Network namespace whose sockets may come (`SO_NETNS_COOKIE`).
    namespace: u64,
    /// Where everything is to go, once it is.
    draining: watch::Sender<Option<String>>,
    /// Listeners that have streams, as far as this node knows.
    occupied: watch::Sender<usize>,
    /// Turns among the peers, for moves to any of them.
    turn: AtomicUsize,
}

impl Server {
    /// Of a node, called in the network namespace where its connections live; `info` is what the node was configured as.
    pub fn new(gate: Gate, node: NodeHandle, info: NodeInfo) -> io::Result<Self> {
        let shared = Shared {
            node,
            info,
            namespace: socket::own_namespace()?,
            draining: watch::channel(None).0,
            occupied: watch::channel(0).0,
            turn: AtomicUsize::new(0),
        };
        Ok(Server { gate, shared: Arc::new(shared) })
    }

    /// Takes conversations for ever; dropping the future ends them all.
    pub async fn run(self) {
        let mut tasks = JoinSet::new();
        let places = Arc::new(Semaphore::new(CONVERSATIONS));
        loop {
            while tasks.try_join_next().is_some() {}
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match self.gate.accept().await {
                Ok(channel) => {
                    let shared = self.shared.clone();
                    tasks.spawn(async move {
                        if let Err(e) = converse(&shared, channel).await {
                            tracing::debug!("a conversation ended: {e}");
                        }
                        drop(place);
                    });
                }
                Err(e) => {
                    tracing::warn!("a conversation could not be taken: {e}");
                    tokio::time::sleep(RESPITE).await;
                }
            }
        }
    }
}

async fn converse(shared: &Arc<Shared>, channel: Channel) -> Result<(), ChannelError> {
    loop {
        let (request, descriptor) = match channel.receive().await {
            Ok(received) => received,
            Err(ChannelError::Ended) => return Ok(()),
            Err(ChannelError::Message(e)) => return malformed(&channel, e).await,
            Err(e) => return Err(e),
        };
        tracing::trace!(?request);
        let reply = match (request, descriptor) {
            (Request::Listen { port }, Some(socket)) => return listen::attend(shared, channel, port, socket).await,
            (Request::Migrate { target, state, unread, unsent }, Some(socket)) => {
                let buffers = crate::Buffers { unread, unsent };
                let (reply, socket) = moves::migrate(shared, socket, buffers, state, &target).await;
                channel.send(&reply, socket.as_ref().map(std::os::fd::AsFd::as_fd)).await?;
                continue;
            }
            (Request::Listen { .. } | Request::Migrate { .. }, None) => {
                return malformed(&channel, MessageError::Descriptors { found: 0, expected: 1 }).await;
            }
            (_, Some(_)) => return malformed(&channel, MessageError::Descriptors { found: 1, expected: 0 }).await,
            (Request::Info, None) => Reply::Info(shared.info.clone()),
            (Request::Stats, None) => stats(shared).await,
            (Request::Connections, None) => match shared.node.connections().await {
                Ok(connections) => {
                    list(&channel, connections).await?;
                    continue;
                }
                Err(_) => Reply::Refused(Refusal::Stopped),
            },
            (Request::Drain { target, seconds }, None) => drain(shared, &channel, target, seconds).await?,
            (Request::Unlisten | Request::Drained, None) => {
                Reply::Refused(Refusal::OutOfPlace("what only a listener says".to_owned()))
            }
        };
        channel.send(&reply, None).await?;
    }
}

/// Says so and ends the conversation: what follows can't be trusted either.
async fn malformed(channel: &Channel, error: MessageError) -> Result<(), ChannelError> {
    channel.send(&Reply::Refused(Refusal::Malformed(error.to_string())), None).await?;
    Err(error.into())
}

async fn stats(shared: &Shared) -> Reply {
    let Ok(stats) = shared.node.stats().await else { return Reply::Refused(Refusal::Stopped) };
    let fields = serde_json::to_value(stats).ok();
    let fields = fields.iter().filter_map(serde_json::Value::as_object).flatten();
    Reply::Stats(fields.filter_map(|(name, value)| Some((name.clone(), value.as_u64()?))).collect())
}

async fn list(channel: &Channel, connections: Vec<Connection>) -> Result<(), ChannelError> {
    let mut rest = connections;
    loop {
        let next = rest.split_off(rest.len().min(CONNECTIONS));
        let more = !next.is_empty();
        channel.send(&Reply::Connections { connections: rest, more }, None).await?;
        if !more {
            return Ok(());
        }
        rest = next;
    }
}

async fn drain(shared: &Shared, channel: &Channel, target: String, seconds: u32) -> Result<Reply, ChannelError> {
    let user = channel.peer_user()?;
    if user != 0 && user != rustix::process::geteuid().as_raw() {
        return Ok(Reply::Refused(Refusal::NotPermitted("drain".to_owned())));
    }
    if !target.is_empty() && !shared.info.peers.contains(&target) {
        return Ok(Reply::Refused(refusal::unknown_peer(&target, &shared.info.peers)));
    }
    tracing::info!("draining to {}", if target.is_empty() { "any peer" } else { &target });
    shared.draining.send_replace(Some(target));
    let mut occupied = shared.occupied.subscribe();
    // listeners that still have streams are counted, not an error
    let _ = tokio::time::timeout(Duration::from_secs(seconds.into()), occupied.wait_for(|n| *n == 0)).await;
    let left = *shared.occupied.borrow() as u64;
    Ok(Reply::Drained { left })
}
