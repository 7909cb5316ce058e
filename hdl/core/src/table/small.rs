//! A small table read by index: destinations, neighbours.
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// The value one cycle after the index.
    pub struct SmallTable[const AW: usize, const VW: usize][AW, VW] {
        pub clock: Signal<In, Clock>,
        pub index: Signal<In, Bits<AW>>,
        pub value: Signal<Out, Bits<VW>>,
        pub commit: Signal<In, Bit>,
        pub commit_index: Signal<In, Bits<AW>>,
        pub commit_value: Signal<In, Bits<VW>>,
        ram: RAM<Bits<VW>, AW>,
    }
}

impl<const AW: usize, const VW: usize> Logic for SmallTable<AW, VW> {
    #[hdl_gen]
    fn update(&mut self) {
        self.ram.read_clock.next = self.clock.val();
        self.ram.write_clock.next = self.clock.val();
        self.ram.read_address.next = self.index.val();
        self.ram.write_address.next = self.commit_index.val();
        self.ram.write_data.next = self.commit_value.val();
        self.ram.write_enable.next = self.commit.val();
        self.value.next = self.ram.read_data.val();
    }
}
