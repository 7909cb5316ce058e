//! The measurements as the table of `docs/timing.md` and as JSON.

use super::Measured;
use super::flow::Flow;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The generated part of the document lies between these lines.
const BEGIN: &str = "<!-- written by `cargo xtask fmax`, do not edit: begin -->";
const END: &str = "<!-- end -->";

pub fn table(all: &[Measured]) -> String {
    let mut text = String::from(
        "| block | what | LUTs | FFs | block RAMs | Fmax MHz, median | each seed | goal |\n|---|---|---|---|---|---|---|---|\n",
    );
    for m in all {
        let run = m.median();
        let each: Vec<String> = m.runs.iter().map(|r| format!("{:.1}", r.mhz)).collect();
        let mut goals = Vec::new();
        if let Some(mhz) = m.design.goal {
            goals.push(format!("≥ {mhz} MHz: {}", if run.mhz >= mhz { "reached" } else { "missed" }));
        }
        if let Some(luts) = m.design.most_luts {
            goals.push(format!("≤ {luts} LUTs: {}", if run.luts <= luts { "reached" } else { "missed" }));
        }
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {:.1} | {} | {} |",
            m.design.name,
            m.design.what,
            run.luts,
            run.ffs,
            run.brams,
            run.mhz,
            each.join(", "),
            goals.join("; ")
        )
        .expect("writing to a String");
    }
    text
}

pub fn json(all: &[Measured], flow: &Flow) -> String {
    let blocks: Vec<_> = all
        .iter()
        .map(|m| {
            let run = m.median();
            serde_json::json!({
                "block": m.design.name, "luts": run.luts, "ffs": run.ffs, "block_rams": run.brams, "mhz": run.mhz,
                "mhz_each_seed": m.runs.iter().map(|r| r.mhz).collect::<Vec<_>>(),
                "goal_mhz": m.design.goal, "goal_luts": m.design.most_luts,
            })
        })
        .collect();
    serde_json::json!({ "yosys": flow.yosys, "nextpnr": flow.nextpnr, "blocks": blocks }).to_string()
}

/// Replaces the table in the document.
pub fn write(path: &Path, table: &str, flow: &Flow, seeds: u32) -> Result<()> {
    let old = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let (before, rest) = old.split_once(BEGIN).with_context(|| format!("no `{BEGIN}` in {}", path.display()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("no `{END}` in {}", path.display()))?;
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().context("asking for the date")?;
    let made = format!(
        "Yosys {}, nextpnr-ecp5 {}, {seeds} seeds, {}.",
        flow.yosys,
        flow.nextpnr,
        String::from_utf8_lossy(&date.stdout).trim()
    );
    fs::write(path, format!("{before}{BEGIN}\n{made}\n\n{table}{END}{after}"))
        .with_context(|| format!("writing {}", path.display()))
}
