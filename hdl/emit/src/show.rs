//! Expressions in the spelling of the kernel, for error messages.

use rust_hdl_core::ast::{VerilogExpression, VerilogOp, VerilogOpUnary};

/// `e` as the author wrote it, as far as the syntax tree remembers.
pub(crate) fn show(e: &VerilogExpression) -> String {
    use VerilogExpression::*;
    match e {
        Signal(name) => name.trim_end_matches("$next").replace('$', "."),
        Literal(literal) => {
            crate::number::Number::of(literal).map_or_else(|| format!("{literal:x}"), |n| n.to_string())
        }
        Cast(inner, width) => format!("bit_cast::<{width}, _>({})", show(inner)),
        Signed(inner) => format!("signed({})", show(inner)),
        Unsigned(inner) => format!("unsigned({})", show(inner)),
        Paren(inner) => format!("({})", show(inner)),
        Binary(a, op, b) => format!("{} {} {}", show(a), operator(op), show(b)),
        Unary(VerilogOpUnary::Not, a) => format!("!{}", show(a)),
        Unary(VerilogOpUnary::Neg, a) => format!("-{}", show(a)),
        Unary(VerilogOpUnary::All, a) => format!("{}.all()", show(a)),
        Unary(VerilogOpUnary::Any, a) => format!("{}.any()", show(a)),
        Unary(VerilogOpUnary::Xor, a) => format!("{}.xor()", show(a)),
        Index(a, i) => format!("{}.get_bit({})", show(a), show(i)),
        Slice(a, width, offset) => format!("{}.get_bits::<{width}>({})", show(a), show(offset)),
        IndexReplace(a, i, value) => format!("{}.replace_bit({}, {})", show(a), show(i), show(value)),
    }
}

/// The operator in SystemVerilog. bool has no `&&` of its own here: operands are single bits, so `&` it is.
pub(crate) fn operator(op: &VerilogOp) -> &'static str {
    use VerilogOp::*;
    match op {
        Add => "+",
        Sub => "-",
        Mul => "*",
        LogicalAnd | BitAnd => "&",
        LogicalOr | BitOr => "|",
        BitXor => "^",
        Shl => "<<",
        Shr => ">>",
        Eq => "==",
        Ne => "!=",
        Lt => "<",
        Le => "<=",
        Gt => ">",
        Ge => ">=",
    }
}
