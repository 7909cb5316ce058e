//! Conditions, matches, state machines.

use crate::group;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

#[derive(LogicBlock, Default)]
pub struct Choices {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub if_else: Signal<Out, Bits<5>>,
    pub default_first: Signal<Out, Bits<5>>,
    pub else_if: Signal<Out, Bits<3>>,
    pub nested: Signal<Out, Bits<3>>,
    pub last_wins: Signal<Out, Bits<3>>,
    pub by_index: Signal<Out, Bits<5>>,
    pub by_value: Signal<Out, Bits<5>>,
    pub match_in_if: Signal<Out, Bits<5>>,
}

impl Logic for Choices {
    #[hdl_gen]
    fn update(&mut self) {
        if self.c.val() {
            self.if_else.next = self.a.val();
        } else {
            self.if_else.next = self.b.val();
        }
        self.default_first.next = 7.into();
        if self.a.val() < self.b.val() {
            self.default_first.next = self.a.val() + 1;
        }
        if self.a.val() == 0 {
            self.else_if.next = 0.into();
        } else if self.a.val() < self.b.val() {
            self.else_if.next = 1.into();
        } else if self.c.val() {
            self.else_if.next = 2.into();
        } else {
            self.else_if.next = 3.into();
        }
        self.nested.next = 4.into();
        if self.c.val() {
            if self.a.val().any() {
                if !self.b.val().any() {
                    self.nested.next = 5.into();
                }
            } else {
                self.nested.next = 6.into();
            }
        }
        self.last_wins.next = 0.into();
        if self.a.val().get_bit(0) {
            self.last_wins.next = 1.into();
        }
        if self.a.val().get_bit(1) {
            self.last_wins.next = 2.into();
        }
        match self.a.val().index() {
            0 => self.by_index.next = self.b.val(),
            1 => {
                self.by_index.next = self.b.val() + 1;
            }
            0x11 => self.by_index.next = !self.b.val(),
            0b1_1111 => self.by_index.next = 3.into(),
            _ => self.by_index.next = self.a.val(),
        }
        self.by_value.next = 1.into();
        match self.b.val().index() {
            3 => self.by_value.next = self.a.val(),
            _ => {}
        }
        self.match_in_if.next = 0.into();
        if self.c.val() {
            match (self.a.val() - self.b.val()).index() {
                2 => self.match_in_if.next = 2.into(),
                30 => self.match_in_if.next = self.a.val(),
                _ => self.match_in_if.next = 9.into(),
            }
        }
    }
}
group!(Choices);

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum State {
    Idle,
    Head,
    Body,
    Tail,
    Lost,
}

#[derive(LogicBlock)]
pub struct Machine {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub idle: Signal<Out, Bit>,
    pub beats: Signal<Out, Bits<4>>,
    pub last_lost: Signal<Out, Bits<5>>,
    pub started: Signal<Out, Bits<5>>,
    state: DFF<State>,
    count: DFF<Bits<4>>,
    lost: DFF<Bits<5>>,
    preset: DFFWithInit<Bits<5>>,
}

impl Default for Machine {
    fn default() -> Self {
        Machine {
            clock: Default::default(),
            a: Default::default(),
            b: Default::default(),
            c: Default::default(),
            idle: Default::default(),
            beats: Default::default(),
            last_lost: Default::default(),
            started: Default::default(),
            state: Default::default(),
            count: Default::default(),
            lost: Default::default(),
            preset: DFFWithInit::new(21.into()),
        }
    }
}

impl Logic for Machine {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, count, lost, preset);
        self.idle.next = self.state.q.val() == State::Idle;
        match self.state.q.val() {
            State::Idle => {
                if self.c.val() {
                    self.state.d.next = State::Head;
                }
            }
            State::Head => {
                self.count.d.next = 0.into();
                self.state.d.next = State::Body;
            }
            State::Body => {
                self.count.d.next = self.count.q.val() + 1;
                if self.a.val() > 20 {
                    self.state.d.next = State::Tail;
                } else if self.b.val() == 3 {
                    self.state.d.next = State::Lost;
                }
            }
            State::Lost => {
                self.lost.d.next = self.a.val();
                self.state.d.next = State::Idle;
            }
            _ => {
                self.state.d.next = State::Idle;
            }
        }
        self.beats.next = self.count.q.val();
        self.last_lost.next = self.lost.q.val();
        if self.state.q.val() != State::Tail {
            self.preset.d.next = self.preset.q.val() + self.b.val();
        }
        self.started.next = self.preset.q.val();
    }
}
group!(Machine);
