//! Which bytes of a word each checksum covers.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Byte masks, bit 7 for the first byte on the wire, from the beat's number and the header's geometry: one cycle.
    pub struct Masks {
        pub clock: Signal<In, Clock>,
        pub k: Signal<In, Bits<5>>,
        pub v: Signal<In, Bits<4>>,
        /// `v` without an upper limit.
        pub number: Signal<In, Bits<13>>,
        /// The beat lies before that of the first transport byte, or is it.
        pub head: Signal<In, Bit>,
        pub port: Signal<In, Bit>,
        pub odd: Signal<In, Bit>,
        /// Where the packet's last byte stands: known for a cycle when its beat 4 comes.
        pub last: Signal<In, Bits<17>>,
        pub covered: Signal<In, Bits<8>>,
        /// IPv4 header: bytes 14 … 14 + 4 IHL.
        pub ip: Signal<Out, Bits<8>>,
        /// Addresses (26 … 34) and transport: 14 + 4 IHL … 14 + total length.
        pub l4: Signal<Out, Bits<8>>,
        /// ipOS: 14 … 14 + covered length.
        pub ipos: Signal<Out, Bits<8>>,
        iend: DFF<Bits<9>>,
        // how the beat lies to each border
        k1: DFF<Bits<5>>,
        one1: DFF<Bit>,
        three1: DFF<Bit>,
        four1: DFF<Bit>,
        late1: DFF<Bit>,
        head1: DFF<Bit>,
        port1: DFF<Bit>,
        body1: DFF<Bit>,
        inside1: DFF<Bit>,
        end1: DFF<Bit>,
        pos1: DFF<Bits<3>>,
        odd1: DFF<Bit>,
        end_beat: Signal<Local, Bits<13>>,
        upto: Signal<Local, Bits<8>>,
        from: Signal<Local, Bits<8>>,
        iend_beat: Signal<Local, Bits<5>>,
        options: Signal<Local, Bits<8>>,
        c_all: Constant<Bits<8>> = 0xffu64,
        c_rest: Constant<Bits<8>> = 0x7fu64, // behind the first byte
        c_head: Constant<Bits<8>> = 0x03u64, // bytes 14 and 15
    }
}

impl Logic for Masks {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, iend, k1, one1, three1, four1, late1, head1, port1, body1, inside1, end1, pos1, odd1);
        self.iend.d.next = bit_cast::<9, 8>(self.covered.val()) + 14;

        self.end_beat.next = bit_cast::<13, 14>(self.last.val().get_bits::<14>(3));
        self.k1.d.next = self.k.val();
        self.one1.d.next = self.v.val() == 1;
        self.three1.d.next = self.v.val() == 3;
        self.four1.d.next = self.v.val() == 4;
        self.late1.d.next = self.v.val() >= 4;
        self.head1.d.next = (self.v.val() > 1) & self.head.val();
        self.port1.d.next = (self.v.val() > 1) & self.port.val();
        self.body1.d.next = !self.head.val() & !self.port.val();
        self.inside1.d.next = self.number.val() < self.end_beat.val();
        self.end1.d.next = self.number.val() == self.end_beat.val();
        self.pos1.d.next = self.last.val().get_bits::<3>(0);
        self.odd1.d.next = self.odd.val();

        // where the options end and the transport header begins: byte 2 or 6 of its beat
        self.options.next = 0xfc.into();
        if self.odd1.q.val() {
            self.options.next = 0xc0.into();
        }
        self.ip.next = 0.into();
        if self.one1.q.val() {
            self.ip.next = self.c_head.val();
        } else if self.head1.q.val() {
            self.ip.next = self.c_all.val();
        } else if self.port1.q.val() {
            self.ip.next = self.options.val();
        }
        self.upto.next = 0.into();
        if self.inside1.q.val() {
            self.upto.next = self.c_all.val();
        } else if self.end1.q.val() {
            self.upto.next = !(self.c_rest.val() >> self.pos1.q.val());
        }
        self.from.next = 0.into();
        if self.body1.q.val() {
            self.from.next = self.c_all.val();
        } else if self.port1.q.val() {
            self.from.next = !self.options.val();
        }
        self.l4.next = 0.into();
        if self.late1.q.val() {
            self.l4.next = self.from.val() & self.upto.val();
        }
        if self.three1.q.val() {
            self.l4.next = 0x3f.into();
        }
        if self.four1.q.val() {
            self.l4.next = (self.from.val() & self.upto.val()) | 0xc0;
        }

        // the covered length is known one cycle after beat 3
        self.iend_beat.next = bit_cast::<5, 6>(self.iend.q.val().get_bits::<6>(3));
        self.ipos.next = 0.into();
        if self.k1.q.val() == 1 {
            self.ipos.next = self.c_head.val();
        } else if (self.k1.q.val() == 2) | ((self.k1.q.val() > 1) & (self.k1.q.val() < self.iend_beat.val())) {
            self.ipos.next = self.c_all.val();
        } else if (self.k1.q.val() > 1) & (self.k1.q.val() == self.iend_beat.val()) {
            self.ipos.next = !(self.c_all.val() >> self.iend.q.val().get_bits::<3>(0));
        }
    }
}
