//! `cargo xtask gen`, the kernel datapath's side: its header and its object; and `cargo xtask bpf-mutants`.
//!
//! The object is committed, so that nobody needs clang to build. One version of clang makes it, for a comparison byte by byte.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::tools::{keep, workspace};

/// Debian 12's, which Debian 13 has too.
const CLANG: &str = "clang-14";
/// What the tests below run as; all need root.
const TESTS: &[&str] = &["oracle", "vectors", "life"];

fn root() -> PathBuf {
    workspace().join("host/kernel")
}

/// Writes `bpf/shared.h` and `bpf/kernel.bpf.o`, or says whether they are as they would be written.
pub fn generate(check: bool) -> Result<()> {
    let bpf = root().join("bpf");
    keep(&bpf.join("shared.h"), ipos_kernel::layout::header().as_bytes(), check)?;
    let found = Command::new(CLANG).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|s| s.success()) {
        eprintln!(
            "gen: no {CLANG} here, so {} is not compared: `apt-get install {CLANG} linux-libc-dev`",
            bpf.join("kernel.bpf.o").display()
        );
        return Ok(());
    }
    let made = workspace().join("target/kernel.bpf.o");
    compile(&bpf, &made)?;
    keep(&bpf.join("kernel.bpf.o"), &fs::read(&made)?, check)
}

fn compile(folder: &Path, to: &Path) -> Result<()> {
    let headers = format!("-I/usr/include/{ARCH}-linux-gnu");
    let mut clang = Command::new(CLANG);
    clang.args(["-O2", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3", &headers, "-c", "kernel.bpf.c", "-o"]);
    crate::tools::run(clang.arg(to).current_dir(folder))
}

/// Tries every mistake of `tests/mutants.txt`, or those whose line contains one of `args`.
pub fn mutants(args: &[String]) -> Result<()> {
    let list = fs::read_to_string(root().join("tests/mutants.txt"))?;
    let folder = workspace().join("target/bpf-mutant");
    let object = folder.join("kernel.bpf.o");
    crate::tools::run(&mut crate::cargo(&["test", "--quiet", "--package", "ipos-kernel", "--no-run"]))?;
    let (mut tried, mut missed) = (0, 0);
    for line in list.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        if !args.is_empty() && !args.iter().any(|a| line.contains(a.as_str())) {
            continue;
        }
        let (file, change) = line.split_once(": ").with_context(|| format!("mutants.txt: {line}"))?;
        let (from, to) = change.split_once(" => ").with_context(|| format!("mutants.txt: {line}"))?;
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(root().join("bpf"))? {
            let path = entry?.path();
            fs::copy(&path, folder.join(path.file_name().unwrap_or_default()))?;
        }
        let text = fs::read_to_string(folder.join(file)).with_context(|| format!("mutants.txt: {file}"))?;
        if text.matches(from).count() != 1 {
            bail!("mutants.txt: `{from}` must stand once in {file}");
        }
        fs::write(folder.join(file), text.replace(from, to))?;
        compile(&folder, &object)?;
        tried += 1;
        missed += u32::from(!found(&object, from, to)?);
    }
    ensure!(tried > 0, "no line of mutants.txt contains {args:?}");
    ensure!(missed == 0, "{missed} of {tried} mistakes are not found");
    eprintln!("{tried} mistakes, all found");
    Ok(())
}

/// Whether a test fails with the programs of `object`, and not because the kernel refuses them.
fn found(object: &Path, from: &str, to: &str) -> Result<bool> {
    let began = Instant::now();
    for test in TESTS {
        let mut cargo = crate::cargo(&["test", "--quiet", "--package", "ipos-kernel", "--test", test]);
        let output = cargo.env("IPOS_BPF_OBJECT", object).env("RUST_BACKTRACE", "0").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains("the kernel does not take the program") {
            bail!("`{to}` instead of `{from}` is found by the kernel's verifier, and tells nothing of the tests");
        }
        if !output.status.success() {
            let names: Vec<_> =
                text.lines().filter_map(|l| l.strip_prefix("---- ")?.strip_suffix(" stdout ----")).collect();
            eprintln!("found by {test}, {:.0?}: `{to}` instead of `{from}`: {}", began.elapsed(), names.join(", "));
            return Ok(true);
        }
    }
    eprintln!("NOT FOUND, {:.0?}: `{to}` instead of `{from}`", began.elapsed());
    Ok(false)
}
