//! Block RAM as it is: what a word reads as in the cycle in which it is written, nobody knows.
use rust_hdl_core::prelude::*;
use std::collections::BTreeMap;

/// What rust-hdl's `RAM` can't say: that the old word is not needed when a word is read and written in one cycle. Block RAM
/// does not promise it, and what a synthesiser adds to keep it (registers, and a multiplexer behind the slow output)
/// is as large as the word. Simulation gives a wrong word there, so that a test sees whoever relies on it.
/// The word comes one cycle after the address. `AW` = log2(words).
#[derive(LogicBlock, Default)]
pub struct BlockRam<D: Synth, const AW: usize> {
    pub clock: Signal<In, Clock>,
    pub read_address: Signal<In, Bits<AW>>,
    pub read_data: Signal<Out, D>,
    pub write_address: Signal<In, Bits<AW>>,
    pub write_data: Signal<In, D>,
    pub write_enable: Signal<In, Bit>,
    _words: Box<BTreeMap<Bits<AW>, D>>,
}

impl<D: Synth, const AW: usize> Logic for BlockRam<D, AW> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.read_data.next = self._words.get(&self.read_address.val()).copied().unwrap_or_default();
            if self.write_enable.val() {
                self._words.insert(self.write_address.val(), self.write_data.val());
            }
        }
    }

    fn connect(&mut self) {
        self.read_data.connect();
    }

    fn hdl(&self) -> Verilog {
        let (top, last) = (D::BITS - 1, (1 << AW) - 1);
        Verilog::Custom(format!(
            "(* no_rw_check *) logic [{top}:0] mem [{last}:0];\n\
             always_ff @(posedge clock) begin\n\
             \x20 read_data <= mem[read_address];\n\
             `ifndef SYNTHESIS\n\
             \x20 if (write_enable && read_address == write_address) read_data <= ~mem[read_address];\n\
             `endif\n\
             \x20 if (write_enable) mem[write_address] <= write_data;\n\
             end"
        ))
    }
}
