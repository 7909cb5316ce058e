//! The node's Unix socket: what other processes ask, and descriptors both ways. The messages are those of
//! [`ipos_control::message`].
//!
//! A conversation is a task. Whatever comes in it is answered or ends it; what a process asked for ends with its
//! conversation. Read next: `conversation` for the requests, `listen` for listeners and `bindings` for the addresses that
//! they have, `moves` for moves, `slots` for the number of conversations.

mod bindings;
mod conversation;
mod listen;
mod moves;
mod refusal;
mod seldom;
mod shared;
mod slots;
mod socket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ipos_control::message::{NodeInfo, Reply};
use ipos_control::{Channel, ChannelError, Gate, Refusal};
use tokio::task::JoinSet;

use crate::handle::NodeHandle;
use conversation::converse;
use seldom::Seldom;
use shared::Shared;
pub use slots::Limits;

/// Pause after a conversation could not be taken, for want of descriptors; it waits in the socket's backlog.
const RESPITE: Duration = Duration::from_millis(100);

/// Lets other processes use a node.
#[derive(Debug)]
pub struct Server {
    gate: Gate,
    shared: Arc<Shared>,
}

impl Server {
    /// Of a node, called in the network namespace where its connections live; `info` is what the node was configured as.
    pub fn new(gate: Gate, node: NodeHandle, info: NodeInfo) -> io::Result<Self> {
        Self::with_limits(gate, node, info, Limits::default())
    }

    /// The same with other bounds of its conversations.
    pub fn with_limits(gate: Gate, node: NodeHandle, info: NodeInfo, limits: Limits) -> io::Result<Self> {
        let shared = Shared::new(node, info, limits)?;
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
