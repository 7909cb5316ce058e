//! Project chores: `cargo xtask help` lists them.

#![forbid(unsafe_code)]

mod bpf;
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

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Project chores
#[derive(Parser, Debug)]
#[command(bin_name = "cargo xtask", after_help = AFTER_HELP)]
struct Cli {
    /// Refuses where something is missing, instead of installing it
    #[arg(long, global = true)]
    no_install: bool,
    #[command(subcommand)]
    task: Task,
}

const AFTER_HELP: &str = "\
demo, test, repeat, soak, lint, formal, cocotb, coverage, bench, fmax and ci run setup first.

Exit codes:
  0   all is right
  1   something is wrong, stale or could not be done; standard error says what
  2   wrong usage
  77  test-vm could not be run here
demo ends as `ipos demo` does.";

/// Arguments for another program.
#[derive(clap::Args, Debug)]
#[command(disable_help_flag = true)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// Installs what the project needs: pinned wheels into target/tools, Debian packages by name
    Setup,
    /// The main job: a live connection moves between two servers through simulated cards; ARGS go to `ipos demo`
    Demo(Passed),
    /// All tests, to the end, then the names of those that failed; ARGS go to `cargo test`
    Test(Passed),
    /// The test programs that run servers, again and again beside busy loops; logs of failures in target/repeat
    Repeat(repeat::Args),
    /// Writes every generated file
    Gen {
        /// Says which are stale instead
        #[arg(long)]
        check: bool,
    },
    /// The gates for the generated Verilog: Verilator -Wall, slang, Yosys
    Lint,
    /// A kernel in a virtual machine binds the simulated card and tests it (QEMU and kernel: target/vm)
    TestVm(vm::Args),
    /// Proofs over the generated Verilog
    Formal(formal::Args),
    /// Mistakes in the migration protocol, each of which its exploration must find (by hand: half an hour)
    Mutants,
    /// Mistakes in the kernel datapath's programs, each of which its tests must find (by hand, as root)
    BpfMutants {
        /// Those lines of the list that contain one of these [default: all]
        texts: Vec<String>,
    },
    /// The fabric against models of others: cocotbext-pcie, -axi, scapy
    Cocotb {
        /// Verilator, Icarus [default: both]
        simulators: Vec<cocotb::Simulator>,
    },
    /// Lines of the card's Verilog that the tests run, by block
    Coverage,
    /// Connections come, move and go; fails if memory, descriptors, table entries or namespaces pile up
    Soak {
        #[arg(long, default_value_t = 10)]
        minutes: u64,
    },
    /// Simulated cycles and packets a second of both cards
    Bench(Passed),
    /// Size and speed of blocks by place and route; without --block, writes docs/timing.md
    Fmax(fmax::Args),
    /// Whatever CI runs, in its order; ARGS go to `cargo test`
    Ci(Passed),
}

fn main() -> ExitCode {
    let mut args: Vec<OsString> = env::args_os().collect();
    // it may stand behind arguments that go to another program, too
    args[1..].sort_by_key(|arg| arg != "--no-install");
    match run(Cli::parse_from(args)) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("xtask: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let install = !cli.no_install;
    match cli.task {
        Task::Gen { check } => generate(check)?,
        Task::TestVm(args) => return vm::test(&args, install),
        Task::Mutants => mutants::mutants()?,
        Task::BpfMutants { texts } => bpf::mutants(&texts)?,
        task => {
            tools::setup(install)?;
            return equipped(task, install);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Tasks that need the tools.
fn equipped(task: Task, install: bool) -> Result<ExitCode> {
    match task {
        Task::Setup | Task::Gen { .. } | Task::TestVm(_) | Task::Mutants | Task::BpfMutants { .. } => {}
        Task::Demo(Passed { args }) => {
            // built first, so that its progress shows; then the exit code is the demo's own
            tools::run(&mut cargo(&["build", "--package", "ipos-cli"]))?;
            let status = cargo(&["run", "--quiet", "--package", "ipos-cli", "--", "demo"]).args(&args).status()?;
            return Ok(ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)));
        }
        Task::Test(Passed { args }) => test::test(cargo(&[]), &args)?,
        Task::Repeat(args) => repeat::repeat(&args)?,
        Task::Lint => lint::lint()?,
        Task::Formal(args) => formal::formal(&args)?,
        Task::Cocotb { simulators } => cocotb::cocotb(&simulators, install)?,
        Task::Coverage => coverage::coverage()?,
        Task::Soak { minutes } => soak(minutes)?,
        Task::Bench(Passed { args }) => tools::run(cargo(&["bench", "--package", "ipos-sim"]).args(&args))?,
        Task::Fmax(args) => fmax::fmax(&args)?,
        Task::Ci(Passed { args }) => {
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
            // they stand outside of the workspace, and want nightly to run, not to build
            let mut fuzz = cargo(&[
                "check",
                "--locked",
                "--bins",
                "--manifest-path",
                "fuzz/Cargo.toml",
                "--target-dir",
                "target/fuzz",
            ]);
            tools::run(fuzz.env("RUSTFLAGS", "--cfg fuzzing"))?;
            generate(true)?;
            lint::lint()?;
            formal::formal(&formal::Args::default())?;
            formal::formal(&formal::Args { mutants: true, ..Default::default() })?;
            cocotb::cocotb(&[], install)?;
            test::test(cargo(&[]), &args)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn soak(minutes: u64) -> Result<()> {
    let mut command = cargo(&["test", "--package", "ipos-cli", "--test", "processes", "--", "soak::", "--nocapture"]);
    tools::run(command.env("IPOS_SOAK_SECONDS", (60 * minutes).to_string()))
}

fn generate(check: bool) -> Result<()> {
    tools::run(
        cargo(&["run", "--quiet", "--package", "ipos-hdl", "--bin", "ipos-gen", "--"]).args(check.then_some("--check")),
    )?;
    header::generate(check)?;
    sections::generate(check)?;
    bpf::generate(check)?;
    let page = tools::workspace().join("docs/socket-options.md");
    tools::keep(&page, ipos_migrate::socket::options_page().as_bytes(), check)
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(tools::workspace()).args(args);
    command
}
