//! Verilates the blocks in `hdl/verilog` (all but the card, which has its own crate).

use std::sync::Mutex;

/// File, top module and model have the same name.
const BLOCKS: &[&str] = &[
    // the largest first, for the threads' sake
    "rx",
    "cuckoo",
    "dispatch",
    "registers",
    "insert",
    "pcie_read",
    "dma_interrupts",
    "dma_control",
    "dma_events",
    "entries",
    "frame_fifo",
    "encap",
    "arbiter",
    "fifo",
    "vlan",
    "outcomes",
    "lane_sum",
    "rate",
    "routes",
    "hash",
    "counter",
    "axis",
];

fn main() {
    let verilog = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hdl/verilog");
    let left = Mutex::new(BLOCKS.iter());
    let next = || left.lock().expect("no thread panics while it holds this").next();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(name) = next() {
                    // small models: compiling them well takes longer than running them slowly
                    ipos_verilate::Model::new(name, name).file(format!("{verilog}/{name}.sv")).opt_level(1).build();
                }
            });
        }
    });
    let modules: String =
        BLOCKS.iter().map(|name| format!("include!(concat!(env!(\"OUT_DIR\"), \"/{name}.rs\"));\n")).collect();
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    std::fs::write(out.join("models.rs"), modules).expect("writing to OUT_DIR");
}
