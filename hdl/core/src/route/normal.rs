//! Decapsulation: 16 bytes leave the middle of a frame, and the link header becomes one of the front network.
use crate::parse::ByteRev;
use crate::stream::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Beats 1 and 2 of a frame that is decapsulated vanish; the rest are renumbered. Others pass unchanged.
    pub struct Normal {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub s_beat: Signal<In, Beat>,
        /// The beat is being taken.
        pub fire: Signal<In, Bit>,
        pub decapsulate: Signal<In, Bit>,
        pub front_mac: Signal<In, Bits<48>>,
        pub data: Signal<Out, Bits<64>>,
        pub emit: Signal<Out, Bit>,
        pub first: Signal<Out, Bit>,
        /// Number of the beat in the resulting frame.
        pub number: Signal<Out, Bits<14>>,
        /// Number of the beat as it came.
        pub raw: Signal<Out, Bits<14>>,
        rev: ByteRev,
        k: DFF<Bits<14>>,
        n: DFF<Bits<14>>,
        source: DFF<Bits<32>>,
        c_top: Constant<Bits<64>> = 0xffff_0000_0000_0000u64,
        c_ipv4: Constant<Bits<64>> = 0x0008_0000_0000u64, // 0x0800 in bytes 4 and 5
    }
}

impl Logic for Normal {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, k, n, source);
        self.rev.i.next = bit_cast::<64, 48>(self.front_mac.val()) << 16;
        self.data.next = self.s_beat.val().data;
        self.emit.next = true;
        self.number.next = self.n.q.val();
        if self.decapsulate.val() {
            if self.k.q.val() == 0 {
                self.data.next = self.rev.o.val() | (self.s_beat.val().data & self.c_top.val());
            } else if self.k.q.val() < 3 {
                self.emit.next = false;
            } else {
                if self.k.q.val() == 3 {
                    self.data.next = bit_cast::<64, 32>(self.source.q.val())
                        | self.c_ipv4.val()
                        | (self.s_beat.val().data & self.c_top.val());
                }
            }
        }
        self.first.next = self.k.q.val() == 0;
        self.raw.next = self.k.q.val();
        if self.fire.val() {
            // from 64 KiB on, more than any buffer takes, the number stands: a frame without end has one first beat
            if !self.k.q.val().get_bit(13) {
                self.k.d.next = self.k.q.val() + 1;
                if !self.decapsulate.val() | (self.k.q.val() > 1) {
                    self.n.d.next = self.n.q.val() + 1;
                }
            }
            if self.s_beat.val().last {
                self.k.d.next = 0.into();
                self.n.d.next = 0.into();
            }
            if self.k.q.val() == 1 {
                self.source.d.next = self.s_beat.val().data.get_bits::<32>(0);
            }
        }
        if self.reset.val() {
            self.k.d.next = 0.into();
            self.n.d.next = 0.into();
        }
    }
}
