//! The counters of entries behind queues: for a while hits and commits may come faster than the memory takes them.
use crate::stream::Fifo;
use crate::table;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `table::Entries`, whose memory takes three cycles for a hit, a clear or a selection, behind a queue for each port. A hit
    /// is given to it only when it has done what was given before.
    pub struct Entries[const AW: usize][AW] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub front_hit: Signal<In, Bit>,
        pub front_place: Signal<In, Bits<14>>,
        pub front_bytes: Signal<In, Bits<16>>,
        pub front_flags: Signal<In, Bits<8>>,
        pub back_hit: Signal<In, Bit>,
        pub back_place: Signal<In, Bits<14>>,
        pub back_bytes: Signal<In, Bits<16>>,
        pub back_flags: Signal<In, Bits<8>>,
        pub clear: Signal<In, Bit>,
        pub clear_place: Signal<In, Bits<14>>,
        pub select: Signal<In, Bit>,
        pub select_place: Signal<In, Bits<14>>,
        pub forget: Signal<In, Bit>,
        pub selected: Signal<Out, Bits<72>>,
        pub done: Signal<Out, Bit>,
        pub event_data: Signal<Out, Bits<32>>,
        pub event_valid: Signal<Out, Bit>,
        pub sweep: Signal<In, Bit>,
        pub sweep_slot: Signal<In, Bits<12>>,
        entries: table::Entries<AW>,
        front: Fifo<Bits<38>, 6, 7>,
        back: Fifo<Bits<38>, 6, 7>,
        busy: DFF<Bits<5>>, // cycles until the memory is free for the next hit
        free: DFF<Bit>,     // none
        left: Signal<Local, Bits<5>>,
        hit: DFF<Bit>,
        from_back: DFF<Bit>,
        turn: DFF<Bit>, // true: the back port's is next
        word: Signal<Local, Bits<38>>,
        front_word: Signal<Local, Bits<38>>,
        back_word: Signal<Local, Bits<38>>,
    }
}

impl<const AW: usize> Logic for Entries<AW> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, busy, free, hit, from_back, turn);
        clock!(self, clock, entries, front, back);
        self.entries.reset.next = self.reset.val();
        self.front.reset.next = self.reset.val();
        self.back.reset.next = self.reset.val();
        // place 13:0, bytes 29:14, TCP flags 37:30
        self.front_word.next = bit_cast::<38, 14>(self.front_place.val())
            | (bit_cast::<38, 16>(self.front_bytes.val()) << 14)
            | (bit_cast::<38, 8>(self.front_flags.val()) << 30);
        self.back_word.next = bit_cast::<38, 14>(self.back_place.val())
            | (bit_cast::<38, 16>(self.back_bytes.val()) << 14)
            | (bit_cast::<38, 8>(self.back_flags.val()) << 30);
        self.front.data_in.next = self.front_word.val();
        // full only where forwarding stays dense while a host commits all the time: a packet less is counted then
        self.front.write.next = self.front_hit.val() & !self.front.level.val().get_bit(6);
        self.back.data_in.next = self.back_word.val();
        self.back.write.next = self.back_hit.val() & !self.back.level.val().get_bit(6);

        self.from_back.d.next = self.back.valid.val() & (!self.front.valid.val() | self.turn.q.val());
        self.hit.d.next = (self.front.valid.val() | self.back.valid.val()) & self.free.q.val() & !self.hit.q.val();
        self.front.read.next = self.hit.q.val() & !self.from_back.q.val();
        self.back.read.next = self.hit.q.val() & self.from_back.q.val();
        self.word.next = self.front.data_out.val();
        if self.from_back.q.val() {
            self.word.next = self.back.data_out.val();
        }
        self.entries.front_hit.next = self.hit.q.val();
        self.entries.front_place.next = self.word.val().get_bits::<14>(0);
        self.entries.front_bytes.next = self.word.val().get_bits::<16>(14);
        self.entries.front_flags.next = self.word.val().get_bits::<8>(30);
        self.entries.back_hit.next = false;
        self.entries.back_place.next = 0.into();
        self.entries.back_bytes.next = 0.into();
        self.entries.back_flags.next = 0.into();
        self.left.next = self.busy.q.val();
        if self.busy.q.val() != 0 {
            self.left.next = self.busy.q.val() - 1;
        }
        if self.hit.q.val() {
            self.left.next = self.left.val() + 1;
            self.turn.d.next = !self.from_back.q.val();
        }
        if self.clear.val() {
            self.left.next = self.left.val() + 3;
        }
        self.busy.d.next = self.left.val();
        self.free.d.next = (self.busy.q.val() <= 1) & !self.hit.q.val() & !self.clear.val();

        self.entries.clear.next = self.clear.val();
        self.entries.clear_place.next = self.clear_place.val();
        self.entries.select.next = self.select.val();
        self.entries.select_place.next = self.select_place.val();
        self.entries.forget.next = self.forget.val();
        self.entries.sweep.next = self.sweep.val();
        self.entries.sweep_slot.next = self.sweep_slot.val();
        self.selected.next = self.entries.selected.val();
        self.done.next = self.entries.done.val();
        self.event_data.next = self.entries.event_data.val();
        self.event_valid.next = self.entries.event_valid.val();
        if self.reset.val() {
            self.busy.d.next = 0.into();
            self.free.d.next = true;
            self.hit.d.next = false;
        }
    }
}
