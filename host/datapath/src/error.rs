//! Why a datapath refused or failed.

use std::io;

use ipos_device::{DeviceError, MtuError};
use ipos_nic::NicError;

/// Why an operation on a [`Datapath`](crate::Datapath) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatapathError {
    /// The card refused, or can't be reached.
    #[error(transparent)]
    Card(#[from] NicError),
    /// Packets would be lost for their length.
    #[error(transparent)]
    Mtu(#[from] MtuError),
    /// The way to the server's kernel is gone.
    #[error("the kernel's interface failed: {0}")]
    Kernel(io::Error),
    /// This datapath can't do that.
    #[error("{datapath} can't {what}: {instead}")]
    Unsupported {
        /// The datapath.
        datapath: &'static str,
        /// The request.
        what: &'static str,
        /// What it can do.
        instead: &'static str,
    },
}

impl DatapathError {
    /// Whether only the entry is refused: the datapath goes on as it was.
    #[must_use]
    pub fn is_of_entry(&self) -> bool {
        match self {
            DatapathError::Card(e) => !matches!(e, NicError::Device(_)),
            DatapathError::Unsupported { .. } => true,
            DatapathError::Mtu(_) | DatapathError::Kernel(_) => false,
        }
    }

    /// Whether only the frame is refused: the datapath goes on with the next.
    #[must_use]
    pub fn is_of_frame(&self) -> bool {
        matches!(self, DatapathError::Card(NicError::Device(e)) if e.is_of_frame())
    }
}

impl From<DeviceError> for DatapathError {
    fn from(e: DeviceError) -> Self {
        DatapathError::Card(e.into())
    }
}
