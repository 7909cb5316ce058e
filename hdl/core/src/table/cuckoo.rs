//! Four-bank cuckoo table in block RAM: one lookup a cycle, five cycles of latency.
use crate::stream::BlockRam;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `AW` = log2(slots per bank), `VW` = bits of a value, `EW` = `VW` + 98. A commit (or a sweep) and a lookup must not come in
    /// the same cycle; an idle pipeline reads slot 0, and nobody looks at the result.
    pub struct Cuckoo[const AW: usize, const VW: usize, const EW: usize][AW, VW, EW] {
        pub clock: Signal<In, Clock>,
        /// The hashes of the key, 12 bits a bank.
        pub hash: Signal<In, Bits<48>>,
        /// The key looked up, two cycles after its hash.
        pub key: Signal<In, Bits<97>>,
        /// Five cycles after the hash.
        pub hit: Signal<Out, Bit>,
        pub value: Signal<Out, Bits<VW>>,
        /// Slot 11:0 and bank 13:12 of the hit.
        pub place: Signal<Out, Bits<14>>,
        /// While high, slot by slot of all banks is made invalid; key and value are the commit's.
        pub sweep: Signal<In, Bit>,
        pub sweep_slot: Signal<In, Bits<12>>,
        pub commit: Signal<In, Bit>,
        pub commit_bank: Signal<In, Bits<2>>,
        pub commit_slot: Signal<In, Bits<12>>,
        pub commit_valid: Signal<In, Bit>,
        pub commit_key: Signal<In, Bits<97>>,
        pub commit_value: Signal<In, Bits<VW>>,
        ram: [BlockRam<Bits<EW>, AW>; 4],
        // what the RAM gave: a block RAM is slow, and far from the rest
        word: [DFF<Bits<EW>>; 4],
        // a bit for each two bits of the key, then one for all
        near: [DFF<Bits<49>>; 4],
        early: [DFF<Bits<VW>>; 4],
        same: [DFF<Bit>; 4],
        entry: [DFF<Bits<VW>>; 4],
        hash1: DFF<Bits<48>>,
        hash2: DFF<Bits<48>>,
        hash3: DFF<Bits<48>>,
        hash4: DFF<Bits<48>>,
        found: DFF<Bit>,
        spot: DFF<Bits<14>>,
        result: DFF<Bits<VW>>,
        select: Signal<Local, Bits<4>>,
        any: Signal<Local, Bit>,
        merged: Signal<Local, Bits<VW>>,
        chosen: Signal<Local, Bits<14>>,
        entry_in: Signal<Local, Bits<EW>>,
        slot: Signal<Local, Bits<12>>,
        old_hash: Signal<Local, Bits<12>>,
        old_slot: Signal<Local, Bits<AW>>,
        read: Signal<Local, Bits<EW>>,
        unlike: Signal<Local, Bits<98>>,
        alike: Signal<Local, Bits<49>>,
        c_one: Constant<Bits<4>> = 1u64,
        c_valid: Constant<Bits<98>> = 1u128 << 97,
    }
}

impl<const AW: usize, const VW: usize, const EW: usize> Logic for Cuckoo<AW, VW, EW> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, hash1, hash2, hash3, hash4, found, spot, result);
        self.hash1.d.next = self.hash.val();
        self.hash2.d.next = self.hash1.q.val();
        self.hash3.d.next = self.hash2.q.val();
        self.hash4.d.next = self.hash3.q.val();
        // an entry: key 96:0, valid 97, value from 98
        self.entry_in.next =
            (bit_cast::<EW, VW>(self.commit_value.val()) << 98) | bit_cast::<EW, 97>(self.commit_key.val());
        if self.commit_valid.val() & !self.sweep.val() {
            self.entry_in.next = (bit_cast::<EW, VW>(self.commit_value.val()) << 98)
                | bit_cast::<EW, 97>(self.commit_key.val())
                | (bit_cast::<EW, 1>(1.into()) << 97);
        }
        self.select.next = self.c_one.val() << self.commit_bank.val();
        self.any.next = false;
        self.merged.next = 0.into();
        self.chosen.next = 0.into();
        for b in 0..4 {
            self.entry[b].clock.next = self.clock.val();
            self.same[b].clock.next = self.clock.val();
            self.near[b].clock.next = self.clock.val();
            self.early[b].clock.next = self.clock.val();
            self.word[b].clock.next = self.clock.val();
            self.ram[b].clock.next = self.clock.val();
            self.slot.next = self.hash.val().get_bits::<12>(b * 12);
            self.ram[b].read_address.next = bit_cast::<AW, 12>(self.slot.val());
            self.ram[b].write_address.next = bit_cast::<AW, 12>(self.commit_slot.val());
            self.ram[b].write_data.next = self.entry_in.val();
            self.ram[b].write_enable.next = self.commit.val() & self.select.val().get_bit(b);
            if self.sweep.val() {
                self.ram[b].write_address.next = bit_cast::<AW, 12>(self.sweep_slot.val());
                self.ram[b].write_enable.next = true;
            }
            self.word[b].d.next = self.ram[b].read_data.val();
            self.read.next = self.word[b].q.val();
            // bit 97: the entry is valid
            self.unlike.next =
                (self.read.val().get_bits::<98>(0) ^ bit_cast::<98, 97>(self.key.val())) ^ self.c_valid.val();
            self.alike.next = 0.into();
            for i in 0..49 {
                self.alike.next = self.alike.val().replace_bit(i, self.unlike.val().get_bits::<2>(i * 2) == 0);
            }
            self.near[b].d.next = self.alike.val();
            self.early[b].d.next = self.read.val().get_bits::<VW>(98);
            self.same[b].d.next = self.near[b].q.val().all();
            self.entry[b].d.next = self.early[b].q.val();
            self.old_hash.next = self.hash4.q.val().get_bits::<12>(b * 12);
            self.old_slot.next = bit_cast::<AW, 12>(self.old_hash.val());
            if self.same[b].q.val() {
                self.any.next = true;
                self.merged.next = self.merged.val() | self.entry[b].q.val();
                self.chosen.next = bit_cast::<14, AW>(self.old_slot.val());
            }
        }
        // the bank's number, from which of the four it was
        self.spot.d.next = self.chosen.val();
        if self.same[1].q.val() {
            self.spot.d.next = self.chosen.val() | 0x1000;
        }
        if self.same[2].q.val() {
            self.spot.d.next = self.chosen.val() | 0x2000;
        }
        if self.same[3].q.val() {
            self.spot.d.next = self.chosen.val() | 0x3000;
        }
        self.found.d.next = self.any.val();
        self.result.d.next = self.merged.val();
        self.hit.next = self.found.q.val();
        self.value.next = self.result.q.val();
        self.place.next = self.spot.q.val();
    }
}
