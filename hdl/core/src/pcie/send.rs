//! One stream of TLPs out of three, within the link partner's credits and PCIe's ordering rules.
use crate::stream::Beat;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// Neither a read nor a completion overtakes a write that stood here before it (base specification 2.4.1); a write
    /// may overtake both. Without bus mastering writes stand still, and registers are answered all the same. Limits are cumulative; what was
    /// consumed is counted here (2.6.1), for as long as the link is up: a function's reset (6.6.2) only gives back what the TLP
    /// that it cuts took, which its partner never counts.
    pub struct Send {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        /// The link is down: credits start anew. With it `reset`, at least as long.
        pub down: Signal<In, Bit>,
        /// Bus mastering: without it no write and no read begins.
        pub master: Signal<In, Bit>,
        pub fc_ph: Signal<In, Bits<8>>,
        pub fc_pd: Signal<In, Bits<12>>,
        pub fc_nph: Signal<In, Bits<8>>,
        pub fc_cplh: Signal<In, Bits<8>>,
        pub fc_cpld: Signal<In, Bits<12>>,
        /// Bits 0 to 4 in that order: no limit.
        pub fc_infinite: Signal<In, Bits<5>>,
        pub p_beat: Signal<In, Beat>,
        pub p_credits: Signal<In, Bits<12>>,
        /// Of the write whose beats enter the slice before this port. While a write of two beats waits in it, these are the next one's
        /// already: it has one unit, so what fits the next one fits it.
        pub p_coming: Signal<In, Bits<12>>,
        /// Beside its beats: the last TLP of a write, whose, and of how many completions.
        pub p_ends: Signal<In, Bit>,
        pub p_source: Signal<In, Bits<3>>,
        pub p_entries: Signal<In, Bits<3>>,
        pub p_valid: Signal<In, Bit>,
        pub p_ready: Signal<Out, Bit>,
        pub n_beat: Signal<In, Beat>,
        pub n_valid: Signal<In, Bit>,
        pub n_ready: Signal<Out, Bit>,
        pub c_beat: Signal<In, Beat>,
        /// It has data; it is a message, which is posted.
        pub c_data: Signal<In, Bit>,
        pub c_message: Signal<In, Bit>,
        pub c_valid: Signal<In, Bit>,
        pub c_ready: Signal<Out, Bit>,
        /// A strobe: such a TLP is being sent.
        pub left: Signal<Out, Bit>,
        pub left_source: Signal<Out, Bits<3>>,
        pub left_entries: Signal<Out, Bits<3>>,
        pub m_beat: Signal<Out, Beat>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        used_ph: DFF<Bits<8>>,
        used_pd: DFF<Bits<12>>,
        used_nph: DFF<Bits<8>>,
        used_cplh: DFF<Bits<8>>,
        used_cpld: DFF<Bits<12>>,
        // what the TLP that is being sent took of them
        cost_ph: DFF<Bits<1>>,
        cost_pd: DFF<Bits<12>>,
        cost_nph: DFF<Bits<1>>,
        cost_cplh: DFF<Bits<1>>,
        cost_cpld: DFF<Bits<1>>,
        // credits for another TLP, a cycle ago
        has_ph: DFF<Bit>,
        has_nph: DFF<Bit>,
        has_cplh: DFF<Bit>,
        has_cpld: DFF<Bit>,
        left_pd: DFF<Bits<12>>,
        has_pd: DFF<Bit>,
        // a write stood there first
        n_behind: DFF<Bit>,
        c_behind: DFF<Bit>,
        n_seen: DFF<Bit>,
        c_seen: DFF<Bit>,
        owner: DFF<Bits<2>>, // 0 nobody, 1 write, 2 read, 3 completion
        read_last: DFF<Bit>,
        left_strobe: DFF<Bit>,
        source: DFF<Bits<3>>,
        entries: DFF<Bits<3>>,
        out: DFF<Beat>,
        full: DFF<Bit>,
        go: Signal<Local, Bit>,
        pick: Signal<Local, Bits<2>>,
        taken: Signal<Local, Beat>,
        take: Signal<Local, Bit>,
        start: Signal<Local, Bit>,
        room_ph: Signal<Local, Bits<8>>,
        room_pd: Signal<Local, Bits<12>>,
        room_nph: Signal<Local, Bits<8>>,
        room_cplh: Signal<Local, Bits<8>>,
        room_cpld: Signal<Local, Bits<12>>,
        p_ok: Signal<Local, Bit>,
        n_ok: Signal<Local, Bit>,
        c_ok: Signal<Local, Bit>,
        c_half: Constant<Bits<8>> = 0x80u64,
        c_half_data: Constant<Bits<12>> = 0x800u64,
    }
}

impl Logic for Send {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            used_ph,
            used_pd,
            used_nph,
            used_cplh,
            used_cpld,
            cost_ph,
            cost_pd,
            cost_nph,
            cost_cplh,
            cost_cpld,
            has_ph,
            has_nph,
            has_cplh,
            has_cpld,
            left_pd,
            has_pd,
            n_behind,
            c_behind,
            n_seen,
            c_seen,
            owner,
            read_last,
            left_strobe,
            source,
            entries,
            out,
            full
        );
        self.go.next = self.m_ready.val() | !self.full.q.val();
        self.m_beat.next = self.out.q.val();
        self.m_valid.next = self.full.q.val();

        // what is left after another TLP, modulo the field: at most half of it, or there was not enough. Nothing is used up
        // in the cycle before one is chosen.
        self.room_ph.next = self.fc_ph.val() - self.used_ph.q.val() - 1;
        self.room_nph.next = self.fc_nph.val() - self.used_nph.q.val() - 1;
        self.room_cplh.next = self.fc_cplh.val() - self.used_cplh.q.val() - 1;
        self.room_cpld.next = self.fc_cpld.val() - self.used_cpld.q.val() - 1;
        self.has_ph.d.next = (self.room_ph.val() <= self.c_half.val()) | self.fc_infinite.val().get_bit(0);
        self.left_pd.d.next = self.fc_pd.val() - self.used_pd.q.val();
        self.has_nph.d.next = (self.room_nph.val() <= self.c_half.val()) | self.fc_infinite.val().get_bit(2);
        self.has_cplh.d.next = (self.room_cplh.val() <= self.c_half.val()) | self.fc_infinite.val().get_bit(3);
        self.has_cpld.d.next = (self.room_cpld.val() <= self.c_half_data.val()) | self.fc_infinite.val().get_bit(4);
        self.room_pd.next = self.left_pd.q.val() - self.p_coming.val();
        self.has_pd.d.next = !self.room_pd.val().get_bit(11) | self.fc_infinite.val().get_bit(1);
        self.p_ok.next = self.p_valid.val() & self.master.val() & self.has_ph.q.val() & self.has_pd.q.val();
        self.n_ok.next = self.n_valid.val() & self.master.val() & self.has_nph.q.val();
        self.c_ok.next = self.c_valid.val() & self.has_cplh.q.val() & (self.has_cpld.q.val() | !self.c_data.val());
        if self.c_message.val() {
            self.c_ok.next = self.c_valid.val() & self.has_ph.q.val();
        }

        // who stood behind a write when it came
        if self.n_valid.val() & !self.n_seen.q.val() & (self.owner.q.val() != 2) {
            self.n_seen.d.next = true;
            self.n_behind.d.next = self.p_valid.val() & (self.owner.q.val() != 1);
        }
        if self.c_valid.val() & !self.c_seen.q.val() & (self.owner.q.val() != 3) {
            self.c_seen.d.next = true;
            self.c_behind.d.next = self.p_valid.val() & (self.owner.q.val() != 1);
        }

        self.pick.next = self.owner.q.val();
        self.start.next = false;
        if self.owner.q.val() == 0 {
            if self.c_ok.val() & self.c_seen.q.val() & !(self.c_behind.q.val() & self.master.val()) {
                self.pick.next = 3.into();
                self.start.next = true;
            } else if self.n_ok.val()
                & self.n_seen.q.val()
                & !self.n_behind.q.val()
                & !(self.p_ok.val() & self.read_last.q.val())
            {
                self.pick.next = 2.into();
                self.start.next = true;
            } else if self.p_ok.val() {
                self.pick.next = 1.into();
                self.start.next = true;
            }
        }
        self.p_ready.next = self.go.val() & (self.owner.q.val() == 1);
        self.n_ready.next = self.go.val() & (self.owner.q.val() == 2);
        self.c_ready.next = self.go.val() & (self.owner.q.val() == 3);
        self.taken.next = self.p_beat.val();
        self.take.next = false;
        match self.owner.q.val().index() {
            1 => {
                self.take.next = self.go.val() & self.p_valid.val();
            }
            2 => {
                self.taken.next = self.n_beat.val();
                self.take.next = self.go.val() & self.n_valid.val();
            }
            3 => {
                self.taken.next = self.c_beat.val();
                self.take.next = self.go.val() & self.c_valid.val();
            }
            _ => {
                self.take.next = false;
            }
        }
        self.left_strobe.d.next = self.start.val() & (self.pick.val() == 1) & self.p_ends.val();
        self.source.d.next = self.p_source.val();
        self.entries.d.next = self.p_entries.val();
        self.left.next = self.left_strobe.q.val();
        self.left_source.next = self.source.q.val();
        self.left_entries.next = self.entries.q.val();
        if self.start.val() {
            self.owner.d.next = self.pick.val();
            self.cost_ph.d.next = 0.into();
            self.cost_pd.d.next = 0.into();
            self.cost_nph.d.next = 0.into();
            self.cost_cplh.d.next = 0.into();
            self.cost_cpld.d.next = 0.into();
            match self.pick.val().index() {
                1 => {
                    self.used_ph.d.next = self.used_ph.q.val() + 1;
                    self.used_pd.d.next = self.used_pd.q.val() + self.p_credits.val();
                    self.cost_ph.d.next = 1.into();
                    self.cost_pd.d.next = self.p_credits.val();
                    self.n_behind.d.next = false;
                    self.c_behind.d.next = false;
                    self.read_last.d.next = false;
                }
                2 => {
                    self.used_nph.d.next = self.used_nph.q.val() + 1;
                    self.cost_nph.d.next = 1.into();
                    self.n_seen.d.next = false;
                    self.read_last.d.next = true;
                }
                _ => {
                    self.c_seen.d.next = false;
                    if self.c_message.val() {
                        self.used_ph.d.next = self.used_ph.q.val() + 1;
                        self.cost_ph.d.next = 1.into();
                    } else {
                        self.used_cplh.d.next = self.used_cplh.q.val() + 1;
                        self.cost_cplh.d.next = 1.into();
                        if self.c_data.val() {
                            self.used_cpld.d.next = self.used_cpld.q.val() + 1;
                            self.cost_cpld.d.next = 1.into();
                        }
                    }
                }
            }
        }
        if self.go.val() {
            self.full.d.next = self.take.val();
        }
        if self.take.val() {
            self.out.d.next = self.taken.val();
            if self.taken.val().last {
                self.owner.d.next = 0.into();
            }
        }
        if self.reset.val() {
            // what was being sent is cut
            self.used_ph.d.next = self.used_ph.q.val();
            self.used_pd.d.next = self.used_pd.q.val();
            self.used_nph.d.next = self.used_nph.q.val();
            self.used_cplh.d.next = self.used_cplh.q.val();
            self.used_cpld.d.next = self.used_cpld.q.val();
            if self.owner.q.val() != 0 {
                self.used_ph.d.next = self.used_ph.q.val() - bit_cast::<8, 1>(self.cost_ph.q.val());
                self.used_pd.d.next = self.used_pd.q.val() - self.cost_pd.q.val();
                self.used_nph.d.next = self.used_nph.q.val() - bit_cast::<8, 1>(self.cost_nph.q.val());
                self.used_cplh.d.next = self.used_cplh.q.val() - bit_cast::<8, 1>(self.cost_cplh.q.val());
                self.used_cpld.d.next = self.used_cpld.q.val() - bit_cast::<12, 1>(self.cost_cpld.q.val());
            }
            self.has_ph.d.next = false;
            self.has_pd.d.next = false;
            self.has_nph.d.next = false;
            self.has_cplh.d.next = false;
            self.has_cpld.d.next = false;
            self.n_behind.d.next = false;
            self.c_behind.d.next = false;
            self.n_seen.d.next = false;
            self.c_seen.d.next = false;
            self.owner.d.next = 0.into();
            self.read_last.d.next = false;
            self.left_strobe.d.next = false;
            self.full.d.next = false;
        }
        if self.down.val() {
            self.used_ph.d.next = 0.into();
            self.used_pd.d.next = 0.into();
            self.used_nph.d.next = 0.into();
            self.used_cplh.d.next = 0.into();
            self.used_cpld.d.next = 0.into();
        }
    }
}
