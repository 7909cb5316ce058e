//! The encapsulation's 30 bytes, checksum included (source figures 11a, 11b, 11g).
use crate::route::Route;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// A header in network order, three steps after its route: its words summed, summed up, folded.
    pub struct Header {
        pub clock: Signal<In, Clock>,
        pub step: Signal<In, Bit>,
        pub mac: Signal<In, Bits<48>>,
        pub ethertype: Signal<In, Bits<16>>,
        pub route: Signal<In, Route>,
        pub header: Signal<Out, Bits<240>>,
        route1: DFF<Route>,
        route2: DFF<Route>,
        sum_a: DFF<Bits<18>>,
        sum_b: DFF<Bits<18>>,
        sum: DFF<Bits<19>>,
        out: DFF<Bits<240>>,
        kind: Signal<Local, Bits<16>>,
        kind2: Signal<Local, Bits<16>>,
        w_src_hi: Signal<Local, Bits<18>>,
        w_src_lo: Signal<Local, Bits<18>>,
        w_sport: Signal<Local, Bits<18>>,
        w_dst_hi: Signal<Local, Bits<18>>,
        w_dst_lo: Signal<Local, Bits<18>>,
        w_dport: Signal<Local, Bits<18>>,
        w_kind: Signal<Local, Bits<18>>,
        once: Signal<Local, Bits<17>>,
        twice: Signal<Local, Bits<17>>,
        check: Signal<Local, Bits<16>>,
        c_tcp: Constant<Bits<16>> = 0x0201u64, // type 02, protocol 01
        c_udp: Constant<Bits<16>> = 0x0202u64,
        c_low: Constant<Bits<17>> = 0xffffu64,
    }
}

impl Logic for Header {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, route1, route2, sum_a, sum_b, sum, out);
        self.kind.next = self.c_tcp.val();
        if self.route.val().udp {
            self.kind.next = self.c_udp.val();
        }
        self.w_src_hi.next = bit_cast::<18, 16>(self.route.val().src_ip.get_bits::<16>(16));
        self.w_src_lo.next = bit_cast::<18, 16>(self.route.val().src_ip.get_bits::<16>(0));
        self.w_sport.next = bit_cast::<18, 16>(self.route.val().src_port);
        self.w_dst_hi.next = bit_cast::<18, 16>(self.route.val().dst_ip.get_bits::<16>(16));
        self.w_dst_lo.next = bit_cast::<18, 16>(self.route.val().dst_ip.get_bits::<16>(0));
        self.w_dport.next = bit_cast::<18, 16>(self.route.val().dst_port);
        self.w_kind.next = bit_cast::<18, 16>(self.kind.val());
        self.once.next = bit_cast::<17, 16>(self.sum.q.val().get_bits::<16>(0))
            + bit_cast::<17, 3>(self.sum.q.val().get_bits::<3>(16));
        self.twice.next = (self.once.val() & self.c_low.val()) + (self.once.val() >> 16);
        self.check.next = !bit_cast::<16, 17>(self.twice.val());
        self.kind2.next = self.c_tcp.val();
        if self.route2.q.val().udp {
            self.kind2.next = self.c_udp.val();
        }
        if self.step.val() {
            self.route1.d.next = self.route.val();
            self.sum_a.d.next =
                (self.w_src_hi.val() + self.w_src_lo.val()) + (self.w_sport.val() + self.w_dst_hi.val());
            self.sum_b.d.next = (self.w_dst_lo.val() + self.w_dport.val()) + self.w_kind.val();
            self.route2.d.next = self.route1.q.val();
            self.sum.d.next = bit_cast::<19, 18>(self.sum_a.q.val()) + bit_cast::<19, 18>(self.sum_b.q.val());
            self.out.d.next = (bit_cast::<240, 48>(self.route2.q.val().mac) << 192)
                | (bit_cast::<240, 48>(self.mac.val()) << 144)
                | (bit_cast::<240, 16>(self.ethertype.val()) << 128)
                | (bit_cast::<240, 32>(self.route2.q.val().src_ip) << 96)
                | (bit_cast::<240, 16>(self.route2.q.val().src_port) << 80)
                | (bit_cast::<240, 32>(self.route2.q.val().dst_ip) << 48)
                | (bit_cast::<240, 16>(self.route2.q.val().dst_port) << 32)
                | (bit_cast::<240, 16>(self.kind2.val()) << 16)
                | bit_cast::<240, 16>(self.check.val());
        }
        self.header.next = self.out.q.val();
    }
}
