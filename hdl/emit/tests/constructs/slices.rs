//! Parts of values, and casts.

use crate::group;
use rust_hdl_core::prelude::*;

#[derive(LogicBlock)]
pub struct Slices {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub get_bits: Signal<Out, Bits<3>>,
    pub get_all: Signal<Out, Bits<5>>,
    pub get_bits_of_sum: Signal<Out, Bits<3>>,
    pub low_bits_of_sum: Signal<Out, Bits<3>>,
    pub get_bits_at: Signal<Out, Bits<4>>,
    pub get_bits_at_end: Signal<Out, Bits<4>>,
    pub get_bits_of_sum_at: Signal<Out, Bits<4>>,
    pub get_bits_constant: Signal<Out, Bits<3>>,
    pub get_bit: Signal<Out, Bit>,
    pub get_bit_of_sum: Signal<Out, Bit>,
    pub not_bit_of_sum: Signal<Out, Bit>,
    pub get_bit_at: Signal<Out, Bit>,
    pub get_bit_at_short: Signal<Out, Bit>,
    pub get_bit_of_sum_at: Signal<Out, Bit>,
    pub replace_bit: Signal<Out, Bits<5>>,
    pub replace_bit_at: Signal<Out, Bits<8>>,
    pub of_constant: Signal<Out, Bits<3>>,
    double: Signal<Local, Bits<16>>,
    byte_index: Signal<Local, Bits<3>>,
    short_index: Signal<Local, Bits<2>>,
    long: Signal<Local, Bits<32>>,
    offset: Constant<Bits<5>>,
    pattern: Constant<Bits<12>>,
}

impl Default for Slices {
    fn default() -> Self {
        Slices {
            clock: Default::default(),
            a: Default::default(),
            b: Default::default(),
            c: Default::default(),
            get_bits: Default::default(),
            get_all: Default::default(),
            get_bits_of_sum: Default::default(),
            low_bits_of_sum: Default::default(),
            get_bits_at: Default::default(),
            get_bits_at_end: Default::default(),
            get_bits_of_sum_at: Default::default(),
            get_bits_constant: Default::default(),
            get_bit: Default::default(),
            get_bit_of_sum: Default::default(),
            not_bit_of_sum: Default::default(),
            get_bit_at: Default::default(),
            get_bit_at_short: Default::default(),
            get_bit_of_sum_at: Default::default(),
            replace_bit: Default::default(),
            replace_bit_at: Default::default(),
            of_constant: Default::default(),
            double: Default::default(),
            byte_index: Default::default(),
            short_index: Default::default(),
            long: Default::default(),
            offset: Constant::new(2.into()),
            pattern: Constant::new(0xa5c.into()),
        }
    }
}

impl Logic for Slices {
    #[hdl_gen]
    fn update(&mut self) {
        self.double.next = bit_cast::<16, 5>(self.a.val()) << 7 | bit_cast::<16, 5>(self.b.val());
        self.byte_index.next = bit_cast::<3, 5>(self.b.val());
        self.short_index.next = bit_cast::<2, 5>(self.b.val());
        self.long.next = bit_cast::<32, 16>(self.double.val()) << 9 | 5;
        self.get_bits.next = self.a.val().get_bits::<3>(1);
        self.get_all.next = self.a.val().get_bits::<5>(0);
        self.get_bits_of_sum.next = (self.a.val() + self.b.val()).get_bits::<3>(2);
        self.low_bits_of_sum.next = (self.a.val() + self.b.val()).get_bits::<3>(0);
        self.get_bits_at.next = self.double.val().get_bits::<4>(self.byte_index.val().index());
        self.get_bits_at_end.next = self.long.val().get_bits::<4>(self.b.val().index());
        self.get_bits_of_sum_at.next = (self.double.val() + 77).get_bits::<4>(self.byte_index.val().index());
        self.get_bits_constant.next = self.a.val().get_bits::<3>(self.offset.val().index());
        self.get_bit.next = self.a.val().get_bit(4);
        self.get_bit_of_sum.next = (self.a.val() + self.b.val()).get_bit(4);
        self.not_bit_of_sum.next = !(self.a.val() + self.b.val()).get_bit(4);
        self.get_bit_at.next = self.long.val().get_bit(self.b.val().index());
        self.get_bit_at_short.next = self.a.val().get_bit(self.short_index.val().index());
        self.get_bit_of_sum_at.next = (self.a.val() + self.b.val()).get_bit(self.short_index.val().index());
        self.replace_bit.next = self.a.val().replace_bit(3, self.c.val());
        self.replace_bit_at.next =
            bit_cast::<8, 5>(self.a.val() ^ self.b.val()).replace_bit(self.byte_index.val().index(), self.c.val());
        self.of_constant.next = self.pattern.val().get_bits::<3>(4);
    }
}
group!(Slices);

#[derive(LogicBlock, Default)]
pub struct Casts {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub narrow: Signal<Out, Bits<3>>,
    pub widen: Signal<Out, Bits<9>>,
    pub same: Signal<Out, Bits<5>>,
    pub narrow_sum: Signal<Out, Bits<3>>,
    pub widen_sum: Signal<Out, Bits<9>>,
    pub sum_of_widened: Signal<Out, Bits<9>>,
    pub widen_not: Signal<Out, Bits<9>>,
    pub widen_bit: Signal<Out, Bits<4>>,
    pub widen_comparison: Signal<Out, Bits<4>>,
    pub literal: Signal<Out, Bits<7>>,
    pub narrow_shifted: Signal<Out, Bits<3>>,
    pub widen_shifted: Signal<Out, Bits<9>>,
    one: Signal<Local, Bits<1>>,
}

impl Logic for Casts {
    #[hdl_gen]
    fn update(&mut self) {
        self.narrow.next = bit_cast::<3, 5>(self.a.val());
        self.widen.next = bit_cast::<9, 5>(self.a.val());
        self.same.next = bit_cast::<5, 5>(self.a.val());
        self.narrow_sum.next = bit_cast::<3, 5>(self.a.val() + self.b.val());
        self.widen_sum.next = bit_cast::<9, 5>(self.a.val() + self.b.val());
        self.sum_of_widened.next = bit_cast::<9, 5>(self.a.val()) + bit_cast::<9, 5>(self.b.val());
        self.widen_not.next = bit_cast::<9, 5>(!self.a.val());
        self.one.next = self.c.val().into();
        self.widen_bit.next = bit_cast::<4, 1>(self.one.val());
        self.widen_comparison.next = bit_cast::<4, 1>((self.a.val() < self.b.val()).into());
        self.literal.next = bits::<7>(99);
        self.narrow_shifted.next = bit_cast::<3, 5>(self.a.val() >> 1);
        self.widen_shifted.next = bit_cast::<9, 5>(self.a.val() << 3);
    }
}
group!(Casts);

/// Values of several words: Verilator takes other paths for them.
#[derive(LogicBlock, Default)]
pub struct Wide {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub sum: Signal<Out, Bits<70>>,
    pub difference: Signal<Out, Bits<70>>,
    pub less: Signal<Out, Bit>,
    pub less_than_literal: Signal<Out, Bit>,
    pub part: Signal<Out, Bits<40>>,
    pub part_at: Signal<Out, Bits<8>>,
    pub part_at_end: Signal<Out, Bits<8>>,
    pub bit_at: Signal<Out, Bit>,
    pub replaced: Signal<Out, Bits<70>>,
    pub widened: Signal<Out, Bits<100>>,
    pub narrowed: Signal<Out, Bits<33>>,
    pub shifted: Signal<Out, Bits<70>>,
    x: Signal<Local, Bits<70>>,
    y: Signal<Local, Bits<70>>,
    position: Signal<Local, Bits<7>>,
}

impl Logic for Wide {
    #[hdl_gen]
    fn update(&mut self) {
        self.x.next = bit_cast::<70, 5>(self.a.val()) << 61 | bit_cast::<70, 5>(self.b.val()) << 30;
        self.y.next = bit_cast::<70, 5>(self.b.val()) << 65 | bit_cast::<70, 5>(self.a.val());
        self.position.next = bit_cast::<7, 5>(self.a.val()) + bit_cast::<7, 5>(self.b.val());
        self.sum.next = self.x.val() + self.y.val();
        self.difference.next = self.x.val() - self.y.val();
        self.less.next = self.x.val() < self.y.val();
        self.less_than_literal.next = (self.y.val() - self.x.val()) < 0x4000_0000;
        self.part.next = self.x.val().get_bits::<40>(29);
        self.part_at.next = self.y.val().get_bits::<8>(self.a.val().index());
        self.part_at_end.next = self.x.val().get_bits::<8>(self.position.val().index());
        self.bit_at.next = self.x.val().get_bit(self.position.val().index());
        self.replaced.next = self.x.val().replace_bit(self.position.val().index(), self.c.val());
        self.widened.next = bit_cast::<100, 70>(self.x.val() + self.y.val());
        self.narrowed.next = bit_cast::<33, 70>(self.x.val() - self.y.val());
        self.shifted.next = self.x.val() >> self.position.val();
    }
}
group!(Wide);
