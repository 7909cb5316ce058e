//! The stock back end on the same blocks: what it gets wrong, silently. This is why the emitter exists.

use crate::{Case, Group, directory, group, mismatches};
use rust_hdl_core::prelude::*;

#[derive(LogicBlock, Default)]
struct Expressions {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub right: Signal<Out, Bits<5>>,
    pub precedence: Signal<Out, Bit>,
    pub wide_context: Signal<Out, Bit>,
    pub cast_of_sum: Signal<Out, Bits<9>>,
}

impl Logic for Expressions {
    #[hdl_gen]
    fn update(&mut self) {
        self.right.next = self.a.val() + self.b.val();
        // In Rust `&` binds tighter than `==`, in Verilog it does not.
        self.precedence.next = self.a.val() & self.b.val() == self.b.val();
        // The literal becomes 32 bits wide, and with it the difference.
        self.wide_context.next = (self.a.val() - self.b.val()) < 4;
        // The mask is as wide as the target, and with it the sum.
        self.cast_of_sum.next = bit_cast::<9, 5>(self.a.val() + self.b.val());
    }
}
group!(Expressions);

/// A block around a foreign core, as vendors' cores are wrapped.
#[derive(LogicBlock, Default)]
struct Wrapped {
    pub x: Signal<In, Bits<5>>,
    pub y: Signal<Out, Bits<5>>,
}

impl Logic for Wrapped {
    fn update(&mut self) {
        self.y.next = !self.x.val();
    }

    fn connect(&mut self) {
        self.y.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Wrapper(Wrapper {
            code: "inverter core(.i(x), .o(y));".into(),
            cores: "module inverter(input [4:0] i, output [4:0] o);\n  assign o = ~i;\nendmodule".into(),
        })
    }
}

#[derive(LogicBlock, Default)]
struct Cores {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub x: Signal<Out, Bits<5>>,
    pub y: Signal<Out, Bits<5>>,
    first: Wrapped,
    second: Wrapped,
}

impl Logic for Cores {
    #[hdl_gen]
    fn update(&mut self) {
        self.first.x.next = self.a.val();
        self.second.x.next = self.b.val();
        self.x.next = self.first.y.val();
        self.y.next = self.second.y.val();
    }
}
group!(Cores);

/// The stock text, its top renamed so that it can stand beside ours.
fn stock<G: Group>(block: &G, top: &str) -> String {
    generate_verilog(block).replace("module top(", &format!("module {top}(")).replace("top$", &format!("{top}$"))
}

fn emitted<G: Group>(block: &G, top: &str) -> String {
    ipos_emit::generate(block, top).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn stock_expressions_are_wrong_and_ours_are_right() {
    let cases = [
        Case::new("stock", Expressions::default(), stock),
        Case::new("ours", Expressions::default(), emitted),
        Case::new("cores", Cores::default(), emitted),
    ];
    let wrong = mismatches(&cases, &directory("stock"), false);
    for (name, list) in &wrong {
        println!("{name}: {} of 8192 values wrong", list.len());
    }
    assert!(wrong["stock_right"].is_empty(), "what it can do, it does: the comparison itself is sound");
    for name in ["stock_precedence", "stock_wide_context", "stock_cast_of_sum"] {
        assert!(!wrong[name].is_empty(), "{name}: upstream is right now, the emitter's reason is gone");
    }
    for (name, list) in wrong.iter().filter(|(name, _)| !name.starts_with("stock")) {
        assert!(list.is_empty(), "{name}: {}", list[0]);
    }
}

#[test]
fn a_core_used_twice_is_declared_once() {
    let mut block = Cores::default();
    block.connect_all();
    let declarations = |text: &str| text.matches("module inverter").count();
    assert_eq!(declarations(&generate_verilog(&block)), 2, "stock: every tool refuses the second");
    let ours = emitted(&block, "cores");
    assert_eq!(declarations(&ours), 1);
    assert!(!ours.contains('$'), "names without $:\n{ours}");
    assert_eq!(ours.matches("module cores_").count(), 1, "equal wrappers are one module:\n{ours}");
}
