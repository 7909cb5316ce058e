//! The driver's rings over the whole card, its ports cabled to each other: on the reference and on the Verilated fabric.

use ipos_abi::Port;
use ipos_abi::queue::{Checksum, MAX_RECEIVED, QueueError, QueueId};
use ipos_abi::regs::{ENABLE, port, queue, queues};
use ipos_abi::table::{FlowKey, Protocol};
use ipos_device::{Device, DeviceError, DmaDevice, Queue, Registers};
use ipos_nic::{Complaint, Destination, Forward, Nic, PortConfig, RingConfig, Rings};
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::pcie::device::CabledFunction;
use ipos_sim::pcie::rings::RingCard;
use ipos_sim::pcie::rtl::{Manners, RtlFunction};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const SMALL: RingConfig = RingConfig { receive: 4, control: 3, event: 3, transmit: 3, moderation: 0 };

/// Frames per port that may be on their way: more than a transmit ring of [`SMALL`] holds, and no more bytes than a port's buffer
/// (`MAX_RECEIVED`), which drops what it can't hold when host memory is slower than the wires.
const WINDOW: u32 = 16;
const LONGEST: usize = MAX_RECEIVED / WINDOW as usize - 8;

type Card = Rings<Box<dyn DmaDevice>>;

fn both(config: &RingConfig) -> [Card; 2] {
    let model = CabledFunction::new(|bus| RingCard::new(|| ModelCard::new(ModelConfig::default()), bus));
    let manners = Manners { delay: 20, random: Some((1, 30)) };
    let fabric = CabledFunction::new(|bus| RtlFunction::new(Some(1), manners, bus));
    [Box::new(model) as Box<dyn DmaDevice>, Box::new(fabric)]
        .map(|device| Rings::open(device, config).expect("queues start"))
}

fn promiscuous(card: &mut Card) {
    for offset in [port::FRONT_MAC_HI, port::BACK_MAC_HI] {
        card.write32(offset, ENABLE).expect("a register");
    }
}

#[test]
fn frames_go_round_in_order_and_a_full_ring_says_so() {
    for card in &mut both(&RingConfig { receive: 5, ..SMALL }) {
        promiscuous(card);
        let mut rng = StdRng::seed_from_u64(3);
        let (mut sent, mut received, mut refused) = ([0u32; 2], [0u32; 2], 0);
        while received != [300; 2] {
            for port in Port::ALL {
                // what is on its way fits the receive ring: a card drops what has no descriptor
                while sent[port as usize] < 300 && sent[port as usize] < received[port as usize] + WINDOW {
                    let length = rng.random_range(18..LONGEST);
                    let number = sent[port as usize];
                    let taken = card.transmit_with(port, length, None, |frame| {
                        frame.fill(number as u8);
                        frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xcc]);
                        frame[14..18].copy_from_slice(&number.to_le_bytes());
                    });
                    if !taken.expect("the card works") {
                        refused += 1;
                        break;
                    }
                    sent[port as usize] += 1;
                }
            }
            card.poll().expect("the card works");
            while let Some(port) = card
                .receive_with(Queue::Receive, |meta, frame| {
                    let info = meta.info().expect("known codes");
                    let number = u32::from_le_bytes(frame[14..18].try_into().expect("4 bytes"));
                    assert_eq!(number, received[info.port as usize], "in order");
                    assert!(frame[18..].iter().all(|&b| b == number as u8));
                    assert_eq!(usize::from(info.length), frame.len());
                    info.port
                })
                .expect("the card works")
            {
                received[port as usize] += 1;
            }
        }
        assert_eq!((card.stats().received, card.stats().sent, card.stats().failed), ([600, 0], [300, 300], 0));
        assert_eq!(card.stats().full.iter().sum::<u64>(), refused);
        assert!(refused > 0, "rings of eight fill");
    }
}

#[test]
fn lengths_that_no_card_takes_are_refused_at_once() {
    for card in &mut both(&SMALL) {
        for length in [0, 13, 2049] {
            let refused = card.transmit_with(Port::Front, length, None, |_| unreachable!("nothing to write"));
            assert!(matches!(refused, Err(DeviceError::FrameLength { .. })), "{length}");
        }
        let sum = Checksum { start: 14, offset: 86 };
        assert!(card.transmit_with(Port::Front, 100, Some(sum), |frame| frame.fill(0)).expect("there is room"));
        for _ in 0..50 {
            card.poll().expect("the card works");
        }
        // the card refuses a checksum beyond the frame, and says so in the completion
        assert!(card.transmit(Port::Front, &[0; 60]).expect("there is room"));
        assert_eq!(card.stats().failed, 1);
    }
}

#[test]
fn a_stopped_queue_is_reported() {
    for card in &mut both(&SMALL) {
        card.write32(queue(QueueId::Receive as usize, queues::TAIL), 5000).expect("a register");
        let mut found = Vec::new();
        for _ in 0..50 {
            card.device_mut().poll().expect("the card works");
            found.extend(card.take_errors().expect("the card works"));
        }
        let queue = Some((QueueId::Receive, QueueError::Doorbell));
        assert_eq!(found, [Complaint { cause: ipos_abi::queue::DmaError::Queue, queue }]);
    }
}

#[test]
fn entries_count_and_events_name_their_flow() {
    for card in both(&SMALL) {
        let mut nic = Nic::open(card).expect("a card");
        let front = PortConfig { mac: [2, 0, 0, 0, 0, 1], promiscuous: false, vlan: None };
        let back = PortConfig { mac: [2, 0, 0, 0, 0, 2], promiscuous: true, vlan: None };
        nic.set_port(Port::Front, &front).expect("a port");
        nic.set_port(Port::Back, &back).expect("a port");
        let key = FlowKey {
            protocol: Protocol::Tcp,
            src_ip: [10, 0, 0, 1],
            src_port: 999,
            dst_ip: [10, 0, 0, 2],
            dst_port: 80,
        };
        let to = Destination { ip: [10, 1, 0, 3], port: 80, mac: [2, 0, 0, 0, 0, 3] };
        nic.forward_insert(&key, Forward::To(to)).expect("room");
        let mut frame = Vec::new();
        etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], front.mac)
            .ipv4(key.src_ip, key.dst_ip, 64)
            .tcp(key.src_port, key.dst_port, 1, 1000)
            .fin()
            .write(&mut frame, &[0x55; 60])
            .expect("a frame");
        let mut events = Vec::new();
        // out of the back port, over the cable, into the front port, and out of the back port again as ipOS
        for round in 0..6u64 {
            assert!(nic.device_mut().transmit(Port::Back, &frame).expect("the card works"));
            for _ in 0..60 {
                nic.device_mut().flush().expect("the card works");
                nic.device_mut().device_mut().poll().expect("the card works");
            }
            while let Some(event) = nic.device_mut().event().expect("the card works") {
                events.push(event);
            }
            if round == 3 {
                // rewritten in place: the count goes on
                nic.forward_insert(&key, Forward::To(to)).expect("room");
            }
        }
        assert_eq!(events.len(), 6);
        assert!(events.iter().all(|e| nic.event_key(e) == Some(key) && e.tcp_flags & 1 == 1), "{events:?}");
        let carried = nic.carried(&key).expect("a register").expect("an entry");
        assert_eq!((carried.packets, carried.bytes, carried.seen), (6, 600, true));
        assert!(!nic.carried(&key).expect("a register").expect("an entry").seen, "asked, and forgotten");
        nic.forward_remove(&key).expect("the card works");
        assert_eq!(nic.carried(&key).expect("a register"), None);
        assert_eq!(nic.event_key(&events[0]), None);
    }
}
