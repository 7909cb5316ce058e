//! The card's AXI4-Stream borders: `tkeep` outside, a count inside.
use super::Beat;
use rust_hdl_core::prelude::*;

block! {
    /// `tkeep` must be contiguous from bit 0 and full except on the last beat.
    pub struct FromAxis {
        pub tdata: Signal<In, Bits<64>>,
        pub tkeep: Signal<In, Bits<8>>,
        pub tlast: Signal<In, Bit>,
        pub tuser: Signal<In, Bit>,
        pub beat: Signal<Out, Beat>,
        cnt: Signal<Local, Bits<3>>,
    }
}

impl Logic for FromAxis {
    #[hdl_gen]
    fn update(&mut self) {
        self.cnt.next = 0.into();
        for i in 1..8 {
            if self.tkeep.val().get_bit(i) {
                self.cnt.next = self.cnt.val() + 1;
            }
        }
        self.beat.next.data = self.tdata.val();
        self.beat.next.cnt = self.cnt.val();
        self.beat.next.last = self.tlast.val();
        self.beat.next.user = self.tuser.val();
    }
}

block! {
    pub struct ToAxis {
        pub beat: Signal<In, Beat>,
        pub tdata: Signal<Out, Bits<64>>,
        pub tkeep: Signal<Out, Bits<8>>,
        pub tlast: Signal<Out, Bit>,
        pub tuser: Signal<Out, Bit>,
        gap: Signal<Local, Bits<3>>,
        c_full: Constant<Bits<8>> = 0xffu64,
    }
}

impl Logic for ToAxis {
    #[hdl_gen]
    fn update(&mut self) {
        self.gap.next = !self.beat.val().cnt;
        self.tdata.next = self.beat.val().data;
        self.tkeep.next = self.c_full.val() >> self.gap.val();
        self.tlast.next = self.beat.val().last;
        self.tuser.next = self.beat.val().user;
    }
}
