//! The conversation of a listener with its node, for as long as the listener exists.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use ipos_control::message::{MessageError, Reply, Request};
use ipos_control::{Channel, ChannelError, Error, drain_target, until};
use tokio::sync::{mpsc, oneshot};

use crate::shortage::again;
use crate::stream::{Origin, Shared, Stream};

/// First and longest pause before a node that is gone is looked for again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Takes what arrives until the listener is gone or wants no more. `ready` is told how it began; a listener whose first
/// conversation can't begin is none.
pub(crate) async fn attend(
    shared: Arc<Shared>,
    listening: OwnedFd,
    port: u16,
    arrivals: mpsc::Sender<Stream>,
    ready: oneshot::Sender<Result<(), Error>>,
) {
    let mut ready = Some(ready);
    let (mut pause, mut last) = (PAUSE.0, None);
    loop {
        let begun = begin(&shared, &listening, port).await;
        match (begun, ready.take()) {
            (Ok(channel), first) => {
                if let Some(first) = first {
                    let _ = first.send(Ok(()));
                }
                pause = PAUSE.0;
                match converse(&shared, &channel, port, &arrivals, &mut last).await {
                    Ok(()) => return,
                    Err(e) => tracing::warn!("port {port}: nothing arrives until the node is found again: {e}"),
                }
            }
            (Err(e), Some(first)) => {
                let _ = first.send(Err(e));
                return;
            }
            (Err(e), None) => tracing::debug!("port {port}: {e}"),
        }
        // a listener that is to be emptied does not wait for a node
        if *shared.unlisten.borrow() {
            return;
        }
        tokio::select! {
            () = arrivals.closed() => return,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
        }
    }
}

async fn begin(shared: &Shared, listening: &OwnedFd, port: u16) -> Result<Channel, Error> {
    let channel = shared.client.converse().await?;
    match channel.ask(&Request::Listen { port }, Some(listening.as_fd())).await?.0 {
        Reply::Listening => Ok(channel),
        other => Err(other.into()),
    }
}

async fn converse(
    shared: &Arc<Shared>,
    channel: &Channel,
    port: u16,
    arrivals: &mpsc::Sender<Stream>,
    last: &mut Option<u64>,
) -> Result<(), Error> {
    let (mut unlisten, mut target, mut live) =
        (shared.unlisten.subscribe(), shared.drain_target.subscribe(), shared.live.subscribe());
    let (mut unlistened, mut leaving, mut drained) = (false, false, false);
    loop {
        tokio::select! {
            () = arrivals.closed() => return Ok(()),
            _ = until(&mut unlisten, |u| *u), if !unlistened => {
                unlistened = true;
                channel.send(&Request::Unlisten, None).await?;
            }
            _ = drain_target(&mut target), if !leaving => leaving = true,
            _ = until(&mut live, |n| *n == 0), if leaving && !drained => {
                drained = true;
                channel.send(&Request::Drained, None).await?;
            }
            received = channel.receive() => match received {
                Ok((Reply::Arrived { client, server, state }, Some(fd))) => {
                    // a node that does not hear that may give it to another process
                    channel.send(&Request::Taken, None).await?;
                    // a node that died before it heard that sends the same socket again when it is back
                    let cookie = rustix::net::sockopt::socket_cookie(&fd).ok();
                    if cookie.is_some() && std::mem::replace(last, cookie) == cookie {
                        continue;
                    }
                    let stream = Stream::new(fd.into(), Origin::Arrived, (client, server), state, shared.clone());
                    let stream = stream.map_err(|cause| Error::Io { what: "taking an arrival", cause })?;
                    if arrivals.send(stream).await.is_err() {
                        return Ok(());
                    }
                }
                Ok((Reply::Drain { target }, None)) => {
                    shared.drain_target.send_replace(Some(target));
                }
                Ok((Reply::Replaced, None)) => {
                    tracing::warn!("port {port}: what moves here goes to a server that was started later");
                }
                Ok((Reply::Listening, None)) => tracing::info!("port {port}: what moves here comes here again"),
                Ok((Reply::Unlistened, None)) => return Ok(()),
                Ok((other, _)) => return Err(other.into()),
                Err(ChannelError::Message(MessageError::NoRoom)) => again(channel, "an arrival").await?,
                Err(e) => return Err(e.into()),
            },
        }
    }
}
