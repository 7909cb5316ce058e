//! A port's receive side: from the MAC to three queues in step, one entry a frame: what its headers say,
//! whether its header checksums hold, whether its whole-frame checksums hold; and its beats.
use super::{ByteRev, Fields, Fold, LaneSum, Masks, Meta, Vlan};
use crate::stream::{Beat, Fifo};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes a beat each cycle; `s_ready` falls only for runts at a rate that no MAC delivers.
    pub struct Rx {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub s_beat: Signal<In, Beat>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        pub mac: Signal<In, Bits<48>>,
        pub promiscuous: Signal<In, Bit>,
        pub ethertype: Signal<In, Bits<16>>,
        pub back: Signal<In, Bit>,
        /// Headers: valid with `head_valid`, both taken by `head_read`.
        pub meta: Signal<Out, Meta>,
        pub ip_ok: Signal<Out, Bit>,
        pub ipos_ok: Signal<Out, Bit>,
        pub head_valid: Signal<Out, Bit>,
        pub head_read: Signal<In, Bit>,
        /// End of frame.
        pub l4_ok: Signal<Out, Bit>,
        pub cover_ok: Signal<Out, Bit>,
        pub tail_valid: Signal<Out, Bit>,
        pub tail_read: Signal<In, Bit>,
        /// The frame without its VLAN tag.
        pub beat: Signal<Out, Beat>,
        pub beat_valid: Signal<Out, Bit>,
        pub beat_read: Signal<In, Bit>,
        vlan: Vlan,
        rev: ByteRev,
        fields: Fields,
        masks: Masks,
        ip_sum: LaneSum,
        l4_sum: LaneSum,
        ipos_sum: LaneSum,
        ip_fold: Fold,
        l4_fold: Fold,
        ipos_fold: Fold,
        beats: Fifo<Beat, 6, 7>,
        metas: Fifo<Meta, 4, 5>,
        oks: Fifo<Bits<2>, 4, 5>,
        tails: Fifo<Bits<2>, 5, 6>,
        room: Signal<Local, Bit>,
        fire: Signal<Local, Bit>,
        data1: DFF<Bits<64>>,
        fire1: DFF<Bit>,
        last1: DFF<Bit>,
        // headers done, 2 to 5 cycles ago; frame ended, 2 to 6 cycles ago
        done2: DFF<Bit>,
        done3: DFF<Bit>,
        done4: DFF<Bit>,
        done5: DFF<Bit>,
        last2: DFF<Bit>,
        last3: DFF<Bit>,
        last4: DFF<Bit>,
        last5: DFF<Bit>,
        last6: DFF<Bit>,
        pseudo2: DFF<Bits<32>>,
        pseudo3: DFF<Bits<32>>,
        l4_total: DFF<Bits<32>>,
        cover6: DFF<Bit>,
        pair: Signal<Local, Bits<2>>,
        tail: Signal<Local, Bits<2>>,
    }
}

impl Logic for Rx {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, data1, fire1, last1, done2, done3, done4, done5, last2, last3, last4, last5, last6, pseudo2,
            pseudo3, l4_total, cover6
        );
        clock!(
            self, clock, vlan, fields, ip_sum, l4_sum, ipos_sum, ip_fold, l4_fold, ipos_fold, beats, metas, oks, tails
        );
        self.vlan.reset.next = self.reset.val();
        self.fields.reset.next = self.reset.val();
        self.beats.reset.next = self.reset.val();
        self.metas.reset.next = self.reset.val();
        self.oks.reset.next = self.reset.val();
        self.tails.reset.next = self.reset.val();
        self.vlan.s_beat.next = self.s_beat.val();
        self.vlan.s_valid.next = self.s_valid.val();
        self.s_ready.next = self.vlan.s_ready.val();

        // room for everything that the beats under way may still push
        self.room.next = (self.beats.level.val() < 62) & (self.metas.level.val() < 10) & (self.tails.level.val() < 24);
        self.vlan.m_ready.next = self.room.val();
        self.fire.next = self.vlan.m_valid.val() & self.room.val();
        self.beats.data_in.next = self.vlan.m_beat.val();
        self.beats.write.next = self.fire.val();

        self.rev.i.next = self.vlan.m_beat.val().data;
        self.fields.fire.next = self.fire.val();
        self.fields.be.next = self.rev.o.val();
        self.fields.cnt.next = self.vlan.m_beat.val().cnt;
        self.fields.last.next = self.vlan.m_beat.val().last;
        self.fields.has_tag.next = self.vlan.m_tagged.val();
        self.fields.tci.next = self.vlan.m_tci.val();
        self.fields.runt.next = self.vlan.m_runt.val();
        self.fields.mac.next = self.mac.val();
        self.fields.promiscuous.next = self.promiscuous.val();
        self.fields.ethertype.next = self.ethertype.val();
        self.fields.back.next = self.back.val();
        self.metas.data_in.next = self.fields.meta.val();
        self.metas.write.next = self.fields.meta_valid.val();

        // sums run one cycle behind, when the geometry stands in registers
        self.data1.d.next = self.rev.o.val();
        self.fire1.d.next = self.fire.val();
        self.last1.d.next = self.fire.val() & self.vlan.m_beat.val().last;
        self.masks.k.next = self.fields.k1.val();
        self.masks.v.next = self.fields.v1.val();
        self.masks.port_beat.next = self.fields.port_beat.val();
        self.masks.odd.next = self.fields.odd.val();
        self.masks.total.next = self.fields.total1.val();
        self.masks.covered.next = self.fields.cover1.val();
        self.ip_sum.valid.next = self.fire1.q.val();
        // beat 1 of an ipOS frame looked like the header's first: begin again at the inner one
        self.ip_sum.first.next = (self.fields.k1.val() == 0) | (self.fields.v1.val() == 1);
        self.ip_sum.data.next = self.data1.q.val();
        self.ip_sum.mask.next = self.masks.ip.val();
        self.l4_sum.valid.next = self.fire1.q.val();
        self.l4_sum.first.next = self.fields.k1.val() == 0;
        self.l4_sum.data.next = self.data1.q.val();
        self.l4_sum.mask.next = self.masks.l4.val();
        self.ipos_sum.valid.next = self.fire1.q.val();
        self.ipos_sum.first.next = self.fields.k1.val() == 0;
        self.ipos_sum.data.next = self.data1.q.val();
        self.ipos_sum.mask.next = self.masks.ipos.val();

        self.done2.d.next = self.fields.done1.val();
        self.done3.d.next = self.done2.q.val();
        self.done4.d.next = self.done3.q.val();
        self.done5.d.next = self.done4.q.val();
        self.ip_fold.sum.next = self.ip_sum.sum.val();
        self.ipos_fold.sum.next = self.ipos_sum.sum.val();
        self.pair.next = 0.into();
        if self.ip_fold.valid.val() {
            self.pair.next = self.pair.val() | 1;
        }
        if self.ipos_fold.valid.val() {
            self.pair.next = self.pair.val() | 2;
        }
        self.oks.data_in.next = self.pair.val();
        self.oks.write.next = self.done5.q.val();

        self.last2.d.next = self.last1.q.val();
        self.last3.d.next = self.last2.q.val();
        self.last4.d.next = self.last3.q.val();
        self.last5.d.next = self.last4.q.val();
        self.last6.d.next = self.last5.q.val();
        self.pseudo2.d.next = self.fields.pseudo.val();
        self.pseudo3.d.next = self.pseudo2.q.val();
        self.l4_total.d.next = self.l4_sum.sum.val() + self.pseudo3.q.val();
        self.l4_fold.sum.next = self.l4_total.q.val();
        self.cover6.d.next = self.ipos_fold.valid.val();
        self.tail.next = 0.into();
        if self.l4_fold.valid.val() {
            self.tail.next = self.tail.val() | 1;
        }
        if self.cover6.q.val() {
            self.tail.next = self.tail.val() | 2;
        }
        self.tails.data_in.next = self.tail.val();
        self.tails.write.next = self.last6.q.val();

        self.meta.next = self.metas.data_out.val();
        self.ip_ok.next = self.oks.data_out.val().get_bit(0);
        self.ipos_ok.next = self.oks.data_out.val().get_bit(1);
        self.head_valid.next = self.metas.valid.val() & self.oks.valid.val();
        self.metas.read.next = self.head_read.val();
        self.oks.read.next = self.head_read.val();
        self.l4_ok.next = self.tails.data_out.val().get_bit(0);
        self.cover_ok.next = self.tails.data_out.val().get_bit(1);
        self.tail_valid.next = self.tails.valid.val();
        self.tails.read.next = self.tail_read.val();
        self.beat.next = self.beats.data_out.val();
        self.beat_valid.next = self.beats.valid.val();
        self.beats.read.next = self.beat_read.val();
        if self.reset.val() {
            self.fire1.d.next = false;
            self.last1.d.next = false;
            self.done2.d.next = false;
            self.done3.d.next = false;
            self.done4.d.next = false;
            self.done5.d.next = false;
            self.last2.d.next = false;
            self.last3.d.next = false;
            self.last4.d.next = false;
            self.last5.d.next = false;
            self.last6.d.next = false;
        }
    }
}
