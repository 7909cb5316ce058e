//! Encapsulation: 30 bytes of header in place of 14, so everything behind moves by 16 and crosses beats.
use super::{Beat, ByteRev, Header};
use crate::route::Route;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes whole frames. Three beats wait while the first one's header is made; a frame costs its output beats.
    pub struct Encap {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub mac: Signal<In, Bits<48>>,
        pub ethertype: Signal<In, Bits<16>>,
        pub s_beat: Signal<In, Beat>,
        /// Holds from the first beat to the last.
        pub s_route: Signal<In, Route>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        pub m_beat: Signal<Out, Beat>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        head: Header,
        rev: ByteRev,
        beat1: DFF<Beat>,
        beat2: DFF<Beat>,
        beat3: DFF<Beat>,
        valid1: DFF<Bit>,
        valid2: DFF<Bit>,
        valid3: DFF<Bit>,
        rest: DFF<Bits<128>>, // the last 16 bytes of the beat before
        inside: DFF<Bit>,
        flush: DFF<Bit>, // only `rest` is left to send
        flush_cnt: DFF<Bits<6>>,
        flush_user: DFF<Bit>,
        out: DFF<Beat>,
        full: DFF<Bit>,
        go: Signal<Local, Bit>,
        step: Signal<Local, Bit>,
        spills: Signal<Local, Bit>,
        moved: Signal<Local, Bits<512>>,
        o: Signal<Local, Beat>,
        c_offset: Constant<Bits<10>> = 240u64,
    }
}

impl Logic for Encap {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, beat1, beat2, beat3, valid1, valid2, valid3, rest, inside, flush, flush_cnt, flush_user, out,
            full
        );
        clock!(self, clock, head);
        self.go.next = self.m_ready.val() | !self.full.q.val();
        self.step.next = self.go.val() & !self.flush.q.val();
        self.s_ready.next = self.step.val();
        self.head.step.next = self.step.val();
        self.head.mac.next = self.mac.val();
        self.head.ethertype.next = self.ethertype.val();
        self.head.route.next = self.s_route.val();
        if self.step.val() {
            self.beat1.d.next = self.s_beat.val();
            self.valid1.d.next = self.s_valid.val();
            self.beat2.d.next = self.beat1.q.val();
            self.valid2.d.next = self.valid1.q.val();
            self.beat3.d.next = self.beat2.q.val();
            self.valid3.d.next = self.valid2.q.val();
        }

        self.rev.i.next = bit_cast::<512, 240>(self.head.header.val()) << 272;
        self.spills.next = self.beat3.q.val().last & (self.beat3.q.val().cnt >= 48);
        self.moved.next = self.beat3.q.val().data << 128;
        self.o.next = self.beat3.q.val();
        self.o.next.cnt = self.beat3.q.val().cnt + 16;
        if !self.beat3.q.val().last | self.spills.val() {
            self.o.next.cnt = 63.into();
            self.o.next.last = false;
            self.o.next.user = false;
        }
        self.o.next.data = self.moved.val() | bit_cast::<512, 128>(self.rest.q.val());
        if !self.inside.q.val() {
            self.o.next.data = self.rev.o.val() | ((self.moved.val() >> self.c_offset.val()) << self.c_offset.val());
        }
        if self.flush.q.val() {
            self.o.next.data = bit_cast::<512, 128>(self.rest.q.val());
            self.o.next.cnt = self.flush_cnt.q.val();
            self.o.next.last = true;
            self.o.next.user = self.flush_user.q.val();
        }
        if self.go.val() {
            self.full.d.next = self.valid3.q.val() | self.flush.q.val();
            self.flush.d.next = false;
            if self.flush.q.val() {
                self.out.d.next = self.o.val();
                self.inside.d.next = false;
            } else if self.valid3.q.val() {
                self.out.d.next = self.o.val();
                self.rest.d.next = self.beat3.q.val().data.get_bits::<128>(384);
                self.inside.d.next = !self.beat3.q.val().last;
                self.flush.d.next = self.spills.val();
                self.flush_cnt.d.next = self.beat3.q.val().cnt - 48;
                self.flush_user.d.next = self.beat3.q.val().user;
            }
        }
        self.m_beat.next = self.out.q.val();
        self.m_valid.next = self.full.q.val();
        if self.reset.val() {
            self.valid1.d.next = false;
            self.valid2.d.next = false;
            self.valid3.d.next = false;
            self.inside.d.next = false;
            self.flush.d.next = false;
            self.full.d.next = false;
        }
    }
}
