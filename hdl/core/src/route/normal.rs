//! Decapsulation: what is left of the link header becomes one of the front network.
use crate::parse::ByteRev;
use crate::stream::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// The first beat of a frame that is decapsulated gets the front port's address, the fourth the frame's own source and the
    /// EtherType of IPv4; the two between go elsewhere.
    pub struct Normal {
        pub clock: Signal<In, Clock>,
        pub s_beat: Signal<In, Beat>,
        pub valid: Signal<In, Bit>,
        /// The beat's number in the frame as it came, up to 3.
        pub k: Signal<In, Bits<2>>,
        /// It is the fourth beat; `k` is 3 for all behind it too.
        pub fourth: Signal<In, Bit>,
        pub decapsulate: Signal<In, Bit>,
        pub front_mac: Signal<In, Bits<48>>,
        pub data: Signal<Out, Bits<64>>,
        rev: ByteRev,
        source: DFF<Bits<32>>,
        c_top: Constant<Bits<64>> = 0xffff_0000_0000_0000u64,
        c_ipv4: Constant<Bits<64>> = 0x0008_0000_0000u64, // 0x0800 in bytes 4 and 5
    }
}

impl Logic for Normal {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, source);
        self.rev.i.next = bit_cast::<64, 48>(self.front_mac.val()) << 16;
        self.data.next = self.s_beat.val().data;
        if self.decapsulate.val() & (self.k.val() == 0) {
            self.data.next = self.rev.o.val() | (self.s_beat.val().data & self.c_top.val());
        } else if self.decapsulate.val() & self.fourth.val() {
            self.data.next = bit_cast::<64, 32>(self.source.q.val())
                | self.c_ipv4.val()
                | (self.s_beat.val().data & self.c_top.val());
        }
        if self.valid.val() & (self.k.val() == 1) {
            self.source.d.next = self.s_beat.val().data.get_bits::<32>(0);
        }
    }
}
