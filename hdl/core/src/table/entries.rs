//! What each forward entry has carried: packets, bytes, and whether it was used since the host last asked.
use crate::stream::BlockRam;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// One word of 72 bits for each slot: packets 30:0, bytes 70:31, seen 71. Hits of the two ports, clears (commits) and
    /// selections take turns in the memory; each comes seldom enough that one register holds it until then.
    pub struct Entries[const AW: usize][AW] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        /// A packet was forwarded: place as in `Verdict`, bytes of its IP packet.
        pub front_hit: Signal<In, Bit>,
        pub front_place: Signal<In, Bits<14>>,
        pub front_bytes: Signal<In, Bits<16>>,
        pub front_flags: Signal<In, Bits<8>>,
        pub back_hit: Signal<In, Bit>,
        pub back_place: Signal<In, Bits<14>>,
        pub back_bytes: Signal<In, Bits<16>>,
        pub back_flags: Signal<In, Bits<8>>,
        /// The slot was committed: it begins at zero.
        pub clear: Signal<In, Bit>,
        pub clear_place: Signal<In, Bits<14>>,
        /// Latch a slot's counters; `forget` clears its seen bit.
        pub select: Signal<In, Bit>,
        pub select_place: Signal<In, Bits<14>>,
        pub forget: Signal<In, Bit>,
        pub selected: Signal<Out, Bits<72>>,
        /// A selection has been latched, a strobe.
        pub done: Signal<Out, Bit>,
        /// FIN, SYN or RST was forwarded: slot 11:0, bank 17:16, TCP flags 31:24.
        pub event_data: Signal<Out, Bits<32>>,
        pub event_valid: Signal<Out, Bit>,
        pub sweep: Signal<In, Bit>,
        pub sweep_slot: Signal<In, Bits<12>>,
        ram: [BlockRam<Bits<72>, AW>; 4],
        // waiting, then in the memory: front, back, clear, select
        wait_front: DFF<Bit>,
        wait_back: DFF<Bit>,
        wait_clear: DFF<Bit>,
        wait_select: DFF<Bit>,
        place_front: DFF<Bits<14>>,
        place_back: DFF<Bits<14>>,
        place_clear: DFF<Bits<14>>,
        place_select: DFF<Bits<14>>,
        bytes_front: DFF<Bits<16>>,
        bytes_back: DFF<Bits<16>>,
        flags_front: DFF<Bits<8>>,
        flags_back: DFF<Bits<8>>,
        drop_seen: DFF<Bit>,
        // 1: its place; 2: read; 3: changed
        busy1: DFF<Bit>,
        place1: DFF<Bits<14>>,
        bytes1: DFF<Bits<16>>,
        flags1: DFF<Bits<8>>,
        hit1: DFF<Bit>,
        clear1: DFF<Bit>,
        select1: DFF<Bit>,
        forget1: DFF<Bit>,
        busy2: DFF<Bit>,
        place2: DFF<Bits<14>>,
        bytes2: DFF<Bits<16>>,
        hit2: DFF<Bit>,
        clear2: DFF<Bit>,
        select2: DFF<Bit>,
        forget2: DFF<Bit>,
        word3: DFF<Bits<72>>,
        busy3: DFF<Bit>,
        place3: DFF<Bits<14>>,
        bytes3: DFF<Bits<16>>,
        hit3: DFF<Bit>,
        seen3: DFF<Bit>,
        select3: DFF<Bit>,
        latched: DFF<Bits<72>>,
        done_reg: DFF<Bit>,
        event_reg: DFF<Bits<32>>,
        event_strobe: DFF<Bit>,
        go: Signal<Local, Bit>,
        place: Signal<Local, Bits<14>>,
        read: Signal<Local, Bits<72>>,
        one: Signal<Local, Bits<72>>,
        packets: Signal<Local, Bits<72>>,
        bytes: Signal<Local, Bits<72>>,
        counted: Signal<Local, Bits<72>>,
        write: Signal<Local, Bits<72>>,
        select_bank: Signal<Local, Bits<4>>,
        write_bank: Signal<Local, Bits<4>>,
        c_bank: Constant<Bits<4>> = 1u64,
        c_packets: Constant<Bits<72>> = 0x7fff_ffffu64,
        c_bytes: Constant<Bits<72>> = 0xff_ffff_ffffu64,
    }
}

impl<const AW: usize> Logic for Entries<AW> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            wait_front,
            wait_back,
            wait_clear,
            wait_select,
            place_front,
            place_back,
            place_clear,
            place_select,
            bytes_front,
            bytes_back,
            flags_front,
            flags_back,
            drop_seen,
            busy1,
            place1,
            bytes1,
            flags1,
            hit1,
            clear1,
            select1,
            forget1,
            busy2,
            place2,
            bytes2,
            hit2,
            clear2,
            select2,
            forget2,
            word3,
            busy3,
            place3,
            bytes3,
            hit3,
            seen3,
            select3,
            latched,
            done_reg,
            event_reg,
            event_strobe
        );
        // 0: one of the four, when the last one is two steps ahead: it has written its slot when this one reads
        self.go.next = !self.busy1.q.val() & !self.busy2.q.val();
        self.place.next = self.place_select.q.val();
        self.busy1.d.next = false;
        self.hit1.d.next = false;
        self.clear1.d.next = false;
        self.select1.d.next = false;
        self.forget1.d.next = false;
        if self.go.val() {
            if self.wait_clear.q.val() {
                self.place.next = self.place_clear.q.val();
                self.busy1.d.next = true;
                self.clear1.d.next = true;
                self.wait_clear.d.next = false;
            } else if self.wait_front.q.val() {
                self.place.next = self.place_front.q.val();
                self.bytes1.d.next = self.bytes_front.q.val();
                self.flags1.d.next = self.flags_front.q.val();
                self.busy1.d.next = true;
                self.hit1.d.next = true;
                self.wait_front.d.next = false;
            } else if self.wait_back.q.val() {
                self.place.next = self.place_back.q.val();
                self.bytes1.d.next = self.bytes_back.q.val();
                self.flags1.d.next = self.flags_back.q.val();
                self.busy1.d.next = true;
                self.hit1.d.next = true;
                self.wait_back.d.next = false;
            } else if self.wait_select.q.val() {
                self.busy1.d.next = true;
                self.select1.d.next = true;
                self.forget1.d.next = self.drop_seen.q.val();
                self.wait_select.d.next = false;
            }
        }
        self.place1.d.next = self.place.val();
        if self.front_hit.val() {
            self.wait_front.d.next = true;
            self.place_front.d.next = self.front_place.val();
            self.bytes_front.d.next = self.front_bytes.val();
            self.flags_front.d.next = self.front_flags.val();
        }
        if self.back_hit.val() {
            self.wait_back.d.next = true;
            self.place_back.d.next = self.back_place.val();
            self.bytes_back.d.next = self.back_bytes.val();
            self.flags_back.d.next = self.back_flags.val();
        }
        if self.clear.val() {
            self.wait_clear.d.next = true;
            self.place_clear.d.next = self.clear_place.val();
        }
        if self.select.val() {
            self.wait_select.d.next = true;
            self.place_select.d.next = self.select_place.val();
            self.drop_seen.d.next = self.forget.val();
        }

        // 1: the memories read
        self.busy2.d.next = self.busy1.q.val();
        self.place2.d.next = self.place1.q.val();
        self.bytes2.d.next = self.bytes1.q.val();
        self.hit2.d.next = self.hit1.q.val();
        self.clear2.d.next = self.clear1.q.val();
        self.select2.d.next = self.select1.q.val();
        self.forget2.d.next = self.forget1.q.val();
        self.event_reg.d.next = (bit_cast::<32, 12>(self.place1.q.val().get_bits::<12>(0)))
            | (bit_cast::<32, 2>(self.place1.q.val().get_bits::<2>(12)) << 16)
            | (bit_cast::<32, 8>(self.flags1.q.val()) << 24);
        self.event_strobe.d.next = self.hit1.q.val() & (self.flags1.q.val().get_bits::<3>(0) != 0);

        // 2: the word of its bank
        self.read.next = 0.into();
        self.select_bank.next = self.c_bank.val() << self.place2.q.val().get_bits::<2>(12);
        for b in 0..4 {
            if self.select_bank.val().get_bit(b) {
                self.read.next = self.ram[b].read_data.val();
            }
        }
        self.word3.d.next = self.read.val();
        self.seen3.d.next = self.hit2.q.val() | (self.read.val().get_bit(71) & !self.forget2.q.val());
        self.busy3.d.next = self.busy2.q.val();
        self.place3.d.next = self.place2.q.val();
        self.bytes3.d.next = 0.into();
        if self.hit2.q.val() {
            self.bytes3.d.next = self.bytes2.q.val();
        }
        if self.clear2.q.val() {
            self.word3.d.next = 0.into();
            self.seen3.d.next = false;
        }
        self.hit3.d.next = self.hit2.q.val();
        self.select3.d.next = self.select2.q.val();

        // 3: counted, by nothing unless it was hit, and written back
        self.one.next = 0.into();
        if self.hit3.q.val() {
            self.one.next = 1.into();
        }
        self.packets.next = (self.word3.q.val() + self.one.val()) & self.c_packets.val();
        self.bytes.next = ((self.word3.q.val() >> 31) & self.c_bytes.val()) + bit_cast::<72, 16>(self.bytes3.q.val());
        self.counted.next = self.packets.val() | ((self.bytes.val() & self.c_bytes.val()) << 31);
        self.write.next = self.counted.val().replace_bit(71, self.seen3.q.val());
        if self.select3.q.val() {
            self.latched.d.next = self.word3.q.val();
        }
        self.done_reg.d.next = self.select3.q.val();
        self.write_bank.next = self.c_bank.val() << self.place3.q.val().get_bits::<2>(12);
        for b in 0..4 {
            self.ram[b].clock.next = self.clock.val();
            self.ram[b].read_address.next = bit_cast::<AW, 14>(self.place1.q.val());
            self.ram[b].write_address.next = bit_cast::<AW, 14>(self.place3.q.val());
            self.ram[b].write_data.next = self.write.val();
            self.ram[b].write_enable.next = self.busy3.q.val() & self.write_bank.val().get_bit(b);
            if self.sweep.val() {
                self.ram[b].write_address.next = bit_cast::<AW, 12>(self.sweep_slot.val());
                self.ram[b].write_data.next = 0.into();
                self.ram[b].write_enable.next = true;
            }
        }
        self.selected.next = self.latched.q.val();
        self.done.next = self.done_reg.q.val();
        self.event_data.next = self.event_reg.q.val();
        self.event_valid.next = self.event_strobe.q.val();
        if self.reset.val() {
            self.wait_front.d.next = false;
            self.wait_back.d.next = false;
            self.wait_clear.d.next = false;
            self.wait_select.d.next = false;
            self.busy1.d.next = false;
            self.busy2.d.next = false;
            self.busy3.d.next = false;
            self.hit2.d.next = false;
            self.hit3.d.next = false;
            self.hit1.d.next = false;
            self.event_strobe.d.next = false;
            self.done_reg.d.next = false;
            self.latched.d.next = 0.into();
        }
    }
}
