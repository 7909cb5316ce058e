//! SystemVerilog emitter for rust-hdl blocks.
