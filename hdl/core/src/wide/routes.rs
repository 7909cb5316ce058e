//! Room for what is forwarded, as `route::Routes`: at this width in the counters of entries, too.
use crate::route::{self, Route};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Frames may come each cycle, and `Entries` takes three for a change: room there is lent at eight cycles a forwarded
    /// frame, for 32 frames at once.
    pub struct Routes {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub promise: Signal<In, Bit>,
        pub way: Signal<In, Route>,
        pub room: Signal<Out, Bit>,
        pub starts: Signal<In, Bit>,
        pub route: Signal<Out, Route>,
        pub valid: Signal<Out, Bit>,
        pub read: Signal<In, Bit>,
        pub left: Signal<In, Bit>,
        pub left_beats: Signal<In, Bits<8>>,
        routes: route::Routes<5, 6, 3>,
        due: DFF<Bits<10>>, // cycles that the counters of promised frames still take, at most
        waits: Signal<Local, Bits<10>>,
        c_due: Constant<Bits<10>> = 256u64,
    }
}

impl Logic for Routes {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, due);
        clock!(self, clock, routes);
        self.routes.reset.next = self.reset.val();
        self.routes.promise.next = self.promise.val();
        self.routes.way.next = self.way.val();
        self.routes.starts.next = self.starts.val();
        self.routes.read.next = self.read.val();
        self.routes.left.next = self.left.val();
        self.routes.left_beats.next = self.left_beats.val();
        self.route.next = self.routes.route.val();
        self.valid.next = self.routes.valid.val();
        self.room.next = self.routes.room.val() & (self.due.q.val() < self.c_due.val());
        self.waits.next = self.due.q.val();
        if self.due.q.val() != 0 {
            self.waits.next = self.due.q.val() - 1;
        }
        self.due.d.next = self.waits.val();
        if self.promise.val() {
            self.due.d.next = self.waits.val() + 8;
        }
        if self.reset.val() {
            self.due.d.next = 0.into();
        }
    }
}
