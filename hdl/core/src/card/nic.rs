//! The card whole, as a PCIe core and two MACs see it: pipelines, queues and transaction layer.
//! `docs/datapath.md` and `docs/host-interface.md` walk through it.
use super::Card;
use crate::dma::Host;
use crate::pcie::Engine;
use crate::stream::{FromAxis, Inlet, Outlet, ToAxis};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `pcie_*`, `cfg_*`, `fc_*`, `link_up`, `flr`: the border to the PCIe core, of which `docs/host-interface.md` tells.
    /// `*_rx_*`, `*_tx_*`: the MACs.
    pub struct Nic {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub build: Signal<In, Bits<32>>,
        /// The clock's rate.
        pub clock_khz: Signal<In, Bits<18>>,
        pub front_rx_tdata: Signal<In, Bits<64>>,
        pub front_rx_tkeep: Signal<In, Bits<8>>,
        pub front_rx_tlast: Signal<In, Bit>,
        pub front_rx_tuser: Signal<In, Bit>,
        pub front_rx_tvalid: Signal<In, Bit>,
        pub front_rx_tready: Signal<Out, Bit>,
        pub back_rx_tdata: Signal<In, Bits<64>>,
        pub back_rx_tkeep: Signal<In, Bits<8>>,
        pub back_rx_tlast: Signal<In, Bit>,
        pub back_rx_tuser: Signal<In, Bit>,
        pub back_rx_tvalid: Signal<In, Bit>,
        pub back_rx_tready: Signal<Out, Bit>,
        pub front_tx_tdata: Signal<Out, Bits<64>>,
        pub front_tx_tkeep: Signal<Out, Bits<8>>,
        pub front_tx_tlast: Signal<Out, Bit>,
        pub front_tx_tuser: Signal<Out, Bit>,
        pub front_tx_tvalid: Signal<Out, Bit>,
        pub front_tx_tready: Signal<In, Bit>,
        pub back_tx_tdata: Signal<Out, Bits<64>>,
        pub back_tx_tkeep: Signal<Out, Bits<8>>,
        pub back_tx_tlast: Signal<Out, Bit>,
        pub back_tx_tuser: Signal<Out, Bit>,
        pub back_tx_tvalid: Signal<Out, Bit>,
        pub back_tx_tready: Signal<In, Bit>,
        pub pcie_rx_tdata: Signal<In, Bits<64>>,
        pub pcie_rx_tkeep: Signal<In, Bits<8>>,
        pub pcie_rx_tlast: Signal<In, Bit>,
        pub pcie_rx_tuser: Signal<In, Bit>,
        pub pcie_rx_tvalid: Signal<In, Bit>,
        pub pcie_rx_tready: Signal<Out, Bit>,
        pub pcie_rx_freed: Signal<Out, Bit>,
        pub pcie_tx_tdata: Signal<Out, Bits<64>>,
        pub pcie_tx_tkeep: Signal<Out, Bits<8>>,
        pub pcie_tx_tlast: Signal<Out, Bit>,
        pub pcie_tx_tuser: Signal<Out, Bit>,
        pub pcie_tx_tvalid: Signal<Out, Bit>,
        pub pcie_tx_tready: Signal<In, Bit>,
        pub cfg_id: Signal<In, Bits<16>>,
        pub cfg_mps: Signal<In, Bits<3>>,
        pub cfg_mrrs: Signal<In, Bits<3>>,
        pub cfg_power: Signal<In, Bits<2>>,
        pub cfg_master: Signal<In, Bit>,
        pub cfg_memory: Signal<In, Bit>,
        pub cfg_timeout: Signal<In, Bits<4>>,
        pub cfg_timeout_off: Signal<In, Bit>,
        pub cfg_pending: Signal<Out, Bit>,
        pub cfg_errors: Signal<Out, Bits<7>>,
        pub cfg_msix: Signal<In, Bit>,
        pub cfg_msix_mask: Signal<In, Bit>,
        pub fc_ph: Signal<In, Bits<8>>,
        pub fc_pd: Signal<In, Bits<12>>,
        pub fc_nph: Signal<In, Bits<8>>,
        pub fc_cplh: Signal<In, Bits<8>>,
        pub fc_cpld: Signal<In, Bits<12>>,
        pub fc_infinite: Signal<In, Bits<5>>,
        pub link_up: Signal<In, Bit>,
        /// Function reset, a cycle or more; `flr_done` is low until it has ended.
        pub flr: Signal<In, Bit>,
        pub flr_done: Signal<Out, Bit>,
        card: Card,
        host: Host,
        engine: Engine,
        receive_in: FromAxis,
        control_in: FromAxis,
        front_out: ToAxis,
        back_out: ToAxis,
        front_inlet: Inlet,
        back_inlet: Inlet,
        front_outlet: Outlet,
        back_outlet: Outlet,
        pcie_outlet: Outlet,
        awake: Signal<Local, Bit>,
        // what asks for a reset, a cycle ago
        asked: DFF<Bit>,
        fell: DFF<Bit>,
        down: DFF<Bit>,
        // a reset ends with the sweep of the tables, for the queues a cycle later, for the inputs another one
        resets: DFF<Bit>,
        held: DFF<Bit>,
        hold: DFF<Bit>,
    }
}

impl Logic for Nic {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asked, fell, down, resets, held, hold);
        clock!(self, clock, card, host, engine, front_inlet, back_inlet);
        clock!(self, clock, front_outlet, back_outlet, pcie_outlet);
        self.asked.d.next = self.flr.val() | !self.link_up.val();
        self.resets.d.next = self.reset.val() | self.asked.q.val();
        self.card.reset.next = self.resets.d.val();
        self.held.d.next = self.resets.d.val() | !self.card.ready.val();
        self.hold.d.next = self.held.d.val() | self.held.q.val();
        self.host.reset.next = self.held.q.val();
        self.engine.reset.next = self.held.q.val();
        // the link's own state goes with the function's first cycle of reset, not before
        self.fell.d.next = !self.link_up.val();
        self.down.d.next = self.reset.val() | self.fell.q.val();
        self.engine.down.next = self.down.q.val();
        self.flr_done.next = !self.hold.q.val() & !self.asked.q.val() & !self.flr.val();
        self.engine.khz.next = self.clock_khz.val();
        self.card.clock_khz.next = self.clock_khz.val();
        self.host.microsecond.next = self.card.microsecond.val();
        self.card.build.next = self.build.val();

        // MACs
        self.card.front_rx_tdata.next = self.front_rx_tdata.val();
        self.card.front_rx_tkeep.next = self.front_rx_tkeep.val();
        self.card.front_rx_tlast.next = self.front_rx_tlast.val();
        self.card.front_rx_tuser.next = self.front_rx_tuser.val();
        self.front_inlet.reset.next = self.reset.val();
        self.front_inlet.hold.next = self.hold.q.val();
        self.front_inlet.valid.next = self.front_rx_tvalid.val();
        self.front_inlet.last.next = self.front_rx_tlast.val();
        self.front_rx_tready.next = self.front_inlet.ready.val();
        self.card.front_rx_tvalid.next = self.front_inlet.go.val();
        self.front_inlet.accept.next = self.card.front_rx_tready.val();
        self.card.back_rx_tdata.next = self.back_rx_tdata.val();
        self.card.back_rx_tkeep.next = self.back_rx_tkeep.val();
        self.card.back_rx_tlast.next = self.back_rx_tlast.val();
        self.card.back_rx_tuser.next = self.back_rx_tuser.val();
        self.back_inlet.reset.next = self.reset.val();
        self.back_inlet.hold.next = self.hold.q.val();
        self.back_inlet.valid.next = self.back_rx_tvalid.val();
        self.back_inlet.last.next = self.back_rx_tlast.val();
        self.back_rx_tready.next = self.back_inlet.ready.val();
        self.card.back_rx_tvalid.next = self.back_inlet.go.val();
        self.back_inlet.accept.next = self.card.back_rx_tready.val();
        self.front_outlet.reset.next = self.reset.val();
        self.front_outlet.cut.next = self.resets.q.val();
        self.front_outlet.s_data.next = self.card.front_tx_tdata.val();
        self.front_outlet.s_keep.next = self.card.front_tx_tkeep.val();
        self.front_outlet.s_last.next = self.card.front_tx_tlast.val();
        self.front_outlet.s_user.next = self.card.front_tx_tuser.val();
        self.front_outlet.s_valid.next = self.card.front_tx_tvalid.val();
        self.card.front_tx_tready.next = self.front_outlet.s_ready.val();
        self.front_tx_tdata.next = self.front_outlet.m_data.val();
        self.front_tx_tkeep.next = self.front_outlet.m_keep.val();
        self.front_tx_tlast.next = self.front_outlet.m_last.val();
        self.front_tx_tuser.next = self.front_outlet.m_user.val();
        self.front_tx_tvalid.next = self.front_outlet.m_valid.val();
        self.front_outlet.m_ready.next = self.front_tx_tready.val();
        self.back_outlet.reset.next = self.reset.val();
        self.back_outlet.cut.next = self.resets.q.val();
        self.back_outlet.s_data.next = self.card.back_tx_tdata.val();
        self.back_outlet.s_keep.next = self.card.back_tx_tkeep.val();
        self.back_outlet.s_last.next = self.card.back_tx_tlast.val();
        self.back_outlet.s_user.next = self.card.back_tx_tuser.val();
        self.back_outlet.s_valid.next = self.card.back_tx_tvalid.val();
        self.card.back_tx_tready.next = self.back_outlet.s_ready.val();
        self.back_tx_tdata.next = self.back_outlet.m_data.val();
        self.back_tx_tkeep.next = self.back_outlet.m_keep.val();
        self.back_tx_tlast.next = self.back_outlet.m_last.val();
        self.back_tx_tuser.next = self.back_outlet.m_user.val();
        self.back_tx_tvalid.next = self.back_outlet.m_valid.val();
        self.back_outlet.m_ready.next = self.back_tx_tready.val();

        // PCIe core
        self.engine.rx_tdata.next = self.pcie_rx_tdata.val();
        self.engine.rx_tkeep.next = self.pcie_rx_tkeep.val();
        self.engine.rx_tlast.next = self.pcie_rx_tlast.val();
        self.engine.rx_hit.next = self.pcie_rx_tuser.val();
        self.engine.rx_tvalid.next = self.pcie_rx_tvalid.val();
        self.pcie_rx_tready.next = self.engine.rx_tready.val();
        self.pcie_rx_freed.next = self.engine.rx_freed.val();
        self.pcie_outlet.reset.next = self.reset.val();
        self.pcie_outlet.cut.next = self.held.q.val();
        self.pcie_outlet.s_data.next = self.engine.tx_tdata.val();
        self.pcie_outlet.s_keep.next = self.engine.tx_tkeep.val();
        self.pcie_outlet.s_last.next = self.engine.tx_tlast.val();
        self.pcie_outlet.s_user.next = false;
        self.pcie_outlet.s_valid.next = self.engine.tx_tvalid.val();
        self.engine.tx_tready.next = self.pcie_outlet.s_ready.val();
        self.pcie_tx_tdata.next = self.pcie_outlet.m_data.val();
        self.pcie_tx_tkeep.next = self.pcie_outlet.m_keep.val();
        self.pcie_tx_tlast.next = self.pcie_outlet.m_last.val();
        self.pcie_tx_tuser.next = self.pcie_outlet.m_user.val();
        self.pcie_tx_tvalid.next = self.pcie_outlet.m_valid.val();
        self.pcie_outlet.m_ready.next = self.pcie_tx_tready.val();
        self.engine.cfg_id.next = self.cfg_id.val();
        self.engine.cfg_mps.next = self.cfg_mps.val();
        self.engine.cfg_mrrs.next = self.cfg_mrrs.val();
        // in D3hot the function asks for nothing and answers configuration alone (5.3.1.4.1; one reading)
        self.awake.next = self.cfg_power.val() == 0;
        self.engine.cfg_master.next = self.cfg_master.val() & self.awake.val();
        self.engine.cfg_memory.next = self.cfg_memory.val() & self.awake.val();
        self.engine.cfg_timeout.next = self.cfg_timeout.val();
        self.engine.cfg_timeout_off.next = self.cfg_timeout_off.val();
        self.cfg_pending.next = self.engine.pending.val();
        self.cfg_errors.next = self.engine.found.val();
        self.engine.fc_ph.next = self.fc_ph.val();
        self.engine.fc_pd.next = self.fc_pd.val();
        self.engine.fc_nph.next = self.fc_nph.val();
        self.engine.fc_cplh.next = self.fc_cplh.val();
        self.engine.fc_cpld.next = self.fc_cpld.val();
        self.engine.fc_infinite.next = self.fc_infinite.val();
        self.host.msix.next = self.cfg_msix.val();
        self.host.msix_mask.next = self.cfg_msix_mask.val();
        self.host.master.next = self.cfg_master.val() & self.awake.val();

        // registers: the transaction layer's own, the queues', else the pipelines'
        self.host.address.next = self.engine.bus_address.val();
        self.host.wdata.next = self.engine.bus_wdata.val();
        self.host.write.next = self.engine.bus_write.val();
        self.host.read.next = self.engine.bus_read.val();
        self.card.reg_address.next = self.engine.bus_address.val();
        self.card.reg_wdata.next = self.engine.bus_wdata.val();
        self.card.reg_write.next = self.engine.bus_write.val() & !self.host.mine.val();
        self.card.reg_read.next = self.engine.bus_read.val() & !self.host.mine.val();
        // zero from whoever does not answer
        self.engine.bus_rdata.next = self.card.reg_rdata.val() | self.host.rdata.val();
        self.engine.bus_ack.next = self.card.reg_ack.val() | self.host.ack.val();

        // host memory
        self.engine.write_address.next = self.host.write_target.val().address;
        self.engine.write_source.next = self.host.write_target.val().source;
        self.engine.write_offers.next = self.host.write_offers.val();
        self.engine.write_ends.next = self.host.write_ends.val();
        self.host.write_left.next = self.engine.write_left.val();
        self.host.write_left_source.next = self.engine.write_left_source.val();
        self.host.write_left_entries.next = self.engine.write_left_entries.val();
        self.host.write_flying.next = self.engine.write_flying.val();
        self.engine.write_length.next = self.host.write_target.val().length;
        self.engine.write_beat.next = self.host.write_beat.val();
        self.engine.write_valid.next = self.host.write_valid.val();
        self.host.write_ready.next = self.engine.write_ready.val();
        self.engine.read_address.next = self.host.fetch.val().address;
        self.engine.read_length.next = self.host.fetch.val().length;
        self.engine.read_client.next = self.host.fetch.val().client;
        self.engine.read_valid.next = self.host.fetch_valid.val();
        self.host.fetch_ready.next = self.engine.read_ready.val();
        self.host.fetch_issued.next = self.engine.read_issued.val();
        self.host.fetch_busy.next = self.engine.read_busy.val();
        self.host.data_beat.next = self.engine.data_beat.val();
        self.host.data_client.next = self.engine.data_client.val();
        self.host.data_valid.next = self.engine.data_valid.val();
        self.engine.data_ready.next = self.host.data_ready.val();
        self.engine.queue_error.next = self.host.stopped.val();
        self.engine.event_lost.next = self.host.event_lost.val() | self.card.event_lost.val();
        self.host.raise_error.next = self.engine.raise.val();

        // frames and events to the host
        self.receive_in.tdata.next = self.card.host_tdata.val();
        self.receive_in.tkeep.next = self.card.host_tkeep.val();
        self.receive_in.tlast.next = self.card.host_tlast.val();
        self.receive_in.tuser.next = false;
        self.host.receive_beat.next = self.receive_in.beat.val();
        self.host.receive_meta.next = self.card.host_meta.val();
        self.host.receive_valid.next = self.card.host_tvalid.val();
        self.card.host_tready.next = self.host.receive_ready.val();
        self.control_in.tdata.next = self.card.control_tdata.val();
        self.control_in.tkeep.next = self.card.control_tkeep.val();
        self.control_in.tlast.next = self.card.control_tlast.val();
        self.control_in.tuser.next = false;
        self.host.control_beat.next = self.control_in.beat.val();
        self.host.control_meta.next = self.card.control_meta.val();
        self.host.control_valid.next = self.card.control_tvalid.val();
        self.card.control_tready.next = self.host.control_ready.val();
        self.host.event_data.next = self.card.event_data.val();
        self.host.event_valid.next = self.card.event_valid.val();
        self.card.event_ready.next = self.host.event_ready.val();

        // and from it
        self.front_out.beat.next = self.host.front_beat.val();
        self.card.front_send_tdata.next = self.front_out.tdata.val();
        self.card.front_send_tkeep.next = self.front_out.tkeep.val();
        self.card.front_send_tlast.next = self.front_out.tlast.val();
        self.card.front_send_tuser.next = self.front_out.tuser.val();
        self.card.front_send_checksum.next = self.host.front_checksum.val();
        self.card.front_send_tvalid.next = self.host.front_valid.val();
        self.host.front_ready.next = self.card.front_send_tready.val();
        self.host.front_used.next = self.card.front_send_used.val();
        self.host.front_frames.next = self.card.front_send_frames.val();
        self.back_out.beat.next = self.host.back_beat.val();
        self.card.back_send_tdata.next = self.back_out.tdata.val();
        self.card.back_send_tkeep.next = self.back_out.tkeep.val();
        self.card.back_send_tlast.next = self.back_out.tlast.val();
        self.card.back_send_tuser.next = self.back_out.tuser.val();
        self.card.back_send_checksum.next = self.host.back_checksum.val();
        self.card.back_send_tvalid.next = self.host.back_valid.val();
        self.host.back_ready.next = self.card.back_send_tready.val();
        self.host.back_used.next = self.card.back_send_used.val();
        self.host.back_frames.next = self.card.back_send_frames.val();
    }
}
