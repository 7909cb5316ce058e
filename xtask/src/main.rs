//! Project chores: `cargo xtask help` lists them.

#![forbid(unsafe_code)]

mod cocotb;
mod coverage;
#[cfg(test)]
mod errors;
mod fmax;
mod formal;
mod header;
#[cfg(test)]
mod knobs;
mod lint;
mod mutants;
mod repeat;
mod sections;
mod test;
mod tools;
mod vm;

use anyhow::{Context, Result, bail};
use std::env;
use std::process::{Command, ExitCode};

const HELP: &str = "\
cargo xtask <command>

  setup [--no-install]   install what the project needs: pinned wheels into target/tools, Debian packages by name
  demo [ARGS]            the main job: a live connection moves between two servers through simulated cards
  test [ARGS]            all tests, to the end, then the names of those that failed; ARGS go to `cargo test`
  repeat [--times N] [--busy N] [NAME]...
                         the test programs that run servers, N times [20] beside N busy loops [4]; all, or those whose name
                         contains NAME; logs of failures in target/repeat
  gen [--check]          write every generated file, or say which are stale
  lint                   the gates for the generated Verilog: Verilator -Wall, slang, Yosys
  test-vm [--card CARD] [--frames N] [--cycles N]
                         a kernel in a virtual machine binds the simulated card and tests it (QEMU and kernel: target/vm)
  formal [NAME]... [--mutants]
                         proofs over the generated Verilog; --mutants: each proof finds the faults injected for it
  mutants                mistakes in the migration protocol, each of which its exploration must find (by hand: half an hour)
  cocotb [SIMULATOR]...  the fabric against models of others: cocotbext-pcie, -axi, scapy; on Verilator and Icarus
  coverage               lines of the card's Verilog that the tests run, by block
  soak [--minutes N]     connections come, move and go; fails if memory, descriptors, table entries or namespaces pile up [10 minutes]
  bench                  simulated cycles/s and packets/s of both cards
  fmax [--block NAME]... [--seeds N] [--json] [--path]
                         size and speed of blocks by place and route; without --block, writes docs/timing.md
  ci                     what CI runs, in its order

demo, test, repeat, soak, lint, formal, cocotb, coverage, bench, fmax and ci run setup first; --no-install makes them refuse instead of installing.
";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(e) => {
            eprintln!("xtask: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut args: Vec<String> = env::args().skip(1).collect();
    let install = !args.iter().any(|a| a == "--no-install");
    args.retain(|a| a != "--no-install");
    let Some(command) = (!args.is_empty()).then(|| args.remove(0)) else {
        print!("{HELP}");
        return Ok(ExitCode::from(2));
    };
    match command.as_str() {
        "help" | "--help" | "-h" => print!("{HELP}"),
        "setup" => tools::setup(install)?,
        "demo" => {
            tools::setup(install)?;
            // built first, so that its progress shows; then the exit code is the demo's own
            tools::run(&mut cargo(&["build", "--package", "ipos-cli"]))?;
            let status = cargo(&["run", "--quiet", "--package", "ipos-cli", "--", "demo"]).args(&args).status()?;
            return Ok(ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)));
        }
        "test" => {
            tools::setup(install)?;
            test::test(cargo(&[]), &args)?;
        }
        "repeat" => {
            tools::setup(install)?;
            repeat::repeat(&args)?;
        }
        "gen" => generate(&args)?,
        "lint" => {
            tools::setup(install)?;
            lint::lint()?;
        }
        "test-vm" => return vm::test(&args, install),
        "formal" => {
            tools::setup(install)?;
            formal::formal(&args)?;
        }
        "mutants" => mutants::mutants()?,
        "cocotb" => {
            tools::setup(install)?;
            cocotb::cocotb(&args, install)?;
        }
        "coverage" => {
            tools::setup(install)?;
            coverage::coverage()?;
        }
        "soak" => {
            tools::setup(install)?;
            soak(&args)?;
        }
        "bench" => {
            tools::setup(install)?;
            tools::run(cargo(&["bench", "--package", "ipos-sim"]).args(&args))?;
        }
        "fmax" => {
            tools::setup(install)?;
            fmax::fmax(&args)?;
        }
        "ci" => {
            tools::setup(install)?;
            tools::run(&mut cargo(&["fmt", "--all", "--check"]))?;
            tools::run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
            // the daemon alone, as a server gets it
            tools::run(&mut cargo(&[
                "clippy",
                "--package",
                "ipos-cli",
                "--no-default-features",
                "--",
                "-D",
                "warnings",
            ]))?;
            tools::run(Command::new("python3").arg("ci/modules.py").current_dir(tools::workspace()))?;
            tools::run(cargo(&["doc", "--no-deps", "-p", "ipos", "-p", "ipos-c"]).env("RUSTDOCFLAGS", "-D warnings"))?;
            generate(&["--check".to_owned()])?;
            lint::lint()?;
            formal::formal(&[])?;
            formal::formal(&["--mutants".to_owned()])?;
            cocotb::cocotb(&[], install)?;
            test::test(cargo(&[]), &args)?;
        }
        other => bail!("unknown command `{other}`; `cargo xtask help` lists them"),
    }
    Ok(ExitCode::SUCCESS)
}

fn soak(args: &[String]) -> Result<()> {
    let minutes: u64 = match args {
        [] => 10,
        [flag, minutes] if flag == "--minutes" => minutes.parse().with_context(|| format!("--minutes {minutes}"))?,
        _ => bail!("soak takes --minutes N"),
    };
    let mut command = cargo(&["test", "--package", "ipos-cli", "--test", "processes", "--", "soak::", "--nocapture"]);
    tools::run(command.env("IPOS_SOAK_SECONDS", (60 * minutes).to_string()))
}

fn generate(args: &[String]) -> Result<()> {
    tools::run(cargo(&["run", "--quiet", "--package", "ipos-hdl", "--bin", "ipos-gen", "--"]).args(args))?;
    let check = args.iter().any(|a| a == "--check");
    header::generate(check)?;
    sections::generate(check)?;
    let page = tools::workspace().join("docs/socket-options.md");
    tools::keep(&page, ipos_migrate::socket::options_page().as_bytes(), check)
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(tools::workspace()).args(args);
    command
}
