//! Freezing and rebuilding an established Linux TCP socket by `TCP_REPAIR`; UDP sockets.
//!
//! Needs `CAP_NET_ADMIN` over the network namespace; an unprivileged user namespace has it. The
//! order of the calls matters everywhere here, and most wrong orders look as if they worked:
//! each trap is named at its place in [`freeze()`] and [`Blank::fill`].
//!
//! ```text
//! A: inspect ──▶ freeze ──▶ Frozen ──▶ close_silently     B: Blank ──fill──▶ Prepared ──▶ go_live ──▶ Live
//!                              └────▶ thaw (abort)            └───────┴─ drop (abort, silent)
//! ```
//!
//! A UDP socket has no state but its addresses and the datagrams that wait: [`drain_udp`] and [`connect_udp`].

mod conntrack;
mod copy;
mod diag;
mod error;
mod freeze;
mod options;
mod queues;
mod replay;
mod restore;
mod sys;
mod udp;

pub use conntrack::Conntrack;
pub use copy::copy;
pub use diag::{Diag, Known};
pub use error::{FreezeError, FreezeFailed, RestoreError};
pub use freeze::{Frozen, Inspection, close_silently, freeze, inspect, thaw};
pub use options::{Fate, OPTIONS, SocketOption, options_page};
pub use queues::{Copied, Room};
pub use replay::replay;
pub use restore::{Blank, Live, Prepared};
pub use sys::in_repair;
pub use udp::{connect_udp, drain_udp};

use ipos_abi::wire::tcb::Congestion;

/// What Linux calls the congestion controls that the control block knows.
const CONGESTION: [(Congestion, &str); 4] =
    [(Congestion::Cubic, "cubic"), (Congestion::Reno, "reno"), (Congestion::Bbr, "bbr"), (Congestion::Dctcp, "dctcp")];
