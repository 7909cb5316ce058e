//! The designs that are written to `hdl/verilog`: the card, and each block alone, as its test drives it.
//!
//! Sizes are chosen for tests: small enough that random traffic fills them.

use ipos_emit::EmitError;
use rust_hdl_core::prelude::*;

use crate::card::{Card, Counter, Nic, Outcomes, Registers};
use crate::checksum::Insert;
use crate::dma;
use crate::measured::Front;
use crate::parse::{Fold, LaneSum, Parser, Rx, Verify, Vlan};
use crate::pcie;
use crate::route::{Dispatch, Encap, Rate, Routes};
use crate::stream::{
    Ahead, Arbiter, Beat, Fifo, FrameFifo, FromAxis, Inlet, Outlet, Slice, SmallFifo, Through, ToAxis,
};
use crate::table::{Cuckoo, Entries, Hash};
use crate::wide;

/// A file's name (and top module), and what writes its text.
pub type Top = (&'static str, fn() -> Result<String, EmitError>);

fn emit<B: Block + Default>(top: &str) -> Result<String, EmitError> {
    let mut block = B::default();
    block.connect_all();
    ipos_emit::generate(&block, top)
}

/// All designs.
#[must_use]
pub fn tops() -> Vec<Top> {
    macro_rules! tops {
        ($($name:literal = $block:ty),* $(,)?) => { vec![$(($name, || emit::<$block>($name))),*] };
    }
    tops![
        "ipos_nic" = Nic,
        "ipos_card" = Card,
        "ipos_card_wide" = wide::Card,
        "fifo" = Fifo<Beat, 4, 5>,
        // narrow: for proofs about data
        "fifo_narrow" = Fifo<Bits<8>, 2, 3>,
        "small_fifo" = SmallFifo<Bits<8>, 2, 3>,
        "through" = Through<Bits<8>, 2, 3>,
        "ahead" = Ahead<Bits<8>>,
        "slice" = Slice<Bits<8>>,
        "frame_fifo_narrow" = FrameFifo<Bits<4>, 3, 4>,
        "cuckoo_narrow" = Cuckoo<2, 10, 108>,
        "frame_fifo" = FrameFifo<Bits<128>, 6, 7>,
        "arbiter" = Arbiter<Bits<8>>,
        "inlet" = Inlet,
        "outlet" = Outlet,
        "axis" = Axis,
        "vlan" = Vlan,
        "lane_sum" = Sum,
        "parser" = Parser,
        "verify" = Verify,
        "rx" = Rx,
        "hash" = Hash,
        "entries" = Entries<4>,
        "rate" = Rate,
        "cuckoo" = Cuckoo<4, 10, 108>,
        "forward_table" = Cuckoo<11, 10, 108>,
        "front" = Front,
        "dispatch" = Dispatch,
        "routes" = Routes<4, 5, 0>,
        "encap" = Encap,
        "insert" = Insert,
        "outcomes" = Outcomes,
        "counter" = Counter<4, 8>,
        "registers" = Registers<64>,
        "dma_control" = dma::Control,
        "dma_ring" = dma::Ring,
        "dma_completions" = dma::Completions,
        "dma_receive" = dma::Receive,
        "dma_transmit" = dma::Transmit,
        "dma_events" = dma::Events,
        "dma_interrupts" = dma::Interrupts,
        "dma_host" = dma::Host,
        "pcie_order" = pcie::Order,
        "pcie_receive" = pcie::Receive,
        "pcie_complete" = pcie::Complete,
        "pcie_write" = pcie::Write,
        "pcie_read" = pcie::Read,
        "pcie_send" = pcie::Send,
        "pcie_engine" = pcie::Engine,
    ]
}

block! {
    /// Both borders, each on its own.
    pub struct Axis {
        pub in_tdata: Signal<In, Bits<64>>,
        pub in_tkeep: Signal<In, Bits<8>>,
        pub in_tlast: Signal<In, Bit>,
        pub in_tuser: Signal<In, Bit>,
        pub in_beat: Signal<Out, Beat>,
        pub out_beat: Signal<In, Beat>,
        pub out_tdata: Signal<Out, Bits<64>>,
        pub out_tkeep: Signal<Out, Bits<8>>,
        pub out_tlast: Signal<Out, Bit>,
        pub out_tuser: Signal<Out, Bit>,
        from: FromAxis,
        to: ToAxis,
    }
}

impl Logic for Axis {
    #[hdl_gen]
    fn update(&mut self) {
        self.from.tdata.next = self.in_tdata.val();
        self.from.tkeep.next = self.in_tkeep.val();
        self.from.tlast.next = self.in_tlast.val();
        self.from.tuser.next = self.in_tuser.val();
        self.in_beat.next = self.from.beat.val();
        self.to.beat.next = self.out_beat.val();
        self.out_tdata.next = self.to.tdata.val();
        self.out_tkeep.next = self.to.tkeep.val();
        self.out_tlast.next = self.to.tlast.val();
        self.out_tuser.next = self.to.tuser.val();
    }
}

block! {
    /// A sum and its comparison.
    pub struct Sum {
        pub clock: Signal<In, Clock>,
        pub valid: Signal<In, Bit>,
        pub first: Signal<In, Bit>,
        pub data: Signal<In, Bits<64>>,
        pub mask: Signal<In, Bits<8>>,
        pub sum: Signal<Out, Bits<32>>,
        pub fold_in: Signal<In, Bits<32>>,
        pub fold_ok: Signal<Out, Bit>,
        pub ok: Signal<Out, Bit>,
        lanes: LaneSum<32>,
        fold: Fold,
        other: Fold,
    }
}

impl Logic for Sum {
    #[hdl_gen]
    fn update(&mut self) {
        self.lanes.clock.next = self.clock.val();
        self.fold.clock.next = self.clock.val();
        self.other.clock.next = self.clock.val();
        self.lanes.valid.next = self.valid.val();
        self.lanes.first.next = self.first.val();
        self.lanes.data.next = self.data.val();
        self.lanes.mask.next = self.mask.val();
        self.sum.next = self.lanes.sum.val();
        self.fold.sum.next = self.lanes.sum.val();
        self.ok.next = self.fold.valid.val();
        self.other.sum.next = self.fold_in.val();
        self.fold_ok.next = self.other.valid.val();
    }
}
