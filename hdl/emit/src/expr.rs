//! Expressions: every operand exactly as wide as its operation, every operation in parentheses.
//!
//! Widths are Rust's: `+ - & | ^` keep the width of their operands and wrap, comparisons and
//! reductions give one bit. An operand never depends on the width that Verilog would give its context:
//! a value is widened by a concatenation with zeros and narrowed by a part select or a size cast. (A
//! size cast that widens is not the same: Verilator 5.48 makes `9'(~a)` a nine-bit complement.)

use crate::error::Problem;
use crate::kernel::Kernel;
use crate::number::Number;
use crate::show::{operator, show};
use rust_hdl_core::ast::{VerilogExpression, VerilogOp, VerilogOpUnary};

/// An expression in SystemVerilog.
pub(crate) struct Text {
    pub text: String,
    compound: bool,
}

impl Text {
    fn atom(text: String) -> Self {
        Text { text, compound: false }
    }

    fn compound(text: String) -> Self {
        Text { text, compound: true }
    }

    fn operand(self) -> String {
        if self.compound { format!("({})", self.text) } else { self.text }
    }
}

impl Kernel<'_> {
    /// Text of `e`, which must be `width` bits wide or take any width.
    pub(crate) fn expr(&mut self, e: &VerilogExpression, width: usize) -> Result<Text, Problem> {
        use VerilogExpression::*;
        if let Some(value) = self.scope.untyped(e)? {
            return self.literal(&value, width, e).map(Text::atom);
        }
        let found = self.known_width(e)?;
        if found != width {
            return Err(Problem::WidthMismatch { construct: show(e), left: width, right: found });
        }
        Ok(match e {
            Paren(inner) => self.expr(inner, width)?,
            Signal(name) => Text::atom(self.read(name, 0, width)?),
            Cast(inner, _) => match self.scope.width(inner)? {
                None => self.expr(inner, width)?,
                Some(from) if from == width => self.expr(inner, width)?,
                Some(from) if from > width => self.slice(inner, width, 0)?,
                Some(from) => Text::atom(widened(&self.expr(inner, from)?.text, from, width)),
            },
            Slice(inner, _, offset) => match self.scope.constant(offset)? {
                Some(offset) => {
                    let from = self.known_width(inner)?;
                    let offset = usize::try_from(offset).ok().filter(|o| o + width <= from);
                    let outside = || Problem::OutOfRange { construct: show(e), width: from };
                    self.slice(inner, width, offset.ok_or_else(outside)?)?
                }
                None => self.dynamic_slice(inner, width, offset)?,
            },
            Index(inner, index) => self.bit(e, inner, index)?,
            IndexReplace(inner, index, value) => {
                let index = self.index(e, width, index)?;
                let (inner, value) =
                    (self.expr(inner, width)?.operand(), widened(&self.expr(value, 1)?.text, 1, width));
                Text::compound(format!("({inner} & ~({width}'h1 << {index})) | ({value} << {index})"))
            }
            Unary(op, inner) => {
                let inner_width = self.known_width(inner)?;
                let operand = self.expr(inner, inner_width)?.operand();
                let sign = match op {
                    VerilogOpUnary::Not => "~",
                    VerilogOpUnary::Neg => "-",
                    VerilogOpUnary::All => "&",
                    VerilogOpUnary::Any => "|",
                    VerilogOpUnary::Xor => "^",
                };
                // Yosys reads `~1'(a)` as a cast whose size is `~1`
                if operand.contains("'(") && !operand.starts_with('(') {
                    return Ok(Text::compound(format!("{sign}({operand})")));
                }
                Text::compound(format!("{sign}{operand}"))
            }
            Binary(a, op, b) => self.binary(e, a, op, b, width)?,
            Signed(_) | Unsigned(_) => return Err(Problem::Signed(show(e))),
            Literal(_) => return Err(Problem::NoWidth(show(e))),
        })
    }

    /// Width of `e`, which must have one.
    pub(crate) fn known_width(&self, e: &VerilogExpression) -> Result<usize, Problem> {
        self.scope.width(e)?.ok_or_else(|| Problem::NoWidth(show(e)))
    }

    pub(crate) fn literal(&self, value: &Number, width: usize, e: &VerilogExpression) -> Result<String, Problem> {
        let too_wide = || Problem::TooWide { literal: value.to_string(), width, construct: show(e) };
        value.sized(width).ok_or_else(too_wide)
    }

    fn binary(
        &mut self,
        whole: &VerilogExpression,
        a: &VerilogExpression,
        op: &VerilogOp,
        b: &VerilogExpression,
        width: usize,
    ) -> Result<Text, Problem> {
        use VerilogOp::*;
        let sign = operator(op);
        let (left, right) = match op {
            Shl | Shr => {
                let left = self.expr(a, width)?.operand();
                let right = match self.scope.constant(b)? {
                    Some(by) => by.to_string(),
                    None => {
                        let by_width = self.known_width(b)?;
                        self.expr(b, by_width)?.operand()
                    }
                };
                (left, right)
            }
            Mul => {
                let (wa, wb) = (self.known_width(a)?, self.known_width(b)?);
                let (left, right) = (self.expr(a, wa)?.text, self.expr(b, wb)?.text);
                (widened(&left, wa, width), widened(&right, wb, width))
            }
            Add | Sub | BitAnd | BitOr | BitXor | LogicalAnd | LogicalOr => {
                (self.expr(a, width)?.operand(), self.expr(b, width)?.operand())
            }
            Eq | Ne | Lt | Le | Gt | Ge => {
                let common = self.scope.common_width(whole, a, b)?.ok_or_else(|| Problem::NoWidth(show(whole)))?;
                (self.expr(a, common)?.operand(), self.expr(b, common)?.operand())
            }
        };
        Ok(Text::compound(format!("{left} {sign} {right}")))
    }

    /// The name behind `e` if it is a signal or Constant, of which Verilog can take a part.
    fn sliceable<'e>(&self, e: &'e VerilogExpression) -> Result<Option<&'e str>, Problem> {
        match e {
            VerilogExpression::Paren(inner) => self.sliceable(inner),
            VerilogExpression::Signal(name) => {
                Ok(self.scope.signals.contains_key(&self.scope.name(name)?).then_some(name))
            }
            _ => Ok(None),
        }
    }

    /// Bits `offset..offset + width` of `e`, which has them.
    fn slice(&mut self, e: &VerilogExpression, width: usize, offset: usize) -> Result<Text, Problem> {
        let from = self.known_width(e)?;
        if from == width {
            return self.expr(e, from);
        }
        if let Some(name) = self.sliceable(e)? {
            let name = self.read(name, offset, offset + width)?;
            return Ok(Text::atom(format!("{name}{}", range(width, offset))));
        }
        let inner = self.expr(e, from)?;
        Ok(Text::atom(if offset == 0 {
            format!("{width}'({})", inner.text)
        } else {
            format!("{width}'({} >> {offset})", inner.operand())
        }))
    }

    /// `width` bits of `e` from a computed offset; zeros beyond its end, as in Rust.
    fn dynamic_slice(
        &mut self,
        e: &VerilogExpression,
        width: usize,
        offset: &VerilogExpression,
    ) -> Result<Text, Problem> {
        let from = self.known_width(e)?;
        let offset_width = self.known_width(offset)?;
        let fits = offset_width < usize::BITS as usize && (1 << offset_width) - 1 + width <= from;
        if fits && let Some(name) = self.sliceable(e)? {
            // on a wide signal a part select is one or two words, a shift is all of them
            let name = self.read(name, 0, from)?;
            let offset = self.sized_index(offset, from)?;
            return Ok(Text::atom(format!("{name}[{offset} +: {width}]")));
        }
        let (inner, offset) = (self.expr(e, from)?.operand(), self.expr(offset, offset_width)?.operand());
        Ok(Text::atom(format!("{width}'({inner} >> {offset})")))
    }

    /// One bit of `e`. Beyond the end, where Rust panics, a computed index wraps.
    fn bit(
        &mut self,
        whole: &VerilogExpression,
        e: &VerilogExpression,
        index: &VerilogExpression,
    ) -> Result<Text, Problem> {
        let from = self.known_width(e)?;
        if let Some(k) = self.scope.constant(index)? {
            let k = usize::try_from(k).ok().filter(|k| *k < from);
            return self.slice(e, 1, k.ok_or_else(|| Problem::OutOfRange { construct: show(whole), width: from })?);
        }
        if from == 1 {
            return self.expr(e, 1);
        }
        if let Some(name) = self.sliceable(e)? {
            let name = self.read(name, 0, from)?;
            let index = self.sized_index(index, from)?;
            return Ok(Text::atom(format!("{name}[{index}]")));
        }
        let inner = self.expr(e, from)?.operand();
        let index = self.index(whole, from, index)?;
        Ok(Text::atom(format!("1'({inner} >> {index})")))
    }

    /// A shift amount that selects one of `width` bits.
    fn index(&mut self, whole: &VerilogExpression, width: usize, index: &VerilogExpression) -> Result<String, Problem> {
        match self.scope.constant(index)? {
            Some(k) if (0..width as i64).contains(&k) => Ok(k.to_string()),
            Some(_) => Err(Problem::OutOfRange { construct: show(whole), width }),
            None => {
                let index_width = self.known_width(index)?;
                Ok(self.expr(index, index_width)?.operand())
            }
        }
    }

    /// A computed index as wide as a select on `width` bits wants it.
    fn sized_index(&mut self, index: &VerilogExpression, width: usize) -> Result<String, Problem> {
        let wanted = rust_hdl_core::prelude::clog2(width);
        let found = self.known_width(index)?;
        if found > wanted {
            return Ok(self.slice(index, wanted, 0)?.text);
        }
        let text = self.expr(index, found)?.text;
        Ok(if found == wanted { text } else { widened(&text, found, wanted) })
    }
}

/// An operand of `from` bits as one of `to` bits.
fn widened(text: &str, from: usize, to: usize) -> String {
    if from == to { format!("({text})") } else { format!("{{{}'h0, {text}}}", to - from) }
}

/// `[7:4]`, `[4]`: part of a signal.
pub(crate) fn range(width: usize, offset: usize) -> String {
    if width == 1 { format!("[{offset}]") } else { format!("[{}:{offset}]", offset + width - 1) }
}
