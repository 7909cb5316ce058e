//! Register accesses: memory requests of one or two words become accesses on the register bus, and completions.
use super::{Answer, Request};
use crate::parse::ByteRev;
use crate::stream::{Beat, SmallFifo};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// One request at a time, a posted one first; one that wants an answer is taken when that has a place in the queue. So
    /// posted requests wait for the register bus alone, whatever becomes of completions (2.4.1). In reset requests are taken and lost.
    pub struct Complete {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub id: Signal<In, Bits<16>>,
        pub posted: Signal<In, Request>,
        pub payload: Signal<In, Bits<64>>,
        pub posted_valid: Signal<In, Bit>,
        pub posted_ready: Signal<Out, Bit>,
        pub queued: Signal<In, Request>,
        pub queued_valid: Signal<In, Bit>,
        pub queued_ready: Signal<Out, Bit>,
        /// `read` or `write` stays until `ack`, a strobe of one cycle.
        pub address: Signal<Out, Bits<16>>,
        pub wdata: Signal<Out, Bits<32>>,
        pub write: Signal<Out, Bit>,
        pub read: Signal<Out, Bit>,
        pub rdata: Signal<In, Bits<32>>,
        pub ack: Signal<In, Bit>,
        /// Completions, and whether this one takes a unit of data credit, or is a message.
        pub m_beat: Signal<Out, Beat>,
        pub m_data: Signal<Out, Bit>,
        pub m_message: Signal<Out, Bit>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        /// Strobes: an answer goes to the queue; one has left it. The first one there may leave.
        pub answered: Signal<Out, Bit>,
        pub taken: Signal<Out, Bit>,
        pub may_leave: Signal<In, Bit>,
        gone: Signal<Local, Bit>,
        /// Strobes: what was refused.
        pub unsupported: Signal<Out, Bit>,
        pub poisoned: Signal<Out, Bit>,
        pub refused: Signal<Out, Bit>,
        rev: ByteRev,
        answers: SmallFifo<Answer, 4, 5>,
        // 0 waits, 1 judges, 2 accesses the first word, 3 the second, 4 gives an answer
        state: DFF<Bits<3>>,
        r: DFF<Request>,
        data: DFF<Bits<64>>,
        // the word that is accessed
        at: DFF<Bits<16>>,
        word: DFF<Bits<32>>,
        answer: DFF<Answer>,
        // a place for an answer
        room: DFF<Bit>,
        // PME_Turn_Off is to be answered
        off: DFF<Bit>,
        beat: DFF<Bits<2>>, // of the answer that is sent
        unsupported_strobe: DFF<Bit>,
        poisoned_strobe: DFF<Bit>,
        refused_strobe: DFF<Bit>,
        says: Signal<Local, Bit>,
        free: Signal<Local, Bit>,
        is_two: Signal<Local, Bit>,
        whole: Signal<Local, Bit>,
        empty: Signal<Local, Bit>,
        code: Signal<Local, Bits<8>>,
        silent: Signal<Local, Bit>,
        head: Signal<Local, Answer>,
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
        // of the answers' queue, one of which is on its way
        c_places: Constant<Bits<5>> = 14u64,
        // a message without data, gathered on its way to the root complex, and its code (2.2.8.2)
        c_message: Constant<Bits<32>> = 0x3500_0000u64,
        c_ack: Constant<Bits<32>> = 0x1bu64,
        c_turn_off: Constant<Bits<8>> = 0x19u64,
        c_unlock: Constant<Bits<8>> = 0x00u64,
        c_slot_power: Constant<Bits<8>> = 0x50u64,
        c_vendor: Constant<Bits<8>> = 0x7fu64,
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
            data,
            at,
            word,
            answer,
            room,
            off,
            beat,
            unsupported_strobe,
            poisoned_strobe,
            refused_strobe
        );
        clock!(self, clock, answers);
        self.answers.reset.next = self.reset.val();
        self.unsupported_strobe.d.next = false;
        self.poisoned_strobe.d.next = false;
        self.refused_strobe.d.next = false;
        self.room.d.next = self.answers.level.val() < self.c_places.val();
        self.says.next = self.off.q.val() & self.room.q.val();
        self.free.next = (self.state.q.val() == 0) & !self.says.val();
        self.posted_ready.next = self.free.val() | self.reset.val();
        self.queued_ready.next = (self.free.val() & self.room.q.val() & !self.posted_valid.val()) | self.reset.val();

        self.is_two.next =
            (self.r.q.val().length == 2) & (self.r.q.val().last_be == 15) & !self.r.q.val().address.get_bit(2);
        self.whole.next = (self.r.q.val().first_be == 15)
            & (self.is_two.val() | ((self.r.q.val().length == 1) & (self.r.q.val().last_be == 0)));
        self.empty.next = (self.r.q.val().length == 1) & (self.r.q.val().first_be == 0) & (self.r.q.val().last_be == 0);
        // discarded silently: Unlock and Set_Slot_Power_Limit, which mean nothing to this card, Ignored messages (0x40 to 0x48,
        // 0x42 and 0x46 are not given), Vendor_Defined of type 1 (2.2.8)
        self.code.next = (bit_cast::<8, 4>(self.r.q.val().last_be) << 4) | bit_cast::<8, 4>(self.r.q.val().first_be);
        self.silent.next = (self.code.val() == self.c_unlock.val())
            | (self.code.val() == self.c_slot_power.val())
            | (self.code.val() == self.c_vendor.val())
            | ((self.r.q.val().last_be == 4)
                & ((self.r.q.val().first_be <= 8) & (self.r.q.val().first_be != 2) & (self.r.q.val().first_be != 6)));

        self.address.next = self.at.q.val();
        self.wdata.next = self.word.q.val();
        self.write.next = false;
        self.read.next = false;
        if (self.state.q.val() == 2) | (self.state.q.val() == 3) {
            self.write.next = self.r.q.val().write;
            self.read.next = !self.r.q.val().write;
        }

        self.answers.data_in.next = self.answer.q.val();
        self.answers.write.next = self.state.q.val() == 4;
        match self.state.q.val().index() {
            0 => {
                self.r.d.next = self.queued.val();
                if self.queued_valid.val() & self.room.q.val() {
                    self.state.d.next = 1.into();
                }
                if self.posted_valid.val() {
                    self.r.d.next = self.posted.val();
                    self.state.d.next = 1.into();
                }
                self.data.d.next = self.payload.val();
                if self.says.val() {
                    self.answer.d.next.message = true;
                    self.answer.d.next.with_data = false;
                    self.off.d.next = false;
                    self.state.d.next = 4.into();
                }
            }
            1 => {
                self.at.d.next = self.r.q.val().address;
                self.word.d.next = self.data.q.val().get_bits::<32>(0);
                self.answer.d.next.message = false;
                self.answer.d.next.status = 0.into();
                self.answer.d.next.with_data = false;
                self.answer.d.next.two = self.is_two.val();
                self.answer.d.next.empty = self.r.q.val().first_be == 0;
                self.answer.d.next.class = self.r.q.val().class;
                self.answer.d.next.attributes = self.r.q.val().attributes;
                self.answer.d.next.requester = self.r.q.val().requester;
                self.answer.d.next.tag = self.r.q.val().tag;
                self.answer.d.next.lower = self.r.q.val().address.get_bits::<5>(2);
                self.answer.d.next.data = 0.into();
                self.state.d.next = 0.into();
                if self.r.q.val().poisoned {
                    self.poisoned_strobe.d.next = true;
                    self.answer.d.next.status = self.c_unsupported.val();
                    if self.r.q.val().non_posted {
                        self.state.d.next = 4.into();
                    }
                } else if self.r.q.val().message {
                    if self.code.val() == self.c_turn_off.val() {
                        self.off.d.next = true;
                    } else {
                        self.unsupported_strobe.d.next = !self.silent.val();
                    }
                } else if !self.r.q.val().memory | !self.r.q.val().hit {
                    self.unsupported_strobe.d.next = true;
                    self.answer.d.next.status = self.c_unsupported.val();
                    if self.r.q.val().non_posted {
                        self.state.d.next = 4.into();
                    }
                } else if self.whole.val() & (self.r.q.val().address.get_bits::<2>(0) == 0) {
                    self.state.d.next = 2.into();
                    self.answer.d.next.with_data = !self.r.q.val().write;
                } else if self.empty.val() {
                    if !self.r.q.val().write {
                        self.state.d.next = 4.into();
                        self.answer.d.next.with_data = true;
                    }
                } else {
                    self.refused_strobe.d.next = true;
                    self.answer.d.next.status = self.c_abort.val();
                    if !self.r.q.val().write {
                        self.state.d.next = 4.into();
                    }
                }
            }
            2 => {
                if self.ack.val() {
                    self.answer.d.next.data = bit_cast::<64, 32>(self.rdata.val());
                    self.at.d.next = self.r.q.val().address + self.c_step.val();
                    self.word.d.next = self.data.q.val().get_bits::<32>(32);
                    self.state.d.next = 4.into();
                    if self.answer.q.val().two {
                        self.state.d.next = 3.into();
                    } else if self.r.q.val().write {
                        self.state.d.next = 0.into();
                    }
                }
            }
            3 => {
                if self.ack.val() {
                    self.answer.d.next.data = self.answer.q.val().data | (bit_cast::<64, 32>(self.rdata.val()) << 32);
                    self.state.d.next = 4.into();
                    if self.r.q.val().write {
                        self.state.d.next = 0.into();
                    }
                }
            }
            _ => {
                self.state.d.next = 0.into();
            }
        }

        // the answer, in network order
        self.head.next = self.answers.data_out.val();
        self.bytes.next = 4.into();
        if self.head.val().two {
            self.bytes.next = 8.into();
        }
        if self.head.val().empty {
            self.bytes.next = 1.into();
        }
        self.word0.next = self.c_cpl.val();
        if self.head.val().with_data {
            self.word0.next = self.c_cpld.val() | 1;
            if self.head.val().two {
                self.word0.next = self.c_cpld.val() | 2;
            }
        }
        self.word0.next = self.word0.val()
            | (bit_cast::<32, 3>(self.head.val().class) << 20)
            | (bit_cast::<32, 2>(self.head.val().attributes) << 12);
        self.word1.next = (bit_cast::<32, 16>(self.id.val()) << 16)
            | (bit_cast::<32, 3>(self.head.val().status) << 13)
            | bit_cast::<32, 12>(self.bytes.val());
        self.word2.next = (bit_cast::<32, 16>(self.head.val().requester) << 16)
            | (bit_cast::<32, 8>(self.head.val().tag) << 8)
            | (bit_cast::<32, 5>(self.head.val().lower) << 2);
        if self.head.val().message {
            self.word0.next = self.c_message.val();
            self.word1.next = (bit_cast::<32, 16>(self.id.val()) << 16) | self.c_ack.val();
            self.word2.next = 0.into();
        }
        self.pair.next = (bit_cast::<64, 32>(self.word0.val()) << 32) | bit_cast::<64, 32>(self.word1.val());
        if self.beat.q.val() == 1 {
            self.pair.next = bit_cast::<64, 32>(self.word2.val()) << 32;
        }
        self.rev.i.next = self.pair.val();
        self.o.next.data = self.rev.o.val();
        self.o.next.cnt = 7.into();
        self.o.next.last = false;
        self.o.next.user = false;
        if self.beat.q.val() == 1 {
            self.o.next.last = !self.head.val().two | !self.head.val().with_data;
            if self.head.val().with_data {
                self.o.next.data = (self.rev.o.val() & self.c_low.val())
                    | (bit_cast::<64, 32>(self.head.val().data.get_bits::<32>(0)) << 32);
            } else if !self.head.val().message {
                self.o.next.cnt = 3.into();
            }
        }
        if self.beat.q.val() == 2 {
            self.o.next.data = bit_cast::<64, 32>(self.head.val().data.get_bits::<32>(32));
            self.o.next.cnt = 3.into();
            self.o.next.last = true;
        }
        self.m_beat.next = self.o.val();
        self.m_data.next = self.head.val().with_data;
        self.m_message.next = self.head.val().message;
        self.m_valid.next = self.answers.valid.val() & self.may_leave.val();
        self.gone.next = self.answers.valid.val() & self.may_leave.val() & self.m_ready.val();
        self.answers.read.next = self.gone.val() & self.o.val().last;
        self.answered.next = self.state.q.val() == 4;
        self.taken.next = self.gone.val() & self.o.val().last;
        if self.gone.val() {
            self.beat.d.next = self.beat.q.val() + 1;
            if self.o.val().last {
                self.beat.d.next = 0.into();
            }
        }
        self.unsupported.next = self.unsupported_strobe.q.val();
        self.poisoned.next = self.poisoned_strobe.q.val();
        self.refused.next = self.refused_strobe.q.val();
        if self.reset.val() {
            self.state.d.next = 0.into();
            self.room.d.next = false;
            self.off.d.next = false;
            self.beat.d.next = 0.into();
            self.unsupported_strobe.d.next = false;
            self.poisoned_strobe.d.next = false;
            self.refused_strobe.d.next = false;
        }
    }
}
