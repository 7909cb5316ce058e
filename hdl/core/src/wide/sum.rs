//! One's complement sum (RFC 1071) over a range of a frame's bytes, 64 a cycle.
use crate::parse::Fold;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Sums bytes `from` … `upto` - 1 of the frame whose beat `number` this is, and those of the mask `also`, bit 63 for
    /// the first byte. `head` and `tail` mark beats after which the sum is asked for; they come out with `ok` (the sum,
    /// `plus` added, is 0xffff) seven cycles later.
    pub struct Sum {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub valid: Signal<In, Bit>,
        /// In network order.
        pub data: Signal<In, Bits<512>>,
        pub number: Signal<In, Bits<11>>,
        pub from: Signal<In, Bits<17>>,
        pub upto: Signal<In, Bits<17>>,
        pub also: Signal<In, Bits<64>>,
        pub plus: Signal<In, Bits<32>>,
        pub head: Signal<In, Bit>,
        pub tail: Signal<In, Bit>,
        /// `from` … `upto` - 1 of the frame so far, with `plus`, five cycles later.
        pub so_far: Signal<Out, Bits<32>>,
        pub ok: Signal<Out, Bit>,
        pub head_out: Signal<Out, Bit>,
        pub tail_out: Signal<Out, Bit>,
        data1: DFF<Bits<512>>,
        mask1: DFF<Bits<64>>,
        plus1: DFF<Bits<32>>,
        plus2: DFF<Bits<32>>,
        plus3: DFF<Bits<32>>,
        plus4: DFF<Bits<32>>,
        part: [DFF<Bits<18>>; 8],
        all3: DFF<Bits<21>>,
        acc: DFF<Bits<32>>,
        total: DFF<Bits<32>>,
        // valid, first, head, tail in bits 0 to 3
        flags1: DFF<Bits<4>>,
        flags2: DFF<Bits<4>>,
        flags3: DFF<Bits<4>>,
        flags4: DFF<Bits<4>>,
        flags5: DFF<Bits<4>>,
        flags6: DFF<Bits<4>>,
        flags7: DFF<Bits<4>>,
        fold: Fold,
        above: Signal<Local, Bits<64>>,
        below: Signal<Local, Bits<64>>,
        from_beat: Signal<Local, Bits<11>>,
        upto_beat: Signal<Local, Bits<11>>,
        flags: Signal<Local, Bits<4>>,
        chosen: Signal<Local, Bits<8>>,
        bytes: Signal<Local, Bits<64>>,
        group: Signal<Local, Bits<64>>,
        l0: Signal<Local, Bits<18>>,
        l1: Signal<Local, Bits<18>>,
        l2: Signal<Local, Bits<18>>,
        l3: Signal<Local, Bits<18>>,
        p0: Signal<Local, Bits<21>>,
        p1: Signal<Local, Bits<21>>,
        p2: Signal<Local, Bits<21>>,
        p3: Signal<Local, Bits<21>>,
        p4: Signal<Local, Bits<21>>,
        p5: Signal<Local, Bits<21>>,
        p6: Signal<Local, Bits<21>>,
        p7: Signal<Local, Bits<21>>,
        base: Signal<Local, Bits<32>>,
        c_all: Constant<Bits<64>> = u64::MAX,
        c_byte: Constant<Bits<64>> = 0xffu64,
    }
}

impl Logic for Sum {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, data1, mask1, plus1, plus2, plus3, plus4, all3, acc, total, flags1, flags2, flags3, flags4,
            flags5, flags6, flags7
        );
        clock!(self, clock, fold);

        // 1: which bytes
        self.from_beat.next = self.from.val().get_bits::<11>(6);
        self.upto_beat.next = self.upto.val().get_bits::<11>(6);
        self.above.next = 0.into();
        if self.number.val() > self.from_beat.val() {
            self.above.next = self.c_all.val();
        } else if self.number.val() == self.from_beat.val() {
            self.above.next = self.c_all.val() >> self.from.val().get_bits::<6>(0);
        }
        self.below.next = 0.into();
        if self.number.val() < self.upto_beat.val() {
            self.below.next = self.c_all.val();
        } else if self.number.val() == self.upto_beat.val() {
            self.below.next = !(self.c_all.val() >> self.upto.val().get_bits::<6>(0));
        }
        self.mask1.d.next = (self.above.val() & self.below.val()) | self.also.val();
        self.data1.d.next = self.data.val();
        self.plus1.d.next = self.plus.val();
        self.flags.next = 0.into();
        if self.valid.val() {
            self.flags.next = 1.into();
            if self.number.val() == 0 {
                self.flags.next = self.flags.val() | 2;
            }
            if self.head.val() {
                self.flags.next = self.flags.val() | 4;
            }
            if self.tail.val() {
                self.flags.next = self.flags.val() | 8;
            }
        }
        self.flags1.d.next = self.flags.val();

        // 2: eight sums of four 16-bit words
        for g in 0..8 {
            self.part[g].clock.next = self.clock.val();
            self.chosen.next = self.mask1.q.val().get_bits::<8>(g * 8);
            self.bytes.next = 0.into();
            for i in 0..8 {
                self.bytes.next = self.bytes.val() << 8;
                if self.chosen.val().get_bit(7 - i) {
                    self.bytes.next = self.bytes.val() | self.c_byte.val();
                }
            }
            self.group.next = self.data1.q.val().get_bits::<64>(g * 64) & self.bytes.val();
            self.l0.next = bit_cast::<18, 16>(self.group.val().get_bits::<16>(0));
            self.l1.next = bit_cast::<18, 16>(self.group.val().get_bits::<16>(16));
            self.l2.next = bit_cast::<18, 16>(self.group.val().get_bits::<16>(32));
            self.l3.next = bit_cast::<18, 16>(self.group.val().get_bits::<16>(48));
            self.part[g].d.next = (self.l0.val() + self.l1.val()) + (self.l2.val() + self.l3.val());
        }
        self.plus2.d.next = self.plus1.q.val();
        self.flags2.d.next = self.flags1.q.val();

        // 3: their sum
        self.p0.next = bit_cast::<21, 18>(self.part[0].q.val());
        self.p1.next = bit_cast::<21, 18>(self.part[1].q.val());
        self.p2.next = bit_cast::<21, 18>(self.part[2].q.val());
        self.p3.next = bit_cast::<21, 18>(self.part[3].q.val());
        self.p4.next = bit_cast::<21, 18>(self.part[4].q.val());
        self.p5.next = bit_cast::<21, 18>(self.part[5].q.val());
        self.p6.next = bit_cast::<21, 18>(self.part[6].q.val());
        self.p7.next = bit_cast::<21, 18>(self.part[7].q.val());
        self.all3.d.next = ((self.p0.val() + self.p1.val()) + (self.p2.val() + self.p3.val()))
            + ((self.p4.val() + self.p5.val()) + (self.p6.val() + self.p7.val()));
        self.plus3.d.next = self.plus2.q.val();
        self.flags3.d.next = self.flags2.q.val();

        // 4: over the frame; 5: with what is not in the frame; 6 and 7: folded and compared
        self.base.next = self.acc.q.val();
        if self.flags3.q.val().get_bit(1) {
            self.base.next = 0.into();
        }
        if self.flags3.q.val().get_bit(0) {
            self.acc.d.next = self.base.val() + bit_cast::<32, 21>(self.all3.q.val());
        }
        self.plus4.d.next = self.plus3.q.val();
        self.flags4.d.next = self.flags3.q.val();
        self.total.d.next = self.acc.q.val() + self.plus4.q.val();
        self.flags5.d.next = self.flags4.q.val();
        self.so_far.next = self.total.q.val();
        self.fold.sum.next = self.total.q.val();
        self.flags6.d.next = self.flags5.q.val();
        self.flags7.d.next = self.flags6.q.val();
        self.ok.next = self.fold.valid.val();
        self.head_out.next = self.flags7.q.val().get_bit(2);
        self.tail_out.next = self.flags7.q.val().get_bit(3);
        if self.reset.val() {
            self.flags1.d.next = 0.into();
            self.flags2.d.next = 0.into();
            self.flags3.d.next = 0.into();
            self.flags4.d.next = 0.into();
            self.flags5.d.next = 0.into();
            self.flags6.d.next = 0.into();
            self.flags7.d.next = 0.into();
        }
    }
}
