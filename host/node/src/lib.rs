//! The node: what runs on a server beside its card.
//!
//! One thread per node ([`Node::spawn`]) stands between three parties and never waits for one of
//! them: what forwards packets for it (`ipos-datapath`: a card and the network interface of the server's own kernel,
//! [`KernelPort`]), the applications, and the peers' nodes, spoken to by ipOS control packets through the
//! migration core (`ipos-migrate`). Applications use the async [`NodeHandle`] from any runtime.
//!
//! [`Server`] lets other processes use it, by the protocol of `ipos-control`.
//!
//! The loop (`run`) has four owners, each of which takes the others as arguments: `ports`, the way to the datapath and the peers;
//! `flows`, the state of each connection and the verdict on a frame of its client; `moves`, where the core's actions are carried out;
//! `api`, what applications ask. `ingress` and `egress` are the two ways of frames between ports and flows.
//!
//! Read next: `handle` for what an application can do, `run` for the loop, `moves/mod` for the dispatcher of a move's steps,
//! `flows/state` for the table of verdicts, `flows/fragments` for datagrams that come in parts, `keep` for sockets that
//! outlive the node.

#![forbid(unsafe_code)]

mod api;
mod clock;
mod command;
mod config;
mod egress;
mod error;
mod flows;
mod frame;
mod handle;
mod ingress;
mod journal;
mod keep;
mod misfit;
mod moves;
mod node;
mod ports;
mod probe;
mod report;
mod run;
mod serve;
mod stats;
mod sync;
mod times;
mod wake;

pub use config::{Addresses, NodeConfig, PeerConfig, ServiceConfig};
pub use error::{MoveError, NodeError};
pub use handle::NodeHandle;
pub use ipos_datapath::KernelPort;
pub use node::Node;
pub use report::{Arrival, Buffers, MoveFailed, Moved};
pub use serve::{Limits, Server};
pub use stats::NodeStats;
pub use times::{Departure, Landing};
