//! Time, from the clock's rate.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// A strobe every microsecond on average, at any rate of the clock from 1 MHz to 262 MHz.
    pub struct Microsecond {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        /// The clock's rate.
        pub khz: Signal<In, Bits<18>>,
        pub tick: Signal<Out, Bit>,
        // below zero: a microsecond is not over
        phase: DFF<Bits<19>>,
        over: DFF<Bit>,
        step: Signal<Local, Bits<19>>,
        c_step: Constant<Bits<19>> = 1_000u64,
    }
}

impl Logic for Microsecond {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, phase, over);
        self.step.next = self.c_step.val();
        if !self.phase.q.val().get_bit(18) {
            self.step.next = self.c_step.val() - bit_cast::<19, 18>(self.khz.val());
        }
        self.phase.d.next = self.phase.q.val() + self.step.val();
        self.over.d.next = !self.phase.q.val().get_bit(18);
        self.tick.next = self.over.q.val();
        if self.reset.val() {
            self.phase.d.next = 0.into();
            self.over.d.next = false;
        }
    }
}
