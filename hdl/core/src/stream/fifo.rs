//! First-word-fall-through FIFO over a block RAM.
use super::BlockRam;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `AW` = log2(depth), `LW` = `AW` + 1. `write` must be low when `level` is the depth, `read` when
    /// `valid` is low. A word written in one cycle can be read two cycles later.
    pub struct Fifo[D: Synth, const AW: usize, const LW: usize][D, AW, LW] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub data_in: Signal<In, D>,
        pub write: Signal<In, Bit>,
        pub data_out: Signal<Out, D>,
        pub valid: Signal<Out, Bit>,
        pub read: Signal<In, Bit>,
        pub level: Signal<Out, Bits<LW>>,
        ram: BlockRam<D, AW>,
        wr: DFF<Bits<LW>>,
        rd: DFF<Bits<LW>>,
        full_word: DFF<Bit>,
        count: DFF<Bits<LW>>,
        rd_next: Signal<Local, Bits<LW>>,
        step: Signal<Local, Bits<LW>>,
        c_depth: Constant<Bits<LW>> = 1u64 << AW,
        c_back: Constant<Bits<LW>> = (1u64 << LW) - 1,
    }
}

impl<D: Synth, const AW: usize, const LW: usize> Logic for Fifo<D, AW, LW> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, wr, rd, full_word, count);
        self.ram.clock.next = self.clock.val();
        self.rd_next.next = self.rd.q.val();
        if self.read.val() {
            self.rd_next.next = self.rd.q.val() + 1;
        }
        self.rd.d.next = self.rd_next.val();
        if self.write.val() {
            self.wr.d.next = self.wr.q.val() + 1;
        }
        self.ram.write_address.next = bit_cast::<AW, LW>(self.wr.q.val());
        self.ram.write_data.next = self.data_in.val();
        // whenever there is a place, whether the word counts or not: `write` often comes late
        self.ram.write_enable.next = (self.count.q.val() & self.c_depth.val()) == 0;
        self.ram.read_address.next = bit_cast::<AW, LW>(self.rd_next.val());
        // the word read in this edge was written in an earlier one
        self.full_word.d.next = self.rd_next.val() != self.wr.q.val();
        self.data_out.next = self.ram.read_data.val();
        self.valid.next = self.full_word.q.val();
        // as a register: what judges it stands behind other logic
        self.level.next = self.count.q.val();
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
            self.full_word.d.next = false;
            self.count.d.next = 0.into();
        }
    }
}
