//! The applications of one server: a thread in its kernel's namespace that accepts connections,
//! takes the ones that arrive from other servers, and gives them away when the demo says so.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::TcpListener as StdListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use ipos_node::{Arrival, Moved, NodeHandle};
use ipos_sim::wire::netns::Netns;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::download::{Download, Gate};
use super::echo::Echo;
use super::file::File;
use super::net::SERVICE;
use super::session::Session;

/// Port of the download server.
pub const HTTP_PORT: u16 = 80;
/// Port of the echo server.
pub const ECHO_PORT: u16 = 7;
/// Unsent bytes that a socket may queue: they all travel with it.
const NOT_SENT: u32 = 16 << 10;
/// How long a move waits for its connection to be there.
const PRESENT: Duration = Duration::from_secs(5);

/// What the servers of a demo have in common.
#[derive(Clone)]
pub struct Shared {
    /// What is downloaded.
    pub file: File,
    /// How much of it may have been sent by now.
    pub gate: Gate,
    /// Rate at which a connection is sent, in bytes per second.
    pub pace: u64,
}

/// Asks a server to give the latest connection of an application to another one.
struct Move {
    application: &'static str,
    target: String,
    reply: oneshot::Sender<anyhow::Result<Moved>>,
}

/// A server's applications; they end when this is dropped.
pub struct Server {
    moves: Option<mpsc::Sender<Move>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Starts the applications beside the node of the same server.
    pub fn spawn(name: &str, kernel: &Netns, node: NodeHandle, shared: Shared) -> anyhow::Result<Self> {
        let (moves, requests) = mpsc::channel(1);
        let arrivals = [node.listen(HTTP_PORT)?, node.listen(ECHO_PORT)?];
        let listeners = kernel.run(|| {
            let open = |port| StdListener::bind((SERVICE, port));
            Ok([open(HTTP_PORT)?, open(ECHO_PORT)?])
        });
        let listeners = listeners.with_context(|| format!("listening on server {name}"))?;
        let kernel = kernel.try_clone()?;
        let thread = thread::Builder::new().name(format!("server {name}")).spawn(move || {
            if let Err(e) = run(&kernel, node, shared, listeners, arrivals, requests) {
                tracing::error!("a server stopped: {e:#}");
            }
        })?;
        Ok(Server { moves: Some(moves), thread: Some(thread) })
    }

    /// Moves the latest connection of an application to the server `target`.
    pub async fn migrate<S: Session>(&self, target: &str) -> anyhow::Result<Moved> {
        let (reply, answer) = oneshot::channel();
        let request = Move { application: S::NAME, target: target.to_owned(), reply };
        let gone = || anyhow!("the server's applications have stopped");
        self.moves.as_ref().ok_or_else(gone)?.send(request).await.map_err(|_| gone())?;
        answer.await.map_err(|_| anyhow!("the {} connection ended before it could move", S::NAME))?
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.moves = None;
        if let Some(thread) = self.thread.take() {
            // a panic there has already been printed
            let _ = thread.join();
        }
    }
}

/// What the tasks of one server share.
struct Here {
    node: NodeHandle,
    shared: Shared,
    /// The latest connection of each application here.
    present: RefCell<HashMap<&'static str, mpsc::Sender<Move>>>,
}

fn run(
    kernel: &Netns,
    node: NodeHandle,
    shared: Shared,
    listeners: [StdListener; 2],
    arrivals: [mpsc::Receiver<Arrival>; 2],
    mut requests: mpsc::Receiver<Move>,
) -> anyhow::Result<()> {
    kernel.enter()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let here = Rc::new(Here { node, shared, present: RefCell::default() });
    // dropping the set at the end closes what is still connected
    LocalSet::new().block_on(&runtime, async {
        let [http, echo] = listeners;
        let [http_arrivals, echo_arrivals] = arrivals;
        let download = |h: &Here| Download::new(h.shared.file, h.shared.gate.clone());
        let resume = |h: &Here, state: Vec<u8>| Download::resume(h.shared.file, h.shared.gate.clone(), &state);
        spawn_local(accept(here.clone(), http, download));
        spawn_local(accept(here.clone(), echo, |_| Echo::default()));
        spawn_local(arrive(here.clone(), http_arrivals, resume));
        spawn_local(arrive(here.clone(), echo_arrivals, |_, state| Ok(Echo::resume(state))));
        while let Some(request) = requests.recv().await {
            spawn_local(dispatch(here.clone(), request));
        }
    });
    Ok(())
}

/// Runs `task` beside the others and says so if it fails.
fn spawn_local(task: impl Future<Output = anyhow::Result<()>> + 'static) {
    tokio::task::spawn_local(async {
        if let Err(e) = task.await {
            tracing::error!("{e:#}");
        }
    });
}

async fn accept<S: Session>(
    here: Rc<Here>,
    listener: StdListener,
    make: impl Fn(&Here) -> S + 'static,
) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, client) = listener.accept().await.context("accepting a connection")?;
        tracing::debug!(application = S::NAME, %client, "accepted");
        spawn_local(serve(here.clone(), stream, make(&here)));
    }
}

async fn arrive<S: Session>(
    here: Rc<Here>,
    mut arrivals: mpsc::Receiver<Arrival>,
    make: impl Fn(&Here, Vec<u8>) -> anyhow::Result<S> + 'static,
) -> anyhow::Result<()> {
    while let Some(arrival) = arrivals.recv().await {
        tracing::debug!(application = S::NAME, client = %arrival.client, state = arrival.state.len(), "arrived");
        let stream = TcpStream::from_std(arrival.fd.into()).context("taking a connection that arrived")?;
        spawn_local(serve(here.clone(), stream, make(&here, arrival.state)?));
    }
    Ok(())
}

/// Passes a move on to its connection, which may be about to arrive.
async fn dispatch(here: Rc<Here>, request: Move) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + PRESENT;
    let mut request = Some(request);
    while let Some(wanted) = request.take() {
        let connection = here.present.borrow().get(wanted.application).cloned();
        request = match connection {
            Some(connection) => connection.send(wanted).await.err().map(|e| e.0),
            None => Some(wanted),
        };
        if tokio::time::Instant::now() > end {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    if let Some(missed) = request {
        // the demo may have given up meanwhile
        let _ = missed.reply.send(Err(anyhow!("no {} connection is on this server", missed.application)));
    }
    Ok(())
}

/// Serves a connection until it ends or has gone to another server.
async fn serve<S: Session>(here: Rc<Here>, mut stream: TcpStream, mut session: S) -> anyhow::Result<()> {
    let (sender, mut moves) = mpsc::channel(1);
    here.present.borrow_mut().insert(S::NAME, sender);
    tune(&stream, here.shared.pace).context("setting a connection's options")?;
    loop {
        tokio::select! {
            biased;
            Some(request) = moves.recv() => {
                here.present.borrow_mut().remove(S::NAME);
                let fd: OwnedFd = stream.into_std()?.into();
                let moved = here.node.migrate(fd, session.state(), &request.target).await;
                // nobody waits for the answer once the demo has given up
                match moved {
                    Ok(report) => {
                        let _ = request.reply.send(Ok(report));
                        return Ok(());
                    }
                    Err(failed) => {
                        let _ = request.reply.send(Err(failed.error.into()));
                        let Some(fd) = failed.fd else { return Ok(()) };
                        stream = TcpStream::from_std(fd.into())?;
                        let (sender, again) = mpsc::channel(1);
                        here.present.borrow_mut().insert(S::NAME, sender);
                        moves = again;
                    }
                }
            }
            more = session.step(&stream) => {
                if !more.with_context(|| format!("serving a {} connection", S::NAME))? {
                    return Ok(());
                }
            }
        }
    }
}

/// Small queues and an even rate: what is queued travels, and a burst would wait in the card.
fn tune(stream: &TcpStream, pace: u64) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(NOT_SENT)?;
    // SAFETY: an integer option with its own length; `pace` outlives the call.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MAX_PACING_RATE,
            (&raw const pace).cast(),
            size_of_val(&pace) as u32,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
