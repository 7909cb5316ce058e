//! Fetches a queue's descriptors ahead of their use.
use super::{Fetch, Settings};
use crate::stream::{Beat, Fifo};
use ipos_abi::queue::QueueError;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Up to 32 descriptors, fetched in runs of up to eight that end at a multiple of eight entries, hence at the ring's
    /// end at the latest; never past the doorbell. What comes back always has room.
    pub struct Ring {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub settings: Signal<In, Settings>,
        pub start: Signal<In, Bit>,
        pub run: Signal<In, Bit>,
        pub client: Signal<In, Bits<3>>,
        /// Completions written so far.
        pub head: Signal<In, Bits<16>>,
        pub fetch: Signal<Out, Fetch>,
        pub fetch_valid: Signal<Out, Bit>,
        pub fetch_ready: Signal<In, Bit>,
        /// Answers to this client, always taken.
        pub beat: Signal<In, Beat>,
        pub beat_valid: Signal<In, Bit>,
        /// The next descriptor, word 0 low.
        pub descriptor: Signal<Out, Bits<128>>,
        pub valid: Signal<Out, Bit>,
        pub take: Signal<In, Bit>,
        /// `QueueError`, a strobe.
        pub error: Signal<Out, Bits<2>>,
        /// Answers are still to come.
        pub busy: Signal<Out, Bit>,
        fifo: Fifo<Bits<128>, 5, 6>,
        fetched: DFF<Bits<16>>, // asked for so far
        ahead: DFF<Bits<6>>,    // of them not yet here
        arrived: DFF<Bits<16>>, // those whose whole run could be read: a failed one is only known at its end
        used: DFF<Bits<16>>,
        since: DFF<Bits<4>>, // of the run that is coming in
        // the next one stands in a register
        next: DFF<Bits<128>>,
        next_valid: DFF<Bit>,
        more: DFF<Bit>,
        load: DFF<Bit>,
        half: DFF<Bit>,
        low: DFF<Bits<64>>,
        asking: DFF<Bit>,
        request: DFF<Fetch>,
        count: DFF<Bits<4>>,
        error_reg: DFF<Bits<2>>,
        // a cycle behind what they say
        open: DFF<Bits<16>>,
        most: DFF<Bits<16>>,
        ring: DFF<Bits<17>>, // its entries
        over: DFF<Bit>,
        space: DFF<Bit>,
        settled: DFF<Bits<2>>,
        index: Signal<Local, Bits<16>>,
        run_left: Signal<Local, Bits<4>>,
        amount: Signal<Local, Bits<4>>,
        f: Signal<Local, Fetch>,
        held: Signal<Local, Bits<6>>,
        c_one: Constant<Bits<17>> = 1u64,
        c_sixteen: Constant<Bits<16>> = 0xffffu64,
        c_eight: Constant<Bits<4>> = 8u64,
        c_doorbell: Constant<Bits<2>> = QueueError::Doorbell as u64,
        c_read: Constant<Bits<2>> = QueueError::DescriptorRead as u64,
    }
}

impl Logic for Ring {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, fetched, ahead, arrived, used, since, next, next_valid, more, load, half, low, asking,
            request, count, error_reg, open, most, ring, over, space, settled
        );
        clock!(self, clock, fifo);
        self.fifo.reset.next = self.reset.val() | self.start.val();
        self.error_reg.d.next = 0.into();

        // doorbell: at most a ring's length ahead of what is done, and not behind what was fetched
        self.ring.d.next = self.c_one.val() << self.settings.val().size;
        self.open.d.next = self.settings.val().tail - self.fetched.q.val();
        self.most.d.next = self.settings.val().tail - self.head.val();
        self.over.d.next = (bit_cast::<17, 16>(self.most.q.val()) > self.ring.q.val())
            | (bit_cast::<17, 16>(self.open.q.val()) > self.ring.q.val());
        if self.run.val() & self.over.q.val() & self.settled.q.val().all() {
            self.error_reg.d.next = self.c_doorbell.val();
        }

        // a run of descriptors, when there are some and they have room
        self.held.next = self.fifo.level.val() + self.ahead.q.val();
        self.space.d.next = self.held.val() <= 16;
        self.run_left.next = self.c_eight.val() - bit_cast::<4, 3>(self.fetched.q.val().get_bits::<3>(0));
        self.amount.next = self.run_left.val();
        if self.open.q.val() < bit_cast::<16, 4>(self.run_left.val()) {
            self.amount.next = bit_cast::<4, 16>(self.open.q.val());
        }
        self.index.next = self.fetched.q.val() & !(self.c_sixteen.val() << self.settings.val().size);
        self.f.next.address = self.settings.val().descriptors | (bit_cast::<64, 16>(self.index.val()) << 4);
        self.f.next.length = bit_cast::<13, 4>(self.amount.val()) << 4;
        self.f.next.client = self.client.val();
        // counts that were just changed are looked at two cycles later
        if !self.settled.q.val().all() {
            self.settled.d.next = self.settled.q.val() + 1;
        }
        // kept up to date while none is asked for: the conditions come too late to enable all of it
        if !self.asking.q.val() {
            self.request.d.next = self.f.val();
            self.count.d.next = self.amount.val();
        }
        if self.run.val()
            & !self.asking.q.val()
            & self.settled.q.val().all()
            & !self.over.q.val()
            & self.space.q.val()
            & (self.open.q.val() != 0)
        {
            self.asking.d.next = true;
        }
        self.fetch.next = self.request.q.val();
        self.fetch_valid.next = self.asking.q.val();
        if self.asking.q.val() & self.fetch_ready.val() {
            self.asking.d.next = false;
            self.fetched.d.next = self.fetched.q.val() + bit_cast::<16, 4>(self.count.q.val());
            self.ahead.d.next = self.ahead.q.val() + bit_cast::<6, 4>(self.count.q.val());
            self.settled.d.next = 0.into();
        }

        // answers: two beats a descriptor
        self.fifo.data_in.next =
            (bit_cast::<128, 64>(self.beat.val().data) << 64) | bit_cast::<128, 64>(self.low.q.val());
        self.fifo.write.next = self.beat_valid.val() & self.half.q.val();
        if self.beat_valid.val() {
            self.half.d.next = !self.half.q.val();
            self.low.d.next = self.beat.val().data;
            if self.half.q.val() {
                self.ahead.d.next = self.ahead.q.val() - 1;
                if self.asking.q.val() & self.fetch_ready.val() {
                    self.ahead.d.next = self.ahead.q.val() + bit_cast::<6, 4>(self.count.q.val()) - 1;
                }
            }
            if self.half.q.val() {
                self.since.d.next = self.since.q.val() + 1;
            }
            if self.beat.val().last {
                self.since.d.next = 0.into();
                if self.beat.val().user {
                    self.error_reg.d.next = self.c_read.val();
                } else {
                    self.arrived.d.next = self.arrived.q.val() + bit_cast::<16, 4>(self.since.q.val()) + 1;
                }
            }
        }
        self.more.d.next = self.arrived.q.val() != self.used.q.val();
        self.load.d.next = self.more.q.val() & self.fifo.valid.val() & !self.next_valid.q.val() & !self.load.q.val();
        self.fifo.read.next = self.load.q.val();
        if self.take.val() {
            self.next_valid.d.next = false;
        }
        if self.load.q.val() {
            self.next.d.next = self.fifo.data_out.val();
            self.next_valid.d.next = true;
            self.used.d.next = self.used.q.val() + 1;
        }
        self.descriptor.next = self.next.q.val();
        self.valid.next = self.next_valid.q.val() & self.run.val();
        self.error.next = self.error_reg.q.val();
        self.busy.next = self.asking.q.val() | (self.ahead.q.val() != 0);
        if self.start.val() {
            self.fetched.d.next = 0.into();
            self.arrived.d.next = 0.into();
            self.used.d.next = 0.into();
            self.more.d.next = false;
            self.load.d.next = false;
            self.next_valid.d.next = false;
            self.since.d.next = 0.into();
            self.settled.d.next = 0.into();
            self.error_reg.d.next = 0.into();
        }
        if self.reset.val() {
            self.fetched.d.next = 0.into();
            self.arrived.d.next = 0.into();
            self.used.d.next = 0.into();
            self.more.d.next = false;
            self.load.d.next = false;
            self.next_valid.d.next = false;
            self.since.d.next = 0.into();
            self.ahead.d.next = 0.into();
            self.half.d.next = false;
            self.asking.d.next = false;
            self.error_reg.d.next = 0.into();
            self.settled.d.next = 0.into();
        }
    }
}
