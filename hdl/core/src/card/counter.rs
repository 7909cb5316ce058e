//! An event counter, carried in two halves so that no carry chain is longer than half of it.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `W` = 2 `H` bits.
    pub struct Counter[const H: usize, const W: usize][H, W] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub strobe: Signal<In, Bit>,
        pub value: Signal<Out, Bits<W>>,
        due: DFF<Bit>, // what it counts often comes late
        low: DFF<Bits<H>>,
        high: DFF<Bits<H>>,
        c_one: Constant<Bits<H>> = 1u64,
        c_half: Constant<Bits<W>> = H as u64,
    }
}

impl<const H: usize, const W: usize> Logic for Counter<H, W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, due, low, high);
        self.due.d.next = self.strobe.val();
        if self.due.q.val() {
            self.low.d.next = self.low.q.val() + self.c_one.val();
            if self.low.q.val().all() {
                self.high.d.next = self.high.q.val() + self.c_one.val();
            }
        }
        self.value.next =
            (bit_cast::<W, H>(self.high.q.val()) << self.c_half.val()) | bit_cast::<W, H>(self.low.q.val());
        if self.reset.val() {
            self.due.d.next = false;
            self.low.d.next = 0.into();
            self.high.d.next = 0.into();
        }
    }
}
