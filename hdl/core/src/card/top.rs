//! The whole card: two receive sides, one lookup, two dispatchers, one encapsulator, and the borders.
//! `docs/datapath.md` has the picture.
use super::{
    Arbiter, ControlBuffer, Data, Details, Entries, Forward, ForwardBuffer, FromAxis, Insert, Keep, ReceiveBuffer,
    SendUsed,
};
use super::{Classify, Counter, Dispatch, Outcomes, Rate, Registers, Routes, Rx, SmallFifo, ToAxis, Verdicts, WIDTH};
use crate::stream::Microsecond;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// AXI4-Stream borders: `*_rx_*` from the MACs, `*_tx_*` to them, `host_*` and `control_*` to the host with the
    /// 128 bits of an `RxMeta` beside each beat, `*_send_*` from the host to a wire, with the checksum that is asked for
    /// beside each beat (`checksum::Insert`), `event_*` what happened to forwarded connections.
    pub struct Card {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        /// Out of reset: the tables have been emptied.
        pub ready: Signal<Out, Bit>,
        pub build: Signal<In, Bits<32>>,
        /// The clock's rate.
        pub clock_khz: Signal<In, Bits<18>>,
        /// A strobe every microsecond.
        pub microsecond: Signal<Out, Bit>,
        pub front_rx_tdata: Signal<In, Data>,
        pub front_rx_tkeep: Signal<In, Keep>,
        pub front_rx_tlast: Signal<In, Bit>,
        pub front_rx_tuser: Signal<In, Bit>,
        pub front_rx_tvalid: Signal<In, Bit>,
        pub front_rx_tready: Signal<Out, Bit>,
        pub back_rx_tdata: Signal<In, Data>,
        pub back_rx_tkeep: Signal<In, Keep>,
        pub back_rx_tlast: Signal<In, Bit>,
        pub back_rx_tuser: Signal<In, Bit>,
        pub back_rx_tvalid: Signal<In, Bit>,
        pub back_rx_tready: Signal<Out, Bit>,
        pub front_tx_tdata: Signal<Out, Data>,
        pub front_tx_tkeep: Signal<Out, Keep>,
        pub front_tx_tlast: Signal<Out, Bit>,
        pub front_tx_tuser: Signal<Out, Bit>,
        pub front_tx_tvalid: Signal<Out, Bit>,
        pub front_tx_tready: Signal<In, Bit>,
        pub back_tx_tdata: Signal<Out, Data>,
        pub back_tx_tkeep: Signal<Out, Keep>,
        pub back_tx_tlast: Signal<Out, Bit>,
        pub back_tx_tuser: Signal<Out, Bit>,
        pub back_tx_tvalid: Signal<Out, Bit>,
        pub back_tx_tready: Signal<In, Bit>,
        pub host_tdata: Signal<Out, Data>,
        pub host_tkeep: Signal<Out, Keep>,
        pub host_tlast: Signal<Out, Bit>,
        pub host_meta: Signal<Out, Bits<128>>,
        pub host_tvalid: Signal<Out, Bit>,
        pub host_tready: Signal<In, Bit>,
        pub control_tdata: Signal<Out, Data>,
        pub control_tkeep: Signal<Out, Keep>,
        pub control_tlast: Signal<Out, Bit>,
        pub control_meta: Signal<Out, Bits<128>>,
        pub control_tvalid: Signal<Out, Bit>,
        pub control_tready: Signal<In, Bit>,
        pub front_send_tdata: Signal<In, Data>,
        pub front_send_tkeep: Signal<In, Keep>,
        pub front_send_tlast: Signal<In, Bit>,
        pub front_send_tuser: Signal<In, Bit>,
        pub front_send_checksum: Signal<In, Bits<33>>,
        pub front_send_tvalid: Signal<In, Bit>,
        pub front_send_tready: Signal<Out, Bit>,
        pub front_send_used: Signal<Out, SendUsed>,
        pub front_send_frames: Signal<Out, Bits<6>>,
        pub back_send_tdata: Signal<In, Data>,
        pub back_send_tkeep: Signal<In, Keep>,
        pub back_send_tlast: Signal<In, Bit>,
        pub back_send_tuser: Signal<In, Bit>,
        pub back_send_checksum: Signal<In, Bits<33>>,
        pub back_send_tvalid: Signal<In, Bit>,
        pub back_send_tready: Signal<Out, Bit>,
        pub back_send_used: Signal<Out, SendUsed>,
        pub back_send_frames: Signal<Out, Bits<6>>,
        pub event_data: Signal<Out, Bits<32>>,
        pub event_valid: Signal<Out, Bit>,
        pub event_ready: Signal<In, Bit>,
        pub event_lost: Signal<Out, Bit>,
        pub reg_address: Signal<In, Bits<16>>,
        pub reg_wdata: Signal<In, Bits<32>>,
        pub reg_write: Signal<In, Bit>,
        pub reg_read: Signal<In, Bit>,
        pub reg_rdata: Signal<Out, Bits<32>>,
        pub reg_ack: Signal<Out, Bit>,
        registers: Registers<WIDTH>,
        front_in: FromAxis,
        back_in: FromAxis,
        front_host_in: FromAxis,
        back_host_in: FromAxis,
        front_rx: Rx,
        back_rx: Rx,
        classify: Classify<10, 9>,
        front_verdicts: Verdicts,
        back_verdicts: Verdicts,
        front_details: Details,
        back_details: Details,
        front_route: Dispatch,
        back_route: Dispatch,
        front_fwd: ForwardBuffer,
        front_routes: Routes,
        back_fwd: ForwardBuffer,
        back_routes: Routes,
        forward: Forward,
        front_host: ReceiveBuffer,
        back_host: ReceiveBuffer,
        back_control: ControlBuffer,
        host_arbiter: Arbiter<Bits<128>>,
        front_sends: Insert,
        back_sends: Insert,
        back_arbiter: Arbiter<Bits<1>>,
        front_out: ToAxis,
        back_out: ToAxis,
        host_out: ToAxis,
        control_out: ToAxis,
        front_outcomes: Outcomes,
        back_outcomes: Outcomes,
        entries: Entries<10>,
        events: SmallFifo<Bits<32>, 4, 5>,
        rate: Rate,
        clock_us: Microsecond,
        front_rx_count: Counter<32, 64>,
        front_tx_count: Counter<32, 64>,
        back_rx_count: Counter<32, 64>,
        back_tx_count: Counter<32, 64>,
        sweep: DFF<Bits<11>>,
        swept: Signal<Local, Bit>,
        hold: DFF<Bit>,
    }
}

impl Logic for Card {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self,
            clock,
            registers,
            front_rx,
            back_rx,
            classify,
            front_verdicts,
            back_verdicts,
            front_details,
            back_details,
            front_route,
            back_route,
            front_fwd,
            front_routes,
            back_fwd,
            back_routes,
            forward,
            front_host,
            back_host,
            back_control,
            host_arbiter,
            front_sends,
            back_sends,
            back_arbiter,
            front_outcomes,
            back_outcomes,
            entries,
            events,
            rate,
            clock_us,
            front_rx_count,
            front_tx_count,
            back_rx_count,
            back_tx_count
        );
        // a reset lasts until every table is empty; a register, for all that hangs on it
        dff_setup!(self, clock, sweep, hold);
        self.swept.next = self.sweep.q.val().get_bit(10);
        if !self.swept.val() {
            self.sweep.d.next = self.sweep.q.val() + 1;
        }
        if self.reset.val() {
            self.sweep.d.next = 0.into();
        }
        self.hold.d.next = self.reset.val() | !self.swept.val();
        self.ready.next = !self.hold.q.val();
        self.classify.sweep.next = !self.swept.val();
        self.classify.sweep_slot.next = bit_cast::<12, 11>(self.sweep.q.val());
        self.entries.sweep.next = !self.swept.val();
        self.entries.sweep_slot.next = bit_cast::<12, 11>(self.sweep.q.val());
        self.entries.reset.next = self.hold.q.val();
        self.events.reset.next = self.hold.q.val();
        self.rate.reset.next = self.hold.q.val();
        self.clock_us.reset.next = self.hold.q.val();
        self.registers.reset.next = self.hold.q.val();
        self.front_rx.reset.next = self.hold.q.val();
        self.back_rx.reset.next = self.hold.q.val();
        self.classify.reset.next = self.hold.q.val();
        self.front_verdicts.reset.next = self.hold.q.val();
        self.back_verdicts.reset.next = self.hold.q.val();
        self.front_details.reset.next = self.hold.q.val();
        self.back_details.reset.next = self.hold.q.val();
        self.front_route.reset.next = self.hold.q.val();
        self.back_route.reset.next = self.hold.q.val();
        self.front_fwd.reset.next = self.hold.q.val();
        self.front_routes.reset.next = self.hold.q.val();
        self.back_fwd.reset.next = self.hold.q.val();
        self.back_routes.reset.next = self.hold.q.val();
        self.forward.reset.next = self.hold.q.val();
        self.front_host.reset.next = self.hold.q.val();
        self.back_host.reset.next = self.hold.q.val();
        self.back_control.reset.next = self.hold.q.val();
        self.host_arbiter.reset.next = self.hold.q.val();
        self.front_sends.reset.next = self.hold.q.val();
        self.back_sends.reset.next = self.hold.q.val();
        self.back_arbiter.reset.next = self.hold.q.val();
        self.front_outcomes.reset.next = self.hold.q.val();
        self.back_outcomes.reset.next = self.hold.q.val();
        self.front_rx_count.reset.next = self.hold.q.val();
        self.front_tx_count.reset.next = self.hold.q.val();
        self.back_rx_count.reset.next = self.hold.q.val();
        self.back_tx_count.reset.next = self.hold.q.val();

        // registers
        self.registers.address.next = self.reg_address.val();
        self.registers.wdata.next = self.reg_wdata.val();
        self.registers.write.next = self.reg_write.val();
        self.registers.read.next = self.reg_read.val();
        self.registers.build.next = self.build.val();
        self.registers.clock_khz.next = self.clock_khz.val();
        self.clock_us.khz.next = self.clock_khz.val();
        self.microsecond.next = self.clock_us.tick.val();
        self.reg_rdata.next = self.registers.rdata.val();
        self.reg_ack.next = self.registers.ack.val();
        self.registers.committed.next = self.classify.committed.val();
        self.classify.key.next = self.registers.key.val();
        self.classify.value.next = self.registers.value.val();
        self.classify.slot.next = self.registers.slot.val();
        self.classify.bank.next = self.registers.bank.val();
        self.classify.entry_valid.next = self.registers.entry_valid.val();
        self.classify.commit_forward.next = self.registers.commit_forward.val();
        self.classify.commit_endpoint.next = self.registers.commit_endpoint.val();
        self.classify.dest.next = self.registers.dest.val();
        self.classify.commit_dest.next = self.registers.commit_dest.val();
        self.classify.neighbour.next = self.registers.neighbour.val();
        self.classify.commit_neighbour.next = self.registers.commit_neighbour.val();
        self.classify.index.next = self.registers.index.val();
        self.classify.front_vlan.next = self.registers.front_vlan.val();
        self.classify.back_vlan.next = self.registers.back_vlan.val();

        // receive sides
        self.front_in.tdata.next = self.front_rx_tdata.val();
        self.front_in.tkeep.next = self.front_rx_tkeep.val();
        self.front_in.tlast.next = self.front_rx_tlast.val();
        self.front_in.tuser.next = self.front_rx_tuser.val();
        self.front_rx.s_beat.next = self.front_in.beat.val();
        self.front_rx.s_valid.next = self.front_rx_tvalid.val() & !self.hold.q.val();
        self.front_rx_tready.next = self.front_rx.s_ready.val() & !self.hold.q.val();
        self.front_rx.mac.next = self.registers.front_mac.val();
        self.front_rx.promiscuous.next = self.registers.front_promiscuous.val();
        self.front_rx.ethertype.next = self.registers.ethertype.val();
        self.front_rx.back.next = false;
        self.front_rx.key_read.next = self.classify.front_read.val();
        self.front_rx.meta_read.next = self.classify.front_meta_read.val();
        self.front_rx.beat_read.next = self.front_route.take.val();
        self.front_rx.tail_read.next = self.front_route.take_last.val();
        self.front_rx_count.strobe.next =
            self.front_rx_tvalid.val() & self.front_rx.s_ready.val() & !self.hold.q.val() & self.front_rx_tlast.val();
        self.registers.front_rx.next = self.front_rx_count.value.val();
        self.registers.front_tx.next = self.front_tx_count.value.val();

        self.back_in.tdata.next = self.back_rx_tdata.val();
        self.back_in.tkeep.next = self.back_rx_tkeep.val();
        self.back_in.tlast.next = self.back_rx_tlast.val();
        self.back_in.tuser.next = self.back_rx_tuser.val();
        self.back_rx.s_beat.next = self.back_in.beat.val();
        self.back_rx.s_valid.next = self.back_rx_tvalid.val() & !self.hold.q.val();
        self.back_rx_tready.next = self.back_rx.s_ready.val() & !self.hold.q.val();
        self.back_rx.mac.next = self.registers.back_mac.val();
        self.back_rx.promiscuous.next = self.registers.back_promiscuous.val();
        self.back_rx.ethertype.next = self.registers.ethertype.val();
        self.back_rx.back.next = true;
        self.back_rx.key_read.next = self.classify.back_read.val();
        self.back_rx.meta_read.next = self.classify.back_meta_read.val();
        self.back_rx.beat_read.next = self.back_route.take.val();
        self.back_rx.tail_read.next = self.back_route.take_last.val();
        self.back_rx_count.strobe.next =
            self.back_rx_tvalid.val() & self.back_rx.s_ready.val() & !self.hold.q.val() & self.back_rx_tlast.val();
        self.registers.back_rx.next = self.back_rx_count.value.val();
        self.registers.back_tx.next = self.back_tx_count.value.val();

        // lookup
        self.classify.front_meta.next = self.front_rx.meta.val();
        self.classify.front_ip_ok.next = self.front_rx.ip_ok.val();
        self.front_rx.sums_read.next = self.classify.front_sums_read.val();
        self.classify.front_key.next = self.front_rx.key.val();
        self.classify.front_valid.next = self.front_rx.key_valid.val();
        self.classify.front_level.next = self.front_verdicts.level.val();
        self.front_verdicts.data_in.next = self.classify.verdict.val();
        self.front_verdicts.write.next = self.classify.front_write.val();
        self.front_verdicts.read.next = self.front_route.take_last.val();
        self.front_details.data_in.next = self.classify.detail.val();
        self.front_details.write.next = self.classify.front_detail_write.val();
        self.front_details.read.next = self.front_route.detail_read.val();
        self.front_route.detail.next = self.front_details.data_out.val();
        self.classify.back_meta.next = self.back_rx.meta.val();
        self.classify.back_ip_ok.next = self.back_rx.ip_ok.val();
        self.back_rx.sums_read.next = self.classify.back_sums_read.val();
        self.classify.back_key.next = self.back_rx.key.val();
        self.classify.back_valid.next = self.back_rx.key_valid.val();
        self.classify.back_level.next = self.back_verdicts.level.val();
        self.back_verdicts.data_in.next = self.classify.verdict.val();
        self.back_verdicts.write.next = self.classify.back_write.val();
        self.back_verdicts.read.next = self.back_route.take_last.val();
        self.back_details.data_in.next = self.classify.detail.val();
        self.back_details.write.next = self.classify.back_detail_write.val();
        self.back_details.read.next = self.back_route.detail_read.val();
        self.back_route.detail.next = self.back_details.data_out.val();
        self.classify.back_ipos_ok.next = self.back_rx.ipos_ok.val();

        // dispatch
        self.front_route.back.next = false;
        self.front_route.front_mac.next = self.registers.front_mac.val();
        self.front_route.verdict.next = self.front_verdicts.data_out.val();
        self.front_route.verdict_valid.next = self.front_verdicts.valid.val();
        self.front_route.beat.next = self.front_rx.beat.val();
        self.front_route.beat_valid.next = self.front_rx.beat_valid.val();
        self.front_route.l4_ok.next = self.front_rx.l4_ok.val();
        self.front_route.cover_ok.next = self.front_rx.cover_ok.val();
        self.front_route.tail_valid.next = self.front_rx.tail_valid.val();
        self.front_fwd.data_in.next = self.front_route.fwd_beat.val();
        self.front_fwd.write.next = self.front_route.fwd_write.val();
        self.front_routes.promise.next = self.classify.front_promise.val();
        self.front_routes.way.next = self.classify.route.val();
        self.front_routes.starts.next = self.front_route.starts.val();
        self.front_routes.left.next = self.forward.a_left.val();
        self.front_routes.left_beats.next = self.forward.left_beats.val();
        self.classify.front_room.next = self.front_routes.room.val();
        self.front_host.beat_in.next = self.front_route.out_beat.val();
        self.front_host.write.next = self.front_route.host_write.val();
        self.front_host.finish.next = self.front_route.host_end.val();
        self.front_host.keep.next = self.front_route.keep.val();
        self.front_host.meta_in.next = self.front_route.out_meta.val();
        self.front_route.host_overflow.next = self.front_host.overflow.val();
        self.entries.front_hit.next = self.front_route.hit.val();
        self.entries.front_place.next = self.front_route.hit_place.val();
        self.entries.front_bytes.next = self.front_route.hit_bytes.val();
        self.entries.front_flags.next = self.front_route.hit_flags.val();
        self.front_outcomes.strobe.next = self.front_route.outcome_valid.val();
        self.front_outcomes.code.next = self.front_route.outcome.val();
        self.front_outcomes.read.next = self.registers.front_read.val();
        self.front_outcomes.read_code.next = self.registers.outcome_code.val();
        self.registers.front_ack.next = self.front_outcomes.ack.val();
        self.registers.front_value.next = self.front_outcomes.value.val();

        self.back_route.back.next = true;
        self.back_route.front_mac.next = self.registers.front_mac.val();
        self.back_route.verdict.next = self.back_verdicts.data_out.val();
        self.back_route.verdict_valid.next = self.back_verdicts.valid.val();
        self.back_route.beat.next = self.back_rx.beat.val();
        self.back_route.beat_valid.next = self.back_rx.beat_valid.val();
        self.back_route.l4_ok.next = self.back_rx.l4_ok.val();
        self.back_route.cover_ok.next = self.back_rx.cover_ok.val();
        self.back_route.tail_valid.next = self.back_rx.tail_valid.val();
        self.back_fwd.data_in.next = self.back_route.fwd_beat.val();
        self.back_fwd.write.next = self.back_route.fwd_write.val();
        self.back_routes.promise.next = self.classify.back_promise.val();
        self.back_routes.way.next = self.classify.route.val();
        self.back_routes.starts.next = self.back_route.starts.val();
        self.back_routes.left.next = self.forward.b_left.val();
        self.back_routes.left_beats.next = self.forward.left_beats.val();
        self.classify.back_room.next = self.back_routes.room.val();
        self.back_host.beat_in.next = self.back_route.out_beat.val();
        self.back_host.write.next = self.back_route.host_write.val();
        self.back_host.finish.next = self.back_route.host_end.val();
        self.back_host.keep.next = self.back_route.keep.val();
        self.back_host.meta_in.next = self.back_route.out_meta.val();
        self.back_route.host_overflow.next = self.back_host.overflow.val();
        self.entries.back_hit.next = self.back_route.hit.val();
        self.entries.back_place.next = self.back_route.hit_place.val();
        self.entries.back_bytes.next = self.back_route.hit_bytes.val();
        self.entries.back_flags.next = self.back_route.hit_flags.val();
        self.back_outcomes.strobe.next = self.back_route.outcome_valid.val();
        self.back_outcomes.code.next = self.back_route.outcome.val();
        self.back_outcomes.read.next = self.registers.back_read.val();
        self.back_outcomes.read_code.next = self.registers.outcome_code.val();
        self.registers.back_ack.next = self.back_outcomes.ack.val();
        self.registers.back_value.next = self.back_outcomes.value.val();

        // the front port has no control packets
        self.front_route.control_overflow.next = false;
        self.back_control.beat_in.next = self.back_route.out_beat.val();
        self.back_control.write.next = self.back_route.control_write.val();
        self.back_control.finish.next = self.back_route.control_end.val();
        self.back_control.keep.next = self.back_route.keep.val();
        self.back_control.meta_in.next = self.back_route.out_meta.val();
        self.back_route.control_overflow.next = self.back_control.overflow.val();

        // only what came encapsulated can be forwarded again
        self.classify.allow.next = self.rate.allow.val();
        self.rate.microsecond.next = self.clock_us.tick.val();
        self.rate.period.next = self.registers.reforward.val();
        self.rate.take.next = self.classify.reforward.val();

        // what entries carry, and events
        self.entries.clear.next = self.classify.forward_committed.val();
        self.entries.clear_place.next =
            (bit_cast::<14, 2>(self.registers.bank.val()) << 12) | bit_cast::<14, 12>(self.registers.slot.val());
        self.entries.select.next = self.registers.select.val();
        self.entries.select_place.next = self.registers.select_place.val();
        self.entries.forget.next = self.registers.forget.val();
        self.registers.selected.next = self.entries.selected.val();
        self.registers.select_done.next = self.entries.done.val();
        self.events.data_in.next = self.entries.event_data.val();
        self.events.write.next = self.entries.event_valid.val() & (self.events.level.val() != 15);
        self.event_lost.next = self.entries.event_valid.val() & (self.events.level.val() == 15);
        self.event_data.next = self.events.data_out.val();
        self.event_valid.next = self.events.valid.val();
        self.events.read.next = self.events.valid.val() & self.event_ready.val();

        // forward buffers, one encapsulator
        self.forward.a_route.next = self.front_routes.route.val();
        self.forward.a_route_valid.next = self.front_routes.valid.val();
        self.front_routes.read.next = self.forward.a_route_read.val();
        self.forward.a_beat.next = self.front_fwd.data_out.val();
        self.forward.a_valid.next = self.front_fwd.valid.val();
        self.front_fwd.read.next = self.forward.a_read.val();
        self.forward.b_route.next = self.back_routes.route.val();
        self.forward.b_route_valid.next = self.back_routes.valid.val();
        self.back_routes.read.next = self.forward.b_route_read.val();
        self.forward.b_beat.next = self.back_fwd.data_out.val();
        self.forward.b_valid.next = self.back_fwd.valid.val();
        self.back_fwd.read.next = self.forward.b_read.val();
        self.forward.mac.next = self.registers.back_mac.val();
        self.forward.ethertype.next = self.registers.ethertype.val();

        // host to wire
        self.front_host_in.tdata.next = self.front_send_tdata.val();
        self.front_host_in.tkeep.next = self.front_send_tkeep.val();
        self.front_host_in.tlast.next = self.front_send_tlast.val();
        self.front_host_in.tuser.next = self.front_send_tuser.val();
        self.front_send_used.next = self.front_sends.used.val();
        self.front_send_frames.next = self.front_sends.held.val();
        self.front_sends.s_beat.next = self.front_host_in.beat.val();
        self.front_sends.s_checksum.next = self.front_send_checksum.val();
        // their buffers hold these back from the second cycle of `hold` on
        self.front_sends.s_valid.next = self.front_send_tvalid.val();
        self.front_send_tready.next = self.front_sends.s_ready.val();
        self.back_host_in.tdata.next = self.back_send_tdata.val();
        self.back_host_in.tkeep.next = self.back_send_tkeep.val();
        self.back_host_in.tlast.next = self.back_send_tlast.val();
        self.back_host_in.tuser.next = self.back_send_tuser.val();
        self.back_send_used.next = self.back_sends.used.val();
        self.back_send_frames.next = self.back_sends.held.val();
        self.back_sends.s_beat.next = self.back_host_in.beat.val();
        self.back_sends.s_checksum.next = self.back_send_checksum.val();
        self.back_sends.s_valid.next = self.back_send_tvalid.val();
        self.back_send_tready.next = self.back_sends.s_ready.val();
        self.back_arbiter.a_beat.next = self.forward.m_beat.val();
        self.back_arbiter.a_meta.next = 0.into();
        self.back_arbiter.a_valid.next = self.forward.m_valid.val();
        self.forward.m_ready.next = self.back_arbiter.a_ready.val();
        self.back_arbiter.b_beat.next = self.back_sends.m_beat.val();
        self.back_arbiter.b_meta.next = 0.into();
        self.back_arbiter.b_valid.next = self.back_sends.m_valid.val();
        self.back_sends.m_ready.next = self.back_arbiter.b_ready.val();
        self.front_out.beat.next = self.front_sends.m_beat.val();
        self.front_tx_tvalid.next = self.front_sends.m_valid.val();
        self.front_sends.m_ready.next = self.front_tx_tready.val();
        self.back_out.beat.next = self.back_arbiter.m_beat.val();
        self.back_tx_tvalid.next = self.back_arbiter.m_valid.val();
        self.back_arbiter.m_ready.next = self.back_tx_tready.val();
        self.front_tx_tdata.next = self.front_out.tdata.val();
        self.front_tx_tkeep.next = self.front_out.tkeep.val();
        self.front_tx_tlast.next = self.front_out.tlast.val();
        self.front_tx_tuser.next = self.front_out.tuser.val();
        self.back_tx_tdata.next = self.back_out.tdata.val();
        self.back_tx_tkeep.next = self.back_out.tkeep.val();
        self.back_tx_tlast.next = self.back_out.tlast.val();
        self.back_tx_tuser.next = self.back_out.tuser.val();
        self.front_tx_count.strobe.next =
            self.front_tx_tready.val() & self.front_sends.m_valid.val() & self.front_sends.m_beat.val().last;
        self.back_tx_count.strobe.next =
            self.back_tx_tready.val() & self.back_arbiter.m_valid.val() & self.back_arbiter.m_beat.val().last;

        // card to host
        self.host_arbiter.a_beat.next = self.front_host.m_beat.val();
        self.host_arbiter.a_meta.next = self.front_host.m_meta.val();
        self.host_arbiter.a_valid.next = self.front_host.m_valid.val();
        self.front_host.m_ready.next = self.host_arbiter.a_ready.val();
        self.host_arbiter.b_beat.next = self.back_host.m_beat.val();
        self.host_arbiter.b_meta.next = self.back_host.m_meta.val();
        self.host_arbiter.b_valid.next = self.back_host.m_valid.val();
        self.back_host.m_ready.next = self.host_arbiter.b_ready.val();
        self.host_out.beat.next = self.host_arbiter.m_beat.val();
        self.host_meta.next = self.host_arbiter.m_meta.val();
        self.host_tvalid.next = self.host_arbiter.m_valid.val();
        self.host_arbiter.m_ready.next = self.host_tready.val();
        self.control_out.beat.next = self.back_control.m_beat.val();
        self.control_meta.next = self.back_control.m_meta.val();
        self.control_tvalid.next = self.back_control.m_valid.val();
        self.back_control.m_ready.next = self.control_tready.val();
        self.host_tdata.next = self.host_out.tdata.val();
        self.host_tkeep.next = self.host_out.tkeep.val();
        self.host_tlast.next = self.host_out.tlast.val();
        self.control_tdata.next = self.control_out.tdata.val();
        self.control_tkeep.next = self.control_out.tkeep.val();
        self.control_tlast.next = self.control_out.tlast.val();
    }
}
