//! SystemVerilog emitter for rust-hdl blocks.
//!
//! The stock back end of rust-hdl-core 0.46 is wrong for ordinary expressions (precedence, width
//! context, casts of a sum), so this crate writes the text itself from the same syntax tree.
use rust_hdl_core::ast::*;
use rust_hdl_core::atom::{Atom, AtomKind};
use rust_hdl_core::prelude::{Block, Probe, TypeKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

#[derive(Clone)]
struct Sig {
    kind: AtomKind,
    width: usize,
    clock: bool,
    value: String,
}
struct Mod {
    name: String,
    parent: usize,
    sigs: Vec<(String, Sig)>,
    subs: Vec<usize>,
    hdl: Verilog,
    enums: BTreeMap<String, (usize, usize)>,
}
#[derive(Default)]
struct Tree {
    mods: Vec<Mod>,
    stack: Vec<usize>,
    ns: Vec<String>,
}

impl Probe for Tree {
    fn visit_start_scope(&mut self, name: &str, node: &dyn Block) {
        let id = self.mods.len();
        let parent = *self.stack.last().unwrap_or(&usize::MAX);
        if parent != usize::MAX {
            self.mods[parent].subs.push(id);
        }
        self.mods.push(Mod {
            name: name.into(),
            parent,
            sigs: vec![],
            subs: vec![],
            hdl: node.hdl(),
            enums: Default::default(),
        });
        self.stack.push(id);
        self.ns.clear();
    }
    fn visit_start_namespace(&mut self, name: &str, _: &dyn Block) {
        self.ns.push(name.into());
    }
    fn visit_end_namespace(&mut self, _: &str, _: &dyn Block) {
        self.ns.pop();
    }
    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) {
        self.stack.pop();
    }
    fn visit_atom(&mut self, name: &str, a: &dyn Atom) {
        let id = *self.stack.last().unwrap();
        let mut n = self.ns.join("$");
        if !n.is_empty() {
            n.push('$');
        }
        n.push_str(name);
        let d = a.descriptor();
        if let TypeKind::Signed(_) = d.kind {
            panic!("Signed not supported: {}", n)
        }
        if let TypeKind::Enum(v) = &d.kind {
            let mut ids = vec![id];
            if self.mods[id].parent != usize::MAX {
                ids.push(self.mods[id].parent)
            }
            for i in ids {
                for (k, l) in v.iter().enumerate() {
                    self.mods[i].enums.insert(l.replace("::", "$"), (k, a.bits()));
                }
            }
        }
        let value = if a.kind() == AtomKind::Constant { lit_val(&a.verilog()) } else { String::new() };
        self.mods[id].sigs.push((n, Sig { kind: a.kind(), width: a.bits(), clock: d.name == "clock", value }));
    }
}

/// hex digits of a literal (its fields are private; Display is not)
fn lit_val(l: &VerilogLiteral) -> String {
    let s = format!("{:x}", l);
    s.split_once("'h").unwrap().1.to_string()
}
fn lit_bits(h: &str) -> usize {
    let h = h.trim_start_matches('0');
    if h.is_empty() {
        0
    } else {
        (h.len() - 1) * 4 + 8 - u8::from_str_radix(&h[..1], 16).unwrap().leading_zeros() as usize
    }
}
fn num(w: usize, hex: &str) -> String {
    assert!(lit_bits(hex) <= w, "literal {} does not fit {} bits", hex, w);
    format!("{}'h{}", w, hex)
}
fn flat(n: &str) -> String {
    n.replace('$', "_")
}

struct Ctx<'a> {
    env: &'a HashMap<String, Sig>,
    enums: &'a BTreeMap<String, (usize, usize)>,
    loops: Vec<(String, u64)>,
    out: String,
    ind: usize,
    temps: Vec<usize>,
    clocks: BTreeMap<String, String>,
    links: Vec<(String, String)>,
    used: BTreeSet<String>,
}

impl<'a> Ctx<'a> {
    fn line(&mut self, s: &str) {
        writeln!(self.out, "{}{}", "  ".repeat(self.ind), s).unwrap();
    }
    /// normalise an identifier of the AST: strip $next, evaluate [index] with the loop variables
    fn name(&self, s: &str) -> String {
        let mut x = s.trim_start_matches('.').replace("::", "$").replace('.', "$");
        if let Some(y) = x.strip_suffix("$next") {
            x = y.to_string();
        }
        while let Some(a) = x.find('[') {
            let b = a + x[a..].find(']').unwrap();
            let v = self.idx(&x[a + 1..b]);
            x = format!("{}${}{}", &x[..a], v, &x[b + 1..]);
        }
        x
    }
    fn idx(&self, s: &str) -> u64 {
        // + - * of loop variables and integers
        let s = s.replace(['(', ')'], ""); // rust-hdl gives text; keep to simple forms
        for op in ['+', '-'] {
            if let Some(p) = s.rfind(op) {
                let (a, b) = (self.idx(&s[..p]), self.idx(&s[p + 1..]));
                return if op == '+' { a + b } else { a - b };
            }
        }
        if let Some(p) = s.rfind('*') {
            return self.idx(&s[..p]) * self.idx(&s[p + 1..]);
        }
        if let Some((_, v)) = self.loops.iter().rev().find(|l| l.0 == s) {
            return *v;
        }
        s.parse().unwrap_or_else(|_| panic!("index expression `{}` is not constant", s))
    }
    fn konst(&self, e: &VerilogExpression) -> Option<u64> {
        match e {
            VerilogExpression::Literal(l) => u64::from_str_radix(&lit_val(l), 16).ok(),
            VerilogExpression::Paren(e) => self.konst(e),
            VerilogExpression::Signal(s) => self.loops.iter().rev().find(|l| &l.0 == s).map(|l| l.1).or_else(|| {
                self.env
                    .get(&self.name(s))
                    .filter(|s| s.kind == AtomKind::Constant)
                    .and_then(|s| u64::from_str_radix(&s.value, 16).ok())
            }),
            VerilogExpression::Binary(a, o, b) => {
                let (a, b) = (self.konst(a)?, self.konst(b)?);
                match o {
                    VerilogOp::Add => Some(a + b),
                    VerilogOp::Sub => Some(a - b),
                    VerilogOp::Mul => Some(a * b),
                    _ => None,
                }
            }
            _ => None,
        }
    }
    fn sig(&self, s: &str) -> (String, usize) {
        let n = self.name(s);
        if let Some((v, w)) = self.enums.get(&n) {
            return (num(*w, &format!("{:x}", v)), *w);
        }
        let g = self.env.get(&n).unwrap_or_else(|| {
            panic!(
                "unknown identifier `{}` in kernel (const items and const generics do not translate: use a Constant)",
                n
            )
        });
        if g.kind == AtomKind::Constant { (num(g.width, &g.value), g.width) } else { (flat(&n), g.width) }
    }
    fn is_const(&self, e: &VerilogExpression) -> bool {
        match e {
            VerilogExpression::Literal(_) => true,
            VerilogExpression::Signal(s) => self.loops.iter().any(|l| &l.0 == s),
            VerilogExpression::Paren(e) => self.is_const(e),
            VerilogExpression::Binary(a, o, b) => {
                matches!(o, VerilogOp::Add | VerilogOp::Sub | VerilogOp::Mul) && self.is_const(a) && self.is_const(b)
            }
            _ => false,
        }
    }
    fn width(&self, e: &VerilogExpression) -> Option<usize> {
        use VerilogExpression::*;
        if self.is_const(e) {
            return None;
        }
        match e {
            Signal(s) => Some(self.sig(s).1),
            Literal(_) => None,
            Cast(_, n) => Some(*n),
            Slice(_, n, _) => Some(*n),
            Index(..) => Some(1),
            Paren(e) | Signed(e) | Unsigned(e) => self.width(e),
            IndexReplace(s, ..) => self.width(s),
            Unary(o, e) => match o {
                VerilogOpUnary::Not | VerilogOpUnary::Neg => self.width(e),
                _ => Some(1),
            },
            Binary(a, o, b) => match o {
                VerilogOp::Eq
                | VerilogOp::Ne
                | VerilogOp::Lt
                | VerilogOp::Le
                | VerilogOp::Gt
                | VerilogOp::Ge
                | VerilogOp::LogicalAnd
                | VerilogOp::LogicalOr => Some(1),
                VerilogOp::Shl | VerilogOp::Shr => self.width(a),
                VerilogOp::Mul => Some(self.width(a)? + self.width(b)?),
                _ => match (self.width(a), self.width(b)) {
                    (Some(x), Some(y)) => {
                        assert_eq!(x, y, "operand widths in {:?}", e);
                        Some(x)
                    }
                    (x, y) => x.or(y),
                },
            },
        }
    }
    /// text of e, exactly `w` bits, usable as an operand
    fn ex(&mut self, e: &VerilogExpression, w: usize) -> String {
        use VerilogExpression::*;
        if self.is_const(e) {
            return num(
                w,
                &match e {
                    Literal(l) => lit_val(l),
                    _ => format!("{:x}", self.konst(e).unwrap()),
                },
            );
        }
        assert_eq!(self.width(e), Some(w), "width of {:?}", e);
        match e {
            Paren(e) | Unsigned(e) => self.ex(e, w),
            Signal(s) => self.sig(s).0,
            Cast(i, n) => {
                let m = match self.width(i) {
                    None => return self.ex(i, *n),
                    Some(m) => m,
                };
                if m < *n {
                    let t = self.ex(i, m);
                    format!("{{{}'h0, {}}}", n - m, t)
                } else if m == *n {
                    self.ex(i, m)
                } else {
                    let t = self.plain(i, m);
                    format!("{}[{}:0]", t, n - 1)
                }
            }
            Slice(i, n, off) => {
                let m = self.width(i).unwrap();
                if let Some(o) = self.konst(off) {
                    let o = o as usize;
                    assert!(o + n <= m, "slice {}+:{} of {} bits", o, n, m);
                    let t = self.plain(i, m);
                    return if *n == m {
                        t
                    } else if *n == 1 {
                        format!("{}[{}]", t, o)
                    } else {
                        format!("{}[{}:{}]", t, o + n - 1, o)
                    };
                }
                let ow = self.width(off).unwrap();
                let (t, o) = (self.ex(i, m), self.ex(off, ow));
                let t = self.temp(m, format!("{} >> {}", t, o));
                format!("{}[{}:0]", t, n - 1)
            }
            Index(i, n) => {
                let m = self.width(i).unwrap();
                let t = self.plain(i, m);
                let n = match self.konst(n) {
                    Some(k) => {
                        assert!((k as usize) < m);
                        k.to_string()
                    }
                    None => {
                        let w = self.width(n).unwrap();
                        self.ex(n, w)
                    }
                };
                if m == 1 { t } else { format!("{}[{}]", t, n) }
            }
            IndexReplace(s, n, v) => {
                let (s, v) = (self.ex(s, w), self.ex(v, 1));
                let n = match self.konst(n) {
                    Some(k) => k.to_string(),
                    None => {
                        let w = self.width(n).unwrap();
                        self.ex(n, w)
                    }
                };
                format!("(({} & ~({} << {})) | ({{{}'h0, {}}} << {}))", s, num(w, "1"), n, w - 1, v, n)
            }
            Unary(o, i) => {
                let iw = self.width(i).unwrap();
                let t = self.ex(i, iw);
                format!(
                    "({}{})",
                    match o {
                        VerilogOpUnary::Not => "~",
                        VerilogOpUnary::Neg => "-",
                        VerilogOpUnary::All => "&",
                        VerilogOpUnary::Any => "|",
                        VerilogOpUnary::Xor => "^",
                    },
                    t
                )
            }
            Binary(a, o, b) => {
                use VerilogOp::*;
                let op = match o {
                    Add => "+",
                    Sub => "-",
                    Mul => "*",
                    LogicalAnd | BitAnd => "&",
                    LogicalOr | BitOr => "|",
                    BitXor => "^",
                    Shl => "<<",
                    Shr => ">>",
                    Eq => "==",
                    Lt => "<",
                    Le => "<=",
                    Ne => "!=",
                    Ge => ">=",
                    Gt => ">",
                };
                match o {
                    Shl | Shr => {
                        let a = self.ex(a, w);
                        let b = match self.konst(b) {
                            Some(k) => k.to_string(),
                            None => {
                                let bw = self.width(b).unwrap();
                                self.ex(b, bw)
                            }
                        };
                        format!("({} {} {})", a, op, b)
                    }
                    Mul => {
                        let (x, y) = (self.width(a).unwrap(), self.width(b).unwrap());
                        let (a, b) = (self.ex(a, x), self.ex(b, y));
                        format!("({{{}'h0, {}}} * {{{}'h0, {}}})", y, a, x, b)
                    }
                    Add | Sub | BitAnd | BitOr | BitXor => format!("({} {} {})", self.ex(a, w), op, self.ex(b, w)),
                    _ => {
                        let n = self.width(a).or(self.width(b)).unwrap();
                        let (a, b) = (self.ex(a, n), self.ex(b, n));
                        format!("({} {} {})", a, op, b)
                    }
                }
            }
            Signed(_) => panic!("Signed not supported"),
            Literal(_) => unreachable!(),
        }
    }
    fn temp(&mut self, w: usize, t: String) -> String {
        let n = format!("tmp{}", self.temps.len());
        self.temps.push(w);
        self.line(&format!("{} = {};", n, t));
        n
    }
    /// an identifier that can be sliced
    fn plain(&mut self, e: &VerilogExpression, w: usize) -> String {
        match e {
            VerilogExpression::Paren(e) => self.plain(e, w),
            VerilogExpression::Signal(s)
                if self.env.get(&self.name(s)).map(|g| g.kind != AtomKind::Constant).unwrap_or(false) =>
            {
                self.sig(s).0
            }
            _ => {
                let t = self.ex(e, w);
                self.temp(w, t)
            }
        }
    }
    fn block(&mut self, b: &VerilogBlock) {
        for s in b {
            self.stmt(s);
        }
    }
    fn stmt(&mut self, s: &VerilogStatement) {
        match s {
            VerilogStatement::Comment(c) => self.line(&format!("// {}", c)),
            VerilogStatement::Macro(b) => self.block(b),
            VerilogStatement::Link(l) => {
                for l in l {
                    let (a, b) = match l {
                        VerilogLink::Forward(d) => (&d.other_name, d),
                        VerilogLink::Backward(d) => (&d.owner_name, d),
                        _ => panic!("InOut"),
                    };
                    let o = if std::ptr::eq(a, &b.other_name) { &b.owner_name } else { &b.other_name };
                    let m = b.my_name.replace('.', "$");
                    let m = m.trim_start_matches('$');
                    let j = |n: &String| {
                        let n = self.name(n);
                        if m.is_empty() { n } else { format!("{}${}", n, m) }
                    };
                    let p = (j(a), j(o));
                    self.links.push(p);
                }
            }
            VerilogStatement::Loop(l) => {
                for i in l.from.as_usize()..l.to.as_usize() {
                    self.loops.push((l.index.clone(), i as u64));
                    self.block(&l.block);
                    self.loops.pop();
                }
            }
            VerilogStatement::Assignment(VerilogExpression::Signal(l), r) => {
                let n = self.name(l);
                if self.env.get(&n).map(|g| g.clock) == Some(true) {
                    let VerilogExpression::Signal(r) = r else { panic!("clock {} must be driven by a clock", n) };
                    self.clocks.insert(n, self.name(r));
                    return;
                }
                let (t, w) = self.sig(l);
                let r = self.ex(r, w);
                self.used.insert(n);
                self.line(&format!("{} = {};", t, r));
            }
            VerilogStatement::SliceAssignment { base: VerilogExpression::Signal(l), width, offset, replacement } => {
                let o = self.konst(offset).expect("constant field offset") as usize;
                let (t, _) = self.sig(l);
                let r = self.ex(replacement, *width);
                self.used.insert(self.name(l));
                self.line(&if *width == 1 {
                    format!("{}[{}] = {};", t, o, r)
                } else {
                    format!("{}[{}:{}] = {};", t, o + width - 1, o, r)
                });
            }
            VerilogStatement::If(c) => self.cond(c),
            VerilogStatement::Match(m) => {
                let w = self.width(&m.test).unwrap();
                let t = self.ex(&m.test, w);
                self.line(&format!("case ({})", t));
                self.ind += 1;
                let has_default = m.cases.iter().any(|c| c.condition == "default");
                for (i, c) in m.cases.iter().enumerate() {
                    // an exhaustive match has no default: its last arm becomes one, so no latch
                    let l = if c.condition == "default" || (!has_default && i + 1 == m.cases.len()) {
                        "default".into()
                    } else {
                        let p = c.condition.replace('_', "");
                        let k = self.name(&c.condition);
                        if let Some((v, w)) = self.enums.get(&k) {
                            num(*w, &format!("{:x}", v))
                        } else {
                            let v = if let Some(h) = p.strip_prefix("0x") {
                                u64::from_str_radix(h, 16)
                            } else if let Some(b) = p.strip_prefix("0b") {
                                u64::from_str_radix(b, 2)
                            } else {
                                p.parse()
                            };
                            num(w, &format!("{:x}", v.unwrap_or_else(|_| panic!("match pattern {}", c.condition))))
                        }
                    };
                    self.line(&format!("{}: begin", l));
                    self.ind += 1;
                    self.block(&c.block);
                    self.ind -= 1;
                    self.line("end");
                }
                self.ind -= 1;
                self.line("endcase");
            }
            s => panic!("unsupported statement {:?}", s),
        }
    }
    fn cond(&mut self, c: &VerilogConditional) {
        let t = self.ex(&c.test, 1);
        self.line(&format!("if ({}) begin", t));
        self.ind += 1;
        self.block(&c.then);
        self.ind -= 1;
        match &c.otherwise {
            VerilogBlockOrConditional::None => {}
            VerilogBlockOrConditional::Block(b) => {
                self.line("end else begin");
                self.ind += 1;
                self.block(b);
                self.ind -= 1;
            }
            VerilogBlockOrConditional::Conditional(s) => {
                self.line("end else begin");
                self.ind += 1;
                self.stmt(s);
                self.ind -= 1;
            }
        }
        self.line("end");
    }
}

fn range(w: usize) -> String {
    if w == 1 { String::new() } else { format!("[{}:0] ", w - 1) }
}
fn is_dff(m: &Mod) -> bool {
    let VerilogIs::Custom(c) = kind(&m.hdl) else { return false };
    let t: String = c.split_whitespace().collect::<Vec<_>>().join(" ");
    t.starts_with("initial begin q =") && t.ends_with("end always @(posedge clock) begin q <= d; end")
}
enum VerilogIs<'a> {
    Comb(&'a VerilogBlock),
    Custom(&'a str),
    Wrapper(&'a Wrapper),
    Black(&'a BlackBox),
    Empty,
}
fn kind(v: &Verilog) -> VerilogIs<'_> {
    match v {
        Verilog::Combinatorial(b) => VerilogIs::Comb(b),
        Verilog::Custom(c) => VerilogIs::Custom(c),
        Verilog::Wrapper(w) => VerilogIs::Wrapper(w),
        Verilog::Blackbox(b) => VerilogIs::Black(b),
        Verilog::Empty => VerilogIs::Empty,
    }
}

/// Why a block cannot be written as SystemVerilog.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// What could not be translated.
    #[error("{0}")]
    Unsupported(String),
}

/// SystemVerilog of `uut` and everything below it; the top module is called `top`.
pub fn generate<U: Block>(uut: &U, top: &str) -> Result<String, EmitError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| text(uut, top))).map_err(|e| {
        let m = e.downcast_ref::<String>().cloned().or(e.downcast_ref::<&str>().map(|s| s.to_string()));
        EmitError::Unsupported(m.unwrap_or_default())
    })
}

fn text<U: Block>(uut: &U, top: &str) -> String {
    rust_hdl_core::prelude::check_all(uut).unwrap();
    let mut t = Tree::default();
    uut.accept(top, &mut t);
    let mut done: HashMap<String, String> = HashMap::new();
    let mut text = String::new();
    let mut extra = BTreeSet::new();
    module(&t, 0, top.to_string(), &mut done, &mut text, &mut extra);
    for e in extra {
        text.push_str(&e);
    }
    text
}

fn module(
    t: &Tree,
    id: usize,
    path: String,
    done: &mut HashMap<String, String>,
    text: &mut String,
    extra: &mut BTreeSet<String>,
) -> String {
    let m = &t.mods[id];
    let ports: Vec<_> = m.sigs.iter().filter(|s| s.1.kind.is_parameter()).collect();
    let dir = |k| match k {
        AtomKind::InputParameter => "input  logic",
        AtomKind::OutputParameter => "output logic",
        _ => panic!("InOut not supported"),
    };
    let head = ports
        .iter()
        .map(|(n, s)| format!("  {} {}{}", dir(s.kind), range(s.width), flat(n)))
        .collect::<Vec<_>>()
        .join(",\n");
    let mut body = String::new();
    match kind(&m.hdl) {
        VerilogIs::Black(b) => {
            extra.insert(b.code.clone());
            return b.name.clone();
        }
        VerilogIs::Custom(c) => {
            for (n, s) in m.sigs.iter().filter(|s| s.1.kind == AtomKind::Constant) {
                writeln!(body, "  localparam logic {}{} = {};", range(s.width), n, num(s.width, &s.value)).unwrap();
            }
            body.push_str(c);
            body.push('\n');
        }
        VerilogIs::Wrapper(w) => {
            extra.insert(w.cores.clone());
            body.push_str(&w.code);
            body.push('\n');
        }
        VerilogIs::Empty | VerilogIs::Comb(_) => {
            let mut env: HashMap<String, Sig> = m.sigs.iter().cloned().collect();
            let mut enums = m.enums.clone();
            for &s in &m.subs {
                for (n, g) in t.mods[s].sigs.iter().filter(|g| g.1.kind.is_parameter()) {
                    env.insert(format!("{}${}", t.mods[s].name, n), g.clone());
                }
                enums.extend(t.mods[s].enums.clone());
            }
            let mut c = Ctx {
                env: &env,
                enums: &enums,
                loops: vec![],
                out: String::new(),
                ind: 2,
                temps: vec![],
                clocks: Default::default(),
                links: vec![],
                used: Default::default(),
            };
            if let VerilogIs::Comb(b) = kind(&m.hdl) {
                c.block(b);
            }
            let (mut decl, mut inst) = (String::new(), String::new());
            for (n, s) in m.sigs.iter().filter(|s| s.1.kind == AtomKind::LocalSignal) {
                writeln!(decl, "  logic {}{};", range(s.width), flat(n)).unwrap();
            }
            for (i, w) in c.temps.iter().enumerate() {
                writeln!(decl, "  logic {}tmp{};", range(*w), i).unwrap();
            }
            let clk = |n: &String| -> String {
                let mut n = n.clone();
                while let Some(x) = c.clocks.get(&n) {
                    n = x.clone();
                }
                flat(&n)
            };
            for &s in &m.subs {
                let sm = &t.mods[s];
                let i = flat(&sm.name);
                for (n, g) in sm.sigs.iter().filter(|g| g.1.kind.is_parameter()) {
                    let f = format!("{}${}", sm.name, n);
                    if !(g.clock && g.kind == AtomKind::InputParameter) {
                        let q = is_dff(sm) && n == "q";
                        writeln!(
                            decl,
                            "  logic {}{}{};",
                            range(g.width),
                            flat(&f),
                            if q { String::new() } else { String::new() }
                        )
                        .unwrap();
                        if q {
                            writeln!(inst, "  initial {} = {};", flat(&f), num(g.width, "0")).unwrap();
                        }
                    }
                }
                if is_dff(sm) {
                    writeln!(inst, "  always @(posedge {}) {}_q <= {}_d;", clk(&format!("{}$clock", sm.name)), i, i)
                        .unwrap();
                    continue;
                }
                let k = module(t, s, format!("{}_{}", path, i), done, text, extra);
                let p = sm
                    .sigs
                    .iter()
                    .filter(|g| g.1.kind.is_parameter())
                    .map(|(n, g)| {
                        let f = format!("{}${}", sm.name, n);
                        format!(
                            "    .{}({})",
                            flat(n),
                            if g.clock && g.kind == AtomKind::InputParameter { clk(&f) } else { flat(&f) }
                        )
                    })
                    .collect::<Vec<_>>()
                    .join(",\n");
                writeln!(inst, "  {} {} (\n{}\n  );", k, i, p).unwrap();
            }
            body.push_str(&decl);
            body.push_str(&inst);
            if !c.out.is_empty() {
                let z: String =
                    c.temps.iter().enumerate().map(|(i, w)| format!("    tmp{} = {};\n", i, num(*w, "0"))).collect();
                write!(body, "  always_comb begin\n{}{}  end\n", z, c.out).unwrap();
            }
            for (a, b) in &c.clocks {
                if env[a].kind == AtomKind::OutputParameter && m.sigs.iter().any(|s| &s.0 == a) {
                    writeln!(body, "  assign {} = {};", flat(a), clk(b)).unwrap();
                }
            }
            for (a, b) in &c.links {
                writeln!(body, "  assign {} = {};", flat(a), flat(b)).unwrap();
            }
        }
    }
    let sig = format!("(\n{}\n);\n{}endmodule\n\n", head, body);
    if let Some(n) = done.get(&sig) {
        return n.clone();
    }
    let name = flat(&path);
    write!(text, "module {} {}", name, sig).unwrap();
    done.insert(sig, name.clone());
    name
}
