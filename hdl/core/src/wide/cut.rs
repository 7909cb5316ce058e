//! Takes bytes out of the first beat of a frame and moves the rest up: a VLAN tag, or the ipOS header.
use super::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Bytes `P` … `P + N - 1` leave a frame while `remove` is set; a frame that is cut must be longer than `P + N`, or end
/// there. One beat is held back, so that a frame costs its input beats.
#[derive(LogicBlock)]
pub struct Cut<const N: usize, const P: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub s_beat: Signal<In, Beat>,
    pub s_valid: Signal<In, Bit>,
    pub s_ready: Signal<Out, Bit>,
    /// The held beat, and whether it is its frame's first: what `remove` may be decided by.
    pub held_beat: Signal<Out, Beat>,
    pub held_first: Signal<Out, Bit>,
    pub remove: Signal<In, Bit>,
    pub m_beat: Signal<Out, Beat>,
    pub m_valid: Signal<Out, Bit>,
    pub m_ready: Signal<In, Bit>,
    held: DFF<Beat>,
    held_valid: DFF<Bit>,
    first: DFF<Bit>,
    next_first: DFF<Bit>,
    moves: Signal<Local, Bit>,
    spent: Signal<Local, Bit>,
    accept: Signal<Local, Bit>,
    moved: Signal<Local, Bits<512>>,
    o: Signal<Local, Beat>,
    c_low: Constant<Bits<512>>, // bytes below P
    c_down: Constant<Bits<10>>, // N bytes
    c_up: Constant<Bits<10>>,   // 64 - N bytes
    c_n: Constant<Bits<6>>,
    c_rest: Constant<Bits<6>>,
}

impl<const N: usize, const P: usize> Default for Cut<N, P> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            s_beat: Default::default(),
            s_valid: Default::default(),
            s_ready: Default::default(),
            held_beat: Default::default(),
            held_first: Default::default(),
            remove: Default::default(),
            m_beat: Default::default(),
            m_valid: Default::default(),
            m_ready: Default::default(),
            held: Default::default(),
            held_valid: Default::default(),
            first: Default::default(),
            next_first: Default::default(),
            moves: Default::default(),
            spent: Default::default(),
            accept: Default::default(),
            moved: Default::default(),
            o: Default::default(),
            c_low: Constant::new(Bits::<512>::mask() >> (512 - 8 * P as u64)),
            c_down: Constant::new((8 * N as u64).to_bits()),
            c_up: Constant::new((512 - 8 * N as u64).to_bits()),
            c_n: Constant::new((N as u64).to_bits()),
            c_rest: Constant::new((64 - N as u64).to_bits()),
        }
    }
}

impl<const N: usize, const P: usize> Logic for Cut<N, P> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held, held_valid, first, next_first);
        self.held_beat.next = self.held.q.val();
        self.held_first.next = self.first.q.val();
        self.m_valid.next = self.held_valid.q.val() & (self.held.q.val().last | self.s_valid.val());
        self.moves.next = self.held_valid.q.val() & (self.held.q.val().last | self.s_valid.val()) & self.m_ready.val();
        self.s_ready.next = !self.held_valid.q.val() | self.moves.val();
        self.accept.next = self.s_valid.val() & (!self.held_valid.q.val() | self.moves.val());
        // the next beat's N or fewer bytes all leave with the held one
        self.spent.next = self.remove.val()
            & !self.held.q.val().last
            & self.s_beat.val().last
            & (self.s_beat.val().cnt < self.c_n.val());

        self.moved.next = self.held.q.val().data >> self.c_down.val();
        if self.first.q.val() {
            self.moved.next = (self.held.q.val().data & self.c_low.val())
                | ((self.held.q.val().data >> self.c_down.val()) & !self.c_low.val());
        }
        self.o.next = self.held.q.val();
        if self.remove.val() {
            self.o.next.data = self.moved.val();
            if self.held.q.val().last {
                self.o.next.cnt = self.held.q.val().cnt - self.c_n.val();
            } else {
                self.o.next.data = self.moved.val() | (self.s_beat.val().data << self.c_up.val());
                if self.spent.val() {
                    self.o.next.cnt = self.s_beat.val().cnt + self.c_rest.val();
                    self.o.next.last = true;
                    self.o.next.user = self.s_beat.val().user;
                }
            }
        }
        self.m_beat.next = self.o.val();

        if self.moves.val() {
            self.held_valid.d.next = false;
        }
        if self.accept.val() {
            self.held.d.next = self.s_beat.val();
            self.held_valid.d.next = !(self.moves.val() & self.spent.val());
            self.first.d.next = self.next_first.q.val();
            self.next_first.d.next = self.s_beat.val().last;
        }
        if self.reset.val() {
            self.held_valid.d.next = false;
            self.next_first.d.next = true;
        }
    }
}
