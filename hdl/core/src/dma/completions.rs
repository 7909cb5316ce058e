//! Writes a queue's completions in order, up to four at a time into one line of 64 bytes.
use super::{Settings, Target};
use crate::stream::{Beat, SmallFifo};
use ipos_abi::queue::LENGTH_BITS;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes entries without their phase bit. They are written when they complete a line, or as soon as nothing more is
    /// to be expected at once (`idle`).
    pub struct Completions {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub settings: Signal<In, Settings>,
        pub start: Signal<In, Bit>,
        pub idle: Signal<In, Bit>,
        /// Its number among those that write, and the vector of the interrupt that follows.
        pub source: Signal<In, Bits<3>>,
        pub entry: Signal<In, Bits<128>>,
        pub write: Signal<In, Bit>,
        /// Entries that wait here, 15 at most.
        pub level: Signal<Out, Bits<5>>,
        /// Write port.
        pub beat: Signal<Out, Beat>,
        pub target: Signal<Out, Target>,
        pub valid: Signal<Out, Bit>,
        pub ready: Signal<In, Bit>,
        /// A strobe: a write of these entries is being sent.
        pub left: Signal<In, Bit>,
        pub entries: Signal<In, Bits<3>>,
        /// Entries handed over so far, and those that have left.
        pub handed: Signal<Out, Bits<16>>,
        pub head: Signal<Out, Bits<16>>,
        pub busy: Signal<Out, Bit>,
        fifo: SmallFifo<Bits<128>, 4, 5>,
        count: DFF<Bits<16>>,
        gone: DFF<Bits<16>>,
        sending: DFF<Bit>,
        upper: DFF<Bit>,
        taken: DFF<Bit>, // an entry has left in the cycle before: the counts see it now
        rest: DFF<Bits<3>>, // entries of this write
        t: DFF<Target>,
        phase: DFF<Bit>,
        // a cycle behind what they say: while nothing is sent, entries only become more
        due: DFF<Bit>,
        next: DFF<Target>,
        next_rest: DFF<Bits<3>>,
        next_phase: DFF<Bit>,
        line: Signal<Local, Bits<3>>,
        batch: Signal<Local, Bits<3>>,
        index: Signal<Local, Bits<16>>,
        lap: Signal<Local, Bits<16>>,
        o: Signal<Local, Beat>,
        shows: Signal<Local, Bit>,
        to: Signal<Local, Target>,
        c_ones: Constant<Bits<16>> = 0xffffu64,
        c_four: Constant<Bits<3>> = 4u64,
    }
}

impl Logic for Completions {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, count, gone, sending, upper, taken, rest, t, phase, due, next, next_rest, next_phase);
        clock!(self, clock, fifo);
        self.fifo.reset.next = self.reset.val() | self.start.val();
        self.fifo.data_in.next = self.entry.val();
        self.fifo.write.next = self.write.val();
        self.level.next = self.fifo.level.val();

        // as many as wait, to the end of the line
        self.line.next = self.c_four.val() - bit_cast::<3, 2>(self.count.q.val().get_bits::<2>(0));
        self.batch.next = self.line.val();
        if self.fifo.level.val() < bit_cast::<5, 3>(self.line.val()) {
            self.batch.next = bit_cast::<3, 5>(self.fifo.level.val());
        }
        self.index.next = self.count.q.val() & !(self.c_ones.val() << self.settings.val().size);
        self.lap.next = self.count.q.val() >> self.settings.val().size;
        self.to.next.address = self.settings.val().completions | (bit_cast::<64, 16>(self.index.val()) << 4);
        self.to.next.length = bit_cast::<LENGTH_BITS, 3>(self.batch.val()) << 4;
        self.to.next.notify = true;
        self.to.next.source = self.source.val();
        self.next.d.next = self.to.val();
        self.next_rest.d.next = self.batch.val();
        self.next_phase.d.next = !self.lap.val().get_bit(0);
        self.due.d.next = !self.sending.q.val()
            & !self.due.q.val()
            & !self.taken.q.val()
            & self.fifo.valid.val()
            & (self.idle.val() | (self.fifo.level.val() >= bit_cast::<5, 3>(self.line.val())));
        if self.due.q.val() {
            self.sending.d.next = true;
            self.upper.d.next = false;
            self.t.d.next = self.next.q.val();
            self.rest.d.next = self.next_rest.q.val();
            self.phase.d.next = self.next_phase.q.val();
        }

        self.o.next.data = self.fifo.data_out.val().get_bits::<64>(0);
        self.o.next.cnt = 7.into();
        self.o.next.last = false;
        self.o.next.user = false;
        if self.upper.q.val() {
            self.o.next.data = self.fifo.data_out.val().get_bits::<64>(64);
            if self.phase.q.val() {
                self.o.next.data = self.fifo.data_out.val().get_bits::<64>(64).replace_bit(63, true);
            }
            self.o.next.last = self.rest.q.val() == 1;
        }
        self.beat.next = self.o.val();
        self.target.next = self.t.q.val();
        self.shows.next = self.sending.q.val() & self.fifo.valid.val() & !self.taken.q.val();
        self.valid.next = self.shows.val();
        if self.shows.val() & self.ready.val() {
            self.upper.d.next = !self.upper.q.val();
        }
        self.taken.d.next = self.shows.val() & self.ready.val() & self.upper.q.val();
        self.fifo.read.next = self.taken.q.val();
        if self.taken.q.val() {
            self.rest.d.next = self.rest.q.val() - 1;
            self.count.d.next = self.count.q.val() + 1;
            if self.rest.q.val() == 1 {
                self.sending.d.next = false;
            }
        }
        if self.left.val() {
            self.gone.d.next = self.gone.q.val() + bit_cast::<16, 3>(self.entries.val());
        }
        self.handed.next = self.count.q.val();
        self.head.next = self.gone.q.val();
        self.busy.next = self.sending.q.val() | (self.fifo.level.val() != 0);
        if self.start.val() {
            self.count.d.next = 0.into();
            self.gone.d.next = 0.into();
        }
        if self.reset.val() {
            self.count.d.next = 0.into();
            self.gone.d.next = 0.into();
            self.sending.d.next = false;
            self.due.d.next = false;
            self.taken.d.next = false;
        }
    }
}
