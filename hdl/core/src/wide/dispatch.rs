//! Carries each frame where its verdict says, and gives it its one outcome, as `route::Dispatch`
//! (`docs/datapath.md`, steps 12 and 13).
use super::{Beat, ByteRev, Cut};
use crate::table::{Detail, Verdict};
use ipos_abi::rx::{L3, L4, Outcome};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes a beat each cycle. Nothing downstream can stop it: what is forwarded was promised room, what has
    /// none in a host buffer is dropped whole.
    pub struct Dispatch {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub back: Signal<In, Bit>,
        pub front_mac: Signal<In, Bits<48>>,
        pub verdict: Signal<In, Verdict>,
        pub verdict_valid: Signal<In, Bit>,
        /// Comes with the verdict.
        pub detail: Signal<In, Detail>,
        pub detail_read: Signal<Out, Bit>,
        pub beat: Signal<In, Beat>,
        pub beat_valid: Signal<In, Bit>,
        pub l4_ok: Signal<In, Bit>,
        pub cover_ok: Signal<In, Bit>,
        pub tail_valid: Signal<In, Bit>,
        /// Takes a beat.
        pub take: Signal<Out, Bit>,
        /// Takes verdict and tail.
        pub take_last: Signal<Out, Bit>,
        /// Forward buffer: the packet behind its old link header, cut at the IPv4 total length.
        pub fwd_beat: Signal<Out, Beat>,
        pub fwd_write: Signal<Out, Bit>,
        /// A frame that is forwarded begins: its first beat is taken.
        pub starts: Signal<Out, Bit>,
        /// Host buffers.
        pub out_beat: Signal<Out, Beat>,
        pub out_meta: Signal<Out, Bits<128>>,
        pub host_write: Signal<Out, Bit>,
        pub host_end: Signal<Out, Bit>,
        pub host_overflow: Signal<In, Bit>,
        pub control_write: Signal<Out, Bit>,
        pub control_end: Signal<Out, Bit>,
        pub control_overflow: Signal<In, Bit>,
        pub keep: Signal<Out, Bit>,
        /// With an outcome `Forwarded`: the entry, the bytes of the IP packet, its TCP flags.
        pub hit: Signal<Out, Bit>,
        pub hit_place: Signal<Out, Bits<14>>,
        pub hit_bytes: Signal<Out, Bits<16>>,
        pub hit_flags: Signal<Out, Bits<8>>,
        pub outcome: Signal<Out, Bits<4>>,
        pub outcome_valid: Signal<Out, Bit>,
        cut: Cut<16, 14>,
        rev: ByteRev,
        number: DFF<Bits<11>>,
        pending: DFF<Bits<512>>, // the last beat of a padded packet waits for the frame's end
        sequence: DFF<Bits<32>>,
        outcome_reg: DFF<Bits<4>>,
        outcome_strobe: DFF<Bit>,
        // what the outcome follows from
        ended: DFF<Bit>,
        judged: DFF<Bits<4>>,
        to_wire: DFF<Bit>,
        to_host: DFF<Bit>,
        to_control: DFF<Bit>,
        faulty: DFF<Bit>,
        was_short: DFF<Bit>,
        was_over: DFF<Bit>,
        place_early: DFF<Bits<14>>,
        bytes_early: DFF<Bits<16>>,
        flags_early: DFF<Bits<8>>,
        hit_reg: DFF<Bit>,
        place_reg: DFF<Bits<14>>,
        bytes_reg: DFF<Bits<16>>,
        flags_reg: DFF<Bits<8>>,
        taken: Signal<Local, Beat>,
        data: Signal<Local, Bits<512>>,
        first: Signal<Local, Bit>,
        go: Signal<Local, Bit>,
        ends: Signal<Local, Bit>,
        bytes: Signal<Local, Bits<17>>,
        stop: Signal<Local, Bits<17>>,
        last_beat: Signal<Local, Bits<11>>,
        last_cnt: Signal<Local, Bits<6>>,
        short: Signal<Local, Bit>,
        fwd: Signal<Local, Beat>,
        host: Signal<Local, Beat>,
        over: Signal<Local, Bit>,
        l3: Signal<Local, Bits<3>>,
        l4: Signal<Local, Bits<2>>,
        flags: Signal<Local, Bits<32>>,
        word0: Signal<Local, Bits<32>>,
        kept: Signal<Local, Bit>,
        code: Signal<Local, Bits<4>>,
        c_forwarded: Constant<Bits<4>> = Outcome::Forwarded as u64,
        c_host: Constant<Bits<4>> = Outcome::ToHost as u64,
        c_control: Constant<Bits<4>> = Outcome::ToControl as u64,
        c_host_full: Constant<Bits<4>> = Outcome::DropHostFull as u64,
        c_error: Constant<Bits<4>> = Outcome::DropError as u64,
        c_short: Constant<Bits<4>> = Outcome::DropShort as u64,
        c_l3_ok: Constant<Bits<3>> = L3::Ok as u64,
        c_l3_bad: Constant<Bits<3>> = L3::BadChecksum as u64,
        c_l3_truncated: Constant<Bits<3>> = L3::Truncated as u64,
        c_l3_short: Constant<Bits<3>> = L3::Short as u64,
        c_l4_valid: Constant<Bits<2>> = L4::Valid as u64,
        c_l4_bad: Constant<Bits<2>> = L4::Bad as u64,
        c_one: Constant<Bits<32>> = 1u64,
        c_ipv4: Constant<Bits<512>> = 0x0800u64,
        c_source: Constant<Bits<512>> = 0xffff_ffff_ffffu64,
    }
}

impl Logic for Dispatch {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            number,
            pending,
            sequence,
            outcome_reg,
            outcome_strobe,
            ended,
            judged,
            to_wire,
            to_host,
            to_control,
            faulty,
            was_short,
            was_over,
            place_early,
            bytes_early,
            flags_early,
            hit_reg,
            place_reg,
            bytes_reg,
            flags_reg
        );
        clock!(self, clock, cut);
        self.cut.reset.next = self.reset.val();
        self.cut.s_beat.next = self.beat.val();
        self.cut.s_valid.next = self.beat_valid.val();
        self.take.next = self.beat_valid.val() & self.cut.s_ready.val();
        self.cut.remove.next = self.verdict.val().decapsulate;
        self.taken.next = self.cut.m_beat.val();
        self.cut.m_ready.next = self.verdict_valid.val() & (!self.taken.val().last | self.tail_valid.val());
        self.go.next =
            self.cut.m_valid.val() & self.verdict_valid.val() & (!self.taken.val().last | self.tail_valid.val());
        self.ends.next = self.go.val() & self.taken.val().last;
        self.take_last.next = self.ends.val();
        self.detail_read.next = self.ends.val();

        // a decapsulated frame's link header becomes one of the front network: its source stays
        self.rev.i.next = (bit_cast::<512, 48>(self.front_mac.val()) << 464) | (self.c_ipv4.val() << 400);
        self.first.next = self.number.q.val() == 0;
        self.data.next = self.taken.val().data;
        if self.verdict.val().decapsulate & self.first.val() {
            self.data.next = self.rev.o.val()
                | (self.taken.val().data & (self.c_source.val() << 48))
                | ((self.taken.val().data >> 112) << 112);
        }
        self.bytes.next = (bit_cast::<17, 11>(self.number.q.val()) << 6) + bit_cast::<17, 6>(self.taken.val().cnt) + 1;
        if self.go.val() {
            // from 64 KiB on, more than any buffer takes, the number stands: a frame without end has one first beat
            if !self.number.q.val().get_bit(10) {
                self.number.d.next = self.number.q.val() + 1;
            }
            if self.taken.val().last {
                self.number.d.next = 0.into();
            }
        }

        // forward: the packet's last byte is 13 + total length
        self.stop.next = self.verdict.val().stop;
        self.last_beat.next = self.stop.val().get_bits::<11>(6);
        self.last_cnt.next = self.stop.val().get_bits::<6>(0);
        self.short.next = self.bytes.val() <= self.stop.val();
        self.starts.next = self.go.val() & self.verdict.val().forward & self.first.val();
        self.fwd_write.next = false;
        self.fwd.next.data = self.data.val();
        self.fwd.next.cnt = 63.into();
        self.fwd.next.last = false;
        self.fwd.next.user = false;
        if self.go.val() & self.verdict.val().forward {
            self.fwd_write.next = (self.number.q.val() < self.last_beat.val()) | self.taken.val().last;
            if self.taken.val().last {
                self.fwd.next.last = true;
                self.fwd.next.user = self.taken.val().user | self.short.val();
                self.fwd.next.cnt = self.last_cnt.val();
                if self.short.val() {
                    self.fwd.next.cnt = self.taken.val().cnt;
                }
                if self.number.q.val() > self.last_beat.val() {
                    self.fwd.next.data = self.pending.q.val();
                }
            }
        }
        if self.go.val() & (self.number.q.val() == self.last_beat.val()) {
            self.pending.d.next = self.data.val();
        }
        self.fwd_beat.next = self.fwd.val();

        // host queues
        self.host.next.data = self.data.val();
        self.host.next.cnt = self.taken.val().cnt;
        self.host.next.last = self.taken.val().last;
        self.host.next.user = false;
        self.out_beat.next = self.host.val();
        self.host_write.next = self.go.val() & self.verdict.val().host;
        self.host_end.next = self.ends.val() & self.verdict.val().host;
        self.control_write.next = self.go.val() & self.verdict.val().control;
        self.control_end.next = self.ends.val() & self.verdict.val().control;
        self.over.next = (self.verdict.val().host & self.host_overflow.val())
            | (self.verdict.val().control & self.control_overflow.val());
        self.kept.next = !self.taken.val().user & !self.over.val();
        self.keep.next = self.kept.val();
        if self.ends.val() & (self.verdict.val().host | self.verdict.val().control) & self.kept.val() {
            self.sequence.d.next = self.sequence.q.val() + self.c_one.val();
        }
        self.l3.next = self.detail.val().l3;
        self.l4.next = 0.into();
        if self.detail.val().judge {
            if self.short.val() {
                self.l3.next = self.c_l3_short.val();
            } else if !self.detail.val().l4_skip {
                self.l4.next = self.c_l4_bad.val();
                if self.l4_ok.val() {
                    self.l4.next = self.c_l4_valid.val();
                }
            }
        }
        if self.verdict.val().control & (self.detail.val().cover != 0) {
            if self.bytes.val() < (bit_cast::<17, 8>(self.detail.val().cover) + 14) {
                self.l3.next = self.c_l3_truncated.val();
            } else if self.cover_ok.val() {
                self.l3.next = self.c_l3_ok.val();
            } else {
                self.l3.next = self.c_l3_bad.val();
            }
        }
        self.flags.next = bit_cast::<32, 5>(self.detail.val().code)
            | (bit_cast::<32, 3>(self.l3.val()) << 8)
            | (bit_cast::<32, 2>(self.l4.val()) << 12);
        if self.detail.val().tagged {
            self.flags.next = self.flags.val() | (self.c_one.val() << 16);
        }
        if self.verdict.val().decapsulate {
            self.flags.next = self.flags.val() | (self.c_one.val() << 17);
        }
        if self.back.val() {
            self.flags.next = self.flags.val() | (self.c_one.val() << 18);
        }
        self.word0.next =
            bit_cast::<32, 16>(self.bytes.val().get_bits::<16>(0)) | (bit_cast::<32, 16>(self.detail.val().tci) << 16);
        self.out_meta.next = (bit_cast::<128, 32>(self.flags.val()) << 96)
            | (bit_cast::<128, 32>(self.detail.val().about) << 64)
            | (bit_cast::<128, 32>(self.sequence.q.val()) << 32)
            | bit_cast::<128, 32>(self.word0.val());

        // the one outcome, a cycle after the end
        self.ended.d.next = self.ends.val();
        self.judged.d.next = bit_cast::<4, 5>(self.detail.val().code);
        self.to_wire.d.next = self.verdict.val().forward;
        self.to_host.d.next = self.verdict.val().host | self.verdict.val().control;
        self.to_control.d.next = self.verdict.val().control;
        self.faulty.d.next = self.taken.val().user;
        self.was_short.d.next = self.short.val();
        self.was_over.d.next = self.over.val();
        self.code.next = self.judged.q.val();
        if self.to_wire.q.val() {
            self.code.next = self.c_forwarded.val();
            if self.faulty.q.val() {
                self.code.next = self.c_error.val();
            } else if self.was_short.q.val() {
                self.code.next = self.c_short.val();
            }
        } else if self.to_host.q.val() {
            self.code.next = self.c_host.val();
            if self.to_control.q.val() {
                self.code.next = self.c_control.val();
            }
            if self.faulty.q.val() {
                self.code.next = self.c_error.val();
            } else if self.was_over.q.val() {
                self.code.next = self.c_host_full.val();
            }
        }
        self.outcome_reg.d.next = self.code.val();
        self.outcome_strobe.d.next = self.ended.q.val();
        self.hit_reg.d.next = self.ended.q.val() & self.to_wire.q.val() & (self.code.val() == self.c_forwarded.val());
        self.place_early.d.next = self.detail.val().about.get_bits::<14>(0);
        self.bytes_early.d.next = bit_cast::<16, 17>(self.stop.val() - 13);
        self.flags_early.d.next = self.detail.val().about.get_bits::<8>(14);
        self.place_reg.d.next = self.place_early.q.val();
        self.bytes_reg.d.next = self.bytes_early.q.val();
        self.flags_reg.d.next = self.flags_early.q.val();
        self.hit.next = self.hit_reg.q.val();
        self.hit_place.next = self.place_reg.q.val();
        self.hit_bytes.next = self.bytes_reg.q.val();
        self.hit_flags.next = self.flags_reg.q.val();
        self.outcome.next = self.outcome_reg.q.val();
        self.outcome_valid.next = self.outcome_strobe.q.val();
        if self.reset.val() {
            self.number.d.next = 0.into();
            self.sequence.d.next = 0.into();
            self.ended.d.next = false;
            self.outcome_strobe.d.next = false;
            self.hit_reg.d.next = false;
        }
    }
}
