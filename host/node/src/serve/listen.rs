//! The conversation with a listener.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use ipos_control::Refusal;
use ipos_control::message::{Reply, Request};
use ipos_control::{Channel, ChannelError, drain_target};

use super::bindings::Turn;
use super::shared::{Shared, malformed, out_of_place};
use super::socket;
use crate::report::Arrival;

/// A listener that has streams.
struct Occupied<'a>(&'a Shared);

impl<'a> Occupied<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.occupied.send_modify(|n| *n += 1);
        Occupied(shared)
    }
}

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        self.0.occupied.send_modify(|n| *n -= 1);
    }
}

/// Passes on what arrives for the address of the socket `shown` until the listener is gone or wants no more.
pub(super) async fn attend(
    shared: &Arc<Shared>,
    channel: Channel,
    port: u16,
    shown: OwnedFd,
) -> Result<(), ChannelError> {
    let Some(found) = socket::listens(&shown, shared.namespace).filter(|s| s.address.port() == port) else {
        return channel.send(&Reply::Refused(Refusal::NotListening(port)), None).await;
    };
    // or the port would stay open when the application is gone
    drop(shown);
    let address = found.address;
    let (mut claim, mut turns) = match shared.bindings.claim(&shared.node, channel.peer_user()?, found) {
        Ok(claimed) => claimed,
        Err(refusal) => return channel.send(&Reply::Refused(refusal), None).await,
    };
    channel.send(&Reply::Listening, None).await?;
    tracing::info!("{address}: listening");
    let mut occupied = Some(Occupied::new(shared));
    let mut target = shared.drain_target.subscribe();
    let (mut told, mut unlisten, mut over) = (false, false, false);
    let (mut latest, mut turned) = (true, false);
    while !(unlisten && over && claim.sent.is_none()) {
        // before it is sent anything it knows that what arrives is its
        if turned {
            turned = false;
            match claim.turn() {
                Turn::Gone => {
                    // whatever it has been sent, it has
                    claim.sent = None;
                    return channel.send(&Reply::Refused(Refusal::Held(address)), None).await;
                }
                turn if (turn == Turn::Latest) != latest => {
                    latest = !latest;
                    tracing::info!(
                        "{address}: a listener {}",
                        if latest { "has what arrives again" } else { "is replaced" }
                    );
                    channel.send(if latest { &Reply::Listening } else { &Reply::Replaced }, None).await?;
                }
                _ => {}
            }
        }
        tokio::select! {
            // its sender is as old as the claim
            _ = turns.changed(), if !over => turned = true,
            arrival = claim.next(), if latest && !over && claim.sent.is_none() => match arrival {
                Some(arrival) => pass_on(&channel, claim.sent.insert(arrival)).await?,
                // closed, and what had been promised a place has come
                None => over = true,
            },
            target = drain_target(&mut target), if !told => {
                told = true;
                claim.close();
                channel.send(&Reply::Drain { target }, None).await?;
            }
            received = channel.receive() => match received {
                Ok((Request::Taken, None)) if claim.sent.is_some() => claim.sent = None,
                Ok((Request::Again, None)) if let Some(arrival) = &claim.sent => pass_on(&channel, arrival).await?,
                Ok((Request::Unlisten, None)) => {
                    unlisten = true;
                    over |= claim.leave();
                }
                Ok((Request::Drained, None)) => occupied = None,
                Ok(_) => return out_of_place(&channel, "a request in a listener's conversation").await,
                Err(ChannelError::Ended) => break,
                Err(ChannelError::Message(e)) => return malformed(shared, &channel, e).await,
                Err(e) => return Err(e),
            },
        }
    }
    drop(occupied);
    tracing::info!("{address}: no longer listening");
    if over { channel.send(&Reply::Unlistened, None).await } else { Ok(()) }
}

/// Sends an arrival; the node keeps its descriptor until the application has one.
async fn pass_on(channel: &Channel, arrival: &Arrival) -> Result<(), ChannelError> {
    let Arrival { fd, client, server, state, .. } = arrival;
    let reply = Reply::Arrived { client: *client, server: *server, state: state.clone() };
    channel.send(&reply, Some(fd.as_fd())).await
}
