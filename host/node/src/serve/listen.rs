//! The conversation with a listener.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use ipos::Refusal;
use ipos::channel::{Channel, ChannelError};
use ipos::message::{Reply, Request};

use super::{Shared, malformed, socket};
use crate::handle::Arrival;

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

/// Passes on what arrives for `port` until the listener is gone or wants no more.
pub(super) async fn attend(
    shared: &Arc<Shared>,
    channel: Channel,
    port: u16,
    shown: OwnedFd,
) -> Result<(), ChannelError> {
    if !socket::listens(&shown, port, shared.namespace) {
        return channel.send(&Reply::Refused(Refusal::NotListening(port)), None).await;
    }
    // or the port would stay open when the application is gone
    drop(shown);
    let Ok(mut arrivals) = shared.node.listen(port) else {
        return channel.send(&Reply::Refused(Refusal::Stopped), None).await;
    };
    channel.send(&Reply::Listening, None).await?;
    tracing::info!("port {port}: listening");
    let mut occupied = Some(Occupied::new(shared));
    let mut draining = shared.draining.subscribe();
    let (mut told, mut unlisten, mut over) = (false, false, false);
    while !(unlisten && over) {
        tokio::select! {
            arrival = arrivals.recv(), if !over => match arrival {
                Some(Arrival { fd, client, server, state, .. }) => {
                    channel.send(&Reply::Arrived { client, server, state }, Some(fd.as_fd())).await?;
                }
                // closed, and what had been promised a place has come
                None => over = true,
            },
            target = asked(&mut draining), if !told => {
                told = true;
                arrivals.close();
                channel.send(&Reply::Drain { target }, None).await?;
            }
            received = channel.receive() => match received {
                Ok((Request::Unlisten, None)) => {
                    unlisten = true;
                    arrivals.close();
                }
                Ok((Request::Drained, None)) => occupied = None,
                Ok(_) => {
                    let refusal = Refusal::OutOfPlace("a request in a listener's conversation".to_owned());
                    return channel.send(&Reply::Refused(refusal), None).await;
                }
                Err(ChannelError::Ended) => break,
                Err(ChannelError::Message(e)) => return malformed(&channel, e).await,
                Err(e) => return Err(e),
            },
        }
    }
    drop(occupied);
    tracing::info!("port {port}: no longer listening");
    if over { channel.send(&Reply::Unlistened, None).await } else { Ok(()) }
}

/// Waits until the server is to be emptied.
async fn asked(draining: &mut tokio::sync::watch::Receiver<Option<String>>) -> String {
    loop {
        if let Some(target) = draining.borrow_and_update().clone() {
            return target;
        }
        if draining.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
