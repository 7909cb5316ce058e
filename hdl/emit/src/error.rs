//! What the emitter refuses, and where it stood.

/// A block that cannot be written as SystemVerilog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block `{block}`: {problem}")]
pub struct EmitError {
    /// Path of the block from the top, e.g. `card.front.parser`.
    pub block: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong in a block. Constructs are quoted in the spelling of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// `Signed<N>` in a signal, a struct field or an expression.
    #[error("`{0}` is signed: only Bits, bool, enums and flat structs translate")]
    Signed(String),
    /// A tristate signal.
    #[error("`{0}` is InOut: split it into In and Out, tristates belong into the board's top")]
    InOut(String),
    /// A signal without bits.
    #[error("`{0}` has no bits")]
    Empty(String),
    /// A name that SystemVerilog reserves.
    #[error("`{0}` is a SystemVerilog keyword: rename it")]
    Keyword(String),
    /// Two things with one name, once `.` and `[i]` are written as `_`; or two enums with one name.
    #[error("more than one `{0}` (`a.b`, `a[b]` and `a_b` are written alike): rename one")]
    NameClash(String),
    /// Neither signal, enum variant nor loop variable.
    #[error("`{0}` is unknown: const items and const generics do not translate in a kernel, use a Constant")]
    Unknown(String),
    /// An offset or array index that must be known when the block is built.
    #[error(
        "`{0}` is not constant: array indices and field offsets know integers, loop variables, Constants, + - * only"
    )]
    NotConstant(String),
    /// A literal that does not fit where it is used.
    #[error("literal {literal} does not fit {width} bits in `{construct}`")]
    TooWide {
        /// The literal.
        literal: String,
        /// Bits there are.
        width: usize,
        /// Where.
        construct: String,
    },
    /// Operands, or the sides of an assignment, of different widths.
    #[error("`{construct}` mixes {left} and {right} bits: cast one with bit_cast")]
    WidthMismatch {
        /// Where.
        construct: String,
        /// Width of the left operand, or the one needed.
        left: usize,
        /// Width of the right operand, or the one found.
        right: usize,
    },
    /// Nothing in the expression has a width.
    #[error("`{0}` has no width: literals alone, put a Constant or bits::<N>() in")]
    NoWidth(String),
    /// A bit or a range outside the value, or a negative index.
    #[error("`{construct}` reaches beyond {width} bits")]
    OutOfRange {
        /// Where.
        construct: String,
        /// Bits there are.
        width: usize,
    },
    /// A match that does not end with `_`: the encodings between its arms would keep old values.
    #[error("match on `{0}` does not end with `_`: it would infer a latch")]
    MatchWithoutDefault(String),
    /// A pattern that is neither integer, bool, enum variant nor a last `_`.
    #[error("pattern `{pattern}` of match on `{test}` does not translate")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is matched.
        test: String,
    },
    /// A value that one arm before has already taken.
    #[error("pattern `{pattern}` of match on `{test}` stands twice")]
    RepeatedPattern {
        /// The pattern.
        pattern: String,
        /// What is matched.
        test: String,
    },
    /// Not assigned on every path through the kernel.
    #[error("`{0}` is not assigned on every path: it would infer a latch, assign a default first")]
    Latch(String),
    /// Read earlier in the kernel than it is assigned.
    #[error(
        "`{0}` is read before it is assigned in this kernel: the value would be the old one, move the assignment up"
    )]
    ReadBeforeWrite(String),
    /// No driver at all.
    #[error("`{0}` has no driver")]
    Undriven(String),
    /// More than one driver.
    #[error("`{0}` has two drivers (kernel and link, or two links)")]
    TwoDrivers(String),
    /// Assigned although it is an input or a constant.
    #[error("`{0}` cannot be assigned in this block")]
    NotAssignable(String),
    /// A clock that is used as data, or driven by anything but a clock.
    #[error("`{0}`: a clock can only be passed on, as it is and unconditionally")]
    Clock(String),
    /// A construct of the syntax tree that has no translation.
    #[error("`{0}` does not translate")]
    Unsupported(String),
    /// Refused by rust-hdl's own checks.
    #[error("rust-hdl's check failed: {0}")]
    Check(String),
}
