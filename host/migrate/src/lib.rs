//! Moving an endpoint: the I/O-free protocol core, and Linux sockets frozen and restored.
//!
//! * [`socket`]: an established socket becomes a control block and two queues, and again a socket.

pub mod socket;
mod tcb;

pub use tcb::Tcb;
