//! The `ipos` command.
fn main() {}
