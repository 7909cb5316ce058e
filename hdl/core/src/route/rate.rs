//! The bound on re-forwarding: a token bucket of sixteen.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// A token every `period` microseconds, up to 16; `take` spends one. Period 0: always allowed.
    pub struct Rate {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub microsecond: Signal<In, Bit>,
        pub period: Signal<In, Bits<16>>,
        pub take: Signal<In, Bit>,
        pub allow: Signal<Out, Bit>,
        tokens: DFF<Bits<5>>,
        past: DFF<Bits<16>>, // microseconds since the last token
        // a cycle later
        earned: DFF<Bit>,
        taken: DFF<Bit>,
        free: DFF<Bit>, // no limit
        earn: Signal<Local, Bit>,
    }
}

impl Logic for Rate {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, tokens, past, earned, taken, free);
        self.earned.d.next = false;
        if self.microsecond.val() {
            self.past.d.next = self.past.q.val() + 1;
            if self.past.q.val() >= self.period.val() {
                self.past.d.next = 1.into();
                self.earned.d.next = true;
            }
        }
        self.taken.d.next = self.take.val();
        self.free.d.next = self.period.val() == 0;
        self.earn.next = self.earned.q.val() & !self.tokens.q.val().get_bit(4);
        if self.earn.val() & !self.taken.q.val() {
            self.tokens.d.next = self.tokens.q.val() + 1;
        }
        if self.taken.q.val() & !self.earn.val() & (self.tokens.q.val() != 0) {
            self.tokens.d.next = self.tokens.q.val() - 1;
        }
        self.allow.next =
            self.free.q.val() | ((self.tokens.q.val() != 0) & !((self.tokens.q.val() == 1) & self.taken.q.val()));
        if self.reset.val() {
            self.tokens.d.next = 16.into();
            self.past.d.next = 1.into();
            self.earned.d.next = false;
            self.taken.d.next = false;
        }
    }
}
