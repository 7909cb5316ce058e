//! Network order: byte 0 of the wire becomes the most significant.
use rust_hdl_core::prelude::*;

block! {
    pub struct ByteRev {
        pub i: Signal<In, Bits<64>>,
        pub o: Signal<Out, Bits<64>>,
        t: Signal<Local, Bits<64>>,
        b: Signal<Local, Bits<8>>,
    }
}

impl Logic for ByteRev {
    #[hdl_gen]
    fn update(&mut self) {
        self.t.next = 0.into();
        for k in 0..8 {
            self.b.next = self.i.val().get_bits::<8>(k * 8);
            self.t.next = (self.t.val() << 8) | bit_cast::<64, 8>(self.b.val());
        }
        self.o.next = self.t.val();
    }
}
