//! Why something failed at the application's side.

use std::io;
use std::path::PathBuf;

use crate::Stream;
use crate::channel::ChannelError;
use crate::message::MessageError;
use crate::refusal::Refusal;

/// What can go wrong between an application and its node.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No node takes conversations there.
    #[error("no node at {}: {cause}; is `ipos node` running, and may this user open its socket?", path.display())]
    Unreachable {
        /// The node's socket.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The conversation with the node broke off.
    #[error("the node: {0}")]
    Channel(ChannelError),
    /// The node said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The node's answer is none to what was asked.
    #[error("the node's answer does not fit the request: {0}")]
    Unexpected(String),
    /// Something is longer than a move carries.
    #[error("{length} bytes of {what}; a move carries at most {limit}")]
    TooLong {
        /// What.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// Bytes that a move carries.
        limit: usize,
    },
    /// A call failed.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why not.
        cause: io::Error,
    },
    /// The tokio runtime that carried it out has stopped.
    #[error("the runtime of the listener has stopped")]
    Runtime,
}

impl From<ChannelError> for Error {
    fn from(e: ChannelError) -> Self {
        Error::Channel(e)
    }
}

impl From<MessageError> for Error {
    fn from(e: MessageError) -> Self {
        ChannelError::from(e).into()
    }
}

/// A move that failed.
#[derive(Debug, thiserror::Error)]
#[error("the connection did not move: {error}")]
pub struct MoveFailed {
    /// The stream, alive as before; `None` if the connection is lost, or the destination's (see `error`).
    pub stream: Option<Stream>,
    /// Why.
    pub error: Error,
}
