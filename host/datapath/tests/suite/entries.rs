//! What an entry does, and frames and events that pass the seam one by one.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use ipos_abi::Port;
use ipos_abi::regs::card;
use ipos_abi::table::Protocol;
use ipos_abi::wire::tcp::Flags;
use ipos_datapath::{Action, DatapathError, Egress, Entry, Expiry, Flow, Owner, PeerAddress, Received};
use ipos_sim::wire::Wire;

use super::frames::{self, CLIENT, Kind, OWNER, PEER};
use super::rig::{self, Bench};

const FORWARD: Entry = action(Action::Forward(OWNER));

const fn action(action: Action) -> Entry {
    Entry { action, endpoint: false, fenced: false, epoch: 7, expires: None }
}

/// What becomes of a packet of the client: frames at the back, frames for the node.
fn fate(bench: &mut Bench, flow: &Flow) -> (usize, usize) {
    let before = (bench.seen.back.len(), bench.seen.host.len());
    bench.put(Port::Front, &frames::from_client(&frames::packet(flow, Kind::Data(1))));
    bench.settle();
    (bench.seen.back.len() - before.0, bench.seen.host.len() - before.1)
}

#[test]
fn an_entry_is_replaced_as_a_whole() {
    for mut bench in rig::all() {
        let flow = frames::flow(Protocol::Tcp, 1000);
        let held = Entry { endpoint: true, fenced: true, ..action(Action::Host) };
        let steps = [
            (None, (0, 1)),
            (Some(FORWARD), (1, 0)),
            (Some(held), (0, 1)),
            (Some(action(Action::Drop)), (0, 0)),
            (Some(FORWARD), (1, 0)),
            (None, (0, 1)),
        ];
        for (entry, want) in steps {
            bench.datapath.set(&flow, entry).unwrap();
            assert_eq!(bench.datapath.get(&flow), entry);
            assert_eq!(bench.datapath.entries(), entry.map(|e| (flow, e)).into_iter().collect::<Vec<_>>());
            assert_eq!(bench.datapath.used(), entry.map_or(0, |e| 1 + usize::from(e.endpoint)), "{}", bench.name);
            assert_eq!(fate(&mut bench, &flow), want, "{}: {entry:?}", bench.name);
        }
    }
}

#[test]
fn frames_say_where_they_come_from() {
    for mut bench in rig::all() {
        let flow = frames::flow(Protocol::Udp, 1000);
        let packet = frames::packet(&flow, Kind::Data(5));
        bench.put(Port::Front, &frames::from_client(&packet));
        bench.settle();
        bench.put(Port::Back, &frames::from_peer(&flow, &packet));
        bench.settle();
        let [(direct, _), (sent_on, frame)] = &bench.seen.host[..] else { panic!("{}", bench.seen.host.len()) };
        let received =
            |port, decapsulated, mac| Received { port, decapsulated, vlan: None, sender: PeerAddress::Mac(mac) };
        assert_eq!(*direct, received(Port::Front, false, CLIENT), "{}", bench.name);
        assert_eq!(*sent_on, received(Port::Back, true, PEER), "{}", bench.name);
        assert_eq!(frame[14..], packet, "{}", bench.name);
    }
}

#[test]
fn what_was_forwarded_is_counted_and_its_ends_are_told() {
    for mut bench in rig::all() {
        let flow = frames::flow(Protocol::Tcp, 1000);
        assert!(bench.datapath.carried(&flow).unwrap().is_none());
        bench.datapath.set(&flow, Some(FORWARD)).unwrap();
        let mut bytes = 0;
        for kind in [Kind::Data(1), Kind::Syn, Kind::Fin] {
            let packet = frames::packet(&flow, kind);
            bytes += packet.len() as u64;
            bench.put(Port::Front, &frames::from_client(&packet));
            bench.settle();
        }
        let carried = bench.datapath.carried(&flow).unwrap().unwrap();
        assert_eq!((carried.packets, carried.bytes, carried.seen), (3, bytes, true), "{}", bench.name);
        assert!(!bench.datapath.carried(&flow).unwrap().unwrap().seen, "{}", bench.name);
        let mut told = Vec::new();
        bench.until("the ends are told", |bench| {
            while let Some(event) = bench.datapath.event().unwrap() {
                assert_eq!(event.flow, flow);
                told.push(event.flags);
            }
            told.len() == 2
        });
        assert!(told[0].contains(Flags::SYN) && told[1].contains(Flags::FIN), "{}: {told:?}", bench.name);
    }
}

#[test]
fn entries_go_from_one_datapath_to_another() {
    let flows: Vec<_> = (0..30).map(|n| frames::flow(Protocol::Tcp, 1000 + n)).collect();
    let mut old = rig::model();
    for (n, flow) in flows.iter().enumerate() {
        let entry = Entry { epoch: n as u64, ..if n % 2 == 0 { FORWARD } else { action(Action::Drop) } };
        old.datapath.set(flow, Some(entry)).unwrap();
    }
    let exported = old.datapath.entries();
    for mut new in rig::all() {
        new.datapath.import(&exported).unwrap();
        let mut entries = new.datapath.entries();
        entries.sort_by_key(|(flow, _)| *flow);
        assert_eq!(entries.iter().map(|(flow, _)| *flow).collect::<Vec<_>>(), flows);
        for (n, flow) in flows.iter().enumerate() {
            assert_eq!(new.datapath.get(flow), old.datapath.get(flow));
            assert_eq!(fate(&mut new, flow), if n % 2 == 0 { (1, 0) } else { (0, 0) }, "{}", new.name);
        }
    }
}

#[test]
fn a_hold_that_nobody_renews_ends() {
    for mut bench in rig::all() {
        let flows = [1000, 1001, 1002].map(|port| frames::flow(Protocol::Tcp, port));
        let hold = |at, then| Entry { fenced: true, expires: Some(Expiry { at, then }), ..action(Action::Host) };
        let soon = Instant::now() + Duration::from_millis(20);
        bench.datapath.set(&flows[0], Some(hold(soon, Action::Pass))).unwrap();
        bench.datapath.set(&flows[1], Some(hold(soon, FORWARD.action))).unwrap();
        // renewed
        bench.datapath.set(&flows[2], Some(hold(soon, Action::Drop))).unwrap();
        let renewed = hold(soon + Duration::from_secs(3600), Action::Drop);
        bench.datapath.set(&flows[2], Some(renewed)).unwrap();
        bench.until("what has expired ends", |bench| bench.datapath.get(&flows[0]).is_none());
        bench.until("it forwards again", |bench| {
            bench.datapath.get(&flows[1]) == Some(Entry { fenced: true, ..FORWARD })
        });
        assert_eq!(bench.datapath.get(&flows[2]), Some(renewed));
        assert_eq!(flows.map(|flow| fate(&mut bench, &flow)), [(0, 1), (1, 0), (0, 1)], "{}", bench.name);
    }
}

#[test]
fn the_kernel_and_the_ports_are_reached() {
    for mut bench in rig::all() {
        let frame = frames::from_client(&frames::packet(&frames::flow(Protocol::Udp, 1000), Kind::Data(1)));
        bench.datapath.deliver(&frame).unwrap();
        assert!(bench.datapath.send(Port::Front, &frame).unwrap());
        bench.until("frames come out", |bench| bench.seen.front.len() + bench.seen.kernel.len() == 2);
        assert_eq!((&bench.seen.front[0], &bench.seen.kernel[0]), (&frame, &frame), "{}", bench.name);
        let (mut taken, mut count) = (Vec::new(), 0);
        bench.kernel.send(&frame).unwrap();
        while let Some(egress) = bench.datapath.collect(&mut taken).unwrap() {
            assert_eq!((egress, &taken), (Egress::Waiting, &frame));
            count += 1;
        }
        assert_eq!(count, 1);
        assert_eq!(bench.datapath.lost(), 0);
        let refused = bench.datapath.send(Port::Front, &[0; 3]).unwrap_err();
        assert!(refused.is_of_frame(), "{refused}");
    }
}

#[test]
fn new_connections_of_a_diverted_service_come_to_the_node() {
    for mut bench in rig::all() {
        bench.datapath.divert(frames::SERVICE, true).unwrap();
        let flow = frames::flow(Protocol::Tcp, 1000);
        bench.put(Port::Front, &frames::from_client(&frames::packet(&flow, Kind::Syn)));
        bench.settle();
        assert_eq!(bench.seen.host.len(), 1, "{}", bench.name);
        bench.datapath.divert(frames::SERVICE, false).unwrap();
    }
}

#[test]
fn what_a_card_lacks_is_refused_and_changes_nothing() {
    for mut bench in rig::all() {
        let flow = frames::flow(Protocol::Tcp, 1000);
        bench.datapath.set(&flow, Some(FORWARD)).unwrap();
        let service = SocketAddr::from((Ipv6Addr::LOCALHOST, 80));
        let over_udp = Owner { at: PeerAddress::Udp(service), ..OWNER };
        let to_v6 = Owner { ip: service.ip(), ..OWNER };
        let group = Owner { at: PeerAddress::Mac([1; 6]), ..OWNER };
        for owner in [over_udp, to_v6, group] {
            let refused = bench.datapath.set(&flow, Some(action(Action::Forward(owner)))).unwrap_err();
            assert!(refused.is_of_entry(), "{refused}");
            assert_eq!(bench.datapath.get(&flow), Some(FORWARD));
        }
        let other = Flow { service, client: service, ..flow };
        let refused = bench.datapath.set(&other, Some(FORWARD)).unwrap_err();
        assert!(matches!(refused, DatapathError::Unsupported { .. }), "{refused}");
        let refused = bench.datapath.import(&[(flow, FORWARD), (other, FORWARD)]).unwrap_err();
        assert_eq!(refused.0, 1);
        assert_eq!(fate(&mut bench, &flow), (1, 0), "{}", bench.name);
    }
}

#[test]
fn a_back_network_that_carries_no_full_packet_is_refused_and_another_is_told() {
    let datapath = rig::over_mtu(1516).unwrap();
    assert_eq!(datapath.mtu(Port::Back).map(|mtu| mtu.bytes), Some(1516));
    assert_eq!(datapath.mtu(Port::Front), None);
    // 1,500 bytes and the ipOS header of 16
    let refused = rig::over_mtu(1515).err().unwrap();
    assert!(matches!(refused, DatapathError::Mtu(_)) && !refused.is_of_entry(), "{refused}");
}

/// A card with so few slots that they run out.
#[test]
fn a_full_table_refuses_one_entry_and_keeps_the_others() {
    for (register, entry) in
        [(card::FORWARD_SLOTS, FORWARD), (card::ENDPOINT_SLOTS, Entry { endpoint: true, ..FORWARD })]
    {
        let mut bench = rig::tiny(register);
        let mut inside = Vec::new();
        let refused = loop {
            let flow = frames::flow(Protocol::Tcp, 1000 + inside.len() as u16);
            match bench.datapath.set(&flow, Some(entry)) {
                Ok(()) => inside.push(flow),
                Err(e) => break (flow, e),
            }
            assert!(inside.len() <= 8, "eight slots");
        };
        assert!(refused.1.is_of_entry(), "{}", refused.1);
        assert_eq!(bench.datapath.get(&refused.0), None);
        // the half of it that had a place is gone, too
        assert_eq!(bench.datapath.used(), inside.len() * (1 + usize::from(entry.endpoint)));
        for flow in &inside {
            assert_eq!(bench.datapath.get(flow), Some(entry));
        }
    }
}
