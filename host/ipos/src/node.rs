//! The node of this server, as an application sees it.

use std::net::{SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::channel::Channel;
use crate::error::Error;
use crate::listener::Listener;
use crate::message::{Connection, NodeInfo, Reply, Request};
use crate::shared::is_shortage;

/// The node of this server. It holds the privileges that moves need; applications need none.
#[derive(Clone, Debug)]
pub struct Node {
    path: Arc<Path>,
}

impl Default for Node {
    /// The node at `$IPOS_SOCKET`, or at [`Node::SOCKET`].
    fn default() -> Self {
        Node::new(std::env::var_os("IPOS_SOCKET").map_or_else(|| Node::SOCKET.into(), PathBuf::from))
    }
}

impl Node {
    /// Where `ipos node` takes applications unless it is told otherwise.
    pub const SOCKET: &str = "/run/ipos/node.sock";

    /// The node that listens at a Unix socket. Nothing is opened yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Node { path: path.into().into() }
    }

    /// Its Unix socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Listens on a service's address, for clients that connect and for connections that move here.
    pub async fn listen(&self, address: SocketAddrV4) -> Result<Listener, Error> {
        let doing = |cause| Error::Io { what: "listening on the service's address", cause };
        self.listen_on(TcpListener::bind(address).map_err(doing)?).await
    }

    /// [`listen`](Node::listen) with a socket that listens already, such as one that systemd passes.
    pub async fn listen_on(&self, listener: TcpListener) -> Result<Listener, Error> {
        Listener::open(self.clone(), listener).await
    }

    /// Who the node is and to whom connections can move.
    pub async fn info(&self) -> Result<NodeInfo, Error> {
        match self.ask(&Request::Info).await? {
            Reply::Info(info) => Ok(info),
            other => Err(unexpected(other)),
        }
    }

    /// What the node has counted: names and values.
    pub async fn stats(&self) -> Result<Vec<(String, u64)>, Error> {
        match self.ask(&Request::Stats).await? {
            Reply::Stats(stats) => Ok(stats),
            other => Err(unexpected(other)),
        }
    }

    /// The connections that the node treats specially: those that moved, and those that are moving.
    pub async fn connections(&self) -> Result<Vec<Connection>, Error> {
        let channel = self.converse().await?;
        let mut reply = channel.ask(&Request::Connections, None).await?.0;
        let mut all = Vec::new();
        loop {
            match reply {
                Reply::Connections { connections, more } => {
                    all.extend(connections);
                    if !more {
                        return Ok(all);
                    }
                }
                other => return Err(unexpected(other)),
            }
            reply = channel.receive().await?.0;
        }
    }

    /// Empties the server: every listener's streams are told to leave for `target` (empty: any peer), and nothing moves
    /// here any more. How many listeners still have streams after `seconds`. Only root and the node's own user may.
    pub async fn drain(&self, target: &str, seconds: u32) -> Result<u64, Error> {
        match self.ask(&Request::Drain { target: target.to_owned(), seconds }).await? {
            Reply::Drained { left } => Ok(left),
            other => Err(unexpected(other)),
        }
    }

    /// Begins a conversation.
    pub(crate) async fn converse(&self) -> Result<Channel, Error> {
        Channel::connect(&self.path).await.map_err(|cause| match is_shortage(&cause) {
            true => Error::Io { what: "opening a conversation with the node", cause },
            false => Error::Unreachable { path: self.path.to_path_buf(), cause },
        })
    }

    async fn ask(&self, request: &Request) -> Result<Reply, Error> {
        Ok(self.converse().await?.ask(request, None).await?.0)
    }
}

/// An answer to something else, or a refusal.
pub(crate) fn unexpected(reply: Reply) -> Error {
    match reply {
        Reply::Refused(refusal) => refusal.into(),
        other => Error::Unexpected(format!("{other:?}")),
    }
}
