//! What the names in a kernel mean: signals, ports of sub-blocks, enum variants, loop variables.

use crate::error::Problem;
use crate::number::Number;
use crate::show::show;
use crate::tree::{Module, Signal, Tree};
use rust_hdl_core::ast::{VerilogExpression, VerilogOp};
use rust_hdl_core::atom::AtomKind;
use std::collections::HashMap;

/// A signal as one kernel sees it.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub signal: &'a Signal,
    /// The kernel drives it: an output or local of its own, an input of a sub-block.
    pub driven: bool,
}

/// The names of one block.
pub(crate) struct Scope<'a> {
    pub signals: HashMap<String, Entry<'a>>,
    enums: HashMap<String, (u64, usize)>,
    pub loops: Vec<(String, u64)>,
}

impl<'a> Scope<'a> {
    pub fn of(tree: &'a Tree, module: &'a Module) -> Result<Self, Problem> {
        let mut scope = Scope { signals: HashMap::new(), enums: HashMap::new(), loops: vec![] };
        let own = |s: &Signal| s.is_output() || s.kind == AtomKind::LocalSignal;
        scope.signals.extend(module.signals.iter().map(|s| (s.name.clone(), Entry { signal: s, driven: own(s) })));
        scope.add_enums(module)?;
        for child in module.children.iter().map(|&id| &tree.modules[id]) {
            for signal in child.ports() {
                let name = format!("{}${}", child.name, signal.name);
                if scope.signals.insert(name.clone(), Entry { signal, driven: signal.is_input() }).is_some() {
                    return Err(Problem::NameClash(name.replace('$', "_")));
                }
            }
            scope.add_enums(child)?;
        }
        Ok(scope)
    }

    fn add_enums(&mut self, module: &Module) -> Result<(), Problem> {
        for (name, value, width) in &module.enums {
            let new = (*value, *width);
            if self.enums.insert(name.clone(), new).is_some_and(|old| old != new) {
                return Err(Problem::NameClash(name.replace('$', "::")));
            }
        }
        Ok(())
    }

    /// The name of the syntax tree with array indices evaluated and `.next` removed.
    pub fn name(&self, written: &str) -> Result<String, Problem> {
        let mut name = written.trim_start_matches('.').replace("::", "$").replace('.', "$");
        if let Some(shorter) = name.strip_suffix("$next") {
            name = shorter.into();
        }
        while let Some(open) = name.find('[') {
            let index = &name[open + 1..];
            let Some(close) = index.find(']') else { return Err(Problem::Unsupported(written.into())) };
            let value = self.index(&index[..close])?;
            name = format!("{}${value}{}", &name[..open], &index[close + 1..]);
        }
        Ok(name)
    }

    /// The signal of that name.
    pub fn signal(&self, written: &str) -> Result<(String, Entry<'a>), Problem> {
        let name = self.name(written)?;
        match self.signals.get(&name) {
            Some(entry) => Ok((name, *entry)),
            None => Err(Problem::Unknown(name.replace('$', "."))),
        }
    }

    /// Encoding and width of an enum variant.
    pub fn variant(&self, name: &str) -> Option<(u64, usize)> {
        self.enums.get(name).copied()
    }

    fn loop_variable(&self, name: &str) -> Option<u64> {
        self.loops.iter().rev().find(|(n, _)| n == name).map(|&(_, value)| value)
    }

    /// Value of an array index: integers, loop variables, `+ - *` and parentheses.
    fn index(&self, text: &str) -> Result<i64, Problem> {
        let mut parser = Index { scope: self, rest: text };
        match parser.sum() {
            Some(value) if parser.rest.is_empty() && value >= 0 => Ok(value),
            _ => Err(Problem::NotConstant(text.into())),
        }
    }

    /// The value of an expression that has no width of its own: literals and loop variables.
    pub fn untyped(&self, e: &VerilogExpression) -> Result<Option<Number>, Problem> {
        Ok(match e {
            VerilogExpression::Literal(l) => {
                Some(Number::of(l).ok_or_else(|| Problem::Unsupported(format!("negative literal {}", show(e))))?)
            }
            VerilogExpression::Signal(name) => self.loop_variable(name).map(Number::from),
            VerilogExpression::Paren(inner) => self.untyped(inner)?,
            VerilogExpression::Binary(a, op, b) => match (self.untyped(a)?, self.untyped(b)?) {
                (Some(a), Some(b)) => match arithmetic(&a, op, &b) {
                    Some(value) => Some(Number::from(u64::try_from(value).map_err(|_| Problem::NotConstant(show(e)))?)),
                    None => None,
                },
                _ => None,
            },
            _ => None,
        })
    }

    /// The value of an expression that is known when the block is built, Constants among them.
    pub fn constant(&self, e: &VerilogExpression) -> Result<Option<i64>, Problem> {
        if let Some(value) = self.untyped(e)? {
            return value.small().map(Some).ok_or_else(|| Problem::NotConstant(show(e)));
        }
        Ok(match e {
            VerilogExpression::Paren(inner) => self.constant(inner)?,
            VerilogExpression::Signal(name) => {
                let name = self.name(name)?;
                self.signals.get(&name).and_then(|entry| entry.signal.value.as_ref()).and_then(Number::small)
            }
            VerilogExpression::Binary(a, op, b) => match (self.constant(a)?, self.constant(b)?) {
                (Some(a), Some(b)) => calculate(a, op, b),
                _ => None,
            },
            _ => None,
        })
    }

    /// Width of an expression; `None` if only its surroundings give it one.
    pub fn width(&self, e: &VerilogExpression) -> Result<Option<usize>, Problem> {
        use VerilogExpression::*;
        if self.untyped(e)?.is_some() {
            return Ok(None);
        }
        Ok(match e {
            Signal(written) => {
                let name = self.name(written)?;
                match self.variant(&name) {
                    Some((_, width)) => Some(width),
                    None => Some(self.signal(written)?.1.signal.width),
                }
            }
            Literal(_) => None,
            Cast(_, width) | Slice(_, width, _) => Some(*width),
            Index(..) => Some(1),
            Paren(inner) => self.width(inner)?,
            Signed(_) | Unsigned(_) => return Err(Problem::Signed(show(e))),
            IndexReplace(inner, ..) => self.width(inner)?,
            Unary(op, inner) => match op {
                rust_hdl_core::ast::VerilogOpUnary::Not | rust_hdl_core::ast::VerilogOpUnary::Neg => {
                    self.width(inner)?
                }
                _ => Some(1),
            },
            Binary(a, op, b) => match op {
                VerilogOp::Eq | VerilogOp::Ne | VerilogOp::Lt | VerilogOp::Le | VerilogOp::Gt | VerilogOp::Ge => {
                    Some(1)
                }
                VerilogOp::LogicalAnd | VerilogOp::LogicalOr => Some(1),
                VerilogOp::Shl | VerilogOp::Shr => self.width(a)?,
                VerilogOp::Mul => match (self.width(a)?, self.width(b)?) {
                    (Some(a), Some(b)) => Some(a + b),
                    _ => None,
                },
                _ => self.common_width(e, a, b)?,
            },
        })
    }

    /// Width of two operands that must agree, at least one of which must have one.
    pub fn common_width(
        &self,
        whole: &VerilogExpression,
        a: &VerilogExpression,
        b: &VerilogExpression,
    ) -> Result<Option<usize>, Problem> {
        match (self.width(a)?, self.width(b)?) {
            (Some(left), Some(right)) if left != right => {
                Err(Problem::WidthMismatch { construct: show(whole), left, right })
            }
            (a, b) => Ok(a.or(b)),
        }
    }
}

fn arithmetic(a: &Number, op: &VerilogOp, b: &Number) -> Option<i64> {
    calculate(a.small()?, op, b.small()?)
}

fn calculate(a: i64, op: &VerilogOp, b: i64) -> Option<i64> {
    match op {
        VerilogOp::Add => a.checked_add(b),
        VerilogOp::Sub => a.checked_sub(b),
        VerilogOp::Mul => a.checked_mul(b),
        _ => None,
    }
}

/// Parser of array indices, which the syntax tree keeps as text.
struct Index<'s, 'a> {
    scope: &'s Scope<'a>,
    rest: &'s str,
}

impl Index<'_, '_> {
    fn sum(&mut self) -> Option<i64> {
        let mut value = self.product()?;
        loop {
            if self.take("+") {
                value = value.checked_add(self.product()?)?;
            } else if self.take("-") {
                value = value.checked_sub(self.product()?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Option<i64> {
        let mut value = self.atom()?;
        while self.take("*") {
            value = value.checked_mul(self.atom()?)?;
        }
        Some(value)
    }

    fn atom(&mut self) -> Option<i64> {
        if self.take("(") {
            let value = self.sum()?;
            return self.take(")").then_some(value);
        }
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match self.scope.loop_variable(word) {
            Some(value) => i64::try_from(value).ok(),
            None => Number::parse_rust(word)?.small(),
        }
    }

    fn take(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}
