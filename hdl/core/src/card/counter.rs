//! A 64-bit event counter, carried in two halves so that no carry chain is longer than 32 bits.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    pub struct Counter {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub strobe: Signal<In, Bit>,
        pub value: Signal<Out, Bits<64>>,
        low: DFF<Bits<32>>,
        high: DFF<Bits<32>>,
        c_one: Constant<Bits<32>> = 1u64,
    }
}

impl Logic for Counter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, low, high);
        if self.strobe.val() {
            self.low.d.next = self.low.q.val() + self.c_one.val();
            if self.low.q.val().all() {
                self.high.d.next = self.high.q.val() + self.c_one.val();
            }
        }
        self.value.next =
            (bit_cast::<64, 32>(self.high.q.val()) << 32) | bit_cast::<64, 32>(self.low.q.val());
        if self.reset.val() {
            self.low.d.next = 0.into();
            self.high.d.next = 0.into();
        }
    }
}
