//! The `ipos` command.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use ending::Ending;
use tracing_subscriber::EnvFilter;

#[cfg(not(all(feature = "sim", feature = "lab")))]
mod absent;
#[cfg(feature = "lab")]
mod bench;
mod card;
#[cfg(feature = "lab")]
mod demo;
mod ending;
mod holder;
mod node;
mod simulated;
mod wires;

/// Moves live TCP connections between servers whose network cards forward in hardware
///
/// ipOS moves an established connection from one server to another while its client notices
/// nothing. From then on the first server's card forwards the client's packets by itself,
/// encapsulated in Ethernet, and the new server answers the client directly.
#[derive(Parser, Debug)]
#[command(name = "ipos", version, after_long_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Says more on standard error: -v what happens, -vv each step (RUST_LOG overrides)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand, Debug)]
enum Command {
    #[cfg(feature = "lab")]
    Demo(demo::Args),
    /// Moves a live download between two servers through their cards; not in this build
    #[cfg(not(feature = "lab"))]
    Demo(absent::Args),
    Card(card::Args),
    #[cfg(feature = "lab")]
    Bench(bench::Args),
    /// Measures ipOS on this machine; not in this build
    #[cfg(not(feature = "lab"))]
    Bench(absent::Args),
    Node(node::Args),
    Drain(node::Drain),
    Holder(holder::Args),
    /// Prints a shell's completions of this command
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Writes the man pages of this command and of its subcommands
    Man {
        /// A folder, such as /usr/local/share/man/man1; made if it is missing
        folder: PathBuf,
    },
}

const AFTER_HELP: &str = "\
Examples:
  ipos demo                              the default: half a minute, with a table at the end
  ipos demo --card model --moves 200     the reference model, many moves
  ipos demo --pcap /tmp/captures         captures of every port; open them in Wireshark
  ipos demo --json | jq .pause_us        for programs
  ipos bench migrate                     how fast a connection moves, and where the time goes
  ipos node --config /etc/ipos/node.toml the node of this server
  ipos drain --to b                      moves this server's connections to server b
  ipos card list                         the cards of this machine
  ipos card selftest --sim               the card's self-test on a simulated one

Exit codes:
  0    everything was right
  1    something was off, or could not be done; standard error or the table says what
  2    wrong usage
  130  interrupted (143: terminated)

Environment:
  RUST_LOG  what to log, e.g. ipos_node=debug";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let default = match cli.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default)))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // told on standard error, too, with a panic where that is the disk that is full
        .log_internal_errors(false)
        .init();
    let ended = match cli.command {
        #[cfg(feature = "lab")]
        Command::Demo(args) => demo::run(&args),
        #[cfg(feature = "lab")]
        Command::Bench(args) => bench::run(&args),
        #[cfg(not(feature = "lab"))]
        Command::Demo(_) => Err(absent::feature("`ipos demo`", "lab")),
        #[cfg(not(feature = "lab"))]
        Command::Bench(_) => Err(absent::feature("`ipos bench`", "lab")),
        Command::Card(args) => card::run(&args).map(|good| if good { Ending::Good } else { Ending::Bad }),
        Command::Node(args) => node::run(args),
        Command::Drain(args) => node::drain(&args),
        Command::Holder(args) => holder::run(&args),
        Command::Completions { shell } => completions(shell),
        Command::Man { folder } => man(&folder),
    };
    match ended {
        Ok(Ending::Good) => ExitCode::SUCCESS,
        Ok(Ending::Bad) => ExitCode::FAILURE,
        #[cfg(feature = "lab")]
        Ok(Ending::Signal(number)) => ExitCode::from(128 + number as u8),
        Err(e) => {
            // likewise
            let _ = writeln!(std::io::stderr(), "ipos: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn completions(shell: Shell) -> anyhow::Result<Ending> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ipos", &mut text);
    std::io::stdout().write_all(&text).context("writing the completions")?;
    Ok(Ending::Good)
}

fn man(folder: &Path) -> anyhow::Result<Ending> {
    let pages = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    pages.with_context(|| format!("writing man pages into {}", folder.display()))?;
    Ok(Ending::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracles are clap, which knows the commands, and bash and man, which read what is written.
    #[test]
    fn shell_and_man_read_what_is_generated() {
        Cli::command().debug_assert();
        let folder = tempfile::tempdir().unwrap();
        man(folder.path()).unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        for page in ["ipos.1", "ipos-node.1", "ipos-card-selftest.1", "ipos-completions.1"] {
            assert!(names.iter().any(|n| n == page), "{page}: {names:?}");
        }
        let mut script = Vec::new();
        clap_complete::generate(Shell::Bash, &mut Cli::command(), "ipos", &mut script);
        script.extend_from_slice(
            b"\nCOMP_WORDS=(ipos card self); COMP_CWORD=2; _ipos ipos self card; echo \"${COMPREPLY[@]}\"\n",
        );
        let file = folder.path().join("completions");
        fs::write(&file, script).unwrap();
        let output = std::process::Command::new("bash").arg("--norc").arg(&file).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "selftest", "{output:?}");
    }
}
