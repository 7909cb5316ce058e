//! Room in a port's forward buffer, promised to packets as they are decided, and the ways that they will go.
use super::Route;
use crate::stream::LutRam;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// The buffer holds 8,192 bytes, in beats of 8 << `SHIFT` bytes; a packet is at most 2,048. So there is room for the longest one while
    /// half is promised: the packet decided in the cycle before does not count yet. A promise is kept until the packet has left.
    /// 2^`AW` - 2 routes, `LW` = `AW` + 1.
    pub struct Routes[const AW: usize, const LW: usize, const SHIFT: usize][AW, LW, SHIFT] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        /// A packet will go this way; not while `room` is low.
        pub promise: Signal<In, Bit>,
        pub way: Signal<In, Route>,
        pub room: Signal<Out, Bit>,
        /// The next promised packet begins to enter the buffer, a cycle after its promise or later.
        pub starts: Signal<In, Bit>,
        /// The way of the next packet that has begun.
        pub route: Signal<Out, Route>,
        pub valid: Signal<Out, Bit>,
        pub read: Signal<In, Bit>,
        /// A packet has left the buffer, and its `Route::beats`.
        pub left: Signal<In, Bit>,
        pub left_beats: Signal<In, Bits<8>>,
        ram: LutRam<Route, AW>,
        promised: DFF<Bit>,
        entry: DFF<Route>,
        gone: DFF<Bit>,
        gone_beats: DFF<Bits<8>>,
        wr: DFF<Bits<AW>>,
        rd: DFF<Bits<AW>>,
        count: DFF<Bits<LW>>,
        begun: DFF<Bits<LW>>,
        some: DFF<Bit>,
        owed: DFF<Bits<11>>,
        full: DFF<Bit>,
        step: Signal<Local, Bits<LW>>,
        more: Signal<Local, Bits<11>>,
        less: Signal<Local, Bits<11>>,
        c_most: Constant<Bits<LW>> = (1u64 << AW) - 3, // two that were promised do not count yet
        c_back: Constant<Bits<LW>> = (1u64 << LW) - 1,
        c_half: Constant<Bits<11>> = 512u64 >> SHIFT,
        c_shift: Constant<Bits<3>> = SHIFT as u64,
        // at 64 bits a frame's first beat is not kept
        c_part: Constant<Bits<11>> = (SHIFT != 0) as u64,
    }
}

impl<const AW: usize, const LW: usize, const SHIFT: usize> Logic for Routes<AW, LW, SHIFT> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, promised, entry, gone, gone_beats, wr, rd, count, begun, some, owed, full);
        self.promised.d.next = self.promise.val();
        self.entry.d.next = self.way.val();
        self.gone.d.next = self.left.val();
        self.gone_beats.d.next = self.left_beats.val();
        self.more.next = 0.into();
        self.less.next = 0.into();
        if self.promised.q.val() {
            self.more.next = (bit_cast::<11, 8>(self.entry.q.val().beats) >> self.c_shift.val()) + self.c_part.val();
        }
        if self.gone.q.val() {
            self.less.next = (bit_cast::<11, 8>(self.gone_beats.q.val()) >> self.c_shift.val()) + self.c_part.val();
        }
        self.owed.d.next = (self.owed.q.val() + self.more.val()) - self.less.val();

        // as in a small FIFO, one place stays free, and takes what is not promised
        self.ram.clock.next = self.clock.val();
        self.ram.write_address.next = self.wr.q.val();
        self.ram.write_data.next = self.entry.q.val();
        self.ram.write_enable.next = true;
        self.ram.read_address.next = self.rd.q.val();
        self.route.next = self.ram.read_data.val();
        self.valid.next = self.some.q.val();
        if self.promised.q.val() {
            self.wr.d.next = self.wr.q.val() + 1;
        }
        if self.read.val() {
            self.rd.d.next = self.rd.q.val() + 1;
        }
        // one adder for both ways
        self.step.next = 1.into();
        if self.read.val() {
            self.step.next = self.c_back.val();
        }
        if self.promised.q.val() ^ self.read.val() {
            self.count.d.next = self.count.q.val() + self.step.val();
        }
        // a register: what decides stands behind it
        self.full.d.next = (self.owed.d.val() >= self.c_half.val()) | (self.count.q.val() >= self.c_most.val());
        self.room.next = !self.full.q.val();
        if self.starts.val() ^ self.read.val() {
            self.begun.d.next = self.begun.q.val() + self.step.val();
        }
        if self.read.val() {
            self.some.d.next = self.begun.q.val() != 1;
        }
        if self.starts.val() {
            self.some.d.next = true;
        }
        if self.reset.val() {
            self.promised.d.next = false;
            self.gone.d.next = false;
            self.wr.d.next = 0.into();
            self.rd.d.next = 0.into();
            self.count.d.next = 0.into();
            self.begun.d.next = 0.into();
            self.some.d.next = false;
            self.owed.d.next = 0.into();
            self.full.d.next = false;
        }
    }
}
