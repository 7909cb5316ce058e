//! `ipos holder`: the process that keeps sockets beyond its node's death.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use ipos_holder::{Holder, Limits, Start, renounce};

use crate::ending::Ending;

/// How long a holder that a node has started goes on without a node: a node that starts again finds it.
const IDLE: Duration = Limits::ORPHANED;

/// Keeps a second descriptor of each socket that this server's node moves
///
/// A node that was killed and is started again takes them back, so that its death loses no connection. A node starts its holder
/// itself, unless one is there. The holder needs no privilege, and gives up those that it has.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Exit codes:
  0  another holder has taken over; or no node has needed this one for --idle seconds
  1  it could not start
  2  wrong usage")]
pub struct Args {
    /// Where the node finds it: `holder` of the node's configuration, by default its socket with .holder behind
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// Takes over what the running holder has, and that one ends: for upgrades. The node goes on meanwhile
    #[arg(long)]
    replace: bool,
    /// Ends after so long without a node [default: never]
    #[arg(long, value_name = "SECONDS")]
    idle: Option<u64>,
}

/// Runs a holder.
pub fn run(args: &Args) -> anyhow::Result<Ending> {
    let limits = Limits { idle: args.idle.map(Duration::from_secs), ..Limits::default() };
    let path = &args.socket;
    let holder = if args.replace { Holder::succeed(path, limits) } else { Holder::bind(path, limits) };
    let holder = holder.context("no holder")?;
    renounce().context("giving up privileges")?;
    // away from a terminal's signals; a shell's child leads its group already, and gets them
    let _ = nix::unistd::setsid();
    // whoever has started it waits for this line, or for nothing
    let _ = writeln!(std::io::stdout(), "The holder listens on {}.", path.display());
    holder.run()?;
    Ok(Ending::Good)
}

/// Starts a holder at `path`, which outlives this process.
pub fn starter(path: &Path) -> anyhow::Result<Start> {
    let (program, path) = (std::env::current_exe().context("finding this program")?, path.to_owned());
    Ok(Box::new(move || {
        let mut command = Command::new(&program);
        command.args(["holder", "--idle", &IDLE.as_secs().to_string(), "--socket"]).arg(&path);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
    }))
}
