//! Memory in LUTs: written by the clock, read in the same cycle.
use rust_hdl_core::prelude::*;
use std::collections::BTreeMap;

/// What rust-hdl's `RAM` can't do: a read without a clock, which distributed RAM has and block RAM has not.
/// `AW` = log2(words).
#[derive(LogicBlock, Default)]
pub struct LutRam<D: Synth, const AW: usize> {
    pub clock: Signal<In, Clock>,
    pub read_address: Signal<In, Bits<AW>>,
    pub read_data: Signal<Out, D>,
    pub write_address: Signal<In, Bits<AW>>,
    pub write_data: Signal<In, D>,
    pub write_enable: Signal<In, Bit>,
    _words: Box<BTreeMap<Bits<AW>, D>>,
}

impl<D: Synth, const AW: usize> Logic for LutRam<D, AW> {
    fn update(&mut self) {
        if self.clock.pos_edge() && self.write_enable.val() {
            self._words.insert(self.write_address.val(), self.write_data.val());
        }
        self.read_data.next = self._words.get(&self.read_address.val()).copied().unwrap_or_default();
    }

    fn connect(&mut self) {
        self.read_data.connect();
    }

    fn hdl(&self) -> Verilog {
        let (top, last) = (D::BITS - 1, (1 << AW) - 1);
        Verilog::Custom(format!(
            "logic [{top}:0] mem [{last}:0];\n\
             assign read_data = mem[read_address];\n\
             always_ff @(posedge clock) if (write_enable) mem[write_address] <= write_data;"
        ))
    }
}
