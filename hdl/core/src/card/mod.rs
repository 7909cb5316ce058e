//! The card: both pipelines, the register bus, and the borders to MACs and host.
mod counter;
mod entries;
mod nic;
mod outcomes;
mod registers;
mod top;

pub use counter::Counter;
pub use entries::Entries;
pub use nic::Nic;
pub use outcomes::Outcomes;
pub use registers::Registers;
pub use top::Card;

use crate::checksum::Insert;
use crate::parse::Rx;
use crate::route::{Dispatch, Forward, Rate};
use crate::stream::{Arbiter, Beat, FrameFifo, FromAxis, SmallFifo, Through, ToAxis};
use crate::table::{Classify, Detail, Verdict};
use ipos_abi::queue::{MAX_CONTROL, MAX_RECEIVED};
use rust_hdl_core::prelude::Bits;

// what `top` takes from the module it stands in: here at 64 bits, in `wide` at 512

/// Bits of a beat.
pub const WIDTH: usize = 64;
pub type Data = Bits<64>;
pub type Keep = Bits<8>;
pub type SendUsed = Bits<10>;
pub type Verdicts = SmallFifo<Verdict, 4, 5>;
pub type Details = SmallFifo<Detail, 4, 5>;
pub type ForwardBuffer = Through<Beat, 10, 11>;
pub type Routes = crate::route::Routes<4, 5, 0>;
pub type ReceiveBuffer = FrameFifo<Bits<128>, { log2(MAX_RECEIVED, WIDTH) }, { log2(MAX_RECEIVED, WIDTH) + 1 }>;
pub type ControlBuffer = FrameFifo<Bits<128>, { log2(MAX_CONTROL, WIDTH) }, { log2(MAX_CONTROL, WIDTH) + 1 }>;

/// log2 of the beats of `width` bits that hold `bytes`.
pub(crate) const fn log2(bytes: usize, width: usize) -> usize {
    assert!((8 * bytes / width).is_power_of_two());
    (8 * bytes / width).ilog2() as usize
}
