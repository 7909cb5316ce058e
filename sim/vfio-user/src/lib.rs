//! A simulated card in a process of its own, as a PCI function on a socket (vfio-user).
//!
//! A host drives it there: a node through `ipos_device::vfio_user`, or a virtual machine through QEMU's `vfio-user-pci`.
//! [`CardServer`] answers for any [`Function`]. [`config`] is the function's configuration space, [`memory`] its way to
//! host memory, `backend` what joins them. The card has a thread of its own (`work`) and works in slices, between which it
//! answers register accesses: an access waits for one slice at most.
//!
//! As a board does, the card outlives its host: when a client goes, its queues stop and its memory is let go, but ports
//! and tables stay, and what the card forwards it goes on to forward. The next client finds it so.

mod backend;
pub mod config;
pub mod memory;
mod work;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread::{self, JoinHandle};

use ipos_sim::pcie::plant::Plant;
use ipos_sim::pcie::{Bus, Function};
use ipos_socket::{ListenError, Listening};
use rustix::net::SocketType;

use backend::Backend;
use memory::GuestBus;

/// Permissions of the socket: a card is its user's.
const MODE: u32 = 0o600;
/// Hosts that wait for their turn.
const BACKLOG: i32 = 128;

/// Why a card can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket can't be listened on.
    #[error("a card can't listen there: {0}")]
    Listen(ListenError),
    /// The system refused a thread or a descriptor.
    #[error("starting the card: {0}")]
    Start(io::Error),
    /// One of its wires is gone, and the card with it.
    #[error("the card has stopped")]
    Stopped,
}

impl From<ListenError> for ServeError {
    fn from(e: ListenError) -> Self {
        ServeError::Listen(e)
    }
}

impl From<io::Error> for ServeError {
    fn from(e: io::Error) -> Self {
        ServeError::Start(e)
    }
}

/// A card that waits for clients. Dropping it ends the card and removes the socket.
pub struct CardServer {
    // dropped before the server's socket
    path: Option<Listening>,
    server: vfio_user::Server,
    /// `None` only while it is dropped: the card's thread ends with it.
    backend: Option<Backend>,
    bus: GuestBus,
    card: Option<JoinHandle<()>>,
}

impl CardServer {
    /// Makes the card from its way to host memory, plugs it into `plant` and lets it work; listens on `socket`. A socket that
    /// a server left when it was killed is replaced. `gone` is told when the card ends because a wire is
    /// gone or its thread has panicked.
    pub fn new<F: Function + 'static>(
        socket: &Path,
        plant: Plant,
        make: impl FnOnce(Box<dyn Bus>) -> F + Send + 'static,
        gone: impl FnOnce(io::Error) + Send + 'static,
    ) -> Result<Self, ServeError> {
        let (fd, path) = ipos_socket::take(socket, SocketType::STREAM, MODE, BACKLOG)?;
        // the server waits for its client in accept
        rustix::fs::fcntl_setfl(&fd, rustix::fs::OFlags::empty()).map_err(io::Error::from)?;
        let bus = GuestBus::default();
        let (jobs, work) = work::channel()?;
        let of_card = bus.clone();
        let card = thread::Builder::new().name("card".into()).spawn(move || {
            let worked = catch_unwind(AssertUnwindSafe(|| work.run(make(Box::new(of_card)), plant)));
            if let Err(e) = worked.unwrap_or_else(|_| Err(io::Error::other("the card's thread has panicked"))) {
                gone(e);
            }
        })?;
        let backend = Some(Backend::new(bus.clone(), jobs));
        Ok(CardServer { path: Some(path), server: backend::server(fd), backend, bus, card: Some(card) })
    }

    /// The socket's path, for a process that ends while the server waits for a client.
    pub fn path(&mut self) -> Option<Listening> {
        self.path.take()
    }

    /// Waits for a client and serves it to its end, however that comes; then lets go of the client's memory.
    /// Another one waits meanwhile.
    pub fn serve_one(&mut self) -> Result<(), ServeError> {
        let Some(backend) = &mut self.backend else { return Err(ServeError::Stopped) };
        // the protocol's crate panics on some messages that are none: such a client has gone, the card has not
        match catch_unwind(AssertUnwindSafe(|| self.server.run(backend))) {
            Ok(Ok(())) => {}
            Ok(Err(vfio_user::Error::SocketAccept(e))) => return Err(ServeError::Start(e)),
            // a client that was killed in the middle of a message is a client that has gone
            Ok(Err(e)) => tracing::debug!("the connection has failed: {e}"),
            Err(_) => tracing::error!("the client's message could not be read, the connection is closed"),
        }
        tracing::info!(refused = self.bus.lock().refused(), "the client has gone");
        backend.detach().map_err(|_| ServeError::Stopped)
    }
}

impl Drop for CardServer {
    fn drop(&mut self) {
        self.backend = None;
        // it has told of a panic
        let _ = self.card.take().map(JoinHandle::join);
    }
}
