//! The requests of one conversation, and the questions of operators among them.

use std::sync::Arc;
use std::time::Duration;

use ipos_abi::Port;
use ipos_abi::rx::Outcome;
use ipos_control::message::{CONNECTIONS, Connection, MessageError, Reply, Request};
use ipos_control::{Channel, ChannelError, Refusal};
use ipos_migrate::protocol::{Flow, Protocol};
use ipos_nic::PortCounters;

use super::shared::{Shared, malformed, soon};
use super::slots::is_privileged;
use super::{listen, moves, refusal};

/// Answers requests until the process ends the conversation. `reserved`: it is one for questions and drains alone.
pub(super) async fn converse(shared: &Arc<Shared>, channel: Channel, reserved: bool) -> Result<(), ChannelError> {
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
            (Request::Reclaim { client, server, cookie }, None) => {
                let flow = Flow { protocol: Protocol::Tcp, client, service: server };
                moves::reclaim(shared, &channel, flow, cookie).await?;
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
    shared.drain_target.send_replace(Some(target));
    let mut occupied = shared.occupied.subscribe();
    // listeners that still have streams are counted, not an error
    let _ = tokio::time::timeout(Duration::from_secs(seconds.into()), occupied.wait_for(|n| *n == 0)).await;
    let left = *shared.occupied.borrow() as u64;
    Ok(Reply::Drained { left })
}
