//! A design between flip-flops: one pin feeds all inputs through a shift register, all outputs are registered and folded
//! by a registered XOR tree into one pin.

use anyhow::{Context, Result, bail};
use std::fmt::Write;

/// Name of the wrapper's module.
pub const TOP: &str = "fmax_wrapper";

struct Port {
    name: String,
    input: bool,
    bits: usize,
}

/// Ports of module `top`, as `ipos_emit` writes them: one a line, `input  logic [7:0] name,`.
fn ports(verilog: &str, top: &str) -> Result<Vec<Port>> {
    let (_, rest) = verilog.split_once(&format!("\nmodule {top} (\n")).with_context(|| format!("module {top}"))?;
    let (list, _) = rest.split_once("\n);").context("end of the port list")?;
    list.lines()
        .map(|line| {
            let words: Vec<&str> = line.trim().trim_end_matches(',').split_whitespace().collect();
            let (direction, range, name) = match words[..] {
                [direction, "logic", name] => (direction, None, name),
                [direction, "logic", range, name] => (direction, Some(range), name),
                _ => bail!("port `{line}`"),
            };
            let bits = match range {
                None => 1,
                Some(r) => {
                    let high = r.trim_start_matches('[').split(':').next().unwrap_or_default();
                    1 + high.parse::<usize>().with_context(|| format!("range of port `{line}`"))?
                }
            };
            Ok(Port { name: name.to_owned(), input: direction == "input", bits })
        })
        .collect()
}

/// The wrapper of `top`; its only clock input is `clock`.
pub fn wrapper(verilog: &str, top: &str) -> Result<String> {
    let ports = ports(verilog, top)?;
    let width = |input| ports.iter().filter(|p| p.input == input && p.name != "clock").map(|p| p.bits).sum::<usize>();
    let (inputs, outputs) = (width(true), width(false));
    let mut text = format!(
        "module {TOP} (input clk, input from, output to);\n  reg [{}:0] in;\n  wire [{}:0] out;\n",
        inputs - 1,
        outputs - 1
    );
    writeln!(text, "  always @(posedge clk) in <= {{in, from}};")?;
    let (mut next_in, mut next_out) = (0, 0);
    let connections: Vec<String> = ports
        .iter()
        .map(|p| {
            let slice = |bus: &str, at: &mut usize| {
                *at += p.bits;
                format!(".{}({bus}[{}:{}])", p.name, *at - 1, *at - p.bits)
            };
            match (p.name.as_str(), p.input) {
                ("clock", _) => ".clock(clk)".to_owned(),
                (_, true) => slice("in", &mut next_in),
                (_, false) => slice("out", &mut next_out),
            }
        })
        .collect();
    writeln!(text, "  {top} dut ({});", connections.join(", "))?;
    let (mut stage, mut bits) = (0, outputs);
    writeln!(text, "  reg [{}:0] fold0;\n  always @(posedge clk) fold0 <= out;", outputs - 1)?;
    while bits > 1 {
        let folded = bits.div_ceil(4);
        let terms: Vec<String> =
            (0..folded).rev().map(|i| format!("^fold{stage}[{}:{}]", (4 * i + 3).min(bits - 1), 4 * i)).collect();
        stage += 1;
        writeln!(text, "  reg [{}:0] fold{stage};", folded - 1)?;
        writeln!(text, "  always @(posedge clk) fold{stage} <= {{{}}};", terms.join(", "))?;
        bits = folded;
    }
    writeln!(text, "  assign to = fold{stage}[0];\nendmodule")?;
    Ok(text)
}
