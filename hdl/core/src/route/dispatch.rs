//! Carries each frame where its verdict says, and gives it its one outcome (`docs/datapath.md`, steps 12 and 13).
use super::Normal;
use crate::stream::Beat;
use crate::table::{Detail, Verdict};
use ipos_abi::rx::{L3, L4, Outcome};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Takes a beat each cycle. Nothing downstream can stop it: what is forwarded was promised room, what has none in a host buffer
    /// is dropped whole. Beats leave for the forward buffer a cycle after they were taken, for the host's two, and an outcome three.
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
        /// Of the beat that was taken in the cycle before.
        pub detail: Signal<In, Detail>,
        pub detail_read: Signal<Out, Bit>,
        /// Takes a beat; on the last one also verdict and tail.
        pub take: Signal<Out, Bit>,
        pub take_last: Signal<Out, Bit>,
        /// Forward buffer: beats from the second on, cut at the IPv4 total length.
        pub fwd_beat: Signal<Out, Beat>,
        pub fwd_write: Signal<Out, Bit>,
        /// A frame that is forwarded begins: its first beat is taken.
        pub starts: Signal<Out, Bit>,
        /// Host buffers, a cycle later.
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
        normal: Normal,
        // 0: the beat that is offered; its number in the frame as it came, up to 3, and in the frame that results
        k: DFF<Bits<2>>,
        n: DFF<Bits<14>>,
        // 1: the beat that was taken, and how it lies to the packet's last one
        valid1: DFF<Bit>,
        beat1: DFF<Beat>,
        forward1: DFF<Bit>,
        host1: DFF<Bit>,
        control1: DFF<Bit>,
        inner1: DFF<Bit>,
        stop1: DFF<Bits<17>>,
        l4_1: DFF<Bit>,
        cover_1: DFF<Bit>,
        k1: DFF<Bits<2>>,
        n1: DFF<Bits<14>>,
        fourth1: DFF<Bit>,
        emit1: DFF<Bit>,
        body1: DFF<Bit>,
        before1: DFF<Bit>,
        at1: DFF<Bit>,
        pending: DFF<Bits<64>>, // the last beat of a padded packet waits for the frame's end
        sequence: DFF<Bits<32>>,
        // 2: what goes to the host, and what its meta and the outcome follow from
        beat2: DFF<Beat>,
        host_put: DFF<Bit>,
        control_put: DFF<Bit>,
        ended: DFF<Bit>,
        detail2: DFF<Detail>,
        covered: DFF<Bits<17>>, // bytes that the frame must have for its control sum
        inner2: DFF<Bit>,
        l4_2: DFF<Bit>,
        cover_2: DFF<Bit>,
        bytes2: DFF<Bits<17>>,
        to_wire: DFF<Bit>,
        to_host: DFF<Bit>,
        to_control: DFF<Bit>,
        faulty: DFF<Bit>,
        was_short: DFF<Bit>,
        bytes_early: DFF<Bits<16>>,
        counts: DFF<Bit>,
        // 3
        outcome_reg: DFF<Bits<4>>,
        outcome_strobe: DFF<Bit>,
        hit_reg: DFF<Bit>,
        place_reg: DFF<Bits<14>>,
        bytes_reg: DFF<Bits<16>>,
        flags_reg: DFF<Bits<8>>,
        go: Signal<Local, Bit>,
        inner: Signal<Local, Bit>,
        last_beat: Signal<Local, Bits<14>>,
        ends1: Signal<Local, Bit>,
        short: Signal<Local, Bit>,
        fwd: Signal<Local, Beat>,
        bytes: Signal<Local, Bits<17>>,
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
    }
}

impl Logic for Dispatch {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            k,
            n,
            valid1,
            beat1,
            forward1,
            host1,
            control1,
            inner1,
            stop1,
            l4_1,
            cover_1,
            k1,
            n1,
            fourth1,
            emit1,
            body1,
            before1,
            at1,
            pending,
            sequence,
            beat2,
            host_put,
            control_put,
            ended,
            detail2,
            covered,
            inner2,
            l4_2,
            cover_2,
            bytes2,
            to_wire,
            to_host,
            to_control,
            faulty,
            was_short,
            bytes_early,
            counts,
            outcome_reg,
            outcome_strobe,
            hit_reg,
            place_reg,
            bytes_reg,
            flags_reg
        );
        clock!(self, clock, normal);

        // 0: take a beat
        self.go.next =
            self.verdict_valid.val() & self.beat_valid.val() & (!self.beat.val().last | self.tail_valid.val());
        self.take.next = self.go.val();
        self.take_last.next = self.go.val() & self.beat.val().last;
        self.inner.next = self.back.val() & self.verdict.val().decapsulate;
        if self.go.val() {
            if self.k.q.val() != 3 {
                self.k.d.next = self.k.q.val() + 1;
            }
            // the second and third beat of a frame that is decapsulated vanish; from 64 KiB on, more than any buffer takes, the
            // number stands
            if !self.n.q.val().get_bit(13) & (!self.inner.val() | self.k.q.val().get_bit(1)) {
                self.n.d.next = self.n.q.val() + 1;
            }
            if self.beat.val().last {
                self.k.d.next = 0.into();
                self.n.d.next = 0.into();
            }
        }
        self.starts.next = self.go.val() & self.verdict.val().forward & (self.k.q.val() == 0);

        self.valid1.d.next = self.go.val();
        self.beat1.d.next = self.beat.val();
        self.forward1.d.next = self.verdict.val().forward;
        self.host1.d.next = self.verdict.val().host;
        self.control1.d.next = self.back.val() & self.verdict.val().control;
        self.inner1.d.next = self.inner.val();
        self.stop1.d.next = self.verdict.val().stop;
        self.l4_1.d.next = self.l4_ok.val();
        self.cover_1.d.next = self.cover_ok.val();
        self.k1.d.next = self.k.q.val();
        self.n1.d.next = self.n.q.val();
        self.fourth1.d.next = (self.k.q.val() == 3) & (self.n.q.val() == 1);
        self.emit1.d.next = !(self.inner.val() & ((self.k.q.val() == 1) | (self.k.q.val() == 2)));
        self.body1.d.next = self.n.q.val() != 0;
        self.last_beat.next = self.verdict.val().stop.get_bits::<14>(3);
        self.before1.d.next = self.n.q.val() < self.last_beat.val();
        self.at1.d.next = self.n.q.val() == self.last_beat.val();

        // 1: into the forward buffer
        self.ends1.next = self.valid1.q.val() & self.beat1.q.val().last;
        self.detail_read.next = self.ends1.val();
        self.normal.s_beat.next = self.beat1.q.val();
        self.normal.valid.next = self.valid1.q.val();
        self.normal.k.next = self.k1.q.val();
        self.normal.fourth.next = self.fourth1.q.val();
        self.normal.decapsulate.next = self.inner1.q.val();
        self.normal.front_mac.next = self.front_mac.val();
        self.short.next =
            self.before1.q.val() | (self.at1.q.val() & (self.beat1.q.val().cnt < self.stop1.q.val().get_bits::<3>(0)));
        self.fwd_write.next = self.valid1.q.val()
            & self.forward1.q.val()
            & self.emit1.q.val()
            & self.body1.q.val()
            & (self.before1.q.val() | self.beat1.q.val().last);
        self.fwd.next.data = self.normal.data.val();
        if !(self.before1.q.val() | self.at1.q.val()) {
            self.fwd.next.data = self.pending.q.val();
        }
        self.fwd.next.cnt = 7.into();
        self.fwd.next.last = self.beat1.q.val().last;
        self.fwd.next.user = self.beat1.q.val().last & (self.beat1.q.val().user | self.short.val());
        if self.beat1.q.val().last {
            self.fwd.next.cnt = self.stop1.q.val().get_bits::<3>(0);
            if self.short.val() {
                self.fwd.next.cnt = self.beat1.q.val().cnt;
            }
        }
        if self.valid1.q.val() & self.at1.q.val() {
            self.pending.d.next = self.normal.data.val();
        }
        self.fwd_beat.next = self.fwd.val();

        // 2: into the host's
        self.bytes.next = (bit_cast::<17, 14>(self.n1.q.val()) << 3) + bit_cast::<17, 3>(self.beat1.q.val().cnt) + 1;
        self.host.next.data = self.normal.data.val();
        self.host.next.cnt = self.beat1.q.val().cnt;
        self.host.next.last = self.beat1.q.val().last;
        self.host.next.user = false;
        self.beat2.d.next = self.host.val();
        self.host_put.d.next = self.valid1.q.val() & self.host1.q.val() & self.emit1.q.val();
        self.control_put.d.next = self.valid1.q.val() & self.control1.q.val();
        self.ended.d.next = self.ends1.val();
        self.detail2.d.next = self.detail.val();
        self.covered.d.next = bit_cast::<17, 8>(self.detail.val().cover) + 14;
        self.inner2.d.next = self.inner1.q.val();
        self.l4_2.d.next = self.l4_1.q.val();
        self.cover_2.d.next = self.cover_1.q.val();
        self.bytes2.d.next = self.bytes.val();
        self.to_wire.d.next = self.forward1.q.val();
        self.to_host.d.next = self.host1.q.val();
        self.to_control.d.next = self.control1.q.val();
        self.faulty.d.next = self.beat1.q.val().user;
        self.was_short.d.next = self.short.val();
        self.bytes_early.d.next = bit_cast::<16, 17>(self.stop1.q.val() - 13);
        self.out_beat.next = self.beat2.q.val();
        self.host_write.next = self.host_put.q.val();
        self.host_end.next = self.ended.q.val() & self.to_host.q.val();
        self.control_write.next = self.control_put.q.val();
        self.control_end.next = self.ended.q.val() & self.to_control.q.val();
        self.over.next =
            (self.to_host.q.val() & self.host_overflow.val()) | (self.to_control.q.val() & self.control_overflow.val());
        self.kept.next = !self.faulty.q.val() & !self.over.val();
        self.keep.next = self.kept.val();
        // a cycle late: no frame for the host is one beat
        self.counts.d.next = self.ended.q.val() & (self.to_host.q.val() | self.to_control.q.val()) & self.kept.val();
        if self.counts.q.val() {
            self.sequence.d.next = self.sequence.q.val() + self.c_one.val();
        }
        self.l3.next = self.detail2.q.val().l3;
        self.l4.next = 0.into();
        if self.detail2.q.val().judge {
            if self.was_short.q.val() {
                self.l3.next = self.c_l3_short.val();
            } else if !self.detail2.q.val().l4_skip {
                self.l4.next = self.c_l4_bad.val();
                if self.l4_2.q.val() {
                    self.l4.next = self.c_l4_valid.val();
                }
            }
        }
        if self.to_control.q.val() & (self.detail2.q.val().cover != 0) {
            if self.bytes2.q.val() < self.covered.q.val() {
                self.l3.next = self.c_l3_truncated.val();
            } else if self.cover_2.q.val() {
                self.l3.next = self.c_l3_ok.val();
            } else {
                self.l3.next = self.c_l3_bad.val();
            }
        }
        self.flags.next = bit_cast::<32, 5>(self.detail2.q.val().code)
            | (bit_cast::<32, 3>(self.l3.val()) << 8)
            | (bit_cast::<32, 2>(self.l4.val()) << 12);
        if self.detail2.q.val().tagged {
            self.flags.next = self.flags.val() | (self.c_one.val() << 16);
        }
        if self.inner2.q.val() {
            self.flags.next = self.flags.val() | (self.c_one.val() << 17);
        }
        if self.back.val() {
            self.flags.next = self.flags.val() | (self.c_one.val() << 18);
        }
        self.word0.next = bit_cast::<32, 16>(self.bytes2.q.val().get_bits::<16>(0))
            | (bit_cast::<32, 16>(self.detail2.q.val().tci) << 16);
        self.out_meta.next = (bit_cast::<128, 32>(self.flags.val()) << 96)
            | (bit_cast::<128, 32>(self.detail2.q.val().about) << 64)
            | (bit_cast::<128, 32>(self.sequence.q.val()) << 32)
            | bit_cast::<128, 32>(self.word0.val());

        // and the one outcome
        self.code.next = bit_cast::<4, 5>(self.detail2.q.val().code);
        if self.to_wire.q.val() {
            self.code.next = self.c_forwarded.val();
            if self.faulty.q.val() {
                self.code.next = self.c_error.val();
            } else if self.was_short.q.val() {
                self.code.next = self.c_short.val();
            }
        } else if self.to_host.q.val() | self.to_control.q.val() {
            self.code.next = self.c_host.val();
            if self.to_control.q.val() {
                self.code.next = self.c_control.val();
            }
            if self.faulty.q.val() {
                self.code.next = self.c_error.val();
            } else if self.over.val() {
                self.code.next = self.c_host_full.val();
            }
        }
        self.outcome_reg.d.next = self.code.val();
        self.outcome_strobe.d.next = self.ended.q.val();
        self.hit_reg.d.next = self.ended.q.val() & self.to_wire.q.val() & (self.code.val() == self.c_forwarded.val());
        self.place_reg.d.next = self.detail2.q.val().about.get_bits::<14>(0);
        self.bytes_reg.d.next = self.bytes_early.q.val();
        self.flags_reg.d.next = self.detail2.q.val().about.get_bits::<8>(14);
        self.hit.next = self.hit_reg.q.val();
        self.hit_place.next = self.place_reg.q.val();
        self.hit_bytes.next = self.bytes_reg.q.val();
        self.hit_flags.next = self.flags_reg.q.val();
        self.outcome.next = self.outcome_reg.q.val();
        self.outcome_valid.next = self.outcome_strobe.q.val();
        if self.reset.val() {
            self.k.d.next = 0.into();
            self.n.d.next = 0.into();
            self.valid1.d.next = false;
            self.host_put.d.next = false;
            self.control_put.d.next = false;
            self.sequence.d.next = 0.into();
            self.counts.d.next = false;
            self.ended.d.next = false;
            self.outcome_strobe.d.next = false;
            self.hit_reg.d.next = false;
        }
    }
}
