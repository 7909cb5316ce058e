//! A queue's registers: what starts, stops and restarts it, also by a host that does not wait for STATUS.

use ipos_abi::queue::QueueError;
use ipos_abi::regs::queues;
use ipos_verilated_blocks::layout::Settings;
use ipos_verilated_blocks::{Clocked, dma_control};

struct Rig {
    block: dma_control::Model,
    starts: u32,
    stops: u32,
}

impl Rig {
    fn new() -> Self {
        let mut block = dma_control::Model::new(Some(3));
        block.restart();
        Rig { block, starts: 0, stops: 0 }
    }

    fn cycle(&mut self) {
        self.block.low();
        self.starts += u32::from(self.block.start());
        self.stops += u32::from(self.block.stopped());
        assert!(self.block.start() == 0 || self.block.run() == 0, "counts begin before work does");
        assert!(self.block.start() == 0 || self.block.busy() == 0, "work of before is under way");
        self.block.rise();
        self.block.set_select(0);
        self.block.set_write(0);
        self.block.set_error(0);
        self.block.set_fail(0);
    }

    fn write(&mut self, register: u32, value: u32) {
        self.block.set_select(1);
        self.block.set_write(1);
        self.block.set_place(1 << (register >> 2 & 15));
        self.block.set_wdata(value);
        self.cycle();
        self.cycle(); // the value holds
    }

    fn read(&mut self, register: u32) -> u32 {
        self.block.set_select(1);
        self.block.set_place(1 << (register >> 2 & 15));
        self.cycle();
        self.block.low();
        let value = self.block.rdata();
        self.cycle();
        self.block.low();
        assert_eq!(self.block.rdata(), 0, "silent unless selected");
        value
    }

    fn cycles(&mut self, n: u32) {
        (0..n).for_each(|_| self.cycle());
    }

    fn enable(&mut self, size: u32) {
        self.write(queues::CONTROL, size << 8 | 1);
    }

    fn status(&mut self) -> (bool, u32) {
        let status = self.read(queues::STATUS);
        (status & 1 == 1, status >> 8)
    }

    fn runs(&mut self) -> bool {
        self.block.low();
        self.block.run() != 0
    }
}

#[test]
fn sizes_that_do_not_exist_stop_the_queue_at_once() {
    for size in 0..16 {
        let mut rig = Rig::new();
        rig.enable(size);
        rig.cycles(4);
        let good = (3..=12).contains(&size);
        assert_eq!(rig.runs(), good, "{size}");
        let why = if good { QueueError::None } else { QueueError::Size };
        assert_eq!(rig.status(), (good, why as u32), "{size}");
        assert_eq!(rig.stops, u32::from(!good));
    }
}

#[test]
fn settings_read_back_and_the_size_holds_while_it_runs() {
    let mut rig = Rig::new();
    let values = [
        (queues::DESCRIPTORS_LO, 0x1234_5600),
        (queues::DESCRIPTORS_HI, 0x9abc),
        (queues::COMPLETIONS_LO, 0xfedc_b000),
        (queues::COMPLETIONS_HI, 7),
        (queues::MODERATION, 0xffff),
    ];
    for (register, value) in values {
        rig.write(register, value);
    }
    rig.enable(5);
    rig.write(queues::TAIL, 9);
    rig.cycles(4);
    rig.write(queues::CONTROL, 7 << 8 | 1);
    for (register, value) in values {
        assert_eq!(rig.read(register), value);
    }
    assert_eq!((rig.read(queues::CONTROL), rig.read(queues::TAIL)), (5 << 8 | 1, 9));
    let settings = Settings::unpack(rig.block.settings());
    assert_eq!((settings.descriptors, settings.completions), (0x9abc_1234_5600, 0x7_fedc_b000));
    assert_eq!((settings.size, settings.tail, rig.starts), (5, 9, 1));
}

/// Off and on again with work under way: the start waits for it, and neither its errors nor its failures are the new
/// queue's.
#[test]
fn a_restart_without_waiting_waits_itself() {
    for (error, delay) in [(1, 0), (2, 3), (2, 0), (1, 9)] {
        let mut rig = Rig::new();
        rig.enable(4);
        rig.cycles(4);
        assert!(rig.runs());
        rig.block.set_busy(1);
        rig.write(queues::CONTROL, 4 << 8);
        assert!(!rig.runs());
        rig.enable(4);
        rig.write(queues::TAIL, 5);
        rig.cycles(delay);
        rig.block.set_error(error);
        rig.block.set_fail(1);
        rig.cycle();
        assert!(rig.status().0 && !rig.runs(), "still at it");
        rig.block.set_busy(0);
        rig.cycles(4);
        assert_eq!((rig.starts, rig.stops), (2, 0));
        assert!(rig.runs(), "error {error} after {delay}");
        assert_eq!((rig.status(), rig.read(queues::FAILED)), ((true, 0), 0));
        assert_eq!(rig.read(queues::TAIL), 5, "rung while it waited");
    }
}

#[test]
fn an_error_stops_it_until_it_is_enabled_again() {
    let mut rig = Rig::new();
    rig.enable(4);
    rig.cycles(4);
    rig.block.set_fail(1);
    rig.block.set_error(QueueError::DescriptorRead as u8);
    rig.cycle();
    rig.block.set_error(QueueError::Doorbell as u8);
    rig.cycle();
    rig.cycle();
    assert!(!rig.runs());
    assert_eq!((rig.status(), rig.stops), ((false, QueueError::DescriptorRead as u32), 1), "the first one counts");
    assert_eq!(rig.read(queues::FAILED), 1);
    rig.write(queues::CONTROL, 4 << 8);
    assert_eq!(rig.status(), (false, QueueError::DescriptorRead as u32));
    rig.enable(4);
    rig.cycles(4);
    assert_eq!((rig.status(), rig.read(queues::FAILED)), ((true, 0), 0));
}
