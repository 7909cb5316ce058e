//! `cargo xtask cocotb`: the fabric against other people's models: cocotbext-pcie's root complex, cocotbext-axi, scapy;
//! on Verilator and, for the fourth state, on Icarus. The benches are `tests/cocotb`.

use crate::tools;
use anyhow::Result;
use std::process::Command;

/// A simulator that cocotb drives.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum Simulator {
    Verilator,
    Icarus,
}

/// Runs the benches on the simulators, or on both if there is none.
pub fn cocotb(simulators: &[Simulator], install: bool) -> Result<()> {
    let simulators = if simulators.is_empty() { &[Simulator::Verilator, Simulator::Icarus] } else { simulators };
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
            .args(simulators.iter().map(|s| format!("{s:?}").to_lowercase())),
    )
}
