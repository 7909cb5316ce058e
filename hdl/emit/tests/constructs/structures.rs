//! Structs of fields: in signals, in registers, built and taken apart.

use crate::group;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum Kind {
    Plain,
    Tagged,
    Broken,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Entry {
    pub key: Bits<5>,
    pub valid: Bit,
    pub kind: Kind,
    pub value: Bits<4>,
}

#[derive(LogicBlock, Default)]
pub struct Structures {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub key: Signal<Out, Bits<5>>,
    pub valid: Signal<Out, Bit>,
    pub plain: Signal<Out, Bit>,
    pub value: Signal<Out, Bits<4>>,
    pub stored_key: Signal<Out, Bits<5>>,
    pub whole: Signal<Out, Entry>,
    built: Signal<Local, Entry>,
    register: DFF<Entry>,
}

impl Logic for Structures {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, register);
        self.built.next.key = self.a.val();
        self.built.next.valid = self.c.val();
        self.built.next.kind = Kind::Plain;
        if self.b.val() > 9 {
            self.built.next.kind = Kind::Broken;
        } else if self.b.val() == 3 {
            self.built.next.kind = Kind::Tagged;
        }
        self.built.next.value = bit_cast::<4, 5>(self.a.val() + self.b.val());
        if self.built.val().valid {
            self.register.d.next = self.built.val();
        }
        self.key.next = self.built.val().key;
        self.valid.next = self.register.q.val().valid;
        self.plain.next = self.built.val().kind == Kind::Plain;
        self.value.next = self.register.q.val().value + 1;
        self.stored_key.next = self.register.q.val().key;
        self.whole.next = self.register.q.val();
        self.whole.next.value = self.built.val().value;
    }
}
group!(Structures);
