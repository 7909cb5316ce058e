//! Identity, ports, destinations, endpoints and counters.

use ipos_abi::Port;
use ipos_abi::regs::{self, card};
use ipos_abi::rx::{Outcome, Reason};
use ipos_abi::table::{FlowKey, Protocol};
use ipos_device::Queue;
use ipos_nic::{Destination, Forward, Identity, Nic, NicError, PortConfig, Table};
use ipos_sim::card::Card;

use crate::rig::*;

fn key(src_port: u16) -> FlowKey {
    FlowKey { protocol: Protocol::Tcp, src_ip: [10, 0, 0, 1], src_port, dst_ip: [10, 0, 0, 2], dst_port: 80 }
}

fn lying(offset: u32, value: u32) -> String {
    let mut device = Watched::new();
    device.lies.insert(offset, value);
    Nic::open(device).err().expect("refused").to_string()
}

#[test]
fn a_card_that_is_none_or_too_new_is_refused() {
    assert_eq!(
        lying(card::MAGIC, u32::MAX),
        "no ipOS card: its identity register reads 0xffffffff instead of 0x69704f53"
    );
    assert_eq!(lying(card::ABI, 9), "the card speaks ABI version 9, this software 4: update the older of the two");
    let size = |table| format!("the card reports 13 index bits for its {table} table; up to 12 are possible");
    assert_eq!(lying(card::FORWARD_SLOTS, 13), size("forward"));
    assert_eq!(lying(card::ENDPOINT_SLOTS, 13), size("endpoint"));
    assert_eq!(open().identity(), Identity { build: 0, width: 64, ports: 2, clock_khz: 0 });
}

#[test]
fn opening_empties_what_an_earlier_owner_left() {
    let mut nic = open();
    for port in 1..200 {
        insert(&mut nic, key(port), 1000).unwrap();
        nic.endpoint_insert(&key(port), u32::from(port)).unwrap();
    }
    let mut device = std::mem::replace(nic.device_mut(), Watched::new());
    device.present.clear();
    let mut nic = Nic::open(device).unwrap();
    for port in 1..200 {
        nic.device_mut().probe(&key(port), None);
        assert_eq!(decapsulated(&mut nic, &key(port)), (Reason::EncapsulatedMiss, 0));
    }
}

#[test]
fn ports_take_sound_settings_only() {
    let mut nic = open();
    let config = PortConfig { mac: FRONT, promiscuous: false, vlan: None };
    let group = nic.set_port(Port::Front, &PortConfig { mac: [0x33, 0x33, 0, 0, 0, 1], ..config });
    assert_eq!(group.unwrap_err().to_string(), "33:33:00:00:00:01 is a group address: give a unicast one");
    for id in [0, 4095, 0xffff] {
        let refused = nic.set_port(Port::Front, &PortConfig { vlan: Some(id), ..config });
        assert!(matches!(refused, Err(NicError::VlanId { id: found }) if found == id));
    }
    insert(&mut nic, key(1), 1000).unwrap();
    nic.device_mut().forget(&key(1));
    nic.set_port(Port::Front, &PortConfig { vlan: Some(5), ..config }).unwrap();
    nic.device_mut().probe(&key(1), None);
    nic.set_port(Port::Front, &PortConfig { mac: BACK, ..config }).unwrap();
    nic.device_mut().probe(&key(1), None);
    nic.set_port(Port::Front, &PortConfig { mac: BACK, promiscuous: true, vlan: None }).unwrap();
    nic.device_mut().probe(&key(1), Some(1000));
    nic.set_ethertype(0x88b5).unwrap();
    let frame = nic.device_mut().forwarded(&key(1)).unwrap();
    assert_eq!(frame[..14], [2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
    assert_eq!(frame[20..26], [172, 16, 0, 0, 0x03, 0xe8]);
}

#[test]
fn destinations_and_neighbours_are_shared_freed_and_bounded() {
    let mut nic = open();
    let to = |n: u16, mac: u8| Forward::To(Destination { ip: [172, 16, 0, 1], port: n, mac: [2, 0, 0, 0, 1, mac] });
    for n in 0..256 {
        nic.forward_insert(&key(n), to(n, (n % 16) as u8)).unwrap();
        nic.forward_insert(&key(n + 1000), to(n, (n % 16) as u8)).unwrap();
    }
    assert_eq!((nic.load(Table::Forward).0, nic.destinations_used()), (512, (256, 16)));

    assert!(matches!(nic.forward_insert(&key(5000), to(256, 0)), Err(NicError::DestinationsFull)));
    assert!(matches!(nic.forward_insert(&key(5000), to(0, 16)), Err(NicError::NeighboursFull)));
    let group = Forward::To(Destination { ip: [1; 4], port: 1, mac: [1; 6] });
    assert!(matches!(nic.forward_insert(&key(5000), group), Err(NicError::GroupAddress { .. })));
    assert_eq!((nic.forward(&key(5000)), nic.destinations_used()), (None, (256, 16)), "as before");

    assert!(nic.forward_remove(&key(0)).unwrap());
    assert_eq!(nic.destinations_used().0, 256, "the other entry still needs it");
    nic.forward_insert(&key(1000), Forward::Host).unwrap();
    assert_eq!(nic.destinations_used().0, 255);
    nic.forward_insert(&key(5000), to(256, 0)).unwrap();
    nic.device_mut().probe(&key(5000), Some(256));
    assert_eq!(nic.forward(&key(5000)), Some(to(256, 0)));
    assert!(!nic.forward_remove(&key(0)).unwrap());
}

/// What the card makes of this flow's packet when it comes encapsulated: reason and reference.
fn decapsulated(nic: &mut Nic<Watched>, key: &FlowKey) -> (Reason, u32) {
    // the header's own addresses are not looked at; its sum is 0x0200 + 0xfdff
    let mut frame = [&BACK[..], &[2, 0, 0, 0, 1, 0xb1, 0, 7], &[0; 12], &[2, 0, 0xfd, 0xff]].concat();
    frame.extend_from_slice(&packet(key)[14..]);
    let card = nic.device_mut().card_mut();
    assert!(card.wire_in(Port::Back, &frame, false));
    while card.run(1000) {}
    let info = card.host_out(Queue::Receive, &mut frame).expect("a frame for the host").info().unwrap();
    (info.reason, info.endpoint)
}

#[test]
fn endpoints() {
    let mut nic = open();
    for port in 0..1800 {
        nic.endpoint_insert(&key(port), u32::from(port) << 16 | 7).unwrap();
    }
    nic.endpoint_insert(&key(5), 99).unwrap();
    assert_eq!(nic.load(Table::Endpoint), (1800, 2048));
    for port in 0..1800 {
        let reference = if port == 5 { 99 } else { u32::from(port) << 16 | 7 };
        assert_eq!(nic.endpoint(&key(port)), Some(reference));
        assert_eq!(decapsulated(&mut nic, &key(port)), (Reason::Endpoint, reference));
    }
    assert!(nic.endpoint_remove(&key(5)).unwrap());
    assert!(!nic.endpoint_remove(&key(5)).unwrap());
    assert_eq!((nic.endpoint(&key(5)), decapsulated(&mut nic, &key(5))), (None, (Reason::EncapsulatedMiss, 0)));
    let full = (2000..).map(|port| nic.endpoint_insert(&key(port), 0)).find_map(Result::err);
    assert!(matches!(full, Some(NicError::TableFull { table: Table::Endpoint, slots: 2048, .. })), "{full:?}");
}

#[test]
fn counters_add_up() {
    let mut nic = open();
    insert(&mut nic, key(1), 1000).unwrap();
    let device = nic.device_mut();
    device.probe(&key(1), Some(1000));
    device.probe(&key(2), None);
    assert!(device.card_mut().wire_in(Port::Back, &[0; 9], false));
    while device.card_mut().run(1000) {}
    let mut counters = nic.counters().unwrap();
    counters.conserved().unwrap();
    assert_eq!((counters.get(Port::Front, Outcome::Forwarded), counters.get(Port::Front, Outcome::ToHost)), (2, 1));
    assert_eq!(counters.get(Port::Back, Outcome::DropRunt), 1);
    assert_eq!((counters.ports[0].received, counters.ports[1].sent), (3, 2));
    counters.ports[1].received += 1;
    assert_eq!(
        counters.conserved().unwrap_err().to_string(),
        "the Back port received 2 frames but accounts for 1: the card was not idle, or lost some"
    );

    let low = regs::outcome(Port::Front, Outcome::ToHost);
    nic.device_mut().lies.extend([(low, 3), (regs::counters::HIGH, 2)]);
    assert_eq!(nic.counters().unwrap().get(Port::Front, Outcome::ToHost), 0x2_0000_0003, "64 bits");
}
