//! Where an application's connections come from.

mod session;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpListener as StdListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ipos_control::{Client, Error, is_shortage, until};
use rustix::net::SocketFlags;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::shortage::respite;
use crate::stream::{Shared, Stream};
use session::attend;

/// Connections that have arrived and wait for [`Listener::accept`]; more wait at the node.
const BACKLOG: usize = 16;
/// Until a stream that could not move is tried again while the listener is drained.
const AGAIN: Duration = Duration::from_secs(1);

/// Yields the connections of a service: those that clients open and those that move here.
///
/// Should the node be restarted, the listener finds it again by itself. Dropping it ends the service on this server;
/// its streams go on.
#[derive(Debug)]
pub struct Listener {
    tcp: Option<TcpListener>,
    address: SocketAddrV4,
    arrivals: mpsc::Receiver<Stream>,
    returned: mpsc::UnboundedReceiver<Stream>,
    shared: Arc<Shared>,
}

impl Listener {
    pub(crate) async fn open(client: Client, listener: StdListener) -> Result<Self, Error> {
        let doing = |cause| Error::Io { what: "taking over a listening socket", cause };
        listener.set_nonblocking(true).map_err(doing)?;
        let SocketAddr::V4(address) = listener.local_addr().map_err(doing)? else {
            return Err(doing(io::Error::new(io::ErrorKind::Unsupported, "only IPv4 connections can move")));
        };
        let shown = listener.try_clone().map_err(doing)?;
        let tcp = TcpListener::from_std(listener).map_err(doing)?;
        let (returned, returns) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            client,
            runtime: Handle::current(),
            returned,
            drain_target: watch::channel(None).0,
            unlisten: watch::channel(false).0,
            live: watch::channel(0).0,
        });
        let (sender, arrivals) = mpsc::channel(BACKLOG);
        let (ready, is_ready) = oneshot::channel();
        tokio::spawn(attend(shared.clone(), shown.into(), address.port(), sender, ready));
        is_ready.await.map_err(|_| doing(io::Error::other("the runtime has stopped")))??;
        Ok(Listener { tcp: Some(tcp), address, arrivals, returned: returns, shared })
    }

    /// The address that clients connect to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddrV4 {
        self.address
    }

    /// The next connection. Dropping the future before it is ready loses none. After an error the listener still works.
    pub async fn accept(&mut self) -> Result<Stream, Error> {
        tokio::select! {
            biased;
            Some(stream) = self.returned.recv() => Ok(stream),
            Some(stream) = self.arrivals.recv() => Ok(stream),
            stream = accept(self.tcp.as_ref(), &self.shared) => stream,
        }
    }

    /// Streams of this listener, those that are moving away and those not yet accepted included.
    #[must_use]
    pub fn streams(&self) -> usize {
        *self.shared.live.borrow()
    }

    /// Waits until the server is to be emptied, by `ipos drain` or by [`drain`](Listener::drain); the target.
    pub fn leaving(&self) -> impl Future<Output = String> + Send + use<> {
        self.shared.leaving()
    }

    /// Empties the listener for good: [`Stream::leaving`] of all its streams is ready with `target` (empty: any peer), and
    /// their tasks move them; what nobody has accepted yet moves as it is, and a stream that comes back from its move is
    /// tried again every second. Clients can't connect any more. Ready when no stream is left: bound it by
    /// [`tokio::time::timeout`]. Dropped before, it can be called again, and [`accept`](Listener::accept) yields what
    /// came back.
    pub async fn drain(&mut self, target: &str) {
        self.shared.drain_target.send_replace(Some(target.to_owned()));
        self.shared.unlisten.send_replace(true);
        let mut live = self.shared.live.subscribe();
        let mut open = true;
        loop {
            let (stream, pause) = tokio::select! {
                stream = self.arrivals.recv(), if open => match stream {
                    Some(stream) => (stream, Duration::ZERO),
                    None => {
                        // the node no longer sends, and no copy of the listening socket is left
                        open = false;
                        self.close().await;
                        continue;
                    }
                },
                stream = accept(self.tcp.as_ref(), &self.shared) => match stream {
                    Ok(stream) => (stream, Duration::ZERO),
                    Err(e) => {
                        tracing::warn!("{e}");
                        tokio::time::sleep(AGAIN).await;
                        continue;
                    }
                },
                Some(stream) = self.returned.recv() => (stream, AGAIN),
                _ = until(&mut live, |n| *n == 0), if !open => return,
            };
            let target = target.to_owned();
            self.shared.runtime.spawn(async move {
                tokio::time::sleep(pause).await;
                let state = stream.state().to_vec();
                drop(stream.migrate(&target, state));
            });
        }
    }

    /// Closes the listening socket after taking what clients have opened: the kernel would reset it.
    async fn close(&mut self) {
        while let Some(tcp) = &self.tcp {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let accepted = rustix::net::accept_with(tcp, flags).map_err(io::Error::from).and_then(|fd| {
                let socket = TcpStream::from(fd);
                let client = socket.peer_addr()?;
                Stream::accepted(socket, client, self.shared.clone())
            });
            match accepted {
                // as if its move had failed: it is next in line
                Ok(stream) => drop(self.shared.returned.send(stream)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.tcp = None,
                Err(e) if is_shortage(&e) => respite("a client").await,
                Err(e) => tracing::warn!("a connection could not be taken: {e}"),
            }
        }
    }
}

/// The next connection of a client; never, without a listening socket.
async fn accept(tcp: Option<&TcpListener>, shared: &Arc<Shared>) -> Result<Stream, Error> {
    let Some(tcp) = tcp else { return std::future::pending().await };
    let doing = |cause| Error::Io { what: "accepting a connection", cause };
    let (socket, client) = loop {
        match tcp.accept().await {
            // the client waits in the backlog
            Err(e) if is_shortage(&e) => respite("a client").await,
            accepted => break accepted.map_err(doing)?,
        }
    };
    Stream::accepted(socket.into_std().map_err(doing)?, client, shared.clone()).map_err(doing)
}
