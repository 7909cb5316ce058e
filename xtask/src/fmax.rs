//! `cargo xtask fmax`: what each block needs and how fast it runs, by place and route out of context. Run by hand; the
//! result stands in `docs/timing.md`.
//!
//! Device: LFE5UM5G-45F, CABGA381, speed grade 8. A block's inputs come from flip-flops and its outputs go to flip-flops
//! ([`wrapper`]), so the figure is the block's own; the wrapper's LUTs and flip-flops are taken off.

mod flow;
mod report;
mod wrapper;

use crate::tools;
use anyhow::{Context, Result};
use flow::{Flow, Run};

/// What is measured: a file of `hdl/verilog`, and what it is to reach.
pub struct Design {
    /// File and top module.
    pub name: &'static str,
    pub what: &'static str,
    /// MHz, median of the seeds.
    pub goal: Option<f64>,
    pub most_luts: Option<u32>,
}

const fn design(name: &'static str, what: &'static str, goal: Option<f64>, most_luts: Option<u32>) -> Design {
    Design { name, what, goal, most_luts }
}

const DESIGNS: &[Design] = &[
    design("front", "parse, checksums, lookup in 4 × 1,024 slots, encapsulate", Some(200.0), Some(3200)),
    design("rx", "a port's receive side with its FIFOs", Some(200.0), None),
    design("parser", "Ethernet, VLAN, IPv4, TCP, UDP, ipOS: fields and key, without queues", Some(220.0), Some(940)),
    design("verify", "checksum verification: IPv4 header, ipOS, TCP or UDP", Some(220.0), None),
    design("forward_table", "forward table, 4 × 2,048 slots, one lookup a cycle", Some(250.0), None),
    design("dispatch", "verdicts into frames, decapsulation", Some(200.0), None),
    design("encap", "encapsulation", Some(200.0), None),
    design("insert", "transmit checksum insertion", Some(220.0), None),
    design("hash", "four 12-bit hashes of a 97-bit key", None, None),
    design("pcie_read", "DMA read engine, 32 tags", Some(170.0), None),
    design("pcie_write", "DMA write engine", Some(170.0), None),
    design("pcie_engine", "PCIe transaction layer", None, None),
    design("dma_host", "queues and interrupts", None, None),
    design("ipos_card", "both pipelines and tables, without PCIe", Some(156.25), None),
    design("ipos_nic", "the whole card", Some(156.25), None),
];

/// One design's measurements, in the order of the seeds.
pub struct Measured {
    pub design: &'static Design,
    pub runs: Vec<Run>,
}

impl Measured {
    /// The run in the middle by frequency.
    pub fn median(&self) -> &Run {
        let mut order: Vec<&Run> = self.runs.iter().collect();
        order.sort_by(|a, b| a.mhz.total_cmp(&b.mhz));
        order[order.len() / 2]
    }
}

/// Which blocks, and what to print.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A block of docs/timing.md; may be given again
    #[arg(long = "block", value_name = "NAME")]
    names: Vec<String>,
    /// Runs of each block
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Prints the critical path of each run
    #[arg(long)]
    path: bool,
}

/// Measures.
pub fn fmax(args: &Args) -> Result<()> {
    let &Args { ref names, seeds, json, path } = args;
    let chosen: Vec<&'static Design> = match &names[..] {
        [] => DESIGNS.iter().collect(),
        names => names
            .iter()
            .map(|n| {
                let known = || DESIGNS.iter().map(|d| d.name).collect::<Vec<_>>().join(", ");
                DESIGNS.iter().find(|d| d.name == n).with_context(|| format!("no block {n}; there are {}", known()))
            })
            .collect::<Result<_>>()?,
    };
    let flow = Flow::new()?;
    let mut all = Vec::new();
    for (i, design) in chosen.iter().enumerate() {
        eprintln!("fmax: {} of {}: {}: synthesis", i + 1, chosen.len(), design.name);
        let netlist = flow.synthesize(design.name)?;
        let mut runs = Vec::new();
        for seed in 1..=seeds {
            let run = flow.place(&netlist, seed)?;
            eprintln!(
                "fmax: {}, seed {seed}: {:.1} MHz, {} LUTs, {} FFs, {} block RAMs",
                design.name, run.mhz, run.luts, run.ffs, run.brams
            );
            if path {
                eprintln!("{}", run.path);
            }
            runs.push(run);
        }
        all.push(Measured { design, runs });
    }
    let table = report::table(&all);
    if json {
        println!("{}", report::json(&all, &flow));
    } else {
        print!("{table}");
    }
    if names.is_empty() {
        report::write(&tools::workspace().join("docs/timing.md"), &table, &flow, seeds)?;
    }
    Ok(())
}
