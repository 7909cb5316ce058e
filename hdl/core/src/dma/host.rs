//! All queues, between the pipelines' streams and the write and read ports of `pcie::Engine`.
use super::{Completions, Control, Events, Fetch, Interrupts, Receive, Ring, Target, Transmit};
use crate::stream::{Arbiter, Beat};
use ipos_abi::queue::ERROR_VECTOR;
use ipos_abi::regs::{dma, queues};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// A slave on the register bus for the queues' registers and the MSI-X pages. Reads have clients 0 to 3 for the
    /// descriptors of receive, control, transmit front and back, 4 and 5 for the frames of the latter two.
    pub struct Host {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        /// A strobe every microsecond.
        pub microsecond: Signal<In, Bit>,
        pub msix: Signal<In, Bit>,
        pub msix_mask: Signal<In, Bit>,
        pub master: Signal<In, Bit>,
        pub address: Signal<In, Bits<16>>,
        pub wdata: Signal<In, Bits<32>>,
        pub write: Signal<In, Bit>,
        pub read: Signal<In, Bit>,
        /// The access is for a register here.
        pub mine: Signal<Out, Bit>,
        pub rdata: Signal<Out, Bits<32>>,
        pub ack: Signal<Out, Bit>,
        /// Frames and events from the pipelines.
        pub receive_beat: Signal<In, Beat>,
        pub receive_meta: Signal<In, Bits<128>>,
        pub receive_valid: Signal<In, Bit>,
        pub receive_ready: Signal<Out, Bit>,
        pub control_beat: Signal<In, Beat>,
        pub control_meta: Signal<In, Bits<128>>,
        pub control_valid: Signal<In, Bit>,
        pub control_ready: Signal<Out, Bit>,
        pub event_data: Signal<In, Bits<32>>,
        pub event_valid: Signal<In, Bit>,
        pub event_ready: Signal<Out, Bit>,
        /// Frames to the pipelines, and what their send buffers hold.
        pub front_beat: Signal<Out, Beat>,
        pub front_checksum: Signal<Out, Bits<33>>,
        pub front_valid: Signal<Out, Bit>,
        pub front_ready: Signal<In, Bit>,
        pub front_used: Signal<In, Bits<10>>,
        pub front_frames: Signal<In, Bits<6>>,
        pub back_beat: Signal<Out, Beat>,
        pub back_checksum: Signal<Out, Bits<33>>,
        pub back_valid: Signal<Out, Bit>,
        pub back_ready: Signal<In, Bit>,
        pub back_used: Signal<In, Bits<10>>,
        pub back_frames: Signal<In, Bits<6>>,
        /// Write port.
        pub write_beat: Signal<Out, Beat>,
        pub write_target: Signal<Out, Target>,
        pub write_valid: Signal<Out, Bit>,
        pub write_ready: Signal<In, Bit>,
        /// By source: a beat is offered; a write's last one is taken.
        pub write_offers: Signal<Out, Bits<8>>,
        pub write_ends: Signal<Out, Bits<8>>,
        /// A write leaves (a strobe), whose, and of how many completions; by source: some have not left.
        pub write_left: Signal<In, Bit>,
        pub write_left_source: Signal<In, Bits<3>>,
        pub write_left_entries: Signal<In, Bits<3>>,
        pub write_flying: Signal<In, Bits<8>>,
        /// Read port.
        pub fetch: Signal<Out, Fetch>,
        pub fetch_valid: Signal<Out, Bit>,
        pub fetch_ready: Signal<In, Bit>,
        /// By client, a strobe: its read has been sent whole. Until then its next one does not stand in others' way.
        pub fetch_issued: Signal<In, Bits<6>>,
        /// By client: data are to come.
        pub fetch_busy: Signal<In, Bits<6>>,
        pub data_beat: Signal<In, Beat>,
        pub data_client: Signal<In, Bits<3>>,
        pub data_valid: Signal<In, Bit>,
        pub data_ready: Signal<Out, Bit>,
        /// The error vector is due.
        pub raise_error: Signal<In, Bit>,
        /// Strobes: a queue stopped; an event was lost.
        pub stopped: Signal<Out, Bit>,
        pub event_lost: Signal<Out, Bit>,
        receive_control: Control,
        control_control: Control,
        event_control: Control,
        front_control: Control,
        back_control: Control,
        receive_ring: Ring,
        control_ring: Ring,
        front_ring: Ring,
        back_ring: Ring,
        receive_frames: Receive,
        control_frames: Receive,
        front_sends: Transmit,
        back_sends: Transmit,
        events: Events,
        receive_done: Completions,
        control_done: Completions,
        event_done: Completions,
        front_done: Completions,
        back_done: Completions,
        interrupts: Interrupts,
        receive_writes: Arbiter<Target>,
        control_writes: Arbiter<Target>,
        transmit_writes: Arbiter<Target>,
        rare_writes: Arbiter<Target>,
        urgent_writes: Arbiter<Target>,
        bulk_writes: Arbiter<Target>,
        writes: Arbiter<Target>,
        descriptor_reads: Arbiter<Fetch>,
        front_reads: Arbiter<Fetch>,
        back_reads: Arbiter<Fetch>,
        frame_reads: Arbiter<Fetch>,
        reads: Arbiter<Fetch>,
        error_moderation: DFF<Bits<16>>,
        ack_reg: DFF<Bit>,
        extra: DFF<Bits<32>>,
        in_queues: Signal<Local, Bit>,
        act: Signal<Local, Bit>,
        // the queue that is accessed
        picked: DFF<Bits<8>>,
        place: DFF<Bits<16>>,
        word: DFF<Bits<32>>,
        puts: DFF<Bit>,
        ended: DFF<Bit>, // a write that an interrupt announces
        ended_vector: DFF<Bits<3>>,
        which: Signal<Local, Bits<8>>,
        more: Signal<Local, Bits<32>>,
        one: Signal<Local, Beat>,
        raise: Signal<Local, Bits<6>>,
        ends: Signal<Local, Bit>,
        fetching: DFF<Bits<6>>,
        begins: Signal<Local, Bits<6>>,
        c_one: Constant<Bits<8>> = 1u64,
        c_place: Constant<Bits<16>> = 1u64,
        c_raise: Constant<Bits<6>> = 1u64,
        c_error: Constant<Bits<6>> = 1u64 << ERROR_VECTOR,
        c_page: Constant<Bits<7>> = (queues::BASE >> 9) as u64,
        c_header: Constant<Bits<32>> = queues::HEADER as u64,
        c_next: Constant<Bits<32>> = dma::BASE as u64,
        a_moderation: Constant<Bits<6>> = (queues::MODERATION & 0x3f) as u64,
    }
}

impl Logic for Host {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            error_moderation,
            picked,
            place,
            word,
            puts,
            ended,
            ended_vector,
            ack_reg,
            extra,
            fetching
        );
        clock!(
            self,
            clock,
            receive_control,
            control_control,
            event_control,
            front_control,
            back_control,
            receive_ring,
            control_ring,
            front_ring,
            back_ring,
            receive_frames,
            control_frames,
            front_sends,
            back_sends,
            events,
            receive_done,
            control_done,
            event_done,
            front_done,
            back_done,
            interrupts,
            receive_writes,
            control_writes,
            transmit_writes,
            rare_writes,
            urgent_writes,
            bulk_writes,
            writes,
            descriptor_reads,
            front_reads,
            back_reads,
            frame_reads,
            reads
        );
        self.receive_control.reset.next = self.reset.val();
        self.control_control.reset.next = self.reset.val();
        self.event_control.reset.next = self.reset.val();
        self.front_control.reset.next = self.reset.val();
        self.back_control.reset.next = self.reset.val();
        self.receive_ring.reset.next = self.reset.val();
        self.control_ring.reset.next = self.reset.val();
        self.front_ring.reset.next = self.reset.val();
        self.back_ring.reset.next = self.reset.val();
        self.receive_frames.reset.next = self.reset.val();
        self.control_frames.reset.next = self.reset.val();
        self.front_sends.reset.next = self.reset.val();
        self.back_sends.reset.next = self.reset.val();
        self.events.reset.next = self.reset.val();
        self.receive_done.reset.next = self.reset.val();
        self.control_done.reset.next = self.reset.val();
        self.event_done.reset.next = self.reset.val();
        self.front_done.reset.next = self.reset.val();
        self.back_done.reset.next = self.reset.val();
        self.interrupts.reset.next = self.reset.val();
        self.receive_writes.reset.next = self.reset.val();
        self.control_writes.reset.next = self.reset.val();
        self.transmit_writes.reset.next = self.reset.val();
        self.rare_writes.reset.next = self.reset.val();
        self.urgent_writes.reset.next = self.reset.val();
        self.bulk_writes.reset.next = self.reset.val();
        self.writes.reset.next = self.reset.val();
        self.descriptor_reads.reset.next = self.reset.val();
        self.front_reads.reset.next = self.reset.val();
        self.back_reads.reset.next = self.reset.val();
        self.frame_reads.reset.next = self.reset.val();
        self.reads.reset.next = self.reset.val();

        // registers: an access is answered two cycles later
        self.in_queues.next = self.address.val().get_bits::<7>(9) == self.c_page.val();
        self.act.next = self.in_queues.val()
            & (self.read.val() | self.write.val())
            & !self.picked.q.val().any()
            & !self.ack_reg.q.val();
        self.which.next = self.c_one.val() << self.address.val().get_bits::<3>(6);
        self.picked.d.next = 0.into();
        if self.act.val() {
            self.picked.d.next = self.which.val();
        }
        self.place.d.next = 0.into();
        if !self.address.val().get_bits::<2>(0).any() {
            self.place.d.next = self.c_place.val() << self.address.val().get_bits::<4>(2);
        }
        self.word.d.next = self.wdata.val();
        self.puts.d.next = self.write.val();
        self.ack_reg.d.next = self.picked.q.val().any();
        self.more.next = 0.into();
        if self.address.val().get_bits::<9>(0) == 0 {
            self.more.next = self.c_header.val();
        }
        if self.address.val().get_bits::<9>(0) == 4 {
            self.more.next = self.c_next.val();
        }
        if self.which.val().get_bit(5) & (self.address.val().get_bits::<6>(0) == self.a_moderation.val()) {
            self.more.next = bit_cast::<32, 16>(self.error_moderation.q.val());
            if self.picked.q.val().get_bit(5) & self.puts.q.val() {
                self.error_moderation.d.next = self.word.q.val().get_bits::<16>(0);
            }
        }
        self.extra.d.next = 0.into();
        if self.picked.q.val().any() {
            self.extra.d.next = self.more.val();
        }
        self.receive_control.select.next = self.picked.q.val().get_bit(0);
        self.receive_control.place.next = self.place.q.val();
        self.receive_control.wdata.next = self.word.q.val();
        self.receive_control.write.next = self.puts.q.val();
        self.receive_control.head.next = self.receive_done.head.val();
        self.receive_done.settings.next = self.receive_control.settings.val();
        self.receive_done.start.next = self.receive_control.start.val();
        self.receive_done.source.next = 0.into();
        self.receive_done.left.next = self.write_left.val() & (self.write_left_source.val() == 0);
        self.receive_done.entries.next = self.write_left_entries.val();
        self.control_control.select.next = self.picked.q.val().get_bit(1);
        self.control_control.place.next = self.place.q.val();
        self.control_control.wdata.next = self.word.q.val();
        self.control_control.write.next = self.puts.q.val();
        self.control_control.head.next = self.control_done.head.val();
        self.control_done.settings.next = self.control_control.settings.val();
        self.control_done.start.next = self.control_control.start.val();
        self.control_done.source.next = 1.into();
        self.control_done.left.next = self.write_left.val() & (self.write_left_source.val() == 1);
        self.control_done.entries.next = self.write_left_entries.val();
        self.event_control.select.next = self.picked.q.val().get_bit(2);
        self.event_control.place.next = self.place.q.val();
        self.event_control.wdata.next = self.word.q.val();
        self.event_control.write.next = self.puts.q.val();
        self.event_control.head.next = self.event_done.head.val();
        self.event_done.settings.next = self.event_control.settings.val();
        self.event_done.start.next = self.event_control.start.val();
        self.event_done.source.next = 2.into();
        self.event_done.left.next = self.write_left.val() & (self.write_left_source.val() == 2);
        self.event_done.entries.next = self.write_left_entries.val();
        self.front_control.select.next = self.picked.q.val().get_bit(3);
        self.front_control.place.next = self.place.q.val();
        self.front_control.wdata.next = self.word.q.val();
        self.front_control.write.next = self.puts.q.val();
        self.front_control.head.next = self.front_done.head.val();
        self.front_done.settings.next = self.front_control.settings.val();
        self.front_done.start.next = self.front_control.start.val();
        self.front_done.source.next = 3.into();
        self.front_done.left.next = self.write_left.val() & (self.write_left_source.val() == 3);
        self.front_done.entries.next = self.write_left_entries.val();
        self.back_control.select.next = self.picked.q.val().get_bit(4);
        self.back_control.place.next = self.place.q.val();
        self.back_control.wdata.next = self.word.q.val();
        self.back_control.write.next = self.puts.q.val();
        self.back_control.head.next = self.back_done.head.val();
        self.back_done.settings.next = self.back_control.settings.val();
        self.back_done.start.next = self.back_control.start.val();
        self.back_done.source.next = 4.into();
        self.back_done.left.next = self.write_left.val() & (self.write_left_source.val() == 4);
        self.back_done.entries.next = self.write_left_entries.val();
        self.interrupts.address.next = self.address.val();
        self.interrupts.wdata.next = self.wdata.val();
        self.interrupts.write.next = self.write.val();
        self.interrupts.read.next = self.read.val();
        self.mine.next = self.in_queues.val() | self.interrupts.mine.val();
        self.ack.next = self.ack_reg.q.val() | self.interrupts.ack.val();
        self.rdata.next = self.extra.q.val()
            | self.receive_control.rdata.val()
            | self.control_control.rdata.val()
            | self.event_control.rdata.val()
            | self.front_control.rdata.val()
            | self.back_control.rdata.val()
            | self.interrupts.rdata.val();
        self.stopped.next = self.receive_control.stopped.val()
            | self.control_control.stopped.val()
            | self.event_control.stopped.val()
            | self.front_control.stopped.val()
            | self.back_control.stopped.val();

        // one beat, for what is arbitrated without data
        self.one.next.data = 0.into();
        self.one.next.cnt = 0.into();
        self.one.next.last = true;
        self.one.next.user = false;

        self.receive_ring.settings.next = self.receive_control.settings.val();
        self.receive_ring.start.next = self.receive_control.start.val();
        self.receive_ring.run.next = self.receive_control.run.val();
        self.receive_ring.client.next = 0.into();
        self.receive_ring.head.next = self.receive_done.handed.val();
        self.receive_ring.beat.next = self.data_beat.val();
        self.receive_ring.beat_valid.next = self.data_valid.val() & (self.data_client.val() == 0);
        self.receive_control.error.next = self.receive_ring.error.val();
        self.control_ring.settings.next = self.control_control.settings.val();
        self.control_ring.start.next = self.control_control.start.val();
        self.control_ring.run.next = self.control_control.run.val();
        self.control_ring.client.next = 1.into();
        self.control_ring.head.next = self.control_done.handed.val();
        self.control_ring.beat.next = self.data_beat.val();
        self.control_ring.beat_valid.next = self.data_valid.val() & (self.data_client.val() == 1);
        self.control_control.error.next = self.control_ring.error.val();
        self.front_ring.settings.next = self.front_control.settings.val();
        self.front_ring.start.next = self.front_control.start.val();
        self.front_ring.run.next = self.front_control.run.val();
        self.front_ring.client.next = 2.into();
        self.front_ring.head.next = self.front_done.handed.val();
        self.front_ring.beat.next = self.data_beat.val();
        self.front_ring.beat_valid.next = self.data_valid.val() & (self.data_client.val() == 2);
        self.front_control.error.next = self.front_ring.error.val();
        self.back_ring.settings.next = self.back_control.settings.val();
        self.back_ring.start.next = self.back_control.start.val();
        self.back_ring.run.next = self.back_control.run.val();
        self.back_ring.client.next = 3.into();
        self.back_ring.head.next = self.back_done.handed.val();
        self.back_ring.beat.next = self.data_beat.val();
        self.back_ring.beat_valid.next = self.data_valid.val() & (self.data_client.val() == 3);
        self.back_control.error.next = self.back_ring.error.val();

        // receive
        self.receive_frames.source.next = 6.into();
        self.receive_frames.s_beat.next = self.receive_beat.val();
        self.receive_frames.s_meta.next = self.receive_meta.val();
        self.receive_frames.s_valid.next = self.receive_valid.val();
        self.receive_ready.next = self.receive_frames.s_ready.val();
        self.receive_frames.descriptor.next = self.receive_ring.descriptor.val();
        self.receive_frames.descriptor_valid.next = self.receive_ring.valid.val();
        self.receive_ring.take.next = self.receive_frames.descriptor_take.val();
        self.receive_frames.level.next = self.receive_done.level.val();
        self.receive_done.entry.next = self.receive_frames.entry.val();
        self.receive_done.write.next = self.receive_frames.write.val();
        self.receive_done.idle.next = self.receive_frames.idle.val();
        self.receive_control.fail.next = self.receive_frames.fail.val();
        self.receive_control.busy.next = self.receive_ring.busy.val()
            | self.receive_frames.busy.val()
            | self.receive_done.busy.val()
            | self.fetching.q.val().get_bit(0)
            | self.fetch_busy.val().get_bit(0)
            | self.write_flying.val().get_bit(0)
            | self.write_flying.val().get_bit(6);

        // control
        self.control_frames.source.next = 7.into();
        self.control_frames.s_beat.next = self.control_beat.val();
        self.control_frames.s_meta.next = self.control_meta.val();
        self.control_frames.s_valid.next = self.control_valid.val();
        self.control_ready.next = self.control_frames.s_ready.val();
        self.control_frames.descriptor.next = self.control_ring.descriptor.val();
        self.control_frames.descriptor_valid.next = self.control_ring.valid.val();
        self.control_ring.take.next = self.control_frames.descriptor_take.val();
        self.control_frames.level.next = self.control_done.level.val();
        self.control_done.entry.next = self.control_frames.entry.val();
        self.control_done.write.next = self.control_frames.write.val();
        self.control_done.idle.next = self.control_frames.idle.val();
        self.control_control.fail.next = self.control_frames.fail.val();
        self.control_control.busy.next = self.control_ring.busy.val()
            | self.control_frames.busy.val()
            | self.control_done.busy.val()
            | self.fetching.q.val().get_bit(1)
            | self.fetch_busy.val().get_bit(1)
            | self.write_flying.val().get_bit(1)
            | self.write_flying.val().get_bit(7);

        // transmit front
        self.front_sends.client.next = 4.into();
        self.front_sends.descriptor.next = self.front_ring.descriptor.val();
        self.front_sends.descriptor_valid.next = self.front_ring.valid.val();
        self.front_ring.take.next = self.front_sends.descriptor_take.val();
        self.front_sends.used.next = self.front_used.val();
        self.front_sends.frames.next = self.front_frames.val();
        self.front_sends.s_beat.next = self.data_beat.val();
        self.front_sends.s_valid.next = self.data_valid.val() & (self.data_client.val() == 4);
        self.front_beat.next = self.front_sends.m_beat.val();
        self.front_checksum.next = self.front_sends.m_checksum.val();
        self.front_valid.next = self.front_sends.m_valid.val();
        self.front_sends.m_ready.next = self.front_ready.val();
        self.front_sends.level.next = self.front_done.level.val();
        self.front_done.entry.next = self.front_sends.entry.val();
        self.front_done.write.next = self.front_sends.write.val();
        self.front_done.idle.next = self.front_sends.idle.val();
        self.front_control.fail.next = self.front_sends.fail.val();
        self.front_control.busy.next = self.front_ring.busy.val()
            | self.front_sends.busy.val()
            | self.front_done.busy.val()
            | self.fetching.q.val().get_bit(2)
            | self.fetch_busy.val().get_bit(2)
            | self.fetching.q.val().get_bit(4)
            | self.fetch_busy.val().get_bit(4)
            | self.write_flying.val().get_bit(3);

        // transmit back
        self.back_sends.client.next = 5.into();
        self.back_sends.descriptor.next = self.back_ring.descriptor.val();
        self.back_sends.descriptor_valid.next = self.back_ring.valid.val();
        self.back_ring.take.next = self.back_sends.descriptor_take.val();
        self.back_sends.used.next = self.back_used.val();
        self.back_sends.frames.next = self.back_frames.val();
        self.back_sends.s_beat.next = self.data_beat.val();
        self.back_sends.s_valid.next = self.data_valid.val() & (self.data_client.val() == 5);
        self.back_beat.next = self.back_sends.m_beat.val();
        self.back_checksum.next = self.back_sends.m_checksum.val();
        self.back_valid.next = self.back_sends.m_valid.val();
        self.back_sends.m_ready.next = self.back_ready.val();
        self.back_sends.level.next = self.back_done.level.val();
        self.back_done.entry.next = self.back_sends.entry.val();
        self.back_done.write.next = self.back_sends.write.val();
        self.back_done.idle.next = self.back_sends.idle.val();
        self.back_control.fail.next = self.back_sends.fail.val();
        self.back_control.busy.next = self.back_ring.busy.val()
            | self.back_sends.busy.val()
            | self.back_done.busy.val()
            | self.fetching.q.val().get_bit(3)
            | self.fetch_busy.val().get_bit(3)
            | self.fetching.q.val().get_bit(5)
            | self.fetch_busy.val().get_bit(5)
            | self.write_flying.val().get_bit(4);

        // events
        self.events.settings.next = self.event_control.settings.val();
        self.events.start.next = self.event_control.start.val();
        self.events.run.next = self.event_control.run.val();
        self.events.data.next = self.event_data.val();
        self.events.valid.next = self.event_valid.val();
        self.event_ready.next = self.events.ready.val();
        self.events.head.next = self.event_done.handed.val();
        self.events.level.next = self.event_done.level.val();
        self.event_done.entry.next = self.events.entry.val();
        self.event_done.write.next = self.events.write.val();
        self.event_done.idle.next = true;
        self.event_control.error.next = self.events.error.val();
        self.event_control.fail.next = self.events.lost.val();
        self.event_control.busy.next = self.event_done.busy.val() | self.write_flying.val().get_bit(2);
        self.event_lost.next = self.events.lost.val();

        // writes: each half of what goes to host memory gets its turn, control in the one with little traffic
        self.receive_writes.a_beat.next = self.receive_frames.beat.val();
        self.receive_writes.a_meta.next = self.receive_frames.target.val();
        self.receive_writes.a_valid.next = self.receive_frames.valid.val();
        self.receive_frames.ready.next = self.receive_writes.a_ready.val();
        self.receive_writes.b_beat.next = self.receive_done.beat.val();
        self.receive_writes.b_meta.next = self.receive_done.target.val();
        self.receive_writes.b_valid.next = self.receive_done.valid.val();
        self.receive_done.ready.next = self.receive_writes.b_ready.val();
        self.control_writes.a_beat.next = self.control_frames.beat.val();
        self.control_writes.a_meta.next = self.control_frames.target.val();
        self.control_writes.a_valid.next = self.control_frames.valid.val();
        self.control_frames.ready.next = self.control_writes.a_ready.val();
        self.control_writes.b_beat.next = self.control_done.beat.val();
        self.control_writes.b_meta.next = self.control_done.target.val();
        self.control_writes.b_valid.next = self.control_done.valid.val();
        self.control_done.ready.next = self.control_writes.b_ready.val();
        self.transmit_writes.a_beat.next = self.front_done.beat.val();
        self.transmit_writes.a_meta.next = self.front_done.target.val();
        self.transmit_writes.a_valid.next = self.front_done.valid.val();
        self.front_done.ready.next = self.transmit_writes.a_ready.val();
        self.transmit_writes.b_beat.next = self.back_done.beat.val();
        self.transmit_writes.b_meta.next = self.back_done.target.val();
        self.transmit_writes.b_valid.next = self.back_done.valid.val();
        self.back_done.ready.next = self.transmit_writes.b_ready.val();
        self.rare_writes.a_beat.next = self.event_done.beat.val();
        self.rare_writes.a_meta.next = self.event_done.target.val();
        self.rare_writes.a_valid.next = self.event_done.valid.val();
        self.event_done.ready.next = self.rare_writes.a_ready.val();
        self.rare_writes.b_beat.next = self.interrupts.beat.val();
        self.rare_writes.b_meta.next = self.interrupts.target.val();
        self.rare_writes.b_valid.next = self.interrupts.valid.val();
        self.interrupts.ready.next = self.rare_writes.b_ready.val();
        self.urgent_writes.a_beat.next = self.control_writes.m_beat.val();
        self.urgent_writes.a_meta.next = self.control_writes.m_meta.val();
        self.urgent_writes.a_valid.next = self.control_writes.m_valid.val();
        self.control_writes.m_ready.next = self.urgent_writes.a_ready.val();
        self.urgent_writes.b_beat.next = self.rare_writes.m_beat.val();
        self.urgent_writes.b_meta.next = self.rare_writes.m_meta.val();
        self.urgent_writes.b_valid.next = self.rare_writes.m_valid.val();
        self.rare_writes.m_ready.next = self.urgent_writes.b_ready.val();
        self.bulk_writes.a_beat.next = self.receive_writes.m_beat.val();
        self.bulk_writes.a_meta.next = self.receive_writes.m_meta.val();
        self.bulk_writes.a_valid.next = self.receive_writes.m_valid.val();
        self.receive_writes.m_ready.next = self.bulk_writes.a_ready.val();
        self.bulk_writes.b_beat.next = self.transmit_writes.m_beat.val();
        self.bulk_writes.b_meta.next = self.transmit_writes.m_meta.val();
        self.bulk_writes.b_valid.next = self.transmit_writes.m_valid.val();
        self.transmit_writes.m_ready.next = self.bulk_writes.b_ready.val();
        self.writes.a_beat.next = self.urgent_writes.m_beat.val();
        self.writes.a_meta.next = self.urgent_writes.m_meta.val();
        self.writes.a_valid.next = self.urgent_writes.m_valid.val();
        self.urgent_writes.m_ready.next = self.writes.a_ready.val();
        self.writes.b_beat.next = self.bulk_writes.m_beat.val();
        self.writes.b_meta.next = self.bulk_writes.m_meta.val();
        self.writes.b_valid.next = self.bulk_writes.m_valid.val();
        self.bulk_writes.m_ready.next = self.writes.b_ready.val();
        self.write_beat.next = self.writes.m_beat.val();
        self.write_target.next = self.writes.m_meta.val();
        self.write_valid.next = self.writes.m_valid.val();
        self.writes.m_ready.next = self.write_ready.val();

        // by source, before the arbiters: what is offered, and what ends
        self.write_offers.next = 0.into();
        self.write_ends.next = 0.into();
        if self.receive_done.valid.val() {
            self.write_offers.next = self.write_offers.val().replace_bit(0, true);
            if self.receive_done.ready.val() & self.receive_done.beat.val().last {
                self.write_ends.next = self.write_ends.val().replace_bit(0, true);
            }
        }
        if self.control_done.valid.val() {
            self.write_offers.next = self.write_offers.val().replace_bit(1, true);
            if self.control_done.ready.val() & self.control_done.beat.val().last {
                self.write_ends.next = self.write_ends.val().replace_bit(1, true);
            }
        }
        if self.event_done.valid.val() {
            self.write_offers.next = self.write_offers.val().replace_bit(2, true);
            if self.event_done.ready.val() & self.event_done.beat.val().last {
                self.write_ends.next = self.write_ends.val().replace_bit(2, true);
            }
        }
        if self.front_done.valid.val() {
            self.write_offers.next = self.write_offers.val().replace_bit(3, true);
            if self.front_done.ready.val() & self.front_done.beat.val().last {
                self.write_ends.next = self.write_ends.val().replace_bit(3, true);
            }
        }
        if self.back_done.valid.val() {
            self.write_offers.next = self.write_offers.val().replace_bit(4, true);
            if self.back_done.ready.val() & self.back_done.beat.val().last {
                self.write_ends.next = self.write_ends.val().replace_bit(4, true);
            }
        }
        if self.interrupts.valid.val() {
            self.write_offers.next = self.write_offers.val().replace_bit(5, true);
            if self.interrupts.ready.val() & self.interrupts.beat.val().last {
                self.write_ends.next = self.write_ends.val().replace_bit(5, true);
            }
        }
        if self.receive_frames.valid.val() {
            self.write_offers.next = self.write_offers.val().replace_bit(6, true);
            if self.receive_frames.ready.val() & self.receive_frames.beat.val().last {
                self.write_ends.next = self.write_ends.val().replace_bit(6, true);
            }
        }
        if self.control_frames.valid.val() {
            self.write_offers.next = self.write_offers.val().replace_bit(7, true);
            if self.control_frames.ready.val() & self.control_frames.beat.val().last {
                self.write_ends.next = self.write_ends.val().replace_bit(7, true);
            }
        }

        // an interrupt is due when the completions that it announces have been handed over
        self.ends.next = self.writes.m_valid.val() & self.write_ready.val() & self.writes.m_beat.val().last;
        self.raise.next = 0.into();
        self.ended.d.next = self.ends.val() & self.writes.m_meta.val().notify;
        self.ended_vector.d.next = self.writes.m_meta.val().source;
        if self.ended.q.val() {
            self.raise.next = self.c_raise.val() << self.ended_vector.q.val();
        }
        self.interrupts.raise.next = self.raise.val();
        if self.raise_error.val() {
            self.interrupts.raise.next = self.raise.val() | self.c_error.val();
        }
        self.interrupts.enable.next = self.msix.val();
        self.interrupts.mask.next = self.msix_mask.val();
        self.interrupts.master.next = self.master.val();
        self.interrupts.microsecond.next = self.microsecond.val();
        self.interrupts.moderation.next = bit_cast::<96, 16>(self.receive_control.settings.val().moderation)
            | (bit_cast::<96, 16>(self.control_control.settings.val().moderation) << 16)
            | (bit_cast::<96, 16>(self.event_control.settings.val().moderation) << 32)
            | (bit_cast::<96, 16>(self.front_control.settings.val().moderation) << 48)
            | (bit_cast::<96, 16>(self.back_control.settings.val().moderation) << 64)
            | (bit_cast::<96, 16>(self.error_moderation.q.val()) << 80);

        // reads: one of each client under way to where tags are given out
        self.begins.next = 0.into();
        self.descriptor_reads.a_beat.next = self.one.val();
        self.descriptor_reads.a_meta.next = self.receive_ring.fetch.val();
        self.descriptor_reads.a_valid.next = self.receive_ring.fetch_valid.val() & !self.fetching.q.val().get_bit(0);
        self.receive_ring.fetch_ready.next = self.descriptor_reads.a_ready.val() & !self.fetching.q.val().get_bit(0);
        if self.receive_ring.fetch_valid.val() & self.receive_ring.fetch_ready.val() {
            self.begins.next = self.begins.val().replace_bit(0, true);
        }
        self.descriptor_reads.b_beat.next = self.one.val();
        self.descriptor_reads.b_meta.next = self.control_ring.fetch.val();
        self.descriptor_reads.b_valid.next = self.control_ring.fetch_valid.val() & !self.fetching.q.val().get_bit(1);
        self.control_ring.fetch_ready.next = self.descriptor_reads.b_ready.val() & !self.fetching.q.val().get_bit(1);
        if self.control_ring.fetch_valid.val() & self.control_ring.fetch_ready.val() {
            self.begins.next = self.begins.val().replace_bit(1, true);
        }
        self.front_reads.a_beat.next = self.one.val();
        self.front_reads.a_meta.next = self.front_ring.fetch.val();
        self.front_reads.a_valid.next = self.front_ring.fetch_valid.val() & !self.fetching.q.val().get_bit(2);
        self.front_ring.fetch_ready.next = self.front_reads.a_ready.val() & !self.fetching.q.val().get_bit(2);
        if self.front_ring.fetch_valid.val() & self.front_ring.fetch_ready.val() {
            self.begins.next = self.begins.val().replace_bit(2, true);
        }
        self.front_reads.b_beat.next = self.one.val();
        self.front_reads.b_meta.next = self.front_sends.fetch.val();
        self.front_reads.b_valid.next = self.front_sends.fetch_valid.val() & !self.fetching.q.val().get_bit(4);
        self.front_sends.fetch_ready.next = self.front_reads.b_ready.val() & !self.fetching.q.val().get_bit(4);
        if self.front_sends.fetch_valid.val() & self.front_sends.fetch_ready.val() {
            self.begins.next = self.begins.val().replace_bit(4, true);
        }
        self.back_reads.a_beat.next = self.one.val();
        self.back_reads.a_meta.next = self.back_ring.fetch.val();
        self.back_reads.a_valid.next = self.back_ring.fetch_valid.val() & !self.fetching.q.val().get_bit(3);
        self.back_ring.fetch_ready.next = self.back_reads.a_ready.val() & !self.fetching.q.val().get_bit(3);
        if self.back_ring.fetch_valid.val() & self.back_ring.fetch_ready.val() {
            self.begins.next = self.begins.val().replace_bit(3, true);
        }
        self.back_reads.b_beat.next = self.one.val();
        self.back_reads.b_meta.next = self.back_sends.fetch.val();
        self.back_reads.b_valid.next = self.back_sends.fetch_valid.val() & !self.fetching.q.val().get_bit(5);
        self.back_sends.fetch_ready.next = self.back_reads.b_ready.val() & !self.fetching.q.val().get_bit(5);
        if self.back_sends.fetch_valid.val() & self.back_sends.fetch_ready.val() {
            self.begins.next = self.begins.val().replace_bit(5, true);
        }
        self.fetching.d.next = (self.fetching.q.val() & !self.fetch_issued.val()) | self.begins.val();
        self.frame_reads.a_beat.next = self.front_reads.m_beat.val();
        self.frame_reads.a_meta.next = self.front_reads.m_meta.val();
        self.frame_reads.a_valid.next = self.front_reads.m_valid.val();
        self.front_reads.m_ready.next = self.frame_reads.a_ready.val();
        self.frame_reads.b_beat.next = self.back_reads.m_beat.val();
        self.frame_reads.b_meta.next = self.back_reads.m_meta.val();
        self.frame_reads.b_valid.next = self.back_reads.m_valid.val();
        self.back_reads.m_ready.next = self.frame_reads.b_ready.val();
        self.reads.a_beat.next = self.descriptor_reads.m_beat.val();
        self.reads.a_meta.next = self.descriptor_reads.m_meta.val();
        self.reads.a_valid.next = self.descriptor_reads.m_valid.val();
        self.descriptor_reads.m_ready.next = self.reads.a_ready.val();
        self.reads.b_beat.next = self.frame_reads.m_beat.val();
        self.reads.b_meta.next = self.frame_reads.m_meta.val();
        self.reads.b_valid.next = self.frame_reads.m_valid.val();
        self.frame_reads.m_ready.next = self.reads.b_ready.val();
        self.fetch.next = self.reads.m_meta.val();
        self.fetch_valid.next = self.reads.m_valid.val();
        self.reads.m_ready.next = self.fetch_ready.val();
        self.data_ready.next = true;
        if self.data_client.val() == 4 {
            self.data_ready.next = self.front_sends.s_ready.val();
        }
        if self.data_client.val() == 5 {
            self.data_ready.next = self.back_sends.s_ready.val();
        }
        if self.reset.val() {
            self.error_moderation.d.next = 0.into();
            self.picked.d.next = 0.into();
            self.ended.d.next = false;
            self.fetching.d.next = 0.into();
            self.ack_reg.d.next = false;
        }
    }
}
