//! A port's receive side, as `parse::Rx`: one entry a frame in four queues, and its beats.
use super::{Beat, Cut, Fields, Sum};
use crate::parse::Meta;
use crate::stream::{Fifo, SmallFifo};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes a beat each cycle.
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
        /// The five-tuple, whatever it is worth.
        pub key: Signal<Out, Bits<97>>,
        pub key_valid: Signal<Out, Bit>,
        pub key_read: Signal<In, Bit>,
        /// Headers: within a cycle of `key_valid`.
        pub meta: Signal<Out, Meta>,
        pub meta_read: Signal<In, Bit>,
        /// Their checksums: within seven cycles of `key_valid`.
        pub ip_ok: Signal<Out, Bit>,
        pub ipos_ok: Signal<Out, Bit>,
        pub sums_valid: Signal<Out, Bit>,
        pub sums_read: Signal<In, Bit>,
        /// End of frame.
        pub l4_ok: Signal<Out, Bit>,
        pub cover_ok: Signal<Out, Bit>,
        pub tail_valid: Signal<Out, Bit>,
        pub tail_read: Signal<In, Bit>,
        /// The frame without its VLAN tag.
        pub beat: Signal<Out, Beat>,
        pub beat_valid: Signal<Out, Bit>,
        pub beat_read: Signal<In, Bit>,
        cut: Cut<4, 12>,
        fields: Fields,
        ip_sum: Sum,
        l4_sum: Sum,
        ipos_sum: Sum,
        beats: Fifo<Beat, 6, 7>,
        keys: SmallFifo<Bits<97>, 5, 6>,
        metas: SmallFifo<Meta, 5, 6>,
        oks: SmallFifo<Bits<2>, 5, 6>,
        tails: Fifo<Bits<2>, 6, 7>,
        inside: DFF<Bit>, // past the tag of a tagged frame
        out: DFF<Beat>,
        out_valid: DFF<Bit>,
        out_tagged: DFF<Bit>,
        out_tci: DFF<Bits<16>>,
        out_runt: DFF<Bit>,
        room: Signal<Local, Bit>,
        moves: Signal<Local, Bit>,
        is_tag: Signal<Local, Bit>,
        runt: Signal<Local, Bit>,
        pair: Signal<Local, Bits<2>>,
        tail: Signal<Local, Bits<2>>,
        c_tpid: Constant<Bits<16>> = 0x0081u64, // 0x8100 as it lies in the beat
    }
}

impl Logic for Rx {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, inside, out, out_valid, out_tagged, out_tci, out_runt);
        clock!(self, clock, cut, fields, ip_sum, l4_sum, ipos_sum, beats, keys, metas, oks, tails);
        self.cut.reset.next = self.reset.val();
        self.fields.reset.next = self.reset.val();
        self.ip_sum.reset.next = self.reset.val();
        self.l4_sum.reset.next = self.reset.val();
        self.ipos_sum.reset.next = self.reset.val();
        self.beats.reset.next = self.reset.val();
        self.keys.reset.next = self.reset.val();
        self.metas.reset.next = self.reset.val();
        self.oks.reset.next = self.reset.val();
        self.tails.reset.next = self.reset.val();

        // room for everything that the beats under way may still push
        self.room.next = (self.beats.level.val() < 60)
            & (self.keys.level.val() < 20)
            & (self.metas.level.val() < 20)
            & (self.tails.level.val() < 48);
        self.cut.s_beat.next = self.s_beat.val();
        self.cut.s_valid.next = self.s_valid.val();
        self.s_ready.next = self.cut.s_ready.val();
        self.cut.m_ready.next = self.room.val();
        self.moves.next = self.cut.m_valid.val() & self.room.val();

        // 14 bytes of link header, 18 with a tag
        self.is_tag.next =
            self.cut.held_first.val() & (self.cut.held_beat.val().data.get_bits::<16>(96) == self.c_tpid.val());
        self.runt.next = self.cut.held_first.val()
            & self.cut.held_beat.val().last
            & ((self.cut.held_beat.val().cnt < 13) | (self.is_tag.val() & (self.cut.held_beat.val().cnt < 17)));
        self.cut.remove.next = (self.is_tag.val() & !self.runt.val()) | self.inside.q.val();
        self.out_valid.d.next = self.moves.val();
        if self.moves.val() {
            self.out.d.next = self.cut.m_beat.val();
            self.inside.d.next = self.cut.remove.val() & !self.cut.m_beat.val().last;
            self.out_runt.d.next = self.runt.val();
            self.out_tagged.d.next = self.cut.remove.val();
            if self.cut.held_first.val() {
                self.out_tci.d.next = (bit_cast::<16, 8>(self.cut.held_beat.val().data.get_bits::<8>(112)) << 8)
                    | bit_cast::<16, 8>(self.cut.held_beat.val().data.get_bits::<8>(120));
            }
        }
        self.beats.data_in.next = self.out.q.val();
        self.beats.write.next = self.out_valid.q.val();
        self.fields.fire.next = self.out_valid.q.val();
        self.fields.beat.next = self.out.q.val();
        self.fields.has_tag.next = self.out_tagged.q.val();
        self.fields.tci.next = self.out_tci.q.val();
        self.fields.runt.next = self.out_runt.q.val();
        self.fields.mac.next = self.mac.val();
        self.fields.promiscuous.next = self.promiscuous.val();
        self.fields.ethertype.next = self.ethertype.val();
        self.fields.back.next = self.back.val();
        self.keys.data_in.next = self.fields.key.val();
        self.keys.write.next = self.fields.key_valid.val();
        self.metas.data_in.next = self.fields.meta.val();
        self.metas.write.next = self.fields.meta_valid.val();

        self.ip_sum.valid.next = self.fields.fire1.val();
        self.ip_sum.data.next = self.fields.data1.val();
        self.ip_sum.number.next = self.fields.number1.val();
        self.ip_sum.from.next = self.fields.ip1.val();
        self.ip_sum.upto.next = self.fields.transport1.val();
        self.ip_sum.also.next = 0.into();
        self.ip_sum.plus.next = 0.into();
        self.ip_sum.head.next = self.fields.done1.val();
        self.ip_sum.tail.next = false;
        self.ipos_sum.valid.next = self.fields.fire1.val();
        self.ipos_sum.data.next = self.fields.data1.val();
        self.ipos_sum.number.next = self.fields.number1.val();
        self.ipos_sum.from.next = 14.into();
        self.ipos_sum.upto.next = self.fields.cover1.val();
        self.ipos_sum.also.next = 0.into();
        self.ipos_sum.plus.next = 0.into();
        self.ipos_sum.head.next = false;
        self.ipos_sum.tail.next = false;
        self.l4_sum.valid.next = self.fields.fire1.val();
        self.l4_sum.data.next = self.fields.data1.val();
        self.l4_sum.number.next = self.fields.number1.val();
        self.l4_sum.from.next = self.fields.transport1.val();
        self.l4_sum.upto.next = self.fields.end1.val();
        self.l4_sum.also.next = self.fields.addresses1.val();
        self.l4_sum.plus.next = self.fields.pseudo1.val();
        self.l4_sum.head.next = false;
        self.l4_sum.tail.next = self.fields.last1.val();

        // the three sums run in step
        self.pair.next = 0.into();
        if self.ip_sum.ok.val() {
            self.pair.next = self.pair.val() | 1;
        }
        if self.ipos_sum.ok.val() {
            self.pair.next = self.pair.val() | 2;
        }
        self.oks.data_in.next = self.pair.val();
        self.oks.write.next = self.ip_sum.head_out.val();
        self.tail.next = 0.into();
        if self.l4_sum.ok.val() {
            self.tail.next = self.tail.val() | 1;
        }
        if self.ipos_sum.ok.val() {
            self.tail.next = self.tail.val() | 2;
        }
        self.tails.data_in.next = self.tail.val();
        self.tails.write.next = self.l4_sum.tail_out.val();

        self.key.next = self.keys.data_out.val();
        self.key_valid.next = self.keys.valid.val();
        self.keys.read.next = self.key_read.val();
        self.meta.next = self.metas.data_out.val();
        self.metas.read.next = self.meta_read.val();
        self.ip_ok.next = self.oks.data_out.val().get_bit(0);
        self.ipos_ok.next = self.oks.data_out.val().get_bit(1);
        self.sums_valid.next = self.oks.valid.val();
        self.oks.read.next = self.sums_read.val();
        self.l4_ok.next = self.tails.data_out.val().get_bit(0);
        self.cover_ok.next = self.tails.data_out.val().get_bit(1);
        self.tail_valid.next = self.tails.valid.val();
        self.tails.read.next = self.tail_read.val();
        self.beat.next = self.beats.data_out.val();
        self.beat_valid.next = self.beats.valid.val();
        self.beats.read.next = self.beat_read.val();
        if self.reset.val() {
            self.inside.d.next = false;
            self.out_valid.d.next = false;
        }
    }
}
