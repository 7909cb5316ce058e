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

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use ipos_sim::pcie::plant::Plant;
use ipos_sim::pcie::{Bus, Function};

use backend::Backend;
use memory::GuestBus;

/// Why a card can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody answers on the socket already.
    #[error("{} is in use by another card", .0.display())]
    InUse(PathBuf),
    /// The socket can't be listened on.
    #[error("listening on {}: {source}", path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// What was refused.
        source: vfio_user::Error,
    },
    /// The system refused a thread, a descriptor or to remove an old socket.
    #[error("starting the card: {0}")]
    Start(#[from] io::Error),
    /// One of its wires is gone, and the card with it.
    #[error("the card has stopped")]
    Stopped,
}

/// A card that waits for clients. Dropping it ends the card and removes the socket.
pub struct CardServer {
    server: vfio_user::Server,
    /// `None` only while it is dropped: the card's thread ends with it.
    backend: Option<Backend>,
    bus: GuestBus,
    card: Option<JoinHandle<()>>,
}

impl CardServer {
    /// Makes the card from its way to host memory, plugs it into `plant` and lets it work; listens on `socket`. A socket that
    /// a server left when it was killed is replaced. `gone` is told when the card ends because a wire is gone.
    pub fn new<F: Function + 'static>(
        socket: &Path,
        plant: Plant,
        make: impl FnOnce(Box<dyn Bus>) -> F + Send + 'static,
        gone: impl FnOnce(io::Error) + Send + 'static,
    ) -> Result<Self, ServeError> {
        if socket.exists() {
            if UnixStream::connect(socket).is_ok() {
                return Err(ServeError::InUse(socket.to_owned()));
            }
            fs::remove_file(socket)?;
        }
        let bus = GuestBus::default();
        let (jobs, work) = work::channel()?;
        let of_card = bus.clone();
        let card = thread::Builder::new().name("card".into()).spawn(move || {
            if let Err(e) = work.run(make(Box::new(of_card)), plant) {
                gone(e);
            }
        })?;
        let backend = Some(Backend::new(bus.clone(), jobs));
        let server =
            backend::server(socket).map_err(|source| ServeError::Listen { path: socket.to_owned(), source })?;
        Ok(CardServer { server, backend, bus, card: Some(card) })
    }

    /// Waits for a client and serves it to its end, however that comes; then lets go of the client's memory.
    /// Another one waits meanwhile.
    pub fn serve_one(&mut self) -> Result<(), ServeError> {
        let Some(backend) = &mut self.backend else { return Err(ServeError::Stopped) };
        match self.server.run(backend) {
            Ok(()) => {}
            Err(vfio_user::Error::SocketAccept(e)) => return Err(ServeError::Start(e)),
            // a client that was killed in the middle of a message is a client that has gone
            Err(e) => tracing::debug!("the connection has failed: {e}"),
        }
        tracing::info!(refused = self.bus.lock().refused(), "the client has gone");
        backend.detach().map_err(|_| ServeError::Stopped)
    }
}

impl Drop for CardServer {
    fn drop(&mut self) {
        self.backend = None;
        if self.card.take().is_some_and(|card| card.join().is_err()) {
            tracing::error!("the card's thread has panicked");
        }
    }
}
