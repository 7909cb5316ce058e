//! The parser by itself, as place and route measures it: what [`Rx`](super::Rx) has of it, without checksums and queues.
use super::{ByteRev, Fields, Meta, Vlan};
use crate::stream::Beat;
use rust_hdl_core::prelude::*;

block! {
    /// Takes a beat each cycle while `ready` is high; the five-tuple comes with `key_valid`, the rest a cycle later.
    pub struct Parser {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub s_beat: Signal<In, Beat>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        pub ready: Signal<In, Bit>,
        pub mac: Signal<In, Bits<48>>,
        pub promiscuous: Signal<In, Bit>,
        pub ethertype: Signal<In, Bits<16>>,
        pub back: Signal<In, Bit>,
        pub key: Signal<Out, Bits<97>>,
        pub key_valid: Signal<Out, Bit>,
        pub meta: Signal<Out, Meta>,
        pub meta_valid: Signal<Out, Bit>,
        /// The frame without its VLAN tag.
        pub m_beat: Signal<Out, Beat>,
        pub m_valid: Signal<Out, Bit>,
        vlan: Vlan,
        rev: ByteRev,
        fields: Fields,
        fire: Signal<Local, Bit>,
    }
}

impl Logic for Parser {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, vlan, fields);
        self.vlan.reset.next = self.reset.val();
        self.fields.reset.next = self.reset.val();
        self.vlan.s_beat.next = self.s_beat.val();
        self.vlan.s_valid.next = self.s_valid.val();
        self.s_ready.next = self.vlan.s_ready.val();
        self.vlan.m_ready.next = self.ready.val();
        self.fire.next = self.vlan.m_valid.val() & self.ready.val();
        self.m_beat.next = self.vlan.m_beat.val();
        self.m_valid.next = self.fire.val();
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
        self.key.next = self.fields.key.val();
        self.key_valid.next = self.fields.done1.val();
        self.meta.next = self.fields.meta.val();
        self.meta_valid.next = self.fields.meta_valid.val();
    }
}
