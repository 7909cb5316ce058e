//! A move, as its application sees it.

use std::future::Future;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ipos_control::message::{BUFFER_BYTES, MessageError, MoveReport, Reply, Request, STATE_BYTES};
use ipos_control::{Channel, ChannelError, Error, Refusal};
use tokio::sync::oneshot;

use super::{Origin, Rest, Shared, Stream};
use crate::shortage::again;

/// Pause between attempts while this user has as many conversations as the node allows, and their number.
const PATIENCE: (Duration, u32) = (Duration::from_millis(20), 500);

/// A move that failed.
#[derive(Debug, thiserror::Error)]
#[error("the connection did not move: {error}")]
pub struct MoveFailed {
    /// The stream, alive as before; `None` if the connection is lost, or the destination's (see `error`).
    pub stream: Option<Stream>,
    /// The reason.
    pub error: Error,
}

/// How long a node that has died is looked for, and the first and longest pause: what its holder keeps, it keeps for so long.
const RETURNS: Duration = Duration::from_secs(90);
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// The outcome of a move that has begun; see [`Stream::migrate`].
#[derive(Debug)]
#[must_use = "dropping it detaches: the move goes on, and a stream that could not move comes back through the listener"]
pub struct Migration {
    outcome: oneshot::Receiver<Result<MoveReport, MoveFailed>>,
    shared: Arc<Shared>,
}

impl Stream {
    /// Moves the connection to the peer `target` (empty: any that takes it). The application there gets the stream from
    /// its listener, with `state`, at most [`STATE_BYTES`](Stream::STATE_BYTES).
    ///
    /// The move begins at once, polled or not. The future is its outcome: dropped, it detaches, the move goes on, and
    /// should it fail, the stream comes back through the listener, with `state` and [`Origin::Returned`]; without a
    /// listener it is closed.
    ///
    /// No other descriptor of the socket may be left, such as one made by `try_clone` of its [`AsFd`].
    pub fn migrate(self, target: &str, state: impl Into<Vec<u8>>) -> Migration {
        let (target, state) = (target.to_owned(), state.into());
        let shared = self.shared().clone();
        let (sender, outcome) = oneshot::channel();
        let task = {
            let shared = shared.clone();
            async move {
                let outcome = carry(self, target, state).await;
                if let Err(outcome) = sender.send(outcome) {
                    give_back(&shared, outcome);
                }
            }
        };
        shared.runtime.spawn(task);
        Migration { outcome, shared }
    }
}

impl Future for Migration {
    type Output = Result<MoveReport, MoveFailed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.outcome).poll(cx));
        Poll::Ready(outcome.unwrap_or_else(|_| {
            let cause = io::Error::other("the runtime of the listener has stopped");
            Err(MoveFailed { stream: None, error: Error::Io { what: "moving a connection", cause } })
        }))
    }
}

impl Drop for Migration {
    fn drop(&mut self) {
        self.outcome.close();
        // it may have been ready and not been looked at
        if let Ok(outcome) = self.outcome.try_recv() {
            give_back(&self.shared, outcome);
        }
    }
}

/// Nobody waits: a stream that stayed goes back to the listener. Without a listener it is closed.
fn give_back(shared: &Shared, outcome: Result<MoveReport, MoveFailed>) {
    let Err(MoveFailed { stream, error }) = outcome else { return };
    tracing::warn!("a connection did not move: {error}");
    if let Some(mut stream) = stream {
        stream.rest.origin = Origin::Returned;
        let _ = shared.returned.send(stream);
    }
}

async fn carry(mut stream: Stream, target: String, state: Vec<u8>) -> Result<MoveReport, MoveFailed> {
    stream.rest.state = state;
    let Rest { state, unread, unsent, .. } = &*stream.rest;
    for (what, length, limit) in [
        ("application state", state.len(), STATE_BYTES),
        ("bytes read and not consumed", unread.rest().len(), BUFFER_BYTES),
        ("bytes to be sent", unsent.rest().len(), BUFFER_BYTES),
    ] {
        if length > limit {
            let (what, length, limit) = (what.to_owned(), length as u64, limit as u64);
            let error = Refusal::TooLong { what, length, limit }.into();
            return Err(MoveFailed { stream: Some(stream), error });
        }
    }
    let request = Request::Migrate {
        target,
        state: state.clone(),
        unread: unread.rest().to_vec(),
        unsent: unsent.rest().to_vec(),
    };
    // until the node has the socket, the stream is whole
    let channel = match offer(&stream, &request).await {
        Ok(channel) => channel,
        Err(error) => return Err(MoveFailed { stream: Some(stream), error }),
    };
    let Stream { io, rest } = stream;
    let cookie = rustix::net::sockopt::socket_cookie(&io);
    drop(io);
    let broken = match channel.send(&Request::Closed, None).await {
        Ok(()) => match outcome(&channel, rest).await {
            Outcome::Ended(ended) => return ended,
            Outcome::Broken(rest, e) => (rest, e),
        },
        Err(e) => (rest, e),
    };
    match cookie {
        Ok(cookie) => reclaim(broken, cookie).await,
        Err(_) => Err(MoveFailed { stream: None, error: broken.1.into() }),
    }
}

/// The node has died: its next life may have the connection, if a holder has kept it.
async fn reclaim((mut rest, error): (Box<Rest>, ChannelError), cookie: u64) -> Result<MoveReport, MoveFailed> {
    let end = Instant::now() + RETURNS;
    let request = Request::Reclaim { client: rest.client, server: rest.server, cookie };
    let mut pause = PAUSE.0;
    while Instant::now() < end {
        if let Ok(channel) = rest.live.0.client.converse().await
            && channel.send(&request, None).await.is_ok()
        {
            match outcome(&channel, rest).await {
                Outcome::Ended(ended) => return ended,
                // once more
                Outcome::Broken(back, _) => rest = back,
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
    Err(MoveFailed { stream: None, error: error.into() })
}

enum Outcome {
    Ended(Result<MoveReport, MoveFailed>),
    /// The node is gone.
    Broken(Box<Rest>, ChannelError),
}

/// Waits for the end of a move, of which the application has no descriptor.
async fn outcome(channel: &Channel, rest: Box<Rest>) -> Outcome {
    let lost = |error| Err(MoveFailed { stream: None, error });
    Outcome::Ended(loop {
        break match channel.receive().await {
            Ok((Reply::Moved(report), None)) => Ok(report),
            Ok((Reply::Stayed(refusal), Some(fd))) => {
                // a node that has gone meanwhile needs no telling
                let _ = channel.send(&Request::Taken, None).await;
                Err(stayed(fd.into(), rest, refusal.into()))
            }
            Ok((Reply::Stayed(refusal) | Reply::Refused(refusal), None)) => lost(refusal.into()),
            Ok((other, _)) => lost(Error::Unexpected(format!("{other:?}"))),
            Err(ChannelError::Message(MessageError::NoRoom)) => match again(channel, "a stream that stays").await {
                Ok(()) => continue,
                Err(e) => lost(e.into()),
            },
            Err(e @ (ChannelError::Ended | ChannelError::Io(_))) => return Outcome::Broken(rest, e),
            Err(e) => lost(e.into()),
        };
    })
}

/// Has the node take a stream's socket; the conversation in which it has said that it did.
async fn offer(stream: &Stream, request: &Request) -> Result<Channel, Error> {
    let (pause, tries) = PATIENCE;
    let mut left = tries;
    loop {
        let channel = stream.shared().client.converse().await?;
        match channel.ask(request, Some(stream.io.as_fd())).await?.0 {
            Reply::Taken => return Ok(channel),
            Reply::Refused(Refusal::Crowded) if left > 0 => left -= 1,
            Reply::Stayed(refusal) => return Err(refusal.into()),
            other => return Err(other.into()),
        }
        tokio::time::sleep(pause).await;
    }
}

fn stayed(socket: TcpStream, rest: Box<Rest>, error: Error) -> MoveFailed {
    match Stream::from_parts(socket, rest) {
        Ok(stream) => MoveFailed { stream: Some(stream), error },
        Err(cause) => MoveFailed { stream: None, error: Error::Io { what: "taking a connection back", cause } },
    }
}
