//! Why a node or a move failed.

use std::io;

use ipos_datapath::DatapathError;
use ipos_device::MtuError;
use ipos_migrate::StartError;
use ipos_migrate::protocol::Failure;
use ipos_migrate::socket::FreezeError;

/// What the node's parts answer.
pub(crate) type Result<T = (), E = NodeError> = std::result::Result<T, E>;

/// Why a node can't run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The configuration contradicts itself.
    #[error("configuration of node {name:?}: {problem}")]
    Config {
        /// The node.
        name: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Packets would be lost for their length.
    #[error(transparent)]
    Mtu(#[from] MtuError),
    /// The cluster's keys can be replaced, not taken away.
    #[error("a node's keys can't be replaced by none: give at least one")]
    NoKeys,
    /// The loop thread could not be set up.
    #[error("the node's thread could not {what}: {cause}")]
    Start {
        /// What was tried.
        what: &'static str,
        /// Why not.
        cause: io::Error,
    },
    /// The card failed.
    #[error("the card failed: {0}")]
    Card(DatapathError),
    /// The way to the server's kernel failed.
    #[error("the kernel's interface failed: {0}")]
    Kernel(io::Error),
    /// The node has stopped.
    #[error("the node has stopped; start it again")]
    Stopped,
}

impl From<DatapathError> for NodeError {
    fn from(e: DatapathError) -> Self {
        match e {
            DatapathError::Mtu(e) => NodeError::Mtu(e),
            DatapathError::Kernel(e) => NodeError::Kernel(e),
            e => NodeError::Card(e),
        }
    }
}

impl From<DatapathError> for MoveError {
    fn from(e: DatapathError) -> Self {
        MoveError::Card(e)
    }
}

/// Why a connection did not move. It stays where it was and works, unless the error says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// No peer of that name.
    #[error("no peer is called {asked:?}; this node knows {known:?}")]
    UnknownPeer {
        /// The name asked for.
        asked: String,
        /// The names it could have been.
        known: Vec<String>,
    },
    /// The application's state is too long.
    #[error("{length} bytes of application state; a move carries at most {limit}")]
    StateTooLong {
        /// Bytes given.
        length: usize,
        /// Bytes that a move carries.
        limit: usize,
    },
    /// The socket can't be frozen.
    #[error(transparent)]
    Socket(#[from] FreezeError),
    /// The move could not begin.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The card has no room for the forward entry.
    #[error("no forward entry for the connection: {0}")]
    Card(DatapathError),
    /// What can't be written down is not committed: a restart would not know of it.
    #[error("the move can't be written into the node's journal: {0}; see to the disk of its state_dir")]
    Journal(io::Error),
    /// The protocol ended the move.
    #[error(transparent)]
    Protocol(#[from] Failure),
    /// The node has stopped.
    #[error("the node has stopped; start it again")]
    Stopped,
}
