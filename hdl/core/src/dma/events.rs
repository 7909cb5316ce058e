//! Events to host memory: entries of a ring without descriptors.
use super::Settings;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes an event a cycle. One that finds the ring full (the doorbell says what the host has taken), or the
    /// queue off, is lost.
    pub struct Events {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub settings: Signal<In, Settings>,
        pub start: Signal<In, Bit>,
        pub run: Signal<In, Bit>,
        /// Slot 11:0, bank 17:16, TCP flags 31:24.
        pub data: Signal<In, Bits<32>>,
        pub valid: Signal<In, Bit>,
        pub ready: Signal<Out, Bit>,
        pub head: Signal<In, Bits<16>>,
        pub level: Signal<In, Bits<5>>,
        pub entry: Signal<Out, Bits<128>>,
        pub write: Signal<Out, Bit>,
        pub lost: Signal<Out, Bit>,
        /// `QueueError`: the doorbell took more than there is.
        pub error: Signal<Out, Bits<2>>,
        state: DFF<Bits<2>>, // 0 waits, 1 counts what waits for the host, 2 compares, 3 decides
        word: DFF<Bits<32>>,
        open: DFF<Bits<16>>,
        full: DFF<Bit>,
        over: DFF<Bit>,
        settled: DFF<Bits<2>>,
        ring: Signal<Local, Bits<17>>,
        c_one: Constant<Bits<17>> = 1u64,
    }
}

impl Logic for Events {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, word, open, full, over, settled);
        self.ring.next = self.c_one.val() << self.settings.val().size;
        self.open.d.next = self.head.val() + bit_cast::<16, 5>(self.level.val()) - self.settings.val().tail;
        self.full.d.next = bit_cast::<17, 16>(self.open.q.val()) >= self.ring.val();
        self.over.d.next = bit_cast::<17, 16>(self.open.q.val()) > self.ring.val();
        self.ready.next = (self.state.q.val() == 0) & (self.level.val() < 12);
        self.write.next = false;
        self.lost.next = false;
        match self.state.q.val().index() {
            0 => {
                self.word.d.next = self.data.val();
                if self.valid.val() & (self.level.val() < 12) {
                    self.state.d.next = 1.into();
                }
            }
            1 => {
                self.state.d.next = 2.into();
            }
            2 => {
                self.state.d.next = 3.into();
            }
            _ => {
                self.state.d.next = 0.into();
                self.write.next = self.run.val() & !self.full.q.val();
                self.lost.next = !self.run.val() | self.full.q.val();
            }
        }
        self.error.next = 0.into();
        if !self.settled.q.val().all() {
            self.settled.d.next = self.settled.q.val() + 1;
        }
        if self.start.val() {
            self.settled.d.next = 0.into();
            // an event that is under way is counted anew
            if (self.state.q.val() == 1) | (self.state.q.val() == 2) {
                self.state.d.next = 1.into();
            }
        }
        if self.run.val() & self.over.q.val() & self.settled.q.val().all() {
            self.error.next = 1.into();
        }
        self.entry.next = bit_cast::<128, 18>(self.word.q.val().get_bits::<18>(0))
            | (bit_cast::<128, 8>(self.word.q.val().get_bits::<8>(24)) << 32);
        if self.reset.val() {
            self.state.d.next = 0.into();
            self.full.d.next = false;
            self.over.d.next = false;
            self.open.d.next = 0.into();
            self.settled.d.next = 0.into();
        }
    }
}
