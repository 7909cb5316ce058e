//! First-word-fall-through FIFO in LUTs, for queues of a few wide words.
use super::LutRam;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// As [`Fifo`](super::Fifo), but a word written in one cycle can be read in the next, and one place stays free: `write` must be
    /// low when `level` is the depth less one. So the memory may take `data_in` in every cycle, and `write`, which often
    /// comes late, need not reach it.
    pub struct SmallFifo[D: Synth, const AW: usize, const LW: usize][D, AW, LW] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub data_in: Signal<In, D>,
        pub write: Signal<In, Bit>,
        pub data_out: Signal<Out, D>,
        pub valid: Signal<Out, Bit>,
        pub read: Signal<In, Bit>,
        pub level: Signal<Out, Bits<LW>>,
        ram: LutRam<D, AW>,
        wr: DFF<Bits<AW>>,
        rd: DFF<Bits<AW>>,
        count: DFF<Bits<LW>>,
        some: DFF<Bit>,
        step: Signal<Local, Bits<LW>>,
        c_back: Constant<Bits<LW>> = (1u64 << LW) - 1,
    }
}

impl<D: Synth, const AW: usize, const LW: usize> Logic for SmallFifo<D, AW, LW> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, wr, rd, count, some);
        self.ram.clock.next = self.clock.val();
        self.ram.write_address.next = self.wr.q.val();
        self.ram.write_data.next = self.data_in.val();
        self.ram.write_enable.next = true;
        self.ram.read_address.next = self.rd.q.val();
        self.data_out.next = self.ram.read_data.val();
        self.valid.next = self.some.q.val();
        self.level.next = self.count.q.val();
        if self.read.val() {
            self.rd.d.next = self.rd.q.val() + 1;
            self.some.d.next = self.count.q.val() != 1;
        }
        if self.write.val() {
            self.wr.d.next = self.wr.q.val() + 1;
            self.some.d.next = true;
        }
        // one adder for both ways
        self.step.next = 1.into();
        if self.read.val() {
            self.step.next = self.c_back.val();
        }
        if self.write.val() ^ self.read.val() {
            self.count.d.next = self.count.q.val() + self.step.val();
        }
        if self.reset.val() {
            self.wr.d.next = 0.into();
            self.rd.d.next = 0.into();
            self.count.d.next = 0.into();
            self.some.d.next = false;
        }
    }
}
