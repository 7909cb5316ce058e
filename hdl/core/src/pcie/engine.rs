//! The transaction layer whole: TLP streams and the link's settings outside, the card's ports inside.
use super::{Complete, Errors, Order, Read, Receive, Request, Send, Timer, Write};
use crate::stream::{Beat, Slice, SmallFifo, ToAxis};
use ipos_abi::queue::LENGTH_BITS;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// `docs/host-interface.md` has the picture. Offsets 0x600 to 0x6ff are answered here, all others on `bus_*`.
    pub struct Engine {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        /// The link is down, or power has come on. With it `reset`, at least as long.
        pub down: Signal<In, Bit>,
        /// The clock's rate.
        pub khz: Signal<In, Bits<18>>,
        pub rx_tdata: Signal<In, Bits<64>>,
        pub rx_tkeep: Signal<In, Bits<8>>,
        pub rx_tlast: Signal<In, Bit>,
        pub rx_tvalid: Signal<In, Bit>,
        pub rx_tready: Signal<Out, Bit>,
        /// Beside a request: it is for BAR0.
        pub rx_hit: Signal<In, Bit>,
        /// Strobe: a non-posted request's place is free again.
        pub rx_freed: Signal<Out, Bit>,
        pub tx_tdata: Signal<Out, Bits<64>>,
        pub tx_tkeep: Signal<Out, Bits<8>>,
        pub tx_tlast: Signal<Out, Bit>,
        pub tx_tvalid: Signal<Out, Bit>,
        pub tx_tready: Signal<In, Bit>,
        pub cfg_id: Signal<In, Bits<16>>,
        pub cfg_mps: Signal<In, Bits<3>>,
        pub cfg_mrrs: Signal<In, Bits<3>>,
        pub cfg_master: Signal<In, Bit>,
        pub cfg_memory: Signal<In, Bit>,
        pub cfg_timeout: Signal<In, Bits<4>>,
        pub cfg_timeout_off: Signal<In, Bit>,
        /// Reads are outstanding; strobes, causes 0 to 6 of `DmaError`.
        pub pending: Signal<Out, Bit>,
        pub found: Signal<Out, Bits<7>>,
        pub fc_ph: Signal<In, Bits<8>>,
        pub fc_pd: Signal<In, Bits<12>>,
        pub fc_nph: Signal<In, Bits<8>>,
        pub fc_cplh: Signal<In, Bits<8>>,
        pub fc_cpld: Signal<In, Bits<12>>,
        pub fc_infinite: Signal<In, Bits<5>>,
        /// Write port: address and length hold from the first beat to the last.
        pub write_address: Signal<In, Bits<64>>,
        pub write_length: Signal<In, Bits<LENGTH_BITS>>,
        pub write_source: Signal<In, Bits<3>>,
        pub write_beat: Signal<In, Beat>,
        pub write_valid: Signal<In, Bit>,
        pub write_ready: Signal<Out, Bit>,
        /// By source, before the arbiters: a beat is offered; a write's last one is taken.
        pub write_offers: Signal<In, Bits<8>>,
        pub write_ends: Signal<In, Bits<8>>,
        /// A write leaves (a strobe), whose, and of how many completions; by source: some have not left.
        pub write_left: Signal<Out, Bit>,
        pub write_left_source: Signal<Out, Bits<3>>,
        pub write_left_entries: Signal<Out, Bits<3>>,
        pub write_flying: Signal<Out, Bits<8>>,
        /// Read port.
        pub read_address: Signal<In, Bits<64>>,
        pub read_length: Signal<In, Bits<13>>,
        pub read_client: Signal<In, Bits<3>>,
        pub read_valid: Signal<In, Bit>,
        pub read_ready: Signal<Out, Bit>,
        pub read_issued: Signal<Out, Bits<6>>,
        pub read_busy: Signal<Out, Bits<6>>,
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
        // requests that want an answer: as many as the credits that the core advertises for them, or more
        asking: SmallFifo<Request, 4, 5>,
        room: DFF<Bit>,
        freed: DFF<Bit>,
        // places that are free and have not been told of
        owed: DFF<Bits<4>>,
        timer: Timer,
        complete: Complete,
        errors: Errors,
        order: Order,
        writer: Write,
        reader: Read,
        // between the writer's and the completer's steps and the choice of a TLP
        written: Slice<Bits<19>>,
        completed: Slice<Bits<2>>,
        // between the read buffer's place and who takes its data
        fetched: Slice<Bits<3>>,
        send: Send,
        to_axis: ToAxis,
        // an access on its way out
        writes: DFF<Bit>,
        reads: DFF<Bit>,
        causes: Signal<Local, Bits<9>>,
        asks: Signal<Local, Bit>,
        ours: Signal<Local, Bit>,
        others: Signal<Local, Bit>,
        c_places: Constant<Bits<5>> = 15u64,
        c_ends: Constant<Bits<19>> = 1u64 << 18,
    }
}

impl Logic for Engine {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, writes, reads, room, freed, owed);
        clock!(
            self, clock, receive, asking, timer, complete, errors, order, writer, written, completed, reader, fetched,
            send
        );
        self.receive.reset.next = self.down.val();
        self.asking.reset.next = self.down.val();
        self.timer.reset.next = self.down.val();
        self.reader.down.next = self.down.val();
        self.send.down.next = self.down.val();
        self.complete.reset.next = self.reset.val();
        self.errors.reset.next = self.reset.val();
        self.order.reset.next = self.reset.val();
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
        self.receive.hit.next = self.rx_hit.val() & self.cfg_memory.val();
        self.asks.next = self.receive.request.val().non_posted;
        self.room.d.next = self.asking.level.val() < self.c_places.val();
        self.asking.data_in.next = self.receive.request.val();
        self.asking.write.next = self.receive.request_valid.val() & self.asks.val() & self.room.q.val();
        self.complete.posted.next = self.receive.request.val();
        self.complete.payload.next = self.receive.payload.val();
        self.complete.posted_valid.next = self.receive.request_valid.val() & !self.asks.val();
        self.complete.queued.next = self.asking.data_out.val();
        self.complete.queued_valid.next = self.asking.valid.val();
        self.asking.read.next = self.asking.valid.val() & self.complete.queued_ready.val();
        // one that is lost on its way takes no place, and at most each second cycle one comes
        self.freed.d.next = self.asking.read.val() | (self.owed.q.val() != 0);
        if self.asking.read.val() {
            if self.receive.lost.val() {
                self.owed.d.next = self.owed.q.val() + 1;
            }
        } else if self.owed.q.val() != 0 {
            if !self.receive.lost.val() {
                self.owed.d.next = self.owed.q.val() - 1;
            }
        } else if self.receive.lost.val() {
            self.freed.d.next = true;
        }
        self.rx_freed.next = self.freed.q.val();
        self.receive.request_ready.next = self.complete.posted_ready.val();
        if self.asks.val() {
            self.receive.request_ready.next = self.room.q.val();
        }
        self.timer.khz.next = self.khz.val();
        self.timer.range.next = self.cfg_timeout.val();
        self.timer.off.next = self.cfg_timeout_off.val();
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
        self.found.next = self.causes.val().get_bits::<7>(0);
        self.pending.next = self.reader.outstanding.val();

        // write and read ports
        self.writer.id.next = self.cfg_id.val();
        self.writer.mps.next = self.cfg_mps.val();
        self.writer.address.next = self.write_address.val();
        self.writer.length.next = self.write_length.val();
        self.writer.source.next = self.write_source.val();
        self.writer.s_beat.next = self.write_beat.val();
        self.writer.s_valid.next = self.write_valid.val();
        self.write_ready.next = self.writer.s_ready.val();
        self.reader.id.next = self.cfg_id.val();
        self.reader.mrrs.next = self.cfg_mrrs.val();
        self.reader.age.next = self.timer.age.val();
        self.reader.address.next = self.read_address.val();
        self.reader.length.next = self.read_length.val();
        self.reader.client.next = self.read_client.val();
        self.reader.s_valid.next = self.read_valid.val();
        self.read_ready.next = self.reader.s_ready.val();
        self.read_issued.next = self.reader.issued.val();
        self.read_busy.next = self.reader.busy.val();
        self.fetched.s_beat.next = self.reader.d_beat.val();
        self.fetched.s_meta.next = self.reader.d_client.val();
        self.fetched.s_valid.next = self.reader.d_valid.val();
        self.reader.d_ready.next = self.fetched.s_ready.val();
        self.data_beat.next = self.fetched.m_beat.val();
        self.data_client.next = self.fetched.m_meta.val();
        self.data_valid.next = self.fetched.m_valid.val();
        self.fetched.m_ready.next = self.data_ready.val();

        // answers to register reads stay behind the writes that they tell of
        self.order.master.next = self.cfg_master.val();
        self.order.offers.next = self.write_offers.val();
        self.order.ends.next = self.write_ends.val();
        self.order.left.next = self.send.left.val();
        self.order.left_source.next = self.send.left_source.val();
        self.order.answered.next = self.complete.answered.val();
        self.order.taken.next = self.complete.taken.val();
        self.complete.may_leave.next = self.order.free.val();
        self.write_left.next = self.send.left.val();
        self.write_left_source.next = self.send.left_source.val();
        self.write_left_entries.next = self.send.left_entries.val();
        self.write_flying.next = self.order.flying.val();

        // TLPs out
        self.send.master.next = self.cfg_master.val();
        self.send.fc_ph.next = self.fc_ph.val();
        self.send.fc_pd.next = self.fc_pd.val();
        self.send.fc_nph.next = self.fc_nph.val();
        self.send.fc_cplh.next = self.fc_cplh.val();
        self.send.fc_cpld.next = self.fc_cpld.val();
        self.send.fc_infinite.next = self.fc_infinite.val();
        self.written.s_beat.next = self.writer.m_beat.val();
        self.written.s_meta.next = bit_cast::<19, 12>(self.writer.m_credits.val())
            | (bit_cast::<19, 3>(self.writer.m_source.val()) << 12)
            | (bit_cast::<19, 3>(self.writer.m_entries.val()) << 15);
        if self.writer.m_ends.val() {
            self.written.s_meta.next = bit_cast::<19, 12>(self.writer.m_credits.val())
                | (bit_cast::<19, 3>(self.writer.m_source.val()) << 12)
                | (bit_cast::<19, 3>(self.writer.m_entries.val()) << 15)
                | self.c_ends.val();
        }
        self.written.s_valid.next = self.writer.m_valid.val();
        self.writer.m_ready.next = self.written.s_ready.val();
        self.send.p_beat.next = self.written.m_beat.val();
        self.send.p_credits.next = self.written.m_meta.val().get_bits::<12>(0);
        self.send.p_source.next = self.written.m_meta.val().get_bits::<3>(12);
        self.send.p_entries.next = self.written.m_meta.val().get_bits::<3>(15);
        self.send.p_ends.next = self.written.m_meta.val().get_bit(18);
        self.send.p_coming.next = self.writer.m_credits.val();
        self.send.p_valid.next = self.written.m_valid.val();
        self.written.m_ready.next = self.send.p_ready.val();
        self.send.n_beat.next = self.reader.m_beat.val();
        self.send.n_valid.next = self.reader.m_valid.val();
        self.reader.m_ready.next = self.send.n_ready.val();
        self.completed.s_beat.next = self.complete.m_beat.val();
        self.completed.s_meta.next = 0.into();
        if self.complete.m_message.val() {
            self.completed.s_meta.next = 2.into();
        } else if self.complete.m_data.val() {
            self.completed.s_meta.next = 1.into();
        }
        self.completed.s_valid.next = self.complete.m_valid.val();
        self.complete.m_ready.next = self.completed.s_ready.val();
        self.send.c_beat.next = self.completed.m_beat.val();
        self.send.c_data.next = self.completed.m_meta.val().get_bit(0);
        self.send.c_message.next = self.completed.m_meta.val().get_bit(1);
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
        if self.down.val() {
            self.room.d.next = false;
            self.owed.d.next = 0.into();
        }
    }
}
