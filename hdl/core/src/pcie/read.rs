//! Reads from host memory: 32 tags in flight, completions in any order, data handed on in the order of the requests.
//!
//! Tags are a ring: given out in order, drained in order. Each owns 256 bytes of the completion buffer, so what is
//! outstanding always fits, and a completion finds its place by its tag alone.
use super::CompletionHeader;
use crate::parse::ByteRev;
use crate::stream::{Beat, BlockRam, LutRam};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Sizes are counted in 64-bit words.
    pub struct Read {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub id: Signal<In, Bits<16>>,
        /// Max read request code: 128 bytes << code.
        pub mrrs: Signal<In, Bits<3>>,
        /// In units of 1,024 cycles.
        pub timeout: Signal<In, Bits<16>>,
        /// Requests: a multiple of 8 bytes at a multiple of 8.
        pub address: Signal<In, Bits<64>>,
        pub length: Signal<In, Bits<13>>,
        pub client: Signal<In, Bits<3>>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        /// Data, `user` on the last beat of a request that failed.
        pub d_beat: Signal<Out, Beat>,
        pub d_client: Signal<Out, Bits<3>>,
        pub d_valid: Signal<Out, Bit>,
        pub d_ready: Signal<In, Bit>,
        /// Read TLPs: two beats each.
        pub m_beat: Signal<Out, Beat>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        /// Completions, as `Receive` gives them.
        pub header: Signal<In, CompletionHeader>,
        pub header_valid: Signal<In, Bit>,
        pub data: Signal<In, Bits<64>>,
        pub data_valid: Signal<In, Bit>,
        pub ended: Signal<In, Bit>,
        pub good: Signal<In, Bit>,
        pub outstanding: Signal<Out, Bit>,
        /// Strobes.
        pub unexpected: Signal<Out, Bit>,
        pub refused: Signal<Out, Bit>,
        pub poisoned: Signal<Out, Bit>,
        pub timed_out: Signal<Out, Bit>,
        rev: ByteRev,
        buffer: BlockRam<Bits<64>, 10>,
        // left 5:0, total 11:6, address bits 6:3 in 15:12
        progress: LutRam<Bits<16>, 5>,
        // total 5:0, client 8:6, last of its request 9, time 25:10
        plan: LutRam<Bits<26>, 5>,
        // issue: 0 waits, 1 and 2 measure, 3 waits for a tag, 4 and 5 send, 6 remembers
        state: DFF<Bits<3>>,
        at: DFF<Bits<64>>,
        next_page: DFF<Bits<52>>,
        left: DFF<Bits<10>>,
        who: DFF<Bits<3>>,
        room: DFF<Bits<6>>,
        size: DFF<Bits<6>>,
        is_last: DFF<Bit>,
        wide: DFF<Bit>,
        next_tag: DFF<Bits<6>>, // a lap more than the tag
        head_tag: DFF<Bits<6>>,
        free_tag: DFF<Bits<6>>, // whose data has left the buffer
        waiting: DFF<Bits<32>>, // completions are still to come
        failed: DFF<Bits<32>>,
        resting: DFF<Bits<32>>, // timed out
        // what becomes of one tag's bits, a cycle later
        mark_tag: DFF<Bits<5>>,
        clear: DFF<Bit>,
        fail: DFF<Bit>,
        rests: DFF<Bit>,
        rest: DFF<Bits<16>>,
        // a tag is free; the next one does not rest
        has_tag: DFF<Bit>,
        awake: DFF<Bit>,
        tick: DFF<Bits<10>>,
        now: DFF<Bits<16>>,
        // completion: looked up in cycle 1, judged in cycle 2, its data written from cycle 3
        c1: DFF<CompletionHeader>,
        c1_valid: DFF<Bit>,
        c2: DFF<CompletionHeader>,
        c2_valid: DFF<Bit>,
        c2_fits: DFF<Bit>,
        c2_error: DFF<Bit>,
        c2_left: DFF<Bits<6>>,
        c2_total: DFF<Bits<6>>,
        c2_low: DFF<Bits<4>>,
        accept: DFF<Bit>,
        place: DFF<Bits<10>>,
        take: DFF<Bits<6>>,
        after: DFF<Bits<16>>, // the tag's progress when this completion has ended
        tag3: DFF<Bits<5>>,
        poison3: DFF<Bit>,
        data1: DFF<Bits<64>>,
        data2: DFF<Bits<64>>,
        data_valid1: DFF<Bit>,
        data_valid2: DFF<Bit>,
        ended1: DFF<Bit>,
        ended2: DFF<Bit>,
        good1: DFF<Bit>,
        good2: DFF<Bit>,
        unexpected_strobe: DFF<Bit>,
        refused_strobe: DFF<Bit>,
        poisoned_strobe: DFF<Bit>,
        timeout_strobe: DFF<Bit>,
        // drain: 0 reads the head tag's plan, 1 waits for its data, 2 hands it on
        drain: DFF<Bits<2>>,
        head_waits: DFF<Bit>,
        head_failed: DFF<Bit>,
        age: DFF<Bits<16>>,
        late: DFF<Bit>,
        drain_left: DFF<Bits<6>>,
        drain_at: DFF<Bits<10>>,
        read_at: DFF<Bits<10>>,
        drain_last: DFF<Bit>,
        drain_client: DFF<Bits<3>>,
        bad: DFF<Bit>, // this tag or an earlier one of its request failed
        read_valid: DFF<Bit>,
        read_end: DFF<Bit>, // the tag's last word
        read_last: DFF<Bit>,
        read_user: DFF<Bit>,
        read_client: DFF<Bits<3>>,
        out: DFF<Beat>,
        out_client: DFF<Bits<3>>,
        full: DFF<Bit>,
        tag: Signal<Local, Bits<5>>,
        head: Signal<Local, Bits<5>>,
        limit: Signal<Local, Bits<6>>,
        piece: Signal<Local, Bits<6>>,
        used: Signal<Local, Bits<6>>,
        ahead: Signal<Local, Bits<10>>,
        word0: Signal<Local, Bits<32>>,
        word1: Signal<Local, Bits<32>>,
        pair: Signal<Local, Bits<64>>,
        seen: Signal<Local, Bits<16>>,
        gone: Signal<Local, Bits<6>>,
        words: Signal<Local, Bits<6>>,
        fits: Signal<Local, Bit>,
        ends: Signal<Local, Bit>,
        sets: Signal<Local, Bits<32>>,
        mark: Signal<Local, Bits<32>>,
        closes: Signal<Local, Bit>,
        advance: Signal<Local, Bit>,
        move_out: Signal<Local, Bit>,
        o: Signal<Local, Beat>,
        c_one: Constant<Bits<32>> = 1u64,
        c_four: Constant<Bits<32>> = 0x2000_0000u64,
        c_page: Constant<Bits<52>> = 1u64,
        c_16: Constant<Bits<6>> = 16u64,
        c_32: Constant<Bits<6>> = 32u64,
        c_ff: Constant<Bits<32>> = 0xffu64,
    }
}

impl Logic for Read {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            at,
            next_page,
            left,
            who,
            room,
            size,
            is_last,
            wide,
            next_tag,
            head_tag,
            free_tag,
            waiting,
            failed,
            resting,
            rest,
            has_tag,
            awake,
            tick,
            now,
            c1,
            c1_valid,
            c2,
            c2_valid,
            c2_fits,
            c2_error,
            c2_left,
            c2_total,
            c2_low,
            mark_tag,
            clear,
            fail,
            rests,
            accept,
            place,
            take,
            after,
            tag3,
            poison3,
            data1,
            data2,
            data_valid1,
            data_valid2,
            ended1,
            ended2,
            good1,
            good2,
            unexpected_strobe,
            refused_strobe,
            poisoned_strobe,
            timeout_strobe,
            drain,
            head_waits,
            head_failed,
            age,
            late,
            drain_left,
            drain_at,
            read_at,
            drain_last,
            drain_client,
            bad,
            read_valid,
            read_end,
            read_last,
            read_user,
            read_client,
            out,
            out_client,
            full
        );
        self.buffer.clock.next = self.clock.val();
        self.progress.clock.next = self.clock.val();
        self.plan.clock.next = self.clock.val();
        self.tag.next = bit_cast::<5, 6>(self.next_tag.q.val());
        self.head.next = bit_cast::<5, 6>(self.head_tag.q.val());
        self.sets.next = 0.into();
        self.mark_tag.d.next = self.tag3.q.val();
        self.clear.d.next = false;
        self.fail.d.next = false;
        self.rests.d.next = false;
        self.tick.d.next = self.tick.q.val() + 1;
        if self.tick.q.val().all() {
            self.now.d.next = self.now.q.val() + 1;
            if self.rest.q.val() != 0 {
                self.rest.d.next = self.rest.q.val() - 1;
            }
        }

        // completions: does it answer what was asked?
        self.c1.d.next = self.header.val();
        self.c1_valid.d.next = self.header_valid.val();
        self.progress.read_address.next = bit_cast::<5, 8>(self.c1.q.val().tag);
        self.seen.next = self.progress.read_data.val();
        self.fits.next = (self.c1.q.val().tag.get_bits::<3>(5) == 0)
            & (self.c1.q.val().requester == self.id.val())
            & self.waiting.q.val().get_bit(bit_cast::<5, 8>(self.c1.q.val().tag).index())
            & !(self.clear.q.val() & (self.mark_tag.q.val() == bit_cast::<5, 8>(self.c1.q.val().tag)));
        self.c2.d.next = self.c1.q.val();
        self.c2_valid.d.next = self.c1_valid.q.val();
        self.c2_fits.d.next = self.fits.val();
        self.c2_error.d.next = (self.c1.q.val().status != 0) | !self.c1.q.val().with_data;
        self.c2_left.d.next = self.seen.val().get_bits::<6>(0);
        self.c2_total.d.next = self.seen.val().get_bits::<6>(6);
        self.c2_low.d.next = self.seen.val().get_bits::<4>(12);
        self.gone.next = self.c2_total.q.val() - self.c2_left.q.val();
        self.words.next = self.c2.q.val().length.get_bits::<6>(1);
        self.ends.next = self.c2_fits.q.val()
            & (self.c2.q.val().bytes == (bit_cast::<12, 6>(self.c2_left.q.val()) << 3))
            & !self.c2.q.val().length.get_bit(0)
            & (self.c2.q.val().length.get_bits::<3>(7) == 0)
            & (self.words.val() != 0)
            & (self.words.val() <= self.c2_left.q.val())
            & (self.c2.q.val().lower.get_bits::<3>(0) == 0)
            & (self.c2.q.val().lower.get_bits::<4>(3) == (self.c2_low.q.val() + bit_cast::<4, 6>(self.gone.val())));
        self.unexpected_strobe.d.next = false;
        self.refused_strobe.d.next = false;
        self.poisoned_strobe.d.next = false;
        self.timeout_strobe.d.next = false;
        if self.c2_valid.q.val() {
            self.mark_tag.d.next = bit_cast::<5, 8>(self.c2.q.val().tag);
            // with data it has three beats or more: one that has ended already is cut short
            self.accept.d.next = self.ends.val() & !self.c2_error.q.val() & !self.ended2.q.val();
            self.place.d.next = (bit_cast::<10, 8>(self.c2.q.val().tag) << 5) + bit_cast::<10, 6>(self.gone.val());
            self.take.d.next = self.words.val();
            self.after.d.next = (bit_cast::<16, 4>(self.c2_low.q.val()) << 12)
                | (bit_cast::<16, 6>(self.c2_total.q.val()) << 6)
                | bit_cast::<16, 6>(self.c2_left.q.val() - self.words.val());
            self.tag3.d.next = bit_cast::<5, 8>(self.c2.q.val().tag);
            self.poison3.d.next = self.c2.q.val().poisoned;
            if self.c2_error.q.val() {
                // one that bears data all the same has not ended yet: its header says enough
                if self.c2_fits.q.val() & (self.good2.q.val() | !self.ended2.q.val()) {
                    self.clear.d.next = true;
                    self.fail.d.next = true;
                    self.refused_strobe.d.next = true;
                } else {
                    self.unexpected_strobe.d.next = true;
                }
            } else {
                self.unexpected_strobe.d.next = !self.ends.val();
            }
        }

        // its data, and its end
        self.data1.d.next = self.data.val();
        self.data2.d.next = self.data1.q.val();
        self.data_valid1.d.next = self.data_valid.val();
        self.data_valid2.d.next = self.data_valid1.q.val();
        self.ended1.d.next = self.ended.val();
        self.ended2.d.next = self.ended1.q.val();
        self.good1.d.next = self.good.val();
        self.good2.d.next = self.good1.q.val();
        self.buffer.write_address.next = self.place.q.val();
        self.buffer.write_data.next = self.data2.q.val();
        self.buffer.write_enable.next = false;
        if self.accept.q.val() & self.data_valid2.q.val() & (self.take.q.val() != 0) {
            self.buffer.write_enable.next = true;
            self.place.d.next = self.place.q.val() + 1;
            self.take.d.next = self.take.q.val() - 1;
        }
        self.progress.write_address.next = self.tag3.q.val();
        self.progress.write_data.next = self.after.q.val();
        self.progress.write_enable.next = false;
        self.closes.next = self.accept.q.val() & self.ended2.q.val();
        if self.closes.val() {
            self.accept.d.next = false;
            if self.good2.q.val() {
                self.progress.write_enable.next = true;
                // no header is judged in this cycle: the next TLP's comes two cycles behind
                self.mark_tag.d.next = self.tag3.q.val();
                self.clear.d.next = self.after.q.val().get_bits::<6>(0) == 0;
                self.fail.d.next = self.poison3.q.val();
                self.poisoned_strobe.d.next = self.poison3.q.val();
            }
        }

        // requests
        self.limit.next = self.c_32.val();
        if self.mrrs.val() == 0 {
            self.limit.next = self.c_16.val();
        }
        self.piece.next = self.room.q.val();
        if self.left.q.val() <= bit_cast::<10, 6>(self.room.q.val()) {
            self.piece.next = bit_cast::<6, 10>(self.left.q.val());
        }
        self.used.next = self.next_tag.q.val() - self.free_tag.q.val();
        self.has_tag.d.next = self.used.val() != 32;
        self.awake.d.next = !self.resting.q.val().get_bit(self.tag.val().index());
        self.ahead.next = bit_cast::<10, 9>(self.at.q.val().get_bits::<9>(3)) + bit_cast::<10, 6>(self.size.q.val());
        self.word0.next = bit_cast::<32, 6>(self.size.q.val()) << 1;
        if self.wide.q.val() {
            self.word0.next = (bit_cast::<32, 6>(self.size.q.val()) << 1) | self.c_four.val();
        }
        self.word1.next =
            (bit_cast::<32, 16>(self.id.val()) << 16) | (bit_cast::<32, 5>(self.tag.val()) << 8) | self.c_ff.val();
        self.pair.next = (bit_cast::<64, 32>(self.word0.val()) << 32) | bit_cast::<64, 32>(self.word1.val());
        self.o.next.cnt = 7.into();
        self.o.next.last = false;
        self.o.next.user = false;
        if self.state.q.val() == 5 {
            self.o.next.last = true;
            self.pair.next = self.at.q.val();
            if !self.wide.q.val() {
                self.pair.next = self.at.q.val() << 32;
                self.o.next.cnt = 3.into();
            }
        }
        self.rev.i.next = self.pair.val();
        self.o.next.data = self.rev.o.val();
        self.m_beat.next = self.o.val();
        self.m_valid.next = (self.state.q.val() == 4) | (self.state.q.val() == 5);
        self.s_ready.next = self.state.q.val() == 0;
        self.plan.write_address.next = self.tag.val();
        self.plan.write_data.next = bit_cast::<26, 6>(self.size.q.val())
            | (bit_cast::<26, 3>(self.who.q.val()) << 6)
            | (bit_cast::<26, 16>(self.now.q.val()) << 10);
        if self.is_last.q.val() {
            self.plan.write_data.next = bit_cast::<26, 6>(self.size.q.val())
                | (bit_cast::<26, 3>(self.who.q.val()) << 6)
                | (bit_cast::<26, 16>(self.now.q.val()) << 10)
                | (bit_cast::<26, 1>(1.into()) << 9);
        }
        self.plan.write_enable.next = false;
        match self.state.q.val().index() {
            0 => {
                self.at.d.next = self.address.val();
                self.left.d.next = bit_cast::<10, 13>(self.length.val() >> 3);
                self.who.d.next = self.client.val();
                if self.s_valid.val() {
                    self.state.d.next = 1.into();
                }
            }
            1 => {
                self.room.d.next =
                    self.limit.val() - (bit_cast::<6, 5>(self.at.q.val().get_bits::<5>(3)) & (self.limit.val() - 1));
                self.next_page.d.next = self.at.q.val().get_bits::<52>(12) + self.c_page.val();
                self.wide.d.next = self.at.q.val().get_bits::<32>(32).any();
                self.state.d.next = 2.into();
            }
            2 => {
                self.size.d.next = self.piece.val();
                self.is_last.d.next = self.left.q.val() <= bit_cast::<10, 6>(self.room.q.val());
                self.state.d.next = 3.into();
            }
            3 => {
                if self.has_tag.q.val() & self.awake.q.val() {
                    self.state.d.next = 4.into();
                }
            }
            4 => {
                if self.m_ready.val() {
                    self.state.d.next = 5.into();
                }
            }
            5 => {
                if self.m_ready.val() {
                    self.state.d.next = 6.into();
                }
            }
            _ => {
                // the answer is longer under way than the completion that may be writing now
                if !self.closes.val() {
                    self.progress.write_enable.next = true;
                    self.progress.write_address.next = self.tag.val();
                    self.progress.write_data.next = (bit_cast::<16, 4>(self.at.q.val().get_bits::<4>(3)) << 12)
                        | (bit_cast::<16, 6>(self.size.q.val()) << 6)
                        | bit_cast::<16, 6>(self.size.q.val());
                    self.plan.write_enable.next = true;
                    self.sets.next = self.c_one.val() << self.tag.val();
                    self.next_tag.d.next = self.next_tag.q.val() + 1;
                    self.left.d.next = self.left.q.val() - bit_cast::<10, 6>(self.size.q.val());
                    self.at.d.next = (bit_cast::<64, 52>(self.at.q.val().get_bits::<52>(12)) << 12)
                        | (bit_cast::<64, 10>(self.ahead.val()) << 3);
                    if self.ahead.val().get_bit(9) {
                        self.at.d.next = bit_cast::<64, 52>(self.next_page.q.val()) << 12;
                    }
                    self.state.d.next = 1.into();
                    if self.is_last.q.val() {
                        self.state.d.next = 0.into();
                    }
                }
            }
        }

        // drain
        self.plan.read_address.next = self.head.val();
        self.head_waits.d.next = self.waiting.q.val().get_bit(self.head.val().index());
        self.head_failed.d.next = self.failed.q.val().get_bit(self.head.val().index());
        self.age.d.next = self.now.q.val() - self.plan.read_data.val().get_bits::<16>(10);
        self.late.d.next = (self.drain.q.val() == 1) & (self.age.q.val() > self.timeout.val());
        self.move_out.next = self.read_valid.q.val() & (self.d_ready.val() | !self.full.q.val());
        self.advance.next = (self.drain.q.val() == 2) & (self.move_out.val() | !self.read_valid.q.val());
        if self.move_out.val() | (self.full.q.val() & self.d_ready.val()) {
            self.full.d.next = self.move_out.val();
        }
        if self.move_out.val() {
            self.read_valid.d.next = false;
            if self.read_end.q.val() {
                self.free_tag.d.next = self.free_tag.q.val() + 1;
            }
            self.out.d.next.data = self.buffer.read_data.val();
            self.out.d.next.cnt = 7.into();
            self.out.d.next.last = self.read_last.q.val();
            self.out.d.next.user = self.read_user.q.val();
            self.out_client.d.next = self.read_client.q.val();
        }
        self.buffer.read_address.next = self.read_at.q.val();
        if self.advance.val() {
            self.buffer.read_address.next = self.drain_at.q.val();
            self.read_at.d.next = self.drain_at.q.val();
            self.read_valid.d.next = true;
            self.read_end.d.next = self.drain_left.q.val() == 1;
            self.read_last.d.next = self.drain_last.q.val() & (self.drain_left.q.val() == 1);
            self.read_user.d.next = self.drain_last.q.val() & (self.drain_left.q.val() == 1) & self.bad.q.val();
            self.read_client.d.next = self.drain_client.q.val();
            self.drain_at.d.next = self.drain_at.q.val() + 1;
            self.drain_left.d.next = self.drain_left.q.val() - 1;
            if self.drain_left.q.val() == 1 {
                self.drain.d.next = 0.into();
                self.head_tag.d.next = self.head_tag.q.val() + 1;
                if self.drain_last.q.val() {
                    self.bad.d.next = false;
                }
            }
        }
        if (self.drain.q.val() == 0) & (self.head_tag.q.val() != self.next_tag.q.val()) {
            self.drain.d.next = 1.into();
        }
        if self.drain.q.val() == 1 {
            self.drain_left.d.next = self.plan.read_data.val().get_bits::<6>(0);
            self.drain_client.d.next = self.plan.read_data.val().get_bits::<3>(6);
            self.drain_last.d.next = self.plan.read_data.val().get_bit(9);
            self.drain_at.d.next = bit_cast::<10, 5>(self.head.val()) << 5;
            if !self.head_waits.q.val() {
                self.drain.d.next = 2.into();
                self.bad.d.next = self.bad.q.val() | self.head_failed.q.val();
            } else if self.late.q.val() & !self.c2_valid.q.val() & !self.closes.val() {
                // one tag at a time: a completion goes first. An answer that `head_waits` does not show yet is late too
                self.drain.d.next = 2.into();
                self.bad.d.next = true;
                self.mark_tag.d.next = self.head.val();
                self.clear.d.next = true;
                self.rests.d.next = true;
                self.rest.d.next = self.timeout.val() + 1;
                self.timeout_strobe.d.next = true;
            }
        }
        self.d_beat.next = self.out.q.val();
        self.d_client.next = self.out_client.q.val();
        self.d_valid.next = self.full.q.val();

        // A cycle late is soon enough. What is judged meanwhile looks at `clear` too, the drain only waits longer, and a
        // tag is given out again after its drain: when it has seen the bit, or when the bit that makes it rest is set.
        self.mark.next = self.c_one.val() << self.mark_tag.q.val();
        self.waiting.d.next = self.waiting.q.val() | self.sets.val();
        if self.clear.q.val() {
            self.waiting.d.next = (self.waiting.q.val() | self.sets.val()) & !self.mark.val();
        }
        self.failed.d.next = self.failed.q.val() & !self.sets.val();
        if self.fail.q.val() {
            self.failed.d.next = (self.failed.q.val() & !self.sets.val()) | self.mark.val();
        }
        if self.rests.q.val() {
            self.resting.d.next = self.resting.q.val() | self.mark.val();
        }
        if self.rest.q.val() == 0 {
            self.resting.d.next = 0.into();
        }
        self.outstanding.next = self.used.val() != 0;
        self.unexpected.next = self.unexpected_strobe.q.val();
        self.refused.next = self.refused_strobe.q.val();
        self.poisoned.next = self.poisoned_strobe.q.val();
        self.timed_out.next = self.timeout_strobe.q.val();
        if self.reset.val() {
            self.state.d.next = 0.into();
            self.next_tag.d.next = 0.into();
            self.head_tag.d.next = 0.into();
            self.free_tag.d.next = 0.into();
            self.waiting.d.next = 0.into();
            self.resting.d.next = 0.into();
            self.rest.d.next = 0.into();
            self.has_tag.d.next = false;
            self.awake.d.next = false;
            self.tick.d.next = 0.into();
            self.now.d.next = 0.into();
            self.clear.d.next = false;
            self.fail.d.next = false;
            self.rests.d.next = false;
            self.c1_valid.d.next = false;
            self.c2_valid.d.next = false;
            self.accept.d.next = false;
            self.data_valid1.d.next = false;
            self.data_valid2.d.next = false;
            self.ended1.d.next = false;
            self.ended2.d.next = false;
            self.unexpected_strobe.d.next = false;
            self.refused_strobe.d.next = false;
            self.poisoned_strobe.d.next = false;
            self.timeout_strobe.d.next = false;
            self.drain.d.next = 0.into();
            self.bad.d.next = false;
            self.read_valid.d.next = false;
            self.full.d.next = false;
        }
    }
}
