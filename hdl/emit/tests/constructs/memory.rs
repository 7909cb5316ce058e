//! Registers in memories: RAM with read-first, initial contents, FIFOs of the widget library.

use crate::group;
use crate::structures::{Entry, Kind};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

#[derive(LogicBlock)]
pub struct Memory {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub read: Signal<Out, Bits<5>>,
    pub read_same: Signal<Out, Bits<5>>,
    pub key: Signal<Out, Bits<5>>,
    pub value: Signal<Out, Bits<4>>,
    pub rom: Signal<Out, Bits<5>>,
    ram: RAM<Bits<5>, 5>,
    same: RAM<Bits<5>, 3>,
    entries: RAM<Entry, 2>,
    lookup: SyncROM<Bits<5>, 3>,
    written: Signal<Local, Entry>,
}

impl Default for Memory {
    fn default() -> Self {
        let initial = |n: u64| (0..n).map(|i| Bits::<5>::from((i * 7 + 3) % 32));
        Memory {
            clock: Default::default(),
            a: Default::default(),
            b: Default::default(),
            c: Default::default(),
            read: Default::default(),
            read_same: Default::default(),
            key: Default::default(),
            value: Default::default(),
            rom: Default::default(),
            ram: RAM::from(initial(32)),
            same: Default::default(),
            entries: Default::default(),
            lookup: SyncROM::from(initial(8)),
            written: Default::default(),
        }
    }
}

impl Logic for Memory {
    #[hdl_gen]
    fn update(&mut self) {
        self.ram.read_clock.next = self.clock.val();
        self.ram.write_clock.next = self.clock.val();
        self.ram.read_address.next = self.a.val();
        self.ram.write_address.next = self.b.val();
        self.ram.write_data.next = self.a.val() ^ self.b.val();
        self.ram.write_enable.next = self.c.val();
        self.read.next = self.ram.read_data.val();
        // one address for both: the read must give what was there before
        self.same.read_clock.next = self.clock.val();
        self.same.write_clock.next = self.clock.val();
        self.same.read_address.next = bit_cast::<3, 5>(self.a.val());
        self.same.write_address.next = bit_cast::<3, 5>(self.a.val());
        self.same.write_data.next = self.b.val();
        self.same.write_enable.next = true;
        self.read_same.next = self.same.read_data.val();
        self.written.next.key = self.a.val();
        self.written.next.valid = self.c.val();
        self.written.next.kind = Kind::Tagged;
        self.written.next.value = bit_cast::<4, 5>(self.b.val());
        self.entries.read_clock.next = self.clock.val();
        self.entries.write_clock.next = self.clock.val();
        self.entries.read_address.next = bit_cast::<2, 5>(self.b.val());
        self.entries.write_address.next = bit_cast::<2, 5>(self.a.val());
        self.entries.write_data.next = self.written.val();
        self.entries.write_enable.next = self.a.val() != self.b.val();
        self.key.next = self.entries.read_data.val().key;
        self.value.next = self.entries.read_data.val().value;
        self.lookup.clock.next = self.clock.val();
        self.lookup.address.next = bit_cast::<3, 5>(self.a.val() + self.b.val());
        self.rom.next = self.lookup.data.val();
    }
}
group!(Memory);

declare_sync_fifo!(NumberFifo, Bits<5>, 8, 2);
declare_sync_fifo!(EntryFifo, Entry, 4, 1);

#[derive(LogicBlock, Default)]
pub struct Fifos {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<5>>,
    pub b: Signal<In, Bits<5>>,
    pub c: Signal<In, Bit>,
    pub number: Signal<Out, Bits<5>>,
    pub flags: Signal<Out, Bits<5>>,
    pub entry_key: Signal<Out, Bits<5>>,
    pub entry_empty: Signal<Out, Bit>,
    numbers: NumberFifo,
    entries: EntryFifo,
    entry: Signal<Local, Entry>,
}

impl Logic for Fifos {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, numbers, entries);
        self.numbers.data_in.next = self.a.val();
        self.numbers.write.next = self.b.val() < 20;
        self.numbers.read.next = self.c.val();
        self.number.next = self.numbers.data_out.val();
        self.flags.next = 0.into();
        self.flags.next = self.flags.val().replace_bit(0, self.numbers.empty.val());
        self.flags.next = self.flags.val().replace_bit(1, self.numbers.almost_empty.val());
        self.flags.next = self.flags.val().replace_bit(2, self.numbers.full.val());
        self.flags.next = self.flags.val().replace_bit(3, self.numbers.almost_full.val());
        self.flags.next = self.flags.val().replace_bit(4, self.numbers.overflow.val());
        self.entry.next.key = self.b.val();
        self.entry.next.valid = true;
        self.entry.next.kind = Kind::Broken;
        self.entry.next.value = bit_cast::<4, 5>(self.a.val());
        self.entries.data_in.next = self.entry.val();
        self.entries.write.next = self.a.val() < 12;
        self.entries.read.next = self.b.val().get_bit(2);
        self.entry_key.next = self.entries.data_out.val().key;
        self.entry_empty.next = self.entries.empty.val();
    }
}
group!(Fifos);
