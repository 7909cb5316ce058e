//! The way out of what is forwarded: two ports' buffers, in turn, through one encapsulator.
use super::{Encap, Route};
use crate::stream::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `a_*` and `b_*` show the next route and the next beat of each buffer; a frame's route comes no later than its
    /// second beat, which is the first that is kept. Headers leave while the packet is still on its way through the buffer.
    pub struct Forward {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub mac: Signal<In, Bits<48>>,
        pub ethertype: Signal<In, Bits<16>>,
        pub a_route: Signal<In, Route>,
        pub a_route_valid: Signal<In, Bit>,
        pub a_route_read: Signal<Out, Bit>,
        pub a_beat: Signal<In, Beat>,
        pub a_valid: Signal<In, Bit>,
        pub a_read: Signal<Out, Bit>,
        pub b_route: Signal<In, Route>,
        pub b_route_valid: Signal<In, Bit>,
        pub b_route_read: Signal<Out, Bit>,
        pub b_beat: Signal<In, Beat>,
        pub b_valid: Signal<In, Bit>,
        pub b_read: Signal<Out, Bit>,
        /// A packet has left its buffer, and its `Route::beats`.
        pub a_left: Signal<Out, Bit>,
        pub b_left: Signal<Out, Bit>,
        pub left_beats: Signal<Out, Bits<8>>,
        pub m_beat: Signal<Out, Beat>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        encap: Encap,
        // the next frame's, and whose it is: true is b
        route: DFF<Route>,
        full: DFF<Bit>,
        owner: DFF<Bit>,
        // whose beats pass, and how many they are
        passing: DFF<Bit>,
        beats: DFF<Bits<8>>,
        pick: Signal<Local, Bit>,
        take: Signal<Local, Bit>,
    }
}

impl Logic for Forward {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, route, full, owner, passing, beats);
        clock!(self, clock, encap);
        self.encap.reset.next = self.reset.val();
        self.encap.mac.next = self.mac.val();
        self.encap.ethertype.next = self.ethertype.val();

        // b when a has nothing, or when a had its turn
        self.pick.next = self.b_route_valid.val() & (!self.a_route_valid.val() | !self.owner.q.val());
        self.take.next = !self.full.q.val() & (self.a_route_valid.val() | self.b_route_valid.val());
        self.a_route_read.next = self.take.val() & !self.pick.val();
        self.b_route_read.next = self.take.val() & self.pick.val();
        if self.encap.s_route_read.val() {
            self.full.d.next = false;
        }
        if !self.full.q.val() {
            self.route.d.next = self.a_route.val();
            if self.pick.val() {
                self.route.d.next = self.b_route.val();
            }
        }
        if self.take.val() {
            self.full.d.next = true;
            self.owner.d.next = self.pick.val();
        }
        self.encap.s_route.next = self.route.q.val();
        self.encap.s_route_valid.next = self.full.q.val();

        if self.encap.s_begin.val() {
            self.passing.d.next = self.owner.q.val();
            self.beats.d.next = self.route.q.val().beats;
        }
        self.encap.s_beat.next = self.a_beat.val();
        self.encap.s_valid.next = self.a_valid.val();
        self.a_read.next = self.a_valid.val() & self.encap.s_ready.val() & !self.passing.q.val();
        self.b_read.next = self.b_valid.val() & self.encap.s_ready.val() & self.passing.q.val();
        if self.passing.q.val() {
            self.encap.s_beat.next = self.b_beat.val();
            self.encap.s_valid.next = self.b_valid.val();
        }
        self.a_left.next = self.a_read.val() & self.a_beat.val().last;
        self.b_left.next = self.b_read.val() & self.b_beat.val().last;
        self.left_beats.next = self.beats.q.val();
        self.m_beat.next = self.encap.m_beat.val();
        self.m_valid.next = self.encap.m_valid.val();
        self.encap.m_ready.next = self.m_ready.val();
        if self.reset.val() {
            self.full.d.next = false;
        }
    }
}
