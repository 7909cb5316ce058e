//! `ipos demo`: a live download moves between two servers, again and again.
//!
//! [`ipos_lab`] builds the networks, [`card`] starts each server's card and node, [`server`] its
//! applications ([`download`], [`echo`]), [`client`] the two clients. This file plays the moves;
//! [`report`] says how it went.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use ipos_lab::net;
use ipos_nic::Counters;
use ipos_node::NodeHandle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

pub mod card;
pub mod client;
mod download;
pub mod echo;
mod file;
mod privilege;
pub mod report;
mod resets;
pub mod server;
pub mod session;

use card::{Nodes, Recording};
use client::{Curl, EchoClient};
use download::Download;
use echo::Echo;
use file::File;
use net::Net;
use report::{CardReport, Report};
use resets::Resets;
use server::{Server, Shared};
use session::Session;

use crate::ending::Ending;
use crate::simulated::CardKind;

/// No byte for this long: the transfer is taken for dead.
const STALLED: Duration = Duration::from_secs(30);
/// A move that takes longer has failed.
const MOVE_LIMIT: Duration = Duration::from_secs(30);
/// How often the transfer's progress is looked at.
const TICK: Duration = Duration::from_millis(1);
/// Least time from one echo to the next.
const ECHO_INTERVAL: Duration = Duration::from_millis(1);
/// How long the cards get to become idle at the end.
const SETTLE: Duration = Duration::from_secs(5);

/// Moves a live download between two servers through their cards
///
/// A client (curl, unmodified) downloads a generated file from server a, whose network runs
/// through a simulated card. While it downloads, the connection moves to server b and back,
/// again and again, and so does an echo connection, which measures what a client sees of it.
/// Everything happens in network namespaces that vanish with the command.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How often each connection moves [default: 50]
    #[arg(long, value_name = "N")]
    moves: Option<u32>,
    /// Size of the file, with K, M or G for powers of 1024 [default: 32M with rtl, 64M with model]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    size: Option<u64>,
    /// Which card the servers have
    #[arg(long, value_enum, default_value_t = CardKind::Rtl)]
    card: CardKind,
    /// Writes captures for Wireshark here: one per server for the card's front and back port and the kernel's interface
    #[arg(long, value_name = "DIR")]
    pcap: Option<PathBuf>,
    /// Writes waveforms here, one per card (slow: use few moves and a small file)
    #[arg(long, value_name = "DIR")]
    fst: Option<PathBuf>,
    /// Decides the file's content and the cluster's key
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Prints one JSON object instead of the table
    #[arg(long)]
    json: bool,
}

/// Runs the demo. The process must still have one thread.
pub fn run(args: &Args) -> anyhow::Result<Ending> {
    if args.fst.is_some() && args.card == CardKind::Model {
        anyhow::bail!("--fst: the reference model has no waveforms; --card rtl has");
    }
    stage(async {
        let report = play(args).await?;
        if args.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{}", report::table(&report));
        }
        Ok(if report.ok { Ending::Good } else { Ending::Bad })
    })
}

/// Runs what makes network namespaces, until it ends or a signal ends it. The process must still have one thread.
pub fn stage(work: impl Future<Output = anyhow::Result<Ending>>) -> anyhow::Result<Ending> {
    let privilege = privilege::acquire()?;
    eprintln!("Using {privilege}.");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        // whoever loses the race is dropped: clients, servers, nodes, namespaces
        tokio::select! {
            _ = interrupt.recv() => Ok(Ending::Signal(libc::SIGINT)),
            _ = terminate.recv() => Ok(Ending::Signal(libc::SIGTERM)),
            ended = work => ended,
        }
    })
}

/// An application's connection: where it is and how it got there.
struct Traveller {
    at: usize,
    /// Spans of time of the moves that succeeded.
    moves: Vec<(Instant, Instant)>,
}

impl Traveller {
    fn new() -> Self {
        Traveller { at: 0, moves: Vec::new() }
    }

    /// Moves to the other server. A failure is a problem of the demo, not its end.
    async fn go<S: Session>(&mut self, servers: &[(String, Server)], problems: &mut Vec<String>) {
        let to = (self.at + 1) % servers.len();
        let target = &servers[to].0;
        let start = Instant::now();
        match tokio::time::timeout(MOVE_LIMIT, servers[self.at].1.migrate::<S>(target)).await {
            Ok(Ok(report)) => {
                tracing::debug!(application = S::NAME, %target, ?report, "moved");
                self.at = to;
                self.moves.push((start, Instant::now()));
            }
            Ok(Err(e)) => problems.push(format!("the {} connection did not move to {target}: {e:#}", S::NAME)),
            Err(_) => {
                problems.push(format!("the {} connection's move to {target} took longer than {MOVE_LIMIT:?}", S::NAME))
            }
        }
    }
}

async fn play(args: &Args) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let defaults = args.card.defaults();
    let moves = args.moves.unwrap_or(defaults.moves);
    let file = File { seed: args.seed, size: args.size.unwrap_or(defaults.size) };
    let slot = file.size / (u64::from(moves) + 1);
    if slot == 0 {
        bail!("a file of {} bytes is too small for {moves} moves: give --size at least {}", file.size, moves + 1);
    }
    let recording = Recording { pcap: args.pcap.clone(), fst: args.fst.clone() };
    recording.prepare()?;
    let key =
        *blake3::Hasher::new_derive_key("ipos demo cluster").update(&args.seed.to_be_bytes()).finalize().as_bytes();

    let net = Net::new(2)?;
    let mut resets = Resets::watch(&net.client, net::CLIENT_IF)?;
    // the transfer may be two parts ahead, so that it goes on during a move; it ends after the last one
    let part = |n: u32| (u64::from(n) * slot).min(file.size - 1);
    let (open, gate) = watch::channel(part(2));
    let shared = Shared { file, gate, pace: defaults.pace };
    let nodes = Nodes::start(args.card, &net.servers, key, &recording)?;
    let mut servers = Vec::new();
    for (server, node) in net.servers.iter().zip(nodes.handles()) {
        let applications = Server::spawn(&server.name, &server.kernel, node.clone(), shared.clone())?;
        servers.push((server.name.clone(), applications));
    }

    let mut echo_client = EchoClient::spawn(&net.client, ECHO_INTERVAL)?;
    let mut curl = Curl::spawn(&net.client)?;
    let bar = progress_bar(file.size);
    let (mut download, mut echo) = (Traveller::new(), Traveller::new());
    let mut problems = Vec::new();
    for step in 1..=moves {
        if !reached(&mut curl, part(step), &bar).await? {
            problems.push(format!("the download ended before move {step} of {moves}"));
            break;
        }
        bar.set_message(format!("move {step}/{moves}"));
        echo.go::<Echo>(&servers, &mut problems).await;
        download.go::<Download>(&servers, &mut problems).await;
        if !problems.is_empty() {
            break;
        }
        open.send_replace(part(step + 2));
    }
    open.send_replace(u64::MAX);
    reached(&mut curl, u64::MAX, &bar).await?;
    let got = curl.finish().await?;
    let samples = echo_client.finish().await;
    bar.finish_and_clear();

    let cards = settle(nodes.handles()).await?;
    let resets = resets.count()?;
    let digest_ok = got.digest == file.digest();
    let samples = samples.unwrap_or_else(|e| {
        problems.push(format!("{e:#}"));
        Vec::new()
    });
    let (round_trip_us, pause_us) = report::measure(&samples, &echo.moves);
    let counted = [("download", &download), ("echo", &echo)];
    for (name, traveller) in counted.into_iter().filter(|(_, t)| t.moves.len() != moves as usize) {
        problems.push(format!("the {name} connection moved {} times of {moves}", traveller.moves.len()));
    }
    if got.exit != Some(0) {
        problems.push(format!("curl ended with {:?}: {}", got.exit, got.complaint));
    }
    if !digest_ok {
        problems.push("what was downloaded is not the file".to_owned());
    }
    if resets.harmful > 0 {
        problems.push(format!("the client sent or received {} TCP resets", resets.harmful));
    }
    for (server, card) in net.servers.iter().zip(&cards) {
        if let Err(e) = card.conserved() {
            problems.push(format!("card {}: {e}", server.name));
        }
    }
    Ok(Report {
        ok: problems.is_empty(),
        problems,
        card: args.card,
        seed: args.seed,
        bytes: curl.bytes(),
        digest_ok,
        curl_exit: got.exit,
        moves: download.moves.len() as u32,
        echo_moves: echo.moves.len() as u32,
        resets: resets.harmful,
        late_resets: resets.late,
        pause_us,
        round_trip_us,
        cards: net.servers.iter().zip(&cards).map(|(s, c)| (s.name.clone(), CardReport::new(c))).collect(),
        wall_ms: begun.elapsed().as_millis() as u64,
    })
}

/// Waits until so many bytes of the file have arrived; `false`: the download has ended before.
async fn reached(curl: &mut Curl, bytes: u64, bar: &ProgressBar) -> anyhow::Result<bool> {
    let mut last = (curl.bytes(), Instant::now());
    loop {
        let now = curl.bytes();
        bar.set_position(now);
        if now >= bytes {
            return Ok(true);
        }
        if curl.ended() {
            return Ok(false);
        }
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() > STALLED {
            bail!("the download stalled after {now} bytes; RUST_LOG=debug shows what the nodes did last");
        }
        tokio::time::sleep(TICK).await;
    }
}

/// The cards' counters, once they no longer change and add up, or as they are at the end.
async fn settle(nodes: &[NodeHandle]) -> anyhow::Result<Vec<Counters>> {
    let end = Instant::now() + SETTLE;
    let mut before = Vec::new();
    loop {
        let mut now = Vec::new();
        for node in nodes {
            now.push(node.counters().await.context("reading a card's counters")?);
        }
        let idle = now == before && now.iter().all(|c| c.conserved().is_ok());
        if idle || Instant::now() > end {
            return Ok(now);
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn progress_bar(size: u64) -> ProgressBar {
    let template = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {msg}";
    // a template that does not parse would be a plain bar
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(size).with_style(style)
}

/// `32M` and the like.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" | "KiB" => 10,
        "m" | "M" | "MiB" => 20,
        "g" | "G" | "GiB" => 30,
        other => return Err(format!("{other:?} is no unit: use K, M or G")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is no size: write 500K or 32M"))?;
    number.checked_mul(1 << unit).filter(|&n| n > 0).ok_or_else(|| format!("{text:?} is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("7"), Ok(7));
        assert_eq!(size("3K"), Ok(3072));
        assert_eq!(size("32M"), Ok(32 << 20));
        assert_eq!(size("2GiB"), Ok(2 << 30));
        for bad in ["", "M", "0", "1T", "-1", "1.5M", "99999999999G"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
