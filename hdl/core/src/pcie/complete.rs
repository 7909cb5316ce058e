//! Register accesses: memory requests of one or two words become accesses on the register bus, and completions.
use super::Request;
use crate::parse::ByteRev;
use crate::stream::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// One request at a time.
    pub struct Complete {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub id: Signal<In, Bits<16>>,
        pub request: Signal<In, Request>,
        pub request_valid: Signal<In, Bit>,
        pub request_ready: Signal<Out, Bit>,
        /// `read` or `write` stays until `ack`, a strobe of one cycle.
        pub address: Signal<Out, Bits<16>>,
        pub wdata: Signal<Out, Bits<32>>,
        pub write: Signal<Out, Bit>,
        pub read: Signal<Out, Bit>,
        pub rdata: Signal<In, Bits<32>>,
        pub ack: Signal<In, Bit>,
        /// Completions, and whether this one takes a unit of data credit.
        pub m_beat: Signal<Out, Beat>,
        pub m_data: Signal<Out, Bit>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        /// Strobes: what was refused.
        pub unsupported: Signal<Out, Bit>,
        pub poisoned: Signal<Out, Bit>,
        pub refused: Signal<Out, Bit>,
        rev: ByteRev,
        // 0 waits, 1 accesses the first word, 2 the second, 3 to 5 send the completion's beats
        state: DFF<Bits<3>>,
        r: DFF<Request>,
        two: DFF<Bit>,
        // the word that is accessed
        at: DFF<Bits<16>>,
        word: DFF<Bits<32>>,
        status: DFF<Bits<3>>,
        with_data: DFF<Bit>,
        first: DFF<Bits<32>>,
        second: DFF<Bits<32>>,
        unsupported_strobe: DFF<Bit>,
        poisoned_strobe: DFF<Bit>,
        refused_strobe: DFF<Bit>,
        is_two: Signal<Local, Bit>,
        whole: Signal<Local, Bit>,
        empty: Signal<Local, Bit>,
        word0: Signal<Local, Bits<32>>,
        word1: Signal<Local, Bits<32>>,
        word2: Signal<Local, Bits<32>>,
        bytes: Signal<Local, Bits<12>>,
        pair: Signal<Local, Bits<64>>,
        o: Signal<Local, Beat>,
        c_cpl: Constant<Bits<32>> = 0x0a00_0000u64,
        c_cpld: Constant<Bits<32>> = 0x4a00_0000u64,
        c_unsupported: Constant<Bits<3>> = 1u64,
        c_abort: Constant<Bits<3>> = 4u64,
        c_step: Constant<Bits<16>> = 4u64,
        c_low: Constant<Bits<64>> = 0xffff_ffffu64,
    }
}

impl Logic for Complete {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            r,
            two,
            at,
            word,
            status,
            with_data,
            first,
            second,
            unsupported_strobe,
            poisoned_strobe,
            refused_strobe
        );
        self.request_ready.next = self.state.q.val() == 0;
        self.unsupported_strobe.d.next = false;
        self.poisoned_strobe.d.next = false;
        self.refused_strobe.d.next = false;

        self.is_two.next = (self.request.val().length == 2)
            & (self.request.val().last_be == 15)
            & !self.request.val().address.get_bit(2);
        self.whole.next = (self.request.val().first_be == 15)
            & (self.is_two.val() | ((self.request.val().length == 1) & (self.request.val().last_be == 0)));
        self.empty.next =
            (self.request.val().length == 1) & (self.request.val().first_be == 0) & (self.request.val().last_be == 0);

        self.address.next = self.at.q.val();
        self.wdata.next = self.word.q.val();
        self.write.next = false;
        self.read.next = false;
        if (self.state.q.val() == 1) | (self.state.q.val() == 2) {
            self.write.next = self.r.q.val().write;
            self.read.next = !self.r.q.val().write;
        }

        // the completion, in network order
        self.bytes.next = 4.into();
        if self.two.q.val() {
            self.bytes.next = 8.into();
        }
        if self.r.q.val().first_be == 0 {
            self.bytes.next = 1.into();
        }
        self.word0.next = self.c_cpl.val();
        if self.with_data.q.val() {
            self.word0.next = self.c_cpld.val() | 1;
            if self.two.q.val() {
                self.word0.next = self.c_cpld.val() | 2;
            }
        }
        self.word0.next = self.word0.val()
            | (bit_cast::<32, 3>(self.r.q.val().class) << 20)
            | (bit_cast::<32, 2>(self.r.q.val().attributes) << 12);
        self.word1.next = (bit_cast::<32, 16>(self.id.val()) << 16)
            | (bit_cast::<32, 3>(self.status.q.val()) << 13)
            | bit_cast::<32, 12>(self.bytes.val());
        self.word2.next = (bit_cast::<32, 16>(self.r.q.val().requester) << 16)
            | (bit_cast::<32, 8>(self.r.q.val().tag) << 8)
            | (bit_cast::<32, 5>(self.r.q.val().address.get_bits::<5>(2)) << 2);
        self.pair.next = (bit_cast::<64, 32>(self.word0.val()) << 32) | bit_cast::<64, 32>(self.word1.val());
        if self.state.q.val() == 4 {
            self.pair.next = bit_cast::<64, 32>(self.word2.val()) << 32;
        }
        self.rev.i.next = self.pair.val();
        self.o.next.data = self.rev.o.val();
        self.o.next.cnt = 7.into();
        self.o.next.last = false;
        self.o.next.user = false;
        if self.state.q.val() == 4 {
            if self.with_data.q.val() {
                self.o.next.data =
                    (self.rev.o.val() & self.c_low.val()) | (bit_cast::<64, 32>(self.first.q.val()) << 32);
                self.o.next.last = !self.two.q.val();
            } else {
                self.o.next.cnt = 3.into();
                self.o.next.last = true;
            }
        }
        if self.state.q.val() == 5 {
            self.o.next.data = bit_cast::<64, 32>(self.second.q.val());
            self.o.next.cnt = 3.into();
            self.o.next.last = true;
        }
        self.m_beat.next = self.o.val();
        self.m_data.next = self.with_data.q.val();
        self.m_valid.next = self.state.q.val() >= 3;

        match self.state.q.val().index() {
            0 => {
                if self.request_valid.val() {
                    self.r.d.next = self.request.val();
                    self.at.d.next = self.request.val().address;
                    self.word.d.next = self.request.val().data.get_bits::<32>(0);
                    self.two.d.next = self.is_two.val();
                    self.status.d.next = 0.into();
                    self.with_data.d.next = false;
                    self.first.d.next = 0.into();
                    if self.request.val().poisoned {
                        self.poisoned_strobe.d.next = true;
                        self.status.d.next = self.c_unsupported.val();
                        if self.request.val().non_posted {
                            self.state.d.next = 3.into();
                        }
                    } else if !self.request.val().memory {
                        self.unsupported_strobe.d.next = true;
                        self.status.d.next = self.c_unsupported.val();
                        if self.request.val().non_posted {
                            self.state.d.next = 3.into();
                        }
                    } else if self.whole.val() & (self.request.val().address.get_bits::<2>(0) == 0) {
                        self.state.d.next = 1.into();
                        self.with_data.d.next = !self.request.val().write;
                    } else if self.empty.val() {
                        if !self.request.val().write {
                            self.state.d.next = 3.into();
                            self.with_data.d.next = true;
                        }
                    } else {
                        self.refused_strobe.d.next = true;
                        self.status.d.next = self.c_abort.val();
                        if !self.request.val().write {
                            self.state.d.next = 3.into();
                        }
                    }
                }
            }
            1 => {
                if self.ack.val() {
                    self.first.d.next = self.rdata.val();
                    self.at.d.next = self.r.q.val().address + self.c_step.val();
                    self.word.d.next = self.r.q.val().data.get_bits::<32>(32);
                    self.state.d.next = 3.into();
                    if self.two.q.val() {
                        self.state.d.next = 2.into();
                    } else if self.r.q.val().write {
                        self.state.d.next = 0.into();
                    }
                }
            }
            2 => {
                if self.ack.val() {
                    self.second.d.next = self.rdata.val();
                    self.state.d.next = 3.into();
                    if self.r.q.val().write {
                        self.state.d.next = 0.into();
                    }
                }
            }
            _ => {
                if self.m_ready.val() {
                    self.state.d.next = self.state.q.val() + 1;
                    if self.o.val().last {
                        self.state.d.next = 0.into();
                    }
                }
            }
        }
        self.unsupported.next = self.unsupported_strobe.q.val();
        self.poisoned.next = self.poisoned_strobe.q.val();
        self.refused.next = self.refused_strobe.q.val();
        if self.reset.val() {
            self.state.d.next = 0.into();
            self.unsupported_strobe.d.next = false;
            self.poisoned_strobe.d.next = false;
            self.refused_strobe.d.next = false;
        }
    }
}
