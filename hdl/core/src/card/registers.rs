//! The register file: `ipos_abi::regs` behind a simple bus.
use ipos_abi::regs::{self, card, counters, entries, port, queues, tables};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// The bit of an address's row of 16 registers, and the one of its place in the row.
const fn row(address: u32) -> u64 {
    1 << (16 + (address >> 6))
}

const fn hot(address: u32) -> u64 {
    row(address) | 1 << (address >> 2 & 15)
}

block! {
    /// `read` or `write` stays until `ack`, a strobe of one cycle. Unknown addresses read as zero and ignore writes.
    pub struct Registers[const W: usize][W] {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub address: Signal<In, Bits<16>>,
        pub wdata: Signal<In, Bits<32>>,
        pub write: Signal<In, Bit>,
        pub read: Signal<In, Bit>,
        pub rdata: Signal<Out, Bits<32>>,
        pub ack: Signal<Out, Bit>,
        pub build: Signal<In, Bits<32>>,
        pub clock_khz: Signal<In, Bits<18>>,
        // configuration
        pub ethertype: Signal<Out, Bits<16>>,
        pub front_mac: Signal<Out, Bits<48>>,
        pub front_promiscuous: Signal<Out, Bit>,
        pub front_vlan: Signal<Out, Bits<32>>,
        pub back_mac: Signal<Out, Bits<48>>,
        pub back_promiscuous: Signal<Out, Bit>,
        pub back_vlan: Signal<Out, Bits<32>>,
        // tables
        pub key: Signal<Out, Bits<97>>,
        pub value: Signal<Out, Bits<32>>,
        pub slot: Signal<Out, Bits<12>>,
        pub bank: Signal<Out, Bits<2>>,
        pub entry_valid: Signal<Out, Bit>,
        pub commit_forward: Signal<Out, Bit>,
        pub commit_endpoint: Signal<Out, Bit>,
        pub committed: Signal<In, Bit>,
        pub dest: Signal<Out, Bits<52>>,
        pub commit_dest: Signal<Out, Bit>,
        pub neighbour: Signal<Out, Bits<49>>,
        pub commit_neighbour: Signal<Out, Bit>,
        pub index: Signal<Out, Bits<8>>,
        pub reforward: Signal<Out, Bits<16>>,
        // entries: a selection is a strobe, `selected` holds from `select_done` on
        pub select: Signal<Out, Bit>,
        pub select_place: Signal<Out, Bits<14>>,
        pub forget: Signal<Out, Bit>,
        pub selected: Signal<In, Bits<72>>,
        pub select_done: Signal<In, Bit>,
        // counters
        pub outcome_code: Signal<Out, Bits<4>>,
        pub front_read: Signal<Out, Bit>,
        pub front_ack: Signal<In, Bit>,
        pub front_value: Signal<In, Bits<64>>,
        pub back_read: Signal<Out, Bit>,
        pub back_ack: Signal<In, Bit>,
        pub back_value: Signal<In, Bits<64>>,
        pub front_rx: Signal<In, Bits<64>>,
        pub front_tx: Signal<In, Bits<64>>,
        pub back_rx: Signal<In, Bits<64>>,
        pub back_tx: Signal<In, Bits<64>>,
        ethertype_reg: DFF<Bits<16>>,
        // a MAC address is taken whole, with its high word
        front_staged: DFF<Bits<32>>,
        front_lo: DFF<Bits<32>>,
        front_hi: DFF<Bits<32>>,
        front_vid: DFF<Bits<32>>,
        back_staged: DFF<Bits<32>>,
        back_lo: DFF<Bits<32>>,
        back_hi: DFF<Bits<32>>,
        back_vid: DFF<Bits<32>>,
        key0: DFF<Bits<32>>,
        key1: DFF<Bits<32>>,
        key2: DFF<Bits<32>>,
        key3: DFF<Bits<32>>,
        value_reg: DFF<Bits<32>>,
        dest_ip: DFF<Bits<32>>,
        dest_port: DFF<Bits<32>>,
        neighbour_lo: DFF<Bits<32>>,
        neighbour_hi: DFF<Bits<32>>,
        high: DFF<Bits<32>>,
        commit: DFF<Bits<32>>,
        pending_forward: DFF<Bit>,
        pending_endpoint: DFF<Bit>,
        strobe_dest: DFF<Bit>,
        strobe_neighbour: DFF<Bit>,
        strobe_select: DFF<Bit>,
        pending_select: DFF<Bit>,
        reforward_reg: DFF<Bits<16>>,
        rdata_reg: DFF<Bits<32>>,
        ack_reg: DFF<Bit>,
        // the access, a cycle later: the address as [`hot`], zero if it is none of these
        at: DFF<Bits<32>>,
        number: DFF<Bits<4>>,
        word: DFF<Bits<32>>,
        reads: DFF<Bit>,
        writes: DFF<Bit>,
        // reads take two steps: a word of each kind, then one of them
        looks: DFF<Bit>,
        wide_reg: DFF<Bits<64>>,
        other0: DFF<Bits<32>>,
        other1: DFF<Bits<32>>,
        other2: DFF<Bits<32>>,
        other3: DFF<Bits<32>>,
        counts_reg: DFF<Bit>,
        front_come: DFF<Bit>,
        back_come: DFF<Bit>,
        rows: Signal<Local, Bits<16>>,
        places: Signal<Local, Bits<16>>,
        wants_read: Signal<Local, Bit>,
        wants_write: Signal<Local, Bit>,
        is_front: Signal<Local, Bit>,
        is_back: Signal<Local, Bit>,
        wide: Signal<Local, Bits<64>>,
        counts: Signal<Local, Bit>,
        r0: Signal<Local, Bits<32>>,
        r1: Signal<Local, Bits<32>>,
        r2: Signal<Local, Bits<32>>,
        r3: Signal<Local, Bits<32>>,
        // bits that exist
        m_mac: Constant<Bits<32>> = 0x8000_ffffu64,
        m_vlan: Constant<Bits<32>> = 0x8000_0fffu64,
        m_bit: Constant<Bits<32>> = 1u64,
        m_dest: Constant<Bits<32>> = 0x000f_ffffu64,
        v_ethertype: Constant<Bits<16>> = 0x0007u64,
        v_magic: Constant<Bits<32>> = regs::MAGIC as u64,
        v_abi: Constant<Bits<32>> = ipos_abi::ABI_VERSION as u64,
        v_width: Constant<Bits<32>> = W as u64,
        v_ports: Constant<Bits<32>> = 2u64,
        v_forward: Constant<Bits<32>> = ipos_abi::table::FORWARD_INDEX_BITS as u64,
        v_endpoint: Constant<Bits<32>> = ipos_abi::table::ENDPOINT_INDEX_BITS as u64,
        h_card: Constant<Bits<32>> = card::HEADER as u64,
        h_port: Constant<Bits<32>> = port::HEADER as u64,
        h_tables: Constant<Bits<32>> = tables::HEADER as u64,
        h_entries: Constant<Bits<32>> = entries::HEADER as u64,
        h_counters: Constant<Bits<32>> = counters::HEADER as u64,
        c_one: Constant<Bits<16>> = 1u64,
        b_card: Constant<Bits<32>> = hot(card::BASE),
        b_port: Constant<Bits<32>> = hot(port::BASE),
        b_tables: Constant<Bits<32>> = hot(tables::BASE),
        b_entries: Constant<Bits<32>> = hot(entries::BASE),
        b_counters: Constant<Bits<32>> = hot(counters::BASE),
        n_card: Constant<Bits<32>> = hot(card::BASE + 4),
        n_port: Constant<Bits<32>> = hot(port::BASE + 4),
        n_tables: Constant<Bits<32>> = hot(tables::BASE + 4),
        n_entries: Constant<Bits<32>> = hot(entries::BASE + 4),
        n_counters: Constant<Bits<32>> = hot(counters::BASE + 4),
        nv_card: Constant<Bits<32>> = port::BASE as u64,
        nv_port: Constant<Bits<32>> = tables::BASE as u64,
        nv_tables: Constant<Bits<32>> = entries::BASE as u64,
        nv_entries: Constant<Bits<32>> = counters::BASE as u64,
        nv_counters: Constant<Bits<32>> = queues::BASE as u64, // the next blocks are answered by others
        a_magic: Constant<Bits<32>> = hot(card::MAGIC),
        a_abi: Constant<Bits<32>> = hot(card::ABI),
        a_build: Constant<Bits<32>> = hot(card::BUILD),
        a_width: Constant<Bits<32>> = hot(card::WIDTH),
        a_clock: Constant<Bits<32>> = hot(card::CLOCK_KHZ),
        a_ports: Constant<Bits<32>> = hot(card::PORTS),
        a_forward: Constant<Bits<32>> = hot(card::FORWARD_SLOTS),
        a_endpoint: Constant<Bits<32>> = hot(card::ENDPOINT_SLOTS),
        a_ethertype: Constant<Bits<32>> = hot(port::ETHERTYPE),
        a_front_lo: Constant<Bits<32>> = hot(port::FRONT_MAC_LO),
        a_front_hi: Constant<Bits<32>> = hot(port::FRONT_MAC_HI),
        a_front_vlan: Constant<Bits<32>> = hot(port::FRONT_VLAN),
        a_back_lo: Constant<Bits<32>> = hot(port::BACK_MAC_LO),
        a_back_hi: Constant<Bits<32>> = hot(port::BACK_MAC_HI),
        a_back_vlan: Constant<Bits<32>> = hot(port::BACK_VLAN),
        a_key0: Constant<Bits<32>> = hot(tables::KEY0),
        a_key1: Constant<Bits<32>> = hot(tables::KEY1),
        a_key2: Constant<Bits<32>> = hot(tables::KEY2),
        a_key3: Constant<Bits<32>> = hot(tables::KEY3),
        a_value: Constant<Bits<32>> = hot(tables::VALUE),
        a_commit_forward: Constant<Bits<32>> = hot(tables::COMMIT_FORWARD),
        a_commit_endpoint: Constant<Bits<32>> = hot(tables::COMMIT_ENDPOINT),
        a_dest_ip: Constant<Bits<32>> = hot(tables::DEST_IP),
        a_dest_port: Constant<Bits<32>> = hot(tables::DEST_PORT),
        a_commit_dest: Constant<Bits<32>> = hot(tables::COMMIT_DEST),
        a_neighbour_lo: Constant<Bits<32>> = hot(tables::NEIGHBOUR_LO),
        a_neighbour_hi: Constant<Bits<32>> = hot(tables::NEIGHBOUR_HI),
        a_commit_neighbour: Constant<Bits<32>> = hot(tables::COMMIT_NEIGHBOUR),
        a_high: Constant<Bits<32>> = hot(counters::HIGH),
        p_front: Constant<Bits<32>> = row(counters::FRONT_OUTCOME),
        p_back: Constant<Bits<32>> = row(counters::BACK_OUTCOME),
        v_reforward: Constant<Bits<16>> = 1u64,
        a_reforward: Constant<Bits<32>> = hot(port::REFORWARD),
        a_select: Constant<Bits<32>> = hot(entries::SELECT),
        a_packets: Constant<Bits<32>> = hot(entries::PACKETS),
        a_bytes_lo: Constant<Bits<32>> = hot(entries::BYTES_LO),
        a_bytes_hi: Constant<Bits<32>> = hot(entries::BYTES_HI),
        a_seen: Constant<Bits<32>> = hot(entries::SEEN),
        a_front_rx: Constant<Bits<32>> = hot(counters::FRONT_RX),
        a_front_tx: Constant<Bits<32>> = hot(counters::FRONT_TX),
        a_back_rx: Constant<Bits<32>> = hot(counters::BACK_RX),
        a_back_tx: Constant<Bits<32>> = hot(counters::BACK_TX),
    }
}

impl<const W: usize> Logic for Registers<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            ethertype_reg,
            front_staged,
            front_lo,
            front_hi,
            front_vid,
            back_staged,
            back_lo,
            back_hi,
            back_vid,
            key0,
            key1,
            key2,
            key3,
            value_reg,
            dest_ip,
            dest_port,
            neighbour_lo,
            neighbour_hi,
            high,
            commit,
            pending_forward,
            pending_endpoint,
            strobe_dest,
            strobe_neighbour,
            strobe_select,
            pending_select,
            reforward_reg,
            rdata_reg,
            looks,
            wide_reg,
            other0,
            other1,
            other2,
            other3,
            counts_reg,
            front_come,
            back_come,
            at,
            number,
            word,
            reads,
            writes,
            ack_reg
        );
        // what lies beyond the blocks here, or is misaligned, is none of them
        self.number.d.next = self.address.val().get_bits::<4>(2);
        self.rows.next = self.c_one.val() << self.address.val().get_bits::<4>(6);
        self.places.next = self.c_one.val() << self.number.d.val();
        self.at.d.next = (bit_cast::<32, 16>(self.rows.val()) << 16) | bit_cast::<32, 16>(self.places.val());
        if self.address.val().get_bits::<6>(10).any() | self.address.val().get_bits::<2>(0).any() {
            self.at.d.next = 0.into();
        }
        self.word.d.next = self.wdata.val();
        // an access ends with its answer
        self.reads.d.next = self.read.val() & !self.ack_reg.q.val();
        self.writes.d.next = self.write.val() & !self.ack_reg.q.val();
        self.looks.d.next = self.reads.q.val() & !self.ack_reg.q.val();
        self.wants_read.next = self.looks.q.val() & !self.ack_reg.q.val();
        self.wants_write.next = self.writes.q.val()
            & !self.ack_reg.q.val()
            & !self.pending_forward.q.val()
            & !self.pending_endpoint.q.val()
            & !self.pending_select.q.val();

        // 64-bit counters: the low word is read, the high word latched
        self.is_front.next = (self.at.q.val() & self.p_front.val()).any();
        self.is_back.next = (self.at.q.val() & self.p_back.val()).any();
        self.outcome_code.next = self.number.q.val();
        self.front_read.next = self.wants_read.val() & self.is_front.val() & !self.front_come.q.val();
        self.back_read.next = self.wants_read.val() & self.is_back.val() & !self.back_come.q.val();
        self.front_come.d.next = self.front_ack.val();
        self.back_come.d.next = self.back_ack.val();
        // one at most is meant: or, no choice
        self.wide.next = 0.into();
        self.counts.next = self.is_front.val() | self.is_back.val();
        if self.is_front.val() {
            self.wide.next = self.front_value.val();
        }
        if self.is_back.val() {
            self.wide.next = self.wide.val() | self.back_value.val();
        }
        if (self.at.q.val() & self.a_front_rx.val()) == self.a_front_rx.val() {
            self.wide.next = self.wide.val() | self.front_rx.val();
            self.counts.next = true;
        }
        if (self.at.q.val() & self.a_front_tx.val()) == self.a_front_tx.val() {
            self.wide.next = self.wide.val() | self.front_tx.val();
            self.counts.next = true;
        }
        if (self.at.q.val() & self.a_back_rx.val()) == self.a_back_rx.val() {
            self.wide.next = self.wide.val() | self.back_rx.val();
            self.counts.next = true;
        }
        if (self.at.q.val() & self.a_back_tx.val()) == self.a_back_tx.val() {
            self.wide.next = self.wide.val() | self.back_tx.val();
            self.counts.next = true;
        }
        self.wide_reg.d.next = self.wide.val();
        self.counts_reg.d.next = self.counts.val();
        self.r0.next = 0.into();
        if (self.at.q.val() & self.b_card.val()) == self.b_card.val() {
            self.r0.next = self.r0.val() | self.h_card.val();
        }
        if (self.at.q.val() & self.n_card.val()) == self.n_card.val() {
            self.r0.next = self.r0.val() | self.nv_card.val();
        }
        if (self.at.q.val() & self.a_magic.val()) == self.a_magic.val() {
            self.r0.next = self.r0.val() | self.v_magic.val();
        }
        if (self.at.q.val() & self.a_abi.val()) == self.a_abi.val() {
            self.r0.next = self.r0.val() | self.v_abi.val();
        }
        if (self.at.q.val() & self.a_build.val()) == self.a_build.val() {
            self.r0.next = self.r0.val() | self.build.val();
        }
        if (self.at.q.val() & self.a_clock.val()) == self.a_clock.val() {
            self.r0.next = self.r0.val() | bit_cast::<32, 18>(self.clock_khz.val());
        }
        if (self.at.q.val() & self.a_width.val()) == self.a_width.val() {
            self.r0.next = self.r0.val() | self.v_width.val();
        }
        if (self.at.q.val() & self.a_ports.val()) == self.a_ports.val() {
            self.r0.next = self.r0.val() | self.v_ports.val();
        }
        if (self.at.q.val() & self.a_forward.val()) == self.a_forward.val() {
            self.r0.next = self.r0.val() | self.v_forward.val();
        }
        if (self.at.q.val() & self.a_endpoint.val()) == self.a_endpoint.val() {
            self.r0.next = self.r0.val() | self.v_endpoint.val();
        }
        self.r1.next = 0.into();
        if (self.at.q.val() & self.b_port.val()) == self.b_port.val() {
            self.r1.next = self.r1.val() | self.h_port.val();
        }
        if (self.at.q.val() & self.n_port.val()) == self.n_port.val() {
            self.r1.next = self.r1.val() | self.nv_port.val();
        }
        if (self.at.q.val() & self.a_ethertype.val()) == self.a_ethertype.val() {
            self.r1.next = self.r1.val() | bit_cast::<32, 16>(self.ethertype_reg.q.val());
        }
        if (self.at.q.val() & self.a_front_lo.val()) == self.a_front_lo.val() {
            self.r1.next = self.r1.val() | self.front_staged.q.val();
        }
        if (self.at.q.val() & self.a_front_hi.val()) == self.a_front_hi.val() {
            self.r1.next = self.r1.val() | self.front_hi.q.val();
        }
        if (self.at.q.val() & self.a_front_vlan.val()) == self.a_front_vlan.val() {
            self.r1.next = self.r1.val() | self.front_vid.q.val();
        }
        if (self.at.q.val() & self.a_back_lo.val()) == self.a_back_lo.val() {
            self.r1.next = self.r1.val() | self.back_staged.q.val();
        }
        if (self.at.q.val() & self.a_back_hi.val()) == self.a_back_hi.val() {
            self.r1.next = self.r1.val() | self.back_hi.q.val();
        }
        if (self.at.q.val() & self.a_back_vlan.val()) == self.a_back_vlan.val() {
            self.r1.next = self.r1.val() | self.back_vid.q.val();
        }
        if (self.at.q.val() & self.b_tables.val()) == self.b_tables.val() {
            self.r1.next = self.r1.val() | self.h_tables.val();
        }
        self.r2.next = 0.into();
        if (self.at.q.val() & self.n_tables.val()) == self.n_tables.val() {
            self.r2.next = self.r2.val() | self.nv_tables.val();
        }
        if (self.at.q.val() & self.a_key0.val()) == self.a_key0.val() {
            self.r2.next = self.r2.val() | self.key0.q.val();
        }
        if (self.at.q.val() & self.a_key1.val()) == self.a_key1.val() {
            self.r2.next = self.r2.val() | self.key1.q.val();
        }
        if (self.at.q.val() & self.a_key2.val()) == self.a_key2.val() {
            self.r2.next = self.r2.val() | self.key2.q.val();
        }
        if (self.at.q.val() & self.a_key3.val()) == self.a_key3.val() {
            self.r2.next = self.r2.val() | self.key3.q.val();
        }
        if (self.at.q.val() & self.a_value.val()) == self.a_value.val() {
            self.r2.next = self.r2.val() | self.value_reg.q.val();
        }
        if (self.at.q.val() & self.a_dest_ip.val()) == self.a_dest_ip.val() {
            self.r2.next = self.r2.val() | self.dest_ip.q.val();
        }
        if (self.at.q.val() & self.a_dest_port.val()) == self.a_dest_port.val() {
            self.r2.next = self.r2.val() | self.dest_port.q.val();
        }
        if (self.at.q.val() & self.a_neighbour_lo.val()) == self.a_neighbour_lo.val() {
            self.r2.next = self.r2.val() | self.neighbour_lo.q.val();
        }
        if (self.at.q.val() & self.a_neighbour_hi.val()) == self.a_neighbour_hi.val() {
            self.r2.next = self.r2.val() | self.neighbour_hi.q.val();
        }
        self.r3.next = 0.into();
        if (self.at.q.val() & self.b_entries.val()) == self.b_entries.val() {
            self.r3.next = self.r3.val() | self.h_entries.val();
        }
        if (self.at.q.val() & self.n_entries.val()) == self.n_entries.val() {
            self.r3.next = self.r3.val() | self.nv_entries.val();
        }
        if (self.at.q.val() & self.b_counters.val()) == self.b_counters.val() {
            self.r3.next = self.r3.val() | self.h_counters.val();
        }
        if (self.at.q.val() & self.n_counters.val()) == self.n_counters.val() {
            self.r3.next = self.r3.val() | self.nv_counters.val();
        }
        if (self.at.q.val() & self.a_high.val()) == self.a_high.val() {
            self.r3.next = self.r3.val() | self.high.q.val();
        }
        if (self.at.q.val() & self.a_reforward.val()) == self.a_reforward.val() {
            self.r3.next = self.r3.val() | bit_cast::<32, 16>(self.reforward_reg.q.val());
        }
        if (self.at.q.val() & self.a_packets.val()) == self.a_packets.val() {
            self.r3.next = self.r3.val() | bit_cast::<32, 31>(self.selected.val().get_bits::<31>(0));
        }
        if (self.at.q.val() & self.a_bytes_lo.val()) == self.a_bytes_lo.val() {
            self.r3.next = self.r3.val() | self.selected.val().get_bits::<32>(31);
        }
        if (self.at.q.val() & self.a_bytes_hi.val()) == self.a_bytes_hi.val() {
            self.r3.next = self.r3.val() | bit_cast::<32, 8>(self.selected.val().get_bits::<8>(63));
        }
        if (self.at.q.val() & self.a_seen.val()) == self.a_seen.val() {
            self.r3.next = self.r3.val() | bit_cast::<32, 1>(self.selected.val().get_bits::<1>(71));
        }
        self.other0.d.next = self.r0.val();
        self.other1.d.next = self.r1.val();
        self.other2.d.next = self.r2.val();
        self.other3.d.next = self.r3.val();
        self.ack_reg.d.next = false;
        self.rdata_reg.d.next = 0.into();
        if self.wants_read.val() {
            self.rdata_reg.d.next = self.other0.q.val()
                | self.other1.q.val()
                | self.other2.q.val()
                | self.other3.q.val()
                | bit_cast::<32, 64>(self.wide_reg.q.val());
            if self.counts_reg.q.val()
                & (!self.is_front.val() | self.front_come.q.val())
                & (!self.is_back.val() | self.back_come.q.val())
            {
                self.high.d.next = self.wide_reg.q.val().get_bits::<32>(32);
            }
            self.ack_reg.d.next =
                (!self.is_front.val() | self.front_come.q.val()) & (!self.is_back.val() | self.back_come.q.val());
        }

        self.strobe_dest.d.next = false;
        self.strobe_neighbour.d.next = false;
        self.strobe_select.d.next = false;
        if self.wants_write.val() {
            self.ack_reg.d.next = true;
            if (self.at.q.val() & self.a_ethertype.val()) == self.a_ethertype.val() {
                self.ethertype_reg.d.next = bit_cast::<16, 32>(self.word.q.val());
            }
            if (self.at.q.val() & self.a_front_lo.val()) == self.a_front_lo.val() {
                self.front_staged.d.next = self.word.q.val();
            }
            if (self.at.q.val() & self.a_front_hi.val()) == self.a_front_hi.val() {
                self.front_hi.d.next = self.word.q.val() & self.m_mac.val();
                self.front_lo.d.next = self.front_staged.q.val();
            }
            if (self.at.q.val() & self.a_front_vlan.val()) == self.a_front_vlan.val() {
                self.front_vid.d.next = self.word.q.val() & self.m_vlan.val();
            }
            if (self.at.q.val() & self.a_back_lo.val()) == self.a_back_lo.val() {
                self.back_staged.d.next = self.word.q.val();
            }
            if (self.at.q.val() & self.a_back_hi.val()) == self.a_back_hi.val() {
                self.back_hi.d.next = self.word.q.val() & self.m_mac.val();
                self.back_lo.d.next = self.back_staged.q.val();
            }
            if (self.at.q.val() & self.a_back_vlan.val()) == self.a_back_vlan.val() {
                self.back_vid.d.next = self.word.q.val() & self.m_vlan.val();
            }
            if (self.at.q.val() & self.a_key0.val()) == self.a_key0.val() {
                self.key0.d.next = self.word.q.val();
            }
            if (self.at.q.val() & self.a_key1.val()) == self.a_key1.val() {
                self.key1.d.next = self.word.q.val();
            }
            if (self.at.q.val() & self.a_key2.val()) == self.a_key2.val() {
                self.key2.d.next = self.word.q.val();
            }
            if (self.at.q.val() & self.a_key3.val()) == self.a_key3.val() {
                self.key3.d.next = self.word.q.val() & self.m_bit.val();
            }
            if (self.at.q.val() & self.a_value.val()) == self.a_value.val() {
                self.value_reg.d.next = self.word.q.val();
            }
            if (self.at.q.val() & self.a_dest_ip.val()) == self.a_dest_ip.val() {
                self.dest_ip.d.next = self.word.q.val();
            }
            if (self.at.q.val() & self.a_dest_port.val()) == self.a_dest_port.val() {
                self.dest_port.d.next = self.word.q.val() & self.m_dest.val();
            }
            if (self.at.q.val() & self.a_neighbour_lo.val()) == self.a_neighbour_lo.val() {
                self.neighbour_lo.d.next = self.word.q.val();
            }
            if (self.at.q.val() & self.a_neighbour_hi.val()) == self.a_neighbour_hi.val() {
                self.neighbour_hi.d.next = self.word.q.val() & self.m_mac.val();
            }
            if (self.at.q.val() & self.a_commit_dest.val()) == self.a_commit_dest.val() {
                self.commit.d.next = self.word.q.val();
                self.strobe_dest.d.next = true;
            }
            if (self.at.q.val() & self.a_commit_neighbour.val()) == self.a_commit_neighbour.val() {
                self.commit.d.next = self.word.q.val();
                self.strobe_neighbour.d.next = true;
            }
            if (self.at.q.val() & self.a_reforward.val()) == self.a_reforward.val() {
                self.reforward_reg.d.next = bit_cast::<16, 32>(self.word.q.val());
            }
            if (self.at.q.val() & self.a_select.val()) == self.a_select.val() {
                self.commit.d.next = self.word.q.val();
                self.strobe_select.d.next = true;
                self.pending_select.d.next = true;
                self.ack_reg.d.next = false;
            }
            if (self.at.q.val() & self.a_commit_forward.val()) == self.a_commit_forward.val() {
                self.commit.d.next = self.word.q.val();
                self.pending_forward.d.next = true;
                self.ack_reg.d.next = false;
            }
            if (self.at.q.val() & self.a_commit_endpoint.val()) == self.a_commit_endpoint.val() {
                self.commit.d.next = self.word.q.val();
                self.pending_endpoint.d.next = true;
                self.ack_reg.d.next = false;
            }
        }
        if self.committed.val() {
            self.pending_forward.d.next = false;
            self.pending_endpoint.d.next = false;
            self.ack_reg.d.next = true;
        }
        if self.select_done.val() {
            self.pending_select.d.next = false;
            self.ack_reg.d.next = true;
        }
        self.reforward.next = self.reforward_reg.q.val();
        self.select.next = self.strobe_select.q.val();
        self.select_place.next = (bit_cast::<14, 2>(self.commit.q.val().get_bits::<2>(16)) << 12)
            | bit_cast::<14, 12>(self.commit.q.val().get_bits::<12>(0));
        self.forget.next = self.commit.q.val().get_bit(31);
        self.rdata.next = self.rdata_reg.q.val();
        self.ack.next = self.ack_reg.q.val();

        self.ethertype.next = self.ethertype_reg.q.val();
        self.front_mac.next =
            (bit_cast::<48, 32>(self.front_hi.q.val()) << 32) | bit_cast::<48, 32>(self.front_lo.q.val());
        self.front_promiscuous.next = self.front_hi.q.val().get_bit(31);
        self.front_vlan.next = self.front_vid.q.val();
        self.back_mac.next =
            (bit_cast::<48, 32>(self.back_hi.q.val()) << 32) | bit_cast::<48, 32>(self.back_lo.q.val());
        self.back_promiscuous.next = self.back_hi.q.val().get_bit(31);
        self.back_vlan.next = self.back_vid.q.val();
        self.key.next = (bit_cast::<97, 32>(self.key3.q.val()) << 96)
            | (bit_cast::<97, 32>(self.key2.q.val()) << 64)
            | (bit_cast::<97, 32>(self.key1.q.val()) << 32)
            | bit_cast::<97, 32>(self.key0.q.val());
        self.value.next = self.value_reg.q.val();
        self.slot.next = self.commit.q.val().get_bits::<12>(0);
        self.bank.next = self.commit.q.val().get_bits::<2>(16);
        self.entry_valid.next = self.commit.q.val().get_bit(31);
        self.commit_forward.next = self.pending_forward.q.val();
        self.commit_endpoint.next = self.pending_endpoint.q.val();
        // destination: IP 31:0, port 47:32, neighbour index 51:48; neighbour: MAC 47:0, valid 48
        self.dest.next = (bit_cast::<52, 32>(self.dest_port.q.val()) << 32) | bit_cast::<52, 32>(self.dest_ip.q.val());
        self.commit_dest.next = self.strobe_dest.q.val();
        self.neighbour.next = (bit_cast::<49, 16>(self.neighbour_hi.q.val().get_bits::<16>(0)) << 32)
            | bit_cast::<49, 32>(self.neighbour_lo.q.val());
        if self.neighbour_hi.q.val().get_bit(31) {
            self.neighbour.next = ((bit_cast::<49, 16>(self.neighbour_hi.q.val().get_bits::<16>(0)) << 32)
                | bit_cast::<49, 32>(self.neighbour_lo.q.val()))
                | (bit_cast::<49, 1>(1.into()) << 48);
        }
        self.commit_neighbour.next = self.strobe_neighbour.q.val();
        self.index.next = self.commit.q.val().get_bits::<8>(0);
        if self.reset.val() {
            self.ethertype_reg.d.next = self.v_ethertype.val();
            self.front_staged.d.next = 0.into();
            self.front_lo.d.next = 0.into();
            self.front_hi.d.next = 0.into();
            self.front_vid.d.next = 0.into();
            self.back_staged.d.next = 0.into();
            self.back_lo.d.next = 0.into();
            self.back_hi.d.next = 0.into();
            self.back_vid.d.next = 0.into();
            self.key0.d.next = 0.into();
            self.key1.d.next = 0.into();
            self.key2.d.next = 0.into();
            self.key3.d.next = 0.into();
            self.value_reg.d.next = 0.into();
            self.dest_ip.d.next = 0.into();
            self.dest_port.d.next = 0.into();
            self.neighbour_lo.d.next = 0.into();
            self.neighbour_hi.d.next = 0.into();
            self.pending_forward.d.next = false;
            self.pending_endpoint.d.next = false;
            self.strobe_dest.d.next = false;
            self.strobe_neighbour.d.next = false;
            self.strobe_select.d.next = false;
            self.pending_select.d.next = false;
            self.reads.d.next = false;
            self.looks.d.next = false;
            self.front_come.d.next = false;
            self.back_come.d.next = false;
            self.writes.d.next = false;
            self.reforward_reg.d.next = self.v_reforward.val();
            self.ack_reg.d.next = false;
        }
    }
}
