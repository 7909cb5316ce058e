//! Two streams into one, a frame at a time, in turn when both wait.
use super::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `meta` travels beside the beats. The output is a register: no combinational path from
    /// `s*_valid` to `m_valid`.
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
        beat: DFF<Beat>,
        meta: DFF<M>,
        full: DFF<Bit>,
        busy: DFF<Bit>,
        owner: DFF<Bit>, // true: b has, or had last, the output
        pick: Signal<Local, Bit>,
        go: Signal<Local, Bit>,
        taken: Signal<Local, Beat>,
        take: Signal<Local, Bit>,
    }
}

impl<M: Synth> Logic for Arbiter<M> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, beat, meta, full, busy, owner);
        self.m_beat.next = self.beat.q.val();
        self.m_meta.next = self.meta.q.val();
        self.m_valid.next = self.full.q.val();
        self.go.next = self.m_ready.val() | !self.full.q.val();
        self.pick.next = self.owner.q.val();
        if !self.busy.q.val() {
            // b when a does not want it, or when a had it last
            self.pick.next = self.b_valid.val() & (!self.a_valid.val() | !self.owner.q.val());
        }
        self.a_ready.next = self.go.val() & !self.pick.val();
        self.b_ready.next = self.go.val() & self.pick.val();
        self.taken.next = self.a_beat.val();
        self.take.next = self.go.val() & self.a_valid.val();
        self.meta.d.next = self.meta.q.val();
        if self.pick.val() {
            self.taken.next = self.b_beat.val();
            self.take.next = self.go.val() & self.b_valid.val();
        }
        if self.go.val() {
            self.full.d.next = self.take.val();
        }
        if self.take.val() {
            self.beat.d.next = self.taken.val();
            self.meta.d.next = self.a_meta.val();
            if self.pick.val() {
                self.meta.d.next = self.b_meta.val();
            }
            self.owner.d.next = self.pick.val();
            self.busy.d.next = !self.taken.val().last;
        }
        if self.reset.val() {
            self.full.d.next = false;
            self.busy.d.next = false;
        }
    }
}
