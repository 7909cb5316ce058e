//! The node's Unix socket: what other processes ask, and descriptors both ways. The messages are those of
//! [`ipos::message`].
//!
//! A conversation is a task. Whatever comes in it is answered or ends it; what a process asked for ends with its
//! conversation. Read next: `listen` for listeners and `bindings` for who is one, `moves` for moves, `slots` for how many
//! conversations there may be.

mod bindings;
mod listen;
mod moves;
mod refusal;
mod seldom;
mod slots;
mod socket;

use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipos::Refusal;
use ipos::channel::{Channel, ChannelError, Gate};
use ipos::message::{CONNECTIONS, Connection, MessageError, NodeInfo, Reply, Request};
use ipos_abi::Port;
use ipos_abi::rx::Outcome;
use ipos_nic::PortCounters;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::handle::NodeHandle;
use bindings::Bindings;
use seldom::Seldom;
pub use slots::Limits;
use slots::{Slots, is_privileged};

/// Pause after a conversation could not be taken, for want of descriptors; it waits in the socket's backlog.
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
    slots: Arc<Slots>,
    bindings: Arc<Bindings>,
    /// Sockets that found no room.
    scarce: Mutex<Seldom>,
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
        Self::with_limits(gate, node, info, Limits::default())
    }

    /// The same with other bounds of its conversations.
    pub fn with_limits(gate: Gate, node: NodeHandle, info: NodeInfo, limits: Limits) -> io::Result<Self> {
        let shared = Shared {
            node,
            info,
            namespace: socket::own_namespace()?,
            slots: Slots::new(limits),
            bindings: Arc::default(),
            scarce: Mutex::default(),
            draining: watch::channel(None).0,
            occupied: watch::channel(0).0,
            turn: AtomicUsize::new(0),
        };
        Ok(Server { gate, shared: Arc::new(shared) })
    }

    /// Takes conversations for ever; dropping the future ends them all.
    pub async fn run(self) {
        let mut tasks = JoinSet::new();
        let mut scarce = Seldom::default();
        loop {
            while tasks.try_join_next().is_some() {}
            match self.gate.accept().await {
                Ok(channel) => {
                    let shared = self.shared.clone();
                    tasks.spawn(async move {
                        if let Err(e) = admit(&shared, channel).await {
                            tracing::debug!("a conversation ended: {e}");
                        }
                    });
                }
                Err(e) => {
                    if let Some(times) = scarce.now() {
                        tracing::warn!("conversations wait, {times} tries failed to take one: {e}");
                    }
                    tokio::time::sleep(RESPITE).await;
                }
            }
        }
    }
}

/// Begins a conversation, if there is room for one more.
async fn admit(shared: &Arc<Shared>, channel: Channel) -> Result<(), ChannelError> {
    match shared.slots.take(channel.peer_user()?) {
        Some(slot) => converse(shared, channel, slot.reserved).await,
        None => channel.send(&Reply::Refused(Refusal::Crowded), None).await,
    }
}

/// What must happen within the time that a conversation may be silent.
async fn soon<T>(
    shared: &Shared,
    channel: &Channel,
    event: impl Future<Output = Result<T, ChannelError>>,
) -> Result<T, ChannelError> {
    let limit = shared.slots.limits.silence;
    match tokio::time::timeout(limit, event).await {
        Ok(result) => result,
        Err(_) => {
            tracing::info!("user {}: a conversation was silent for {limit:?} and is ended", channel.peer_user()?);
            // there is room for it unless answers pile up
            let refusal = Reply::Refused(Refusal::Silent(limit.as_secs()));
            let _ = tokio::time::timeout(Duration::ZERO, channel.send(&refusal, None)).await;
            Err(ChannelError::Ended)
        }
    }
}

async fn converse(shared: &Arc<Shared>, channel: Channel, reserved: bool) -> Result<(), ChannelError> {
    loop {
        let (request, descriptor) = match soon(shared, &channel, channel.receive()).await {
            Ok(received) => received,
            Err(ChannelError::Ended) => return Ok(()),
            Err(ChannelError::Message(e)) => return malformed(shared, &channel, e).await,
            Err(e) => return Err(e),
        };
        tracing::trace!(?request);
        let reply = match (request, descriptor) {
            (Request::Listen { .. } | Request::Migrate { .. }, Some(_)) if reserved => Reply::Refused(Refusal::Crowded),
            (Request::Listen { port }, Some(socket)) => return listen::attend(shared, channel, port, socket).await,
            (Request::Migrate { target, state, unread, unsent }, Some(socket)) => {
                let buffers = crate::Buffers { unread, unsent };
                moves::attend(shared, &channel, socket, buffers, state, &target).await?;
                continue;
            }
            (Request::Listen { .. } | Request::Migrate { .. }, None) => {
                return malformed(shared, &channel, MessageError::Descriptors { found: 0, expected: 1 }).await;
            }
            (_, Some(_)) => {
                return malformed(shared, &channel, MessageError::Descriptors { found: 1, expected: 0 }).await;
            }
            (Request::Info, None) => Reply::Info(shared.info.clone()),
            (Request::Stats, None) => stats(shared).await,
            (Request::Connections, None) => match shared.node.connections().await {
                Ok(connections) => {
                    soon(shared, &channel, list(&channel, connections)).await?;
                    continue;
                }
                Err(_) => Reply::Refused(Refusal::Stopped),
            },
            (Request::Drain { target, seconds }, None) => {
                tokio::select! {
                    reply = drain(shared, &channel, target, seconds) => reply?,
                    // who asked has gone, or does not wait for the answer
                    _ = channel.receive::<Request>() => return Ok(()),
                }
            }
            (Request::Unlisten | Request::Drained | Request::Closed | Request::Taken | Request::Again, None) => {
                Reply::Refused(Refusal::OutOfPlace("what only follows another request".to_owned()))
            }
        };
        soon(shared, &channel, channel.send(&reply, None)).await?;
    }
}

/// Says so and ends the conversation: what follows can't be trusted either.
async fn malformed(shared: &Shared, channel: &Channel, error: MessageError) -> Result<(), ChannelError> {
    let refusal = match &error {
        MessageError::NoRoom => {
            if let Some(times) = shared.scarce.lock().unwrap_or_else(PoisonError::into_inner).now() {
                tracing::warn!(
                    "{times} sockets came and the node had no descriptor left for them: raise RLIMIT_NOFILE"
                );
            }
            Refusal::NoDescriptors
        }
        _ => Refusal::Malformed(error.to_string()),
    };
    channel.send(&Reply::Refused(refusal), None).await?;
    Err(error.into())
}

/// Says so and ends the conversation.
async fn out_of_place(channel: &Channel, what: &str) -> Result<(), ChannelError> {
    channel.send(&Reply::Refused(Refusal::OutOfPlace(what.to_owned())), None).await
}

async fn stats(shared: &Shared) -> Reply {
    let Ok(stats) = shared.node.stats().await else { return Reply::Refused(Refusal::Stopped) };
    let Ok(card) = shared.node.counters().await else { return Reply::Refused(Refusal::Stopped) };
    let fields = serde_json::to_value(stats).ok();
    let fields = fields.iter().filter_map(serde_json::Value::as_object).flatten();
    let mut all: Vec<_> = fields.filter_map(|(name, value)| Some((name.clone(), value.as_u64()?))).collect();
    // the card has one host, this node: who else wants to know asks here
    for (port, name) in [(Port::Front, "front"), (Port::Back, "back")] {
        let PortCounters { received, sent, .. } = card.ports[port as usize];
        all.extend([(format!("{name}.received"), received), (format!("{name}.sent"), sent)]);
        all.extend(Outcome::ALL.iter().map(|&o| (format!("{name}.{o:?}"), card.get(port, o))));
    }
    Reply::Stats(all)
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
    if !is_privileged(channel.peer_user()?) {
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
