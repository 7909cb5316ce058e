//! Verilator's C++ runtime, compiled once, linked into every model that `ipos-verilate` builds.
//!
//! A crate that holds a model names this one in `[dependencies]`; the generated binding refers to it,
//! so a missing line is a compile error and not a list of undefined symbols.

// verilated_fst_c.cpp calls them; nothing in Rust does.
use libz_sys as _;
use lz4_sys as _;

use std::path::PathBuf;

/// Why a model could not write waveforms.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The model has no tracing variant.
    #[error("cannot write {}: model `{model}` was built without waveforms (`.fst(true)` in its build script)", path.display())]
    NotBuilt {
        /// Name of the model.
        model: &'static str,
        /// File asked for.
        path: PathBuf,
    },
    /// The file could not be created.
    #[error("cannot create waveform file {}: {source}", path.display())]
    Open {
        /// File asked for.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
}
