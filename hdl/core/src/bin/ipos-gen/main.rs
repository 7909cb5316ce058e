//! Writes every generated file of the project; with `--check`, only says which are stale.
//!
//! Run it as `cargo xtask gen`. Each file comes from one declaration: the Verilog from the blocks, the
//! register reference and the dissector from `ipos_abi`.

mod registers;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let check = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => {
            eprintln!("ipos-gen: unknown argument {other}; it takes --check or nothing");
            return ExitCode::from(2);
        }
    };
    // kernels of wide structs live on the stack
    let files = std::thread::Builder::new().stack_size(1 << 30).spawn(files).expect("a thread").join();
    let Ok(files) = files else { return ExitCode::FAILURE };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut stale = 0;
    for (path, text) in files {
        let full = root.join(&path);
        if std::fs::read_to_string(&full).is_ok_and(|old| old == text) {
            continue;
        }
        if check {
            eprintln!("stale: {path}");
            stale += 1;
        } else if let Err(e) = std::fs::write(&full, text) {
            eprintln!("ipos-gen: {path}: {e}");
            return ExitCode::FAILURE;
        } else {
            eprintln!("wrote {path}");
        }
    }
    if stale > 0 {
        eprintln!("run `cargo xtask gen` and commit what it writes");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn files() -> Vec<(String, String)> {
    let mut files = vec![
        ("docs/registers.md".to_owned(), registers::markdown()),
        ("docs/registers.json".to_owned(), registers::json()),
        ("host/include/ipos_regs.h".to_owned(), registers::header()),
    ];
    let mut lua = String::new();
    ipos_abi::wire::dissector::lua(&mut lua).expect("writing to a String");
    files.push(("tools/ipos.lua".to_owned(), lua));
    for (name, verilog) in ipos_hdl::tops::tops() {
        files.push((format!("hdl/verilog/{name}.sv"), verilog().unwrap_or_else(|e| panic!("{name}: {e}"))));
    }
    files
}
