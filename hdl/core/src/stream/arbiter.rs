//! Two streams into one, a frame at a time, in turn when both wait. A first frame of `b` waits a cycle, one of `a` none.
use super::{Beat, Slice};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `meta` travels beside the beats. No combinational path from `s*_valid` to `m_valid`, nor from `m_ready` to `*_ready`.
    pub struct Arbiter[M: Synth][M] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub a_beat: Signal<In, Beat>,
        pub a_meta: Signal<In, M>,
        pub a_valid: Signal<In, Bit>,
        pub a_ready: Signal<Out, Bit>,
        pub b_beat: Signal<In, Beat>,
        pub b_meta: Signal<In, M>,
        pub b_valid: Signal<In, Bit>,
        pub b_ready: Signal<Out, Bit>,
        pub m_beat: Signal<Out, Beat>,
        pub m_meta: Signal<Out, M>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        slice: Slice<M>,
        busy: DFF<Bit>,
        owner: DFF<Bit>, // true: b has the output
    }
}

impl<M: Synth> Logic for Arbiter<M> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, busy, owner);
        clock!(self, clock, slice);
        self.slice.reset.next = self.reset.val();
        self.a_ready.next = self.slice.s_ready.val() & !self.owner.q.val();
        self.b_ready.next = self.slice.s_ready.val() & self.owner.q.val();
        self.slice.s_beat.next = self.a_beat.val();
        self.slice.s_meta.next = self.a_meta.val();
        self.slice.s_valid.next = self.a_valid.val();
        if self.owner.q.val() {
            self.slice.s_beat.next = self.b_beat.val();
            self.slice.s_meta.next = self.b_meta.val();
            self.slice.s_valid.next = self.b_valid.val();
        }
        if self.slice.s_valid.val() & self.slice.s_ready.val() {
            self.busy.d.next = !self.slice.s_beat.val().last;
        }
        // after a frame the other's turn if it waits; an idle output is a's, unless b alone wants it
        if self.slice.s_valid.val() {
            if self.slice.s_ready.val() & self.slice.s_beat.val().last {
                self.owner.d.next = !self.owner.q.val() & self.b_valid.val() | self.owner.q.val() & !self.a_valid.val();
            }
        } else if !self.busy.q.val() {
            self.owner.d.next = !self.owner.q.val() & self.b_valid.val();
        }
        self.m_beat.next = self.slice.m_beat.val();
        self.m_meta.next = self.slice.m_meta.val();
        self.m_valid.next = self.slice.m_valid.val();
        self.slice.m_ready.next = self.m_ready.val();
        if self.reset.val() {
            self.busy.d.next = false;
            self.owner.d.next = false;
        }
    }
}
