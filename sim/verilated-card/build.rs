//! Verilates `hdl/verilog/ipos_card.sv`.

fn main() {
    let verilog = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hdl/verilog/ipos_card.sv");
    ipos_verilate::Model::new("ipos_card", "ipos_card")
        .file(verilog)
        // one file holds all modules; a struct's fields are slices of which each reader uses some
        .arg("-Wno-DECLFILENAME")
        .arg("-Wno-UNUSEDSIGNAL")
        .fst(true)
        .build();
}
