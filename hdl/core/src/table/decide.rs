//! The decisions of `docs/datapath.md` that take the tables: steps 11 and 12, in their order.
use super::{Detail, Verdict};
use crate::route::Route;
use ipos_abi::rx::{Outcome, Reason};
use ipos_abi::table::Action;
use rust_hdl_core::prelude::*;

block! {
    /// Purely combinational.
    pub struct Decide {
        /// What [`Judge`](super::Judge) says.
        pub judged: Signal<In, Verdict>,
        pub judged_detail: Signal<In, Detail>,
        pub asks: Signal<In, Bit>,
        pub ip_ok: Signal<In, Bit>,
        pub src_ip: Signal<In, Bits<32>>,
        pub src_port: Signal<In, Bits<16>>,
        pub udp: Signal<In, Bit>,
        pub forward_hit: Signal<In, Bit>,
        pub action: Signal<In, Bits<2>>,
        pub place: Signal<In, Bits<14>>,
        pub endpoint_hit: Signal<In, Bit>,
        pub endpoint: Signal<In, Bits<32>>,
        pub dest_ip: Signal<In, Bits<32>>,
        pub dest_port: Signal<In, Bits<16>>,
        pub neighbour: Signal<In, Bits<48>>,
        pub neighbour_valid: Signal<In, Bit>,
        pub src_mac: Signal<In, Bits<48>>,
        /// A packet that came encapsulated may be forwarded again.
        pub allow: Signal<In, Bit>,
        /// The forward buffer has room for the longest packet.
        pub room: Signal<In, Bit>,
        pub verdict: Signal<Out, Verdict>,
        pub detail: Signal<Out, Detail>,
        /// It would go back to who sent it: whatever the detail says, the code is `DropLoop`.
        pub loops: Signal<Out, Bit>,
        pub route: Signal<Out, Route>,
        inner: Signal<Local, Bit>,
        back_again: Signal<Local, Bit>,
        v: Signal<Local, Verdict>,
        d: Signal<Local, Detail>,
        r: Signal<Local, Route>,
        c_header: Constant<Bits<5>> = Outcome::DropHeader as u64,
        c_table: Constant<Bits<5>> = Outcome::DropTable as u64,
        c_neighbour: Constant<Bits<5>> = Outcome::DropNeighbour as u64,
        c_rate: Constant<Bits<5>> = Outcome::DropRate as u64,
        c_full: Constant<Bits<5>> = Outcome::DropForwardFull as u64,
        r_miss: Constant<Bits<5>> = Reason::Miss as u64,
        r_endpoint: Constant<Bits<5>> = Reason::Endpoint as u64,
        r_encap_miss: Constant<Bits<5>> = Reason::EncapsulatedMiss as u64,
        r_action: Constant<Bits<5>> = Reason::Action as u64,
        c_act_host: Constant<Bits<2>> = Action::Host as u64,
        c_act_forward: Constant<Bits<2>> = Action::Forward as u64,
    }
}

impl Logic for Decide {
    #[hdl_gen]
    fn update(&mut self) {
        self.inner.next = self.judged.val().decapsulate;
        self.back_again.next = self.inner.val() & (self.neighbour.val() == self.src_mac.val());
        self.loops.next = false;
        self.v.next = self.judged.val();
        self.d.next = self.judged_detail.val();
        self.d.next.about = 0.into();
        self.r.next.udp = self.udp.val();
        self.r.next.src_ip = self.src_ip.val();
        self.r.next.src_port = self.src_port.val();
        self.r.next.dst_ip = self.dest_ip.val();
        self.r.next.dst_port = self.dest_port.val();
        self.r.next.mac = self.neighbour.val();
        self.r.next.beats = self.judged.val().stop.get_bits::<8>(3);
        if self.asks.val() {
            if self.inner.val() & self.endpoint_hit.val() {
                self.d.next.code = self.r_endpoint.val();
                self.d.next.about = self.endpoint.val();
            } else if !self.forward_hit.val() {
                self.d.next.code = self.r_miss.val();
                if self.inner.val() {
                    self.d.next.code = self.r_encap_miss.val();
                }
            } else if self.action.val() == self.c_act_forward.val() {
                self.v.next.host = false;
                self.d.next.about = self.judged_detail.val().about | bit_cast::<32, 14>(self.place.val());
                if !self.ip_ok.val() {
                    self.d.next.code = self.c_header.val();
                } else if !self.neighbour_valid.val() {
                    self.d.next.code = self.c_neighbour.val();
                } else if self.inner.val() & !self.allow.val() {
                    self.loops.next = self.back_again.val();
                    self.d.next.code = self.c_rate.val();
                } else if !self.room.val() | (self.judged.val().stop.get_bits::<6>(11) != 0) {
                    // 2,048 bytes at most
                    self.loops.next = self.back_again.val();
                    self.d.next.code = self.c_full.val();
                } else {
                    self.loops.next = self.back_again.val();
                    self.v.next.forward = !self.back_again.val();
                }
            } else if self.action.val() == self.c_act_host.val() {
                self.d.next.code = self.r_action.val();
            } else {
                self.v.next.host = false;
                self.d.next.code = self.c_table.val();
            }
        }
        self.verdict.next = self.v.val();
        self.detail.next = self.d.val();
        self.route.next = self.r.val();
    }
}
