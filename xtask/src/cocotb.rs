//! `cargo xtask cocotb`: the fabric against other people's models: cocotbext-pcie's root complex, cocotbext-axi, scapy;
//! on Verilator and, for the fourth state, on Icarus. The benches are `tests/cocotb`.

use crate::tools;
use anyhow::{Result, bail};
use std::process::Command;

const SIMULATORS: [&str; 2] = ["verilator", "icarus"];

pub fn cocotb(args: &[String], install: bool) -> Result<()> {
    if let Some(other) = args.iter().find(|a| !SIMULATORS.contains(&a.as_str())) {
        bail!("no simulator {other}; there are {}", SIMULATORS.join(", "));
    }
    let python = tools::executable("python")?;
    let library = "import sys, find_libpython; sys.exit(find_libpython.find_libpython() is None)";
    let embedded = Command::new(&python).args(["-c", library]).status().is_ok_and(|s| s.success());
    let missing =
        [("make", "make", "builds cocotb's models"), ("iverilog", "iverilog", "simulates blocks with four states")];
    tools::packages(&missing, install)?;
    if !embedded {
        tools::packages(&[("libpython3.so", "libpython3-dev", "Python inside the simulators")], install)?;
    }
    tools::run(
        Command::new(python)
            .current_dir(tools::workspace())
            .args(["tests/cocotb/run.py", "target/cocotb"])
            .args(if args.is_empty() { SIMULATORS.map(str::to_owned).to_vec() } else { args.to_vec() }),
    )
}
