//! `cargo xtask mutants`: mistakes in the migration protocol, and in what a node does for it, that its exploration must find.
//!
//! Each line of `host/migrate/tests/explore/mutants.txt` changes one place of `host/migrate`; then the exploration runs, and must
//! fail. Files are changed in place and put back; after an interrupted run `git checkout host/migrate` does that.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::tools::workspace;

/// Random steps of each run: most mistakes need none.
const STEPS: &str = "2000000";

/// A file as it was; written back when dropped.
struct Original {
    path: PathBuf,
    text: String,
}

impl Drop for Original {
    fn drop(&mut self) {
        if let Err(e) = fs::write(&self.path, &self.text) {
            eprintln!("xtask: {} could not be put back: {e}", self.path.display());
        }
    }
}

/// Tries every mistake.
pub fn mutants() -> Result<()> {
    let root = workspace().join("host/migrate");
    let list = fs::read_to_string(root.join("tests/explore/mutants.txt"))?;
    let mut missed = 0;
    for line in list.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (file, change) = line.split_once(": ").with_context(|| format!("mutants.txt: {line}"))?;
        let (from, to) = change.split_once(" => ").with_context(|| format!("mutants.txt: {line}"))?;
        let path = root.join(file);
        let text = fs::read_to_string(&path)?;
        if text.matches(from).count() != 1 {
            bail!("mutants.txt: `{from}` must stand once in {file}");
        }
        let original = Original { path, text };
        fs::write(&original.path, original.text.replace(from, to))?;
        missed += u32::from(!explore(from, to)?);
    }
    if missed == 0 { Ok(()) } else { bail!("{missed} mistakes are not found") }
}

/// Whether the exploration finds the change.
fn explore(from: &str, to: &str) -> Result<bool> {
    // one that does not compile would be found by the wrong thing
    let build = ["test", "--quiet", "--package", "ipos-migrate", "--test", "explore", "--no-run"];
    crate::tools::run(&mut crate::cargo(&build))?;
    let began = Instant::now();
    // the digests of what cores do would tell any change, not only one that breaks a rule
    let run = ["test", "--quiet", "--package", "ipos-migrate", "--test", "explore", "--", "--skip", "walk::the_same"];
    let output = crate::cargo(&run).env("IPOS_STEPS", STEPS).env("RUST_BACKTRACE", "0").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        eprintln!("NOT FOUND, {:.0?}: `{to}` instead of `{from}`", began.elapsed());
        return Ok(false);
    }
    // the line behind "panicked at" says which rule was broken, and in which search
    let rules = text.lines().zip(text.lines().skip(1)).filter(|(at, _)| at.contains("panicked at"));
    let rules: Vec<_> = rules.map(|(_, rule)| rule).collect();
    eprintln!("found, {:.0?}: `{to}` instead of `{from}`: {}", began.elapsed(), rules.join("; "));
    Ok(true)
}
