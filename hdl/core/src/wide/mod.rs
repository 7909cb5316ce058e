//! The pipelines at 512 bits: a frame of up to 64 bytes every cycle.
//!
//! Only what depends on the width is here, one file for each block of the same task in `parse/`, `route/` and
//! `stream/`; tables, decisions, registers and counters are the same blocks. At this width all headers lie in a
//! frame's first two beats, so fields are slices of a window and not captured beat by beat, and what a header's
//! insertion or removal moves crosses beats ([`Cut`], [`Encap`]).
#[path = "../stream/arbiter.rs"]
mod arbiter;
mod axis;
mod cut;
mod dispatch;
mod encap;
mod fields;
mod forward;
#[path = "../stream/frame_fifo.rs"]
mod frame_fifo;
mod header;
mod insert;
mod routes;
mod rx;
#[path = "../stream/slice.rs"]
mod slice;
mod sum;
#[path = "../card/top.rs"]
mod top;

pub use arbiter::Arbiter;
pub use axis::{FromAxis, ToAxis};
pub use cut::Cut;
pub use dispatch::Dispatch;
pub use encap::Encap;
pub use fields::Fields;
pub use forward::Forward;
pub use frame_fifo::FrameFifo;
pub use header::Header;
pub use insert::Insert;
pub use routes::Routes;
pub use rx::Rx;
pub use slice::Slice;
pub use sum::Sum;
pub use top::Card;

use crate::card::{Counter, Entries, Outcomes, Registers, log2};
use crate::route::Rate;
use crate::stream::{Fifo, SmallFifo};
use crate::table::{Classify, Detail, Verdict};
use ipos_abi::queue::{MAX_CONTROL, MAX_RECEIVED};
use rust_hdl_core::prelude::*;

/// Sizes of the card at this width, as in `card`: the same bytes.
pub const WIDTH: usize = 512;
pub type Data = Bits<512>;
pub type Keep = Bits<64>;
pub type SendUsed = Bits<7>;
// to be read a cycle later: with the details, for a frame may be one beat
pub type Verdicts = Fifo<Verdict, 4, 5>;
pub type Details = SmallFifo<Detail, 4, 5>;
pub type ForwardBuffer = Fifo<Beat, 7, 8>;
pub type ReceiveBuffer = FrameFifo<Bits<128>, { log2(MAX_RECEIVED, WIDTH) }, { log2(MAX_RECEIVED, WIDTH) + 1 }>;
pub type ControlBuffer = FrameFifo<Bits<128>, { log2(MAX_CONTROL, WIDTH) }, { log2(MAX_CONTROL, WIDTH) + 1 }>;

/// One beat of a frame: as [`crate::stream::Beat`], 64 bytes of it.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Beat {
    /// Bytes, the first on the wire in bits 7:0.
    pub data: Bits<512>,
    /// Valid bytes less one; 63 except on the last beat.
    pub cnt: Bits<6>,
    /// Last beat of the frame.
    pub last: Bit,
    /// On the last beat: the frame is in error.
    pub user: Bit,
}

block! {
    /// Network order: byte 0 of the wire becomes the most significant.
    pub struct ByteRev {
        pub i: Signal<In, Bits<512>>,
        pub o: Signal<Out, Bits<512>>,
        t: Signal<Local, Bits<512>>,
        b: Signal<Local, Bits<8>>,
    }
}

impl Logic for ByteRev {
    #[hdl_gen]
    fn update(&mut self) {
        self.t.next = 0.into();
        for k in 0..64 {
            self.b.next = self.i.val().get_bits::<8>(k * 8);
            self.t.next = (self.t.val() << 8) | bit_cast::<512, 8>(self.b.val());
        }
        self.o.next = self.t.val();
    }
}
