//! Whose turn it is.
use rust_hdl_core::prelude::*;

block! {
    /// The next of six below the last one that wants it, else the highest: each that goes on wanting has its turn.
    pub struct Turn {
        pub wants: Signal<In, Bits<6>>,
        pub last: Signal<In, Bits<3>>,
        pub pick: Signal<Out, Bits<3>>,
        below: Signal<Local, Bits<6>>,
        some: Signal<Local, Bits<6>>,
        c_one: Constant<Bits<6>> = 1u64,
    }
}

impl Logic for Turn {
    #[hdl_gen]
    fn update(&mut self) {
        self.below.next = self.wants.val() & ((self.c_one.val() << self.last.val()) - 1);
        self.some.next = self.wants.val();
        if self.below.val().any() {
            self.some.next = self.below.val();
        }
        self.pick.next = 0.into();
        if self.some.val().get_bit(5) {
            self.pick.next = 5.into();
        } else if self.some.val().get_bit(4) {
            self.pick.next = 4.into();
        } else if self.some.val().get_bit(3) {
            self.pick.next = 3.into();
        } else if self.some.val().get_bit(2) {
            self.pick.next = 2.into();
        } else if self.some.val().get_bit(1) {
            self.pick.next = 1.into();
        }
    }
}
