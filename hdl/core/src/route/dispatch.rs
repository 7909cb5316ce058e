//! Carries each frame where its verdict says, and gives it its one outcome (`docs/datapath.md`, steps 12 and 13).
use super::{Normal, Route};
use crate::stream::Beat;
use crate::table::Verdict;
use ipos_abi::rx::{L3, L4, Outcome};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes a beat each cycle. Nothing downstream can stop it: what has no room is dropped whole.
    pub struct Dispatch {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub back: Signal<In, Bit>,
        pub front_mac: Signal<In, Bits<48>>,
        pub verdict: Signal<In, Verdict>,
        pub verdict_valid: Signal<In, Bit>,
        pub beat: Signal<In, Beat>,
        pub beat_valid: Signal<In, Bit>,
        pub l4_ok: Signal<In, Bit>,
        pub cover_ok: Signal<In, Bit>,
        pub tail_valid: Signal<In, Bit>,
        /// Takes a beat; on the last one also verdict and tail.
        pub take: Signal<Out, Bit>,
        pub take_last: Signal<Out, Bit>,
        /// Forward buffer: beats from the second on, cut at the IPv4 total length.
        pub fwd_beat: Signal<Out, Beat>,
        pub fwd_write: Signal<Out, Bit>,
        pub fwd_level: Signal<In, Bits<10>>,
        pub fwd_route: Signal<Out, Route>,
        pub fwd_route_write: Signal<Out, Bit>,
        pub fwd_route_level: Signal<In, Bits<6>>,
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
        /// A packet that came encapsulated may be forwarded again; a strobe for each that is.
        pub allow: Signal<In, Bit>,
        pub reforward: Signal<Out, Bit>,
        /// With an outcome `Forwarded`: the entry, the bytes of the IP packet, its TCP flags.
        pub hit: Signal<Out, Bit>,
        pub hit_place: Signal<Out, Bits<14>>,
        pub hit_bytes: Signal<Out, Bits<16>>,
        pub hit_flags: Signal<Out, Bits<8>>,
        pub outcome: Signal<Out, Bits<4>>,
        pub outcome_valid: Signal<Out, Bit>,
        normal: Normal,
        admitted: DFF<Bit>,
        pending: DFF<Bits<64>>, // the last beat of a padded packet waits for the frame's end
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
        was_fast: DFF<Bit>,
        was_admitted: DFF<Bit>,
        was_short: DFF<Bit>,
        was_over: DFF<Bit>,
        place_early: DFF<Bits<14>>,
        bytes_early: DFF<Bits<16>>,
        flags_early: DFF<Bits<8>>,
        hit_reg: DFF<Bit>,
        place_reg: DFF<Bits<14>>,
        bytes_reg: DFF<Bits<16>>,
        flags_reg: DFF<Bits<8>>,
        too_fast: DFF<Bit>,
        go: Signal<Local, Bit>,
        ends: Signal<Local, Bit>,
        stop: Signal<Local, Bits<17>>,
        last_beat: Signal<Local, Bits<14>>,
        last_cnt: Signal<Local, Bits<3>>,
        room: Signal<Local, Bits<14>>,
        admit: Signal<Local, Bit>,
        fast: Signal<Local, Bit>,
        short: Signal<Local, Bit>,
        place: Signal<Local, Bits<17>>, // of the beat's last byte
        fwd: Signal<Local, Beat>,
        bytes: Signal<Local, Bits<17>>,
        raw_bytes: Signal<Local, Bits<17>>,
        host: Signal<Local, Beat>,
        over: Signal<Local, Bit>,
        l3: Signal<Local, Bits<3>>,
        l4: Signal<Local, Bits<2>>,
        flags: Signal<Local, Bits<32>>,
        word0: Signal<Local, Bits<32>>,
        kept: Signal<Local, Bit>,
        route: Signal<Local, Route>,
        code: Signal<Local, Bits<4>>,
        c_depth: Constant<Bits<14>> = 512u64,
        c_longest: Constant<Bits<14>> = 255u64, // 2,048 bytes
        c_forwarded: Constant<Bits<4>> = Outcome::Forwarded as u64,
        c_host: Constant<Bits<4>> = Outcome::ToHost as u64,
        c_control: Constant<Bits<4>> = Outcome::ToControl as u64,
        c_full: Constant<Bits<4>> = Outcome::DropForwardFull as u64,
        c_rate: Constant<Bits<4>> = Outcome::DropRate as u64,
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
    }
}

impl Logic for Dispatch {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            admitted,
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
            was_fast,
            was_admitted,
            was_short,
            was_over,
            place_early,
            bytes_early,
            flags_early,
            hit_reg,
            place_reg,
            bytes_reg,
            flags_reg,
            too_fast
        );
        clock!(self, clock, normal);
        self.go.next =
            self.verdict_valid.val() & self.beat_valid.val() & (!self.beat.val().last | self.tail_valid.val());
        self.ends.next = self.go.val() & self.beat.val().last;
        self.take.next = self.go.val();
        self.take_last.next = self.ends.val();
        self.normal.reset.next = self.reset.val();
        self.normal.s_beat.next = self.beat.val();
        self.normal.fire.next = self.go.val();
        self.normal.decapsulate.next = self.verdict.val().decapsulate;
        self.normal.front_mac.next = self.front_mac.val();
        self.place.next = (bit_cast::<17, 14>(self.normal.number.val()) << 3) | bit_cast::<17, 3>(self.beat.val().cnt);
        self.bytes.next = self.place.val() + 1;
        self.raw_bytes.next =
            (bit_cast::<17, 14>(self.normal.raw.val()) << 3) + bit_cast::<17, 3>(self.beat.val().cnt) + 1;

        // forward: the packet's last byte is 13 + total length
        self.stop.next = bit_cast::<17, 16>(self.verdict.val().total) + 13;
        self.last_beat.next = self.stop.val().get_bits::<14>(3);
        self.last_cnt.next = self.stop.val().get_bits::<3>(0);
        self.short.next = self.place.val() < self.stop.val();
        self.room.next = self.c_depth.val() - bit_cast::<14, 10>(self.fwd_level.val());
        self.admit.next = self.admitted.q.val();
        self.fast.next = self.too_fast.q.val();
        if self.normal.first.val() {
            self.fast.next = self.verdict.val().decapsulate & !self.allow.val();
            self.admit.next = !self.fast.val()
                & (self.last_beat.val() <= self.room.val())
                & (self.last_beat.val() <= self.c_longest.val())
                & (self.fwd_route_level.val() < 30);
        }
        if self.go.val() {
            self.admitted.d.next = self.admit.val();
            self.too_fast.d.next = self.fast.val();
        }
        self.fwd_route_write.next = false;
        self.fwd_write.next = false;
        if self.go.val() & self.verdict.val().forward & self.admit.val() {
            self.fwd_route_write.next = self.normal.first.val();
            if self.normal.emit.val() & (self.normal.number.val() != 0) {
                self.fwd_write.next = (self.normal.number.val() < self.last_beat.val()) | self.beat.val().last;
            }
        }
        self.fwd.next.data = self.normal.data.val();
        self.fwd.next.cnt = 7.into();
        self.fwd.next.last = self.beat.val().last;
        self.fwd.next.user = self.beat.val().last & (self.beat.val().user | self.short.val());
        if self.beat.val().last {
            self.fwd.next.cnt = self.last_cnt.val();
            if self.short.val() {
                self.fwd.next.cnt = self.beat.val().cnt;
            }
            if self.normal.number.val() > self.last_beat.val() {
                self.fwd.next.data = self.pending.q.val();
            }
        }
        if self.go.val() & (self.normal.number.val() == self.last_beat.val()) {
            self.pending.d.next = self.normal.data.val();
        }
        self.fwd_beat.next = self.fwd.val();
        self.route.next.mac = self.verdict.val().mac;
        self.route.next.src_ip = self.verdict.val().src_ip;
        self.route.next.src_port = self.verdict.val().src_port;
        self.route.next.dst_ip = self.verdict.val().dst_ip;
        self.route.next.dst_port = self.verdict.val().dst_port;
        self.route.next.udp = self.verdict.val().udp;
        self.fwd_route.next = self.route.val();

        // host queues
        self.host.next.data = self.normal.data.val();
        self.host.next.cnt = self.beat.val().cnt;
        self.host.next.last = self.beat.val().last;
        self.host.next.user = false;
        self.out_beat.next = self.host.val();
        self.host_write.next = self.go.val() & self.verdict.val().host & self.normal.emit.val();
        self.host_end.next = self.ends.val() & self.verdict.val().host;
        self.control_write.next = self.go.val() & self.verdict.val().control;
        self.control_end.next = self.ends.val() & self.verdict.val().control;
        self.over.next = (self.verdict.val().host & self.host_overflow.val())
            | (self.verdict.val().control & self.control_overflow.val());
        self.kept.next = !self.beat.val().user & !self.over.val();
        self.keep.next = self.kept.val();
        if self.ends.val() & (self.verdict.val().host | self.verdict.val().control) & self.kept.val() {
            self.sequence.d.next = self.sequence.q.val() + self.c_one.val();
        }
        self.l3.next = self.verdict.val().l3;
        self.l4.next = 0.into();
        if self.verdict.val().judge {
            if self.short.val() {
                self.l3.next = self.c_l3_short.val();
            } else if !self.verdict.val().l4_skip {
                self.l4.next = self.c_l4_bad.val();
                if self.l4_ok.val() {
                    self.l4.next = self.c_l4_valid.val();
                }
            }
        }
        if self.verdict.val().control & (self.verdict.val().cover != 0) {
            if self.raw_bytes.val() < (bit_cast::<17, 8>(self.verdict.val().cover) + 14) {
                self.l3.next = self.c_l3_truncated.val();
            } else if self.cover_ok.val() {
                self.l3.next = self.c_l3_ok.val();
            } else {
                self.l3.next = self.c_l3_bad.val();
            }
        }
        self.flags.next = bit_cast::<32, 5>(self.verdict.val().code)
            | (bit_cast::<32, 3>(self.l3.val()) << 8)
            | (bit_cast::<32, 2>(self.l4.val()) << 12);
        if self.verdict.val().tagged {
            self.flags.next = self.flags.val() | (self.c_one.val() << 16);
        }
        if self.verdict.val().decapsulate {
            self.flags.next = self.flags.val() | (self.c_one.val() << 17);
        }
        if self.back.val() {
            self.flags.next = self.flags.val() | (self.c_one.val() << 18);
        }
        self.word0.next =
            bit_cast::<32, 16>(self.bytes.val().get_bits::<16>(0)) | (bit_cast::<32, 16>(self.verdict.val().tci) << 16);
        self.out_meta.next = (bit_cast::<128, 32>(self.flags.val()) << 96)
            | (bit_cast::<128, 32>(self.verdict.val().endpoint) << 64)
            | (bit_cast::<128, 32>(self.sequence.q.val()) << 32)
            | bit_cast::<128, 32>(self.word0.val());

        // the one outcome, a cycle after the end
        self.ended.d.next = self.ends.val();
        self.judged.d.next = bit_cast::<4, 5>(self.verdict.val().code);
        self.to_wire.d.next = self.verdict.val().forward;
        self.to_host.d.next = !self.verdict.val().drop;
        self.to_control.d.next = self.verdict.val().control;
        self.faulty.d.next = self.beat.val().user;
        self.was_fast.d.next = self.fast.val();
        self.was_admitted.d.next = self.admit.val();
        self.was_short.d.next = self.short.val();
        self.was_over.d.next = self.over.val();
        self.code.next = self.judged.q.val();
        if self.to_wire.q.val() {
            self.code.next = self.c_forwarded.val();
            if self.was_fast.q.val() {
                self.code.next = self.c_rate.val();
            } else if !self.was_admitted.q.val() {
                self.code.next = self.c_full.val();
            } else if self.faulty.q.val() {
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
        self.reforward.next = self.go.val()
            & self.normal.first.val()
            & self.verdict.val().forward
            & self.verdict.val().decapsulate
            & self.admit.val();
        self.hit_reg.d.next = self.ended.q.val() & self.to_wire.q.val() & (self.code.val() == self.c_forwarded.val());
        self.place_early.d.next = self.verdict.val().place;
        self.bytes_early.d.next = self.verdict.val().total;
        self.flags_early.d.next = self.verdict.val().tcp_flags;
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
            self.sequence.d.next = 0.into();
            self.ended.d.next = false;
            self.outcome_strobe.d.next = false;
            self.hit_reg.d.next = false;
        }
    }
}
