//! Posted writes: a stream of bytes to a bus address becomes memory write TLPs.
use crate::parse::ByteRev;
use crate::stream::Beat;
use ipos_abi::queue::LENGTH_BITS;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Splits at multiples of the maximum payload, so no TLP crosses a 4 KiB page. Three words of header below 4 GiB, four
    /// above. A TLP costs two beats more than its payload.
    pub struct Write {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub id: Signal<In, Bits<16>>,
        /// Max payload code: 128 bytes << code; the two reserved ones count as the least.
        pub mps: Signal<In, Bits<3>>,
        /// Address and length hold from the first beat to the last. A multiple of 4, of 8 for more than 4 bytes; a length
        /// of 1 or more, and the beats that it needs.
        pub address: Signal<In, Bits<64>>,
        pub length: Signal<In, Bits<LENGTH_BITS>>,
        pub source: Signal<In, Bits<3>>,
        pub s_beat: Signal<In, Beat>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        pub m_beat: Signal<Out, Beat>,
        /// Units of 16 bytes that this TLP takes of the data credits.
        pub m_credits: Signal<Out, Bits<12>>,
        /// It is the last one of its write; whose that is, and of how many completions if of any.
        pub m_ends: Signal<Out, Bit>,
        pub m_source: Signal<Out, Bits<3>>,
        pub m_entries: Signal<Out, Bits<3>>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        rev: ByteRev,
        // 0 waits for a request, 1 and 2 measure its first TLP, 7 goes on to the TLP that was measured, 3 and 4 send a
        // header, 5 the payload, 6 its last half beat; the next TLP is measured meanwhile
        state: DFF<Bits<3>>,
        at: DFF<Bits<64>>,
        next_at: DFF<Bits<52>>,
        left: DFF<Bits<LENGTH_BITS>>,
        room: DFF<Bits<13>>,
        first: DFF<Bit>,
        waited: DFF<Bit>,
        cap: Signal<Local, Bits<13>>,
        size: DFF<Bits<13>>,
        words: DFF<Bits<11>>, // payload words of this TLP
        rest: DFF<Bits<11>>,  // of them not sent
        eats: DFF<Bit>,       // in this state a beat is taken when it can leave
        wide: DFF<Bit>,       // four words of header
        last_be: DFF<Bits<4>>,
        first_be: DFF<Bits<4>>,
        credits: DFF<Bits<12>>,
        ends: DFF<Bit>,
        from: DFF<Bits<3>>,
        entries: DFF<Bits<3>>,
        at2: DFF<Bits<64>>,
        left2: DFF<Bits<LENGTH_BITS>>,
        size2: DFF<Bits<13>>,
        words2: DFF<Bits<11>>,
        last_be2: DFF<Bits<4>>,
        first_be2: DFF<Bits<4>>,
        held: DFF<Bits<32>>,
        shows: Signal<Local, Bit>,
        take: Signal<Local, Bit>,
        limit: Signal<Local, Bits<13>>,
        offset: Signal<Local, Bits<13>>,
        ahead: Signal<Local, Bits<13>>,
        piece: Signal<Local, Bits<13>>,
        be: Signal<Local, Bits<4>>,
        n: Signal<Local, Bits<11>>,
        word0: Signal<Local, Bits<32>>,
        word1: Signal<Local, Bits<32>>,
        pair: Signal<Local, Bits<64>>,
        o: Signal<Local, Beat>,
        c_128: Constant<Bits<13>> = 128u64,
        c_one: Constant<Bits<13>> = 1u64,
        c_three: Constant<Bits<32>> = 0x4000_0000u64,
        c_four: Constant<Bits<32>> = 0x6000_0000u64,
        c_low: Constant<Bits<64>> = 0xffff_ffffu64,
        c_page: Constant<Bits<52>> = 1u64,
    }
}

impl Logic for Write {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, state, at, next_at, left, room, first, waited, size, words, rest, eats, wide, last_be,
            first_be, credits, ends, from, entries, at2, left2, size2, words2, last_be2, first_be2, held
        );
        self.m_credits.next = self.credits.q.val();
        self.m_ends.next = self.ends.q.val();
        self.m_source.next = self.from.q.val();
        self.m_entries.next = self.entries.q.val();

        // how far it is to the next multiple of the maximum payload
        self.limit.next = self.c_128.val() << self.mps.val();
        if self.mps.val() > 5 {
            self.limit.next = self.c_128.val();
        }
        self.offset.next =
            bit_cast::<13, 12>(self.at.q.val().get_bits::<12>(0)) & (self.limit.val() - self.c_one.val());
        self.ahead.next = bit_cast::<13, 12>(self.at.q.val().get_bits::<12>(0)) + self.size.q.val();
        self.at2.d.next =
            (bit_cast::<64, 52>(self.at.q.val().get_bits::<52>(12)) << 12) | bit_cast::<64, 13>(self.ahead.val());
        if self.ahead.val().get_bit(12) {
            self.at2.d.next = bit_cast::<64, 52>(self.next_at.q.val()) << 12;
        }
        self.next_at.d.next = self.at.q.val().get_bits::<52>(12) + self.c_page.val();
        self.left2.d.next = self.left.q.val() - bit_cast::<LENGTH_BITS, 13>(self.size.q.val());
        self.cap.next = self.limit.val();
        if self.first.q.val() {
            self.cap.next = self.room.q.val();
        }
        self.size2.d.next = bit_cast::<13, LENGTH_BITS>(self.left2.q.val());
        if bit_cast::<LENGTH_BITS, 13>(self.cap.val()) < self.left2.q.val() {
            self.size2.d.next = self.cap.val();
        }
        // the measured size in words, and the bytes of its first and last one
        self.piece.next = self.size2.q.val();
        self.n.next = bit_cast::<11, 13>((self.piece.val() + 3) >> 2);
        self.be.next = 15.into();
        match self.piece.val().get_bits::<2>(0).index() {
            1 => {
                self.be.next = 1.into();
            }
            2 => {
                self.be.next = 3.into();
            }
            3 => {
                self.be.next = 7.into();
            }
            _ => {
                self.be.next = 15.into();
            }
        }
        self.words2.d.next = self.n.val();
        self.first_be2.d.next = 15.into();
        self.last_be2.d.next = self.be.val();
        if self.n.val() == 1 {
            self.first_be2.d.next = self.be.val();
            self.last_be2.d.next = 0.into();
        }

        self.word0.next = self.c_three.val() | bit_cast::<32, 10>(self.words.q.val().get_bits::<10>(0));
        if self.wide.q.val() {
            self.word0.next = self.c_four.val() | bit_cast::<32, 10>(self.words.q.val().get_bits::<10>(0));
        }
        self.word1.next = (bit_cast::<32, 16>(self.id.val()) << 16)
            | (bit_cast::<32, 4>(self.last_be.q.val()) << 4)
            | bit_cast::<32, 4>(self.first_be.q.val());
        self.pair.next = (bit_cast::<64, 32>(self.word0.val()) << 32) | bit_cast::<64, 32>(self.word1.val());
        if self.state.q.val() == 4 {
            self.pair.next = self.at.q.val();
            if !self.wide.q.val() {
                self.pair.next = self.at.q.val() << 32;
            }
        }
        self.rev.i.next = self.pair.val();

        self.take.next = self.eats.q.val() & self.m_ready.val() & self.s_valid.val();
        self.o.next.data = self.rev.o.val();
        self.o.next.cnt = 7.into();
        self.o.next.last = false;
        self.o.next.user = false;
        self.shows.next = self.eats.q.val() & self.s_valid.val();
        match self.state.q.val().index() {
            0 => {
                if self.s_valid.val() {
                    self.at.d.next = self.address.val();
                    self.left.d.next = self.length.val();
                    self.from.d.next = self.source.val();
                    self.entries.d.next = self.length.val().get_bits::<3>(4);
                    self.size.d.next = 0.into();
                    self.first.d.next = true;
                    self.waited.d.next = false;
                    self.state.d.next = 1.into();
                }
            }
            1 => {
                self.room.d.next = self.limit.val() - self.offset.val();
                self.wide.d.next = self.at.q.val().get_bits::<32>(32).any();
                self.state.d.next = 2.into();
            }
            2 => {
                self.waited.d.next = true;
                if self.waited.q.val() {
                    self.state.d.next = 7.into();
                }
            }
            3 => {
                self.shows.next = self.s_valid.val();
                if self.m_ready.val() & self.s_valid.val() {
                    self.rest.d.next = self.words.q.val();
                    self.state.d.next = 4.into();
                }
            }
            4 => {
                if self.wide.q.val() {
                    self.shows.next = true;
                    if self.m_ready.val() {
                        self.state.d.next = 5.into();
                    }
                } else {
                    // the address and the payload's first word
                    self.o.next.data = (self.rev.o.val() & self.c_low.val()) | (self.s_beat.val().data << 32);
                    self.o.next.last = self.words.q.val() == 1;
                    if self.take.val() {
                        self.held.d.next = self.s_beat.val().data.get_bits::<32>(32);
                        self.rest.d.next = self.rest.q.val() - 1;
                        self.state.d.next = 5.into();
                        if self.words.q.val() == 1 {
                            self.state.d.next = 7.into();
                        } else if self.words.q.val() == 2 {
                            self.state.d.next = 6.into();
                        }
                    }
                }
            }
            5 => {
                self.o.next.data = self.s_beat.val().data;
                if !self.wide.q.val() {
                    self.o.next.data = bit_cast::<64, 32>(self.held.q.val()) | (self.s_beat.val().data << 32);
                }
                self.o.next.last = self.rest.q.val() <= 2;
                if self.rest.q.val() == 1 {
                    self.o.next.cnt = 3.into();
                }
                if self.take.val() {
                    self.held.d.next = self.s_beat.val().data.get_bits::<32>(32);
                    self.rest.d.next = self.rest.q.val() - 2;
                    if self.rest.q.val() <= 2 {
                        self.state.d.next = 7.into();
                    } else if (self.rest.q.val() == 3) & !self.wide.q.val() {
                        self.state.d.next = 6.into();
                    }
                }
            }
            6 => {
                self.o.next.data = bit_cast::<64, 32>(self.held.q.val());
                self.o.next.cnt = 3.into();
                self.o.next.last = true;
                self.shows.next = true;
                if self.m_ready.val() {
                    self.state.d.next = 7.into();
                }
            }
            _ => {
                self.first.d.next = false;
                self.at.d.next = self.at2.q.val();
                self.left.d.next = self.left2.q.val();
                self.size.d.next = self.size2.q.val();
                self.words.d.next = self.words2.q.val();
                self.ends.d.next = self.left2.q.val() == bit_cast::<LENGTH_BITS, 13>(self.size2.q.val());
                self.credits.d.next = (bit_cast::<12, 11>(self.words2.q.val()) + 3) >> 2;
                self.first_be.d.next = self.first_be2.q.val();
                self.last_be.d.next = self.last_be2.q.val();
                self.state.d.next = 3.into();
                if self.left2.q.val() == 0 {
                    self.state.d.next = 0.into();
                }
            }
        }
        self.m_beat.next = self.o.val();
        self.m_valid.next = self.shows.val();
        self.s_ready.next = self.take.val();
        self.eats.d.next = (self.state.d.val() == 5) | ((self.state.d.val() == 4) & !self.wide.q.val());
        if self.reset.val() {
            self.state.d.next = 0.into();
            self.eats.d.next = false;
        }
    }
}
