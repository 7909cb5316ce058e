//! The second simulator: Icarus, four-state, with no optimiser to speak of.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::{Case, Columns, Inputs, wrapper};

/// Outputs of the cases for each input.
pub(crate) fn run(cases: &[&Case], directory: &Path, inputs: &[Inputs]) -> Columns {
    let path = |name: &str| directory.join(name);
    let design: String = cases.iter().map(|c| c.verilog.as_str()).collect();
    let mut vectors = String::new();
    for i in inputs {
        writeln!(vectors, "{:x}", i.a | i.b << 5 | u64::from(i.c) << 10 | u64::from(i.clock) << 11).expect("a String");
    }
    let (mut names, mut wires, mut ports) = (Vec::new(), String::new(), String::new());
    for case in cases {
        for (output, (width, _)) in &case.expected[0] {
            let name = format!("{}_{output}", case.name);
            writeln!(wires, "  wire [{}:0] {name};", width - 1).expect("a String");
            write!(ports, ", .{name}({name})").expect("a String");
            names.push(name);
        }
    }
    let bench = format!(
        "module bench;\n  reg [11:0] vectors [0:{last}];\n  reg [11:0] v = 0;\n  integer i;\n{wires}\
         \x20 wrapper w(.clock(v[11]), .c(v[10]), .b(v[9:5]), .a(v[4:0]){ports});\n\
         \x20 initial begin\n    $readmemh(\"{hex}\", vectors);\n\
         \x20   for (i = 0; i <= {last}; i = i + 1) begin\n      v = vectors[i];\n      #1 $display(\"{shown}\", {list});\n\
         \x20   end\n  end\nendmodule\n",
        last = inputs.len() - 1,
        hex = path("vectors.hex").display(),
        shown = "%h ".repeat(names.len()),
        list = names.join(", "),
    );
    std::fs::write(path("vectors.hex"), vectors).expect("writing the vectors");
    std::fs::write(path("icarus.sv"), design + &wrapper(cases.iter().copied()) + &bench).expect("writing the bench");
    let call = |command: &mut Command| {
        let output =
            command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; `cargo xtask setup` installs Icarus"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("digits")
    };
    call(Command::new("iverilog").args(["-g2012", "-s", "bench", "-o"]).args([path("icarus.vvp"), path("icarus.sv")]));
    let text = call(Command::new("vvp").arg("-n").arg(path("icarus.vvp")));
    let mut columns: Columns = names.iter().map(|name| (name.clone(), Vec::new())).collect();
    for line in text.lines() {
        for (name, digits) in names.iter().zip(line.split_whitespace()) {
            columns.get_mut(name).expect("a column for each name").push(u128::from_str_radix(digits, 16).ok());
        }
    }
    columns
}
