//! The host's frames on their way to a wire, as `checksum::Insert`.
use super::{Beat, ByteRev, FrameFifo, Sum};
use ipos_abi::queue::MAX_FRAME;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes a beat each cycle while there is room. The beats wait for their frame's sum in seven registers. A frame with `user`
    /// on its last beat, or longer than 2,048 bytes, is discarded.
    pub struct Insert {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub s_beat: Signal<In, Beat>,
        /// Bit 32: insert. 15:0: first byte summed; 31:16: place of the sum, from there; both even. Holds over the frame.
        pub s_checksum: Signal<In, Bits<33>>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        /// Beats and frames that it holds, but for the last few.
        pub used: Signal<Out, Bits<7>>,
        pub held: Signal<Out, Bits<6>>,
        pub m_beat: Signal<Out, Beat>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        rev: ByteRev,
        back: ByteRev,
        sum: Sum,
        // bit 28: insert, 27:16 place, 15:0 checksum
        frames: FrameFifo<Bits<29>, 6, 7>,
        number: DFF<Bits<6>>, // beats so far, up to one more than the longest frame has
        beat1: DFF<Beat>,
        beat2: DFF<Beat>,
        beat3: DFF<Beat>,
        beat4: DFF<Beat>,
        beat5: DFF<Beat>,
        beat6: DFF<Beat>,
        beat7: DFF<Beat>,
        // valid 13, too long 14, insert and place 12:0
        about1: DFF<Bits<15>>,
        about2: DFF<Bits<15>>,
        about3: DFF<Bits<15>>,
        about4: DFF<Bits<15>>,
        about5: DFF<Bits<15>>,
        about6: DFF<Bits<15>>,
        about7: DFF<Bits<15>>,
        once: DFF<Bits<17>>,
        check: DFF<Bits<16>>,
        sent: DFF<Bits<6>>,
        fire: Signal<Local, Bit>,
        start: Signal<Local, Bits<12>>,
        place: Signal<Local, Bits<12>>,
        about: Signal<Local, Bits<15>>,
        lo: Signal<Local, Bits<17>>,
        hi: Signal<Local, Bits<17>>,
        twice: Signal<Local, Bits<17>>,
        folded: Signal<Local, Bits<16>>,
        shift: Signal<Local, Bits<9>>,
        o: Signal<Local, Beat>,
        c_longest: Constant<Bits<6>> = (MAX_FRAME / 64) as u64,
        c_low: Constant<Bits<17>> = 0xffffu64,
        c_ones: Constant<Bits<16>> = 0xffffu64,
        c_word: Constant<Bits<512>> = 0xffffu64,
    }
}

impl Logic for Insert {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, number, beat1, beat2, beat3, beat4, beat5, beat6, beat7, about1, about2, about3, about4,
            about5, about6, about7, once, check, sent
        );
        clock!(self, clock, sum, frames);
        self.frames.reset.next = self.reset.val();
        self.sum.reset.next = self.reset.val();

        self.s_ready.next = self.frames.room.val();
        self.used.next = self.frames.level.val();
        self.held.next = self.frames.whole.val();
        self.fire.next = self.s_valid.val() & self.frames.room.val();
        self.start.next = self.s_checksum.val().get_bits::<12>(0);
        self.place.next = self.start.val() + self.s_checksum.val().get_bits::<12>(16);
        self.about.next = bit_cast::<15, 12>(self.place.val());
        if self.s_checksum.val().get_bit(32) {
            self.about.next = self.about.val().replace_bit(12, true);
        }
        if self.fire.val() {
            self.about.next = self.about.val().replace_bit(13, true);
            if self.number.q.val() == self.c_longest.val() {
                self.about.next = self.about.val().replace_bit(14, true);
            } else {
                self.number.d.next = self.number.q.val() + 1;
            }
            if self.s_beat.val().last {
                self.number.d.next = 0.into();
            }
        }

        // 1 to 5: summed, from the start up to the frame's end
        self.rev.i.next = self.s_beat.val().data;
        self.sum.valid.next = self.fire.val();
        self.sum.data.next = self.rev.o.val();
        self.sum.number.next = bit_cast::<11, 6>(self.number.q.val());
        self.sum.from.next = bit_cast::<17, 12>(self.start.val());
        self.sum.upto.next =
            (bit_cast::<17, 6>(self.number.q.val()) << 6) + bit_cast::<17, 6>(self.s_beat.val().cnt) + 1;
        self.sum.also.next = 0.into();
        self.sum.plus.next = 0.into();
        self.sum.head.next = false;
        self.sum.tail.next = false;
        self.beat1.d.next = self.s_beat.val();
        self.about1.d.next = self.about.val();
        self.beat2.d.next = self.beat1.q.val();
        self.about2.d.next = self.about1.q.val();
        self.beat3.d.next = self.beat2.q.val();
        self.about3.d.next = self.about2.q.val();
        self.beat4.d.next = self.beat3.q.val();
        self.about4.d.next = self.about3.q.val();
        self.beat5.d.next = self.beat4.q.val();
        self.about5.d.next = self.about4.q.val();

        // 6 and 7: folded; the sum is below 2^27
        self.lo.next = bit_cast::<17, 16>(self.sum.so_far.val().get_bits::<16>(0));
        self.hi.next = bit_cast::<17, 16>(self.sum.so_far.val().get_bits::<16>(16));
        self.once.d.next = self.lo.val() + self.hi.val();
        self.beat6.d.next = self.beat5.q.val();
        self.about6.d.next = self.about5.q.val();
        self.twice.next = (self.once.q.val() & self.c_low.val()) + (self.once.q.val() >> 16);
        self.folded.next = bit_cast::<16, 17>(self.twice.val());
        // zero means "none" in UDP: its other form stands for it
        self.check.d.next = !self.folded.val();
        if self.folded.val() == self.c_ones.val() {
            self.check.d.next = self.c_ones.val();
        }
        self.beat7.d.next = self.beat6.q.val();
        self.about7.d.next = self.about6.q.val();

        self.frames.beat_in.next = self.beat7.q.val();
        self.frames.write.next = self.about7.q.val().get_bit(13) & !self.about7.q.val().get_bit(14);
        self.frames.finish.next = self.about7.q.val().get_bit(13) & self.beat7.q.val().last;
        self.frames.keep.next =
            !self.beat7.q.val().user & !self.about7.q.val().get_bit(14) & !self.frames.overflow.val();
        self.frames.meta_in.next =
            (bit_cast::<29, 13>(self.about7.q.val().get_bits::<13>(0)) << 16) | bit_cast::<29, 16>(self.check.q.val());

        // on its way out: the word at its place, whose beat is 27:22 and whose word in it 21:17 of the meta
        self.back.i.next = bit_cast::<512, 16>(self.frames.m_meta.val().get_bits::<16>(0)) << 496;
        self.shift.next = bit_cast::<9, 5>(self.frames.m_meta.val().get_bits::<5>(17)) << 4;
        self.o.next = self.frames.m_beat.val();
        if self.frames.m_meta.val().get_bit(28) & (self.sent.q.val() == self.frames.m_meta.val().get_bits::<6>(22)) {
            self.o.next.data = (self.frames.m_beat.val().data & !(self.c_word.val() << self.shift.val()))
                | (self.back.o.val() << self.shift.val());
        }
        self.m_beat.next = self.o.val();
        self.m_valid.next = self.frames.m_valid.val();
        self.frames.m_ready.next = self.m_ready.val();
        if self.frames.m_valid.val() & self.m_ready.val() {
            self.sent.d.next = self.sent.q.val() + 1;
            if self.frames.m_beat.val().last {
                self.sent.d.next = 0.into();
            }
        }
        if self.reset.val() {
            self.number.d.next = 0.into();
            self.about1.d.next = 0.into();
            self.about2.d.next = 0.into();
            self.about3.d.next = 0.into();
            self.about4.d.next = 0.into();
            self.about5.d.next = 0.into();
            self.about6.d.next = 0.into();
            self.about7.d.next = 0.into();
            self.sent.d.next = 0.into();
        }
    }
}
