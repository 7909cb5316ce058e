//! `cargo xtask gen`, the C side: `host/include/ipos.h` from the library's source.

use anyhow::{Context, Result, bail};
use std::fs;

use crate::tools;

/// Writes the header, or with `check` says whether it is as the source wants it.
pub fn generate(check: bool) -> Result<()> {
    let source = tools::workspace().join("host/capi");
    let header = tools::workspace().join("host/include/ipos.h");
    let config = cbindgen::Config::from_file(source.join("cbindgen.toml")).map_err(anyhow::Error::msg)?;
    let generated = cbindgen::Builder::new().with_src(source.join("src/lib.rs")).with_config(config).generate()?;
    let mut text = Vec::new();
    generated.write(&mut text);
    if check {
        if fs::read(&header).is_ok_and(|have| have == text) {
            return Ok(());
        }
        bail!("{} is stale: run `cargo xtask gen`", header.display());
    }
    fs::write(&header, text).with_context(|| format!("writing {}", header.display()))
}
