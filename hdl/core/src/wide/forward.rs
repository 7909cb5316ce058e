//! The way out of what is forwarded, as `route::Forward`: at this width a header and its packet's first bytes are one beat.
use super::{Arbiter, Beat, Encap};
use crate::route::Route;
use rust_hdl_core::prelude::*;

block! {
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
        arbiter: Arbiter<Route>,
        encap: Encap,
        a_both: Signal<Local, Bit>,
        b_both: Signal<Local, Bit>,
        a_take: Signal<Local, Bit>,
        b_take: Signal<Local, Bit>,
    }
}

impl Logic for Forward {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, arbiter, encap);
        self.arbiter.reset.next = self.reset.val();
        self.encap.reset.next = self.reset.val();
        self.a_both.next = self.a_valid.val() & self.a_route_valid.val();
        self.a_take.next = self.a_both.val() & self.arbiter.a_ready.val();
        self.arbiter.a_beat.next = self.a_beat.val();
        self.arbiter.a_meta.next = self.a_route.val();
        self.arbiter.a_valid.next = self.a_both.val();
        self.a_read.next = self.a_take.val();
        self.a_route_read.next = self.a_take.val() & self.a_beat.val().last;
        self.b_both.next = self.b_valid.val() & self.b_route_valid.val();
        self.b_take.next = self.b_both.val() & self.arbiter.b_ready.val();
        self.arbiter.b_beat.next = self.b_beat.val();
        self.arbiter.b_meta.next = self.b_route.val();
        self.arbiter.b_valid.next = self.b_both.val();
        self.b_read.next = self.b_take.val();
        self.b_route_read.next = self.b_take.val() & self.b_beat.val().last;
        self.a_left.next = self.a_take.val() & self.a_beat.val().last;
        self.b_left.next = self.b_take.val() & self.b_beat.val().last;
        self.left_beats.next = self.a_route.val().beats;
        if self.b_take.val() {
            self.left_beats.next = self.b_route.val().beats;
        }
        self.encap.mac.next = self.mac.val();
        self.encap.ethertype.next = self.ethertype.val();
        self.encap.s_beat.next = self.arbiter.m_beat.val();
        self.encap.s_route.next = self.arbiter.m_meta.val();
        self.encap.s_valid.next = self.arbiter.m_valid.val();
        self.arbiter.m_ready.next = self.encap.s_ready.val();
        self.m_beat.next = self.encap.m_beat.val();
        self.m_valid.next = self.encap.m_valid.val();
        self.encap.m_ready.next = self.m_ready.val();
    }
}
