//! MSI-X: the vector table, the pending bits, and the messages.
use super::Target;
use crate::stream::Beat;
use ipos_abi::regs::{MSIX_PENDING, MSIX_TABLE};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Six vectors. A slave on the register bus for the two pages of the table and the pending bits. A vector is sent when
    /// it was raised, is not masked, and its moderation time has passed since it was sent last.
    pub struct Interrupts {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        /// MSI-X enable and function mask of config space.
        pub enable: Signal<In, Bit>,
        /// Without bus mastering a message stands still, and registers are answered all the same.
        pub master: Signal<In, Bit>,
        pub mask: Signal<In, Bit>,
        pub address: Signal<In, Bits<16>>,
        pub wdata: Signal<In, Bits<32>>,
        pub write: Signal<In, Bit>,
        pub read: Signal<In, Bit>,
        pub mine: Signal<Out, Bit>,
        pub rdata: Signal<Out, Bits<32>>,
        pub ack: Signal<Out, Bit>,
        /// Strobes.
        pub raise: Signal<In, Bits<6>>,
        pub microsecond: Signal<In, Bit>,
        /// Six times 16 bits, in microseconds.
        pub moderation: Signal<In, Bits<96>>,
        pub beat: Signal<Out, Beat>,
        pub target: Signal<Out, Target>,
        pub valid: Signal<Out, Bit>,
        pub ready: Signal<In, Bit>,
        vectors: RAM<Bits<32>, 5>,
        masks: DFF<Bits<6>>,
        pending: DFF<Bits<6>>,
        timer: [DFF<Bits<16>>; 6],
        due: DFF<Bits<6>>,
        turn: DFF<Bits<3>>,
        vector: DFF<Bits<3>>,
        // 0 looks for a vector, 1 to 4 read its entry, 6 answers a read, 7 clears the table
        state: DFF<Bits<3>>,
        sending: DFF<Bit>,
        sweep: DFF<Bits<5>>,
        t: DFF<Target>,
        value: DFF<Bits<32>>,
        at: DFF<Bits<16>>,
        word: DFF<Bits<32>>,
        // where it goes: a page, and of the table the entry
        in_table: DFF<Bit>,
        in_pending: DFF<Bit>,
        accessed: DFF<Bits<6>>,
        listed: DFF<Bit>,
        reads: DFF<Bit>,
        writes: DFF<Bit>,
        rdata_reg: DFF<Bits<32>>,
        ack_reg: DFF<Bit>,
        wants: Signal<Local, Bit>,
        found: Signal<Local, Bit>,
        which: Signal<Local, Bits<6>>,
        cleared: Signal<Local, Bits<6>>,
        sent: Signal<Local, Bits<6>>,
        still: Signal<Local, Bits<6>>,
        again: Signal<Local, Bits<6>>,
        chosen: Signal<Local, Bits<6>>,
        o: Signal<Local, Beat>,
        c_one: Constant<Bits<6>> = 1u64,
        c_none: Constant<Bits<6>> = 0u64,
        c_source: Constant<Bits<3>> = 5u64,
        p_table: Constant<Bits<4>> = (MSIX_TABLE >> 12) as u64,
        p_pending: Constant<Bits<4>> = (MSIX_PENDING >> 12) as u64,
    }
}

impl Logic for Interrupts {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, masks, pending, due, turn, vector, state, sending, sweep, t, value, rdata_reg, at, word,
            in_table, in_pending, accessed, listed, reads, writes, ack_reg
        );
        self.vectors.read_clock.next = self.clock.val();
        self.vectors.write_clock.next = self.clock.val();
        // the access, a cycle later; it ends with its answer
        self.at.d.next = self.address.val();
        self.word.d.next = self.wdata.val();
        self.reads.d.next = self.read.val() & !self.ack_reg.q.val();
        self.writes.d.next = self.write.val() & !self.ack_reg.q.val();
        self.in_table.d.next = self.address.val().get_bits::<4>(12) == self.p_table.val();
        self.in_pending.d.next = self.address.val().get_bits::<4>(12) == self.p_pending.val();
        // the table has six entries of 16 bytes; what lies behind reads as zero
        self.accessed.d.next = 0.into();
        if self.in_table.d.val() & (self.address.val().get_bits::<5>(7) == 0) {
            self.accessed.d.next = self.c_one.val() << self.address.val().get_bits::<3>(4);
        }
        self.listed.d.next = self.accessed.d.val().any();
        self.mine.next = self.in_table.d.val() | self.in_pending.d.val();
        self.wants.next = (self.in_table.q.val() | self.in_pending.q.val()) & !self.ack_reg.q.val();
        self.vectors.read_address.next = bit_cast::<5, 5>(self.at.q.val().get_bits::<5>(2));
        self.vectors.write_address.next = self.at.q.val().get_bits::<5>(2);
        self.vectors.write_data.next = self.word.q.val();
        self.vectors.write_enable.next = false;
        self.ack_reg.d.next = false;
        self.rdata_reg.d.next = 0.into();
        if self.wants.val() & self.writes.q.val() & (self.state.q.val() != 7) {
            self.ack_reg.d.next = true;
            if self.listed.q.val() {
                if self.at.q.val().get_bits::<2>(2) == 3 {
                    self.masks.d.next = self.masks.q.val() & !self.accessed.q.val();
                    if self.word.q.val().get_bit(0) {
                        self.masks.d.next = self.masks.q.val() | self.accessed.q.val();
                    }
                } else {
                    self.vectors.write_enable.next = true;
                }
            }
        }

        // moderation
        self.still.next = 0.into();
        self.cleared.next = 0.into();
        self.again.next = 0.into();
        self.chosen.next = 0.into();
        self.sent.next = 0.into();
        self.which.next = self.c_one.val() << self.turn.q.val();
        self.found.next = (self.due.q.val() & self.which.val()).any();
        self.turn.d.next = self.turn.q.val() + 1;
        if self.turn.q.val() == 5 {
            self.turn.d.next = 0.into();
        }

        self.valid.next = self.sending.q.val();
        if self.sending.q.val() & self.ready.val() {
            self.sending.d.next = false;
            self.sent.next = self.c_one.val() << self.vector.q.val();
        }
        self.o.next.data = bit_cast::<64, 32>(self.value.q.val());
        self.o.next.cnt = 3.into();
        self.o.next.last = true;
        self.o.next.user = false;
        self.beat.next = self.o.val();
        self.target.next = self.t.q.val();
        match self.state.q.val().index() {
            0 => {
                if self.found.val() & !self.sending.q.val() {
                    self.vector.d.next = self.turn.q.val();
                    self.cleared.next = self.which.val();
                    self.state.d.next = 1.into();
                } else if self.wants.val() & self.reads.q.val() & (!self.sending.q.val() | !self.master.val()) {
                    self.state.d.next = 6.into();
                }
            }
            1 => {
                self.vectors.read_address.next = bit_cast::<5, 3>(self.vector.q.val()) << 2;
                self.state.d.next = 2.into();
            }
            2 => {
                self.vectors.read_address.next = (bit_cast::<5, 3>(self.vector.q.val()) << 2) | 1;
                self.t.d.next.address = bit_cast::<64, 32>(self.vectors.read_data.val());
                self.t.d.next.length = 4.into();
                self.t.d.next.notify = false;
                self.t.d.next.source = self.c_source.val();
                self.state.d.next = 3.into();
            }
            3 => {
                self.vectors.read_address.next = (bit_cast::<5, 3>(self.vector.q.val()) << 2) | 2;
                self.t.d.next.address =
                    self.t.q.val().address | (bit_cast::<64, 32>(self.vectors.read_data.val()) << 32);
                self.state.d.next = 4.into();
            }
            4 => {
                self.value.d.next = self.vectors.read_data.val();
                self.sending.d.next = true;
                self.state.d.next = 0.into();
                // masked since it was chosen: it stays pending
                self.chosen.next = self.c_one.val() << self.vector.q.val();
                if (self.masks.q.val() & self.chosen.val()).any() | self.mask.val() | !self.enable.val() {
                    self.sending.d.next = false;
                    self.again.next = self.chosen.val();
                }
            }
            6 => {
                // the read address stood in the cycle before
                self.ack_reg.d.next = true;
                if self.in_pending.q.val() {
                    if self.at.q.val().get_bits::<10>(2) == 0 {
                        self.rdata_reg.d.next = bit_cast::<32, 6>(self.pending.q.val());
                    }
                } else if self.listed.q.val() {
                    if self.at.q.val().get_bits::<2>(2) != 3 {
                        self.rdata_reg.d.next = self.vectors.read_data.val();
                    } else if (self.masks.q.val() & self.accessed.q.val()).any() {
                        self.rdata_reg.d.next = 1.into();
                    }
                }
                self.state.d.next = 0.into();
            }
            _ => {
                self.vectors.write_address.next = self.sweep.q.val();
                self.vectors.write_data.next = 0.into();
                self.vectors.write_enable.next = true;
                self.sweep.d.next = self.sweep.q.val() + 1;
                if self.sweep.q.val().all() {
                    self.state.d.next = 0.into();
                }
            }
        }
        for i in 0..6 {
            self.timer[i].clock.next = self.clock.val();
            self.timer[i].d.next = self.timer[i].q.val();
            if self.timer[i].q.val() == 0 {
                self.still.next = self.still.val().replace_bit(i, true);
            } else if self.microsecond.val() {
                self.timer[i].d.next = self.timer[i].q.val() - 1;
            }
            if self.sent.val().get_bit(i) {
                self.timer[i].d.next = self.moderation.val().get_bits::<16>(i * 16);
            }
            if self.reset.val() {
                self.timer[i].d.next = 0.into();
            }
        }
        self.pending.d.next = (self.pending.q.val() & !self.cleared.val()) | self.raise.val() | self.again.val();
        self.due.d.next = 0.into();
        if self.enable.val() & !self.mask.val() & (self.state.q.val() == 0) & !self.sending.q.val() & !self.found.val()
        {
            self.due.d.next = self.pending.q.val() & !self.masks.q.val() & self.still.val();
        }
        self.rdata.next = self.rdata_reg.q.val();
        self.ack.next = self.ack_reg.q.val();
        if self.reset.val() {
            self.masks.d.next = !self.c_none.val();
            self.pending.d.next = 0.into();
            self.due.d.next = 0.into();
            self.turn.d.next = 0.into();
            self.state.d.next = 7.into();
            self.sending.d.next = false;
            self.sweep.d.next = 0.into();
            self.ack_reg.d.next = false;
        }
    }
}
