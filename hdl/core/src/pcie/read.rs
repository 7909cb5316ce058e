//! Reads from host memory: 32 tags in flight, completions in any order, each client's data in the order of its requests.
//!
//! Each client has tags of its own, a ring: given out in order, drained in order. So a completion that doesn't come holds its
//! client alone. A tag owns 256 bytes of the completion buffer: what is outstanding always fits, and a completion finds its
//! place by its tag alone. A tag whose answer may still come although nobody waits for it (it timed out, or the function was
//! reset) rests until that has come, or could have timed out.
use super::{CompletionHeader, Turn};
use crate::parse::ByteRev;
use crate::stream::{Beat, BlockRam, LutRam};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Sizes are counted in 64-bit words. Clients 0 to 3 have tags 4 c to 4 c + 3, clients 4 and 5 tags 16 to 23 and 24 to 31.
    pub struct Read {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        /// The link is down: nothing that was asked for is answered any more. With it `reset`, at least as long.
        pub down: Signal<In, Bit>,
        pub id: Signal<In, Bits<16>>,
        /// Max read request code: 128 bytes << code.
        pub mrrs: Signal<In, Bits<3>>,
        /// A strobe: a read times out at the third one that it sees.
        pub age: Signal<In, Bit>,
        /// Requests: a multiple of 8 bytes at a multiple of 8. A client's next one waits here until `issued` has told of its last.
        pub address: Signal<In, Bits<64>>,
        pub length: Signal<In, Bits<13>>,
        pub client: Signal<In, Bits<3>>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        /// Strobes, by client: its request has been sent whole.
        pub issued: Signal<Out, Bits<6>>,
        /// Data, `user` on the last beat of a request that failed. Clients' beats may alternate.
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
        /// By client: it has asked, and its data have not all come.
        pub busy: Signal<Out, Bits<6>>,
        /// Strobes.
        pub unexpected: Signal<Out, Bit>,
        pub refused: Signal<Out, Bit>,
        pub poisoned: Signal<Out, Bit>,
        pub timed_out: Signal<Out, Bit>,
        rev: ByteRev,
        buffer: BlockRam<Bits<64>, 10>,
        // left 5:0, total 11:6, address bits 6:3 in 15:12
        progress: LutRam<Bits<16>, 5>,
        // total 5:0, last of its request 6
        plan: LutRam<Bits<7>, 5>,
        // what is left of a client's request: address bits 63:3 in 60:0, words 70:61
        slot: LutRam<Bits<71>, 3>,
        pending: DFF<Bits<6>>,
        some: DFF<Bits<6>>,
        // by client: tags given out, tags drained, in laps of eight or two laps of four
        next: [DFF<Bits<4>>; 6],
        head: [DFF<Bits<4>>; 6],
        // an empty ring goes past a tag that rests
        steps: DFF<Bits<6>>,
        // by client, a cycle ago: a read can be sent; the head's answers have come
        can: DFF<Bits<6>>,
        done: DFF<Bits<6>>,
        issue_turn: Turn,
        drain_turn: Turn,
        // issue: 0 chooses a client, 1 to 3 measure, 4 and 5 send, 6 remembers, 7 lets `can` see it
        state: DFF<Bits<3>>,
        who: DFF<Bits<3>>,
        tag: DFF<Bits<5>>,
        at: DFF<Bits<64>>,
        next_page: DFF<Bits<52>>,
        left: DFF<Bits<10>>,
        room: DFF<Bits<6>>,
        size: DFF<Bits<6>>,
        is_last: DFF<Bit>,
        wide: DFF<Bit>,
        issued_strobes: DFF<Bits<6>>,
        waiting: DFF<Bits<32>>, // completions are still to come
        failed: DFF<Bits<32>>,
        resting: DFF<Bits<32>>,
        // strobes of `age` that those two have seen: one, two
        old1: DFF<Bits<32>>,
        old2: DFF<Bits<32>>,
        // timed out, and taken up one by one
        late: DFF<Bits<32>>,
        scan: DFF<Bits<5>>,
        scan_tag: DFF<Bits<5>>,
        expires: DFF<Bit>,
        // answers to what rests are from before a reset
        silent: DFF<Bit>,
        some_out: DFF<Bit>,
        // what becomes of one tag's bits, a cycle later
        mark_tag: DFF<Bits<5>>,
        clear: DFF<Bit>,
        fail: DFF<Bit>,
        rests: DFF<Bit>,
        wakes: DFF<Bit>,
        // completion: looked up in cycle 1, judged in cycle 2, its data written from cycle 3
        c1: DFF<CompletionHeader>,
        c1_valid: DFF<Bit>,
        c2: DFF<CompletionHeader>,
        c2_valid: DFF<Bit>,
        c2_fits: DFF<Bit>,
        c2_rests: DFF<Bit>,
        c2_final: DFF<Bit>,
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
        // drain: 0 chooses a client, 1 finds its tag, 2 that tag's plan, 3 hands its data on, 4 waits for the last word to
        // leave the buffer, 5 lets `done` see it
        drain: DFF<Bits<3>>,
        drain_client: DFF<Bits<3>>,
        drain_tag: DFF<Bits<5>>,
        drain_left: DFF<Bits<6>>,
        drain_at: DFF<Bits<10>>,
        read_at: DFF<Bits<10>>,
        drain_last: DFF<Bit>,
        bad: DFF<Bits<6>>, // by client: this tag or an earlier one of its request failed
        read_valid: DFF<Bit>,
        read_end: DFF<Bit>, // the tag's last word
        read_last: DFF<Bit>,
        read_user: DFF<Bit>,
        out: DFF<Beat>,
        out_client: DFF<Bits<3>>,
        full: DFF<Bit>,
        next_tag: [Signal<Local, Bits<5>>; 6],
        head_tag: [Signal<Local, Bits<5>>; 6],
        limit: Signal<Local, Bits<6>>,
        piece: Signal<Local, Bits<6>>,
        ahead: Signal<Local, Bits<10>>,
        word0: Signal<Local, Bits<32>>,
        word1: Signal<Local, Bits<32>>,
        pair: Signal<Local, Bits<64>>,
        seen: Signal<Local, Bits<16>>,
        gone: Signal<Local, Bits<6>>,
        words: Signal<Local, Bits<6>>,
        known: Signal<Local, Bit>,
        fits: Signal<Local, Bit>,
        ends: Signal<Local, Bit>,
        forgotten: Signal<Local, Bit>,
        sets: Signal<Local, Bits<32>>,
        mark: Signal<Local, Bits<32>>,
        asked: Signal<Local, Bits<32>>,
        closes: Signal<Local, Bit>,
        advance: Signal<Local, Bit>,
        move_out: Signal<Local, Bit>,
        takes: Signal<Local, Bit>,
        o: Signal<Local, Beat>,
        c_one: Constant<Bits<32>> = 1u64,
        c_client: Constant<Bits<6>> = 1u64,
        c_few: Constant<Bits<4>> = 4u64,
        c_many: Constant<Bits<4>> = 8u64,
        c_front: Constant<Bits<5>> = 16u64,
        c_back: Constant<Bits<5>> = 24u64,
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
            pending,
            some,
            steps,
            can,
            done,
            state,
            who,
            tag,
            at,
            next_page,
            left,
            room,
            size,
            is_last,
            wide,
            issued_strobes,
            waiting,
            failed,
            resting,
            old1,
            old2,
            late,
            scan,
            scan_tag,
            expires,
            silent,
            some_out,
            mark_tag,
            clear,
            fail,
            rests,
            wakes,
            c1,
            c1_valid,
            c2,
            c2_valid,
            c2_fits,
            c2_rests,
            c2_final,
            c2_error,
            c2_left,
            c2_total,
            c2_low,
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
            drain_client,
            drain_tag,
            drain_left,
            drain_at,
            read_at,
            drain_last,
            bad,
            read_valid,
            read_end,
            read_last,
            read_user,
            out,
            out_client,
            full
        );
        self.buffer.clock.next = self.clock.val();
        self.progress.clock.next = self.clock.val();
        self.plan.clock.next = self.clock.val();
        self.slot.clock.next = self.clock.val();
        self.sets.next = 0.into();
        self.mark_tag.d.next = self.tag3.q.val();
        self.clear.d.next = false;
        self.fail.d.next = false;
        self.rests.d.next = false;
        self.wakes.d.next = false;

        // rings
        self.can.d.next = 0.into();
        self.done.d.next = 0.into();
        self.steps.d.next = 0.into();
        for i in 0..6 {
            self.next[i].clock.next = self.clock.val();
            self.head[i].clock.next = self.clock.val();
            self.next[i].d.next = self.next[i].q.val();
            self.head[i].d.next = self.head[i].q.val();
        }
        self.next_tag[0].next = bit_cast::<5, 2>(self.next[0].q.val().get_bits::<2>(0));
        self.next_tag[1].next = bit_cast::<5, 2>(self.next[1].q.val().get_bits::<2>(0)) | 4;
        self.next_tag[2].next = bit_cast::<5, 2>(self.next[2].q.val().get_bits::<2>(0)) | 8;
        self.next_tag[3].next = bit_cast::<5, 2>(self.next[3].q.val().get_bits::<2>(0)) | 12;
        self.next_tag[4].next = bit_cast::<5, 3>(self.next[4].q.val().get_bits::<3>(0)) | self.c_front.val();
        self.next_tag[5].next = bit_cast::<5, 3>(self.next[5].q.val().get_bits::<3>(0)) | self.c_back.val();
        self.head_tag[0].next = bit_cast::<5, 2>(self.head[0].q.val().get_bits::<2>(0));
        self.head_tag[1].next = bit_cast::<5, 2>(self.head[1].q.val().get_bits::<2>(0)) | 4;
        self.head_tag[2].next = bit_cast::<5, 2>(self.head[2].q.val().get_bits::<2>(0)) | 8;
        self.head_tag[3].next = bit_cast::<5, 2>(self.head[3].q.val().get_bits::<2>(0)) | 12;
        self.head_tag[4].next = bit_cast::<5, 3>(self.head[4].q.val().get_bits::<3>(0)) | self.c_front.val();
        self.head_tag[5].next = bit_cast::<5, 3>(self.head[5].q.val().get_bits::<3>(0)) | self.c_back.val();
        for i in 0..4 {
            if self.pending.q.val().get_bit(i)
                & !self.steps.q.val().get_bit(i)
                & ((self.next[i].q.val() - self.head[i].q.val()) != self.c_few.val())
                & !self.resting.q.val().get_bit(self.next_tag[i].val().index())
            {
                self.can.d.next = self.can.d.val().replace_bit(i, true);
            }
        }
        for i in 4..6 {
            if self.pending.q.val().get_bit(i)
                & !self.steps.q.val().get_bit(i)
                & ((self.next[i].q.val() - self.head[i].q.val()) != self.c_many.val())
                & !self.resting.q.val().get_bit(self.next_tag[i].val().index())
            {
                self.can.d.next = self.can.d.val().replace_bit(i, true);
            }
        }
        self.some.d.next = self.pending.q.val();
        for i in 0..6 {
            if self.next[i].q.val() != self.head[i].q.val() {
                self.some.d.next = self.some.d.val().replace_bit(i, true);
            }
            if (self.next[i].q.val() != self.head[i].q.val())
                & !self.waiting.q.val().get_bit(self.head_tag[i].val().index())
            {
                self.done.d.next = self.done.d.val().replace_bit(i, true);
            }
            if (self.next[i].q.val() == self.head[i].q.val())
                & self.resting.q.val().get_bit(self.next_tag[i].val().index())
                & !self.steps.q.val().get_bit(i)
            {
                self.steps.d.next = self.steps.d.val().replace_bit(i, true);
            }
            if self.steps.q.val().get_bit(i) {
                self.next[i].d.next = self.next[i].q.val() + 1;
                self.head[i].d.next = self.head[i].q.val() + 1;
            }
        }

        // completions: does it answer what was asked?
        self.c1.d.next = self.header.val();
        self.c1_valid.d.next = self.header_valid.val();
        self.progress.read_address.next = bit_cast::<5, 8>(self.c1.q.val().tag);
        self.seen.next = self.progress.read_data.val();
        self.known.next = (self.c1.q.val().tag.get_bits::<3>(5) == 0) & (self.c1.q.val().requester == self.id.val());
        self.fits.next = self.known.val()
            & self.waiting.q.val().get_bit(bit_cast::<5, 8>(self.c1.q.val().tag).index())
            & !(self.clear.q.val() & (self.mark_tag.q.val() == bit_cast::<5, 8>(self.c1.q.val().tag)));
        self.c2.d.next = self.c1.q.val();
        self.c2_valid.d.next = self.c1_valid.q.val();
        self.c2_fits.d.next = self.fits.val();
        self.c2_rests.d.next =
            self.known.val() & self.resting.q.val().get_bit(bit_cast::<5, 8>(self.c1.q.val().tag).index());
        self.c2_final.d.next = (self.c1.q.val().status != 0)
            | !self.c1.q.val().with_data
            | ((bit_cast::<12, 10>(self.c1.q.val().length) << 2) == self.c1.q.val().bytes);
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
        self.forgotten.next = self.c2_rests.q.val() & self.silent.q.val();
        if self.c2_valid.q.val() {
            self.mark_tag.d.next = bit_cast::<5, 8>(self.c2.q.val().tag);
            self.wakes.d.next = self.c2_rests.q.val() & self.c2_final.q.val();
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
                    self.unexpected_strobe.d.next = !self.forgotten.val();
                }
            } else {
                self.unexpected_strobe.d.next = !self.ends.val() & !self.forgotten.val();
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

        // a read that is not answered: `clear` and `waiting` are those of two cycles ago, so none of the two may be changing
        self.scan.d.next = self.scan.q.val() + 1;
        self.scan_tag.d.next = self.scan.q.val();
        self.expires.d.next = self.late.q.val().get_bit(self.scan.q.val().index())
            & self.waiting.q.val().get_bit(self.scan.q.val().index())
            & !self.clear.q.val();
        if self.expires.q.val() & !self.clear.q.val() & !self.c2_valid.q.val() & !self.closes.val() {
            self.mark_tag.d.next = self.scan_tag.q.val();
            self.clear.d.next = true;
            self.fail.d.next = true;
            self.rests.d.next = true;
            self.timeout_strobe.d.next = true;
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
        self.ahead.next = bit_cast::<10, 9>(self.at.q.val().get_bits::<9>(3)) + bit_cast::<10, 6>(self.size.q.val());
        self.word0.next = bit_cast::<32, 6>(self.size.q.val()) << 1;
        if self.wide.q.val() {
            self.word0.next = (bit_cast::<32, 6>(self.size.q.val()) << 1) | self.c_four.val();
        }
        self.word1.next =
            (bit_cast::<32, 16>(self.id.val()) << 16) | (bit_cast::<32, 5>(self.tag.q.val()) << 8) | self.c_ff.val();
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
        // a request goes to its client's slot whenever what is left of another does not
        self.takes.next =
            (self.state.q.val() != 6) & !bit_cast::<8, 6>(self.pending.q.val()).get_bit(self.client.val().index());
        self.s_ready.next = self.takes.val();
        self.slot.read_address.next = self.who.q.val();
        self.slot.write_address.next = self.client.val();
        self.slot.write_data.next = bit_cast::<71, 61>(self.address.val().get_bits::<61>(3))
            | (bit_cast::<71, 10>(self.length.val().get_bits::<10>(3)) << 61);
        self.slot.write_enable.next = self.s_valid.val() & self.takes.val();
        if self.s_valid.val() & self.takes.val() {
            self.pending.d.next = self.pending.q.val() | (self.c_client.val() << self.client.val());
        }
        self.plan.write_address.next = self.tag.q.val();
        self.plan.write_data.next = bit_cast::<7, 6>(self.size.q.val());
        if self.is_last.q.val() {
            self.plan.write_data.next = bit_cast::<7, 6>(self.size.q.val()) | 64;
        }
        self.plan.write_enable.next = false;
        self.issued_strobes.d.next = 0.into();
        self.issue_turn.wants.next = self.can.q.val();
        self.issue_turn.last.next = self.who.q.val();
        match self.state.q.val().index() {
            0 => {
                if self.can.q.val().any() {
                    self.who.d.next = self.issue_turn.pick.val();
                    self.state.d.next = 1.into();
                }
            }
            1 => {
                self.at.d.next = bit_cast::<64, 61>(self.slot.read_data.val().get_bits::<61>(0)) << 3;
                self.left.d.next = self.slot.read_data.val().get_bits::<10>(61);
                match self.who.q.val().index() {
                    0 => {
                        self.tag.d.next = self.next_tag[0].val();
                    }
                    1 => {
                        self.tag.d.next = self.next_tag[1].val();
                    }
                    2 => {
                        self.tag.d.next = self.next_tag[2].val();
                    }
                    3 => {
                        self.tag.d.next = self.next_tag[3].val();
                    }
                    4 => {
                        self.tag.d.next = self.next_tag[4].val();
                    }
                    _ => {
                        self.tag.d.next = self.next_tag[5].val();
                    }
                }
                self.state.d.next = 2.into();
            }
            2 => {
                self.room.d.next =
                    self.limit.val() - (bit_cast::<6, 5>(self.at.q.val().get_bits::<5>(3)) & (self.limit.val() - 1));
                self.next_page.d.next = self.at.q.val().get_bits::<52>(12) + self.c_page.val();
                self.wide.d.next = self.at.q.val().get_bits::<32>(32).any();
                self.state.d.next = 3.into();
            }
            3 => {
                self.size.d.next = self.piece.val();
                self.is_last.d.next = self.left.q.val() <= bit_cast::<10, 6>(self.room.q.val());
                self.state.d.next = 4.into();
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
            6 => {
                self.slot.write_address.next = self.who.q.val();
                self.slot.write_data.next = (bit_cast::<71, 52>(self.at.q.val().get_bits::<52>(12)) << 9)
                    | bit_cast::<71, 10>(self.ahead.val())
                    | (bit_cast::<71, 10>(self.left.q.val() - bit_cast::<10, 6>(self.size.q.val())) << 61);
                if self.ahead.val().get_bit(9) {
                    self.slot.write_data.next = (bit_cast::<71, 52>(self.next_page.q.val()) << 9)
                        | (bit_cast::<71, 10>(self.left.q.val() - bit_cast::<10, 6>(self.size.q.val())) << 61);
                }
                // the answer is longer under way than the completion that may be writing now
                if !self.closes.val() {
                    self.progress.write_enable.next = true;
                    self.progress.write_address.next = self.tag.q.val();
                    self.progress.write_data.next = (bit_cast::<16, 4>(self.at.q.val().get_bits::<4>(3)) << 12)
                        | (bit_cast::<16, 6>(self.size.q.val()) << 6)
                        | bit_cast::<16, 6>(self.size.q.val());
                    self.plan.write_enable.next = true;
                    self.slot.write_enable.next = true;
                    self.sets.next = self.c_one.val() << self.tag.q.val();
                    match self.who.q.val().index() {
                        0 => {
                            self.next[0].d.next = self.next[0].q.val() + 1;
                        }
                        1 => {
                            self.next[1].d.next = self.next[1].q.val() + 1;
                        }
                        2 => {
                            self.next[2].d.next = self.next[2].q.val() + 1;
                        }
                        3 => {
                            self.next[3].d.next = self.next[3].q.val() + 1;
                        }
                        4 => {
                            self.next[4].d.next = self.next[4].q.val() + 1;
                        }
                        _ => {
                            self.next[5].d.next = self.next[5].q.val() + 1;
                        }
                    }
                    if self.is_last.q.val() {
                        self.pending.d.next = self.pending.q.val() & !(self.c_client.val() << self.who.q.val());
                        self.issued_strobes.d.next = self.c_client.val() << self.who.q.val();
                    }
                    self.state.d.next = 7.into();
                }
            }
            _ => {
                self.state.d.next = 0.into();
            }
        }
        self.issued.next = self.issued_strobes.q.val();

        // drain
        self.drain_turn.wants.next = self.done.q.val();
        self.drain_turn.last.next = self.drain_client.q.val();
        self.plan.read_address.next = self.drain_tag.q.val();
        self.move_out.next = self.read_valid.q.val() & (self.d_ready.val() | !self.full.q.val());
        self.advance.next = (self.drain.q.val() == 3) & (self.move_out.val() | !self.read_valid.q.val());
        if self.move_out.val() | (self.full.q.val() & self.d_ready.val()) {
            self.full.d.next = self.move_out.val();
        }
        if self.move_out.val() {
            self.read_valid.d.next = false;
            self.out.d.next.data = self.buffer.read_data.val();
            self.out.d.next.cnt = 7.into();
            self.out.d.next.last = self.read_last.q.val();
            self.out.d.next.user = self.read_user.q.val();
            self.out_client.d.next = self.drain_client.q.val();
        }
        self.buffer.read_address.next = self.read_at.q.val();
        if self.advance.val() {
            self.buffer.read_address.next = self.drain_at.q.val();
            self.read_at.d.next = self.drain_at.q.val();
            self.read_valid.d.next = true;
            self.read_end.d.next = self.drain_left.q.val() == 1;
            self.read_last.d.next = self.drain_last.q.val() & (self.drain_left.q.val() == 1);
            self.read_user.d.next = self.drain_last.q.val()
                & (self.drain_left.q.val() == 1)
                & bit_cast::<8, 6>(self.bad.q.val()).get_bit(self.drain_client.q.val().index());
            self.drain_at.d.next = self.drain_at.q.val() + 1;
            self.drain_left.d.next = self.drain_left.q.val() - 1;
        }
        match self.drain.q.val().index() {
            0 => {
                if self.done.q.val().any() {
                    self.drain_client.d.next = self.drain_turn.pick.val();
                    self.drain.d.next = 1.into();
                }
            }
            1 => {
                match self.drain_client.q.val().index() {
                    0 => {
                        self.drain_tag.d.next = self.head_tag[0].val();
                    }
                    1 => {
                        self.drain_tag.d.next = self.head_tag[1].val();
                    }
                    2 => {
                        self.drain_tag.d.next = self.head_tag[2].val();
                    }
                    3 => {
                        self.drain_tag.d.next = self.head_tag[3].val();
                    }
                    4 => {
                        self.drain_tag.d.next = self.head_tag[4].val();
                    }
                    _ => {
                        self.drain_tag.d.next = self.head_tag[5].val();
                    }
                }
                self.drain.d.next = 2.into();
            }
            2 => {
                self.drain_left.d.next = self.plan.read_data.val().get_bits::<6>(0);
                self.drain_last.d.next = self.plan.read_data.val().get_bit(6);
                self.drain_at.d.next = bit_cast::<10, 5>(self.drain_tag.q.val()) << 5;
                if self.failed.q.val().get_bit(self.drain_tag.q.val().index()) {
                    self.bad.d.next = self.bad.q.val() | (self.c_client.val() << self.drain_client.q.val());
                }
                self.drain.d.next = 3.into();
            }
            3 => {
                if self.advance.val() & (self.drain_left.q.val() == 1) {
                    self.drain.d.next = 4.into();
                }
            }
            4 => {
                if self.move_out.val() {
                    match self.drain_client.q.val().index() {
                        0 => {
                            self.head[0].d.next = self.head[0].q.val() + 1;
                        }
                        1 => {
                            self.head[1].d.next = self.head[1].q.val() + 1;
                        }
                        2 => {
                            self.head[2].d.next = self.head[2].q.val() + 1;
                        }
                        3 => {
                            self.head[3].d.next = self.head[3].q.val() + 1;
                        }
                        4 => {
                            self.head[4].d.next = self.head[4].q.val() + 1;
                        }
                        _ => {
                            self.head[5].d.next = self.head[5].q.val() + 1;
                        }
                    }
                    if self.drain_last.q.val() {
                        self.bad.d.next = self.bad.q.val() & !(self.c_client.val() << self.drain_client.q.val());
                    }
                    self.drain.d.next = 5.into();
                }
            }
            _ => {
                self.drain.d.next = 0.into();
            }
        }
        self.d_beat.next = self.out.q.val();
        self.d_client.next = self.out_client.q.val();
        self.d_valid.next = self.full.q.val();

        // Tags. A cycle late is soon enough: what is judged meanwhile looks at `clear` too, the drain only waits longer.
        self.mark.next = self.c_one.val() << self.mark_tag.q.val();
        self.waiting.d.next = self.waiting.q.val() | self.sets.val();
        if self.clear.q.val() {
            self.waiting.d.next = (self.waiting.q.val() | self.sets.val()) & !self.mark.val();
        }
        self.failed.d.next = self.failed.q.val() & !self.sets.val();
        if self.fail.q.val() {
            self.failed.d.next = (self.failed.q.val() & !self.sets.val()) | self.mark.val();
        }
        // what has not been answered is late at the third strobe, and what rests sleeps no longer
        self.old1.d.next = self.old1.q.val() & !self.sets.val();
        self.old2.d.next = self.old2.q.val() & !self.sets.val();
        self.late.d.next = self.late.q.val() & self.waiting.q.val();
        self.resting.d.next = self.resting.q.val();
        if self.age.val() {
            self.old1.d.next = (self.waiting.q.val() | self.resting.q.val()) & !self.sets.val();
            self.old2.d.next = self.old1.q.val() & !self.sets.val();
            self.late.d.next = (self.late.q.val() | self.old2.q.val()) & self.waiting.q.val();
            self.resting.d.next = self.resting.q.val() & !self.old2.q.val();
        }
        if self.rests.q.val() {
            self.resting.d.next = self.resting.d.val() | self.mark.val();
            self.old1.d.next = self.old1.d.val() & !self.mark.val();
            self.old2.d.next = self.old2.d.val() & !self.mark.val();
        }
        if self.wakes.q.val() {
            self.resting.d.next = self.resting.d.val() & !self.mark.val();
        }
        self.silent.d.next = self.silent.q.val() & self.resting.q.val().any();
        self.some_out.d.next = self.waiting.q.val().any() | self.pending.q.val().any();
        self.outstanding.next = self.some_out.q.val();
        self.busy.next = self.some.q.val();
        self.unexpected.next = self.unexpected_strobe.q.val();
        self.refused.next = self.refused_strobe.q.val();
        self.poisoned.next = self.poisoned_strobe.q.val();
        self.timed_out.next = self.timeout_strobe.q.val();
        // a read whose second beat has left is sent, though it is not remembered yet
        self.asked.next = self.waiting.q.val();
        if self.state.q.val() == 6 {
            self.asked.next = self.waiting.q.val() | (self.c_one.val() << self.tag.q.val());
        }
        if self.reset.val() {
            // tags, their ages and the answers to them are the link's (6.6.2)
            self.resting.d.next = self.resting.d.val() | self.asked.val();
            self.silent.d.next = true;
            for i in 0..6 {
                self.next[i].d.next = 0.into();
                self.head[i].d.next = 0.into();
            }
            self.pending.d.next = 0.into();
            self.steps.d.next = 0.into();
            self.can.d.next = 0.into();
            self.done.d.next = 0.into();
            self.state.d.next = 0.into();
            self.issued_strobes.d.next = 0.into();
            self.waiting.d.next = 0.into();
            self.late.d.next = 0.into();
            self.expires.d.next = false;
            self.clear.d.next = false;
            self.fail.d.next = false;
            self.rests.d.next = false;
            self.accept.d.next = false;
            self.unexpected_strobe.d.next = false;
            self.refused_strobe.d.next = false;
            self.poisoned_strobe.d.next = false;
            self.timeout_strobe.d.next = false;
            self.drain.d.next = 0.into();
            self.bad.d.next = 0.into();
            self.read_valid.d.next = false;
            self.full.d.next = false;
        }
        if self.down.val() {
            self.resting.d.next = 0.into();
            self.old1.d.next = 0.into();
            self.old2.d.next = 0.into();
            self.silent.d.next = false;
            self.wakes.d.next = false;
            self.c1_valid.d.next = false;
            self.c2_valid.d.next = false;
            self.data_valid1.d.next = false;
            self.data_valid2.d.next = false;
            self.ended1.d.next = false;
            self.ended2.d.next = false;
            self.scan.d.next = 0.into();
        }
    }
}
