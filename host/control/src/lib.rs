//! The protocol between a node and the processes of its server, for both ends.
//!
//! [`message`] has the messages and their limits, [`Channel`] carries them with descriptors over a Unix socket. The
//! node takes conversations at a [`Gate`]; the `ipos` library and operators' tools begin them by a [`Client`].
//!
//! Read next: [`message`] for the order of messages and who keeps which descriptor meanwhile.

mod channel;
mod client;
mod drain;
mod error;
mod gate;
pub mod message;
mod refusal;

pub use channel::{Channel, ChannelError};
pub use client::Client;
pub use drain::{drain_target, until};
pub use error::{Error, is_shortage};
pub use gate::Gate;
pub use ipos_socket::ListenError;
pub use refusal::{Refusal, Unmovable};
