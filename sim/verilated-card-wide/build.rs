//! Verilates `hdl/verilog/ipos_card_wide.sv`.

fn main() {
    // a large model and short runs: compiling it well takes longer than running it slowly
    let verilog = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hdl/verilog/ipos_card_wide.sv");
    ipos_verilate::Model::new("ipos_card_wide", "ipos_card_wide").file(verilog).opt_level(1).build();
}
