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
        mask: Signal<Local, Bits<6>>,
    }
}

impl Logic for Turn {
    #[hdl_gen]
    fn update(&mut self) {
        // a table: a shift and a subtraction would be a carry chain before the choice
        match self.last.val().index() {
            0 => self.mask.next = 0.into(),
            1 => self.mask.next = 1.into(),
            2 => self.mask.next = 3.into(),
            3 => self.mask.next = 7.into(),
            4 => self.mask.next = 15.into(),
            5 => self.mask.next = 31.into(),
            _ => self.mask.next = 63.into(),
        }
        self.below.next = self.wants.val() & self.mask.val();
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
