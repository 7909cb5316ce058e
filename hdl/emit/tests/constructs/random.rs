//! Random kernels: expressions of every width, nested, against an evaluator of their syntax tree.

use crate::group;
use rust_hdl_core::ast::{
    Verilog, VerilogExpression as Expression, VerilogOp as Op, VerilogOpUnary as Unary, VerilogStatement,
};
use rust_hdl_core::prelude::*;

const OUTPUTS: usize = 24;

/// A block whose outputs are random expressions of its inputs.
#[derive(LogicBlock, Default)]
pub struct Random {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub out: [Signal<Out, Bits<64>>; OUTPUTS],
    _expressions: Vec<Expression>,
}
group!(Random);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let expressions = (0..OUTPUTS).map(|_| {
            let width = draw.width();
            Expression::Cast(Box::new(draw.expression(width, 5)), 64)
        });
        Random { _expressions: expressions.collect(), ..Random::default() }
    }

    /// Value and width.
    fn value(&self, e: &Expression) -> (u128, usize) {
        let (value, width) = match e {
            Expression::Signal(name) => match name.as_str() {
                "a" => (self.a.val().to_u64().into(), 5),
                "b" => (self.b.val().to_u64().into(), 5),
                _ => (self.c.val().into(), 1),
            },
            Expression::Paren(e) => self.value(e),
            Expression::Cast(e, width) => (self.value(e).0, *width),
            Expression::Slice(e, width, offset) => {
                let Expression::Literal(offset) = &**offset else { unreachable!("offsets are literals") };
                (self.value(e).0 >> offset.as_usize(), *width)
            }
            Expression::Unary(op, e) => {
                let (value, width) = self.value(e);
                match op {
                    Unary::Not => (!value, width),
                    Unary::Neg => (value.wrapping_neg(), width),
                    Unary::All => ((value == mask(width)).into(), 1),
                    Unary::Any => ((value != 0).into(), 1),
                    Unary::Xor => ((value.count_ones() % 2).into(), 1),
                }
            }
            Expression::Binary(a, op, b) => {
                let ((a, width), (b, _)) = (self.value(a), self.value(b));
                match op {
                    Op::Add => (a.wrapping_add(b), width),
                    Op::Sub => (a.wrapping_sub(b), width),
                    Op::BitAnd => (a & b, width),
                    Op::BitOr => (a | b, width),
                    Op::BitXor => (a ^ b, width),
                    Op::Shl => (if b < 64 { a << b } else { 0 }, width),
                    Op::Shr => (if b < 64 { a >> b } else { 0 }, width),
                    Op::Eq => ((a == b).into(), 1),
                    Op::Ne => ((a != b).into(), 1),
                    Op::Lt => ((a < b).into(), 1),
                    Op::Le => ((a <= b).into(), 1),
                    Op::Gt => ((a > b).into(), 1),
                    Op::Ge => ((a >= b).into(), 1),
                    _ => unreachable!("not drawn"),
                }
            }
            _ => unreachable!("not drawn"),
        };
        (value & mask(width), width)
    }
}

fn mask(width: usize) -> u128 {
    (1 << width) - 1
}

impl Logic for Random {
    fn update(&mut self) {
        for i in 0..OUTPUTS {
            self.out[i].next = (self.value(&self._expressions[i]).0 as u64).into();
        }
    }

    fn connect(&mut self) {
        self.out.iter_mut().for_each(|out| out.connect());
    }

    fn hdl(&self) -> Verilog {
        let assign = |(i, e): (usize, &Expression)| {
            VerilogStatement::Assignment(Expression::Signal(format!("out${i}")), e.clone())
        };
        Verilog::Combinatorial(self._expressions.iter().enumerate().map(assign).collect())
    }
}

/// xorshift64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn width(&mut self) -> usize {
        [1, 2, 3, 5, 8, 13, 31, 32, 33, 63, 64][self.below(11)]
    }

    fn atom(&mut self, width: usize) -> Expression {
        let (name, has) = [("a", 5), ("b", 5), ("c", 1)][self.below(3)];
        let signal = Expression::Signal(name.into());
        if has == width { signal } else { Expression::Cast(Box::new(signal), width) }
    }

    fn expression(&mut self, width: usize, depth: usize) -> Expression {
        if depth == 0 {
            return self.atom(width);
        }
        let depth = depth - 1;
        let of = |draw: &mut Self, width| Box::new(draw.expression(width, depth));
        let same = [Op::Add, Op::Sub, Op::BitAnd, Op::BitOr, Op::BitXor];
        let shifts = [Op::Shl, Op::Shr];
        let comparisons = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge];
        match self.below(if width == 1 { 9 } else { 7 }) {
            0 | 1 => {
                let op = same[self.below(same.len())].clone();
                Expression::Binary(of(self, width), op, of(self, width))
            }
            // shifts are what simulators get wrong
            2 | 3 => {
                let (op, by) = (shifts[self.below(2)].clone(), 1 + self.below(6));
                Expression::Binary(of(self, width), op, of(self, by))
            }
            4 => {
                let from = self.width();
                Expression::Cast(of(self, from), width)
            }
            5 => {
                let from = width + self.below(65 - width);
                let offset = self.below(from - width + 1) as u64;
                Expression::Slice(of(self, from), width, Box::new(Expression::Literal(offset.into())))
            }
            6 => {
                let op = if self.below(2) == 0 { Unary::Not } else { Unary::Neg };
                Expression::Unary(op, of(self, width))
            }
            7 => {
                let from = self.width();
                let op = comparisons[self.below(comparisons.len())].clone();
                Expression::Binary(of(self, from), op, of(self, from))
            }
            _ => {
                let from = self.width();
                let op = [Unary::All, Unary::Any, Unary::Xor][self.below(3)].clone();
                Expression::Unary(op, of(self, from))
            }
        }
    }
}
