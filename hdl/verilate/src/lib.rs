//! Runs Verilator and writes the Rust binding of a model.
//!
//! Two users: the build script of a crate that holds a simulated design ([`Model`]), and a test
//! that compares a piece of SystemVerilog with another model of it ([`Vectors`]).
//!
//! The binding shares memory with the model: ports are read and written in place, and only `eval()`
//! calls C++. Existing crates either do not build against a current Verilator, or call through
//! a table on each port access.

mod binding;
mod header;
mod model;
mod tool;
mod vectors;

pub use header::{Direction, Port};
pub use model::{Model, coverage};
pub use tool::{Verilator, compiler};
pub use vectors::Vectors;

use std::path::PathBuf;

/// Why a model could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Verilator is neither named by the environment nor installed in the checkout.
    #[error(
        "Verilator not found at {}: simulated cards are compiled with it; run `cargo xtask setup` or set VERILATOR_ROOT", looked.display()
    )]
    NotInstalled {
        /// Where it was looked for.
        looked: PathBuf,
    },
    /// A program could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Program asked for.
        program: String,
        /// Reason.
        source: std::io::Error,
    },
    /// A program ended with an error.
    #[error("{program} failed on {what}:\n{output}")]
    Failed {
        /// Program that failed.
        program: String,
        /// What it worked on.
        what: String,
        /// What it wrote.
        output: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// A generated header does not look as expected: another version of Verilator.
    #[error("port declaration not understood: `{0}` (built for Verilator 5.48)")]
    Port(String),
    /// Not run by cargo as a build script.
    #[error("{0} is not set: call this from a build script")]
    NotBuildScript(&'static str),
    /// A vector does not match the ports.
    #[error("vector {index} has {found} values for {expected} input ports")]
    Vector {
        /// Position of the vector.
        index: usize,
        /// Values given.
        found: usize,
        /// Input ports of the model.
        expected: usize,
    },
}

pub(crate) fn read(path: impl Into<PathBuf>) -> Result<String, Error> {
    let path = path.into();
    std::fs::read_to_string(&path).map_err(|source| Error::File { path, source })
}

pub(crate) fn write(path: impl Into<PathBuf>, text: &str) -> Result<(), Error> {
    let path = path.into();
    std::fs::write(&path, text).map_err(|source| Error::File { path, source })
}
