//! Verilates `hdl/verilog/ipos_nic.sv`.

fn main() {
    let verilog = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hdl/verilog/ipos_nic.sv");
    ipos_verilate::Model::new("ipos_nic", "ipos_nic").file(verilog).fst(true).build();
    // the BUILD register: a board's comes from its bitstream's manifest
    let text = std::fs::read(verilog).expect("Verilator has just read it");
    let hash = blake3::hash(&text).as_bytes()[..4].try_into().map(u32::from_be_bytes).expect("four bytes");
    println!("cargo::rustc-env=IPOS_BUILD={hash}");
}
