//! A queue in block RAM that an empty one's words pass by.
use super::Fifo;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// As [`Fifo`](super::Fifo), with two registers in front of it, the shown word's and the next one's, which words enter at once
    /// when nothing waits behind: a word that is due can be read in the cycle after it was written.
    pub struct Through[D: Synth, const AW: usize, const LW: usize][D, AW, LW] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub data_in: Signal<In, D>,
        pub write: Signal<In, Bit>,
        pub data_out: Signal<Out, D>,
        pub valid: Signal<Out, Bit>,
        pub read: Signal<In, Bit>,
        /// Words behind the two registers.
        pub level: Signal<Out, Bits<LW>>,
        fifo: Fifo<D, AW, LW>,
        data: DFF<D>,
        full: DFF<Bit>,
        spare: DFF<D>,
        waits: DFF<Bit>, // there is one in `spare`
        go: Signal<Local, Bit>,
        pops: Signal<Local, Bit>,
        pass: Signal<Local, Bit>,
        aside: Signal<Local, Bit>,
    }
}

impl<D: Synth, const AW: usize, const LW: usize> Logic for Through<D, AW, LW> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, data, full, spare, waits);
        clock!(self, clock, fifo);
        self.fifo.reset.next = self.reset.val();
        self.go.next = self.read.val() | !self.full.q.val();
        self.pops.next = self.go.val() & !self.waits.q.val() & self.fifo.valid.val();
        self.pass.next = self.go.val() & !self.waits.q.val() & (self.fifo.level.val() == 0);
        self.aside.next = !self.pass.val()
            & (self.go.val() | !self.waits.q.val())
            & ((self.fifo.level.val() == 0) | (self.pops.val() & (self.fifo.level.val() == 1)));
        self.fifo.data_in.next = self.data_in.val();
        self.fifo.write.next = self.write.val() & !self.pass.val() & !self.aside.val();
        self.fifo.read.next = self.pops.val();
        if self.go.val() {
            self.waits.d.next = false;
            self.data.d.next = self.data_in.val();
            self.full.d.next = self.write.val() & self.pass.val();
            if self.waits.q.val() {
                self.data.d.next = self.spare.q.val();
                self.full.d.next = true;
            } else if self.fifo.valid.val() {
                self.data.d.next = self.fifo.data_out.val();
                self.full.d.next = true;
            }
        }
        if self.aside.val() {
            self.spare.d.next = self.data_in.val();
            if self.write.val() {
                self.waits.d.next = true;
            }
        }
        self.data_out.next = self.data.q.val();
        self.valid.next = self.full.q.val();
        self.level.next = self.fifo.level.val();
        if self.reset.val() {
            self.full.d.next = false;
            self.waits.d.next = false;
        }
    }
}
