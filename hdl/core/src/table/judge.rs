//! The decisions of `docs/datapath.md` that headers allow: steps 1 to 10, in their order.
use super::{Detail, Verdict};
use crate::parse::Meta;
use ipos_abi::rx::{L3, Outcome, Reason};
use rust_hdl_core::prelude::*;

block! {
    /// Purely combinational.
    pub struct Judge {
        pub meta: Signal<In, Meta>,
        pub back: Signal<In, Bit>,
        pub ip_ok: Signal<In, Bit>,
        pub ipos_ok: Signal<In, Bit>,
        /// The port's VLAN; where it is not enabled, as with ID 0, untagged frames.
        pub vlan: Signal<In, Bits<12>>,
        pub vlan_enable: Signal<In, Bit>,
        /// Without what tables say: to the host, with no reason yet, when `asks`.
        pub verdict: Signal<Out, Verdict>,
        pub detail: Signal<Out, Detail>,
        /// The tables decide.
        pub asks: Signal<Out, Bit>,
        inner: Signal<Local, Bit>,
        no_key: Signal<Local, Bit>,
        wanted: Signal<Local, Bits<12>>,
        vlan_ok: Signal<Local, Bit>,
        l3: Signal<Local, Bits<3>>,
        v: Signal<Local, Verdict>,
        d: Signal<Local, Detail>,
        a: Signal<Local, Bit>,
        c_runt: Constant<Bits<5>> = Outcome::DropRunt as u64,
        c_mac: Constant<Bits<5>> = Outcome::DropMac as u64,
        c_ipos_front: Constant<Bits<5>> = Outcome::DropIposOnFront as u64,
        c_ipos_sum: Constant<Bits<5>> = Outcome::DropIposChecksum as u64,
        r_vlan: Constant<Bits<5>> = Reason::Vlan as u64,
        r_group: Constant<Bits<5>> = Reason::Group as u64,
        r_not_ipv4: Constant<Bits<5>> = Reason::NotIpv4 as u64,
        r_fragment: Constant<Bits<5>> = Reason::Fragment as u64,
        r_protocol: Constant<Bits<5>> = Reason::Protocol as u64,
        r_header: Constant<Bits<5>> = Reason::Header as u64,
        r_unknown: Constant<Bits<5>> = Reason::UnknownIpos as u64,
        r_short: Constant<Bits<5>> = Reason::ShortIpos as u64,
        r_back: Constant<Bits<5>> = Reason::Back as u64,
        r_control: Constant<Bits<5>> = Reason::Control as u64,
        c_l3_ok: Constant<Bits<3>> = L3::Ok as u64,
        c_l3_bad: Constant<Bits<3>> = L3::BadChecksum as u64,
        c_l3_truncated: Constant<Bits<3>> = L3::Truncated as u64,
        c_l3_malformed: Constant<Bits<3>> = L3::Malformed as u64,
    }
}

impl Logic for Judge {
    #[hdl_gen]
    fn update(&mut self) {
        self.inner.next = self.back.val() & self.meta.val().ipos;
        self.no_key.next = (self.meta.val().early != 0)
            | self.meta.val().small_total
            | self.meta.val().fragment
            | self.meta.val().other_protocol
            | (self.meta.val().late != 0);
        self.wanted.next = 0.into();
        if self.vlan_enable.val() {
            self.wanted.next = self.vlan.val();
        }
        // an untagged frame's `tci` is zero, so is a priority tag's ID (IEEE 802.1Q, table 9-2)
        self.vlan_ok.next = self.meta.val().tci.get_bits::<12>(0) == self.wanted.val();
        // step 7
        self.l3.next = self.c_l3_ok.val();
        if self.meta.val().early != 0 {
            self.l3.next = self.meta.val().early;
        } else if !self.ip_ok.val() {
            self.l3.next = self.c_l3_bad.val();
        } else if self.meta.val().small_total {
            self.l3.next = self.c_l3_malformed.val();
        } else if self.meta.val().late != 0 {
            self.l3.next = self.meta.val().late;
        }

        self.a.next = false;
        self.v.next.forward = false;
        self.v.next.host = false;
        self.v.next.control = false;
        self.d.next.code = 0.into();
        self.v.next.decapsulate = false;
        self.d.next.l3 = 0.into();
        self.d.next.judge = false;
        self.d.next.l4_skip = self.meta.val().l4_skip | self.no_key.val();
        self.d.next.cover = 0.into();
        self.v.next.stop = self.meta.val().stop;
        self.d.next.tagged = self.meta.val().tagged;
        self.d.next.tci = self.meta.val().tci;
        self.d.next.about = bit_cast::<32, 8>(self.meta.val().tcp_flags) << 14;
        if self.meta.val().runt {
            self.d.next.code = self.c_runt.val();
        } else if !self.meta.val().mac_ok {
            self.d.next.code = self.c_mac.val();
        } else if self.meta.val().ipos & !self.back.val() {
            self.d.next.code = self.c_ipos_front.val();
        } else if self.meta.val().group {
            self.v.next.host = true;
            self.d.next.code = self.r_group.val();
        } else if self.inner.val() & self.meta.val().ipos_short {
            self.v.next.host = true;
            self.d.next.code = self.r_short.val();
            self.d.next.l3 = self.c_l3_truncated.val();
        } else if self.inner.val() & (self.meta.val().ipos_type == 2) & !self.ipos_ok.val() {
            self.d.next.code = self.c_ipos_sum.val();
        } else if self.inner.val()
            & ((self.meta.val().ipos_type == 1)
                | (self.meta.val().ipos_type == 3)
                | self.meta.val().ipos_type.get_bit(7))
        {
            self.v.next.control = true;
            self.d.next.code = self.r_control.val();
            self.d.next.cover = self.meta.val().cover;
        } else if self.inner.val() & (self.meta.val().ipos_type != 2) {
            self.v.next.host = true;
            self.d.next.code = self.r_unknown.val();
        } else if !self.meta.val().ipv4 {
            self.v.next.host = true;
            self.d.next.code = self.r_not_ipv4.val();
        } else {
            self.v.next.decapsulate = self.inner.val();
            self.d.next.l3 = self.l3.val();
            self.d.next.judge = (self.meta.val().early == 0)
                & self.ip_ok.val()
                & !self.meta.val().small_total
                & (self.meta.val().late == 0);
            self.v.next.host = true;
            if (self.meta.val().early != 0) | self.meta.val().small_total {
                self.d.next.code = self.r_header.val();
            } else if self.meta.val().fragment {
                self.d.next.code = self.r_fragment.val();
            } else if self.meta.val().other_protocol {
                self.d.next.code = self.r_protocol.val();
            } else if self.meta.val().late != 0 {
                self.d.next.code = self.r_header.val();
            } else if self.back.val() & !self.inner.val() {
                self.d.next.code = self.r_back.val();
            } else if !self.vlan_ok.val() {
                self.d.next.code = self.r_vlan.val();
            } else {
                self.a.next = true;
            }
        }
        self.verdict.next = self.v.val();
        self.detail.next = self.d.val();
        self.asks.next = self.a.val();
    }
}
