//! Operators.

use crate::group;
use rust_hdl_core::prelude::*;

#[derive(LogicBlock, Default)]
pub struct Arithmetic {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub add: Signal<Out, Bits<5>>,
    pub sub: Signal<Out, Bits<5>>,
    pub add_literal: Signal<Out, Bits<5>>,
    pub literal_minus: Signal<Out, Bits<5>>,
    pub chain: Signal<Out, Bits<5>>,
    pub multiply: Signal<Out, Bits<32>>,
    pub eq: Signal<Out, Bit>,
    pub ne: Signal<Out, Bit>,
    pub lt: Signal<Out, Bit>,
    pub le: Signal<Out, Bit>,
    pub gt: Signal<Out, Bit>,
    pub ge: Signal<Out, Bit>,
    pub lt_literal: Signal<Out, Bit>,
    pub bit_and: Signal<Out, Bits<5>>,
    pub bit_or: Signal<Out, Bits<5>>,
    pub bit_xor: Signal<Out, Bits<5>>,
    pub bit_not: Signal<Out, Bits<5>>,
    pub any: Signal<Out, Bit>,
    pub all: Signal<Out, Bit>,
    pub parity: Signal<Out, Bit>,
    pub any_of_difference: Signal<Out, Bit>,
    pub both_or: Signal<Out, Bit>,
    pub not_equal: Signal<Out, Bit>,
    pub mask_compare: Signal<Out, Bit>,
    pub shift_in_sum: Signal<Out, Bits<5>>,
    pub wrapped_compare: Signal<Out, Bit>,
    pub carry_out: Signal<Out, Bit>,
    pub from_bool: Signal<Out, Bit>,
    m: Signal<Local, Bits<16>>,
    n: Signal<Local, Bits<16>>,
}

impl Logic for Arithmetic {
    #[hdl_gen]
    fn update(&mut self) {
        self.add.next = self.a.val() + self.b.val();
        self.sub.next = self.a.val() - self.b.val();
        self.add_literal.next = self.a.val() + 19;
        self.literal_minus.next = 3 - self.a.val();
        self.chain.next = self.a.val() - self.b.val() - 7 + self.a.val();
        self.m.next = bit_cast::<16, 5>(self.a.val()) << 11;
        self.n.next = bit_cast::<16, 5>(self.b.val()) + 65000;
        self.multiply.next = self.m.val() * self.n.val();
        self.eq.next = self.a.val() == self.b.val();
        self.ne.next = self.a.val() != self.b.val();
        self.lt.next = self.a.val() < self.b.val();
        self.le.next = self.a.val() <= self.b.val();
        self.gt.next = self.a.val() > self.b.val();
        self.ge.next = self.a.val() >= self.b.val();
        self.lt_literal.next = self.a.val() < 9;
        self.bit_and.next = self.a.val() & self.b.val();
        self.bit_or.next = self.a.val() | self.b.val();
        self.bit_xor.next = self.a.val() ^ self.b.val();
        self.bit_not.next = !self.a.val();
        self.any.next = self.a.val().any();
        self.all.next = self.a.val().all();
        self.parity.next = self.a.val().xor();
        self.any_of_difference.next = (self.a.val() - self.b.val()).any();
        self.both_or.next = (self.a.val() > self.b.val()) && self.c.val() || self.b.val().all();
        self.not_equal.next = !(self.a.val() == self.b.val()) & self.c.val();
        self.mask_compare.next = self.a.val() & 12 == self.b.val() & 12;
        self.shift_in_sum.next = (self.a.val() << 1) + (self.b.val() & 3);
        self.wrapped_compare.next = (self.a.val() - self.b.val()) < 4;
        self.carry_out.next = (self.a.val() + self.b.val()) < self.a.val();
        self.from_bool.next = (self.c.val() ^ true).into();
    }
}
group!(Arithmetic);

#[derive(LogicBlock, Default)]
pub struct Shifts {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub left: Signal<Out, Bits<5>>,
    pub right: Signal<Out, Bits<5>>,
    pub left_by: Signal<Out, Bits<5>>,
    pub right_by: Signal<Out, Bits<5>>,
    pub right_by_sum: Signal<Out, Bits<5>>,
    pub of_sum: Signal<Out, Bits<5>>,
    pub one_hot: Signal<Out, Bits<32>>,
    pub left_left: Signal<Out, Bits<32>>,
    pub right_right: Signal<Out, Bits<32>>,
    pub left_right: Signal<Out, Bits<32>>,
    pub right_left: Signal<Out, Bits<32>>,
    pub left_of_shift: Signal<Out, Bits<32>>,
    pub thrice: Signal<Out, Bits<32>>,
    i: Signal<Local, Bits<3>>,
    j: Signal<Local, Bits<3>>,
    w: Signal<Local, Bits<32>>,
}

impl Logic for Shifts {
    #[hdl_gen]
    fn update(&mut self) {
        self.left.next = self.a.val() << 2;
        self.right.next = self.a.val() >> 3;
        self.left_by.next = self.a.val() << self.b.val();
        self.right_by.next = self.a.val() >> self.b.val();
        self.right_by_sum.next = self.a.val() >> (self.b.val() + self.a.val());
        self.of_sum.next = (self.a.val() + self.b.val()) >> 1;
        self.one_hot.next = bits::<32>(1) << self.a.val();
        // shifts of shifts, by amounts that are narrower than what is shifted
        self.i.next = self.a.val().get_bits::<3>(0);
        self.j.next = self.b.val().get_bits::<3>(0);
        self.w.next = bits::<32>(0x4000_0001) | (bit_cast::<32, 5>(self.a.val()) << 13);
        self.left_left.next = (self.w.val() << self.i.val()) << self.j.val();
        self.right_right.next = (self.w.val() >> self.i.val()) >> self.j.val();
        self.left_right.next = (self.w.val() << self.i.val()) >> self.b.val();
        self.right_left.next = (self.w.val() >> self.i.val()) << self.b.val();
        self.left_of_shift.next = self.w.val() << (self.b.val() >> self.i.val());
        self.thrice.next = ((self.w.val() << self.i.val()) << self.j.val()) << self.i.val();
    }
}
group!(Shifts);
