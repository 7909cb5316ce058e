//! Moving an endpoint: the I/O-free protocol core, and Linux sockets frozen and restored.
//!
//! * [`socket`]: an established socket becomes a control block and two queues, and again a socket.
//! * [`protocol`]: what the nodes of a move tell each other, and what the core asks of its shell.
//! * [`Migrator`]: all moves of one node. `source` and `destination` are its two state machines,
//!   each transition documented where it is made; `offers` are answered and change nothing yet; `transfer` carries the queues,
//!   `home` knows where connections live; `secret` makes the numbers that tell a message from a recording.
//! * [`codec`]: messages as frames of the back-side network.
//!
//! The core has no sockets and no clock: `ipos-node` is the shell that has both.

pub mod codec;
mod destination;
mod digest;
mod home;
mod migrator;
mod offers;
mod plain;
pub mod protocol;
mod secret;
pub mod socket;
mod source;
mod streams;
mod timers;
mod transfer;

pub use migrator::{Config, Migrator, Service, StartError};
pub use secret::Secret;
