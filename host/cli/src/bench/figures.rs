//! From what was measured to what is printed: percentiles of a round, medians of the rounds.

use std::fmt;
use std::fs;
use std::time::Duration;

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::cluster::Move;
use super::phases::Echoes;
use super::steps::{STEPS, freeze, freeze_to_application, whole};
use crate::demo::client::Sample;
use crate::demo::report::rank;

/// What one round found. Times are microseconds.
#[derive(Clone, Debug)]
pub struct Figures {
    values: [f64; FIGURES.len()],
    steps: Vec<[f64; 3]>,
}

/// A figure: its name in JSON, and what it is.
type Figure = (&'static str, &'static str);

const FIGURES: [Figure; 15] = [
    ("freeze_p50_us", "frozen: repair on at the source to repair off at the destination, p50"),
    ("freeze_p99_us", "the same, p99"),
    ("freeze_max_us", "the same, longest"),
    ("move_p50_us", "application's request to application's connection, p50"),
    ("rtt_p50_us", "echo undisturbed, p50"),
    ("rtt_p99_us", "the same, p99"),
    ("pause_p50_us", "longest echo that meets a move, p50"),
    ("pause_p99_us", "the same, p99"),
    ("pause_ratio", "pause to undisturbed echo, p50s"),
    ("exchange_ratio", "time for so many echoes with the moves to the same without"),
    ("moves_per_s_serial", "one after another, moves per second"),
    ("moves_per_s", "many at once, moves per second"),
    (
        "us_per_mb",
        "per megabyte (10⁶ bytes) of queues: mute for a copy, then frozen until the application has it; beyond short queues",
    ),
    ("whole_us_per_mb", "the same of the whole move, in most of which the connection lives on"),
    (
        "nagle_p50_us",
        "a small write that waits for an acknowledgement (Nagle) while its connection moves, to the application, p50",
    ),
];

fn micros(d: Duration) -> f64 {
    d.as_secs_f64() * 1e6
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn times(moves: &[Move], time: impl Fn(&Move) -> Duration) -> Vec<f64> {
    sorted(moves.iter().map(|m| micros(time(m))))
}

impl Figures {
    /// Of one round's phases; `rates` in moves per second.
    pub fn of(short: &[Move], echoes: &Echoes, rates: [f64; 2], long: &[Move], nagle: &[Duration]) -> Self {
        let frozen = times(short, freeze);
        let slow = rank(&times(long, whole), 50) - rank(&times(short, whole), 50);
        let whole = times(short, whole);
        let (calm, pauses, ratio) = disturbed(echoes);
        let (rtt, pause) = (rank(&calm, 50), rank(&pauses, 50));
        let bytes = rank(&sorted(long.iter().map(|m| m.bytes as f64)), 50);
        let extra = rank(&times(long, freeze_to_application), 50) - rank(&times(short, freeze_to_application), 50);
        let values = [
            rank(&frozen, 50),
            rank(&frozen, 99),
            rank(&frozen, 100),
            rank(&whole, 50),
            rtt,
            rank(&calm, 99),
            pause,
            rank(&pauses, 99),
            pause / rtt,
            ratio,
            short.len() as f64 / (whole.iter().sum::<f64>() / 1e6),
            2.0 / (1.0 / rates[0] + 1.0 / rates[1]),
            extra / (bytes / 1e6),
            slow / (bytes / 1e6),
            rank(&sorted(nagle.iter().map(|wait| micros(*wait))), 50),
        ];
        let steps = STEPS.iter().map(|(_, time)| {
            let (short, long) = (times(short, time), times(long, time));
            [rank(&short, 50), rank(&short, 99), rank(&long, 50)]
        });
        Figures { values, steps: steps.collect() }
    }
}

/// Round trips before the first move, the longest one that meets each move, and how much longer an echo took on average with
/// moves than without. All but the averages sorted, in microseconds.
fn disturbed(echoes: &Echoes) -> (Vec<f64>, Vec<f64>, f64) {
    let Echoes { samples, first_move, moves } = echoes;
    let (before, with): (Vec<&Sample>, Vec<&Sample>) =
        samples.iter().partition(|s| s.sent + s.round_trip < *first_move);
    let end = moves.last().map_or(*first_move, |m| m.landed);
    let with: Vec<&Sample> = with.into_iter().filter(|s| s.sent < end).collect();
    let mean = |s: &[&Sample]| s.iter().map(|s| micros(s.round_trip)).sum::<f64>() / s.len().max(1) as f64;
    let mut next = with.iter().peekable();
    let pauses = sorted(moves.iter().map(|m| {
        // samples and moves are in order of time, and no sample meets two moves that others lie between
        while next.next_if(|s| s.sent + s.round_trip < m.asked).is_some() {}
        let meets = next.clone().take_while(|s| s.sent <= m.landed);
        meets.map(|s| micros(s.round_trip)).fold(0.0, f64::max)
    }));
    (sorted(before.iter().map(|s| micros(s.round_trip))), pauses, mean(&with) / mean(&before))
}

/// Where it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    kernel: String,
    processor: String,
    processors: usize,
    /// Processes that ran or waited in the minute before the measurement and in its last minute.
    load: [f64; 2],
    version: &'static str,
    /// Built for speed.
    release: bool,
}

impl Machine {
    /// The system's load average over a minute.
    pub fn load() -> f64 {
        let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default()
    }

    /// This machine; `before`: its load when the measurement began.
    pub fn look(before: f64) -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find(|l| l.starts_with("model name")).and_then(|l| l.split(": ").nth(1));
        Machine {
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            processor: model.unwrap_or("unknown").to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load: [before, Machine::load()],
            version: env!("CARGO_PKG_VERSION"),
            release: !cfg!(debug_assertions),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { kernel, processor, processors, load: [before, after], version, release } = self;
        let build = if *release { "release" } else { "development" };
        write!(
            f,
            "ipos {version} ({build} build), Linux {kernel}, {processors} × {processor}, load {before} before, {after} after"
        )
    }
}

/// A step of the breakdown, microseconds.
#[derive(Clone, Debug, Serialize)]
struct StepTime {
    step: &'static str,
    p50_us: f64,
    p99_us: f64,
    /// With long queues.
    long_p50_us: f64,
}

/// Medians of the rounds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    figures: serde_json::Map<String, serde_json::Value>,
    rounds: usize,
    window: u32,
    signed: bool,
    breakdown: Vec<StepTime>,
    machine: Machine,
}

impl Report {
    /// From the rounds; there is at least one.
    pub fn new(rounds: &[Figures], machine: Machine, window: u32, signed: bool) -> Self {
        let median = |value: &dyn Fn(&Figures) -> f64| {
            let median = rank(&sorted(rounds.iter().map(value)), 50);
            (median * 100.0).round() / 100.0
        };
        let figures =
            FIGURES.iter().enumerate().map(|(i, (name, _))| ((*name).to_owned(), median(&|r| r.values[i]).into()));
        let breakdown = STEPS.iter().enumerate().map(|(i, (step, _))| StepTime {
            step,
            p50_us: median(&|r| r.steps[i][0]),
            p99_us: median(&|r| r.steps[i][1]),
            long_p50_us: median(&|r| r.steps[i][2]),
        });
        Report {
            figures: figures.collect(),
            rounds: rounds.len(),
            window,
            signed,
            breakdown: breakdown.collect(),
            machine,
        }
    }
}

/// For people.
pub fn table(report: &Report) -> String {
    let fresh = || {
        let mut table = Table::new();
        table.load_preset(UTF8_BORDERS_ONLY);
        table
    };
    let mut figures = fresh();
    for (name, what) in FIGURES {
        figures.add_row([name.to_owned(), report.figures[name].to_string(), what.to_owned()]);
    }
    let mut steps = fresh();
    steps.set_header(["a move step by step", "p50 µs", "p99 µs", "long queues, p50 µs"]);
    for StepTime { step, p50_us, p99_us, long_p50_us } in &report.breakdown {
        steps.add_row([(*step).to_owned(), p50_us.to_string(), p99_us.to_string(), long_p50_us.to_string()]);
    }
    for (table, columns) in [(&mut figures, 1..2), (&mut steps, 1..4)] {
        for column in columns {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let signed = if report.signed { "signed" } else { "unsigned" };
    format!(
        "{}\nmedians of {} rounds, control packets {signed}, up to {} moves at once\n{figures}\n{steps}",
        report.machine, report.rounds, report.window
    )
}
