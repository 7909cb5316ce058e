//! Networks of servers, cards and a client in namespaces without names, with faults on demand.
//!
//! [`net`] builds them, [`switch`] joins what the kernel does not join itself, [`ready`] waits for processes in them. Everything is gone when the process is.

#![forbid(unsafe_code)]

pub mod net;
pub mod ready;
pub mod switch;
