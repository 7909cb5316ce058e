//! AXI4-Stream borders of 512 bits.
use super::Beat;
use rust_hdl_core::prelude::*;

/// `tkeep` must be contiguous from bit 0 and full except on the last beat.
#[derive(LogicBlock)]
pub struct FromAxis {
    pub tdata: Signal<In, Bits<512>>,
    pub tkeep: Signal<In, Bits<64>>,
    pub tlast: Signal<In, Bit>,
    pub tuser: Signal<In, Bit>,
    pub beat: Signal<Out, Beat>,
    cnt: Signal<Local, Bits<6>>,
    place: [Constant<Bits<6>>; 64],
}

impl Default for FromAxis {
    fn default() -> Self {
        Self {
            tdata: Default::default(),
            tkeep: Default::default(),
            tlast: Default::default(),
            tuser: Default::default(),
            beat: Default::default(),
            cnt: Default::default(),
            place: std::array::from_fn(|i| Constant::new((i as u64).to_bits())),
        }
    }
}

impl Logic for FromAxis {
    #[hdl_gen]
    fn update(&mut self) {
        // the highest byte that is there
        self.cnt.next = 0.into();
        for i in 0..64 {
            if self.tkeep.val().get_bit(i) {
                self.cnt.next = self.place[i].val();
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
        pub tdata: Signal<Out, Bits<512>>,
        pub tkeep: Signal<Out, Bits<64>>,
        pub tlast: Signal<Out, Bit>,
        pub tuser: Signal<Out, Bit>,
        gap: Signal<Local, Bits<6>>,
        c_full: Constant<Bits<64>> = u64::MAX,
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
