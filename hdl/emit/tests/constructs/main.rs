//! Every construct that the emitter knows, and random kernels: rust-hdl's simulation against Verilator's and Icarus'.
//!
//! Each group is a block with the inputs `clock`, `a`, `b` (5 bits each) and `c`, and one output per construct.
//! All groups stand in one Verilated model and see all 2^11 input values, at both clock levels, in an order
//! that repeats addresses and states. The stock back end is put through the same mill in `stock`.

// Kernels spell each construct as the translator is to meet it.
#![allow(clippy::nonminimal_bool, clippy::useless_conversion, clippy::single_match)]

mod arithmetic;
mod choices;
mod hierarchy;
mod icarus;
mod memory;
mod random;
mod slices;
mod stock;
mod structures;

use ipos_verilate::{Port, Vectors, Verilator};
use rust_hdl_core::atom::{Atom, AtomKind};
use rust_hdl_core::prelude::*;
use rust_hdl_core::simulate::simulate;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One value of the inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs {
    a: u64,
    b: u64,
    c: bool,
    clock: bool,
}

/// A block with the inputs of this test.
pub(crate) trait Group: Block {
    /// Sets the inputs.
    fn set(&mut self, inputs: Inputs);
}

/// Implements [`Group`] for a block that has its fields.
#[macro_export]
macro_rules! group {
    ($name:ty) => {
        impl $crate::Group for $name {
            fn set(&mut self, inputs: $crate::Inputs) {
                self.clock.next = inputs.clock.into();
                self.a.next = inputs.a.into();
                self.b.next = inputs.b.into();
                self.c.next = inputs.c;
            }
        }
    };
}

/// Every value of `a`, `b` and `c`, twice, in an order that mixes them; each with the clock low, then high.
fn inputs() -> Vec<Inputs> {
    let count = 1u64 << 11;
    (0..2 * count)
        // an odd factor permutes the values
        .map(|i| (i * 1237) % count)
        .flat_map(|v| [false, true].map(|clock| Inputs { a: v & 31, b: (v >> 5) & 31, c: v >> 10 != 0, clock }))
        .collect()
}

/// Outputs of a block by name, with width and value.
#[derive(Default)]
struct Outputs {
    depth: usize,
    namespace: Vec<String>,
    values: BTreeMap<String, (usize, u128)>,
}

impl Probe for Outputs {
    fn visit_start_scope(&mut self, _: &str, _: &dyn Block) {
        self.depth += 1;
    }

    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) {
        self.depth -= 1;
    }

    fn visit_start_namespace(&mut self, name: &str, _: &dyn Block) {
        self.namespace.push(name.into());
    }

    fn visit_end_namespace(&mut self, _: &str, _: &dyn Block) {
        self.namespace.pop();
    }

    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        if self.depth == 1 && atom.kind() == AtomKind::OutputParameter {
            let name = self.namespace.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("_");
            let hex = format!("{:x}", atom.verilog());
            let value = hex.split_once("'h").and_then(|(_, digits)| u128::from_str_radix(digits, 16).ok());
            self.values.insert(name.replace('$', "_"), (atom.bits(), value.expect("at most 128 bits")));
        }
    }
}

fn outputs(block: &dyn Block) -> BTreeMap<String, (usize, u128)> {
    let mut probe = Outputs::default();
    block.accept("top", &mut probe);
    probe.values
}

/// What rust-hdl's simulator gives for each input.
fn simulated(block: &mut impl Group, inputs: &[Inputs]) -> Vec<BTreeMap<String, (usize, u128)>> {
    let step = |i: &Inputs| {
        block.set(*i);
        assert!(simulate(block, 100), "no stable state for {i:?}");
        outputs(block)
    };
    inputs.iter().map(step).collect()
}

/// Values of outputs by name, one for each input. `None`: undefined, as what nobody has written yet.
pub(crate) type Columns = BTreeMap<String, Vec<Option<u128>>>;

/// A group on its way into the model.
struct Case {
    /// Module, and prefix of its outputs in the model.
    name: String,
    verilog: String,
    expected: Vec<BTreeMap<String, (usize, u128)>>,
}

impl Case {
    fn new<G: Group>(name: &str, mut block: G, emit: impl Fn(&G, &str) -> String) -> Self {
        block.connect_all();
        let verilog = emit(&block, name);
        let expected = simulated(&mut block, &inputs());
        Case { name: name.into(), verilog, expected }
    }
}

/// One module that holds all cases side by side.
fn wrapper<'a>(cases: impl IntoIterator<Item = &'a Case>) -> String {
    let mut ports = String::from("input logic clock, input logic [4:0] a, input logic [4:0] b, input logic c");
    let mut body = String::new();
    for case in cases {
        let name = &case.name;
        body += &format!("  {name} {name}(.clock(clock), .a(a), .b(b), .c(c)");
        for (output, (width, _)) in &case.expected[0] {
            ports += &format!(",\n  output logic [{}:0] {name}_{output}", width - 1);
            body += &format!(", .{output}({name}_{output})");
        }
        body += ");\n";
    }
    format!("module wrapper({ports});\n{body}endmodule\n")
}

/// Runs all cases in one model by Verilator, and by Icarus if `twice`; mismatches by output.
fn mismatches(cases: &[Case], directory: &Path, twice: bool) -> BTreeMap<String, Vec<String>> {
    let file = directory.with_extension("sv");
    let text: String = cases.iter().map(|c| c.verilog.as_str()).chain([wrapper(cases).as_str()]).collect();
    std::fs::write(&file, text).expect("writing the design");
    let model = Vectors::build(directory, "wrapper", &[file], &["-Wno-lint", "-Wno-style"]).expect("a model");
    let ports: Vec<_> = model.inputs().map(|p| p.name.clone()).collect();
    let value = |i: &Inputs, port: &str| match port {
        "a" => i.a.into(),
        "b" => i.b.into(),
        "c" => i.c.into(),
        _ => i.clock.into(),
    };
    let inputs = inputs();
    let vectors: Vec<Vec<u128>> = inputs.iter().map(|i| ports.iter().map(|p| value(i, p)).collect()).collect();
    let results = model.run(&vectors).expect("the model to run");

    let column = |(i, p): (usize, &Port)| (p.name.clone(), results.iter().map(|r| Some(r[i])).collect());
    let mut simulators: Vec<(&str, Columns)> = vec![("Verilator", model.outputs().enumerate().map(column).collect())];
    if twice {
        // two blocks that hear each other wake each other for ever there: each value passes through its default
        let alone = |case: &&Case| !["generics", "fifos"].contains(&case.name.as_str());
        simulators.push(("Icarus", icarus::run(&cases.iter().filter(alone).collect::<Vec<_>>(), directory, &inputs)));
    }

    let mut wrong = BTreeMap::new();
    for case in cases {
        for output in case.expected[0].keys() {
            let name = format!("{}_{output}", case.name);
            let list: &mut Vec<String> = wrong.entry(name.clone()).or_default();
            for (simulator, columns) in &simulators {
                let Some(found) = columns.get(&name) else { continue };
                let defined = found.iter().flatten().count();
                assert!(defined > inputs.len() / 2, "{simulator}: {name} is undefined");
                for ((input, expected), found) in inputs.iter().zip(&case.expected).zip(found) {
                    if let Some(found) = *found
                        && found != expected[output].1
                    {
                        list.push(format!("{input:?}: rust-hdl {:#x}, {simulator} {found:#x}", expected[output].1));
                    }
                }
            }
        }
    }
    println!("{} outputs compared by {} simulators", wrong.len(), simulators.len());
    wrong
}

fn emitted<G: Group>(block: &G, top: &str) -> String {
    ipos_emit::generate(block, top).unwrap_or_else(|e| panic!("{e}"))
}

fn cases() -> Vec<Case> {
    let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1u64);
    println!("IPOS_SEED={seed}");
    let random = |n| Case::new(&format!("random_{n}"), random::Random::new(4 * seed + n), emitted);
    let constructs = [
        Case::new("arithmetic", arithmetic::Arithmetic::default(), emitted),
        Case::new("shifts", arithmetic::Shifts::default(), emitted),
        Case::new("slices", slices::Slices::default(), emitted),
        Case::new("casts", slices::Casts::default(), emitted),
        Case::new("wide", slices::Wide::default(), emitted),
        Case::new("choices", choices::Choices::default(), emitted),
        Case::new("machine", choices::Machine::default(), emitted),
        Case::new("loops", hierarchy::Loops::default(), emitted),
        Case::new("generics", hierarchy::Generics::default(), emitted),
        Case::new("buses", hierarchy::Buses::default(), emitted),
        Case::new("structures", structures::Structures::default(), emitted),
        Case::new("memory", memory::Memory::default(), emitted),
        Case::new("fifos", memory::Fifos::default(), emitted),
    ];
    constructs.into_iter().chain((0..4).map(random)).collect()
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn agrees_with_the_simulator() {
    let wrong = mismatches(&cases(), &directory("emitted"), true);
    assert!(wrong.len() > 80, "{} outputs only", wrong.len());
    for (name, list) in &wrong {
        assert!(list.is_empty(), "{name}: {} mismatches, first: {}", list.len(), list[0]);
    }
}

#[test]
fn lints_clean() {
    let verilator = Verilator::find().expect("Verilator");
    for case in cases() {
        let file = directory(&format!("{}.sv", case.name));
        std::fs::write(&file, &case.verilog).expect("writing the design");
        let args = ["--lint-only".into(), "--top-module".into(), case.name.clone().into(), file.into_os_string()];
        verilator.run(&case.name, args).unwrap_or_else(|e| panic!("{e}\n{}", case.verilog));
    }
}
