//! Statements of a kernel: one `always_comb`, its clocks and its links.

use crate::cover::Cover;
use crate::error::Problem;
use crate::expr::range;
use crate::number::Number;
use crate::scope::Scope;
use crate::show::show;
use rust_hdl_core::ast::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Iterations that one loop may be unrolled to; more is a mistake, not a circuit.
const MAX_ITERATIONS: i64 = 1 << 16;

/// A kernel on its way to SystemVerilog.
pub(crate) struct Kernel<'a> {
    pub scope: Scope<'a>,
    /// Statements so far, indented by two levels.
    pub text: String,
    /// Driven clock and the clock that drives it.
    pub clocks: BTreeMap<String, String>,
    /// Driven signal and the signal that drives it, through interfaces.
    pub links: BTreeMap<String, String>,
    /// Constants and enum variants that the text names, with their definition.
    pub constants: BTreeMap<String, (usize, Number)>,
    /// Signals that some statement assigns, with their width.
    assigned: BTreeMap<String, usize>,
    cover: Cover,
    early: BTreeSet<String>,
    indent: usize,
    /// How many conditions stand around the present statement.
    conditions: usize,
}

/// A name as it is written: `a$b` → `a_b`.
pub(crate) fn flat(name: &str) -> String {
    name.replace('$', "_")
}

impl<'a> Kernel<'a> {
    pub fn new(scope: Scope<'a>) -> Self {
        Kernel {
            scope,
            text: String::new(),
            clocks: BTreeMap::new(),
            links: BTreeMap::new(),
            constants: BTreeMap::new(),
            assigned: BTreeMap::new(),
            cover: Cover::default(),
            early: BTreeSet::new(),
            indent: 2,
            conditions: 0,
        }
    }

    /// Translates `block`, then checks that each signal has one driver on every path.
    pub fn translate(&mut self, block: &VerilogBlock) -> Result<(), Problem> {
        self.block(block)?;
        let spelled = |name: &String| name.replace('$', ".");
        for (name, &width) in &self.assigned {
            if self.links.contains_key(name) {
                return Err(Problem::TwoDrivers(spelled(name)));
            }
            if !self.cover.has(name, 0, width) {
                return Err(Problem::Latch(spelled(name)));
            }
        }
        if let Some(name) = self.early.iter().find(|n| !self.links.contains_key(*n)) {
            return Err(Problem::ReadBeforeWrite(spelled(name)));
        }
        let mut driven: Vec<_> = self.scope.signals.iter().filter(|(_, e)| e.driven).map(|(name, _)| name).collect();
        driven.sort_unstable();
        let has_driver =
            |n: &&String| self.assigned.contains_key(*n) || self.links.contains_key(*n) || self.clocks.contains_key(*n);
        match driven.into_iter().find(|n| !has_driver(n)) {
            Some(name) => Err(Problem::Undriven(spelled(name))),
            None => Ok(()),
        }
    }

    /// Text of a read of bits `from..to` of a signal, Constant or enum variant.
    pub(crate) fn read(&mut self, written: &str, from: usize, to: usize) -> Result<String, Problem> {
        let name = self.scope.name(written)?;
        if let Some((value, width)) = self.scope.variant(&name) {
            self.constants.insert(name.clone(), (width, Number::from(value)));
            return Ok(flat(&name));
        }
        let (name, entry) = self.scope.signal(written)?;
        if entry.signal.clock {
            return Err(Problem::Clock(name.replace('$', ".")));
        }
        if let Some(value) = &entry.signal.value {
            self.constants.insert(name.clone(), (entry.signal.width, value.clone()));
        } else if entry.driven && !self.cover.has(&name, from, to) {
            self.early.insert(name.clone());
        }
        Ok(flat(&name))
    }

    fn line(&mut self, text: &str) {
        writeln!(self.text, "{:1$}{text}", "", self.indent * 2).expect("writing to a String");
    }

    fn block(&mut self, block: &VerilogBlock) -> Result<(), Problem> {
        block.iter().try_for_each(|s| self.statement(s))
    }

    /// A block under a condition, one level deeper.
    fn branch(&mut self, block: &VerilogBlock) -> Result<(), Problem> {
        self.indent += 1;
        self.conditions += 1;
        self.block(block)?;
        self.conditions -= 1;
        self.indent -= 1;
        Ok(())
    }

    fn statement(&mut self, statement: &VerilogStatement) -> Result<(), Problem> {
        match statement {
            VerilogStatement::Comment(text) => {
                self.line(&format!("// {}", text.replace(['\n', '\r'], " ")));
                Ok(())
            }
            VerilogStatement::Macro(block) => self.block(block),
            VerilogStatement::Link(links) => links.iter().try_for_each(|l| self.link(l)),
            VerilogStatement::Loop(l) => self.unroll(l),
            VerilogStatement::Assignment(VerilogExpression::Signal(left), right) => self.assign(left, right),
            VerilogStatement::SliceAssignment { base: VerilogExpression::Signal(left), width, offset, replacement } => {
                self.assign_field(left, *width, offset, replacement)
            }
            VerilogStatement::Assignment(left, _) | VerilogStatement::SliceAssignment { base: left, .. } => {
                Err(Problem::Unsupported(format!("{} = …", show(left))))
            }
            VerilogStatement::If(conditional) => self.conditional("if", conditional),
            VerilogStatement::Match(m) => self.select(m),
        }
    }

    fn target(&mut self, written: &str) -> Result<(String, usize), Problem> {
        let (name, entry) = self.scope.signal(written)?;
        if !entry.driven {
            return Err(Problem::NotAssignable(name.replace('$', ".")));
        }
        self.assigned.insert(name.clone(), entry.signal.width);
        Ok((name, entry.signal.width))
    }

    fn assign(&mut self, left: &str, right: &VerilogExpression) -> Result<(), Problem> {
        let (name, entry) = self.scope.signal(left)?;
        if entry.signal.clock {
            let VerilogExpression::Signal(source) = right else { return Err(Problem::Clock(name.replace('$', "."))) };
            let source = self.scope.signal(source)?;
            return self.connect_clock(name, source.0);
        }
        let (name, width) = self.target(left)?;
        let value = self.expr(right, width)?.text;
        self.cover.assign(&name, 0, width);
        self.line(&format!("{} = {value};", flat(&name)));
        Ok(())
    }

    fn assign_field(
        &mut self,
        left: &str,
        width: usize,
        offset: &VerilogExpression,
        value: &VerilogExpression,
    ) -> Result<(), Problem> {
        let (name, whole) = self.target(left)?;
        let offset = self.scope.constant(offset)?.ok_or_else(|| Problem::NotConstant(show(offset)))?;
        let outside = || Problem::OutOfRange { construct: format!("{}.next", name.replace('$', ".")), width: whole };
        let offset = usize::try_from(offset).ok().filter(|o| o + width <= whole).ok_or_else(outside)?;
        let value = self.expr(value, width)?.text;
        self.cover.assign(&name, offset, offset + width);
        let part = if width == whole { String::new() } else { range(width, offset) };
        self.line(&format!("{}{part} = {value};", flat(&name)));
        Ok(())
    }

    fn connect_clock(&mut self, target: String, source: String) -> Result<(), Problem> {
        let clock = |name: &String| self.scope.signals.get(name).is_some_and(|e| e.signal.clock);
        let assignable = self.scope.signals.get(&target).is_some_and(|e| e.driven);
        let unconditional = self.conditions == 0;
        if !clock(&source) || !assignable || !unconditional || self.clocks.insert(target.clone(), source).is_some() {
            return Err(Problem::Clock(target.replace('$', ".")));
        }
        Ok(())
    }

    fn link(&mut self, link: &VerilogLink) -> Result<(), Problem> {
        let (target, source, details) = match link {
            VerilogLink::Forward(d) => (&d.other_name, &d.owner_name, d),
            VerilogLink::Backward(d) => (&d.owner_name, &d.other_name, d),
            VerilogLink::Bidirectional(d) => return Err(Problem::InOut(d.owner_name.replace('$', "."))),
        };
        let field = details.my_name.replace('.', "$");
        let field = field.trim_start_matches('$');
        let join = |end: &String| if field.is_empty() { end.clone() } else { format!("{end}${field}") };
        let (target, entry) = self.scope.signal(&join(target))?;
        let (source, from) = self.scope.signal(&join(source))?;
        let spelled = target.replace('$', ".");
        if entry.signal.clock {
            return self.connect_clock(target, source);
        }
        if self.conditions > 0 {
            return Err(Problem::Unsupported(format!("link of {spelled} under a condition")));
        }
        if !entry.driven {
            return Err(Problem::NotAssignable(spelled));
        }
        if entry.signal.width != from.signal.width {
            let construct = format!("{spelled} = {}", source.replace('$', "."));
            return Err(Problem::WidthMismatch { construct, left: entry.signal.width, right: from.signal.width });
        }
        match self.links.insert(target, source) {
            None => Ok(()),
            Some(_) => Err(Problem::TwoDrivers(spelled)),
        }
    }

    fn unroll(&mut self, l: &VerilogLoop) -> Result<(), Problem> {
        let bound = |v: &VerilogLiteral| Number::of(v).and_then(|n| n.small());
        let (Some(from), Some(to)) = (bound(&l.from), bound(&l.to)) else {
            return Err(Problem::NotConstant(format!("for {} in …", l.index)));
        };
        if to - from > MAX_ITERATIONS {
            return Err(Problem::Unsupported(format!("for {} in {from}..{to}", l.index)));
        }
        for i in from..to {
            self.scope.loops.push((l.index.clone(), i as u64));
            self.block(&l.block)?;
            self.scope.loops.pop();
        }
        Ok(())
    }

    fn conditional(&mut self, keyword: &str, c: &VerilogConditional) -> Result<(), Problem> {
        let test = self.expr(&c.test, 1)?.text;
        self.line(&format!("{keyword} ({test}) begin"));
        let before = self.cover.clone();
        self.branch(&c.then)?;
        let then = std::mem::replace(&mut self.cover, before);
        match &c.otherwise {
            VerilogBlockOrConditional::None => self.line("end"),
            VerilogBlockOrConditional::Block(block) => {
                self.line("end else begin");
                self.branch(block)?;
                self.line("end");
            }
            VerilogBlockOrConditional::Conditional(next) => {
                let VerilogStatement::If(next) = next.as_ref() else {
                    return Err(Problem::Unsupported("else of another kind than a block or an if".into()));
                };
                self.conditional("end else if", next)?;
            }
        }
        self.cover = std::mem::take(&mut self.cover).both(&then);
        Ok(())
    }

    fn select(&mut self, m: &VerilogMatch) -> Result<(), Problem> {
        let spelled = show(&m.test);
        if m.cases.last().is_none_or(|c| c.condition != "default") {
            return Err(Problem::MatchWithoutDefault(spelled));
        }
        let width = self.known_width(&m.test)?;
        let test = self.expr(&m.test, width)?.text;
        self.line(&format!("case ({test})"));
        self.indent += 1;
        let before = self.cover.clone();
        let mut common: Option<Cover> = None;
        let mut seen = BTreeSet::new();
        for (i, case) in m.cases.iter().enumerate() {
            let label = if i + 1 == m.cases.len() {
                "default".into()
            } else {
                let pattern = case.condition.replace('$', "::");
                let (label, value) = self.pattern(case, width, &m.test)?;
                if !seen.insert(value) {
                    return Err(Problem::RepeatedPattern { pattern, test: spelled });
                }
                label
            };
            self.line(&format!("{label}: begin"));
            self.cover = before.clone();
            self.branch(&case.block)?;
            self.line("end");
            let here = std::mem::take(&mut self.cover);
            common = Some(common.map_or_else(|| here.clone(), |c| c.both(&here)));
        }
        self.cover = common.unwrap_or(before);
        self.indent -= 1;
        self.line("endcase");
        Ok(())
    }

    fn pattern(
        &mut self,
        case: &VerilogCase,
        width: usize,
        test: &VerilogExpression,
    ) -> Result<(String, Number), Problem> {
        let name = self.scope.name(&case.condition)?;
        if let Some((value, found)) = self.scope.variant(&name) {
            if found != width {
                return Err(Problem::WidthMismatch { construct: show(test), left: width, right: found });
            }
            return Ok((self.read(&name, 0, width)?, Number::from(value)));
        }
        let unknown = || Problem::Pattern { pattern: name.replace('$', "::"), test: show(test) };
        let value = Number::parse_rust(&case.condition).ok_or_else(unknown)?;
        Ok((self.literal(&value, width, test)?, value))
    }
}
