//! The host's frames on their way to a wire: whole, and with the checksum that their descriptor asks for.
use crate::parse::{ByteRev, LaneSum};
use crate::stream::{Beat, FrameFifo, Slice};
use ipos_abi::queue::MAX_FRAME;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes a beat each cycle while there is room. The sum is known when the frame has passed, and is put in its place when
    /// the frame leaves. A frame with `user` on its last beat, or longer than 2,048 bytes, is discarded.
    pub struct Insert {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub s_beat: Signal<In, Beat>,
        /// Bit 32: insert. 15:0: first byte summed; 31:16: place of the sum, from there; both even. Holds over the frame.
        pub s_checksum: Signal<In, Bits<33>>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        /// Beats and frames that it holds, but for the last few.
        pub used: Signal<Out, Bits<10>>,
        pub held: Signal<Out, Bits<6>>,
        pub m_beat: Signal<Out, Beat>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        rev: ByteRev,
        lanes: LaneSum<32>,
        // 17:16 lane, 15:0 checksum; `user` marks the beat that takes it
        frames: FrameFifo<Bits<18>, 9, 10>,
        number: DFF<Bits<9>>, // beats so far, up to one more than the longest frame has
        // the beats wait for their frame's sum: masks, masked, added in pairs, added by lanes, added up, folded, folded again
        beat1: DFF<Beat>,
        beat2: DFF<Beat>,
        beat3: DFF<Beat>,
        beat4: DFF<Beat>,
        beat5: DFF<Beat>,
        beat6: DFF<Beat>,
        beat7: DFF<Beat>,
        // valid 0, in error or too long 1
        flags1: DFF<Bits<2>>,
        flags2: DFF<Bits<2>>,
        flags3: DFF<Bits<2>>,
        flags4: DFF<Bits<2>>,
        flags5: DFF<Bits<2>>,
        flags6: DFF<Bits<2>>,
        flags7: DFF<Bits<2>>,
        // bit 12: insert, 11:0 place
        place1: DFF<Bits<13>>,
        number1: DFF<Bits<9>>,
        lane2: DFF<Bits<2>>,
        lane3: DFF<Bits<2>>,
        lane4: DFF<Bits<2>>,
        lane5: DFF<Bits<2>>,
        lane6: DFF<Bits<2>>,
        lane7: DFF<Bits<2>>,
        data1: DFF<Bits<64>>,
        mask1: DFF<Bits<8>>,
        first1: DFF<Bit>,
        once: DFF<Bits<17>>,
        check: DFF<Bits<16>>,
        // on its way out: the beat, `user` when it takes the sum, the sum and its lane
        slice: Slice<Bits<18>>,
        word: Signal<Local, Bits<16>>,
        fire: Signal<Local, Bit>,
        flags: Signal<Local, Bits<2>>,
        from: Signal<Local, Bits<8>>,
        upto: Signal<Local, Bits<8>>,
        gap: Signal<Local, Bits<3>>,
        start: Signal<Local, Bits<13>>,
        place: Signal<Local, Bits<13>>,
        lo: Signal<Local, Bits<17>>,
        hi: Signal<Local, Bits<17>>,
        twice: Signal<Local, Bits<17>>,
        takes: Signal<Local, Bits<4>>,
        hole: Signal<Local, Bits<64>>,
        words: Signal<Local, Bits<64>>,
        o: Signal<Local, Beat>,
        c_all: Constant<Bits<8>> = 0xffu64,
        c_longest: Constant<Bits<9>> = (MAX_FRAME / 8) as u64,
        c_low: Constant<Bits<17>> = 0xffffu64,
        c_ones: Constant<Bits<16>> = 0xffffu64,
        c_first: Constant<Bits<4>> = 1u64,
        c_word: Constant<Bits<64>> = 0xffffu64,
    }
}

impl Logic for Insert {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, number, beat1, beat2, beat3, beat4, beat5, beat6, beat7, flags1, flags2, flags3, flags4,
            flags5, flags6, flags7, place1, number1, lane2, lane3, lane4, lane5, lane6, lane7, data1, mask1, first1,
            once, check
        );
        clock!(self, clock, lanes, frames, slice);
        self.frames.reset.next = self.reset.val();

        self.s_ready.next = self.frames.room.val();
        self.used.next = self.frames.level.val();
        self.held.next = self.frames.whole.val();
        self.fire.next = self.s_valid.val() & self.frames.room.val();
        self.flags.next = 0.into();
        if self.fire.val() {
            self.flags.next = 1.into();
            if self.number.q.val() == self.c_longest.val() {
                self.flags.next = 3.into();
            } else {
                self.number.d.next = self.number.q.val() + 1;
            }
            if self.s_beat.val().last {
                self.number.d.next = 0.into();
                if self.s_beat.val().user {
                    self.flags.next = 3.into();
                }
            }
        }
        self.beat1.d.next = self.s_beat.val();
        self.flags1.d.next = self.flags.val();
        self.rev.i.next = self.s_beat.val().data;
        self.data1.d.next = self.rev.o.val();
        self.first1.d.next = self.number.q.val() == 0;
        self.number1.d.next = self.number.q.val();

        // which bytes of the beat: from the start, up to the frame's end
        self.start.next = bit_cast::<13, 12>(self.s_checksum.val().get_bits::<12>(0));
        self.place.next = self.start.val() + bit_cast::<13, 12>(self.s_checksum.val().get_bits::<12>(16));
        self.place1.d.next = bit_cast::<13, 12>(self.place.val().get_bits::<12>(0));
        if self.s_checksum.val().get_bit(32) {
            self.place1.d.next = bit_cast::<13, 12>(self.place.val().get_bits::<12>(0)).replace_bit(12, true);
        }
        self.from.next = 0.into();
        if bit_cast::<13, 9>(self.number.q.val()) > (self.start.val() >> 3) {
            self.from.next = self.c_all.val();
        } else if bit_cast::<13, 9>(self.number.q.val()) == (self.start.val() >> 3) {
            self.from.next = self.c_all.val() >> self.s_checksum.val().get_bits::<3>(0);
        }
        self.gap.next = !self.s_beat.val().cnt;
        self.upto.next = self.c_all.val() << self.gap.val();
        self.mask1.d.next = self.from.val() & self.upto.val();

        self.lanes.valid.next = self.flags1.q.val().get_bit(0);
        self.lanes.first.next = self.first1.q.val();
        self.lanes.data.next = self.data1.q.val();
        self.lanes.mask.next = self.mask1.q.val();
        self.beat2.d.next = self.beat1.q.val();
        // an end in error is in the flags already
        self.beat2.d.next.user =
            self.place1.q.val().get_bit(12) & (self.place1.q.val().get_bits::<9>(3) == self.number1.q.val());
        self.flags2.d.next = self.flags1.q.val();
        self.lane2.d.next = self.place1.q.val().get_bits::<2>(1);
        self.beat3.d.next = self.beat2.q.val();
        self.beat4.d.next = self.beat3.q.val();
        self.flags3.d.next = self.flags2.q.val();
        self.flags4.d.next = self.flags3.q.val();
        self.lane3.d.next = self.lane2.q.val();
        self.lane4.d.next = self.lane3.q.val();

        self.beat5.d.next = self.beat4.q.val();
        self.flags5.d.next = self.flags4.q.val();
        self.lane5.d.next = self.lane4.q.val();

        // fold; the sum is below 2^26
        self.lo.next = bit_cast::<17, 16>(self.lanes.sum.val().get_bits::<16>(0));
        self.hi.next = bit_cast::<17, 16>(self.lanes.sum.val().get_bits::<16>(16));
        self.once.d.next = self.lo.val() + self.hi.val();
        self.beat6.d.next = self.beat5.q.val();
        self.flags6.d.next = self.flags5.q.val();
        self.lane6.d.next = self.lane5.q.val();
        self.twice.next = (self.once.q.val() & self.c_low.val()) + (self.once.q.val() >> 16);
        // zero means "none" in UDP: its other form stands for it; the greatest of `once` is 0x103fe, so only one folds to it
        self.check.d.next = !bit_cast::<16, 17>(self.twice.val());
        if self.once.q.val() == self.c_low.val() {
            self.check.d.next = self.c_ones.val();
        }
        self.beat7.d.next = self.beat6.q.val();
        self.flags7.d.next = self.flags6.q.val();
        self.lane7.d.next = self.lane6.q.val();

        self.frames.beat_in.next = self.beat7.q.val();
        self.frames.write.next = self.flags7.q.val() == 1;
        self.frames.finish.next = self.flags7.q.val().get_bit(0) & self.beat7.q.val().last;
        // what `room` let in fits
        self.frames.keep.next = !self.flags7.q.val().get_bit(1);
        self.frames.meta_in.next =
            (bit_cast::<18, 2>(self.lane7.q.val()) << 16) | bit_cast::<18, 16>(self.check.q.val());

        self.slice.reset.next = self.reset.val();
        self.slice.s_beat.next = self.frames.m_beat.val();
        self.slice.s_meta.next = self.frames.m_meta.val();
        self.slice.s_valid.next = self.frames.m_valid.val();
        self.frames.m_ready.next = self.slice.s_ready.val();
        self.slice.m_ready.next = self.m_ready.val();
        // `user` says that the beat holds the checksum
        self.word.next = (bit_cast::<16, 8>(self.slice.m_meta.val().get_bits::<8>(0)) << 8)
            | bit_cast::<16, 8>(self.slice.m_meta.val().get_bits::<8>(8));
        self.takes.next = 0.into();
        if self.slice.m_beat.val().user {
            self.takes.next = self.c_first.val() << self.slice.m_meta.val().get_bits::<2>(16);
        }
        self.hole.next = 0.into();
        self.words.next = 0.into();
        for i in 0..4 {
            self.hole.next = self.hole.val() << 16;
            if self.takes.val().get_bit(3 - i) {
                self.hole.next = self.hole.val() | self.c_word.val();
            }
            self.words.next = (self.words.val() << 16) | bit_cast::<64, 16>(self.word.val());
        }
        self.o.next = self.slice.m_beat.val();
        self.o.next.user = false;
        self.o.next.data = (self.slice.m_beat.val().data & !self.hole.val()) | (self.words.val() & self.hole.val());
        self.m_beat.next = self.o.val();
        self.m_valid.next = self.slice.m_valid.val();
        if self.reset.val() {
            self.number.d.next = 0.into();
            self.flags1.d.next = 0.into();
            self.flags2.d.next = 0.into();
            self.flags3.d.next = 0.into();
            self.flags4.d.next = 0.into();
            self.flags5.d.next = 0.into();
            self.flags6.d.next = 0.into();
            self.flags7.d.next = 0.into();
        }
    }
}
