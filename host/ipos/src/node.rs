//! The node of this server, as an application sees it.

use std::net::{SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};

use ipos_control::{Client, Error};

use crate::listener::Listener;

/// The node of this server. It holds the privileges that moves need; applications need none.
#[derive(Clone, Debug)]
pub struct Node(Client);

impl Default for Node {
    /// The node at `$IPOS_SOCKET`, or at [`Node::SOCKET`].
    fn default() -> Self {
        Node(Client::default())
    }
}

impl Node {
    /// The socket of `ipos node` unless its configuration names another one.
    pub const SOCKET: &str = Client::SOCKET;

    /// The node that listens at a Unix socket. Nothing is opened yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Node(Client::new(path))
    }

    /// The node's Unix socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Listens on a service's address, for clients that connect and for connections that move here.
    pub async fn listen(&self, address: SocketAddrV4) -> Result<Listener, Error> {
        let doing = |cause| Error::Io { what: "listening on the service's address", cause };
        self.listen_on(TcpListener::bind(address).map_err(doing)?).await
    }

    /// [`listen`](Node::listen) with a socket that listens already, such as one that systemd passes.
    pub async fn listen_on(&self, listener: TcpListener) -> Result<Listener, Error> {
        Listener::open(self.0.clone(), listener).await
    }
}
