//! `cargo xtask test`: all tests, to the end, and which of them failed.

use std::io::{self, BufRead, BufReader};
use std::process::Command;

use anyhow::{Result, bail};

/// What test programs have said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    /// Each failure with the arguments that run its program again.
    pub failures: Vec<String>,
    /// Failed tests of the program that speaks.
    names: Vec<String>,
    /// They are being listed.
    listing: bool,
}

impl Tally {
    /// Takes the next line of cargo and of the test programs.
    pub fn take(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            // ok. 3 passed; 0 failed; …
            let count = |what: &str| {
                let before = result.split(what).next().unwrap_or_default().trim_end();
                before.rsplit(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
            };
            self.passed += count("passed");
            self.failed += count("failed;");
            self.listing = false;
        } else if line == "failures:" {
            // twice: above what the tests said, and above their names
            self.names.clear();
            self.listing = true;
        } else if let Some(name) = line.strip_prefix("    ").filter(|_| self.listing) {
            self.names.push(name.to_owned());
        } else if let Some((_, rest)) = line.split_once("to rerun pass `").filter(|_| line.starts_with("error: ")) {
            self.program_failed(rest.trim_end_matches('`'));
        }
    }

    /// The program that spoke last has failed.
    pub fn program_failed(&mut self, program: &str) {
        if self.names.is_empty() {
            self.failed += 1;
            self.names.push("it ended before its tests did".to_owned());
        }
        self.failures.extend(self.names.drain(..).map(|name| format!("{program}: {name}")));
        self.listing = false;
    }
}

/// Runs `cargo test` to the end of all test programs, shows what they print, and ends with the failures and the sum.
pub fn test(mut cargo: Command, args: &[String]) -> Result<()> {
    let chosen = args.iter().any(|a| a == "-p" || a == "--package");
    cargo.arg("test").args((!chosen).then_some("--workspace"));
    cargo.args((!args.iter().any(|a| a == "--no-fail-fast")).then_some("--no-fail-fast")).args(args);
    // one pipe: cargo says behind a program's lines that it failed
    let (lines, writer) = io::pipe()?;
    cargo.stdout(writer.try_clone()?).stderr(writer);
    let mut child = cargo.spawn()?;
    // or the lines would not end
    drop(cargo);
    let mut tally = Tally::default();
    for line in BufReader::new(lines).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.take(&line);
    }
    let status = child.wait()?;
    if !tally.failures.is_empty() {
        println!("\nfailed:");
        tally.failures.iter().for_each(|f| println!("  {f}"));
    }
    println!("\n{} passed, {} failed", tally.passed, tally.failed);
    if !status.success() {
        bail!("cargo test: {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Stdio;

    /// The oracle is cargo: a package with a program that passes between two that don't.
    #[test]
    fn every_failure_of_every_program_is_named() {
        let directory = std::env::temp_dir().join(format!("ipos-xtask-test-{}", std::process::id()));
        fs::create_dir_all(directory.join("tests")).unwrap();
        let write = |file: &str, text: &str| fs::write(directory.join(file), text).unwrap();
        write("Cargo.toml", "[package]\nname = \"p\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n[workspace]\n");
        write("lib.rs", "");
        write("tests/a.rs", "#[test] fn one() { panic!(\"\\n    not a name\") } #[test] fn two() { panic!() }");
        write("tests/b.rs", "#[test] fn three() {} #[test] fn four() {}");
        write("tests/c.rs", "#[test] fn five() { std::process::abort() }");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&directory).env_remove("CARGO_TARGET_DIR").args(["test", "--offline", "--no-fail-fast"]);
        let (lines, writer) = io::pipe().unwrap();
        let mut child = cargo.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        drop(cargo);
        let mut tally = Tally::default();
        BufReader::new(lines).lines().for_each(|line| tally.take(&line.unwrap()));
        assert!(!child.wait().unwrap().success());
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(tally.failures, ["--test a: one", "--test a: two", "--test c: it ended before its tests did"]);
        assert_eq!((tally.passed, tally.failed), (2, 3));
    }
}
