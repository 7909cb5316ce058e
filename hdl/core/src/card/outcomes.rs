//! Sixteen 64-bit counters in small RAMs: how a port's frames ended.
use crate::stream::LutRam;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Counts an event a cycle, the lower half in the next cycle and the upper one in the one after that. A read waits for a cycle
    /// without an event; `value` holds with `ack`, three cycles later. After reset the RAMs are swept for 16 cycles;
    /// events in that time are lost, and no frame is that fast.
    pub struct Outcomes {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub strobe: Signal<In, Bit>,
        pub code: Signal<In, Bits<4>>,
        pub read: Signal<In, Bit>,
        pub read_code: Signal<In, Bits<4>>,
        pub value: Signal<Out, Bits<64>>,
        pub ack: Signal<Out, Bit>,
        low: LutRam<Bits<32>, 4>,
        high: LutRam<Bits<32>, 4>,
        sweep: DFF<Bits<5>>,
        code1: DFF<Bits<4>>,
        counts1: DFF<Bit>,
        reads1: DFF<Bit>,
        code2: DFF<Bits<4>>,
        carry2: DFF<Bit>,
        reads2: DFF<Bit>,
        low2: DFF<Bits<32>>,
        result: DFF<Bits<64>>,
        done: DFF<Bit>,
    }
}

impl Logic for Outcomes {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, sweep, code1, counts1, reads1, code2, carry2, reads2, low2, result, done);
        self.low.clock.next = self.clock.val();
        self.high.clock.next = self.clock.val();
        self.code1.d.next = self.read_code.val();
        if self.strobe.val() {
            self.code1.d.next = self.code.val();
        }
        self.counts1.d.next = self.strobe.val();
        self.reads1.d.next =
            self.read.val() & !self.strobe.val() & !self.reads1.q.val() & !self.reads2.q.val() & !self.done.q.val();

        self.low.read_address.next = self.code1.q.val();
        self.low.write_address.next = self.code1.q.val();
        self.low.write_data.next = self.low.read_data.val() + 1;
        self.low.write_enable.next = self.counts1.q.val();
        self.code2.d.next = self.code1.q.val();
        self.carry2.d.next = self.counts1.q.val() & self.low.read_data.val().all();
        self.reads2.d.next = self.reads1.q.val();
        self.low2.d.next = self.low.read_data.val();

        self.high.read_address.next = self.code2.q.val();
        self.high.write_address.next = self.code2.q.val();
        self.high.write_data.next = self.high.read_data.val() + 1;
        self.high.write_enable.next = self.carry2.q.val();
        self.result.d.next =
            (bit_cast::<64, 32>(self.high.read_data.val()) << 32) | bit_cast::<64, 32>(self.low2.q.val());
        self.done.d.next = self.reads2.q.val();
        self.value.next = self.result.q.val();
        self.ack.next = self.done.q.val();

        if !self.sweep.q.val().get_bit(4) {
            self.sweep.d.next = self.sweep.q.val() + 1;
            self.low.write_address.next = bit_cast::<4, 5>(self.sweep.q.val());
            self.low.write_data.next = 0.into();
            self.low.write_enable.next = true;
            self.high.write_address.next = bit_cast::<4, 5>(self.sweep.q.val());
            self.high.write_data.next = 0.into();
            self.high.write_enable.next = true;
        }
        if self.reset.val() {
            self.sweep.d.next = 0.into();
            self.counts1.d.next = false;
            self.reads1.d.next = false;
            self.carry2.d.next = false;
            self.reads2.d.next = false;
            self.done.d.next = false;
        }
    }
}
