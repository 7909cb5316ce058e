//! The `ipos` command.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
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
#[command(version, after_long_help = AFTER_HELP)]
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
