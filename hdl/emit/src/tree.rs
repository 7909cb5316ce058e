//! Walks a block and keeps what the other modules need: a tree of modules with their signals.

use crate::error::{EmitError, Problem};
use crate::number::Number;
use rust_hdl_core::ast::Verilog;
use rust_hdl_core::atom::{Atom, AtomKind};
use rust_hdl_core::prelude::{Block, Probe, TypeDescriptor, TypeKind};

/// A signal, port or constant of a module.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    /// Name with `$` between the parts of an interface or array, as the syntax tree has it.
    pub name: String,
    pub kind: AtomKind,
    pub width: usize,
    pub clock: bool,
    /// Value of a constant.
    pub value: Option<Number>,
}

impl Signal {
    pub fn is_input(&self) -> bool {
        self.kind == AtomKind::InputParameter
    }

    pub fn is_output(&self) -> bool {
        self.kind == AtomKind::OutputParameter
    }

    pub fn is_port(&self) -> bool {
        self.is_input() || self.is_output()
    }
}

/// A variant of an enum: `State$Run`, its encoding and the enum's width.
pub(crate) type Variant = (String, u64, usize);

/// A block.
pub(crate) struct Module {
    pub name: String,
    /// From the top, with dots.
    pub path: String,
    pub signals: Vec<Signal>,
    pub children: Vec<usize>,
    pub hdl: Verilog,
    /// Enums of its own signals.
    pub enums: Vec<Variant>,
}

impl Module {
    pub fn ports(&self) -> impl Iterator<Item = &Signal> {
        self.signals.iter().filter(|s| s.is_port())
    }
}

/// The block and all blocks below it; the first is the top.
#[derive(Default)]
pub(crate) struct Tree {
    pub modules: Vec<Module>,
    stack: Vec<usize>,
    namespace: Vec<String>,
    error: Option<EmitError>,
}

impl Tree {
    pub fn of(uut: &dyn Block, top: &str) -> Result<Self, EmitError> {
        let mut tree = Tree::default();
        uut.accept(top, &mut tree);
        match tree.error.take() {
            Some(e) => Err(e),
            None => Ok(tree),
        }
    }
}

impl Probe for Tree {
    fn visit_start_scope(&mut self, name: &str, node: &dyn Block) {
        let id = self.modules.len();
        let mut path = name.replace('$', ".");
        if let Some(&parent) = self.stack.last() {
            self.modules[parent].children.push(id);
            path = format!("{}.{path}", self.modules[parent].path);
        }
        self.modules.push(Module {
            name: name.into(),
            path,
            signals: vec![],
            children: vec![],
            hdl: node.hdl(),
            enums: vec![],
        });
        self.stack.push(id);
        self.namespace.clear();
    }

    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) {
        self.stack.pop();
    }

    fn visit_start_namespace(&mut self, name: &str, _: &dyn Block) {
        self.namespace.push(name.into());
    }

    fn visit_end_namespace(&mut self, _: &str, _: &dyn Block) {
        self.namespace.pop();
    }

    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        let Some(&id) = self.stack.last() else { return };
        let module = &mut self.modules[id];
        let name = self.namespace.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("$");
        let spelled = name.replace('$', ".");
        let descriptor = atom.descriptor();
        let problem = if has_signed(&descriptor) {
            Some(Problem::Signed(spelled))
        } else if atom.kind() == AtomKind::InOutParameter {
            Some(Problem::InOut(spelled))
        } else if atom.bits() == 0 {
            Some(Problem::Empty(spelled))
        } else {
            None
        };
        if let Some(problem) = problem {
            self.error.get_or_insert(EmitError { block: module.path.clone(), problem });
            return;
        }
        variants(&descriptor, &mut module.enums);
        module.signals.push(Signal {
            name,
            kind: atom.kind(),
            width: atom.bits(),
            clock: descriptor.name == "clock",
            value: if atom.kind() == AtomKind::Constant { Number::of(&atom.verilog()) } else { None },
        });
    }
}

fn has_signed(descriptor: &TypeDescriptor) -> bool {
    match &descriptor.kind {
        TypeKind::Signed(_) => true,
        TypeKind::Composite(fields) => fields.iter().any(|f| has_signed(&f.kind)),
        TypeKind::Bits(_) | TypeKind::Enum(_) => false,
    }
}

fn variants(descriptor: &TypeDescriptor, into: &mut Vec<Variant>) {
    match &descriptor.kind {
        TypeKind::Enum(names) => {
            let width = rust_hdl_core::prelude::clog2(names.len());
            into.extend(names.iter().zip(0..).map(|(name, value)| (name.replace("::", "$"), value, width)));
        }
        TypeKind::Composite(fields) => fields.iter().for_each(|f| variants(&f.kind, into)),
        TypeKind::Bits(_) | TypeKind::Signed(_) => {}
    }
}
