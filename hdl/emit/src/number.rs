//! Constants of any width, as hexadecimal digits.
//!
//! rust-hdl keeps the value of a literal private; its `LowerHex` is the only way to it.

use rust_hdl_core::ast::VerilogLiteral;

/// A constant without a width of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(String);

impl Number {
    /// `None` for a negative literal.
    pub fn of(literal: &VerilogLiteral) -> Option<Self> {
        Self::parse_verilog(&format!("{literal:x}"))
    }

    /// Reads `8'h2a`.
    pub fn parse_verilog(text: &str) -> Option<Self> {
        Self::from_hex(text.split_once("'h")?.1)
    }

    /// Reads a Rust integer or bool: `12`, `0x1f_u8`, `0b1_01`, `true`.
    pub fn parse_rust(text: &str) -> Option<Self> {
        match text {
            "true" => return Some(Self::from(1)),
            "false" => return Some(Self::from(0)),
            _ => {}
        }
        let plain = text.replace('_', "");
        let (digits, radix) = match plain.get(..2) {
            Some("0x") => (&plain[2..], 16),
            Some("0b") => (&plain[2..], 2),
            Some("0o") => (&plain[2..], 8),
            _ => (plain.as_str(), 10),
        };
        let end = digits.find(['u', 'i']).unwrap_or(digits.len());
        u128::from_str_radix(&digits[..end], radix).ok().map(|v| Number(format!("{v:x}")))
    }

    fn from_hex(digits: &str) -> Option<Self> {
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        Some(Number(if digits.is_empty() { "0".into() } else { digits.to_ascii_lowercase() }))
    }

    /// Bits needed; 0 for zero.
    pub fn bits(&self) -> usize {
        let first = self.0.chars().next().and_then(|c| c.to_digit(16)).unwrap_or(0);
        (self.0.len() - 1) * 4 + (u32::BITS - first.leading_zeros()) as usize
    }

    /// `width'hdigits`, or `None` if it does not fit.
    pub fn sized(&self, width: usize) -> Option<String> {
        (self.bits() <= width).then(|| format!("{width}'h{}", self.0))
    }

    /// The value, if it is small enough for an offset.
    pub fn small(&self) -> Option<i64> {
        i64::from_str_radix(&self.0, 16).ok()
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Number(format!("{value:x}"))
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_hdl_core::prelude::Bits;

    #[test]
    fn widths_and_spelling() {
        for (value, bits) in [(0u64, 0), (1, 1), (7, 3), (8, 4), (0xff, 8), (0x100, 9), (u64::MAX, 64)] {
            let n = Number::from(value);
            assert_eq!(n.bits(), bits, "{value}");
            assert_eq!(n.sized(bits), (bits > 0 || value == 0).then(|| format!("{bits}'h{value:x}")));
            assert!(bits == 0 || n.sized(bits - 1).is_none());
        }
        let wide: Bits<100> = (Bits::<100>::from(5) << 96_u64) | Bits::<100>::from(3);
        assert_eq!(Number::of(&wide.into()).and_then(|n| n.sized(100)), Some("100'h5000000000000000000000003".into()));
        assert_eq!(Number::of(&(-1_i32).into()), None);
    }

    #[test]
    fn rust_spellings() {
        for (text, value) in [("12", 12), ("0x1f_u8", 0x1f), ("0b1_01", 5), ("1_000", 1000), ("true", 1), ("0o17", 15)]
        {
            assert_eq!(Number::parse_rust(text), Some(Number::from(value)), "{text}");
        }
        for text in ["x", "", "State$Run", "1.5", "-1"] {
            assert_eq!(Number::parse_rust(text), None, "{text}");
        }
    }
}
