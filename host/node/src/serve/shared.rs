//! What conversations have in common: state, and the ways in which they end.

use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipos_control::message::{MessageError, NodeInfo, Reply};
use ipos_control::{Channel, ChannelError, Refusal};
use tokio::sync::watch;

use super::bindings::Bindings;
use super::seldom::Seldom;
use super::slots::{Limits, Slots};
use super::socket;
use crate::handle::NodeHandle;

/// The state that all conversations of a node share.
#[derive(Debug)]
pub(super) struct Shared {
    pub node: NodeHandle,
    pub info: NodeInfo,
    /// Network namespace whose sockets may come (`SO_NETNS_COOKIE`).
    pub namespace: u64,
    pub slots: Arc<Slots>,
    pub bindings: Arc<Bindings>,
    /// Sockets that found no room.
    pub scarce: Mutex<Seldom>,
    /// Drain target of the node, empty if any peer will do; `None` until a drain starts.
    pub drain_target: watch::Sender<Option<String>>,
    /// Listeners that have streams, as far as this node knows.
    pub occupied: watch::Sender<usize>,
    /// Turns among the peers, for moves to any of them.
    pub turn: AtomicUsize,
}

impl Shared {
    pub fn new(node: NodeHandle, info: NodeInfo, limits: Limits) -> io::Result<Self> {
        Ok(Shared {
            node,
            info,
            namespace: socket::own_namespace()?,
            slots: Slots::new(limits),
            bindings: Arc::default(),
            scarce: Mutex::default(),
            drain_target: watch::channel(None).0,
            occupied: watch::channel(0).0,
            turn: AtomicUsize::new(0),
        })
    }
}

/// Waits for an event of a conversation, at most as long as that may be silent.
pub(super) async fn soon<T>(
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

/// Says so and ends the conversation: what follows can't be trusted either.
pub(super) async fn malformed(shared: &Shared, channel: &Channel, error: MessageError) -> Result<(), ChannelError> {
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
pub(super) async fn out_of_place(channel: &Channel, what: &str) -> Result<(), ChannelError> {
    channel.send(&Reply::Refused(Refusal::OutOfPlace(what.to_owned())), None).await
}
