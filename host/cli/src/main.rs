//! The `ipos` command.
mod demo;
fn main() {}
