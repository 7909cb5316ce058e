//! Modules: ports, declarations, registers, instances, the kernel.

use crate::error::{EmitError, Problem};
use crate::expr::range;
use crate::flipflop::FlipFlop;
use crate::kernel::{Kernel, flat};
use crate::keywords::is_keyword;
use crate::number::Number;
use crate::scope::Scope;
use crate::tree::{Module, Signal, Tree};
use rust_hdl_core::ast::Verilog;
use rust_hdl_core::atom::AtomKind;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

/// Text of a design, module by module, leaves first.
#[derive(Default)]
pub(crate) struct Design {
    pub text: String,
    /// Module by everything that follows its name: equal blocks become one module.
    known: HashMap<String, String>,
    names: BTreeSet<String>,
    /// Declarations of wrapped cores.
    cores: BTreeSet<String>,
}

impl Design {
    /// Writes module `id` with what it instantiates; returns its name, which is `name` or that of an equal one.
    pub fn module(&mut self, tree: &Tree, id: usize, name: &str) -> Result<String, EmitError> {
        let module = &tree.modules[id];
        let body = match &module.hdl {
            Verilog::Blackbox(core) => {
                self.core(module, &core.code)?;
                return Ok(core.name.clone());
            }
            Verilog::Wrapper(wrapper) => {
                self.core(module, &wrapper.cores)?;
                check_names(module, &[]).map_err(|p| at(module, p))?;
                foreign(module, &wrapper.code)
            }
            Verilog::Custom(code) => {
                check_names(module, &[]).map_err(|p| at(module, p))?;
                foreign(module, code)
            }
            Verilog::Combinatorial(_) | Verilog::Empty => self.composed(tree, module, name)?,
        };
        let text = format!("{}{body}endmodule\n", header(module));
        if let Some(name) = self.known.get(&text) {
            return Ok(name.clone());
        }
        let mut unique = name.to_owned();
        for n in 2.. {
            if self.names.insert(unique.clone()) {
                break;
            }
            unique = format!("{name}_{n}");
        }
        write!(self.text, "\nmodule {unique}{text}").expect("writing to a String");
        self.known.insert(text, unique.clone());
        Ok(unique)
    }

    /// Keeps the declaration of a wrapped core, once however often it is used.
    fn core(&mut self, module: &Module, code: &str) -> Result<(), EmitError> {
        let code = code.trim();
        if code.is_empty() || !self.cores.insert(code.into()) {
            return Ok(());
        }
        for name in code.lines().filter_map(|l| l.trim_start().strip_prefix("module ")) {
            let name = name.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').next().unwrap_or_default();
            if !self.names.insert(name.into()) {
                return Err(at(module, Problem::NameClash(name.into())));
            }
        }
        write!(self.text, "\n{code}\n").expect("writing to a String");
        Ok(())
    }

    /// Body of a block with a kernel, with sub-blocks, or both.
    fn composed(&mut self, tree: &Tree, module: &Module, name: &str) -> Result<String, EmitError> {
        let here = |p| at(module, p);
        let children: Vec<&Module> = module.children.iter().map(|&id| &tree.modules[id]).collect();
        check_names(module, &children).map_err(here)?;
        let mut kernel = Kernel::new(Scope::of(tree, module).map_err(here)?);
        let empty = vec![];
        let block = if let Verilog::Combinatorial(block) = &module.hdl { block } else { &empty };
        kernel.translate(block).map_err(here)?;

        let mut declarations = constants(&kernel, module, &children).map_err(here)?;
        for signal in module.signals.iter().filter(|s| s.kind == AtomKind::LocalSignal && !s.clock) {
            declare(&mut declarations, signal.width, &flat(&signal.name));
        }
        let mut registers = Registers::default();
        let mut instances = String::new();
        for (child, &id) in children.iter().zip(&module.children) {
            let flipflop = FlipFlop::of(child);
            for port in child.ports().filter(|p| !(p.clock && p.is_input())) {
                let port_name = flat(&format!("{}${}", child.name, port.name));
                match &flipflop {
                    // an `initial` beside the `always_ff` would be a second driver (IEEE 1800-2017 9.2.2.4)
                    Some(flipflop) if port.is_output() => {
                        let port_name = format!("{port_name} = {}", flipflop.initial());
                        declare(&mut declarations, port.width, &port_name);
                    }
                    _ => declare(&mut declarations, port.width, &port_name),
                }
            }
            if let Some(flipflop) = flipflop {
                let clock = net(&kernel, &format!("{}${}", child.name, flipflop.clock));
                registers.add(clock, &flat(&child.name));
                continue;
            }
            let kind = self.module(tree, id, &format!("{name}_{}", flat(&child.name)))?;
            instance(&mut instances, &kernel, child, &kind);
        }

        let mut body = declarations;
        body += &registers.text();
        body += &instances;
        if !kernel.text.is_empty() {
            write!(body, "\n  always_comb begin\n{}  end\n", kernel.text).expect("writing to a String");
        }
        let passed = kernel.clocks.keys().filter(|c| module.signals.iter().any(|s| &s.name == *c && s.is_output()));
        let passed = passed.map(|clock| (clock, net(&kernel, clock)));
        for (target, source) in passed.chain(kernel.links.iter().map(|(t, s)| (t, flat(s)))) {
            writeln!(body, "  assign {} = {source};", flat(target)).expect("writing to a String");
        }
        Ok(body)
    }
}

fn at(module: &Module, problem: Problem) -> EmitError {
    EmitError { block: module.path.clone(), problem }
}

fn header(module: &Module) -> String {
    let ports: Vec<_> = module
        .ports()
        .map(|p| {
            let direction = if p.is_input() { "input  logic" } else { "output logic" };
            format!("    {direction} {}{}", packed(p.width), flat(&p.name))
        })
        .collect();
    if ports.is_empty() { ";\n".into() } else { format!(" (\n{}\n);\n", ports.join(",\n")) }
}

/// `[7:0] `, or nothing for a single bit.
fn packed(width: usize) -> String {
    if width == 1 { String::new() } else { format!("{} ", range(width, 0)) }
}

fn declare(text: &mut String, width: usize, name: &str) {
    writeln!(text, "  logic {}{name};", packed(width)).expect("writing to a String");
}

/// The Constants and enum variants that the kernel names.
fn constants(kernel: &Kernel, module: &Module, children: &[&Module]) -> Result<String, Problem> {
    let mut text = String::new();
    for (name, (width, value)) in &kernel.constants {
        let name = flat(name);
        let other = |s: &Signal| s.kind != AtomKind::Constant && flat(&s.name) == name;
        if module.signals.iter().any(other) || children.iter().any(|c| flat(&c.name) == name) {
            return Err(Problem::NameClash(name));
        }
        let Some(value) = value.sized(*width) else {
            return Err(Problem::TooWide { literal: value.to_string(), width: *width, construct: name });
        };
        writeln!(text, "  localparam logic {}{name} = {value};", packed(*width)).expect("writing to a String");
    }
    Ok(text)
}

/// The net that feeds a clock, through as many clocks as pass it on.
fn net(kernel: &Kernel, clock: &str) -> String {
    let mut source = clock;
    // a ring of clocks ends after as many steps as there are clocks
    for _ in 0..=kernel.clocks.len() {
        match kernel.clocks.get(source) {
            Some(next) => source = next,
            None => break,
        }
    }
    flat(source)
}

fn instance(text: &mut String, kernel: &Kernel, child: &Module, kind: &str) {
    let name = flat(&child.name);
    let ports: Vec<_> = child
        .ports()
        .map(|p| {
            let local = format!("{}${}", child.name, p.name);
            let outer = if p.clock && p.is_input() { net(kernel, &local) } else { flat(&local) };
            format!("      .{}({outer})", flat(&p.name))
        })
        .collect();
    write!(text, "\n  {kind} {name} (\n{}\n  );\n", ports.join(",\n")).expect("writing to a String");
}

/// Text that a block brought itself, with the names of its ports as they are declared here.
fn foreign(module: &Module, code: &str) -> String {
    let mut text = String::new();
    for signal in module.signals.iter().filter(|s| s.kind == AtomKind::Constant) {
        let value = signal.value.clone().unwrap_or(Number::from(0));
        if let Some(value) = value.sized(signal.width) {
            writeln!(text, "  localparam logic {}{} = {value};", packed(signal.width), flat(&signal.name))
                .expect("writing to a String");
        }
    }
    let mut code = code.to_owned();
    let mut names: Vec<_> = module.signals.iter().map(|s| &s.name).filter(|n| n.contains('$')).collect();
    names.sort_unstable_by_key(|n| std::cmp::Reverse(n.len()));
    for name in names {
        code = code.replace(name.as_str(), &flat(name));
    }
    for line in code.lines().map(str::trim_end).filter(|l| !l.is_empty() && *l != ";") {
        writeln!(text, "  {line}").expect("writing to a String");
    }
    text
}

/// Registers of a module, by clock.
#[derive(Default)]
struct Registers(BTreeMap<String, String>);

impl Registers {
    fn add(&mut self, clock: String, name: &str) {
        writeln!(self.0.entry(clock).or_default(), "    {name}_q <= {name}_d;").expect("writing to a String");
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (clock, updates) in &self.0 {
            write!(text, "\n  always_ff @(posedge {clock}) begin\n{updates}  end\n").expect("writing to a String");
        }
        text
    }
}

/// Every name of a module once, none of them reserved.
fn check_names(module: &Module, children: &[&Module]) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    let own = module.signals.iter().map(|s| flat(&s.name));
    let inner = children.iter().flat_map(|c| {
        let instance = FlipFlop::of(c).is_none().then(|| flat(&c.name));
        instance.into_iter().chain(c.ports().map(|p| flat(&format!("{}${}", c.name, p.name))))
    });
    for name in own.chain(inner) {
        if is_keyword(&name) {
            return Err(Problem::Keyword(name));
        }
        if !seen.insert(name.clone()) {
            return Err(Problem::NameClash(name));
        }
    }
    Ok(())
}
