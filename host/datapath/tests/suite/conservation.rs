//! Frames in = frames out + frames dropped for a reason.

use ipos_abi::Port;
use ipos_abi::rx::Outcome;
use ipos_abi::table::Protocol;
use ipos_datapath::{Action, Entry};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::frames::{self, Kind, OWNER};
use super::rig;

const FRAMES: u32 = 600;

/// What becomes of the flow of a client's port.
fn entry(port: u16) -> Option<Entry> {
    let action = match port % 5 {
        0 => Action::Forward(OWNER),
        1 => Action::Host,
        2 => Action::Drop,
        3 => return Some(Entry { endpoint: true, epoch: port.into(), ..Entry::default() }),
        _ => return None,
    };
    Some(Entry { action, ..Entry::default() })
}

#[test]
fn every_frame_ends_once_and_where_its_entry_says() {
    let seed = rand::rng().random();
    for mut bench in rig::all() {
        println!("{}: seed {seed}", bench.name);
        let mut random = StdRng::seed_from_u64(seed);
        let flows: Vec<_> = (0..40u16)
            .map(|n| frames::flow(if n % 2 == 0 { Protocol::Tcp } else { Protocol::Udp }, 1000 + n))
            .collect();
        for flow in &flows {
            bench.datapath.set(flow, entry(flow.client.port())).unwrap();
        }
        let (mut forwarded, mut host, mut dropped, mut strays) = (Vec::new(), 0, 0, 0);
        for number in 0..FRAMES {
            let flow = &flows[random.random_range(0..flows.len())];
            let packet = frames::packet(flow, Kind::Data(number));
            if random.random_ratio(1, 8) {
                let mut stray = frames::from_client(&packet);
                stray[5] ^= 0x40;
                bench.put(Port::Front, &stray);
                strays += 1;
                continue;
            }
            let entry = entry(flow.client.port()).unwrap_or_default();
            // who has an endpoint elsewhere gets its packets by the back port
            if entry.endpoint {
                bench.put(Port::Back, &frames::from_peer(flow, &packet));
            } else {
                bench.put(Port::Front, &frames::from_client(&packet));
            }
            match entry.action {
                Action::Forward(_) => forwarded.push(frames::to_owner(flow, &packet)),
                Action::Drop => dropped += 1,
                Action::Pass | Action::Host => host += 1,
            }
            // no buffer between here and there has to hold them all
            if number % 50 == 0 {
                bench.settle();
            }
        }
        let counters = bench.settle();
        assert_eq!(bench.seen.back, forwarded, "{}", bench.name);
        assert_eq!(bench.seen.host.len(), host, "{}", bench.name);
        assert!(bench.seen.front.is_empty() && bench.seen.control.is_empty() && bench.seen.kernel.is_empty());
        assert_eq!(counters.get(Port::Front, Outcome::DropTable), dropped, "{}", bench.name);
        assert_eq!(counters.get(Port::Front, Outcome::DropMac), strays, "{}", bench.name);
        assert_eq!(u64::from(bench.datapath.count(Port::Front, Outcome::DropMac).unwrap()), strays);
        let decapsulated = bench.seen.host.iter().filter(|(received, _)| received.decapsulated).count();
        let sent = counters.ports[Port::Back as usize].received;
        assert_eq!(decapsulated as u64, sent, "{}", bench.name);
    }
}
