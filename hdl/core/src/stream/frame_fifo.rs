//! Store-and-forward frame buffer: a frame becomes readable when it is committed, and is
//! taken back whole when it is not.
use super::{Beat, SmallFifo};
use crate::stream::BlockRam;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `AW` = log2(beats), `LW` = `AW` + 1. Up to 32 frames. `finish` accompanies a frame's last write (or stands
    /// alone); with it, `keep` commits the frame under `meta` and its absence rewinds. `overflow` tells, before
    /// `finish`, that the frame did not fit: then `keep` must stay low.
    pub struct FrameFifo[M: Synth, const AW: usize, const LW: usize][M, AW, LW] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub beat_in: Signal<In, Beat>,
        pub write: Signal<In, Bit>,
        pub finish: Signal<In, Bit>,
        pub keep: Signal<In, Bit>,
        pub meta_in: Signal<In, M>,
        pub overflow: Signal<Out, Bit>,
        /// Eight more beats, each perhaps a frame, fit; a register.
        pub room: Signal<Out, Bit>,
        /// Beats, the open frame's included and one that was just taken, and whole frames.
        pub level: Signal<Out, Bits<LW>>,
        pub whole: Signal<Out, Bits<6>>,
        pub m_beat: Signal<Out, Beat>,
        pub m_meta: Signal<Out, M>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        ram: BlockRam<Beat, AW>,
        metas: SmallFifo<M, 5, 6>,
        wr: DFF<Bits<LW>>,
        start: DFF<Bits<LW>>,
        rd: DFF<Bits<LW>>,
        rd_more: DFF<Bits<LW>>, // one more: `pop` comes late
        full_word: DFF<Bit>,
        spilt: DFF<Bit>,
        crowded: DFF<Bit>, // 31 frames
        full: DFF<Bit>,    // no place
        spacious: DFF<Bit>,
        // beats in it, and those of whole frames
        used: DFF<Bits<LW>>,
        held: DFF<Bits<LW>>,
        rd_next: Signal<Local, Bits<LW>>,
        wr_next: Signal<Local, Bits<LW>>,
        used_next: Signal<Local, Bits<LW>>,
        left: Signal<Local, Bits<LW>>,
        step: Signal<Local, Bits<LW>>,
        back: Signal<Local, Bits<LW>>,
        near: Signal<Local, Bit>, // one place
        put: Signal<Local, Bit>,
        fits: Signal<Local, Bit>,
        over: Signal<Local, Bit>,
        pop: Signal<Local, Bit>,
        popped: DFF<Bit>, // it comes late: the counts see it a cycle later
        c_depth: Constant<Bits<LW>> = 1u64 << AW,
        c_less: Constant<Bits<LW>> = (1u64 << LW) - 1,
        c_last: Constant<Bits<LW>> = (1u64 << AW) - 1,
    }
}

impl<M: Synth, const AW: usize, const LW: usize> Logic for FrameFifo<M, AW, LW> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, wr, start, rd, rd_more, full_word, spilt, crowded, full, spacious, used, held, popped);
        clock!(self, clock, metas);
        self.metas.reset.next = self.reset.val();
        self.ram.clock.next = self.clock.val();

        // the greatest levels: the depth, and 31
        self.fits.next = !self.full.q.val() & !self.crowded.q.val();
        self.over.next = self.spilt.q.val() | (self.write.val() & !self.fits.val());
        self.overflow.next = self.over.val();
        self.level.next = self.used.q.val();
        self.whole.next = self.metas.level.val();
        // nine beats to the depth, for one may come meanwhile; without a carry chain
        self.spacious.d.next = ((self.used.q.val() & self.c_depth.val()) == 0)
            & ((self.used.q.val() | 7) != self.c_last.val())
            & (self.metas.level.val() < 23);
        self.room.next = self.spacious.q.val();
        self.put.next = self.write.val() & !self.over.val();
        self.pop.next = self.full_word.q.val() & self.metas.valid.val() & self.m_ready.val();
        // one adder each: what is added is 1, 0 or -1
        self.wr_next.next = self.wr.q.val();
        self.step.next = 0.into();
        self.back.next = 0.into();
        self.popped.d.next = self.pop.val();
        if self.popped.q.val() {
            self.step.next = self.c_less.val();
            self.back.next = self.c_less.val();
        }
        if self.put.val() {
            self.wr_next.next = self.wr.q.val() + 1;
            self.step.next = 1.into();
            if self.popped.q.val() {
                self.step.next = 0.into();
            }
        }
        self.used_next.next = self.used.q.val() + self.step.val();
        self.left.next = self.held.q.val() + self.back.val();
        self.used.d.next = self.used_next.val();
        self.held.d.next = self.left.val();
        self.wr.d.next = self.wr_next.val();
        self.spilt.d.next = self.over.val();
        self.ram.write_address.next = bit_cast::<AW, LW>(self.wr.q.val());
        self.ram.write_data.next = self.beat_in.val();
        // a beat that isn't put is written over
        self.ram.write_enable.next = self.fits.val();
        self.metas.data_in.next = self.meta_in.val();
        self.metas.write.next = self.finish.val() & self.keep.val();
        if self.finish.val() {
            self.spilt.d.next = false;
            if self.keep.val() {
                self.start.d.next = self.wr_next.val();
                self.held.d.next = self.used_next.val();
            } else {
                self.wr.d.next = self.start.q.val();
                self.used.d.next = self.left.val();
            }
        }

        // a beat is shown only with its frame's meta
        self.m_valid.next = self.full_word.q.val() & self.metas.valid.val();
        self.m_beat.next = self.ram.read_data.val();
        self.m_meta.next = self.metas.data_out.val();
        self.metas.read.next = self.pop.val() & self.ram.read_data.val().last;
        if self.metas.write.val() ^ self.metas.read.val() {
            self.crowded.d.next = self.metas.write.val() & (self.metas.level.val() == 30);
        }
        // without the adders: of `used` and of `held` the depth is the top bit
        self.near.next = self.used.q.val() == self.c_last.val();
        self.full.d.next = ((self.used.q.val() & self.c_depth.val()) != 0) & !self.popped.q.val();
        if self.put.val() & !self.popped.q.val() {
            self.full.d.next = self.near.val();
        }
        if self.finish.val() & !self.keep.val() {
            self.full.d.next = ((self.held.q.val() & self.c_depth.val()) != 0) & !self.popped.q.val();
        }
        self.rd_next.next = self.rd.q.val();
        self.full_word.d.next = self.rd.q.val() != self.start.q.val();
        if self.pop.val() {
            self.rd_next.next = self.rd_more.q.val();
            self.rd_more.d.next = self.rd_more.q.val() + 1;
            self.full_word.d.next = self.rd_more.q.val() != self.start.q.val();
        }
        self.rd.d.next = self.rd_next.val();
        self.ram.read_address.next = bit_cast::<AW, LW>(self.rd_next.val());
        if self.reset.val() {
            self.wr.d.next = 0.into();
            self.start.d.next = 0.into();
            self.rd.d.next = 0.into();
            self.rd_more.d.next = 1.into();
            self.full_word.d.next = false;
            self.spilt.d.next = false;
            self.crowded.d.next = false;
            self.full.d.next = false;
            self.spacious.d.next = false;
            self.popped.d.next = false;
            self.used.d.next = 0.into();
            self.held.d.next = 0.into();
        }
    }
}
