//! Cuckoo placement: load, and no lookup that misses while entries move.

use std::collections::HashMap;

use ipos_abi::table::{FlowKey, Protocol};
use ipos_nic::{Forward, NicError, Table};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::rig::*;

fn rng() -> StdRng {
    let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    println!("IPOS_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn any_key(rng: &mut StdRng) -> FlowKey {
    FlowKey {
        protocol: if rng.random() { Protocol::Tcp } else { Protocol::Udp },
        src_ip: rng.random(),
        src_port: rng.random(),
        dst_ip: rng.random(),
        dst_port: rng.random(),
    }
}

/// Inserts keys until the forward table is full, watched, and says at which load that was.
fn fill(mut keys: impl Iterator<Item = FlowKey>) -> f64 {
    let mut nic = open();
    let refused = loop {
        let key = keys.next().expect("more keys than slots");
        match insert(&mut nic, key, 1000 + key.src_port % 100) {
            Ok(()) => {}
            Err(NicError::TableFull { table: Table::Forward, used, slots }) => {
                assert_eq!((used, slots), nic.load(Table::Forward));
                break key;
            }
            Err(other) => panic!("{other}"),
        }
    };
    let (used, slots) = nic.load(Table::Forward);
    let load = used as f64 / slots as f64;
    let device = nic.device_mut();
    device.sweep();
    device.probe(&refused, None);
    assert_eq!(device.present.len(), used);
    let commits = device.commits - slots as u64; // opening the card empties each slot once
    println!(
        "{used} of {slots} slots, {:.1} % load, {commits} writes, {} lookups meanwhile",
        100.0 * load,
        device.probes
    );

    // a removal makes room again, if only for a key that can use it
    let gone = device.present.values().next().unwrap().0;
    device.forget(&gone);
    assert!(nic.forward_remove(&gone).unwrap());
    nic.device_mut().probe(&gone, None);
    insert(&mut nic, gone, 1000).unwrap();
    nic.device_mut().sweep();
    load
}

#[test]
fn ninety_percent_with_random_keys() {
    let mut rng = rng();
    assert!(fill(std::iter::repeat_with(|| any_key(&mut rng))) >= 0.90);
}

#[test]
fn ninety_percent_with_the_ports_of_one_client() {
    // keys that differ in 16 bits only are the hard case for hash functions that are linear
    let key = |src_port| FlowKey {
        protocol: Protocol::Tcp,
        src_ip: [10, 0, 0, 1],
        src_port,
        dst_ip: [10, 0, 0, 2],
        dst_port: 80,
    };
    assert!(fill((32768..=u16::MAX).map(key)) >= 0.90);
}

#[test]
fn ninety_percent_with_neighbouring_clients() {
    let key = |n: u32| FlowKey {
        protocol: Protocol::Udp,
        src_ip: (0x0a00_0000 + n).to_be_bytes(),
        src_port: 5000,
        dst_ip: [10, 0, 0, 2],
        dst_port: 53,
    };
    assert!(fill((0..10_000).map(key)) >= 0.90);
}

#[test]
fn a_full_table_names_its_load() {
    let error = NicError::TableFull { table: Table::Forward, used: 3993, slots: 4096 };
    assert_eq!(
        error.to_string(),
        "the forward table is full: no place for a new entry at 3993 of 4096 slots (97.5 % load); remove entries first"
    );
}

#[test]
fn random_insertions_changes_and_removals() {
    let mut rng = rng();
    let mut nic = open();
    let keys: Vec<_> = (0..4500).map(|_| any_key(&mut rng)).collect();
    let mut truth: HashMap<FlowKey, Forward> = HashMap::new();
    for _ in 0..20_000 {
        let key = keys[rng.random_range(0..keys.len())];
        match rng.random_range(0..10) {
            0..7 => {
                let port = rng.random_range(1000..1100);
                match insert(&mut nic, key, port) {
                    Ok(()) => {
                        truth.insert(key, Forward::To(destination(port)));
                    }
                    Err(NicError::TableFull { .. }) => assert!(!truth.contains_key(&key), "a change needs no room"),
                    Err(other) => panic!("{other}"),
                }
            }
            7 if truth.contains_key(&key) => {
                let other = if rng.random() { Forward::Host } else { Forward::Drop };
                nic.device_mut().forget(&key);
                nic.forward_insert(&key, other).unwrap();
                truth.insert(key, other);
                nic.device_mut().probe(&key, None);
            }
            _ => {
                nic.device_mut().forget(&key);
                assert_eq!(nic.forward_remove(&key).unwrap(), truth.remove(&key).is_some());
                nic.device_mut().probe(&key, None);
            }
        }
    }
    nic.device_mut().sweep();
    for key in &keys {
        assert_eq!(nic.forward(key), truth.get(key).copied());
    }
    let used = |f: &dyn Fn(u16) -> u16| {
        let mut all: Vec<_> = truth
            .values()
            .filter_map(|forward| if let Forward::To(d) = forward { Some(f(d.port)) } else { None })
            .collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    assert_eq!(nic.load(Table::Forward).0, truth.len());
    assert_eq!(nic.destinations_used(), (used(&|port| port), used(&|port| port % 4)));
    for key in truth.keys() {
        nic.device_mut().forget(key);
        assert!(nic.forward_remove(key).unwrap());
    }
    assert_eq!((nic.load(Table::Forward).0, nic.destinations_used()), (0, (0, 0)), "nothing is left");
    println!("{} lookups", nic.device_mut().probes);
}
