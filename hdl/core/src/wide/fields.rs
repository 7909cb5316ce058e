//! Header fields out of a frame's first two beats (Ethernet, ipOS, IPv4 with options, TCP, UDP).
use super::{Beat, ByteRev};
use crate::parse::Meta;
use ipos_abi::rx::L3;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes a frame without its VLAN tag. `meta_valid` comes four cycles after the second beat, or the first where it is the
    /// last. Outputs named `*1` belong to the beat one cycle ago.
    pub struct Fields {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub fire: Signal<In, Bit>,
        pub beat: Signal<In, Beat>,
        pub has_tag: Signal<In, Bit>,
        pub tci: Signal<In, Bits<16>>,
        pub runt: Signal<In, Bit>,
        pub mac: Signal<In, Bits<48>>,
        pub promiscuous: Signal<In, Bit>,
        pub ethertype: Signal<In, Bits<16>>,
        pub back: Signal<In, Bit>,
        pub meta: Signal<Out, Meta>,
        pub meta_valid: Signal<Out, Bit>,
        /// The five-tuple (`ipos_abi::table`), a cycle before `meta_valid`.
        pub key: Signal<Out, Bits<97>>,
        pub key_valid: Signal<Out, Bit>,
        /// In network order.
        pub data1: Signal<Out, Bits<512>>,
        pub number1: Signal<Out, Bits<11>>,
        pub fire1: Signal<Out, Bit>,
        pub last1: Signal<Out, Bit>,
        /// The beat completed the headers.
        pub done1: Signal<Out, Bit>,
        /// Offset of the IPv4 header, of the transport header, of the end of the packet.
        pub ip1: Signal<Out, Bits<17>>,
        pub transport1: Signal<Out, Bits<17>>,
        pub end1: Signal<Out, Bits<17>>,
        /// End of what an ipOS checksum covers.
        pub cover1: Signal<Out, Bits<17>>,
        /// The addresses, as a mask of the first beat.
        pub addresses1: Signal<Out, Bits<64>>,
        /// Protocol number plus transport length: the pseudo-header without its addresses.
        pub pseudo1: Signal<Out, Bits<32>>,
        rev: ByteRev,
        data: DFF<Bits<512>>,
        number: DFF<Bits<11>>,
        next_number: DFF<Bits<11>>,
        fired: DFF<Bit>,
        ended: DFF<Bit>,
        // 1: the window: both beats, bytes that it has (up to 128), and what the tag said
        w0: DFF<Bits<512>>,
        w1: DFF<Bits<512>>,
        n: DFF<Bits<8>>,
        done: DFF<Bit>,
        tagged1: DFF<Bit>,
        tci1: DFF<Bits<16>>,
        runt1: DFF<Bit>,
        // 2: the link headers judged, the IPv4 packet's first 80 bytes
        packet: DFF<Bits<640>>,
        n2: DFF<Bits<8>>,
        done2: DFF<Bit>,
        link2: DFF<Meta>,
        // 3: ports found
        fixed3: DFF<Bits<160>>,
        ports3: DFF<Bits<64>>,
        flags3: DFF<Bits<8>>,
        n3: DFF<Bits<8>>,
        done3: DFF<Bit>,
        link3: DFF<Meta>,
        // 4
        out: DFF<Meta>,
        out_valid: DFF<Bit>,
        first: Signal<Local, Bit>,
        window: Signal<Local, Bits<1024>>,
        kind: Signal<Local, Bits<16>>,
        itype: Signal<Local, Bits<8>>,
        iproto: Signal<Local, Bits<8>>,
        is_ipos: Signal<Local, Bit>,
        inner: Signal<Local, Bit>,
        dst: Signal<Local, Bits<48>>,
        covered: Signal<Local, Bits<8>>,
        link: Signal<Local, Meta>,
        ihl1: Signal<Local, Bits<4>>,
        total1: Signal<Local, Bits<16>>,
        proto1: Signal<Local, Bits<8>>,
        base1: Signal<Local, Bits<17>>,
        header1: Signal<Local, Bits<17>>,
        ihl2: Signal<Local, Bits<4>>,
        at: Signal<Local, Bits<10>>,
        shifted: Signal<Local, Bits<640>>,
        ihl: Signal<Local, Bits<4>>,
        header: Signal<Local, Bits<16>>,
        total: Signal<Local, Bits<16>>,
        payload: Signal<Local, Bits<16>>,
        need: Signal<Local, Bits<16>>,
        proto: Signal<Local, Bits<8>>,
        tcp: Signal<Local, Bit>,
        udp: Signal<Local, Bit>,
        have: Signal<Local, Bits<16>>,
        m: Signal<Local, Meta>,
        tuple: Signal<Local, Bits<97>>,
        c_ipv4: Constant<Bits<16>> = 0x0800u64,
        c_tcp: Constant<Bits<8>> = 6u64,
        c_udp: Constant<Bits<8>> = 17u64,
        c_truncated: Constant<Bits<3>> = L3::Truncated as u64,
        c_malformed: Constant<Bits<3>> = L3::Malformed as u64,
        c_header: Constant<Bits<8>> = 16u64,
        c_tcp_connection: Constant<Bits<8>> = 162u64,
        c_udp_connection: Constant<Bits<8>> = 22u64,
        c_plain: Constant<Bits<17>> = 14u64,
        c_behind_ipos: Constant<Bits<17>> = 30u64,
        c_addresses: Constant<Bits<64>> = 0x0000_003f_c000_0000u64, // bytes 26 … 33, byte 0 in bit 63
        c_inner_addresses: Constant<Bits<64>> = 0x0000_0000_003f_c000u64, // bytes 42 … 49
        c_max: Constant<Bits<11>> = 0x7ffu64,
    }
}

impl Logic for Fields {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            data,
            number,
            next_number,
            fired,
            ended,
            w0,
            w1,
            n,
            done,
            tagged1,
            tci1,
            runt1,
            packet,
            n2,
            done2,
            link2,
            fixed3,
            ports3,
            flags3,
            n3,
            done3,
            link3,
            out,
            out_valid
        );
        self.rev.i.next = self.beat.val().data;
        self.first.next = self.next_number.q.val() == 0;
        self.data.d.next = self.rev.o.val();
        self.fired.d.next = self.fire.val();
        self.ended.d.next = self.fire.val() & self.beat.val().last;
        self.done.d.next = false;
        if self.fire.val() {
            self.number.d.next = self.next_number.q.val();
            if self.next_number.q.val() != self.c_max.val() {
                self.next_number.d.next = self.next_number.q.val() + 1;
            }
            if self.beat.val().last {
                self.next_number.d.next = 0.into();
            }
            if self.first.val() {
                self.w0.d.next = self.rev.o.val();
                self.w1.d.next = 0.into();
                self.n.d.next = bit_cast::<8, 6>(self.beat.val().cnt) + 1;
                self.tagged1.d.next = self.has_tag.val();
                self.tci1.d.next = self.tci.val();
                self.runt1.d.next = self.runt.val();
                self.done.d.next = self.beat.val().last;
            }
            if self.next_number.q.val() == 1 {
                self.w1.d.next = self.rev.o.val();
                self.n.d.next = bit_cast::<8, 6>(self.beat.val().cnt) + 65;
                self.done.d.next = true;
            }
        }
        self.data1.next = self.data.q.val();
        self.number1.next = self.number.q.val();
        self.fire1.next = self.fired.q.val();
        self.last1.next = self.ended.q.val();
        self.done1.next = self.done.q.val();

        // 1: link headers; byte b of the window is bits 1023 - 8 b down
        self.window.next = (bit_cast::<1024, 512>(self.w0.q.val()) << 512) | bit_cast::<1024, 512>(self.w1.q.val());
        self.dst.next = self.w0.q.val().get_bits::<48>(464);
        self.kind.next = self.w0.q.val().get_bits::<16>(400);
        self.itype.next = self.w0.q.val().get_bits::<8>(296);
        self.iproto.next = self.w0.q.val().get_bits::<8>(288);
        self.is_ipos.next = self.kind.val() == self.ethertype.val();
        self.inner.next = self.back.val() & self.is_ipos.val() & (self.itype.val() == 2);
        self.covered.next = 0.into();
        if (self.itype.val() == 2) | (self.itype.val() == 3) {
            self.covered.next = self.c_header.val();
        }
        if (self.itype.val() == 1) & (self.iproto.val() == 1) {
            self.covered.next = self.c_tcp_connection.val();
        }
        if (self.itype.val() == 1) & (self.iproto.val() == 2) {
            self.covered.next = self.c_udp_connection.val();
        }
        self.link.next.runt = self.runt1.q.val();
        self.link.next.group = self.dst.val().get_bit(40);
        self.link.next.mac_ok =
            self.promiscuous.val() | self.dst.val().get_bit(40) | (self.dst.val() == self.mac.val());
        self.link.next.ipos = self.is_ipos.val();
        self.link.next.ipos_short = self.n.q.val() < 30;
        self.link.next.ipos_type = self.itype.val();
        self.link.next.cover = self.covered.val();
        self.link.next.ipv4 = self.inner.val() | ((self.kind.val() == self.c_ipv4.val()) & !self.is_ipos.val());
        self.link.next.src_mac = self.w0.q.val().get_bits::<48>(416);
        self.link.next.tagged = self.tagged1.q.val();
        self.link.next.tci = 0.into();
        if self.tagged1.q.val() {
            self.link.next.tci = self.tci1.q.val();
        }
        // the rest is judged two cycles later
        self.link.next.early = 0.into();
        self.link.next.small_total = false;
        self.link.next.late = 0.into();
        self.link.next.fragment = false;
        self.link.next.other_protocol = false;
        self.link.next.l4_skip = false;
        self.link.next.udp = false;
        self.link.next.tcp_flags = 0.into();
        self.link.next.stop = 0.into();
        self.link2.d.next = self.link.val();
        self.packet.d.next = self.window.val().get_bits::<640>(272);
        self.n2.d.next = self.n.q.val() - 14;
        if self.inner.val() {
            self.packet.d.next = self.window.val().get_bits::<640>(144);
            self.n2.d.next = self.n.q.val() - 30;
        }
        if self.n.q.val() < 30 {
            if self.inner.val() | (self.n.q.val() < 14) {
                self.n2.d.next = 0.into();
            }
        }
        self.done2.d.next = self.done.q.val();

        // geometry for the sums: all of it lies in the first beat
        self.ihl1.next = self.w0.q.val().get_bits::<4>(392);
        self.total1.next = self.w0.q.val().get_bits::<16>(368);
        self.proto1.next = self.w0.q.val().get_bits::<8>(320);
        self.base1.next = self.c_plain.val();
        self.addresses1.next = 0.into();
        if self.number.q.val() == 0 {
            self.addresses1.next = self.c_addresses.val();
        }
        if self.inner.val() {
            self.ihl1.next = self.w0.q.val().get_bits::<4>(264);
            self.total1.next = self.w0.q.val().get_bits::<16>(240);
            self.proto1.next = self.w0.q.val().get_bits::<8>(192);
            self.base1.next = self.c_behind_ipos.val();
            if self.number.q.val() == 0 {
                self.addresses1.next = self.c_inner_addresses.val();
            }
        }
        self.header1.next = bit_cast::<17, 4>(self.ihl1.val()) << 2;
        self.ip1.next = self.base1.val();
        self.transport1.next = self.base1.val() + self.header1.val();
        self.end1.next = self.base1.val() + bit_cast::<17, 16>(self.total1.val());
        self.cover1.next = self.c_plain.val() + bit_cast::<17, 8>(self.covered.val());
        self.pseudo1.next = bit_cast::<32, 8>(self.proto1.val())
            + (bit_cast::<32, 16>(self.total1.val()) - bit_cast::<32, 17>(self.header1.val()));

        // 2: the first eight transport bytes, and TCP's flags: byte 4 IHL of the packet
        self.ihl2.next = self.packet.q.val().get_bits::<4>(632);
        self.at.next = bit_cast::<10, 4>(self.ihl2.val()) << 5;
        self.shifted.next = self.packet.q.val() << self.at.val();
        self.ports3.d.next = self.shifted.val().get_bits::<64>(576);
        self.flags3.d.next = self.shifted.val().get_bits::<8>(528);
        self.fixed3.d.next = self.packet.q.val().get_bits::<160>(480);
        self.n3.d.next = self.n2.q.val();
        self.link3.d.next = self.link2.q.val();
        self.done3.d.next = self.done2.q.val();

        // 3: the IPv4 and transport headers judged
        self.ihl.next = self.fixed3.q.val().get_bits::<4>(152);
        self.header.next = bit_cast::<16, 4>(self.ihl.val()) << 2;
        self.total.next = self.fixed3.q.val().get_bits::<16>(128);
        self.proto.next = self.fixed3.q.val().get_bits::<8>(80);
        self.tcp.next = self.proto.val() == self.c_tcp.val();
        self.udp.next = self.proto.val() == self.c_udp.val();
        self.need.next = self.header.val() + 8;
        if self.tcp.val() {
            self.need.next = self.header.val() + 20;
        }
        self.payload.next = self.total.val() - self.header.val();
        self.have.next = bit_cast::<16, 8>(self.n3.q.val());
        self.m.next = self.link3.q.val();
        self.m.next.early = 0.into();
        if self.have.val() < 20 {
            self.m.next.early = self.c_truncated.val();
        } else if (self.fixed3.q.val().get_bits::<4>(156) != 4) | (self.ihl.val() < 5) {
            self.m.next.early = self.c_malformed.val();
        } else if self.have.val() < self.header.val() {
            self.m.next.early = self.c_truncated.val();
        }
        self.m.next.small_total = self.total.val() < self.header.val();
        self.m.next.fragment = self.fixed3.q.val().get_bits::<14>(96) != 0;
        self.m.next.other_protocol = !(self.tcp.val() | self.udp.val());
        self.m.next.late = 0.into();
        if (self.tcp.val() | self.udp.val()) & (self.fixed3.q.val().get_bits::<14>(96) == 0) {
            if self.have.val() < self.need.val() {
                self.m.next.late = self.c_truncated.val();
            } else if self.total.val() < self.need.val() {
                self.m.next.late = self.c_malformed.val();
            }
        }
        self.m.next.l4_skip = self.udp.val()
            & ((self.ports3.q.val().get_bits::<16>(0) == 0)
                | (self.ports3.q.val().get_bits::<16>(16) != self.payload.val()));
        self.m.next.udp = self.udp.val();
        self.m.next.tcp_flags = 0.into();
        if self.tcp.val() {
            self.m.next.tcp_flags = self.flags3.q.val();
        }
        self.m.next.stop = bit_cast::<17, 16>(self.total.val()) + 13;
        self.out.d.next = self.m.val();
        self.out_valid.d.next = self.done3.q.val();
        self.meta.next = self.out.q.val();
        self.meta_valid.next = self.out_valid.q.val();
        self.tuple.next = (bit_cast::<97, 32>(self.fixed3.q.val().get_bits::<32>(32)) << 64)
            | (bit_cast::<97, 16>(self.ports3.q.val().get_bits::<16>(48)) << 48)
            | (bit_cast::<97, 32>(self.fixed3.q.val().get_bits::<32>(0)) << 16)
            | bit_cast::<97, 16>(self.ports3.q.val().get_bits::<16>(32));
        if self.udp.val() {
            self.tuple.next = self.tuple.val().replace_bit(96, true);
        }
        self.key.next = self.tuple.val();
        self.key_valid.next = self.done3.q.val();
        if self.reset.val() {
            self.next_number.d.next = 0.into();
            self.fired.d.next = false;
            self.ended.d.next = false;
            self.done.d.next = false;
            self.done2.d.next = false;
            self.done3.d.next = false;
            self.out_valid.d.next = false;
        }
    }
}
