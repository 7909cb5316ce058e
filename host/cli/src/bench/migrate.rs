//! `ipos bench migrate`: rounds of all phases, medians over the rounds.

use std::time::Duration;

use anyhow::ensure;
use indicatif::{ProgressBar, ProgressStyle};

use super::cluster::Cluster;
use super::figures::{Figures, Machine, Report, table};
use super::phases;
use crate::demo::{size, stage};
use crate::ending::Ending;

/// Measures how fast connections move, and where the time goes
///
/// Two servers with reference cards, in network namespaces of their own, move connections to and fro; one thread is the application of
/// both. Each round measures: moves of an idle connection with a few bytes unread; an echo connection, undisturbed and then with moves;
/// many connections at once; a connection with long queues; small writes of a client with Nagle. What is printed is the median of the rounds. Figures are of
/// this machine and whatever else it does: build with --release, and let it do nothing else.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Rounds, of which the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Moves of the idle connection in a round; half as many of the echo connection
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(2..))]
    moves: u32,
    /// Echoes between two moves
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    echoes: u32,
    /// Connections that all move, to b and back
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=800))]
    connections: u32,
    /// How many of them are moving at once
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = clap::value_parser!(u32).range(1..=64))]
    window: u32,
    /// Bytes of both queues of the connection with long ones, with K or M for powers of 1024
    #[arg(long, value_name = "BYTES", default_value = "2M", value_parser = size)]
    queue: u64,
    /// Does without a cluster key: control packets are not signed
    #[arg(long)]
    unsigned: bool,
    /// Prints one JSON object instead of the tables
    #[arg(long)]
    json: bool,
}

/// Moves of the connection with long queues in a round.
const LONG_MOVES: usize = 8;
/// Moves of the connection whose client has Nagle.
const NAGLE_MOVES: usize = 8;

/// Runs it. The process must still have one thread.
pub fn run(args: &Args) -> anyhow::Result<Ending> {
    ensure!((1 << 17..=1 << 23).contains(&args.queue), "--queue must be from 128K to 8M, not {} bytes", args.queue);
    if cfg!(debug_assertions) {
        eprintln!(
            "This is a build for development: figures are those of `cargo run --release -p ipos-cli -- bench migrate`."
        );
    }
    stage(async {
        let report = measure(args).await?;
        if args.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{}", table(&report));
        }
        Ok(Ending::Good)
    })
}

async fn measure(args: &Args) -> anyhow::Result<Report> {
    let before = Machine::load();
    let key = (!args.unsigned).then(|| blake3::derive_key("ipos bench cluster", b"measured, not secret"));
    let mut cluster = Cluster::start(key)?;
    // an even number, so that a connection ends where it began
    let moves = args.moves.next_multiple_of(2) as usize;
    let bar = progress(u64::from(args.rounds) * 5);
    let mut rounds = Vec::new();
    for round in 1..=args.rounds {
        let step = |what: &str| {
            bar.set_message(format!("round {round} of {}: {what}", args.rounds));
            bar.inc(1);
        };
        step("short queues");
        let short = phases::short(&mut cluster, moves).await?;
        step("echoes");
        let echoes = phases::echoes(&mut cluster, (moves / 2).next_multiple_of(2), args.echoes as usize).await?;
        step("many at once");
        let rates = phases::many(&mut cluster, args.connections as usize, args.window as usize).await?;
        step("long queues");
        let long = phases::long(&mut cluster, LONG_MOVES, args.queue as usize).await?;
        step("Nagle");
        let nagle = phases::nagle(&mut cluster, NAGLE_MOVES).await?;
        rounds.push(Figures::of(&short, &echoes, rates, &long, &nagle));
    }
    bar.finish_and_clear();
    Ok(Report::new(&rounds, Machine::look(before), args.window, key.is_some()))
}

fn progress(steps: u64) -> ProgressBar {
    // a template that does not parse would be a plain bar
    let style = ProgressStyle::with_template("{bar:40} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(steps).with_style(style);
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}
