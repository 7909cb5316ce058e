//! Parts of the card as place and route measures them (`cargo xtask fmax`, `docs/timing.md`): a whole path, or a block in its
//! board size where the test's is smaller.

use crate::parse::Rx;
use crate::route::{Dispatch, Forward, Routes};
use crate::stream::{Beat, SmallFifo, Through};
use crate::table::{Classify, Detail, Verdict};
use rust_hdl_core::prelude::*;

block! {
    /// A forwarded packet's way through the front port, as `card/top.rs` wires it: parser, checksums, tables, verdict,
    /// forward buffer, encapsulation. The host's buffers are not in it; what would be written to them is an output.
    pub struct Front {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub s_beat: Signal<In, Beat>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        pub m_beat: Signal<Out, Beat>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        pub mac: Signal<In, Bits<48>>,
        pub back_mac: Signal<In, Bits<48>>,
        pub promiscuous: Signal<In, Bit>,
        pub ethertype: Signal<In, Bits<16>>,
        pub vlan: Signal<In, Bits<32>>,
        pub key: Signal<In, Bits<97>>,
        pub value: Signal<In, Bits<32>>,
        pub slot: Signal<In, Bits<12>>,
        pub bank: Signal<In, Bits<2>>,
        pub entry_valid: Signal<In, Bit>,
        pub commit_forward: Signal<In, Bit>,
        pub committed: Signal<Out, Bit>,
        pub sweep: Signal<In, Bit>,
        pub sweep_slot: Signal<In, Bits<12>>,
        pub dest: Signal<In, Bits<52>>,
        pub commit_dest: Signal<In, Bit>,
        pub neighbour: Signal<In, Bits<49>>,
        pub commit_neighbour: Signal<In, Bit>,
        pub index: Signal<In, Bits<8>>,
        pub host_beat: Signal<Out, Beat>,
        pub host_meta: Signal<Out, Bits<128>>,
        pub host_write: Signal<Out, Bit>,
        pub host_end: Signal<Out, Bit>,
        pub host_overflow: Signal<In, Bit>,
        pub keep: Signal<Out, Bit>,
        pub hit: Signal<Out, Bit>,
        pub hit_place: Signal<Out, Bits<14>>,
        pub hit_bytes: Signal<Out, Bits<16>>,
        pub hit_flags: Signal<Out, Bits<8>>,
        pub outcome: Signal<Out, Bits<4>>,
        pub outcome_valid: Signal<Out, Bit>,
        rx: Rx,
        classify: Classify<10, 9>,
        verdicts: SmallFifo<Verdict, 4, 5>,
        details: SmallFifo<Detail, 4, 5>,
        dispatch: Dispatch,
        fwd: Through<Beat, 10, 11>,
        routes: Routes<4, 5, 0>,
        forward: Forward,
    }
}

impl Logic for Front {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, rx, classify, verdicts, details, dispatch, fwd, routes, forward);
        self.rx.reset.next = self.reset.val();
        self.classify.reset.next = self.reset.val();
        self.verdicts.reset.next = self.reset.val();
        self.details.reset.next = self.reset.val();
        self.dispatch.reset.next = self.reset.val();
        self.fwd.reset.next = self.reset.val();
        self.routes.reset.next = self.reset.val();
        self.forward.reset.next = self.reset.val();

        self.rx.s_beat.next = self.s_beat.val();
        self.rx.s_valid.next = self.s_valid.val();
        self.s_ready.next = self.rx.s_ready.val();
        self.rx.mac.next = self.mac.val();
        self.rx.promiscuous.next = self.promiscuous.val();
        self.rx.ethertype.next = self.ethertype.val();
        self.rx.back.next = false;
        self.rx.key_read.next = self.classify.front_read.val();
        self.rx.meta_read.next = self.classify.front_meta_read.val();
        self.rx.beat_read.next = self.dispatch.take.val();
        self.rx.tail_read.next = self.dispatch.take_last.val();

        self.classify.front_meta.next = self.rx.meta.val();
        self.classify.front_ip_ok.next = self.rx.ip_ok.val();
        self.rx.sums_read.next = self.classify.front_sums_read.val();
        self.classify.front_key.next = self.rx.key.val();
        self.classify.front_valid.next = self.rx.key_valid.val();
        self.classify.front_level.next = self.verdicts.level.val();
        self.classify.back_key.next = self.rx.key.val();
        self.classify.back_meta.next = self.rx.meta.val();
        self.classify.back_ip_ok.next = false;
        self.classify.back_ipos_ok.next = false;
        self.classify.back_valid.next = false;
        self.classify.back_level.next = 0.into();
        self.classify.front_vlan.next = self.vlan.val();
        self.classify.back_vlan.next = self.vlan.val();
        self.classify.key.next = self.key.val();
        self.classify.value.next = self.value.val();
        self.classify.slot.next = self.slot.val();
        self.classify.bank.next = self.bank.val();
        self.classify.entry_valid.next = self.entry_valid.val();
        self.classify.commit_forward.next = self.commit_forward.val();
        self.classify.commit_endpoint.next = false;
        self.committed.next = self.classify.committed.val();
        self.classify.sweep.next = self.sweep.val();
        self.classify.sweep_slot.next = self.sweep_slot.val();
        self.classify.dest.next = self.dest.val();
        self.classify.commit_dest.next = self.commit_dest.val();
        self.classify.neighbour.next = self.neighbour.val();
        self.classify.commit_neighbour.next = self.commit_neighbour.val();
        self.classify.index.next = self.index.val();

        self.verdicts.data_in.next = self.classify.verdict.val();
        self.verdicts.write.next = self.classify.front_write.val();
        self.verdicts.read.next = self.dispatch.take_last.val();
        self.details.data_in.next = self.classify.detail.val();
        self.details.write.next = self.classify.front_detail_write.val();
        self.details.read.next = self.dispatch.detail_read.val();
        self.dispatch.detail.next = self.details.data_out.val();
        self.dispatch.back.next = false;
        self.dispatch.front_mac.next = self.mac.val();
        self.dispatch.verdict.next = self.verdicts.data_out.val();
        self.dispatch.verdict_valid.next = self.verdicts.valid.val();
        self.dispatch.beat.next = self.rx.beat.val();
        self.dispatch.beat_valid.next = self.rx.beat_valid.val();
        self.dispatch.l4_ok.next = self.rx.l4_ok.val();
        self.dispatch.cover_ok.next = self.rx.cover_ok.val();
        self.dispatch.tail_valid.next = self.rx.tail_valid.val();
        self.dispatch.host_overflow.next = self.host_overflow.val();
        self.dispatch.control_overflow.next = false;
        self.classify.allow.next = false;
        self.classify.front_room.next = self.routes.room.val();
        self.classify.back_room.next = false;
        self.hit.next = self.dispatch.hit.val();
        self.hit_place.next = self.dispatch.hit_place.val();
        self.hit_bytes.next = self.dispatch.hit_bytes.val();
        self.hit_flags.next = self.dispatch.hit_flags.val();
        self.host_beat.next = self.dispatch.out_beat.val();
        self.host_meta.next = self.dispatch.out_meta.val();
        self.host_write.next = self.dispatch.host_write.val();
        self.host_end.next = self.dispatch.host_end.val();
        self.keep.next = self.dispatch.keep.val();
        self.outcome.next = self.dispatch.outcome.val();
        self.outcome_valid.next = self.dispatch.outcome_valid.val();

        self.fwd.data_in.next = self.dispatch.fwd_beat.val();
        self.fwd.write.next = self.dispatch.fwd_write.val();
        self.routes.promise.next = self.classify.front_promise.val();
        self.routes.way.next = self.classify.route.val();
        self.routes.starts.next = self.dispatch.starts.val();
        self.routes.left.next = self.forward.a_left.val();
        self.routes.left_beats.next = self.forward.left_beats.val();
        self.forward.a_route.next = self.routes.route.val();
        self.forward.a_route_valid.next = self.routes.valid.val();
        self.routes.read.next = self.forward.a_route_read.val();
        self.forward.a_beat.next = self.fwd.data_out.val();
        self.forward.a_valid.next = self.fwd.valid.val();
        self.fwd.read.next = self.forward.a_read.val();
        self.forward.b_route.next = self.routes.route.val();
        self.forward.b_route_valid.next = false;
        self.forward.b_beat.next = self.fwd.data_out.val();
        self.forward.b_valid.next = false;
        self.forward.mac.next = self.back_mac.val();
        self.forward.ethertype.next = self.ethertype.val();
        self.m_beat.next = self.forward.m_beat.val();
        self.m_valid.next = self.forward.m_valid.val();
        self.forward.m_ready.next = self.m_ready.val();
    }
}
