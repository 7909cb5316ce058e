//! The card: both pipelines, the register bus, and the borders to MACs and host.
mod counter;
mod nic;
mod outcomes;
mod registers;
mod top;

pub use counter::Counter;
pub use nic::Nic;
pub use outcomes::Outcomes;
pub use registers::Registers;
pub use top::Card;
