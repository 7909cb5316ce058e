//! The holder: a small process that keeps a second descriptor of each socket that its node moves. A node that was killed
//! and started again takes them back, so its death loses no connection.
//!
//! The holder knows nothing of moves. An entry is a key, a note that only the node reads, and up to [`DESCRIPTORS`]
//! descriptors, as with systemd's `FDSTORE`. So the holder needs no privilege and outlives upgrades of the node. It is
//! upgraded itself by [`Holder::succeed`], which takes over everything that the running holder has, its path included.
//!
//! | side | code |
//! |---|---|
//! | the messages and their layout | [`message`] |
//! | packets with descriptors | `packet` |
//! | the entries and their bounds | `table` |
//! | the holder's loop | [`Holder`] |
//! | from one holder to the next | `heir` |
//! | the node's end | [`Keeper`] |
#![forbid(unsafe_code)]

mod heir;
mod keeper;
pub mod message;
mod packet;
mod serve;
mod table;
mod watch;

#[cfg(test)]
mod tests;

pub use keeper::{Claimed, Counts, Keeper, Kept, Start};
pub use serve::{Holder, HolderError, renounce};
pub use table::Limits;

pub use message::{DESCRIPTORS, NOTE_BYTES};
