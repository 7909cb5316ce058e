//! Sixteen 64-bit counters in one small RAM: how a port's frames ended.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Counts an event a cycle. A read waits for a cycle without one; `value` holds with `ack`, two cycles later.
    /// After reset the RAM is swept for 16 cycles; events in that time are lost, and no frame is that fast.
    pub struct Outcomes {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub strobe: Signal<In, Bit>,
        pub code: Signal<In, Bits<4>>,
        pub read: Signal<In, Bit>,
        pub read_code: Signal<In, Bits<4>>,
        pub value: Signal<Out, Bits<64>>,
        pub ack: Signal<Out, Bit>,
        ram: RAM<Bits<64>, 4>,
        sweep: DFF<Bits<5>>,
        busy: DFF<Bit>,    // an event read the RAM in the last cycle
        reading: DFF<Bit>, // the host did
        code1: DFF<Bits<4>>,
        written: DFF<Bits<64>>,
        written_code: DFF<Bits<4>>,
        written_valid: DFF<Bit>,
        result: DFF<Bits<64>>,
        done: DFF<Bit>,
        current: Signal<Local, Bits<64>>,
        next_value: Signal<Local, Bits<64>>,
        c_one: Constant<Bits<64>> = 1u64,
    }
}

impl Logic for Outcomes {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, sweep, busy, reading, code1, written, written_code, written_valid, result, done);
        self.ram.read_clock.next = self.clock.val();
        self.ram.write_clock.next = self.clock.val();
        self.ram.read_address.next = self.read_code.val();
        self.code1.d.next = self.read_code.val();
        if self.strobe.val() {
            self.ram.read_address.next = self.code.val();
            self.code1.d.next = self.code.val();
        }
        self.busy.d.next = self.strobe.val();
        self.reading.d.next = self.read.val() & !self.strobe.val() & !self.reading.q.val() & !self.done.q.val();

        // what was written while this was read counts
        self.current.next = self.ram.read_data.val();
        if self.written_valid.q.val() & (self.written_code.q.val() == self.code1.q.val()) {
            self.current.next = self.written.q.val();
        }
        self.next_value.next = self.current.val() + self.c_one.val();
        self.ram.write_address.next = self.code1.q.val();
        self.ram.write_data.next = self.next_value.val();
        self.ram.write_enable.next = self.busy.q.val();
        self.written.d.next = self.next_value.val();
        self.written_code.d.next = self.code1.q.val();
        self.written_valid.d.next = self.busy.q.val();
        self.result.d.next = self.current.val();
        self.done.d.next = self.reading.q.val();
        self.value.next = self.result.q.val();
        self.ack.next = self.done.q.val();

        if !self.sweep.q.val().get_bit(4) {
            self.sweep.d.next = self.sweep.q.val() + 1;
            self.ram.write_address.next = bit_cast::<4, 5>(self.sweep.q.val());
            self.ram.write_data.next = 0.into();
            self.ram.write_enable.next = true;
            self.written_valid.d.next = false;
        }
        if self.reset.val() {
            self.sweep.d.next = 0.into();
            self.busy.d.next = false;
            self.reading.d.next = false;
            self.done.d.next = false;
            self.written_valid.d.next = false;
        }
    }
}
