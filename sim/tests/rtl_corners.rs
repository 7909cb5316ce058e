//! The fabric where traffic seldom takes it: blocked outputs, reset in mid-traffic, frames of any length, odd accesses. At both widths.

mod flows;

use flows::{ENDPOINT, FORWARD, MISS, Tcp, Udp, count, encapsulated, ipos, packet, plain, received};
use ipos_abi::Port::{self, Back, Front};
use ipos_abi::queue::{MAX_CONTROL, MAX_FRAME, MAX_RECEIVED};
use ipos_abi::regs::{counters, entries, outcome, port, tables};
use ipos_abi::rx::Outcome;
use ipos_device::Queue;
use ipos_sim::card::Card;
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::pcie::rtl::KHZ;
use ipos_sim::rtl::{Fabric, FabricCard, Narrow, Wide};

fn card<F: Fabric>() -> FabricCard<F> {
    let mut card = FabricCard::with_seed(1);
    flows::set_up(&mut card);
    card
}

/// What came out so far: front wire, back wire, receive queue, control queue.
fn drain(card: &mut dyn Card) -> [Vec<Vec<u8>>; 4] {
    let mut out: [Vec<Vec<u8>>; 4] = Default::default();
    let mut frame = Vec::new();
    for port in Port::ALL {
        while card.wire_out(port, &mut frame) {
            out[port as usize].push(frame.clone());
        }
    }
    for queue in [Queue::Receive, Queue::Control] {
        while card.host_out(queue, &mut frame).is_some() {
            out[2 + queue as usize].push(frame.clone());
        }
    }
    out
}

fn settle(card: &mut dyn Card) -> [Vec<Vec<u8>>; 4] {
    for _ in 0..100_000 {
        if !card.run(64) {
            return drain(card);
        }
    }
    panic!("still busy");
}

/// Gives a card frames without a gap and takes what comes out, for `cycles`.
fn load<F: Fabric>(card: &mut FabricCard<F>, frames: &[(Port, Vec<u8>)], cycles: u64) -> [usize; 4] {
    let (mut seen, end) = ([0; 4], card.cycles() + cycles);
    while card.cycles() < end {
        for (port, frame) in frames {
            card.wire_in(*port, frame, false);
        }
        for port in Port::ALL {
            card.host_in(port, &[port as u8; 200], None);
        }
        for _ in 0..64 {
            let wires = card.tick_seen(|m| [m.offered(0), m.offered(1)]);
            assert!(!wires.contains(&(true, false)), "a wire's beat had to wait");
        }
        for (seen, frames) in seen.iter_mut().zip(drain(card)) {
            *seen += frames.len();
        }
    }
    seen
}

fn mix() -> Vec<(Port, Vec<u8>)> {
    vec![
        (Front, plain(&packet(Tcp, FORWARD, 0, 300))),
        (Front, plain(&packet(Tcp, MISS, 0, 100))),
        (Back, encapsulated(&packet(Tcp, FORWARD, 0, 300))),
        (Back, encapsulated(&packet(Tcp, ENDPOINT, 0, 100))),
        (Back, ipos(0x84, 1, 0, &[7; 100])),
    ]
}

fn a_queue_that_is_not_fetched_stops_no_other_path<F: Fabric>() {
    for queue in [Queue::Receive, Queue::Control] {
        let mut card = card::<F>();
        card.hold_queue(queue, true);
        let seen = load(&mut card, &mix(), 60_000);
        println!("{queue:?} queue blocked: {seen:?}");
        let blocked = 2 + queue as usize;
        for (i, &frames) in seen.iter().enumerate() {
            assert!(if i == blocked { frames == 0 } else { frames > 100 }, "output {i}: {seen:?}");
        }
        assert!(count(&mut card, Back, Outcome::DropHostFull) > 100);
        card.hold_queue(queue, false);
        assert!(settle(&mut card)[blocked].len() > 10);
        for port in Port::ALL {
            received(&mut card, port);
        }
    }
}

fn a_blocked_wire_stops_neither_the_host_queues_nor_the_other_paths_to_a_wire<F: Fabric>() {
    for port in Port::ALL {
        let mut card = card::<F>();
        card.hold_wire(port, true);
        let seen = load(&mut card, &mix(), 60_000);
        println!("{port:?} wire blocked: {seen:?}");
        assert!(seen[2] > 100 && seen[3] > 100, "{seen:?}");
        assert_eq!(seen[port as usize], 0);
        if port == Front {
            assert!(seen[Back as usize] > 100, "forwarding goes on: {seen:?}");
        } else {
            assert!(count(&mut card, Front, Outcome::DropForwardFull) > 100);
        }
        card.hold_wire(port, false);
        settle(&mut card);
        for port in Port::ALL {
            received(&mut card, port);
        }
    }
}

fn host_and_both_forward_paths_share_the_back_wire<F: Fabric>() {
    let mut card = card::<F>();
    let frames = [(Front, plain(&packet(Tcp, FORWARD, 0, 200))), (Back, encapsulated(&packet(Tcp, FORWARD, 0, 200)))];
    let mut last = [0u64; 3];
    for round in 1..=100 {
        for (port, frame) in &frames {
            for _ in 0..4 {
                card.wire_in(*port, frame, false);
            }
        }
        while card.host_in(Back, &[0; 200], None) {}
        card.run(256);
        drain(&mut card);
        let sent = u64::from(card.read32(counters::BACK_TX));
        let (a, b) = (count(&mut card, Front, Outcome::Forwarded), count(&mut card, Back, Outcome::Forwarded));
        let now = [a, b, sent.saturating_sub(a + b)];
        if round % 20 == 0 {
            assert!(now.iter().zip(last).all(|(now, last)| now - last >= 30), "{last:?} to {now:?} in 20 rounds");
            last = now;
        }
    }
    println!("front, back, host: {last:?}");
}

fn a_reset_in_mid_traffic_leaves_nothing_behind<F: Fabric>() {
    let mut card = card::<F>();
    let burst = mix();
    for at in 0..160 {
        for _ in 0..3 {
            for (port, frame) in &burst {
                card.wire_in(*port, frame, at % 2 == 0);
            }
            card.host_in(Front, &[1; 300], None);
            card.host_in(Back, &[2; 300], None);
        }
        if at % 3 == 0 {
            card.hold_wire(Back, true);
            card.hold_queue(Queue::Receive, true);
        }
        (0..at).for_each(|_| card.tick());
        card.hold_wire(Back, false);
        card.hold_queue(Queue::Receive, false);
        card.reset();
        let mut model = ModelCard::new(ModelConfig::default());
        for offset in [port::FRONT_MAC_LO, port::BACK_MAC_HI, port::BACK_VLAN, tables::KEY0, counters::FRONT_RX] {
            assert_eq!(card.read32(offset), 0, "{offset:#x} after a reset at {at}");
        }
        flows::set_up(&mut card);
        flows::set_up(&mut model);
        assert!(settle(&mut card).iter().all(Vec::is_empty), "frames from before the reset at {at}");
        for (port, frame) in &burst {
            for card in [&mut card as &mut dyn Card, &mut model] {
                assert!(card.wire_in(*port, frame, false));
            }
            assert_eq!(settle(&mut card), settle(&mut model), "after a reset at {at}");
        }
        for port in Port::ALL {
            assert_eq!(received(&mut card, port), received(&mut model, port));
        }
    }
}

fn the_first_cycle_after_reset_counts<F: Fabric>() {
    let mut card = card::<F>();
    card.model_mut().reset(true);
    card.tick();
    card.model_mut().reset(false);
    for _ in 0..20 {
        assert!(card.wire_in(Front, &[0], false));
    }
    settle(&mut card);
    assert_eq!(received(&mut card, Front), 20);
    assert_eq!(count(&mut card, Front, Outcome::DropRunt), 20);
}

fn frames_of_any_length_leave_the_card_in_order<F: Fabric>() {
    let mut card = card::<F>();
    let probe = |card: &mut FabricCard<F>, what: &str| {
        for (port, frame) in mix() {
            let mut model = ModelCard::new(ModelConfig::default());
            flows::set_up(&mut model);
            assert!(card.wire_in(port, &frame, false) && model.wire_in(port, &frame, false));
            assert_eq!(settle(card), settle(&mut model), "after {what}");
        }
    };
    for length in
        [2048, 4095, 4096, 4097, 8191, 8192, 8193, 9000, 65_535, 65_536, 65_600, 70_000, 131_064, 131_072, 140_000]
    {
        let mut frame = plain(&packet(Tcp, MISS, 0, 100));
        frame.resize(length, 9);
        assert!(card.wire_in(Front, &frame, false));
        let found = settle(&mut card);
        let expected = if length <= MAX_RECEIVED { vec![frame.clone()] } else { Vec::new() };
        assert!(found[2] == expected, "{length} bytes to the receive queue");
        probe(&mut card, &format!("{length} bytes to the receive queue"));

        let mut control = ipos(0x84, 1, 0, &[]);
        control.resize(length, 9);
        assert!(card.wire_in(Back, &control, false));
        let expected = if length <= MAX_CONTROL { vec![control] } else { Vec::new() };
        assert!(settle(&mut card)[3] == expected, "{length} bytes to the control queue");
        probe(&mut card, &format!("{length} bytes to the control queue"));

        // a short packet with a long trailer, which is cut
        for (port, mut frame) in
            [(Front, plain(&packet(Tcp, FORWARD, 0, 33))), (Back, encapsulated(&packet(Tcp, FORWARD, 0, 33)))]
        {
            frame.resize(length, 9);
            assert!(card.wire_in(port, &frame, false));
            let found = settle(&mut card);
            assert_eq!(found[1].len(), 1, "{length} bytes on the {port:?} port");
            assert_eq!(found[1][0][30..], packet(Tcp, FORWARD, 0, 33), "{length} bytes on the {port:?} port");
            probe(&mut card, &format!("{length} bytes on the forward path"));
        }
    }
    for (total, sent) in [(MAX_FRAME - 14, 1), (MAX_FRAME - 13, 0)] {
        assert!(card.wire_in(Front, &plain(&packet(Tcp, FORWARD, 0, total - 40)), false));
        assert_eq!(settle(&mut card)[1].len(), sent, "total length {total}");
    }
    assert_eq!(count(&mut card, Front, Outcome::DropForwardFull), 1);
    // a longer one is discarded, and the next one goes its way
    for length in [2049, 5000, 100_000] {
        assert!(card.host_in(Back, &vec![1; length], None));
        assert!(settle(&mut card)[1].is_empty(), "{length} bytes from the host");
    }
    for length in [1, 8, 2047, 2048] {
        let frame: Vec<u8> = (0..length).map(|i| i as u8).collect();
        assert!(card.host_in(Back, &frame, None));
        assert_eq!(settle(&mut card)[1], [frame], "{length} bytes from the host");
    }
}

fn a_flood_of_runts_is_counted_and_stops_no_register<F: Fabric>() {
    let mut card = card::<F>();
    let (mut given, mut slowest) = (0u64, 0);
    for _ in 0..200 {
        while card.wire_in(Front, &[1], given % 2 == 0) && card.wire_in(Back, &[1; 8], false) {
            given += 1;
        }
        let before = card.cycles();
        card.read32(outcome(Front, Outcome::DropRunt));
        slowest = slowest.max(card.cycles() - before);
    }
    settle(&mut card);
    println!("slowest register access: {slowest} cycles");
    let front = received(&mut card, Front);
    assert!(front == given || front == given + 1, "{front} of {given}");
    assert_eq!(count(&mut card, Front, Outcome::DropRunt), front);
    assert_eq!(count(&mut card, Back, Outcome::DropRunt), given);
    assert!(slowest < 300, "{slowest} cycles");
}

fn counters_read_in_mid_traffic_never_step_back_nor_ahead<F: Fabric>() {
    let mut card = card::<F>();
    let mut last = 0;
    let mut given = 0;
    for _ in 0..300 {
        while card.wire_in(Front, &plain(&packet(Tcp, MISS, 0, 0)), false) {
            given += 1;
        }
        (0..17).for_each(|_| card.tick());
        let now = count(&mut card, Front, Outcome::ToHost);
        assert!((last..=given).contains(&now), "{last} {now} {given}");
        last = now;
        drain(&mut card);
    }
    settle(&mut card);
    assert_eq!(count(&mut card, Front, Outcome::ToHost), given);
}

fn odd_register_accesses_change_nothing_else<F: Fabric>() {
    let mut card = card::<F>();
    let check = |card: &mut FabricCard<F>, what: &str| {
        card.write32(tables::DEST_IP, 0x1234_5678);
        assert_eq!(card.read32(tables::DEST_IP), 0x1234_5678, "after {what}");
        assert_eq!(card.read32(port::FRONT_MAC_LO), 1, "after {what}");
        assert!(card.wire_in(Front, &plain(&packet(Tcp, FORWARD, 0, 0)), false));
        assert_eq!(settle(card)[1].len(), 1, "after {what}");
    };
    // a strobe that falls before its answer
    let address = [outcome(Front, Outcome::ToHost), tables::COMMIT_NEIGHBOUR, tables::VALUE, counters::BACK_RX, 0xfffc];
    for offset in address {
        for cycles in 1..6 {
            card.model_mut().access(true, false, offset as u16, 0);
            (0..cycles).for_each(|_| card.tick());
            card.model_mut().access(false, false, offset as u16, 0);
            (0..4).for_each(|_| card.tick());
            check(&mut card, &format!("{cycles} cycles of a read of {offset:#x}"));
        }
    }
    // both strobes at once, and addresses that are no register's
    for offset in [tables::VALUE, counters::HIGH, 0x0004, 0x0209, 0x7ffe, 0xffff] {
        card.model_mut().access(true, true, offset as u16, 0xffff_ffff);
        let acked = (0..8).any(|_| {
            card.tick();
            card.model_mut().answer().is_some()
        });
        card.model_mut().access(false, false, offset as u16, 0);
        card.tick();
        assert!(acked, "{offset:#x}");
        check(&mut card, &format!("both strobes at {offset:#x}"));
    }
}

/// The shortest packets on both ports without a gap, while the host writes other entries and reads counters.
fn every_forwarded_packet_counts_in_its_entry<F: Fabric>() {
    let mut card = card::<F>();
    let packet = packet(Udp, FORWARD, 0, 0);
    let mut short = plain(&packet);
    short.resize(60, 0);
    let frames = [(Front, short), (Back, encapsulated(&packet))];
    for _ in 0..100 {
        for (port, frame) in &frames {
            while card.wire_in(*port, frame, false) {}
        }
        for _ in 0..8 {
            card.write32(tables::COMMIT_FORWARD, 2 << 16);
            card.write32(tables::COMMIT_FORWARD, 3 << 16);
            card.write32(entries::SELECT, flows::place(Tcp));
        }
        card.run(64);
        drain(&mut card);
    }
    settle(&mut card);
    let [front, back] = Port::ALL.map(|port| count(&mut card, port, Outcome::Forwarded));
    let dropped = Port::ALL.map(|port| count(&mut card, port, Outcome::DropForwardFull));
    println!("forwarded {front}, {back}; no room for {dropped:?}; {} cycles", card.cycles());
    assert!(front.min(back) > 100);
    card.write32(entries::SELECT, flows::place(Udp));
    assert_eq!(u64::from(card.read32(entries::PACKETS)), front + back);
    assert_eq!(u64::from(card.read32(entries::BYTES_LO)), (front + back) * packet.len() as u64);
}

/// A packet that came encapsulated is forwarded again not more often than REFORWARD allows, but for sixteen at once.
fn forwarding_again_is_bounded<F: Fabric>() {
    const MICROSECONDS: u32 = 16;
    const PERIOD: u64 = MICROSECONDS as u64 * KHZ as u64 / 1000;
    let mut card = card::<F>();
    let again = encapsulated(&packet(Tcp, FORWARD, 0, 20));
    card.write32(port::REFORWARD, MICROSECONDS);
    let (start, mut given) = (card.cycles(), 0);
    while card.cycles() < start + 20 * PERIOD {
        given += u64::from(card.wire_in(Back, &again, false));
        card.run(100);
    }
    settle(&mut card);
    let passed = count(&mut card, Back, Outcome::Forwarded);
    let dropped = count(&mut card, Back, Outcome::DropRate);
    assert_eq!(passed + dropped, given);
    assert!((16 + 19..=16 + 22).contains(&passed), "{passed} of {given} in 20 periods");
    // what comes plain has no bound, and no limit is no bound
    let plain_packet = plain(&packet(Tcp, FORWARD, 0, 20));
    for _ in 0..40 {
        assert!(card.wire_in(Front, &plain_packet, false));
    }
    settle(&mut card);
    assert_eq!(count(&mut card, Front, Outcome::Forwarded), 40);
    card.write32(port::REFORWARD, 0);
    for _ in 0..40 {
        assert!(card.wire_in(Back, &again, false));
    }
    settle(&mut card);
    assert_eq!(count(&mut card, Back, Outcome::Forwarded), passed + 40);
    assert_eq!(count(&mut card, Back, Outcome::DropRate), dropped);
}

macro_rules! at_both_widths {
    ($($test:ident),* $(,)?) => {
        mod bits_64 {
            $(#[test] fn $test() { super::$test::<super::Narrow>(); })*
        }
        mod bits_512 {
            $(#[test] fn $test() { super::$test::<super::Wide>(); })*
        }
    };
}

at_both_widths!(
    a_queue_that_is_not_fetched_stops_no_other_path,
    a_blocked_wire_stops_neither_the_host_queues_nor_the_other_paths_to_a_wire,
    host_and_both_forward_paths_share_the_back_wire,
    a_reset_in_mid_traffic_leaves_nothing_behind,
    the_first_cycle_after_reset_counts,
    frames_of_any_length_leave_the_card_in_order,
    a_flood_of_runts_is_counted_and_stops_no_register,
    counters_read_in_mid_traffic_never_step_back_nor_ahead,
    odd_register_accesses_change_nothing_else,
    forwarding_again_is_bounded,
    every_forwarded_packet_counts_in_its_entry,
);
