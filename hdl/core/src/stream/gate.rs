//! Gates that open and close between frames only: what a function reset needs at the card's borders, since neither
//! MACs nor the PCIe core are reset with the card.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// At an input. While `hold` is high frames are taken and lost; so is the rest of a frame that `hold` cut.
    pub struct Inlet {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub hold: Signal<In, Bit>,
        pub valid: Signal<In, Bit>,
        pub last: Signal<In, Bit>,
        /// To the source.
        pub ready: Signal<Out, Bit>,
        /// Valid, to the card, and its answer.
        pub go: Signal<Out, Bit>,
        pub accept: Signal<In, Bit>,
        inside: DFF<Bit>,
        skip: DFF<Bit>,
        taken: Signal<Local, Bit>,
    }
}

impl Logic for Inlet {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, inside, skip);
        self.go.next = self.valid.val() & !self.skip.q.val() & !self.hold.val();
        self.taken.next = self.accept.val() | self.skip.q.val() | self.hold.val();
        self.ready.next = self.taken.val();
        if self.valid.val() & self.taken.val() {
            self.inside.d.next = !self.last.val();
            if self.last.val() {
                self.skip.d.next = false;
            }
        }
        if self.hold.val() {
            self.skip.d.next = self.inside.q.val();
            if self.valid.val() {
                self.skip.d.next = !self.last.val();
            }
        }
        if self.reset.val() {
            self.inside.d.next = false;
            self.skip.d.next = false;
        }
    }
}

block! {
    /// At an output, outside of the function's reset: what has been offered stands until it is taken, and a frame that the reset cuts
    /// ends with one more beat, `user` set, whenever the sink takes it. So no reset waits for a sink. In the first
    /// cycle of `cut` the card still shows what it showed before, from the next one on nothing until `cut` has ended.
    pub struct Outlet {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub cut: Signal<In, Bit>,
        pub s_data: Signal<In, Bits<64>>,
        pub s_keep: Signal<In, Bits<8>>,
        pub s_last: Signal<In, Bit>,
        pub s_user: Signal<In, Bit>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        pub m_data: Signal<Out, Bits<64>>,
        pub m_keep: Signal<Out, Bits<8>>,
        pub m_last: Signal<Out, Bit>,
        pub m_user: Signal<Out, Bit>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        // the beat that was offered last
        data: DFF<Bits<64>>,
        keep: DFF<Bits<8>>,
        last: DFF<Bit>,
        user: DFF<Bit>,
        // the sink is in a frame
        inside: DFF<Bit>,
        // a frame is to be ended, and before that the beat that was offered to be taken
        ends: DFF<Bit>,
        holds: DFF<Bit>,
        waits: Signal<Local, Bit>,
    }
}

impl Logic for Outlet {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, data, keep, last, user, inside, ends, holds);
        self.m_data.next = self.s_data.val();
        self.m_keep.next = self.s_keep.val();
        self.m_last.next = self.s_last.val();
        self.m_user.next = self.s_user.val();
        self.m_valid.next = self.s_valid.val();
        self.s_ready.next = self.m_ready.val() & !self.ends.q.val();
        if self.ends.q.val() {
            self.m_data.next = self.data.q.val();
            self.m_keep.next = self.keep.q.val();
            self.m_last.next = self.last.q.val() | !self.holds.q.val();
            self.m_user.next = self.user.q.val() | !self.holds.q.val();
            self.m_valid.next = true;
        } else {
            self.data.d.next = self.s_data.val();
            self.keep.d.next = self.s_keep.val();
            self.last.d.next = self.s_last.val();
            self.user.d.next = self.s_user.val();
        }
        if self.m_valid.val() & self.m_ready.val() {
            self.inside.d.next = !self.m_last.val();
        }
        self.waits.next = self.s_valid.val() & !self.m_ready.val();
        if self.ends.q.val() {
            if self.m_ready.val() {
                self.holds.d.next = false;
                self.ends.d.next = !self.m_last.val();
            }
        } else if self.cut.val() {
            self.holds.d.next = self.waits.val();
            self.ends.d.next = self.waits.val() | self.inside.d.val();
        }
        if self.reset.val() {
            self.inside.d.next = false;
            self.ends.d.next = false;
            self.holds.d.next = false;
        }
    }
}
