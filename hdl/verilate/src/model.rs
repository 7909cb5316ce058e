//! Builds a model from a build script.

use crate::header::{self, Sources};
use crate::{Error, Verilator, binding, compiler, read, write};
use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

/// A model to build; see [`Model::build`].
#[derive(Clone, Debug)]
pub struct Model {
    name: String,
    top: String,
    files: Vec<PathBuf>,
    args: Vec<OsString>,
    fst: bool,
    opt_level: u32,
}

impl Model {
    /// A model called `name` (a Rust module name, unique in the program) of the design module `top`.
    pub fn new(name: &str, top: &str) -> Self {
        Model { name: name.into(), top: top.into(), files: vec![], args: vec![], fst: false, opt_level: 2 }
    }

    /// Adds a source file.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.files.push(path.as_ref().into());
        self
    }

    /// Sets a parameter of the top module.
    pub fn param(self, name: &str, value: impl Display) -> Self {
        self.arg(format!("-G{name}={value}"))
    }

    /// Adds an argument for Verilator.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Also builds a variant that can write waveforms (a second compilation; a traced run is some
    /// thirty times slower, the other variant stays as fast as it was).
    pub fn fst(mut self, yes: bool) -> Self {
        self.fst = yes;
        self
    }

    /// Optimisation of the hot path, 2 unless set. 0 compiles fastest; 1 and below simulate 3 times slower or worse.
    pub fn opt_level(mut self, level: u32) -> Self {
        self.opt_level = level;
        self
    }

    /// Verilates, compiles, and writes `$OUT_DIR/<name>.rs`, which the crate includes:
    ///
    /// ```text
    /// include!(concat!(env!("OUT_DIR"), "/card.rs")); // pub mod card { pub struct Model … }
    /// let mut model = card::Model::new(Some(seed));
    /// model.set_clock(1);
    /// model.eval();
    /// ```
    ///
    /// The crate must depend on `ipos-verilated-rt`. An error ends the build script with a message for cargo.
    pub fn build(self) {
        if let Err(e) = self.try_build() {
            for line in e.to_string().lines() {
                println!("cargo::error={line}");
            }
            std::process::exit(1);
        }
    }

    /// [`Model::build`] that returns its error.
    pub fn try_build(&self) -> Result<(), Error> {
        let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(Error::NotBuildScript("OUT_DIR"))?);
        println!("cargo::rerun-if-env-changed=VERILATOR_ROOT");
        println!("cargo::rerun-if-env-changed=IPOS_COVERAGE");
        let verilator = Verilator::find()?;
        let ports = self.variant(&verilator, &out, &self.name, false)?;
        if self.fst {
            self.variant(&verilator, &out, &traced(&self.name), true)?;
        }
        write(out.join(&self.name).with_extension("rs"), &binding::rust(&self.name, &ports, self.fst))
    }

    fn variant(&self, verilator: &Verilator, out: &Path, name: &str, fst: bool) -> Result<Vec<header::Port>, Error> {
        let directory = out.join(name);
        // A file left from another shape of the design would be compiled in.
        if let Err(source) = fs::remove_dir_all(&directory)
            && source.kind() != std::io::ErrorKind::NotFound
        {
            return Err(Error::File { path: directory, source });
        }
        // Registers without a reset take random values from the seed, so that a missing one shows.
        let mut args: Vec<OsString> =
            ["--cc", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--timescale", "1ns/1ns"]
                .map(Into::into)
                .into();
        if fst {
            args.push("--trace-fst".into());
        }
        if coverage() {
            // the counters keep blocks whole that it would split: more rounds to settle, the same values
            args.extend(["--coverage-line", "-Wno-UNOPTFLAT"].map(Into::into));
        }
        let prefix = format!("V{name}");
        args.extend(["--top-module", &self.top, "--prefix", &prefix, "--Mdir"].map(Into::into));
        args.push(directory.clone().into());
        args.extend(self.args.iter().cloned());
        args.extend(self.files.iter().map(Into::into));
        for file in &self.files {
            println!("cargo::rerun-if-changed={}", file.display());
        }
        verilator.run(&self.top, args)?;
        for file in header::dependencies(&read(directory.join(format!("{prefix}__ver.d")))?) {
            println!("cargo::rerun-if-changed={file}");
        }

        let ports = header::ports(&read(directory.join(format!("{prefix}.h")))?)?;
        let mut sources = Sources::from_makefile(&read(directory.join(format!("{prefix}_classes.mk")))?, &directory);
        let shim = directory.join("shim.cpp");
        write(&shim, &binding::cpp(name, &ports, fst))?;
        sources.fast.push(shim);
        let compile = |part: &str, files: &[PathBuf], opt_level: u32| -> Result<(), Error> {
            // One translation unit: Verilator's headers take longer than its output.
            let unity = directory.join(format!("unity_{part}.cpp"));
            write(&unity, &files.iter().map(|f| format!("#include \"{}\"\n", f.display())).collect::<String>())?;
            let flag = if fst { "1" } else { "0" };
            compiler(verilator)
                .define("VM_TRACE", flag)
                .define("VM_TRACE_FST", flag)
                .define("VM_COVERAGE", if coverage() { "1" } else { "0" })
                .include(&directory)
                .opt_level(opt_level)
                .file(unity)
                .compile(&format!("{name}_{part}"));
            Ok(())
        };
        compile("fast", &sources.fast, self.opt_level)?;
        compile("slow", &sources.slow, self.opt_level.min(1))?;
        Ok(ports)
    }
}

/// Whether models count how often each of their lines runs: with `IPOS_COVERAGE`, the directory where each instance writes
/// its counts when it is dropped.
#[must_use]
pub fn coverage() -> bool {
    env::var_os("IPOS_COVERAGE").is_some()
}

/// Name of the variant with waveforms.
pub(crate) fn traced(name: &str) -> String {
    format!("{name}_fst")
}
