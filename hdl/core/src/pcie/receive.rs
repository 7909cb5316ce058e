//! Takes TLPs apart: requests for the registers, completions for the reads that asked for them.
use super::{CompletionHeader, Request};
use crate::parse::ByteRev;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// A request is shown when its TLP has ended, and holds the stream until it is taken. A completion passes as it
    /// comes: `header_valid`, then its payload in whole 64-bit words, then `ended` (with `good`: its length was right). A digest
    /// is passed over (2.7.1).
    pub struct Receive {
        pub clock: Signal<In, Clock>,
        /// The link is down.
        pub reset: Signal<In, Bit>,
        /// The request that comes is for BAR0; holds from a TLP's first beat to its last.
        pub hit: Signal<In, Bit>,
        pub tdata: Signal<In, Bits<64>>,
        pub tkeep: Signal<In, Bits<8>>,
        pub tlast: Signal<In, Bit>,
        pub tvalid: Signal<In, Bit>,
        pub tready: Signal<Out, Bit>,
        pub request: Signal<Out, Request>,
        /// The first two words of its payload.
        pub payload: Signal<Out, Bits<64>>,
        pub request_valid: Signal<Out, Bit>,
        pub request_ready: Signal<In, Bit>,
        pub header: Signal<Out, CompletionHeader>,
        pub header_valid: Signal<Out, Bit>,
        pub data: Signal<Out, Bits<64>>,
        pub data_valid: Signal<Out, Bit>,
        pub ended: Signal<Out, Bit>,
        pub good: Signal<Out, Bit>,
        /// A TLP whose length contradicts its header was discarded; it was a request that wants an answer.
        pub malformed: Signal<Out, Bit>,
        pub lost: Signal<Out, Bit>,
        rev: ByteRev,
        // beats of this TLP so far, 3: three or more
        index: DFF<Bits<2>>,
        words: DFF<Bits<11>>, // 32-bit words so far, up to 1,031; then it stands
        head: DFF<Bits<64>>, // in network order
        second: DFF<Bits<64>>, // in network order
        upper: DFF<Bits<32>>, // the second beat's upper half and the third beat, as they came
        third: DFF<Bits<64>>,
        request_full: DFF<Bit>,
        hits: DFF<Bit>,
        wants: DFF<Bit>, // a completion
        is_completion: DFF<Bit>,
        // words that the first one promises, and whether that one is in order
        expected: DFF<Bits<11>>,
        odd: DFF<Bit>,
        header_out: DFF<CompletionHeader>,
        header_strobe: DFF<Bit>,
        held: DFF<Bits<32>>,
        data_out: DFF<Bits<64>>,
        data_strobe: DFF<Bit>,
        ended_strobe: DFF<Bit>,
        good_reg: DFF<Bit>,
        malformed_strobe: DFF<Bit>,
        fire: Signal<Local, Bit>,
        here: Signal<Local, Bits<11>>,
        count: Signal<Local, Bits<11>>,
        h0: Signal<Local, Bits<32>>,
        format: Signal<Local, Bits<8>>,
        size: Signal<Local, Bits<11>>,
        extra: Signal<Local, Bits<11>>,
        right: Signal<Local, Bit>,
        completion: Signal<Local, Bit>,
        ch: Signal<Local, CompletionHeader>,
        r: Signal<Local, Request>,
        c_most: Constant<Bits<11>> = 1_032u64,
        c_thousand: Constant<Bits<11>> = 1_024u64,
    }
}

impl Logic for Receive {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            index,
            words,
            head,
            second,
            upper,
            third,
            request_full,
            hits,
            wants,
            is_completion,
            expected,
            odd,
            header_out,
            header_strobe,
            held,
            data_out,
            data_strobe,
            ended_strobe,
            good_reg,
            malformed_strobe
        );
        self.tready.next = !self.request_full.q.val();
        self.fire.next = self.tvalid.val() & !self.request_full.q.val();
        self.rev.i.next = self.tdata.val();
        self.here.next = 2.into();
        if !self.tkeep.val().get_bit(4) {
            self.here.next = 1.into();
        }
        self.count.next = self.words.q.val() + self.here.val();

        // the first word, in the first beat
        self.h0.next = self.rev.o.val().get_bits::<32>(32);
        self.format.next = self.h0.val().get_bits::<8>(24);
        self.completion.next = !self.format.val().get_bit(7)
            & !self.format.val().get_bit(5)
            & (self.format.val().get_bits::<4>(1) == 5)
            & !self.format.val().get_bit(0);
        self.size.next = 0.into();
        if self.format.val().get_bit(6) {
            self.size.next = bit_cast::<11, 10>(self.h0.val().get_bits::<10>(0));
            if self.h0.val().get_bits::<10>(0) == 0 {
                self.size.next = self.c_thousand.val();
            }
        }
        // header and digest
        self.extra.next = 3.into();
        if self.format.val().get_bit(5) & self.h0.val().get_bit(15) {
            self.extra.next = 5.into();
        } else if self.format.val().get_bit(5) | self.h0.val().get_bit(15) {
            self.extra.next = 4.into();
        }
        // no TLP is over in its first beat
        self.right.next = (self.index.q.val() != 0) & (self.count.val() == self.expected.q.val()) & !self.odd.q.val();

        self.ch.next.with_data = self.head.q.val().get_bit(62);
        self.ch.next.poisoned = self.head.q.val().get_bit(46);
        self.ch.next.length = self.head.q.val().get_bits::<10>(32);
        self.ch.next.status = self.head.q.val().get_bits::<3>(13);
        self.ch.next.bytes = self.head.q.val().get_bits::<12>(0);
        self.ch.next.requester = self.rev.o.val().get_bits::<16>(48);
        self.ch.next.tag = self.rev.o.val().get_bits::<8>(40);
        self.ch.next.lower = self.rev.o.val().get_bits::<7>(32);
        self.header_strobe.d.next = false;
        self.data_strobe.d.next = false;
        self.ended_strobe.d.next = false;
        self.malformed_strobe.d.next = false;
        self.data_out.d.next =
            bit_cast::<64, 32>(self.held.q.val()) | (bit_cast::<64, 32>(self.tdata.val().get_bits::<32>(0)) << 32);
        if self.fire.val() {
            self.hits.d.next = self.hit.val();
            self.held.d.next = self.tdata.val().get_bits::<32>(32);
            if self.count.val() < self.c_most.val() {
                self.words.d.next = self.count.val();
            }
            if self.index.q.val() != 3 {
                self.index.d.next = self.index.q.val() + 1;
            }
            match self.index.q.val().index() {
                0 => {
                    self.head.d.next = self.rev.o.val();
                    self.is_completion.d.next = self.completion.val();
                    // neither a memory write nor a message nor a completion: those of locked reads are 0x0b, nobody waits for one,
                    // and a completion is never answered
                    self.wants.d.next = !(self.format.val().get_bit(6) & (self.format.val().get_bits::<5>(0) == 0))
                        & !(self.format.val().get_bits::<2>(3) == 2)
                        & !(self.format.val().get_bits::<4>(1) == 5);
                    self.expected.d.next = self.size.val() + self.extra.val();
                    // no prefixes
                    self.odd.d.next = self.format.val().get_bit(7);
                }
                1 => {
                    self.second.d.next = self.rev.o.val();
                    self.upper.d.next = self.tdata.val().get_bits::<32>(32);
                    self.header_out.d.next = self.ch.val();
                    self.header_strobe.d.next = self.is_completion.q.val();
                }
                2 => {
                    self.third.d.next = self.tdata.val();
                    self.data_strobe.d.next = self.is_completion.q.val();
                }
                _ => {
                    self.data_strobe.d.next = self.is_completion.q.val();
                }
            }
            if self.tlast.val() {
                self.index.d.next = 0.into();
                self.words.d.next = 0.into();
                self.good_reg.d.next = self.right.val();
                self.malformed_strobe.d.next = !self.right.val();
                self.ended_strobe.d.next = self.is_completion.q.val() & (self.index.q.val() != 0);
                self.request_full.d.next = !self.is_completion.q.val() & self.right.val();
            }
        }
        if self.request_full.q.val() & self.request_ready.val() {
            self.request_full.d.next = false;
        }
        self.header.next = self.header_out.q.val();
        self.header_valid.next = self.header_strobe.q.val();
        self.data.next = self.data_out.q.val();
        self.data_valid.next = self.data_strobe.q.val();
        self.ended.next = self.ended_strobe.q.val();
        self.good.next = self.good_reg.q.val();
        self.malformed.next = self.malformed_strobe.q.val();
        self.lost.next = self.malformed_strobe.q.val() & self.wants.q.val();

        // memory requests are types 0x00 and 0x01 (locked, not supported); messages are 0x10 to 0x17
        self.r.next.memory = self.head.q.val().get_bits::<5>(56) == 0;
        self.r.next.hit = self.hits.q.val();
        self.r.next.message = self.head.q.val().get_bits::<2>(59) == 2;
        self.r.next.write = self.head.q.val().get_bit(62);
        self.r.next.non_posted = self.wants.q.val();
        self.r.next.poisoned = self.head.q.val().get_bit(46);
        self.r.next.length = self.head.q.val().get_bits::<10>(32);
        self.r.next.class = self.head.q.val().get_bits::<3>(52);
        self.r.next.attributes = self.head.q.val().get_bits::<2>(44);
        self.r.next.requester = self.head.q.val().get_bits::<16>(16);
        self.r.next.tag = self.head.q.val().get_bits::<8>(8);
        self.r.next.last_be = self.head.q.val().get_bits::<4>(4);
        self.r.next.first_be = self.head.q.val().get_bits::<4>(0);
        self.r.next.address = self.second.q.val().get_bits::<16>(32);
        self.payload.next =
            bit_cast::<64, 32>(self.upper.q.val()) | (bit_cast::<64, 32>(self.third.q.val().get_bits::<32>(0)) << 32);
        if self.head.q.val().get_bit(61) {
            self.r.next.address = self.second.q.val().get_bits::<16>(0);
            self.payload.next = self.third.q.val();
        }
        self.request.next = self.r.val();
        self.request_valid.next = self.request_full.q.val();
        if self.reset.val() {
            self.index.d.next = 0.into();
            self.words.d.next = 0.into();
            self.request_full.d.next = false;
            self.header_strobe.d.next = false;
            self.data_strobe.d.next = false;
            self.ended_strobe.d.next = false;
            self.malformed_strobe.d.next = false;
        }
    }
}
