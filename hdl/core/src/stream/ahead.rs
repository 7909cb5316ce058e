//! A register behind a queue in block RAM, whose words come late in the cycle.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Shows the word ahead; takes the next one in the cycle in which it is read.
    pub struct Ahead[D: Synth][D] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub s_data: Signal<In, D>,
        pub s_valid: Signal<In, Bit>,
        pub s_read: Signal<Out, Bit>,
        pub m_data: Signal<Out, D>,
        pub m_valid: Signal<Out, Bit>,
        pub m_read: Signal<In, Bit>,
        data: DFF<D>,
        full: DFF<Bit>,
        go: Signal<Local, Bit>,
    }
}

impl<D: Synth> Logic for Ahead<D> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, data, full);
        self.go.next = self.m_read.val() | !self.full.q.val();
        self.s_read.next = self.go.val() & self.s_valid.val();
        if self.go.val() {
            self.data.d.next = self.s_data.val();
            self.full.d.next = self.s_valid.val();
        }
        self.m_data.next = self.data.q.val();
        self.m_valid.next = self.full.q.val();
        if self.reset.val() {
            self.full.d.next = false;
        }
    }
}
