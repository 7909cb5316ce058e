//! A queue in block RAM that an empty one's words pass by.
use super::{Fifo, SmallFifo};
use rust_hdl_core::prelude::*;

block! {
    /// As [`Fifo`](super::Fifo), with four places in LUTs in front of it, which words enter at once when nothing waits behind: a
    /// word that is due can be read in the cycle after it was written. What is written where is decided without `read`, which
    /// comes late, and a word needs two cycles through the block RAM: with four, a frame that came without a pause leaves without one.
    pub struct Through[D: Synth, const AW: usize, const LW: usize][D, AW, LW] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub data_in: Signal<In, D>,
        pub write: Signal<In, Bit>,
        pub data_out: Signal<Out, D>,
        pub valid: Signal<Out, Bit>,
        pub read: Signal<In, Bit>,
        /// Words behind the four.
        pub level: Signal<Out, Bits<LW>>,
        fifo: Fifo<D, AW, LW>,
        front: SmallFifo<D, 3, 4>,
        room: Signal<Local, Bit>,
        empty: Signal<Local, Bit>,
    }
}

impl<D: Synth, const AW: usize, const LW: usize> Logic for Through<D, AW, LW> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, fifo, front);
        self.fifo.reset.next = self.reset.val();
        self.front.reset.next = self.reset.val();
        self.room.next = !self.front.level.val().get_bit(2);
        self.empty.next = self.fifo.level.val() == 0;
        self.fifo.data_in.next = self.data_in.val();
        self.fifo.write.next = self.write.val() & !(self.empty.val() & self.room.val());
        self.fifo.read.next = self.fifo.valid.val() & self.room.val();
        self.front.data_in.next = self.fifo.data_out.val();
        if self.empty.val() {
            self.front.data_in.next = self.data_in.val();
        }
        self.front.write.next = self.room.val() & (self.fifo.valid.val() | (self.write.val() & self.empty.val()));
        self.front.read.next = self.read.val();
        self.data_out.next = self.front.data_out.val();
        self.valid.next = self.front.valid.val();
        self.level.next = self.fifo.level.val();
    }
}
