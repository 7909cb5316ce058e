//! Captures header fields as the beats pass (Ethernet, ipOS, IPv4 with options, TCP, UDP).
//!
//! Beats are numbered twice: `k` from the frame's start, and `v` as if an ipOS frame's 16 header bytes were
//! not there. 16 bytes are two beats, so IPv4 always begins at byte 14 of the `v` numbering. Headers are short: `k` and `v`
//! stand at their greatest value from there on.
use super::Meta;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `fire` marks a beat that is being taken. Outputs named `*1` belong to the beat one cycle ago;
    /// `meta_valid` comes two cycles after the beat that completes the headers (or is the last).
    pub struct Fields {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub fire: Signal<In, Bit>,
        /// In network order.
        pub be: Signal<In, Bits<64>>,
        pub cnt: Signal<In, Bits<3>>,
        pub last: Signal<In, Bit>,
        pub has_tag: Signal<In, Bit>,
        pub tci: Signal<In, Bits<16>>,
        pub runt: Signal<In, Bit>,
        pub mac: Signal<In, Bits<48>>,
        pub promiscuous: Signal<In, Bit>,
        pub ethertype: Signal<In, Bits<16>>,
        /// Read ipOS headers (the back port).
        pub back: Signal<In, Bit>,
        pub meta: Signal<Out, Meta>,
        pub meta_valid: Signal<Out, Bit>,
        /// The five-tuple (`ipos_abi::table`), with `done1`: a cycle before `meta_valid`.
        pub key: Signal<Out, Bits<97>>,
        pub done1: Signal<Out, Bit>,
        pub k1: Signal<Out, Bits<5>>,
        pub v1: Signal<Out, Bits<4>>,
        /// `v` without an upper limit.
        pub long1: Signal<Out, Bits<13>>,
        /// From `v` 2 on: the beat lies before that of the first transport byte, or is it; that is its byte 2 (odd IHL) or
        /// 6.
        pub head1: Signal<Out, Bit>,
        pub port1: Signal<Out, Bit>,
        pub odd: Signal<Out, Bit>,
        /// Where the packet's last byte stands: 13 + total length, a cycle after the total has come.
        pub upto: Signal<Out, Bits<17>>,
        pub cover1: Signal<Out, Bits<8>>,
        /// Protocol number plus transport length: the pseudo-header without its addresses.
        pub pseudo: Signal<Out, Bits<17>>,
        k: DFF<Bits<5>>,
        v: DFF<Bits<4>>,
        long: DFF<Bits<13>>,
        pb: DFF<Bits<4>>, // beat of the first transport byte in the `v` numbering
        stop: DFF<Bits<4>>,
        end_pos: DFF<Bits<3>>,
        sent: DFF<Bit>,
        done: DFF<Bit>,
        kd: DFF<Bits<5>>,
        vd: DFF<Bits<4>>,
        longd: DFF<Bits<13>>,
        headd: DFF<Bit>,
        portd: DFF<Bit>,
        // the beat before was that of the first transport byte, or the one before that
        after1: DFF<Bit>,
        after2: DFF<Bit>,
        dst: DFF<Bits<48>>,
        src_hi: DFF<Bits<16>>,
        src_lo: DFF<Bits<32>>,
        ipos: DFF<Bit>,
        deep: DFF<Bit>,
        itype: DFF<Bits<8>>,
        iproto: DFF<Bits<8>>,
        version: DFF<Bits<4>>,
        ihl: DFF<Bits<4>>,
        total: DFF<Bits<16>>,
        frag: DFF<Bits<16>>,
        proto: DFF<Bits<8>>,
        sip: DFF<Bits<32>>,
        dip_hi: DFF<Bits<16>>,
        dip_lo: DFF<Bits<16>>,
        sport: DFF<Bits<16>>,
        dport: DFF<Bits<16>>,
        ulen: DFF<Bits<16>>,
        usum: DFF<Bits<16>>,
        flags: DFF<Bits<8>>,
        cut_ipos: DFF<Bit>,
        cut_ip: DFF<Bit>,
        cut_options: DFF<Bit>,
        cut_l4: DFF<Bit>,
        was_runt: DFF<Bit>,
        was_tagged: DFF<Bit>,
        was_tci: DFF<Bits<16>>,
        out: DFF<Meta>,
        out_valid: DFF<Bit>,
        // what follows from the fields, a cycle behind them
        mac_same: DFF<Bit>,
        // transport bytes, negative where the packet ends before its header does
        left: DFF<Bits<17>>,
        until: DFF<Bits<17>>, // the packet's last byte
        l4: DFF<Bit>,
        malformed: DFF<Bit>,
        port_pos: Signal<Local, Bits<3>>,
        head: Signal<Local, Bit>,
        port: Signal<Local, Bit>,
        more: Signal<Local, Bits<4>>,
        // source and destination port, UDP length and checksum, TCP flags
        s: Signal<Local, Bits<16>>,
        d: Signal<Local, Bits<16>>,
        u: Signal<Local, Bits<16>>,
        c: Signal<Local, Bits<16>>,
        f: Signal<Local, Bits<8>>,
        tcp: Signal<Local, Bit>,
        udp: Signal<Local, Bit>,
        enough: Signal<Local, Bit>,
        finish: Signal<Local, Bit>,
        header: Signal<Local, Bits<17>>,
        brief: Signal<Local, Bit>,
        covered: Signal<Local, Bits<8>>,
        again: Signal<Local, Bit>,
        is_ipos: Signal<Local, Bit>,
        m: Signal<Local, Meta>,
        tuple: Signal<Local, Bits<97>>,
        c_ipv4: Constant<Bits<16>> = 0x0800u64,
        c_tcp: Constant<Bits<8>> = 6u64,
        c_udp: Constant<Bits<8>> = 17u64,
        c_truncated: Constant<Bits<3>> = ipos_abi::rx::L3::Truncated as u64,
        c_malformed: Constant<Bits<3>> = ipos_abi::rx::L3::Malformed as u64,
        // bytes after offset 14 of the packets whose checksum covers a fixed length
        c_header: Constant<Bits<8>> = 16u64,
        c_tcp_connection: Constant<Bits<8>> = 162u64,
        c_udp_connection: Constant<Bits<8>> = 22u64,
        c_k: Constant<Bits<5>> = 0x1fu64,
        c_v: Constant<Bits<4>> = 0xfu64,
        c_long: Constant<Bits<13>> = 0x1fffu64,
    }
}

impl Logic for Fields {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            k,
            v,
            long,
            pb,
            stop,
            end_pos,
            sent,
            done,
            kd,
            vd,
            longd,
            headd,
            portd,
            after1,
            after2,
            mac_same,
            left,
            until,
            l4,
            malformed,
            dst,
            src_hi,
            src_lo,
            ipos,
            deep,
            itype,
            iproto,
            version,
            ihl,
            total,
            frag,
            proto,
            sip,
            dip_hi,
            dip_lo,
            sport,
            dport,
            ulen,
            usum,
            flags,
            cut_ipos,
            cut_ip,
            cut_options,
            cut_l4,
            was_runt,
            was_tagged,
            was_tci,
            out,
            out_valid
        );
        self.head.next = self.v.q.val() < self.pb.q.val();
        self.port.next = self.v.q.val() == self.pb.q.val();
        self.tcp.next = self.proto.q.val() == self.c_tcp.val();
        self.udp.next = self.proto.q.val() == self.c_udp.val();
        self.port_pos.next = 6.into();
        if self.ihl.q.val().get_bit(0) {
            self.port_pos.next = 2.into();
        }
        // its last byte: 20 bytes of TCP, 8 of UDP
        self.more.next = 1.into();
        self.end_pos.d.next = 5.into();
        if self.ihl.q.val().get_bit(0) {
            self.end_pos.d.next = 1.into();
        }
        if self.tcp.val() {
            self.more.next = 3.into();
            self.end_pos.d.next = 1.into();
            if self.ihl.q.val().get_bit(0) {
                self.more.next = 2.into();
                self.end_pos.d.next = 5.into();
            }
        }
        self.stop.d.next = self.pb.q.val() + self.more.val();
        // The transport header, where an odd or an even IHL puts it; which beat it is in is asked apart, so that it enables
        // the registers and takes no LUT.
        self.s.next = self.be.val().get_bits::<16>(0);
        self.d.next = self.be.val().get_bits::<16>(48);
        self.u.next = self.be.val().get_bits::<16>(32);
        self.c.next = self.be.val().get_bits::<16>(16);
        self.f.next = self.be.val().get_bits::<8>(32);
        if self.ihl.q.val().get_bit(0) {
            self.s.next = self.be.val().get_bits::<16>(32);
            self.d.next = self.be.val().get_bits::<16>(16);
            self.u.next = self.be.val().get_bits::<16>(0);
            self.c.next = self.be.val().get_bits::<16>(48);
            self.f.next = self.be.val().get_bits::<8>(0);
        }
        // The beat behind those that hold an ipOS header: `v` is zero again. What else looks at `v` in this cycle finds a 2, and
        // writes fields that are written again before anybody asks for them.
        self.again.next = (self.k.q.val() == 2) & self.ipos.q.val();
        self.is_ipos.next = self.be.val().get_bits::<16>(16) == self.ethertype.val();
        // 6 or more
        self.enough.next = (self.k.q.val().get_bits::<2>(3) != 0) | (self.k.q.val().get_bits::<2>(1) == 3);
        if self.deep.q.val() {
            self.enough.next = (self.v.q.val() >= 4) & (self.v.q.val() >= self.stop.q.val());
        }
        self.finish.next = self.fire.val() & !self.sent.q.val() & (self.last.val() | self.enough.val());
        self.done.d.next = self.finish.val();

        if self.fire.val() {
            self.kd.d.next = self.k.q.val();
            self.vd.d.next = self.v.q.val();
            self.longd.d.next = self.long.q.val();
            if self.again.val() {
                self.vd.d.next = 0.into();
                self.longd.d.next = 0.into();
            }
            self.headd.d.next = self.head.val();
            self.portd.d.next = self.port.val();
            self.sent.d.next = (self.sent.q.val() | self.finish.val()) & !self.last.val();
            if self.k.q.val() == 0 {
                self.dst.d.next = self.be.val().get_bits::<48>(16);
                self.src_hi.d.next = self.be.val().get_bits::<16>(0);
                self.ipos.d.next = false;
                self.deep.d.next = false;
            }
            if self.k.q.val() == 1 {
                self.src_lo.d.next = self.be.val().get_bits::<32>(32);
                self.ipos.d.next = self.is_ipos.val();
                self.deep.d.next = self.be.val().get_bits::<16>(16) == self.c_ipv4.val();
            }
            if (self.k.q.val() == 3) & self.ipos.q.val() {
                self.itype.d.next = self.be.val().get_bits::<8>(40);
                self.iproto.d.next = self.be.val().get_bits::<8>(32);
                self.deep.d.next = self.back.val() & (self.be.val().get_bits::<8>(40) == 2);
            }
            if self.v.q.val() == 1 {
                self.version.d.next = self.be.val().get_bits::<4>(12);
                self.ihl.d.next = self.be.val().get_bits::<4>(8);
                self.pb.d.next = bit_cast::<4, 5>((bit_cast::<5, 4>(self.be.val().get_bits::<4>(8)) + 3) >> 1);
            }
            if self.v.q.val() == 2 {
                self.total.d.next = self.be.val().get_bits::<16>(48);
                self.frag.d.next = self.be.val().get_bits::<16>(16);
                self.proto.d.next = self.be.val().get_bits::<8>(0);
            }
            if self.v.q.val() == 3 {
                self.sip.d.next = self.be.val().get_bits::<32>(16);
                self.dip_hi.d.next = self.be.val().get_bits::<16>(0);
            }
            if self.v.q.val() == 4 {
                self.dip_lo.d.next = self.be.val().get_bits::<16>(48);
            }
            self.after1.d.next = self.port.val() & !self.last.val();
            self.after2.d.next = self.after1.q.val() & !self.last.val();
            if self.port.val() {
                self.sport.d.next = self.s.val();
            }
            if (self.port.val() & self.ihl.q.val().get_bit(0)) | (self.after1.q.val() & !self.ihl.q.val().get_bit(0)) {
                self.dport.d.next = self.d.val();
                self.ulen.d.next = self.u.val();
            }
            if self.after1.q.val() {
                self.usum.d.next = self.c.val();
            }
            if (self.after1.q.val() & self.ihl.q.val().get_bit(0))
                | (self.after2.q.val() & !self.ihl.q.val().get_bit(0))
            {
                self.flags.d.next = self.f.val();
            }
            // where the frame ends, if it ends here
            self.cut_ipos.d.next =
                self.last.val() & ((self.k.q.val() < 3) | ((self.k.q.val() == 3) & (self.cnt.val() < 5)));
            self.cut_ip.d.next =
                self.last.val() & ((self.v.q.val() < 4) | ((self.v.q.val() == 4) & (self.cnt.val() < 1)));
            self.cut_options.d.next =
                self.last.val() & (self.head.val() | (self.port.val() & (self.cnt.val() < (self.port_pos.val() - 1))));
            self.cut_l4.d.next = self.last.val()
                & ((self.v.q.val() < self.stop.q.val())
                    | ((self.v.q.val() == self.stop.q.val()) & (self.cnt.val() < self.end_pos.q.val())));
            self.was_runt.d.next = self.runt.val() & self.last.val();
            self.was_tagged.d.next = self.has_tag.val();
            self.was_tci.d.next = self.tci.val();
        }

        // the counters: to restart is asked last, so that it resets the registers and takes no LUT
        if self.fire.val() & (self.k.q.val() != self.c_k.val()) {
            self.k.d.next = self.k.q.val() + 1;
        }
        if self.fire.val() & (self.v.q.val() != self.c_v.val()) {
            self.v.d.next = self.v.q.val() + 1;
        }
        if self.fire.val() & (self.long.q.val() != self.c_long.val()) {
            self.long.d.next = self.long.q.val() + 1;
        }
        if self.fire.val() & self.again.val() {
            self.v.d.next = 1.into();
            self.long.d.next = 1.into();
        }
        if self.fire.val() & self.last.val() {
            self.v.d.next = 0.into();
            self.long.d.next = 0.into();
            self.k.d.next = 0.into();
        }

        // One cycle later all fields stand in their registers. Those of beat 3 and before have stood longer in a frame that
        // reaches beat 4, so what follows from them stands too; in a shorter one nobody asks for it.
        self.mac_same.d.next = self.dst.q.val() == self.mac.val();
        self.header.next = bit_cast::<17, 4>(self.ihl.q.val()) << 2;
        self.left.d.next = bit_cast::<17, 16>(self.total.q.val()) - self.header.val();
        self.brief.next = self.left.q.val().get_bit(16);
        // TCP needs 20 bytes, UDP 8
        self.malformed.d.next = self.brief.val()
            | ((self.left.q.val().get_bits::<11>(5) == 0)
                & ((self.left.q.val().get_bits::<2>(3) == 0)
                    | (self.tcp.val() & (!self.left.q.val().get_bit(4) | (self.left.q.val().get_bits::<2>(2) == 0)))));
        self.until.d.next = bit_cast::<17, 16>(self.total.q.val()) + 13;
        self.l4.d.next = (self.frag.q.val().get_bits::<14>(0) == 0) & (self.tcp.val() | self.udp.val());
        self.covered.next = 0.into();
        if (self.itype.q.val() == 2) | (self.itype.q.val() == 3) {
            self.covered.next = self.c_header.val();
        }
        if (self.itype.q.val() == 1) & (self.iproto.q.val() == 1) {
            self.covered.next = self.c_tcp_connection.val();
        }
        if (self.itype.q.val() == 1) & (self.iproto.q.val() == 2) {
            self.covered.next = self.c_udp_connection.val();
        }
        self.m.next.runt = self.was_runt.q.val();
        self.m.next.group = self.dst.q.val().get_bit(40);
        self.m.next.mac_ok = self.promiscuous.val() | self.dst.q.val().get_bit(40) | self.mac_same.q.val();
        self.m.next.ipos = self.ipos.q.val();
        self.m.next.ipos_short = self.cut_ipos.q.val();
        self.m.next.ipos_type = self.itype.q.val();
        self.m.next.cover = self.covered.val();
        self.m.next.ipv4 = self.deep.q.val();
        self.m.next.early = 0.into();
        if self.cut_ip.q.val() {
            self.m.next.early = self.c_truncated.val();
        } else if (self.version.q.val() != 4) | (self.ihl.q.val() < 5) {
            self.m.next.early = self.c_malformed.val();
        } else if self.cut_options.q.val() {
            self.m.next.early = self.c_truncated.val();
        }
        self.m.next.small_total = self.brief.val();
        self.m.next.late = 0.into();
        if self.l4.q.val() {
            if self.cut_l4.q.val() {
                self.m.next.late = self.c_truncated.val();
            } else if self.malformed.q.val() {
                self.m.next.late = self.c_malformed.val();
            }
        }
        self.m.next.fragment = self.frag.q.val().get_bits::<14>(0) != 0;
        self.m.next.other_protocol = !(self.tcp.val() | self.udp.val());
        self.m.next.l4_skip =
            self.udp.val() & ((self.usum.q.val() == 0) | (self.ulen.q.val() != self.left.q.val().get_bits::<16>(0)));
        self.m.next.udp = self.udp.val();
        self.m.next.tcp_flags = 0.into();
        if self.tcp.val() {
            self.m.next.tcp_flags = self.flags.q.val();
        }
        self.m.next.stop = self.until.q.val();
        self.m.next.src_mac = (bit_cast::<48, 16>(self.src_hi.q.val()) << 32) | bit_cast::<48, 32>(self.src_lo.q.val());
        self.m.next.tagged = self.was_tagged.q.val();
        self.m.next.tci = self.was_tci.q.val();
        if !self.was_tagged.q.val() {
            self.m.next.tci = 0.into();
        }
        self.out.d.next = self.m.val();
        self.out_valid.d.next = self.done.q.val();
        self.meta.next = self.out.q.val();
        self.meta_valid.next = self.out_valid.q.val();

        self.tuple.next = (bit_cast::<97, 32>(self.sip.q.val()) << 64)
            | (bit_cast::<97, 16>(self.sport.q.val()) << 48)
            | (bit_cast::<97, 16>(self.dip_hi.q.val()) << 32)
            | (bit_cast::<97, 16>(self.dip_lo.q.val()) << 16)
            | bit_cast::<97, 16>(self.dport.q.val());
        if self.udp.val() {
            self.tuple.next = self.tuple.val().replace_bit(96, true);
        }
        self.key.next = self.tuple.val();
        self.done1.next = self.done.q.val();
        self.k1.next = self.kd.q.val();
        self.v1.next = self.vd.q.val();
        self.head1.next = self.headd.q.val();
        self.port1.next = self.portd.q.val();
        self.odd.next = self.ihl.q.val().get_bit(0);
        self.upto.next = self.until.q.val();
        self.cover1.next = self.covered.val();
        self.long1.next = self.longd.q.val();
        self.pseudo.next =
            bit_cast::<17, 8>(self.proto.q.val()) + bit_cast::<17, 16>(self.left.q.val().get_bits::<16>(0));
        if self.reset.val() {
            self.k.d.next = 0.into();
            self.v.d.next = 0.into();
            self.long.d.next = 0.into();
            self.sent.d.next = false;
            self.done.d.next = false;
            self.out_valid.d.next = false;
        }
    }
}
