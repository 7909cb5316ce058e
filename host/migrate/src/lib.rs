//! Moving an endpoint: the I/O-free protocol core, and Linux sockets frozen and restored.
//!
//! * [`socket`]: an established socket becomes a control block and two queues, and again a socket.
//! * [`protocol`]: what the nodes of a move tell each other, and what the core asks of its shell.
//! * [`Migrator`]: all moves of one node, and what it knows of where connections live. `moves` holds the state machines of a move,
//!   with peers of the full and of the plain format, and the [table](transitions) of their legal transitions; `directory` knows
//!   where connections live; `offers` are answered and change nothing yet; `admission` says why a move does not begin; `transfer`
//!   carries the queues; `secret` makes the numbers that tell a message from a recording.
//! * [`codec`]: messages as frames of the back-side network.
//!
//! The core has no sockets and no clock: `ipos-node` is the shell that has both.

mod admission;
pub mod codec;
mod config;
mod context;
mod digest;
mod directory;
mod migrator;
mod moves;
mod offers;
pub mod protocol;
mod secret;
pub mod socket;
mod streams;
mod timers;
mod transfer;

pub use config::{Config, Service};
pub use migrator::Migrator;
pub use moves::transitions;
pub use protocol::StartError;
pub use secret::Secret;
