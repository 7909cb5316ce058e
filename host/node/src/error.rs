//! Why a node or a move failed.

use std::io;

use ipos_device::DeviceError;

/// Why a node can't run.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The configuration contradicts itself.
    #[error("configuration of node {name}: {problem}")]
    Config {
        /// The node.
        name: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The loop thread could not be set up.
    #[error("the node's thread could not {what}: {source}")]
    Start {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The card failed.
    #[error(transparent)]
    Card(#[from] DeviceError),
    /// The node has stopped.
    #[error("the node has stopped; start it again")]
    Stopped,
}

/// Why a connection did not move. It stays where it was and works, unless the error says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// No peer of that name.
    #[error("no peer is called {asked:?}; this node knows {known}")]
    UnknownPeer {
        /// The name asked for.
        asked: String,
        /// The names it could have been.
        known: String,
    },
    /// The socket is not a TCP connection over IPv4.
    #[error("not a connected TCP socket over IPv4: {0}")]
    NotTcp(io::Error),
    /// The application's state is too long.
    #[error("{length} bytes of application state; a move carries at most {limit}")]
    StateTooLong {
        /// Bytes given.
        length: usize,
        /// Bytes that a move carries.
        limit: usize,
    },
    /// The node has stopped.
    #[error("the node has stopped; start it again")]
    Stopped,
}
