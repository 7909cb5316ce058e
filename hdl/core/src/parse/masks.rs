//! Which bytes of a word each checksum covers.
use rust_hdl_core::prelude::*;

block! {
    /// Byte masks, bit 7 for the first byte on the wire, from the beat's number and the header's geometry.
    pub struct Masks {
        pub k: Signal<In, Bits<13>>,
        pub v: Signal<In, Bits<13>>,
        pub port_beat: Signal<In, Bits<13>>,
        pub odd: Signal<In, Bit>,
        pub total: Signal<In, Bits<16>>,
        pub covered: Signal<In, Bits<8>>,
        /// IPv4 header: bytes 14 … 14 + 4 IHL.
        pub ip: Signal<Out, Bits<8>>,
        /// Addresses (26 … 34) and transport: 14 + 4 IHL … 14 + total length.
        pub l4: Signal<Out, Bits<8>>,
        /// ipOS: 14 … 14 + covered length.
        pub ipos: Signal<Out, Bits<8>>,
        stop: Signal<Local, Bits<17>>,
        end_beat: Signal<Local, Bits<13>>,
        upto: Signal<Local, Bits<8>>,
        from: Signal<Local, Bits<8>>,
        iend: Signal<Local, Bits<9>>,
        iend_beat: Signal<Local, Bits<13>>,
        options: Signal<Local, Bits<8>>,
        c_all: Constant<Bits<8>> = 0xffu64,
        c_head: Constant<Bits<8>> = 0x03u64, // bytes 14 and 15
    }
}

impl Logic for Masks {
    #[hdl_gen]
    fn update(&mut self) {
        // where the options end and the transport header begins: byte 2 or 6 of its beat
        self.options.next = 0xfc.into();
        if self.odd.val() {
            self.options.next = 0xc0.into();
        }
        self.ip.next = 0.into();
        if self.v.val() == 1 {
            self.ip.next = self.c_head.val();
        } else if (self.v.val() > 1) & (self.v.val() < self.port_beat.val()) {
            self.ip.next = self.c_all.val();
        } else if (self.v.val() > 1) & (self.v.val() == self.port_beat.val()) {
            self.ip.next = self.options.val();
        }

        self.stop.next = bit_cast::<17, 16>(self.total.val()) + 14;
        self.end_beat.next = bit_cast::<13, 14>(self.stop.val().get_bits::<14>(3));
        self.upto.next = 0.into();
        if self.v.val() < self.end_beat.val() {
            self.upto.next = self.c_all.val();
        } else if self.v.val() == self.end_beat.val() {
            self.upto.next = !(self.c_all.val() >> self.stop.val().get_bits::<3>(0));
        }
        self.from.next = 0.into();
        if self.v.val() > self.port_beat.val() {
            self.from.next = self.c_all.val();
        } else if self.v.val() == self.port_beat.val() {
            self.from.next = !self.options.val();
        }
        self.l4.next = 0.into();
        if self.v.val() >= 4 {
            self.l4.next = self.from.val() & self.upto.val();
        }
        if self.v.val() == 3 {
            self.l4.next = 0x3f.into();
        }
        if self.v.val() == 4 {
            self.l4.next = (self.from.val() & self.upto.val()) | 0xc0;
        }

        self.iend.next = bit_cast::<9, 8>(self.covered.val()) + 14;
        self.iend_beat.next = bit_cast::<13, 6>(self.iend.val().get_bits::<6>(3));
        self.ipos.next = 0.into();
        if self.k.val() == 1 {
            self.ipos.next = self.c_head.val();
        } else if (self.k.val() == 2) | ((self.k.val() > 1) & (self.k.val() < self.iend_beat.val())) {
            self.ipos.next = self.c_all.val();
        } else if (self.k.val() > 1) & (self.k.val() == self.iend_beat.val()) {
            self.ipos.next = !(self.c_all.val() >> self.iend.val().get_bits::<3>(0));
        }
    }
}
