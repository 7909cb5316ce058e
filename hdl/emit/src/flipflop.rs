//! Recognises rust-hdl's flip-flops, so that a register costs a line and not a module.

use crate::number::Number;
use crate::tree::Module;
use rust_hdl_core::ast::Verilog;

/// A flip-flop: `q` takes `d` at the rising edge of `clock`, and starts as `initial`.
pub(crate) struct FlipFlop<'a> {
    /// Name of its clock input.
    pub clock: &'a str,
    width: usize,
    initial: Number,
}

impl<'a> FlipFlop<'a> {
    /// `module` as a flip-flop, by the text that DFF, DFFWithInit and EdgeDFF give for themselves.
    pub fn of(module: &'a Module) -> Option<Self> {
        let Verilog::Custom(text) = &module.hdl else { return None };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (initial, process) = text.strip_prefix("initial begin q = ")?.split_once("; end ")?;
        let (clock, body) = process.strip_prefix("always @(posedge ")?.split_once(") ")?;
        if !matches!(body, "q <= d;" | "begin q <= d; end") || module.ports().count() != 3 {
            return None;
        }
        let port = |name: &str| module.ports().find(|p| p.name == name);
        let (clock, d, q) = (port(clock)?, port("d")?, port("q")?);
        if !clock.clock || d.width != q.width {
            return None;
        }
        Some(FlipFlop { clock: &clock.name, width: q.width, initial: Number::parse_verilog(initial)? })
    }

    /// Its first value, sized.
    pub fn initial(&self) -> String {
        // `sized` fits: the value came with this width, or is an enum's that has it
        self.initial.sized(self.width).unwrap_or_else(|| format!("{}'h0", self.width))
    }
}
