//! What does not translate is an error that names the block and the construct.

use ipos_emit::{EmitError, Problem, generate};
use rust_hdl_core::ast::*;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// A block with a syntax tree given by hand: also trees that no kernel can spell reach the emitter.
#[derive(LogicBlock, Default)]
struct Inner {
    pub clock: Signal<In, Clock>,
    pub x: Signal<In, Bits<4>>,
    pub y: Signal<Out, Bits<4>>,
    pub flag: Signal<Out, Bit>,
    t: Signal<Local, Bits<4>>,
    field: Signal<Local, Bits<8>>,
    lane: [Signal<Local, Bits<4>>; 2],
    _kernel: Vec<VerilogStatement>,
}

impl Logic for Inner {
    fn update(&mut self) {}

    fn connect(&mut self) {
        self.y.connect();
        self.flag.connect();
        self.t.connect();
        self.field.connect();
        self.lane.iter_mut().for_each(|l| l.connect());
    }

    fn hdl(&self) -> Verilog {
        Verilog::Combinatorial(self._kernel.clone())
    }
}

#[derive(LogicBlock, Default)]
struct Outer {
    pub clock: Signal<In, Clock>,
    pub x: Signal<In, Bits<4>>,
    pub y: Signal<Out, Bits<4>>,
    inner: Inner,
}

impl Logic for Outer {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, inner);
        self.inner.x.next = self.x.val();
        self.y.next = self.inner.y.val();
    }
}

fn signal(name: &str) -> VerilogExpression {
    VerilogExpression::Signal(name.into())
}

fn literal(value: u64) -> VerilogExpression {
    VerilogExpression::Literal(value.into())
}

fn binary(a: VerilogExpression, op: VerilogOp, b: VerilogExpression) -> VerilogExpression {
    VerilogExpression::Binary(Box::new(a), op, Box::new(b))
}

fn slice(a: VerilogExpression, width: usize, offset: VerilogExpression) -> VerilogExpression {
    VerilogExpression::Slice(Box::new(a), width, Box::new(offset))
}

fn assign(name: &str, value: VerilogExpression) -> VerilogStatement {
    VerilogStatement::Assignment(signal(name), value)
}

fn when(test: VerilogExpression, then: Vec<VerilogStatement>) -> VerilogStatement {
    VerilogStatement::If(VerilogConditional { test, then, otherwise: VerilogBlockOrConditional::None })
}

fn select(patterns: &[&str]) -> VerilogStatement {
    let case = |p: &&str| VerilogCase { condition: p.to_string(), block: vec![assign("t", literal(1))] };
    VerilogStatement::Match(VerilogMatch { test: signal("x"), cases: patterns.iter().map(case).collect() })
}

fn any_x() -> VerilogExpression {
    VerilogExpression::Unary(VerilogOpUnary::Any, Box::new(signal("x")))
}

/// Drives every signal of [`Inner`].
fn defaults() -> Vec<VerilogStatement> {
    ["y", "flag", "t", "field", "lane[0]", "lane[1]"].map(|name| assign(name, literal(0))).to_vec()
}

fn emit(kernel: Vec<VerilogStatement>) -> Result<String, EmitError> {
    let mut outer = Outer { inner: Inner { _kernel: kernel, ..Default::default() }, ..Default::default() };
    outer.connect_all();
    generate(&outer, "top")
}

/// The problem of `defaults` with `statement` behind, which must be located in the inner block.
fn problem(statement: VerilogStatement) -> Problem {
    let error = emit(defaults().into_iter().chain([statement]).collect()).expect_err("an error");
    assert_eq!(error.block, "top.inner");
    assert!(error.to_string().starts_with("block `top.inner`: "), "{error}");
    error.problem
}

#[test]
fn the_tree_without_a_fault_translates() {
    let text = emit(defaults()).expect("no error");
    assert!(text.contains("module top_inner") && text.contains("lane_1 = 4'h0;"), "{text}");
}

#[test]
fn names() {
    assert_eq!(problem(assign("t", signal("WIDTH"))), Problem::Unknown("WIDTH".into()));
    assert_eq!(problem(assign("nothing$next", literal(0))), Problem::Unknown("nothing".into()));
    assert_eq!(problem(assign("t", signal("lane[2]"))), Problem::Unknown("lane.2".into()));
    assert_eq!(problem(assign("t", signal("lane[i]"))), Problem::NotConstant("i".into()));
    assert_eq!(problem(assign("t", signal("lane[0-1]"))), Problem::NotConstant("0-1".into()));
}

#[test]
fn widths() {
    let sum = binary(signal("x"), VerilogOp::Add, signal("field"));
    let mismatch = |construct: &str, left, right| Problem::WidthMismatch { construct: construct.into(), left, right };
    assert_eq!(problem(assign("t", sum)), mismatch("x + field", 4, 8));
    assert_eq!(problem(assign("t", signal("field"))), mismatch("field", 4, 8));
    let wide = binary(signal("x"), VerilogOp::Eq, literal(16));
    let too_wide = Problem::TooWide { literal: "0x10".into(), width: 4, construct: "0x10".into() };
    assert_eq!(problem(assign("flag", wide)), too_wide);
    let unsized_ = binary(literal(1), VerilogOp::Eq, literal(2));
    assert_eq!(problem(assign("flag", unsized_)), Problem::NoWidth("0x1 == 0x2".into()));
    assert_eq!(problem(when(signal("x"), vec![])), mismatch("x", 1, 4));
}

#[test]
fn parts() {
    let beyond = |construct: &str, width| Problem::OutOfRange { construct: construct.into(), width };
    assert_eq!(problem(assign("t", slice(signal("field"), 4, literal(5)))), beyond("field.get_bits::<4>(0x5)", 8));
    let bit = VerilogExpression::Index(Box::new(signal("x")), Box::new(literal(4)));
    assert_eq!(problem(assign("flag", bit)), beyond("x.get_bit(0x4)", 4));
    let field = |offset| VerilogStatement::SliceAssignment {
        base: signal("field$next"),
        width: 4,
        offset,
        replacement: signal("x"),
    };
    assert_eq!(problem(field(signal("x"))), Problem::NotConstant("x".into()));
    assert_eq!(problem(field(literal(6))), beyond("field.next", 8));
}

#[test]
fn matches() {
    assert_eq!(problem(select(&["0", "1"])), Problem::MatchWithoutDefault("x".into()));
    assert_eq!(problem(select(&["default", "1"])), Problem::MatchWithoutDefault("x".into()));
    let pattern = |p: &str| Problem::Pattern { pattern: p.into(), test: "x".into() };
    assert_eq!(problem(select(&["State$Run", "default"])), pattern("State::Run"));
    let repeated = Problem::RepeatedPattern { pattern: "0x3".into(), test: "x".into() };
    assert_eq!(problem(select(&["3", "0x3", "default"])), repeated);
    let too_wide = Problem::TooWide { literal: "0x10".into(), width: 4, construct: "x".into() };
    assert_eq!(problem(select(&["16", "default"])), too_wide);
}

#[test]
fn drivers() {
    let without = |name: &str, more: Vec<VerilogStatement>| {
        let is = |s: &VerilogStatement| matches!(s, VerilogStatement::Assignment(VerilogExpression::Signal(n), _) if n == name);
        emit(defaults().into_iter().filter(|s| !is(s)).chain(more).collect()).expect_err("an error").problem
    };
    assert_eq!(without("t", vec![]), Problem::Undriven("t".into()));
    assert_eq!(without("t", vec![when(any_x(), vec![assign("t", literal(1))])]), Problem::Latch("t".into()));
    let half = VerilogStatement::SliceAssignment {
        base: signal("field"),
        width: 4,
        offset: literal(0),
        replacement: signal("x"),
    };
    assert_eq!(without("field", vec![half]), Problem::Latch("field".into()));
    let swapped = vec![assign("y", signal("t")), assign("t", signal("x"))];
    assert_eq!(without("t", swapped), Problem::ReadBeforeWrite("t".into()));
    assert_eq!(problem(assign("x", literal(0))), Problem::NotAssignable("x".into()));
    let details = |my: &str, a: &str, b: &str| VerilogLinkDetails {
        my_name: my.into(),
        owner_name: a.into(),
        other_name: b.into(),
    };
    let link = VerilogStatement::Link(vec![VerilogLink::Forward(details("", "x", "t"))]);
    assert_eq!(problem(link.clone()), Problem::TwoDrivers("t".into()));
    let under = when(any_x(), vec![link]);
    assert_eq!(problem(under), Problem::Unsupported("link of t under a condition".into()));
    let tristate = VerilogStatement::Link(vec![VerilogLink::Bidirectional(details("", "x", "t"))]);
    assert_eq!(problem(tristate), Problem::InOut("x".into()));
}

#[test]
fn clocks_and_the_rest() {
    assert_eq!(problem(assign("flag", signal("clock"))), Problem::Clock("clock".into()));
    assert_eq!(problem(assign("clock", any_x())), Problem::Clock("clock".into()));
    let signed = VerilogExpression::Signed(Box::new(signal("x")));
    assert_eq!(problem(assign("t", signed)), Problem::Signed("signed(x)".into()));
    let to_expression = VerilogStatement::Assignment(any_x(), literal(0));
    assert_eq!(problem(to_expression), Problem::Unsupported("x.any() = …".into()));
    let endless = VerilogLoop { index: "i".into(), from: 0_u64.into(), to: (1_u64 << 40).into(), block: vec![] };
    assert!(matches!(problem(VerilogStatement::Loop(endless)), Problem::Unsupported(_)));
}

macro_rules! refused {
    ($test:ident, { $($field:ident : $type:ty),* }, $problem:expr) => {
        #[test]
        fn $test() {
            #[derive(LogicBlock, Default)]
            struct Refused { pub clock: Signal<In, Clock>, $(pub $field: $type),* }
            impl Logic for Refused {
                fn update(&mut self) {}
                fn hdl(&self) -> Verilog { Verilog::Combinatorial(vec![]) }
            }
            let mut block = Refused::default();
            block.connect_all();
            assert_eq!(generate(&block, "top"), Err(EmitError { block: "top".into(), problem: $problem }));
        }
    };
}

refused!(signed_signal, { speed: Signal<In, Signed<8>> }, Problem::Signed("speed".into()));
refused!(tristate, { pad: Signal<InOut, Bit> }, Problem::InOut("pad".into()));
refused!(keyword, { logic: Signal<In, Bit> }, Problem::Keyword("logic".into()));
refused!(same_name, { a_q: Signal<In, Bits<1>>, a: DFF<Bits<1>> }, Problem::NameClash("a_q".into()));

#[test]
fn reserved_top() {
    let mut outer = Outer { inner: Inner { _kernel: defaults(), ..Default::default() }, ..Default::default() };
    outer.connect_all();
    let error = generate(&outer, "module").expect_err("a keyword");
    assert_eq!(error, EmitError { block: "module".into(), problem: Problem::Keyword("module".into()) });
}
