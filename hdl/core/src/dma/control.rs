//! A queue's registers, and whether it runs.
use super::Settings;
use ipos_abi::queue::{MAX_RING_BITS, MIN_RING_BITS, QueueError};
use ipos_abi::regs::queues;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// The bit of a register among its queue's 16.
const fn place(register: u32) -> u64 {
    1 << (register >> 2 & 15)
}

block! {
    /// `select` marks an access to this queue, `place` has the bit of the register. The queue starts when its enable bit is
    /// set, stops taking up work when it is cleared or an error stands, and runs until nothing is under way.
    pub struct Control {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub select: Signal<In, Bit>,
        pub place: Signal<In, Bits<16>>,
        /// Holds for a cycle after the access.
        pub wdata: Signal<In, Bits<32>>,
        pub write: Signal<In, Bit>,
        /// Zero unless selected; a cycle after the access.
        pub rdata: Signal<Out, Bits<32>>,
        pub settings: Signal<Out, Settings>,
        /// A strobe: counts begin at zero.
        pub start: Signal<Out, Bit>,
        /// New work may begin.
        pub run: Signal<Out, Bit>,
        /// Something is under way.
        pub busy: Signal<In, Bit>,
        /// Completions written so far.
        pub head: Signal<In, Bits<16>>,
        /// A descriptor ended with an error, or an event was lost: a strobe.
        pub fail: Signal<In, Bit>,
        /// The ring found that it can't go on (a strobe), and why.
        pub error: Signal<In, Bits<2>>,
        /// The queue stopped: a strobe.
        pub stopped: Signal<Out, Bit>,
        regs: DFF<Settings>,
        why: DFF<Bits<2>>,
        turns: DFF<Bit>, // the control register was written in the last cycle
        begin: DFF<Bit>, // enabled, but work of before is still under way
        starting: DFF<Bit>,
        stopped_reg: DFF<Bit>,
        failed: DFF<Bits<16>>,
        data: DFF<Bits<32>>,
        r: Signal<Local, Bits<32>>,
        s: Signal<Local, Settings>,
        act: Signal<Local, Bit>,
        old: Signal<Local, Bit>,
        now_enable: Signal<Local, Bit>,
        size_ok: Signal<Local, Bit>,
        a_control: Constant<Bits<16>> = place(queues::CONTROL),
        a_status: Constant<Bits<16>> = place(queues::STATUS),
        a_descriptors_lo: Constant<Bits<16>> = place(queues::DESCRIPTORS_LO),
        a_descriptors_hi: Constant<Bits<16>> = place(queues::DESCRIPTORS_HI),
        a_completions_lo: Constant<Bits<16>> = place(queues::COMPLETIONS_LO),
        a_completions_hi: Constant<Bits<16>> = place(queues::COMPLETIONS_HI),
        a_tail: Constant<Bits<16>> = place(queues::TAIL),
        a_head: Constant<Bits<16>> = place(queues::HEAD),
        a_moderation: Constant<Bits<16>> = place(queues::MODERATION),
        a_failed: Constant<Bits<16>> = place(queues::FAILED),
        c_size: Constant<Bits<2>> = QueueError::Size as u64,
        c_least: Constant<Bits<4>> = MIN_RING_BITS as u64,
        c_most: Constant<Bits<4>> = MAX_RING_BITS as u64,
        c_low: Constant<Bits<64>> = 0xffff_ffffu64,
    }
}

impl Logic for Control {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, regs, why, turns, begin, starting, stopped_reg, failed, data);
        self.act.next = self.select.val() & self.write.val();
        self.s.next = self.regs.q.val();
        // one at most is meant: or, no choice
        self.r.next = 0.into();
        if (self.place.val() & self.a_control.val()).any() {
            self.r.next = self.r.val() | (bit_cast::<32, 4>(self.regs.q.val().size) << 8);
            if self.regs.q.val().enable {
                self.r.next = self.r.val() | 1;
            }
        }
        if (self.place.val() & self.a_status.val()).any() {
            self.r.next = self.r.val() | (bit_cast::<32, 2>(self.why.q.val()) << 8);
            if self.busy.val() | (self.regs.q.val().enable & (self.why.q.val() == 0)) {
                self.r.next = self.r.val() | 1;
            }
        }
        if (self.place.val() & self.a_descriptors_lo.val()).any() {
            self.r.next = self.r.val() | self.regs.q.val().descriptors.get_bits::<32>(0);
        }
        if (self.place.val() & self.a_descriptors_hi.val()).any() {
            self.r.next = self.r.val() | self.regs.q.val().descriptors.get_bits::<32>(32);
        }
        if (self.place.val() & self.a_completions_lo.val()).any() {
            self.r.next = self.r.val() | self.regs.q.val().completions.get_bits::<32>(0);
        }
        if (self.place.val() & self.a_completions_hi.val()).any() {
            self.r.next = self.r.val() | self.regs.q.val().completions.get_bits::<32>(32);
        }
        if (self.place.val() & self.a_tail.val()).any() {
            self.r.next = self.r.val() | bit_cast::<32, 16>(self.regs.q.val().tail);
        }
        if (self.place.val() & self.a_head.val()).any() {
            self.r.next = self.r.val() | bit_cast::<32, 16>(self.head.val());
        }
        if (self.place.val() & self.a_moderation.val()).any() {
            self.r.next = self.r.val() | bit_cast::<32, 16>(self.regs.q.val().moderation);
        }
        if (self.place.val() & self.a_failed.val()).any() {
            self.r.next = self.r.val() | bit_cast::<32, 16>(self.failed.q.val());
        }
        self.data.d.next = 0.into();
        if self.select.val() {
            self.data.d.next = self.r.val();
        }

        self.now_enable.next = self.wdata.val().get_bit(0);
        self.size_ok.next = (self.wdata.val().get_bits::<4>(8) >= self.c_least.val())
            & (self.wdata.val().get_bits::<4>(8) <= self.c_most.val());
        self.starting.d.next = self.begin.q.val() & !self.busy.val();
        if self.begin.q.val() & !self.busy.val() {
            self.begin.d.next = false;
        }
        self.stopped_reg.d.next = false;
        // what is left of the time before the start is not this one's
        self.old.next = self.begin.q.val() | self.starting.q.val();
        if self.fail.val() & !self.old.val() {
            self.failed.d.next = self.failed.q.val() + 1;
        }
        if (self.error.val() != 0) & (self.why.q.val() == 0) & !self.old.val() {
            self.why.d.next = self.error.val();
            self.stopped_reg.d.next = true;
        }
        self.turns.d.next = self.act.val() & ((self.place.val() & self.a_control.val()).any());
        if self.turns.q.val() {
            self.s.next.enable = self.now_enable.val();
            if !self.regs.q.val().enable {
                self.s.next.size = self.wdata.val().get_bits::<4>(8);
                if self.now_enable.val() {
                    self.s.next.tail = 0.into();
                    self.begin.d.next = true;
                    self.failed.d.next = 0.into();
                    self.why.d.next = 0.into();
                    if !self.size_ok.val() {
                        self.why.d.next = self.c_size.val();
                        self.stopped_reg.d.next = true;
                    }
                }
            }
        }
        if self.act.val() {
            if (self.place.val() & self.a_descriptors_lo.val()).any() {
                self.s.next.descriptors =
                    (self.regs.q.val().descriptors & !self.c_low.val()) | bit_cast::<64, 32>(self.wdata.val());
            }
            if (self.place.val() & self.a_descriptors_hi.val()).any() {
                self.s.next.descriptors =
                    (self.regs.q.val().descriptors & self.c_low.val()) | (bit_cast::<64, 32>(self.wdata.val()) << 32);
            }
            if (self.place.val() & self.a_completions_lo.val()).any() {
                self.s.next.completions =
                    (self.regs.q.val().completions & !self.c_low.val()) | bit_cast::<64, 32>(self.wdata.val());
            }
            if (self.place.val() & self.a_completions_hi.val()).any() {
                self.s.next.completions =
                    (self.regs.q.val().completions & self.c_low.val()) | (bit_cast::<64, 32>(self.wdata.val()) << 32);
            }
            if (self.place.val() & self.a_tail.val()).any() {
                self.s.next.tail = self.wdata.val().get_bits::<16>(0);
            }
            if (self.place.val() & self.a_moderation.val()).any() {
                self.s.next.moderation = self.wdata.val().get_bits::<16>(0);
            }
        }
        self.regs.d.next = self.s.val();
        self.rdata.next = self.data.q.val();
        self.settings.next = self.regs.q.val();
        self.start.next = self.starting.q.val();
        self.run.next =
            self.regs.q.val().enable & (self.why.q.val() == 0) & !self.begin.q.val() & !self.starting.q.val();
        self.stopped.next = self.stopped_reg.q.val();
        if self.reset.val() {
            self.s.next.enable = false;
            self.s.next.size = 0.into();
            self.s.next.descriptors = 0.into();
            self.s.next.completions = 0.into();
            self.s.next.tail = 0.into();
            self.s.next.moderation = 0.into();
            self.regs.d.next = self.s.val();
            self.why.d.next = 0.into();
            self.turns.d.next = false;
            self.begin.d.next = false;
            self.starting.d.next = false;
            self.stopped_reg.d.next = false;
            self.failed.d.next = 0.into();
        }
    }
}
