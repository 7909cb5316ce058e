//! What a demo found: a table for people, one JSON object for programs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use indicatif::HumanBytes;
use ipos_abi::Port;
use ipos_abi::rx::Outcome;
use ipos_nic::Counters;
use serde::Serialize;

use super::client::Sample;
use crate::simulated::CardKind;

/// Echoes that were sent this long after a move still count to it.
const AFTER_MOVE: Duration = Duration::from_millis(5);

/// Distribution of what a client sees, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Half of the moves took no longer.
    pub p50: u64,
    /// 99 of 100 moves took no longer.
    pub p99: u64,
    /// The worst move.
    pub max: u64,
}

/// Round trips of the echo connection, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoundTrips {
    /// How many.
    pub count: usize,
    /// Half of them took no longer.
    pub median: u64,
    /// The longest of the whole run, moving or not.
    pub max: u64,
}

/// One port of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortReport {
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// Received frames by outcome, without those that are zero.
    pub outcomes: BTreeMap<String, u64>,
}

/// One card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CardReport {
    /// The clients' network.
    pub front: PortReport,
    /// The servers' own network.
    pub back: PortReport,
    /// Every received frame is accounted for once.
    pub conserved: bool,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Nothing is off.
    pub ok: bool,
    /// What is off.
    pub problems: Vec<String>,
    /// Which cards.
    pub card: CardKind,
    /// Decided the file and the cluster's key.
    pub seed: u64,
    /// Bytes of the file that arrived.
    pub bytes: u64,
    /// They are the file.
    pub digest_ok: bool,
    /// Exit code of curl.
    pub curl_exit: Option<i32>,
    /// Moves of the download.
    pub moves: u32,
    /// Moves of the echo connection.
    pub echo_moves: u32,
    /// TCP resets that the client sent or received while a connection was not over.
    pub resets: u64,
    /// TCP resets after both ends had closed and had it acknowledged: what Linux answers to a repeated FIN's second
    /// acknowledgement. Not a problem.
    pub late_resets: u64,
    /// Longest round trip around each move of the echo connection, less the median round trip.
    pub pause_us: Pause,
    /// All round trips.
    pub round_trip_us: RoundTrips,
    /// By server.
    pub cards: BTreeMap<String, CardReport>,
    /// How long it all took, in milliseconds.
    pub wall_ms: u64,
}

impl CardReport {
    /// From a snapshot of the card's counters.
    pub fn new(counters: &Counters) -> Self {
        let port = |port: Port| {
            let c = &counters.ports[port as usize];
            let counted = Outcome::ALL.iter().map(|&o| (name(o), counters.get(port, o)));
            PortReport { received: c.received, sent: c.sent, outcomes: counted.filter(|(_, n)| *n > 0).collect() }
        };
        CardReport { front: port(Port::Front), back: port(Port::Back), conserved: counters.conserved().is_ok() }
    }
}

/// `DropMac` becomes `drop_mac`.
fn name(outcome: Outcome) -> String {
    let mut name = String::new();
    for c in format!("{outcome:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

/// What the client saw: all round trips, and the pause of each move (a span of time each).
pub fn measure(samples: &[Sample], moves: &[(Instant, Instant)]) -> (RoundTrips, Pause) {
    let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    let mut all: Vec<u64> = samples.iter().map(|s| micros(s.round_trip)).collect();
    all.sort_unstable();
    let median = rank(&all, 50);
    let mut pauses: Vec<u64> = moves
        .iter()
        .filter_map(|&(start, end)| {
            let touches = |s: &&Sample| s.sent <= end + AFTER_MOVE && s.sent + s.round_trip >= start;
            samples.iter().filter(touches).map(|s| micros(s.round_trip)).max()
        })
        .map(|longest| longest.saturating_sub(median))
        .collect();
    pauses.sort_unstable();
    let round_trips = RoundTrips { count: all.len(), median, max: rank(&all, 100) };
    (round_trips, Pause { p50: rank(&pauses, 50), p99: rank(&pauses, 99), max: rank(&pauses, 100) })
}

/// The nearest-rank percentile of sorted numbers; zero if there are none.
pub fn rank<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}

/// For people.
pub fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    let mut row = |what: &str, value: String| {
        table.add_row([what.to_owned(), value]);
    };
    row("card", report.card.to_string());
    row("downloaded", format!("{} bytes ({})", report.bytes, HumanBytes(report.bytes)));
    row("digest", if report.digest_ok { "matches" } else { "DIFFERS" }.to_owned());
    row("moves", format!("{} of the download, {} of the echo", report.moves, report.echo_moves));
    row("pause seen by the client", {
        let p = report.pause_us;
        format!("p50 {} µs, p99 {} µs, max {} µs", p.p50, p.p99, p.max)
    });
    row("echo round trips", {
        let r = report.round_trip_us;
        format!("{}, median {} µs, max {} µs", r.count, r.median, r.max)
    });
    row("resets", format!("{}, and {} of connections that were over", report.resets, report.late_resets));
    for (server, card) in &report.cards {
        for (port, p) in [("front", &card.front), ("back", &card.back)] {
            let outcomes: Vec<String> = p.outcomes.iter().map(|(o, n)| format!("{o} {n}")).collect();
            let text = format!("{} in ({}), {} out", p.received, outcomes.join(", "), p.sent);
            row(&format!("card {server}, {port} port"), text);
        }
        row(&format!("card {server}, conservation"), if card.conserved { "holds" } else { "VIOLATED" }.to_owned());
    }
    row("wall time", format!("{:.1} s", report.wall_ms as f64 / 1000.0));
    for problem in &report.problems {
        row("PROBLEM", problem.clone());
    }
    if let Some(column) = table.column_mut(0) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_the_longest_round_trip_that_touches_its_move() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let sample = |at, us| Sample { sent: start + ms(at), round_trip: Duration::from_micros(us) };
        let mut samples: Vec<Sample> = (0..100).map(|n| sample(n * 10, 100)).collect();
        samples.push(sample(205, 30_000)); // begins before the move, ends after it
        samples.push(sample(500, 70_000)); // no move then
        let moves = [(start + ms(210), start + ms(220)), (start + ms(700), start + ms(701))];
        let (round_trips, pause) = measure(&samples, &moves);
        assert_eq!(round_trips, RoundTrips { count: 102, median: 100, max: 70_000 });
        assert_eq!(pause, Pause { p50: 0, p99: 29_900, max: 29_900 });
        assert_eq!(measure(&[], &moves).1, Pause::default());
    }

    #[test]
    fn ranks() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!((rank(&hundred, 50), rank(&hundred, 99), rank(&hundred, 100)), (50, 99, 100));
        assert_eq!((rank(&[7], 50), rank::<u64>(&[], 99)), (7, 0));
    }

    #[test]
    fn outcomes_are_named_in_snake_case() {
        assert_eq!(name(Outcome::DropIposOnFront), "drop_ipos_on_front");
        assert_eq!(name(Outcome::Forwarded), "forwarded");
    }
}
