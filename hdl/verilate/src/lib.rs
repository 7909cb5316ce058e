//! Runs Verilator from a build script and writes the Rust binding of the model.
