//! Conversations with a node: whoever begins them, and an operator's questions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::channel::Channel;
use crate::error::{Error, is_shortage};
use crate::message::{Connection, NodeInfo, Reply, Request};

/// The asking side of a node's socket.
#[derive(Clone, Debug)]
pub struct Client {
    path: Arc<Path>,
}

impl Default for Client {
    /// Of the node at `$IPOS_SOCKET`, or at [`Client::SOCKET`].
    fn default() -> Self {
        Client::new(std::env::var_os("IPOS_SOCKET").map_or_else(|| Client::SOCKET.into(), PathBuf::from))
    }
}

impl Client {
    /// The node's socket unless its configuration names another one.
    pub const SOCKET: &str = "/run/ipos/node.sock";

    /// Of the node that listens at a Unix socket. Nothing is opened yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Client { path: path.into().into() }
    }

    /// The node's Unix socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a conversation.
    pub async fn converse(&self) -> Result<Channel, Error> {
        Channel::connect(&self.path).await.map_err(|cause| match is_shortage(&cause) {
            true => Error::Io { what: "opening a conversation with the node", cause },
            false => Error::Unreachable { path: self.path.to_path_buf(), cause },
        })
    }

    /// The node's name and its peers': the targets of a move.
    pub async fn info(&self) -> Result<NodeInfo, Error> {
        match self.ask(&Request::Info).await? {
            Reply::Info(info) => Ok(info),
            other => Err(other.into()),
        }
    }

    /// The node's counters: names and values.
    pub async fn stats(&self) -> Result<Vec<(String, u64)>, Error> {
        match self.ask(&Request::Stats).await? {
            Reply::Stats(stats) => Ok(stats),
            other => Err(other.into()),
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
                other => return Err(other.into()),
            }
            reply = channel.receive().await?.0;
        }
    }

    /// Empties the server: the streams of every listener are told to leave for `target` (empty: any peer), and nothing
    /// moves here any more. The number of listeners that still have streams after `seconds`. Only root and the node's
    /// own user may.
    pub async fn drain(&self, target: &str, seconds: u32) -> Result<u64, Error> {
        match self.ask(&Request::Drain { target: target.to_owned(), seconds }).await? {
            Reply::Drained { left } => Ok(left),
            other => Err(other.into()),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Reply, Error> {
        Ok(self.converse().await?.ask(request, None).await?.0)
    }
}
