//! Compiles Verilator's runtime.

use std::env;

fn main() {
    println!("cargo::rerun-if-env-changed=VERILATOR_ROOT");
    let verilator = match ipos_verilate::Verilator::find() {
        Ok(v) => v,
        Err(e) => {
            println!("cargo::error={e}");
            return;
        }
    };
    let include = verilator.include();
    println!("cargo::rerun-if-changed={}", include.join("verilated.h").display());
    let mut build = ipos_verilate::compiler(&verilator);
    println!("cargo::rerun-if-env-changed=IPOS_COVERAGE");
    build.opt_level(2).define("VM_COVERAGE", if ipos_verilate::coverage() { "1" } else { "0" });
    for library in ["DEP_LZ4_INCLUDE", "DEP_Z_INCLUDE"] {
        if let Ok(path) = env::var(library) {
            build.include(path);
        }
    }
    for source in
        ["verilated", "verilated_threads", "verilated_cov", "verilated_dpi", "verilated_vcd_c", "verilated_fst_c"]
    {
        build.file(include.join(source).with_extension("cpp"));
    }
    build.compile("verilated_rt");
    println!("cargo::rustc-link-lib=pthread");
}
