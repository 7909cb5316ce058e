//! One's complement sums (RFC 1071) over a masked stream of 64-bit words.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Adds the four 16-bit lanes of `data` (network order) under a byte mask, bit 7 for the first byte on the
    /// wire. `first` restarts the sum, of `W` bits. The sum holds four cycles after the word.
    pub struct LaneSum[const W: usize][W] {
        pub clock: Signal<In, Clock>,
        pub valid: Signal<In, Bit>,
        pub first: Signal<In, Bit>,
        pub data: Signal<In, Bits<64>>,
        pub mask: Signal<In, Bits<8>>,
        pub sum: Signal<Out, Bits<W>>,
        // a byte that does not count is reset: that is in the register and takes no LUT
        octet: [DFF<Bits<8>>; 8],
        word_valid: DFF<Bit>,
        word_first: DFF<Bit>,
        upper: DFF<Bits<18>>,
        lower: DFF<Bits<18>>,
        pairs_valid: DFF<Bit>,
        pairs_first: DFF<Bit>,
        lanes: DFF<Bits<18>>,
        lanes_valid: DFF<Bit>,
        lanes_first: DFF<Bit>,
        acc: DFF<Bits<W>>,
        l0: Signal<Local, Bits<18>>,
        l1: Signal<Local, Bits<18>>,
        l2: Signal<Local, Bits<18>>,
        l3: Signal<Local, Bits<18>>,
        base: Signal<Local, Bits<W>>,
    }
}

impl<const W: usize> Logic for LaneSum<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            acc,
            upper,
            lower,
            word_valid,
            word_first,
            pairs_valid,
            pairs_first,
            lanes,
            lanes_valid,
            lanes_first
        );
        for i in 0..8 {
            self.octet[i].clock.next = self.clock.val();
            self.octet[i].d.next = 0.into();
            if self.mask.val().get_bit(i) {
                self.octet[i].d.next = self.data.val().get_bits::<8>(i * 8);
            }
        }
        self.word_valid.d.next = self.valid.val();
        self.word_first.d.next = self.first.val();
        self.l0.next = (bit_cast::<18, 8>(self.octet[1].q.val()) << 8) | bit_cast::<18, 8>(self.octet[0].q.val());
        self.l1.next = (bit_cast::<18, 8>(self.octet[3].q.val()) << 8) | bit_cast::<18, 8>(self.octet[2].q.val());
        self.l2.next = (bit_cast::<18, 8>(self.octet[5].q.val()) << 8) | bit_cast::<18, 8>(self.octet[4].q.val());
        self.l3.next = (bit_cast::<18, 8>(self.octet[7].q.val()) << 8) | bit_cast::<18, 8>(self.octet[6].q.val());
        self.lower.d.next = self.l0.val() + self.l1.val();
        self.upper.d.next = self.l2.val() + self.l3.val();
        self.pairs_valid.d.next = self.word_valid.q.val();
        self.pairs_first.d.next = self.word_first.q.val();
        self.lanes.d.next = self.lower.q.val() + self.upper.q.val();
        self.lanes_valid.d.next = self.pairs_valid.q.val();
        self.lanes_first.d.next = self.pairs_first.q.val();
        self.base.next = self.acc.q.val();
        if self.lanes_first.q.val() {
            self.base.next = 0.into();
        }
        if self.lanes_valid.q.val() {
            self.acc.d.next = self.base.val() + bit_cast::<W, 18>(self.lanes.q.val());
        }
        self.sum.next = self.acc.q.val();
    }
}

block! {
    /// Folds a sum to 16 bits and compares it with 0xffff; two cycles.
    pub struct Fold {
        pub clock: Signal<In, Clock>,
        pub sum: Signal<In, Bits<32>>,
        pub valid: Signal<Out, Bit>,
        once: DFF<Bits<18>>,
        ok: DFF<Bit>,
        lo: Signal<Local, Bits<18>>,
        hi: Signal<Local, Bits<18>>,
        c_ones: Constant<Bits<18>> = 0xffffu64,
        c_carried: Constant<Bits<18>> = 0x1fffeu64, // its carry added, 0xffff too
    }
}

impl Logic for Fold {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, once, ok);
        self.lo.next = bit_cast::<18, 16>(self.sum.val().get_bits::<16>(0));
        self.hi.next = bit_cast::<18, 16>(self.sum.val().get_bits::<16>(16));
        self.once.d.next = self.lo.val() + self.hi.val();
        self.ok.d.next = (self.once.q.val() == self.c_ones.val()) | (self.once.q.val() == self.c_carried.val());
        self.valid.next = self.ok.q.val();
    }
}
