//! `cargo xtask repeat`: the test programs that run servers, again and again beside busy loops. What depends on a quiet
//! machine fails here.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cargo;
use crate::test::Tally;
use crate::tools;

/// Who depends on these runs servers in its tests, in namespaces or processes.
const RIGS: [&str; 3] = ["ipos-lab", "ipos-node", "ipos-vfio-user"];
/// A test program that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// How often, beside how much, and which.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Runs of each program
    #[arg(long, value_name = "N", default_value_t = 20)]
    times: u32,
    /// Busy loops beside them
    #[arg(long, value_name = "N", default_value_t = 4)]
    busy: u32,
    /// Parts of names of test programs [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// A test program.
struct Program {
    name: String,
    path: PathBuf,
    /// Where cargo would run it.
    directory: PathBuf,
}

/// What became of its runs.
#[derive(Default)]
struct Runs {
    count: u32,
    failed: u32,
    longest: Duration,
}

/// Runs them all; an error if one fails once.
pub fn repeat(args: &Args) -> Result<()> {
    let Args { times, busy, names } = args;
    let mut programs = programs()?;
    let all: Vec<String> = programs.iter().map(|p| p.name.clone()).collect();
    programs.retain(|p| names.is_empty() || names.iter().any(|n| p.name.contains(n.as_str())));
    ensure!(!programs.is_empty(), "no test program is called like {names:?}; there are {}", all.join(", "));
    let logs = tools::workspace().join("target/repeat");
    fs::create_dir_all(&logs)?;
    let (mut table, mut failures) = (BTreeMap::<&str, Runs>::new(), Vec::new());
    let stop = AtomicBool::new(false);
    thread::scope(|s| -> Result<()> {
        for _ in 0..*busy {
            s.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let result = (1..=*times).try_for_each(|round| {
            for program in &programs {
                let log = logs.join(format!("{}-{round}.log", program.name.replace('/', "-")));
                let (found, took) = run(program, &log)?;
                let runs = table.entry(&program.name).or_default();
                runs.count += 1;
                runs.failed += u32::from(!found.is_empty());
                runs.longest = runs.longest.max(took);
                println!(
                    "round {round} of {times}: {}, {:.0} s, {}",
                    program.name,
                    took.as_secs_f64(),
                    if found.is_empty() { "passed" } else { "FAILED" }
                );
                failures.extend(found.into_iter().map(|f| format!("round {round}, {f} ({})", log.display())));
            }
            Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        result
    })?;
    println!("\n| test program | runs | failed | longest, s |\n|---|---|---|---|");
    for (name, runs) in &table {
        println!("| {name} | {} | {} | {:.0} |", runs.count, runs.failed, runs.longest.as_secs_f64());
    }
    failures.iter().for_each(|f| println!("{f}"));
    let sum = |of: fn(&Runs) -> u32| table.values().map(of).sum::<u32>();
    println!("\n{} runs beside {busy} busy loops, {} failed", sum(|r| r.count), sum(|r| r.failed));
    ensure!(failures.is_empty(), "{} failures", failures.len());
    Ok(())
}

/// Builds the test programs, and the examples that they start.
fn programs() -> Result<Vec<Program>> {
    let output = cargo(&["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading what cargo metadata says")?;
    let mut packages = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let named = |v: &Value| v["name"].as_str().is_some_and(|n| RIGS.contains(&n));
        if named(package) || package["dependencies"].as_array().into_iter().flatten().any(named) {
            let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            let directory = manifest.parent().unwrap_or(Path::new("/")).to_owned();
            packages.insert(text(&package["id"]), (text(&package["name"]), directory));
        }
    }
    let mut build = cargo(&["test", "--no-run", "--message-format", "json-render-diagnostics"]);
    build.args(packages.values().flat_map(|(name, _)| ["-p", name]));
    let output = build.stderr(std::process::Stdio::inherit()).output()?;
    ensure!(output.status.success(), "building the tests: {}", output.status);
    let mut programs = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let Some((package, directory)) = message["package_id"].as_str().and_then(|id| packages.get(id)) else {
            continue;
        };
        if message["profile"]["test"] == true
            && let (Some(path), Some(target)) = (message["executable"].as_str(), message["target"]["name"].as_str())
        {
            let name = format!("{package}/{target}");
            programs.push(Program { name, path: path.into(), directory: directory.clone() });
        }
    }
    Ok(programs)
}

/// Runs one; its failures and how long it took. Of a run that passed nothing is kept.
fn run(program: &Program, log: &Path) -> Result<(Vec<String>, Duration)> {
    let file = File::create(log).with_context(|| format!("writing {}", log.display()))?;
    let begun = Instant::now();
    let mut child = Command::new(&program.path)
        .current_dir(&program.directory)
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("starting {}", program.path.display()))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(50));
    };
    let took = begun.elapsed();
    if status.is_some_and(|s| s.success()) {
        fs::remove_file(log)?;
        return Ok((Vec::new(), took));
    }
    let mut tally = Tally::default();
    String::from_utf8_lossy(&fs::read(log)?).lines().for_each(|line| tally.take(line));
    tally.program_failed(&program.name);
    Ok((tally.failures, took))
}
