//! `cargo xtask coverage`: which lines of the card's Verilog the Rust tests run. Run by hand; the result stands in
//! `docs/verification.md`.
//!
//! The simulated models of a build with `IPOS_COVERAGE` write their counts when they are dropped. The whole card and its
//! packet side hold the same blocks under other names; a point is known by its block and its line in it, so both count.

use crate::tools;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The tests that drive the card as a whole.
const PACKAGES: &[&str] = &["ipos-sim", "ipos-nic"];

/// Block, line within it, column and kind of the point.
type Point = (String, usize, String);

pub fn coverage() -> Result<()> {
    let target = tools::workspace().join("target/coverage");
    let data = target.join("data");
    fs::remove_dir_all(&data).or_else(|e| if data.exists() { Err(e) } else { Ok(()) })?;
    fs::create_dir_all(&data).with_context(|| format!("creating {}", data.display()))?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(tools::workspace()).arg("test").args(PACKAGES.iter().flat_map(|p| ["-p", p]));
    tools::run(cargo.env("CARGO_TARGET_DIR", &target).env("IPOS_COVERAGE", &data))?;

    let mut points: BTreeMap<Point, u64> = BTreeMap::new();
    let mut starts = BTreeMap::new();
    for entry in fs::read_dir(&data)? {
        let path = entry?.path();
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        for line in String::from_utf8_lossy(&bytes).lines() {
            if let Some((point, count)) = parse(line, &mut starts)? {
                *points.entry(point).or_default() += count;
            }
        }
    }
    if points.is_empty() {
        bail!("no counts in {}", data.display());
    }
    let mut blocks: BTreeMap<&str, (usize, usize, Vec<usize>)> = BTreeMap::new();
    for ((block, line, _), count) in &points {
        let (run, all, missed) = blocks.entry(block).or_default();
        *all += 1;
        if *count > 0 {
            *run += 1;
        } else {
            missed.push(*line);
        }
    }
    println!("| block | run | of | lines of the module that no test runs |\n|---|---|---|---|");
    for (block, (run, all, missed)) in &blocks {
        let missed: Vec<String> = missed.iter().map(usize::to_string).collect();
        println!("| {block} | {run} | {all} | {} |", missed.join(", "));
    }
    let run = points.values().filter(|&&n| n > 0).count();
    println!("\n{run} of {} points: {:.1} %", points.len(), 100.0 * run as f64 / points.len() as f64);
    Ok(())
}

/// A line of Verilator's counts: `C '` keys and values, each begun by 0x01 and parted by 0x02, `' ` count.
fn parse(line: &str, starts: &mut BTreeMap<String, BTreeMap<String, usize>>) -> Result<Option<(Point, u64)>> {
    let Some((keys, count)) = line.strip_prefix("C '").and_then(|rest| rest.rsplit_once("' ")) else {
        return Ok(None);
    };
    let field = |name: &str| {
        keys.split('\u{1}').find_map(|pair| pair.split_once('\u{2}').filter(|(key, _)| *key == name)).map(|(_, v)| v)
    };
    let (Some(file), Some(line), Some(page)) = (field("f"), field("l"), field("page")) else {
        return Ok(None);
    };
    let module = page.rsplit('/').next().unwrap_or_default();
    let lines = match starts.get(file) {
        Some(lines) => lines,
        None => starts.entry(file.to_owned()).or_insert(modules(Path::new(file))?),
    };
    let Some(start) = lines.get(module) else {
        return Ok(None);
    };
    let line: usize = line.parse().with_context(|| format!("line number {line}"))?;
    let kind = format!("{} {} {}", field("n").unwrap_or_default(), field("o").unwrap_or_default(), page);
    let block = module.strip_prefix("ipos_nic_card").map_or(module.to_owned(), |rest| format!("ipos_card{rest}"));
    let kind = kind.replace(module, "");
    Ok(Some(((block, line - start, kind), count.trim().parse().context("a count")?)))
}

/// Modules of a file, with the line that each begins at.
fn modules(file: &Path) -> Result<BTreeMap<String, usize>> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let name = |line: &str| line.strip_prefix("module ").map(|rest| rest.trim_end_matches(" (").to_owned());
    Ok(text.lines().enumerate().filter_map(|(i, line)| Some((name(line)?, i))).collect())
}
