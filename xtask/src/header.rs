//! `cargo xtask gen`, the C side: `host/include/ipos.h` from the library's source.

use anyhow::Result;

use crate::tools;

/// Writes the header, or with `check` says whether it is as the source wants it.
pub fn generate(check: bool) -> Result<()> {
    let source = tools::workspace().join("host/capi");
    let header = tools::workspace().join("host/include/ipos.h");
    let config = cbindgen::Config::from_file(source.join("cbindgen.toml")).map_err(anyhow::Error::msg)?;
    let generated = cbindgen::Builder::new().with_src(source.join("src/lib.rs")).with_config(config).generate()?;
    let mut text = Vec::new();
    generated.write(&mut text);
    tools::keep(&header, &text, check)
}
