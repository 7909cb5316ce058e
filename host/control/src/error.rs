//! Reasons why a conversation with a node failed, at the asking side.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::channel::ChannelError;
use crate::message::{MessageError, Reply};
use crate::refusal::Refusal;

/// Failures between a process and the node of its server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No node takes conversations there.
    #[error("no node at {}: {cause}; is `ipos node` running, and may this user open its socket?", path.display())]
    Unreachable {
        /// The node's socket.
        path: PathBuf,
        /// Error of `connect(2)`.
        cause: io::Error,
    },
    /// The conversation with the node broke off.
    #[error("the node: {0}")]
    Channel(ChannelError),
    /// The node, or the library in front of it, refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The node's reply does not fit the request.
    #[error("the node's answer does not fit the request: {0}")]
    Unexpected(String),
    /// A call failed.
    #[error("{what}: {cause}")]
    Io {
        /// The step that failed.
        what: &'static str,
        /// The system's error.
        cause: io::Error,
    },
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

/// A reply where another one was due: a refusal, or one that does not fit.
impl From<Reply> for Error {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Refused(refusal) => refusal.into(),
            other => Error::Unexpected(format!("{other:?}")),
        }
    }
}

/// `true`: the system has run out of something that may become free, such as descriptors.
#[must_use]
pub fn is_shortage(e: &io::Error) -> bool {
    let shortage = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    e.raw_os_error().is_some_and(|code| shortage.iter().any(|s| s.raw_os_error() == code))
}
