//! The transaction layer whole: TLP streams and the link's settings outside, the card's ports inside.
use super::{Complete, Errors, Read, Receive, Send, Write};
use crate::stream::{Beat, Slice, ToAxis};
use ipos_abi::queue::LENGTH_BITS;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `docs/host-interface.md` has the picture. Offsets 0x600 to 0x6ff are answered here, all others on `bus_*`.
    pub struct Engine {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub rx_tdata: Signal<In, Bits<64>>,
        pub rx_tkeep: Signal<In, Bits<8>>,
        pub rx_tlast: Signal<In, Bit>,
        pub rx_tvalid: Signal<In, Bit>,
        pub rx_tready: Signal<Out, Bit>,
        pub tx_tdata: Signal<Out, Bits<64>>,
        pub tx_tkeep: Signal<Out, Bits<8>>,
        pub tx_tlast: Signal<Out, Bit>,
        pub tx_tvalid: Signal<Out, Bit>,
        pub tx_tready: Signal<In, Bit>,
        pub cfg_id: Signal<In, Bits<16>>,
        pub cfg_mps: Signal<In, Bits<3>>,
        pub cfg_mrrs: Signal<In, Bits<3>>,
        pub cfg_master: Signal<In, Bit>,
        pub fc_ph: Signal<In, Bits<8>>,
        pub fc_pd: Signal<In, Bits<12>>,
        pub fc_nph: Signal<In, Bits<8>>,
        pub fc_cplh: Signal<In, Bits<8>>,
        pub fc_cpld: Signal<In, Bits<12>>,
        pub fc_infinite: Signal<In, Bits<5>>,
        /// Write port: address and length hold from the first beat to the last.
        pub write_address: Signal<In, Bits<64>>,
        pub write_length: Signal<In, Bits<LENGTH_BITS>>,
        pub write_beat: Signal<In, Beat>,
        pub write_valid: Signal<In, Bit>,
        pub write_ready: Signal<Out, Bit>,
        /// Read port.
        pub read_address: Signal<In, Bits<64>>,
        pub read_length: Signal<In, Bits<13>>,
        pub read_client: Signal<In, Bits<3>>,
        pub read_valid: Signal<In, Bit>,
        pub read_ready: Signal<Out, Bit>,
        pub data_beat: Signal<Out, Beat>,
        pub data_client: Signal<Out, Bits<3>>,
        pub data_valid: Signal<Out, Bit>,
        pub data_ready: Signal<In, Bit>,
        /// Register bus.
        pub bus_address: Signal<Out, Bits<16>>,
        pub bus_wdata: Signal<Out, Bits<32>>,
        pub bus_write: Signal<Out, Bit>,
        pub bus_read: Signal<Out, Bit>,
        /// Zero but with `bus_ack`.
        pub bus_rdata: Signal<In, Bits<32>>,
        pub bus_ack: Signal<In, Bit>,
        /// Strobes from the queues: causes 7 and 8 of `DmaError`.
        pub queue_error: Signal<In, Bit>,
        pub event_lost: Signal<In, Bit>,
        /// A cause was newly set: the error vector is due.
        pub raise: Signal<Out, Bit>,
        receive: Receive,
        complete: Complete,
        errors: Errors,
        writer: Write,
        reader: Read,
        // between the writer's and the completer's steps and the choice of a TLP
        written: Slice<Bits<12>>,
        completed: Slice<Bits<1>>,
        // between the read buffer's place and who takes its data
        fetched: Slice<Bits<3>>,
        send: Send,
        to_axis: ToAxis,
        // an access on its way out
        writes: DFF<Bit>,
        reads: DFF<Bit>,
        causes: Signal<Local, Bits<9>>,
        ours: Signal<Local, Bit>,
        others: Signal<Local, Bit>,
    }
}

impl Logic for Engine {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, writes, reads);
        clock!(self, clock, receive, complete, errors, writer, written, completed, reader, fetched, send);
        self.receive.reset.next = self.reset.val();
        self.complete.reset.next = self.reset.val();
        self.errors.reset.next = self.reset.val();
        self.writer.reset.next = self.reset.val();
        self.reader.reset.next = self.reset.val();
        self.written.reset.next = self.reset.val();
        self.fetched.reset.next = self.reset.val();
        self.completed.reset.next = self.reset.val();
        self.send.reset.next = self.reset.val();

        // TLPs in
        self.receive.tdata.next = self.rx_tdata.val();
        self.receive.tkeep.next = self.rx_tkeep.val();
        self.receive.tlast.next = self.rx_tlast.val();
        self.receive.tvalid.next = self.rx_tvalid.val();
        self.rx_tready.next = self.receive.tready.val();
        self.complete.request.next = self.receive.request.val();
        self.complete.request_valid.next = self.receive.request_valid.val();
        self.receive.request_ready.next = self.complete.request_ready.val();
        self.reader.header.next = self.receive.header.val();
        self.reader.header_valid.next = self.receive.header_valid.val();
        self.reader.data.next = self.receive.data.val();
        self.reader.data_valid.next = self.receive.data_valid.val();
        self.reader.ended.next = self.receive.ended.val();
        self.reader.good.next = self.receive.good.val();

        // registers
        self.complete.id.next = self.cfg_id.val();
        self.ours.next = self.errors.ack.val();
        self.bus_address.next = self.complete.address.val();
        self.bus_wdata.next = self.complete.wdata.val();
        self.errors.address.next = self.complete.address.val();
        self.errors.wdata.next = self.complete.wdata.val();
        self.errors.write.next = self.complete.write.val();
        self.errors.read.next = self.complete.read.val();
        self.others.next = !self.errors.mine.val() & !self.bus_ack.val();
        self.writes.d.next = self.complete.write.val() & self.others.val();
        self.reads.d.next = self.complete.read.val() & self.others.val();
        self.bus_write.next = self.writes.q.val();
        self.bus_read.next = self.reads.q.val();
        self.complete.rdata.next = self.bus_rdata.val() | self.errors.rdata.val();
        self.complete.ack.next = self.bus_ack.val() | self.ours.val();
        self.errors.master.next = self.cfg_master.val();
        self.errors.mps.next = self.cfg_mps.val();
        self.errors.mrrs.next = self.cfg_mrrs.val();
        self.errors.outstanding.next = self.reader.outstanding.val();
        self.causes.next = 0.into();
        if self.complete.unsupported.val() {
            self.causes.next = self.causes.val().replace_bit(0, true);
        }
        if self.complete.poisoned.val() | self.reader.poisoned.val() {
            self.causes.next = self.causes.val().replace_bit(1, true);
        }
        if self.reader.unexpected.val() {
            self.causes.next = self.causes.val().replace_bit(2, true);
        }
        if self.reader.refused.val() {
            self.causes.next = self.causes.val().replace_bit(3, true);
        }
        if self.reader.timed_out.val() {
            self.causes.next = self.causes.val().replace_bit(4, true);
        }
        if self.receive.malformed.val() {
            self.causes.next = self.causes.val().replace_bit(5, true);
        }
        if self.complete.refused.val() {
            self.causes.next = self.causes.val().replace_bit(6, true);
        }
        if self.queue_error.val() {
            self.causes.next = self.causes.val().replace_bit(7, true);
        }
        if self.event_lost.val() {
            self.causes.next = self.causes.val().replace_bit(8, true);
        }
        self.errors.causes.next = self.causes.val();
        self.raise.next = self.errors.raise.val();

        // write and read ports
        self.writer.id.next = self.cfg_id.val();
        self.writer.mps.next = self.cfg_mps.val();
        self.writer.address.next = self.write_address.val();
        self.writer.length.next = self.write_length.val();
        self.writer.s_beat.next = self.write_beat.val();
        self.writer.s_valid.next = self.write_valid.val();
        self.write_ready.next = self.writer.s_ready.val();
        self.reader.id.next = self.cfg_id.val();
        self.reader.mrrs.next = self.cfg_mrrs.val();
        self.reader.timeout.next = self.errors.timeout.val();
        self.reader.address.next = self.read_address.val();
        self.reader.length.next = self.read_length.val();
        self.reader.client.next = self.read_client.val();
        self.reader.s_valid.next = self.read_valid.val();
        self.read_ready.next = self.reader.s_ready.val();
        self.fetched.s_beat.next = self.reader.d_beat.val();
        self.fetched.s_meta.next = self.reader.d_client.val();
        self.fetched.s_valid.next = self.reader.d_valid.val();
        self.reader.d_ready.next = self.fetched.s_ready.val();
        self.data_beat.next = self.fetched.m_beat.val();
        self.data_client.next = self.fetched.m_meta.val();
        self.data_valid.next = self.fetched.m_valid.val();
        self.fetched.m_ready.next = self.data_ready.val();

        // TLPs out
        self.send.master.next = self.cfg_master.val();
        self.send.fc_ph.next = self.fc_ph.val();
        self.send.fc_pd.next = self.fc_pd.val();
        self.send.fc_nph.next = self.fc_nph.val();
        self.send.fc_cplh.next = self.fc_cplh.val();
        self.send.fc_cpld.next = self.fc_cpld.val();
        self.send.fc_infinite.next = self.fc_infinite.val();
        self.written.s_beat.next = self.writer.m_beat.val();
        self.written.s_meta.next = self.writer.m_credits.val();
        self.written.s_valid.next = self.writer.m_valid.val();
        self.writer.m_ready.next = self.written.s_ready.val();
        self.send.p_beat.next = self.written.m_beat.val();
        self.send.p_credits.next = self.written.m_meta.val();
        self.send.p_coming.next = self.writer.m_credits.val();
        self.send.p_valid.next = self.written.m_valid.val();
        self.written.m_ready.next = self.send.p_ready.val();
        self.send.n_beat.next = self.reader.m_beat.val();
        self.send.n_valid.next = self.reader.m_valid.val();
        self.reader.m_ready.next = self.send.n_ready.val();
        self.completed.s_beat.next = self.complete.m_beat.val();
        self.completed.s_meta.next = 0.into();
        if self.complete.m_data.val() {
            self.completed.s_meta.next = 1.into();
        }
        self.completed.s_valid.next = self.complete.m_valid.val();
        self.complete.m_ready.next = self.completed.s_ready.val();
        self.send.c_beat.next = self.completed.m_beat.val();
        self.send.c_data.next = self.completed.m_meta.val().get_bit(0);
        self.send.c_valid.next = self.completed.m_valid.val();
        self.completed.m_ready.next = self.send.c_ready.val();
        self.to_axis.beat.next = self.send.m_beat.val();
        self.tx_tdata.next = self.to_axis.tdata.val();
        self.tx_tkeep.next = self.to_axis.tkeep.val();
        self.tx_tlast.next = self.to_axis.tlast.val();
        self.tx_tvalid.next = self.send.m_valid.val();
        self.send.m_ready.next = self.tx_tready.val();
        if self.reset.val() {
            self.writes.d.next = false;
            self.reads.d.next = false;
        }
    }
}
