//! Answers of the commands that a build without some feature lacks.

use std::ffi::OsString;

/// The arguments of a command that this build lacks: any.
#[derive(clap::Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _any: Vec<OsString>,
}

/// The error of who asks for `thing`.
pub fn feature(thing: &str, feature: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "this `ipos` was built without the feature `{feature}`, which {thing} needs: \
         `cargo install --path host/cli` builds it with all features"
    )
}
