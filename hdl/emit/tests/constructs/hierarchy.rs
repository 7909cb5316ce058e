//! Loops, arrays, sub-blocks, const generics, interfaces.

use crate::group;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Adds a constant that its parent does not know; two of one kind, one of another.
#[derive(LogicBlock)]
struct Adder<const W: usize> {
    pub x: Signal<In, Bits<W>>,
    pub y: Signal<Out, Bits<W>>,
    step: Constant<Bits<W>>,
}

impl<const W: usize> Adder<W> {
    fn new(step: u64) -> Self {
        Adder { x: Default::default(), y: Default::default(), step: Constant::new(step.into()) }
    }
}

impl<const W: usize> Logic for Adder<W> {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.x.val() + self.step.val();
    }
}

#[derive(LogicBlock)]
pub struct Loops {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub ones: Signal<Out, Bits<5>>,
    pub reversed: Signal<Out, Bits<5>>,
    pub chained: Signal<Out, Bits<5>>,
    pub delayed: Signal<Out, Bits<5>>,
    pub selected: Signal<Out, Bits<5>>,
    pub outs: [Signal<Out, Bits<5>>; 3],
    partial: [Signal<Local, Bits<5>>; 6],
    adders: [Adder<5>; 4],
    line: [DFF<Bits<5>>; 3],
}

impl Default for Loops {
    fn default() -> Self {
        Loops {
            clock: Default::default(),
            a: Default::default(),
            b: Default::default(),
            c: Default::default(),
            ones: Default::default(),
            reversed: Default::default(),
            chained: Default::default(),
            delayed: Default::default(),
            selected: Default::default(),
            outs: Default::default(),
            partial: Default::default(),
            adders: [1, 3, 3, 9].map(Adder::new),
            line: Default::default(),
        }
    }
}

impl Logic for Loops {
    #[hdl_gen]
    fn update(&mut self) {
        self.partial[0].next = 0.into();
        for i in 0..5 {
            self.partial[i + 1].next = self.partial[i].val();
            if self.a.val().get_bit(i) {
                self.partial[i + 1].next = self.partial[i].val() + 1;
            }
        }
        self.ones.next = self.partial[5].val();
        self.reversed.next = 0.into();
        for i in 0..5 {
            if self.b.val().get_bit(4 - i) {
                self.reversed.next = self.reversed.val().replace_bit(i, true);
            }
        }
        self.adders[0].x.next = self.a.val();
        for i in 0..3 {
            self.adders[2 * (i + 1) - i - 1].x.next = self.adders[i].y.val() ^ self.b.val();
        }
        self.chained.next = self.adders[3].y.val();
        for i in 0..3 {
            self.line[i].clock.next = self.clock.val();
        }
        self.line[0].d.next = self.a.val();
        for i in 1..3 {
            self.line[i].d.next = self.line[i - 1].q.val();
        }
        self.delayed.next = self.line[2].q.val();
        self.selected.next = 31.into();
        for i in 0..3 {
            self.outs[i].next = self.adders[i].y.val();
            if self.b.val() == i.to_bits() {
                self.selected.next = self.adders[i].y.val();
            }
        }
    }
}
group!(Loops);

/// A checksum-like fold whose width and count are generic.
#[derive(LogicBlock)]
struct Fold<const W: usize, const N: usize> {
    pub x: Signal<In, Bits<W>>,
    pub y: Signal<Out, Bits<W>>,
    acc: [Signal<Local, Bits<W>>; N],
}

impl<const W: usize, const N: usize> Default for Fold<W, N> {
    fn default() -> Self {
        Fold { x: Default::default(), y: Default::default(), acc: array_init::array_init(|_| Default::default()) }
    }
}

impl<const W: usize, const N: usize> Logic for Fold<W, N> {
    #[hdl_gen]
    fn update(&mut self) {
        self.acc[0].next = self.x.val();
        for i in 1..N {
            self.acc[i].next = (self.acc[i - 1].val() << 1) ^ self.x.val();
        }
        self.y.next = 0.into();
        for i in 0..N {
            self.y.next = self.y.val() + self.acc[i].val();
        }
    }
}

#[derive(LogicBlock, Default)]
pub struct Generics {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub narrow: Signal<Out, Bits<5>>,
    pub wide: Signal<Out, Bits<11>>,
    fold_a: Fold<5, 4>,
    fold_b: Fold<11, 2>,
}

impl Logic for Generics {
    #[hdl_gen]
    fn update(&mut self) {
        self.fold_a.x.next = self.a.val();
        self.fold_b.x.next = bit_cast::<11, 5>(self.b.val()) << 4;
        self.narrow.next = self.fold_a.y.val();
        self.wide.next = self.fold_b.y.val();
    }
}
group!(Generics);

/// A stream as its consumer sees it.
#[derive(LogicInterface, Default)]
#[join = "StreamOut"]
struct StreamIn {
    pub data: Signal<In, Bits<5>>,
    pub valid: Signal<In, Bit>,
    pub ready: Signal<Out, Bit>,
}

/// A stream as its producer sees it.
#[derive(LogicInterface, Default)]
#[join = "StreamIn"]
struct StreamOut {
    pub data: Signal<Out, Bits<5>>,
    pub valid: Signal<Out, Bit>,
    pub ready: Signal<In, Bit>,
}

#[derive(LogicBlock, Default)]
struct Producer {
    pub clock: Signal<In, Clock>,
    pub x: Signal<In, Bits<5>>,
    pub m: StreamOut,
    sent: DFF<Bits<5>>,
}

impl Logic for Producer {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, sent);
        self.m.data.next = self.sent.q.val() + self.x.val();
        self.m.valid.next = self.x.val() != 4;
        if self.m.ready.val() {
            self.sent.d.next = self.sent.q.val() + 1;
        }
    }
}

#[derive(LogicBlock, Default)]
struct Consumer {
    pub clock: Signal<In, Clock>,
    pub s: StreamIn,
    pub hold: Signal<In, Bit>,
    pub taken: Signal<Out, Bits<5>>,
    last: DFF<Bits<5>>,
}

impl Logic for Consumer {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, last);
        self.s.ready.next = !self.hold.val();
        if self.s.valid.val() && !self.hold.val() {
            self.last.d.next = self.s.data.val();
        }
        self.taken.next = self.last.q.val();
    }
}

/// Hands its own interface to a consumer inside: `link`.
#[derive(LogicBlock, Default)]
struct Wrapped {
    pub clock: Signal<In, Clock>,
    pub s: StreamIn,
    pub hold: Signal<In, Bit>,
    pub taken: Signal<Out, Bits<5>>,
    inner: Consumer,
}

impl Logic for Wrapped {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, inner);
        StreamIn::link(&mut self.s, &mut self.inner.s);
        self.inner.hold.next = self.hold.val();
        self.taken.next = self.inner.taken.val();
    }
}

#[derive(LogicBlock, Default)]
pub struct Buses {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub joined: Signal<Out, Bits<5>>,
    pub linked: Signal<Out, Bits<5>>,
    first: Producer,
    second: Producer,
    consumer: Consumer,
    wrapped: Wrapped,
}

impl Logic for Buses {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, first, second, consumer, wrapped);
        self.first.x.next = self.a.val();
        self.second.x.next = self.b.val();
        StreamOut::join(&mut self.first.m, &mut self.consumer.s);
        StreamOut::join(&mut self.second.m, &mut self.wrapped.s);
        self.consumer.hold.next = self.c.val();
        self.wrapped.hold.next = !self.c.val();
        self.joined.next = self.consumer.taken.val();
        self.linked.next = self.wrapped.taken.val();
    }
}
group!(Buses);
