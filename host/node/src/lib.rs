//! The node: what runs on a server beside its card.
//!
//! One thread per node ([`Node::spawn`]) stands between three parties and never waits for one of
//! them: the card (`ipos-nic`), the network interface of the server's own kernel
//! ([`KernelPort`]), and the peers' nodes, spoken to by ipOS control packets through the
//! migration core (`ipos-migrate`). Applications use the async [`NodeHandle`] from any runtime.
//!
//! [`Server`] lets other processes use it, by the `ipos` library.
//!
//! Read next: `handle` for what an application can do, `run` for the loop and the path of frames,
//! `outgoing` and `incoming` for the steps of a move, `flows` for what is held and fenced meanwhile,
//! `fragments` for datagrams that come in parts.

mod audit;
mod check;
mod config;
mod crash;
mod datagrams;
mod error;
mod flows;
mod fragments;
mod frame;
mod handle;
mod incoming;
mod journal;
mod kernel;
mod misfit;
mod neighbour;
mod node;
mod outgoing;
mod recover;
mod reset;
mod run;
mod serve;
mod sync;
mod times;
mod urgent;
mod wake;
mod watch;

pub use config::{NodeConfig, PeerConfig, ServiceConfig};
pub use error::{MoveError, NodeError};
pub use handle::{Arrival, Buffers, MoveFailed, MoveReport, NodeHandle, NodeStats};
pub use kernel::KernelPort;
pub use node::Node;
pub use serve::{Limits, Server};
pub use times::{Departure, Landing};
