//! The lookup pipeline that both ports share: one frame, or one table commit, a cycle.
use super::{Cuckoo, Decide, Detail, Hash, Judge, SmallTable, Verdict};
use crate::parse::Meta;
use crate::route::Route;
use ipos_abi::rx::Outcome;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Cycle 0 picks, 1 hashes, 2 reads the cuckoo tables, 3 takes what they give, 4 and 5 compare, 6 selects, 7 reads the
    /// destination and what the headers say, 8 the neighbour and judges the headers, 9 decides; the detail leaves a cycle after the verdict. A commit takes a frame's place in cycle 0 and writes in cycle 2.
    pub struct Classify[const FW: usize, const EW: usize][FW, EW] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub front_key: Signal<In, Bits<97>>,
        pub front_valid: Signal<In, Bit>,
        pub front_read: Signal<Out, Bit>,
        pub back_key: Signal<In, Bits<97>>,
        pub back_valid: Signal<In, Bit>,
        pub back_read: Signal<Out, Bit>,
        /// What the headers say, and whether their checksums hold, of the frame that will be decided: they are there by then.
        pub front_meta: Signal<In, Meta>,
        pub front_meta_read: Signal<Out, Bit>,
        pub back_meta: Signal<In, Meta>,
        pub back_meta_read: Signal<Out, Bit>,
        pub front_ip_ok: Signal<In, Bit>,
        pub front_sums_read: Signal<Out, Bit>,
        pub back_ip_ok: Signal<In, Bit>,
        pub back_ipos_ok: Signal<In, Bit>,
        pub back_sums_read: Signal<Out, Bit>,
        /// Verdicts in the order of the frames of each port.
        pub verdict: Signal<Out, Verdict>,
        pub detail: Signal<Out, Detail>,
        pub front_write: Signal<Out, Bit>,
        pub back_write: Signal<Out, Bit>,
        /// Of a detail, a cycle after its verdict's.
        pub front_detail_write: Signal<Out, Bit>,
        pub back_detail_write: Signal<Out, Bit>,
        /// Of a packet that will be forwarded: its way, and strobes.
        pub route: Signal<Out, Route>,
        pub front_promise: Signal<Out, Bit>,
        pub back_promise: Signal<Out, Bit>,
        /// Each port's forward buffer has room for a packet.
        pub front_room: Signal<In, Bit>,
        pub back_room: Signal<In, Bit>,
        /// A packet that came encapsulated may be forwarded again; a strobe for each that is.
        pub allow: Signal<In, Bit>,
        pub reforward: Signal<Out, Bit>,
        /// Verdicts waiting at the consumers.
        pub front_level: Signal<In, Bits<5>>,
        pub back_level: Signal<In, Bits<5>>,
        pub front_vlan: Signal<In, Bits<32>>,
        pub back_vlan: Signal<In, Bits<32>>,
        /// Staged entries. A commit strobe is held until `committed`.
        pub key: Signal<In, Bits<97>>,
        pub value: Signal<In, Bits<32>>,
        pub slot: Signal<In, Bits<12>>,
        pub bank: Signal<In, Bits<2>>,
        pub entry_valid: Signal<In, Bit>,
        pub commit_forward: Signal<In, Bit>,
        pub commit_endpoint: Signal<In, Bit>,
        pub committed: Signal<Out, Bit>,
        /// A forward slot changes, a strobe.
        pub forward_committed: Signal<Out, Bit>,
        /// While high, every table is emptied, slot by slot: what is staged must be zero.
        pub sweep: Signal<In, Bit>,
        pub sweep_slot: Signal<In, Bits<12>>,
        pub dest: Signal<In, Bits<52>>,
        pub commit_dest: Signal<In, Bit>,
        pub neighbour: Signal<In, Bits<49>>,
        pub commit_neighbour: Signal<In, Bit>,
        pub index: Signal<In, Bits<8>>,
        hash: Hash,
        forward: Cuckoo<FW, 10, 108>,
        endpoint: Cuckoo<EW, 32, 130>,
        dests: SmallTable<8, 52>,
        neighbours: SmallTable<4, 49>,
        judge: Judge,
        decide: Decide,
        turn: DFF<Bit>,
        key1: DFF<Bits<97>>,
        key2: DFF<Bits<97>>,
        key3: DFF<Bits<97>>,
        key4: DFF<Bits<97>>,
        // the client, for the ipOS header
        source5: DFF<Bits<48>>,
        source6: DFF<Bits<48>>,
        source7: DFF<Bits<48>>,
        source8: DFF<Bits<48>>,
        source9: DFF<Bits<48>>,
        hash2: DFF<Bits<48>>,
        valid1: DFF<Bit>,
        valid2: DFF<Bit>,
        valid3: DFF<Bit>,
        valid4: DFF<Bit>,
        valid5: DFF<Bit>,
        valid6: DFF<Bit>,
        valid7: DFF<Bit>,
        valid8: DFF<Bit>,
        valid9: DFF<Bit>,
        // the port of the frame in each cycle: true is back
        backs: DFF<Bits<9>>,
        meta8: DFF<Meta>,
        ip_ok8: DFF<Bit>,
        ipos_ok8: DFF<Bit>,
        verdict9: DFF<Verdict>,
        detail9: DFF<Detail>,
        asks9: DFF<Bit>,
        ip_ok9: DFF<Bit>,
        udp9: DFF<Bit>,
        commit_f1: DFF<Bit>,
        commit_f2: DFF<Bit>,
        commit_e1: DFF<Bit>,
        commit_e2: DFF<Bit>,
        // lookup results on their way to cycle 9
        hit8: DFF<Bit>,
        hit9: DFF<Bit>,
        action8: DFF<Bits<2>>,
        action9: DFF<Bits<2>>,
        place8: DFF<Bits<14>>,
        place9: DFF<Bits<14>>,
        ehit8: DFF<Bit>,
        ehit9: DFF<Bit>,
        eref8: DFF<Bits<32>>,
        eref9: DFF<Bits<32>>,
        dest9: DFF<Bits<48>>,
        src_mac9: DFF<Bits<48>>,
        detail10: DFF<Detail>,
        loops10: DFF<Bit>,
        front10: DFF<Bit>,
        back10: DFF<Bit>,
        front_ok: Signal<Local, Bit>,
        back_ok: Signal<Local, Bit>,
        pick_back: Signal<Local, Bit>,
        commits: Signal<Local, Bit>,
        take: Signal<Local, Bit>,
        back7: Signal<Local, Bit>,
        back8: Signal<Local, Bit>,
        back9: Signal<Local, Bit>,
        c_loop: Constant<Bits<5>> = Outcome::DropLoop as u64,
    }
}

impl<const FW: usize, const EW: usize> Logic for Classify<FW, EW> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, turn, key1, key2, key3, key4, source5, source6, source7, source8, source9, hash2, valid1,
            valid2, valid3, valid4, valid5, valid6, valid7, valid8, valid9, backs, meta8, ip_ok8, ipos_ok8, verdict9,
            detail9, asks9, ip_ok9, src_mac9, udp9, commit_f1, commit_f2, commit_e1, commit_e2, hit8, hit9, action8,
            action9, place8, place9, ehit8, ehit9, eref8, eref9, dest9, detail10, loops10, front10, back10
        );
        clock!(self, clock, forward, endpoint, dests, neighbours);

        // 0: a commit first, else the ports in turn
        self.commits.next = (self.commit_forward.val() | self.commit_endpoint.val())
            & !(self.commit_f1.q.val() | self.commit_e1.q.val() | self.commit_f2.q.val() | self.commit_e2.q.val());
        self.front_ok.next = self.front_valid.val() & (self.front_level.val() < 4);
        self.back_ok.next = self.back_valid.val() & (self.back_level.val() < 4);
        self.pick_back.next = self.back_ok.val() & (!self.front_ok.val() | self.turn.q.val());
        self.take.next = (self.front_ok.val() | self.back_ok.val()) & !self.commits.val();
        self.front_read.next = self.take.val() & !self.pick_back.val();
        self.back_read.next = self.take.val() & self.pick_back.val();
        if self.take.val() {
            self.turn.d.next = !self.pick_back.val();
        }
        self.backs.d.next = self.backs.q.val() << 1;
        if self.pick_back.val() {
            self.backs.d.next = (self.backs.q.val() << 1) | 1;
        }
        self.back7.next = self.backs.q.val().get_bit(6);
        self.back8.next = self.backs.q.val().get_bit(7);
        self.back9.next = self.backs.q.val().get_bit(8);
        self.valid1.d.next = self.take.val();
        self.commit_f1.d.next = self.commits.val() & self.commit_forward.val();
        self.commit_e1.d.next = self.commits.val() & self.commit_endpoint.val();
        if self.take.val() {
            self.key1.d.next = self.front_key.val();
            if self.pick_back.val() {
                self.key1.d.next = self.back_key.val();
            }
        }

        // 1
        self.hash.key.next = self.key1.q.val();
        self.hash2.d.next = self.hash.bits.val();
        self.key2.d.next = self.key1.q.val();
        self.valid2.d.next = self.valid1.q.val();
        self.commit_f2.d.next = self.commit_f1.q.val();
        self.commit_e2.d.next = self.commit_e1.q.val();

        // 2 to 6
        self.key3.d.next = self.key2.q.val();
        self.key4.d.next = self.key3.q.val();
        self.source5.d.next = self.key4.q.val().get_bits::<48>(48);
        self.source6.d.next = self.source5.q.val();
        self.source7.d.next = self.source6.q.val();
        self.source8.d.next = self.source7.q.val();
        self.source9.d.next = self.source8.q.val();
        self.valid3.d.next = self.valid2.q.val();
        self.valid4.d.next = self.valid3.q.val();
        self.valid5.d.next = self.valid4.q.val();
        self.valid6.d.next = self.valid5.q.val();
        self.valid7.d.next = self.valid6.q.val();
        self.forward.hash.next = self.hash2.q.val();
        self.forward.key.next = self.key4.q.val();
        self.forward.commit.next = self.commit_f2.q.val();
        self.forward.commit_bank.next = self.bank.val();
        self.forward.commit_slot.next = self.slot.val();
        self.forward.commit_valid.next = self.entry_valid.val();
        self.forward.commit_key.next = self.key.val();
        self.forward.commit_value.next = self.value.val().get_bits::<10>(0);
        self.endpoint.hash.next = self.hash2.q.val();
        self.endpoint.key.next = self.key4.q.val();
        self.endpoint.commit.next = self.commit_e2.q.val();
        self.endpoint.commit_bank.next = self.bank.val();
        self.endpoint.commit_slot.next = self.slot.val();
        self.endpoint.commit_valid.next = self.entry_valid.val();
        self.endpoint.commit_key.next = self.key.val();
        self.endpoint.commit_value.next = self.value.val();
        self.committed.next = self.commit_f2.q.val() | self.commit_e2.q.val();
        self.forward_committed.next = self.commit_f2.q.val();
        self.forward.sweep.next = self.sweep.val();
        self.forward.sweep_slot.next = self.sweep_slot.val();
        self.endpoint.sweep.next = self.sweep.val();
        self.endpoint.sweep_slot.next = self.sweep_slot.val();

        // 7
        self.dests.index.next = self.forward.value.val().get_bits::<8>(0);
        self.dests.commit.next = self.commit_dest.val();
        self.dests.commit_index.next = self.index.val();
        self.dests.commit_value.next = self.dest.val();
        if self.sweep.val() {
            self.dests.commit.next = true;
            self.dests.commit_index.next = bit_cast::<8, 12>(self.sweep_slot.val());
        }
        self.front_meta_read.next = self.valid7.q.val() & !self.back7.val();
        self.back_meta_read.next = self.valid7.q.val() & self.back7.val();
        self.front_sums_read.next = self.valid7.q.val() & !self.back7.val();
        self.back_sums_read.next = self.valid7.q.val() & self.back7.val();
        self.meta8.d.next = self.front_meta.val();
        self.ip_ok8.d.next = self.front_ip_ok.val();
        self.ipos_ok8.d.next = self.back_ipos_ok.val();
        if self.back7.val() {
            self.meta8.d.next = self.back_meta.val();
            self.ip_ok8.d.next = self.back_ip_ok.val();
        }
        self.hit8.d.next = self.forward.hit.val();
        self.action8.d.next = self.forward.value.val().get_bits::<2>(8);
        self.place8.d.next = self.forward.place.val();
        self.ehit8.d.next = self.endpoint.hit.val();
        self.eref8.d.next = self.endpoint.value.val();
        self.valid8.d.next = self.valid7.q.val();

        // 8
        self.neighbours.index.next = self.dests.value.val().get_bits::<4>(48);
        self.neighbours.commit.next = self.commit_neighbour.val();
        self.neighbours.commit_index.next = bit_cast::<4, 8>(self.index.val());
        self.neighbours.commit_value.next = self.neighbour.val();
        if self.sweep.val() {
            self.neighbours.commit.next = true;
            self.neighbours.commit_index.next = bit_cast::<4, 12>(self.sweep_slot.val());
        }
        self.dest9.d.next = self.dests.value.val().get_bits::<48>(0);
        self.hit9.d.next = self.hit8.q.val();
        self.action9.d.next = self.action8.q.val();
        self.place9.d.next = self.place8.q.val();
        self.ehit9.d.next = self.ehit8.q.val();
        self.eref9.d.next = self.eref8.q.val();
        self.valid9.d.next = self.valid8.q.val();
        self.judge.meta.next = self.meta8.q.val();
        self.judge.ip_ok.next = self.ip_ok8.q.val();
        self.judge.ipos_ok.next = self.ipos_ok8.q.val();
        self.judge.back.next = self.back8.val();
        self.judge.vlan.next = self.front_vlan.val().get_bits::<12>(0);
        self.judge.vlan_enable.next = self.front_vlan.val().get_bit(31);
        if self.back8.val() {
            self.judge.vlan.next = self.back_vlan.val().get_bits::<12>(0);
            self.judge.vlan_enable.next = self.back_vlan.val().get_bit(31);
        }
        self.verdict9.d.next = self.judge.verdict.val();
        self.detail9.d.next = self.judge.detail.val();
        self.asks9.d.next = self.judge.asks.val();
        self.ip_ok9.d.next = self.ip_ok8.q.val();
        self.src_mac9.d.next = self.meta8.q.val().src_mac;
        self.udp9.d.next = self.meta8.q.val().udp;

        // 9
        self.decide.judged.next = self.verdict9.q.val();
        self.decide.judged_detail.next = self.detail9.q.val();
        self.decide.asks.next = self.asks9.q.val();
        self.decide.ip_ok.next = self.ip_ok9.q.val();
        self.decide.src_mac.next = self.src_mac9.q.val();
        self.decide.src_ip.next = self.source9.q.val().get_bits::<32>(16);
        self.decide.src_port.next = self.source9.q.val().get_bits::<16>(0);
        self.decide.udp.next = self.udp9.q.val();
        self.decide.allow.next = self.allow.val();
        self.decide.room.next = self.front_room.val();
        if self.back9.val() {
            self.decide.room.next = self.back_room.val();
        }
        self.decide.forward_hit.next = self.hit9.q.val();
        self.decide.action.next = self.action9.q.val();
        self.decide.place.next = self.place9.q.val();
        self.decide.endpoint_hit.next = self.ehit9.q.val();
        self.decide.endpoint.next = self.eref9.q.val();
        self.decide.dest_ip.next = self.dest9.q.val().get_bits::<32>(0);
        self.decide.dest_port.next = self.dest9.q.val().get_bits::<16>(32);
        self.decide.neighbour.next = self.neighbours.value.val().get_bits::<48>(0);
        self.decide.neighbour_valid.next = self.neighbours.value.val().get_bit(48);
        self.verdict.next = self.decide.verdict.val();
        self.route.next = self.decide.route.val();
        self.front_write.next = self.valid9.q.val() & !self.back9.val();
        self.back_write.next = self.valid9.q.val() & self.back9.val();
        self.front_promise.next = self.valid9.q.val() & !self.back9.val() & self.decide.verdict.val().forward;
        self.back_promise.next = self.valid9.q.val() & self.back9.val() & self.decide.verdict.val().forward;
        self.reforward.next = self.valid9.q.val()
            & self.back9.val()
            & self.decide.verdict.val().forward
            & self.decide.verdict.val().decapsulate;
        // what the verdict does not need, a cycle later
        self.detail10.d.next = self.decide.detail.val();
        self.front10.d.next = self.front_write.val();
        self.back10.d.next = self.back_write.val();
        self.loops10.d.next = self.decide.loops.val();
        self.detail.next = self.detail10.q.val();
        if self.loops10.q.val() {
            self.detail.next.code = self.c_loop.val();
        }
        self.front_detail_write.next = self.front10.q.val();
        self.back_detail_write.next = self.back10.q.val();
        if self.reset.val() {
            self.valid1.d.next = false;
            self.valid2.d.next = false;
            self.valid3.d.next = false;
            self.valid4.d.next = false;
            self.valid5.d.next = false;
            self.valid6.d.next = false;
            self.valid7.d.next = false;
            self.valid8.d.next = false;
            self.valid9.d.next = false;
            self.front10.d.next = false;
            self.back10.d.next = false;
            self.commit_f1.d.next = false;
            self.commit_f2.d.next = false;
            self.commit_e1.d.next = false;
            self.commit_e2.d.next = false;
        }
    }
}
