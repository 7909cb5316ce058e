//! Which writes an answer stays behind.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// An answer to a register read tells of writes, so it does not leave before those that had been offered when it was given
    /// (base specification 2.4.1: a read's completion does not pass a posted request; one reading). Writes are counted by
    /// source, up to 15 of one. A barrier holds what the answers under it wait for, source by source; those that
    /// come meanwhile wait for the next one. Without bus mastering writes stand still, and answers pass them.
    pub struct Order {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub master: Signal<In, Bit>,
        /// By source: a beat is offered; the last beat of a write is taken.
        pub offers: Signal<In, Bits<8>>,
        pub ends: Signal<In, Bits<8>>,
        /// A strobe: the last TLP of a write of this source is being sent.
        pub left: Signal<In, Bit>,
        pub left_source: Signal<In, Bits<3>>,
        /// Strobes: an answer goes to the queue; one has left it.
        pub answered: Signal<In, Bit>,
        pub taken: Signal<In, Bit>,
        /// By source: writes have been offered that have not left.
        pub flying: Signal<Out, Bits<8>>,
        /// The first answer in the queue may leave.
        pub free: Signal<Out, Bit>,
        open: DFF<Bits<8>>, // within a write
        count: [DFF<Bits<4>>; 8],
        barrier: [DFF<Bits<4>>; 8],
        // answers that may leave, that the barrier holds, that wait for the next one
        frees: DFF<Bits<5>>,
        under: DFF<Bits<5>>,
        behind: DFF<Bits<5>>,
        holds: Signal<Local, Bit>,
        goes: Signal<Local, Bits<8>>,
        comes: Signal<Local, Bits<5>>,
        leaves: Signal<Local, Bits<5>>,
        c_one: Constant<Bits<8>> = 1u64,
    }
}

impl Logic for Order {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, open, frees, under, behind);
        self.open.d.next = (self.open.q.val() | self.offers.val()) & !self.ends.val();
        self.goes.next = 0.into();
        if self.left.val() {
            self.goes.next = self.c_one.val() << self.left_source.val();
        }
        self.comes.next = 0.into();
        if self.answered.val() {
            self.comes.next = 1.into();
        }
        self.leaves.next = 0.into();
        if self.taken.val() {
            self.leaves.next = 1.into();
        }
        self.holds.next = false;
        self.flying.next = 0.into();
        for i in 0..8 {
            if self.barrier[i].q.val() != 0 {
                self.holds.next = true;
            }
            if self.count[i].q.val() != 0 {
                self.flying.next = self.flying.val().replace_bit(i, true);
            }
        }
        self.free.next = self.frees.q.val() != 0;
        self.frees.d.next = self.frees.q.val() - self.leaves.val();
        self.behind.d.next = self.behind.q.val() + self.comes.val();
        if !self.holds.val() | (self.under.q.val() == 0) {
            self.frees.d.next = self.frees.q.val() + self.under.q.val() - self.leaves.val();
            self.under.d.next = self.behind.q.val() + self.comes.val();
            self.behind.d.next = 0.into();
        }
        if !self.master.val() {
            self.frees.d.next =
                self.frees.q.val() + self.under.q.val() + self.behind.q.val() + self.comes.val() - self.leaves.val();
            self.under.d.next = 0.into();
            self.behind.d.next = 0.into();
        }
        for i in 0..8 {
            self.count[i].clock.next = self.clock.val();
            self.barrier[i].clock.next = self.clock.val();
            self.count[i].d.next = self.count[i].q.val();
            self.barrier[i].d.next = self.barrier[i].q.val();
            if self.offers.val().get_bit(i) & !self.open.q.val().get_bit(i) {
                if !self.goes.val().get_bit(i) {
                    self.count[i].d.next = self.count[i].q.val() + 1;
                }
            } else if self.goes.val().get_bit(i) {
                self.count[i].d.next = self.count[i].q.val() - 1;
            }
            if self.goes.val().get_bit(i) & (self.barrier[i].q.val() != 0) {
                self.barrier[i].d.next = self.barrier[i].q.val() - 1;
            }
            if !self.holds.val() | (self.under.q.val() == 0) {
                self.barrier[i].d.next = self.count[i].d.val();
            }
            if self.reset.val() {
                self.count[i].d.next = 0.into();
                self.barrier[i].d.next = 0.into();
            }
        }
        if self.reset.val() {
            self.open.d.next = 0.into();
            self.frees.d.next = 0.into();
            self.under.d.next = 0.into();
            self.behind.d.next = 0.into();
        }
    }
}
