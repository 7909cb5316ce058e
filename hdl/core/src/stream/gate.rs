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
    /// At an output. Once `close` is high what has begun leaves, and nothing else; then `shut` is high.
    pub struct Outlet {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub close: Signal<In, Bit>,
        pub shut: Signal<Out, Bit>,
        pub valid: Signal<In, Bit>,
        pub last: Signal<In, Bit>,
        /// To the card.
        pub ready: Signal<Out, Bit>,
        /// Valid, to the sink, and its answer.
        pub go: Signal<Out, Bit>,
        pub accept: Signal<In, Bit>,
        // a frame has begun, if only by a beat that waits to be taken
        inside: DFF<Bit>,
        open: Signal<Local, Bit>,
        gone: Signal<Local, Bit>,
    }
}

impl Logic for Outlet {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, inside);
        self.open.next = !self.close.val() | self.inside.q.val();
        self.gone.next = self.valid.val() & self.open.val();
        self.go.next = self.gone.val();
        self.ready.next = self.accept.val() & self.open.val();
        self.shut.next = !self.open.val();
        if self.gone.val() {
            self.inside.d.next = !(self.last.val() & self.accept.val());
        }
        if self.reset.val() {
            self.inside.d.next = false;
        }
    }
}
