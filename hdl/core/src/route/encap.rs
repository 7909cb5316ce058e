//! Encapsulation: Ethernet and ipOS header in front of the IP packet (source figures 11a, 11b, 11g).
use super::Route;
use crate::parse::ByteRev;
use crate::stream::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes frames from their second beat on (bytes 8 …, the packet from byte 14). The new header is 30 bytes for 14,
    /// two beats more, so no byte changes its lane: three header beats, then the input with six bytes replaced.
    /// A frame costs its output beats.
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
        rev: ByteRev,
        state: DFF<Bits<3>>, // 0 to 2: header beats; 3: the mixed beat; 4: the rest
        out: DFF<Beat>,
        full: DFF<Bit>,
        // checksum, an adder tree over three cycles: the header beats give it the time
        sum_a: DFF<Bits<18>>,
        sum_b: DFF<Bits<18>>,
        sum: DFF<Bits<19>>,
        check: DFF<Bits<16>>,
        go: Signal<Local, Bit>,
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
        c_top: Constant<Bits<64>> = 0xffff_0000_0000_0000u64,
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
        self.s_ready.next = self.go.val() & (self.state.q.val() >= 3);
        // in network order
        match self.state.q.val().index() {
            0 => {
                self.head.next = (bit_cast::<64, 48>(self.s_route.val().mac) << 16)
                    | bit_cast::<64, 16>(self.mac.val().get_bits::<16>(32));
            }
            1 => {
                self.head.next = (bit_cast::<64, 32>(self.mac.val().get_bits::<32>(0)) << 32)
                    | (bit_cast::<64, 16>(self.ethertype.val()) << 16)
                    | bit_cast::<64, 16>(self.s_route.val().src_ip.get_bits::<16>(16));
            }
            2 => {
                self.head.next = (bit_cast::<64, 16>(self.s_route.val().src_ip.get_bits::<16>(0)) << 48)
                    | (bit_cast::<64, 16>(self.s_route.val().src_port) << 32)
                    | bit_cast::<64, 32>(self.s_route.val().dst_ip);
            }
            _ => {
                self.head.next = (bit_cast::<64, 16>(self.s_route.val().dst_port) << 48)
                    | (bit_cast::<64, 16>(self.protocol.val()) << 32)
                    | (bit_cast::<64, 16>(self.check.q.val()) << 16);
            }
        }
        self.rev.i.next = self.head.val();
        self.o.next = self.s_beat.val();
        if self.state.q.val() < 3 {
            self.o.next.data = self.rev.o.val();
            self.o.next.cnt = 7.into();
            self.o.next.last = false;
            self.o.next.user = false;
        } else if self.state.q.val() == 3 {
            self.o.next.data = self.rev.o.val() | (self.s_beat.val().data & self.c_top.val());
        }
        if self.go.val() {
            self.full.d.next = self.s_valid.val();
            if self.s_valid.val() {
                self.out.d.next = self.o.val();
                if self.state.q.val() < 4 {
                    self.state.d.next = self.state.q.val() + 1;
                }
                if (self.state.q.val() >= 3) & self.s_beat.val().last {
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
