//! Takes one 802.1Q tag out of a frame and tells what it was.
use crate::stream::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// One beat is held back, so that a tagged frame leaves without a gap: a frame costs its input beats.
    /// `m_tagged` and, with it, `m_tci` hold from a frame's second beat to its last, `m_runt` on the last beat.
    pub struct Vlan {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub s_beat: Signal<In, Beat>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        pub m_beat: Signal<Out, Beat>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        pub m_tagged: Signal<Out, Bit>,
        pub m_tci: Signal<Out, Bits<16>>,
        pub m_runt: Signal<Out, Bit>,
        // the held beat and its number in the frame (2: any later one)
        held: DFF<Beat>,
        held_valid: DFF<Bit>,
        held_index: DFF<Bits<2>>,
        held_tpid: DFF<Bit>, // bytes 12 and 13 of a frame, if it is beat 1, are a tag's
        next_index: DFF<Bits<2>>,
        inside: DFF<Bit>, // past the tag of a tagged frame
        out: DFF<Beat>,
        out_valid: DFF<Bit>,
        out_tagged: DFF<Bit>,
        out_tci: DFF<Bits<16>>,
        out_runt: DFF<Bit>,
        go: Signal<Local, Bit>,
        moves: Signal<Local, Bit>,
        is_tag: Signal<Local, Bit>,
        strip: Signal<Local, Bit>,
        spent: Signal<Local, Bit>,
        accept: Signal<Local, Bit>,
        low: Signal<Local, Bits<64>>,
        high: Signal<Local, Bits<64>>,
        o: Signal<Local, Beat>,
        c_tpid: Constant<Bits<16>> = 0x0081u64, // 0x8100 as it lies in the beat
    }
}

impl Logic for Vlan {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, held, held_valid, held_index, held_tpid, next_index, inside, out, out_valid, out_tagged,
            out_tci, out_runt
        );
        self.m_beat.next = self.out.q.val();
        self.m_valid.next = self.out_valid.q.val();
        self.m_tagged.next = self.out_tagged.q.val();
        self.m_tci.next = self.out_tci.q.val();
        self.m_runt.next = self.out_runt.q.val();

        self.go.next = self.m_ready.val() | !self.out_valid.q.val();
        self.moves.next = self.held_valid.q.val() & self.go.val() & (self.held.q.val().last | self.s_valid.val());
        self.s_ready.next = !self.held_valid.q.val() | self.moves.val();
        self.accept.next = self.s_valid.val() & (!self.held_valid.q.val() | self.moves.val());
        self.is_tag.next = (self.held_index.q.val() == 1) & self.held_tpid.q.val() & !self.held.q.val().last;
        self.strip.next = self.is_tag.val() | self.inside.q.val();
        // the next beat's four or fewer bytes all leave with the held one
        self.spent.next =
            self.strip.val() & !self.held.q.val().last & self.s_beat.val().last & (self.s_beat.val().cnt < 4);

        self.low.next = bit_cast::<64, 32>(self.held.q.val().data.get_bits::<32>(32));
        if self.is_tag.val() {
            self.low.next = bit_cast::<64, 32>(self.held.q.val().data.get_bits::<32>(0));
        }
        self.high.next = 0.into();
        if !self.held.q.val().last {
            self.high.next = bit_cast::<64, 32>(self.s_beat.val().data.get_bits::<32>(0)) << 32;
        }
        self.o.next = self.held.q.val();
        if self.strip.val() {
            self.o.next.data = self.low.val() | self.high.val();
            self.o.next.cnt = 7.into();
            if self.held.q.val().last {
                self.o.next.cnt = self.held.q.val().cnt - 4;
            } else if self.spent.val() {
                self.o.next.cnt = self.s_beat.val().cnt + 4;
                self.o.next.last = true;
                self.o.next.user = self.s_beat.val().user;
            }
        }
        if self.go.val() {
            self.out_valid.d.next = self.moves.val();
        }
        if self.moves.val() {
            self.out.d.next = self.o.val();
            self.out_tagged.d.next = self.strip.val();
            if self.held_index.q.val() == 1 {
                // bytes 14 and 15, network order; of a frame without a tag nobody reads it
                self.out_tci.d.next = (bit_cast::<16, 8>(self.held.q.val().data.get_bits::<8>(48)) << 8)
                    | bit_cast::<16, 8>(self.held.q.val().data.get_bits::<8>(56));
            }
            self.inside.d.next = self.strip.val() & !self.held.q.val().last & !self.spent.val();
            // 14 bytes are two beats, the second with six; a tag needs 18
            self.out_runt.d.next = ((self.held_index.q.val() == 0) & self.held.q.val().last)
                | ((self.held_index.q.val() == 1)
                    & self.held.q.val().last
                    & ((self.held.q.val().cnt < 5) | self.held_tpid.q.val()))
                | (self.is_tag.val() & self.s_beat.val().last & (self.s_beat.val().cnt == 0));
            self.held_valid.d.next = false;
        }
        if self.accept.val() {
            self.held.d.next = self.s_beat.val();
            self.held_valid.d.next = !(self.moves.val() & self.spent.val());
            self.held_index.d.next = self.next_index.q.val();
            self.held_tpid.d.next = self.s_beat.val().data.get_bits::<16>(32) == self.c_tpid.val();
            if self.s_beat.val().last {
                self.next_index.d.next = 0.into();
            } else if self.next_index.q.val() != 2 {
                self.next_index.d.next = self.next_index.q.val() + 1;
            }
        }
        if self.reset.val() {
            self.held_valid.d.next = false;
            self.next_index.d.next = 0.into();
            self.inside.d.next = false;
            self.out_valid.d.next = false;
        }
    }
}
