//! A stream cut in two for timing: no path leads through it, forward or back.
use super::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `s_ready` is a register, so a beat may come in the cycle in which the output stops: it waits in `spare`.
    pub struct Slice[M: Synth][M] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub s_beat: Signal<In, Beat>,
        pub s_meta: Signal<In, M>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        pub m_beat: Signal<Out, Beat>,
        pub m_meta: Signal<Out, M>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        beat: DFF<Beat>,
        meta: DFF<M>,
        full: DFF<Bit>,
        spare_beat: DFF<Beat>,
        spare_meta: DFF<M>,
        waits: DFF<Bit>, // there is one in `spare`
        go: Signal<Local, Bit>,
    }
}

impl<M: Synth> Logic for Slice<M> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, beat, meta, full, spare_beat, spare_meta, waits);
        self.go.next = self.m_ready.val() | !self.full.q.val();
        self.s_ready.next = !self.waits.q.val();
        self.m_beat.next = self.beat.q.val();
        self.m_meta.next = self.meta.q.val();
        self.m_valid.next = self.full.q.val();
        if self.go.val() {
            self.beat.d.next = self.s_beat.val();
            self.meta.d.next = self.s_meta.val();
            self.full.d.next = self.s_valid.val();
            self.waits.d.next = false;
            if self.waits.q.val() {
                self.beat.d.next = self.spare_beat.q.val();
                self.meta.d.next = self.spare_meta.q.val();
                self.full.d.next = true;
            }
        }
        if !self.waits.q.val() {
            self.spare_beat.d.next = self.s_beat.val();
            self.spare_meta.d.next = self.s_meta.val();
            self.waits.d.next = self.s_valid.val() & !self.go.val();
        }
        if self.reset.val() {
            self.full.d.next = false;
            self.waits.d.next = false;
        }
    }
}
