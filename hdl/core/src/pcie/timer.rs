//! The completion time-out.
use crate::stream::Microsecond;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Ages of reads (base specification 2.8, 7.8.16; one reading): a read is given up at the third strobe that it sees, after two
    /// periods at least and three at most. Ranges that do not exist are the default.
    pub struct Timer {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        /// The clock's rate.
        pub khz: Signal<In, Bits<18>>,
        /// Device Control 2: completion time-out value, and disable.
        pub range: Signal<In, Bits<4>>,
        pub off: Signal<In, Bit>,
        pub age: Signal<Out, Bit>,
        clock_us: Microsecond,
        left: DFF<Bits<24>>,
        over: DFF<Bit>,
        period: DFF<Bits<24>>,
        range_before: DFF<Bits<4>>,
        changed: DFF<Bit>,
        age_strobe: DFF<Bit>,
        c_default: Constant<Bits<24>> = 11_999u64,
        c_a1: Constant<Bits<24>> = 29u64,
        c_a2: Constant<Bits<24>> = 1_999u64,
        c_b2: Constant<Bits<24>> = 49_999u64,
        c_c1: Constant<Bits<24>> = 199_999u64,
        c_c2: Constant<Bits<24>> = 799_999u64,
        c_d1: Constant<Bits<24>> = 2_999_999u64,
        c_d2: Constant<Bits<24>> = 13_999_999u64,
    }
}

impl Logic for Timer {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, left, over, period, range_before, changed, age_strobe);
        clock!(self, clock, clock_us);
        self.clock_us.reset.next = self.reset.val();
        self.clock_us.khz.next = self.khz.val();
        // microseconds less one, half of the range's least time and a third of its most within it
        self.period.d.next = self.c_default.val();
        match self.range.val().index() {
            1 => {
                self.period.d.next = self.c_a1.val();
            }
            2 => {
                self.period.d.next = self.c_a2.val();
            }
            6 => {
                self.period.d.next = self.c_b2.val();
            }
            9 => {
                self.period.d.next = self.c_c1.val();
            }
            10 => {
                self.period.d.next = self.c_c2.val();
            }
            13 => {
                self.period.d.next = self.c_d1.val();
            }
            14 => {
                self.period.d.next = self.c_d2.val();
            }
            _ => {
                self.period.d.next = self.c_default.val();
            }
        }
        self.range_before.d.next = self.range.val();
        self.over.d.next = self.left.q.val() == 0;
        self.age_strobe.d.next = false;
        if self.clock_us.tick.val() {
            self.left.d.next = self.left.q.val() - 1;
            if self.over.q.val() {
                self.left.d.next = self.period.q.val();
                self.age_strobe.d.next = !self.off.val();
            }
        }
        // a period is not cut short by a new range
        self.changed.d.next = self.range_before.q.val() != self.range.val();
        if self.changed.q.val() {
            self.left.d.next = self.period.q.val();
        }
        self.age.next = self.age_strobe.q.val();
        if self.reset.val() {
            self.left.d.next = 0.into();
            self.over.d.next = false;
            self.changed.d.next = true;
            self.age_strobe.d.next = false;
        }
    }
}
