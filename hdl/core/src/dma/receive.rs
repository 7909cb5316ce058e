//! Frames to host memory: each into the buffer of the next descriptor, then its completion.
use super::Target;
use crate::stream::Beat;
use ipos_abi::queue::{LENGTH_BITS, STATUS_SHIFT, Status};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Frames wait while there is no descriptor, or no place for a completion.
    pub struct Receive {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub s_beat: Signal<In, Beat>,
        /// Its number among those that write.
        pub source: Signal<In, Bits<3>>,
        /// An `RxMeta`: the length in bits 15:0.
        pub s_meta: Signal<In, Bits<128>>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        pub descriptor: Signal<In, Bits<128>>,
        pub descriptor_valid: Signal<In, Bit>,
        pub descriptor_take: Signal<Out, Bit>,
        pub level: Signal<In, Bits<5>>,
        pub entry: Signal<Out, Bits<128>>,
        pub write: Signal<Out, Bit>,
        /// No frame waits that could be taken.
        pub idle: Signal<Out, Bit>,
        pub beat: Signal<Out, Beat>,
        pub target: Signal<Out, Target>,
        pub valid: Signal<Out, Bit>,
        pub ready: Signal<In, Bit>,
        pub fail: Signal<Out, Bit>,
        pub busy: Signal<Out, Bit>,
        state: DFF<Bits<2>>, // 0 waits, 1 judges, 2 writes, 3 discards
        t: DFF<Target>,
        // what is wrong with the descriptor: its address, or too little room
        bad: DFF<Bit>,
        small: DFF<Bit>,
        status: DFF<Bits<4>>,
        done: DFF<Bit>,
        out: DFF<Bits<128>>,
        ends: Signal<Local, Bit>,
        to: Signal<Local, Target>,
        c_address: Constant<Bits<4>> = Status::Address as u64,
        c_length: Constant<Bits<4>> = Status::Length as u64,
        c_shift: Constant<Bits<7>> = (96 + STATUS_SHIFT) as u64,
    }
}

impl Logic for Receive {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, t, bad, small, status, done, out);
        self.to.next.address = self.descriptor.val().get_bits::<64>(0);
        self.to.next.length = bit_cast::<LENGTH_BITS, 16>(self.s_meta.val().get_bits::<16>(0));
        self.to.next.notify = false;
        self.to.next.source = self.source.val();
        self.ends.next = self.s_valid.val()
            & self.s_beat.val().last
            & (((self.state.q.val() == 2) & self.ready.val()) | (self.state.q.val() == 3));
        self.descriptor_take.next = false;
        match self.state.q.val().index() {
            0 => {
                self.t.d.next = self.to.val();
                self.bad.d.next =
                    (self.descriptor.val().get_bits::<64>(0) == 0) | (self.descriptor.val().get_bits::<3>(0) != 0);
                self.small.d.next =
                    self.descriptor.val().get_bits::<32>(64) < bit_cast::<32, 16>(self.s_meta.val().get_bits::<16>(0));
                if self.s_valid.val() & self.descriptor_valid.val() & (self.level.val() < 14) {
                    self.descriptor_take.next = true;
                    self.state.d.next = 1.into();
                }
            }
            1 => {
                self.status.d.next = 0.into();
                self.state.d.next = 2.into();
                if self.bad.q.val() {
                    self.status.d.next = self.c_address.val();
                    self.state.d.next = 3.into();
                } else if self.small.q.val() {
                    self.status.d.next = self.c_length.val();
                    self.state.d.next = 3.into();
                }
            }
            _ => {
                if self.ends.val() {
                    self.state.d.next = 0.into();
                }
            }
        }
        self.beat.next = self.s_beat.val();
        self.target.next = self.t.q.val();
        self.valid.next = (self.state.q.val() == 2) & self.s_valid.val();
        self.s_ready.next = ((self.state.q.val() == 2) & self.ready.val()) | (self.state.q.val() == 3);
        self.done.d.next = self.ends.val();
        self.out.d.next = self.s_meta.val() | (bit_cast::<128, 4>(self.status.q.val()) << self.c_shift.val());
        self.entry.next = self.out.q.val();
        self.write.next = self.done.q.val();
        self.fail.next = self.done.q.val() & (self.status.q.val() != 0);
        self.idle.next =
            (self.state.q.val() == 0) & !self.done.q.val() & !(self.s_valid.val() & self.descriptor_valid.val());
        self.busy.next = (self.state.q.val() != 0) | self.done.q.val();
        if self.reset.val() {
            self.state.d.next = 0.into();
            self.done.d.next = false;
        }
    }
}
