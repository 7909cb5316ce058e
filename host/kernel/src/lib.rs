//! The kernel as a card: XDP and TCX programs forward what a board's fabric would.
//!
//! [`KernelCard`] loads the programs of `bpf/` (committed as an object, rebuilt by `cargo xtask gen`), attaches them to the
//! front and the back interface and writes their tables. With a pin directory they outlive the process: forwarding goes on,
//! and the next process finds its tables.
//!
//! * [`layout`]: what programs and process share, and the C header made from it.
//! * [`table`]: flows, peers and their limits in time.
//! * [`ring`]: frames and events that come up.
//! * `docs/kernel-datapath.md`: which of the card's verdicts are the same here, and which can't occur.

mod card;
mod check;
mod config;
mod elf;
mod error;
mod flows;
pub mod layout;
mod links;
mod maps;
pub mod ring;
mod sys;
pub mod table;

pub use card::{Counters, KernelCard};
pub use config::{Config, Udp};
pub use elf::ObjectError;
pub use error::KernelError;
pub use layout::MAX_DELIVERED;
pub use links::{Hook, detach};
pub use maps::Sizes;
pub use sys::Interface;

/// The programs, as `cargo xtask gen` has compiled them.
pub const OBJECT: &[u8] = include_bytes!("../bpf/kernel.bpf.o");
