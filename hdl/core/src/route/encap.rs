//! Encapsulation: Ethernet and ipOS header in front of the IP packet (source figures 11a, 11b, 11g).
use super::Route;
use crate::parse::ByteRev;
use crate::stream::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes frames from their second beat on (bytes 8 …, the packet from byte 14). The new header is 30 bytes for 14,
    /// two beats more, so no byte changes its lane: three header beats, then the input with six bytes replaced.
    /// A frame costs its output beats. The header beats need the route alone.
    pub struct Encap {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub mac: Signal<In, Bits<48>>,
        pub ethertype: Signal<In, Bits<16>>,
        pub s_beat: Signal<In, Beat>,
        /// Holds until it is read, with the frame's first beat.
        pub s_route: Signal<In, Route>,
        pub s_route_valid: Signal<In, Bit>,
        pub s_route_read: Signal<Out, Bit>,
        /// A frame's header begins: from the next cycle on its beats are looked at.
        pub s_begin: Signal<Out, Bit>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        pub m_beat: Signal<Out, Beat>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        rev: ByteRev,
        // none: the first header beat; bit 0, 1: the next two; 2: the mixed beat; 3: the rest
        state: DFF<Bits<4>>,
        out: DFF<Beat>,
        full: DFF<Bit>,
        // checksum, an adder tree over three cycles: the header beats give it the time
        sum_a: DFF<Bits<18>>,
        sum_b: DFF<Bits<18>>,
        sum: DFF<Bits<19>>,
        check: DFF<Bits<16>>,
        go: Signal<Local, Bit>,
        first: Signal<Local, Bit>,
        heads: Signal<Local, Bit>,
        ready: Signal<Local, Bit>,
        head0: Signal<Local, Bits<64>>,
        head1: Signal<Local, Bits<64>>,
        head2: Signal<Local, Bits<64>>,
        head3: Signal<Local, Bits<64>>,
        now0: Signal<Local, Bits<64>>,
        now1: Signal<Local, Bits<64>>,
        now2: Signal<Local, Bits<64>>,
        now3: Signal<Local, Bits<64>>,
        rest: Signal<Local, Bits<64>>,
        head: Signal<Local, Bits<64>>,
        protocol: Signal<Local, Bits<16>>,
        w_src_hi: Signal<Local, Bits<18>>,
        w_src_lo: Signal<Local, Bits<18>>,
        w_sport: Signal<Local, Bits<18>>,
        w_dst_hi: Signal<Local, Bits<18>>,
        w_dst_lo: Signal<Local, Bits<18>>,
        w_dport: Signal<Local, Bits<18>>,
        w_type: Signal<Local, Bits<18>>,
        once: Signal<Local, Bits<17>>,
        twice: Signal<Local, Bits<17>>,
        o: Signal<Local, Beat>,
        c_tcp: Constant<Bits<16>> = 0x0201u64, // type 02, protocol 01
        c_udp: Constant<Bits<16>> = 0x0202u64,
        c_low: Constant<Bits<17>> = 0xffffu64,
    }
}

impl Logic for Encap {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, out, full, sum_a, sum_b, sum, check);
        self.protocol.next = self.c_tcp.val();
        if self.s_route.val().udp {
            self.protocol.next = self.c_udp.val();
        }
        self.w_src_hi.next = bit_cast::<18, 16>(self.s_route.val().src_ip.get_bits::<16>(16));
        self.w_src_lo.next = bit_cast::<18, 16>(self.s_route.val().src_ip.get_bits::<16>(0));
        self.w_sport.next = bit_cast::<18, 16>(self.s_route.val().src_port);
        self.w_dst_hi.next = bit_cast::<18, 16>(self.s_route.val().dst_ip.get_bits::<16>(16));
        self.w_dst_lo.next = bit_cast::<18, 16>(self.s_route.val().dst_ip.get_bits::<16>(0));
        self.w_dport.next = bit_cast::<18, 16>(self.s_route.val().dst_port);
        self.w_type.next = bit_cast::<18, 16>(self.protocol.val());
        self.sum_a.d.next = (self.w_src_hi.val() + self.w_src_lo.val()) + (self.w_sport.val() + self.w_dst_hi.val());
        self.sum_b.d.next = (self.w_dst_lo.val() + self.w_dport.val()) + self.w_type.val();
        self.sum.d.next = bit_cast::<19, 18>(self.sum_a.q.val()) + bit_cast::<19, 18>(self.sum_b.q.val());
        self.once.next = bit_cast::<17, 16>(self.sum.q.val().get_bits::<16>(0))
            + bit_cast::<17, 3>(self.sum.q.val().get_bits::<3>(16));
        self.twice.next = (self.once.val() & self.c_low.val()) + (self.once.val() >> 16);
        self.check.d.next = !bit_cast::<16, 17>(self.twice.val());

        self.go.next = self.m_ready.val() | !self.full.q.val();
        self.first.next = self.state.q.val() == 0;
        self.heads.next = self.state.q.val().get_bits::<2>(2) == 0;
        self.s_ready.next = self.go.val() & !self.heads.val();
        self.s_begin.next = self.go.val() & self.first.val() & self.s_route_valid.val();
        self.s_route_read.next = self.go.val() & self.state.q.val().get_bit(2) & self.s_valid.val();
        self.ready.next = self.s_valid.val();
        if self.heads.val() {
            self.ready.next = self.s_route_valid.val();
        }
        // in network order; two bytes of the mixed beat are the packet's
        self.head0.next =
            (bit_cast::<64, 48>(self.s_route.val().mac) << 16) | bit_cast::<64, 16>(self.mac.val().get_bits::<16>(32));
        self.head1.next = (bit_cast::<64, 32>(self.mac.val().get_bits::<32>(0)) << 32)
            | (bit_cast::<64, 16>(self.ethertype.val()) << 16)
            | bit_cast::<64, 16>(self.s_route.val().src_ip.get_bits::<16>(16));
        self.head2.next = (bit_cast::<64, 16>(self.s_route.val().src_ip.get_bits::<16>(0)) << 48)
            | (bit_cast::<64, 16>(self.s_route.val().src_port) << 32)
            | bit_cast::<64, 32>(self.s_route.val().dst_ip);
        self.head3.next = (bit_cast::<64, 16>(self.s_route.val().dst_port) << 48)
            | (bit_cast::<64, 16>(self.protocol.val()) << 32)
            | (bit_cast::<64, 16>(self.check.q.val()) << 16)
            | (bit_cast::<64, 8>(self.s_beat.val().data.get_bits::<8>(48)) << 8)
            | bit_cast::<64, 8>(self.s_beat.val().data.get_bits::<8>(56));
        // one of them or none, so that they can be joined by OR
        self.now0.next = 0.into();
        self.now1.next = 0.into();
        self.now2.next = 0.into();
        self.now3.next = 0.into();
        self.rest.next = 0.into();
        if self.first.val() {
            self.now0.next = self.head0.val();
        }
        if self.state.q.val().get_bit(0) {
            self.now1.next = self.head1.val();
        }
        if self.state.q.val().get_bit(1) {
            self.now2.next = self.head2.val();
        }
        if self.state.q.val().get_bit(2) {
            self.now3.next = self.head3.val();
        }
        if self.state.q.val().get_bit(3) {
            self.rest.next = self.s_beat.val().data;
        }
        self.head.next = (self.now0.val() | self.now1.val()) | (self.now2.val() | self.now3.val());
        self.rev.i.next = self.head.val();
        self.o.next = self.s_beat.val();
        self.o.next.data = self.rev.o.val() | self.rest.val();
        if self.heads.val() {
            self.o.next.cnt = 7.into();
            self.o.next.last = false;
            self.o.next.user = false;
        }
        if self.go.val() {
            self.full.d.next = self.ready.val();
            if self.ready.val() {
                self.out.d.next = self.o.val();
                self.state.d.next = self.state.q.val() << 1;
                if self.first.val() {
                    self.state.d.next = 1.into();
                }
                if self.state.q.val().get_bit(3) {
                    self.state.d.next = 8.into();
                }
                if !self.heads.val() & self.s_beat.val().last {
                    self.state.d.next = 0.into();
                }
            }
        }
        self.m_beat.next = self.out.q.val();
        self.m_valid.next = self.full.q.val();
        if self.reset.val() {
            self.state.d.next = 0.into();
            self.full.d.next = false;
        }
    }
}
