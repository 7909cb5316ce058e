//! `ipos bench`: measures, each time against a baseline in the same run.

use clap::Subcommand;

use crate::ending::Ending;

mod cluster;
mod figures;
mod migrate;
mod phases;
mod steps;

/// Measures ipOS on this machine
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Migrate(migrate::Args),
}

/// Runs a measurement. The process must still have one thread.
pub fn run(args: &Args) -> anyhow::Result<Ending> {
    match &args.command {
        Command::Migrate(args) => migrate::run(args),
    }
}
