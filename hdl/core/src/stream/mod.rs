//! Streams: the beat, FIFOs, arbiter, gates, and the card's AXI4-Stream borders.
mod ahead;
mod arbiter;
mod axis;
mod block_ram;
mod fifo;
mod frame_fifo;
mod gate;
mod lut_ram;
mod microsecond;
mod slice;
mod small_fifo;
mod through;

pub use ahead::Ahead;
pub use arbiter::Arbiter;
pub use axis::{FromAxis, ToAxis};
pub use block_ram::BlockRam;
pub use fifo::Fifo;
pub use frame_fifo::FrameFifo;
pub use gate::{Inlet, Outlet};
pub use lut_ram::LutRam;
pub use microsecond::Microsecond;
pub use slice::Slice;
pub use small_fifo::SmallFifo;
pub use through::Through;

use rust_hdl_core::prelude::*;

/// One beat of a frame inside the card.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Beat {
    /// Bytes, the first on the wire in bits 7:0.
    pub data: Bits<64>,
    /// Valid bytes less one; 7 except on the last beat.
    pub cnt: Bits<3>,
    /// Last beat of the frame.
    pub last: Bit,
    /// On the last beat: the frame is in error.
    pub user: Bit,
}
