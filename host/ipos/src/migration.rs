//! A move, as its application sees it.

use std::future::Future;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::error::{Error, MoveFailed};
use crate::message::{BUFFER_BYTES, MoveReport, Reply, Request, STATE_BYTES};
use crate::shared::Shared;
use crate::stream::{Origin, Rest, Stream};

/// The outcome of a move that has begun; see [`Stream::migrate`].
#[derive(Debug)]
#[must_use = "dropping it detaches: the move goes on, and a stream that could not move comes back through the listener"]
pub struct Migration {
    outcome: oneshot::Receiver<Result<MoveReport, MoveFailed>>,
    shared: Arc<Shared>,
}

impl Migration {
    pub(crate) fn begin(stream: Stream, target: String, state: Vec<u8>) -> Self {
        let shared = stream.shared().clone();
        let (sender, outcome) = oneshot::channel();
        let task = {
            let shared = shared.clone();
            async move {
                let outcome = carry(stream, target, state).await;
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
        Poll::Ready(outcome.unwrap_or(Err(MoveFailed { stream: None, error: Error::Runtime })))
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
            return Err(MoveFailed { stream: Some(stream), error: Error::TooLong { what, length, limit } });
        }
    }
    let request = Request::Migrate {
        target,
        state: state.clone(),
        unread: unread.rest().to_vec(),
        unsent: unsent.rest().to_vec(),
    };
    let channel = match stream.shared().node.converse().await {
        Ok(channel) => channel,
        Err(error) => return Err(MoveFailed { stream: Some(stream), error }),
    };
    let (socket, rest) = (stream.io.into_inner(), stream.rest);
    if let Err(e) = channel.send(&request, Some(socket.as_fd())).await {
        return Err(stayed(socket, rest, e.into()));
    }
    // the node's is the last one now
    drop(socket);
    let lost = |error| Err(MoveFailed { stream: None, error });
    match channel.receive().await {
        Ok((Reply::Moved(report), None)) => Ok(report),
        Ok((Reply::Stayed(refusal), Some(fd))) => Err(stayed(fd.into(), rest, refusal.into())),
        Ok((Reply::Stayed(refusal) | Reply::Refused(refusal), None)) => lost(refusal.into()),
        Ok((other, _)) => lost(Error::Unexpected(format!("{other:?}"))),
        Err(e) => lost(e.into()),
    }
}

fn stayed(socket: TcpStream, rest: Box<Rest>, error: Error) -> MoveFailed {
    match Stream::from_parts(socket, rest) {
        Ok(stream) => MoveFailed { stream: Some(stream), error },
        Err(source) => MoveFailed { stream: None, error: Error::Io { what: "taking a connection back", source } },
    }
}
