//! The designs that are written to `hdl/verilog`: the card, and blocks that are tested alone.

use ipos_emit::EmitError;
use rust_hdl_core::prelude::Block;

/// A file's name (and top module), and what writes its text.
pub type Top = (&'static str, fn() -> Result<String, EmitError>);

fn emit<B: Block + Default>(top: &str) -> Result<String, EmitError> {
    let mut block = B::default();
    block.connect_all();
    ipos_emit::generate(&block, top)
}

/// All designs.
#[must_use]
pub fn tops() -> Vec<Top> {
    vec![("ipos_card", || emit::<crate::card::Card>("ipos_card"))]
}
