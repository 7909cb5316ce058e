//! The bound on re-forwarding: a token bucket of sixteen.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// A token every `period` cycles, up to 16; `take` spends one. Period 0: always allowed.
    pub struct Rate {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub period: Signal<In, Bits<16>>,
        pub take: Signal<In, Bit>,
        pub allow: Signal<Out, Bit>,
        tokens: DFF<Bits<5>>,
        clocks: DFF<Bits<16>>,
        earn: Signal<Local, Bit>,
    }
}

impl Logic for Rate {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, tokens, clocks);
        self.earn.next = false;
        self.clocks.d.next = self.clocks.q.val() + 1;
        if self.clocks.q.val() >= self.period.val() {
            self.clocks.d.next = 1.into();
            self.earn.next = !self.tokens.q.val().get_bit(4);
        }
        if self.earn.val() & !self.take.val() {
            self.tokens.d.next = self.tokens.q.val() + 1;
        }
        if self.take.val() & !self.earn.val() & (self.tokens.q.val() != 0) {
            self.tokens.d.next = self.tokens.q.val() - 1;
        }
        self.allow.next = (self.tokens.q.val() != 0) | (self.period.val() == 0);
        if self.reset.val() {
            self.tokens.d.next = 16.into();
            self.clocks.d.next = 1.into();
        }
    }
}
