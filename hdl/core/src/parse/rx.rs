//! A port's receive side: from the MAC to four queues with one entry a frame: its five-tuple, what its headers say, whether its
//! header checksums hold, whether its whole-frame checksums hold; and its beats.
use super::{ByteRev, Fields, Meta, Verify, Vlan};
use crate::stream::{Ahead, Beat, Fifo, SmallFifo};
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
        vlan: Vlan,
        rev: ByteRev,
        fields: Fields,
        verify: Verify,
        beats: Fifo<Beat, 6, 7>,
        ahead: Ahead<Beat>,
        keys: SmallFifo<Bits<97>, 4, 5>,
        metas: Fifo<Meta, 6, 7>,
        pairs: SmallFifo<Bits<2>, 4, 5>,
        tails: SmallFifo<Bits<2>, 5, 6>,
        room: DFF<Bit>,
        fire: Signal<Local, Bit>,
        data1: DFF<Bits<64>>,
        fire1: DFF<Bit>,
        last1: DFF<Bit>,
        pair: Signal<Local, Bits<2>>,
        tail: Signal<Local, Bits<2>>,
    }
}

impl Logic for Rx {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, room, data1, fire1, last1);
        clock!(self, clock, vlan, fields, verify, beats, ahead, keys, metas, pairs, tails);
        self.vlan.reset.next = self.reset.val();
        self.fields.reset.next = self.reset.val();
        self.verify.reset.next = self.reset.val();
        self.beats.reset.next = self.reset.val();
        self.ahead.reset.next = self.reset.val();
        self.keys.reset.next = self.reset.val();
        self.metas.reset.next = self.reset.val();
        self.pairs.reset.next = self.reset.val();
        self.tails.reset.next = self.reset.val();
        self.vlan.s_beat.next = self.s_beat.val();
        self.vlan.s_valid.next = self.s_valid.val();
        self.s_ready.next = self.vlan.s_ready.val();

        // room for everything that the beats under way may still push
        // below 56, 8, 8 and 16
        self.room.d.next = (self.beats.level.val().get_bits::<4>(3) < 7)
            & (self.keys.level.val().get_bits::<2>(3) == 0)
            & (self.metas.level.val().get_bits::<4>(3) == 0)
            & (self.tails.level.val().get_bits::<2>(4) == 0);
        self.vlan.m_ready.next = self.room.q.val();
        self.fire.next = self.vlan.m_valid.val() & self.room.q.val();
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
        self.keys.data_in.next = self.fields.key.val();
        self.keys.write.next = self.fields.done1.val();
        self.metas.data_in.next = self.fields.meta.val();
        self.metas.write.next = self.fields.meta_valid.val();

        // one cycle behind, when the geometry stands in registers
        self.data1.d.next = self.rev.o.val();
        self.fire1.d.next = self.fire.val();
        self.last1.d.next = self.fire.val() & self.vlan.m_beat.val().last;
        self.verify.valid.next = self.fire1.q.val();
        self.verify.data.next = self.data1.q.val();
        self.verify.done.next = self.fields.done1.val();
        self.verify.last.next = self.last1.q.val();
        self.verify.k.next = self.fields.k1.val();
        self.verify.v.next = self.fields.v1.val();
        self.verify.number.next = self.fields.long1.val();
        self.verify.head.next = self.fields.head1.val();
        self.verify.port.next = self.fields.port1.val();
        self.verify.odd.next = self.fields.odd.val();
        self.verify.upto.next = self.fields.upto.val();
        self.verify.covered.next = self.fields.cover1.val();
        self.verify.pseudo.next = self.fields.pseudo.val();
        self.verify.back.next = self.back.val();
        self.pair.next = 0.into();
        if self.verify.ip_ok.val() {
            self.pair.next = self.pair.val() | 1;
        }
        if self.verify.ipos_ok.val() {
            self.pair.next = self.pair.val() | 2;
        }
        self.pairs.data_in.next = self.pair.val();
        self.pairs.write.next = self.verify.head_done.val();
        self.tail.next = 0.into();
        if self.verify.l4_ok.val() {
            self.tail.next = self.tail.val() | 1;
        }
        if self.verify.cover_ok.val() {
            self.tail.next = self.tail.val() | 2;
        }
        self.tails.data_in.next = self.tail.val();
        self.tails.write.next = self.verify.tail_done.val();

        self.key.next = self.keys.data_out.val();
        self.key_valid.next = self.keys.valid.val();
        self.keys.read.next = self.key_read.val();
        self.meta.next = self.metas.data_out.val();
        self.metas.read.next = self.meta_read.val();
        self.ip_ok.next = self.pairs.data_out.val().get_bit(0);
        self.ipos_ok.next = self.pairs.data_out.val().get_bit(1);
        self.sums_valid.next = self.pairs.valid.val();
        self.pairs.read.next = self.sums_read.val();
        self.l4_ok.next = self.tails.data_out.val().get_bit(0);
        self.cover_ok.next = self.tails.data_out.val().get_bit(1);
        self.tail_valid.next = self.tails.valid.val();
        self.tails.read.next = self.tail_read.val();
        self.ahead.s_data.next = self.beats.data_out.val();
        self.ahead.s_valid.next = self.beats.valid.val();
        self.beats.read.next = self.ahead.s_read.val();
        self.beat.next = self.ahead.m_data.val();
        self.beat_valid.next = self.ahead.m_valid.val();
        self.ahead.m_read.next = self.beat_read.val();
        if self.reset.val() {
            self.room.d.next = false;
            self.fire1.d.next = false;
            self.last1.d.next = false;
        }
    }
}
