//! Verifies a frame's checksums as its beats pass: IPv4 header, ipOS, TCP or UDP.
use super::{Fold, LaneSum, Masks};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Inputs belong to a beat of which `Fields` tells a cycle after it was taken. One cycle makes the masks, four the
    /// sums, two or three the verdicts: `head_done` comes seven cycles after `done`, `tail_done` eight after `last`.
    pub struct Verify {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub valid: Signal<In, Bit>,
        /// In network order.
        pub data: Signal<In, Bits<64>>,
        /// The headers are complete.
        pub done: Signal<In, Bit>,
        pub last: Signal<In, Bit>,
        pub k: Signal<In, Bits<5>>,
        pub v: Signal<In, Bits<4>>,
        /// `v` without an upper limit.
        pub number: Signal<In, Bits<13>>,
        /// The beat lies before that of the first transport byte, or is it.
        pub head: Signal<In, Bit>,
        pub port: Signal<In, Bit>,
        pub odd: Signal<In, Bit>,
        pub upto: Signal<In, Bits<17>>,
        pub covered: Signal<In, Bits<8>>,
        /// There are ipOS headers.
        pub back: Signal<In, Bit>,
        pub pseudo: Signal<In, Bits<17>>,
        pub ip_ok: Signal<Out, Bit>,
        pub ipos_ok: Signal<Out, Bit>,
        pub head_done: Signal<Out, Bit>,
        pub l4_ok: Signal<Out, Bit>,
        pub cover_ok: Signal<Out, Bit>,
        pub tail_done: Signal<Out, Bit>,
        masks: Masks,
        // 8, 8,192 and 24 beats at most
        ip_sum: LaneSum<21>,
        l4_sum: LaneSum<32>,
        ipos_sum: LaneSum<23>,
        ip_fold: Fold,
        l4_fold: Fold,
        ipos_fold: Fold,
        data1: DFF<Bits<64>>,
        valid1: DFF<Bit>,
        start1: DFF<Bit>,
        again1: DFF<Bit>,
        pseudo1: DFF<Bits<17>>,
        pseudo2: DFF<Bits<17>>,
        pseudo3: DFF<Bits<17>>,
        pseudo4: DFF<Bits<17>>,
        pseudo5: DFF<Bits<17>>,
        l4_total: DFF<Bits<32>>,
        ipos_ok8: DFF<Bit>,
        // one bit a cycle since the event
        dones: DFF<Bits<8>>,
        lasts: DFF<Bits<8>>,
    }
}

impl Logic for Verify {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, data1, valid1, start1, again1, pseudo1, pseudo2, pseudo3, pseudo4, pseudo5, l4_total,
            ipos_ok8, dones, lasts
        );
        clock!(self, clock, masks, ip_sum, l4_sum, ipos_sum, ip_fold, l4_fold, ipos_fold);
        self.masks.k.next = self.k.val();
        self.masks.v.next = self.v.val();
        self.masks.number.next = self.number.val();
        self.masks.head.next = self.head.val();
        self.masks.port.next = self.port.val();
        self.masks.odd.next = self.odd.val();
        self.masks.last.next = self.upto.val();
        self.masks.covered.next = self.covered.val();

        self.data1.d.next = self.data.val();
        self.valid1.d.next = self.valid.val();
        self.start1.d.next = self.k.val() == 0;
        // beat 1 of an ipOS frame looked like the header's first: begin again at the inner one
        self.again1.d.next = (self.k.val() == 0) | (self.v.val() == 1);
        self.ip_sum.valid.next = self.valid1.q.val();
        self.ip_sum.first.next = self.again1.q.val();
        self.ip_sum.data.next = self.data1.q.val();
        self.ip_sum.mask.next = self.masks.ip.val();
        self.l4_sum.valid.next = self.valid1.q.val();
        self.l4_sum.first.next = self.start1.q.val();
        self.l4_sum.data.next = self.data1.q.val();
        self.l4_sum.mask.next = self.masks.l4.val();
        self.ipos_sum.valid.next = self.valid1.q.val() & self.back.val();
        self.ipos_sum.first.next = self.start1.q.val();
        self.ipos_sum.data.next = self.data1.q.val();
        self.ipos_sum.mask.next = self.masks.ipos.val();

        self.pseudo1.d.next = self.pseudo.val();
        self.pseudo2.d.next = self.pseudo1.q.val();
        self.pseudo3.d.next = self.pseudo2.q.val();
        self.pseudo4.d.next = self.pseudo3.q.val();
        self.pseudo5.d.next = self.pseudo4.q.val();
        self.l4_total.d.next = self.l4_sum.sum.val() + bit_cast::<32, 17>(self.pseudo5.q.val());
        self.l4_fold.sum.next = self.l4_total.q.val();
        self.ip_fold.sum.next = bit_cast::<32, 21>(self.ip_sum.sum.val());
        self.ipos_fold.sum.next = bit_cast::<32, 23>(self.ipos_sum.sum.val());
        self.ipos_ok8.d.next = self.ipos_fold.valid.val();
        self.dones.d.next = self.dones.q.val() << 1;
        if self.done.val() {
            self.dones.d.next = (self.dones.q.val() << 1) | 1;
        }
        self.lasts.d.next = self.lasts.q.val() << 1;
        if self.last.val() {
            self.lasts.d.next = (self.lasts.q.val() << 1) | 1;
        }
        self.ip_ok.next = self.ip_fold.valid.val();
        self.ipos_ok.next = self.ipos_fold.valid.val();
        self.head_done.next = self.dones.q.val().get_bit(6);
        self.l4_ok.next = self.l4_fold.valid.val();
        self.cover_ok.next = self.ipos_ok8.q.val();
        self.tail_done.next = self.lasts.q.val().get_bit(7);
        if self.reset.val() {
            self.valid1.d.next = false;
            self.dones.d.next = 0.into();
            self.lasts.d.next = 0.into();
        }
    }
}
