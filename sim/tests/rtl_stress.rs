//! The fabric where the differential run can't take it: tables that change under traffic, full buffers.

use ipos_sim::compare::overload::{self, Load};
use ipos_sim::compare::race;
use ipos_sim::rtl::{Fabric, FabricCard, RtlCard, WideCard};

fn seed() -> u64 {
    let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    println!("IPOS_SEED={seed}");
    seed
}

fn commits<F: Fabric>(card: impl Fn(u32) -> FabricCard<F>, changes: u32, least: u32) {
    let seed = seed();
    for stall_rate in [0, 80] {
        let mut fabric = card(seed as u32);
        if stall_rate > 0 {
            fabric = fabric.with_stalls(seed, stall_rate);
        }
        let report = race::run(&mut fabric, seed, changes).unwrap_or_else(|e| panic!("{e}"));
        println!("{report:?}, {} cycles", fabric.cycles());
        assert!(report.split > least, "changes must meet traffic: {report:?}");
    }
}

fn overload<F: Fabric>(card: impl Fn(u32) -> FabricCard<F>) {
    let seed = seed();
    for load in [Load::Forward, Load::Host] {
        let mut fabric = card(seed as u32);
        let report = overload::run(&mut fabric, load, 3000).unwrap_or_else(|e| panic!("{e}"));
        println!("{load:?}: {report:?}, {} cycles", fabric.cycles());
        assert!(report.dropped.iter().all(|&n| n > 0), "buffers must have filled: {report:?}");
    }
}

#[test]
fn commits_under_traffic() {
    commits(RtlCard::with_seed, 500, 100);
}

#[test]
fn commits_under_traffic_at_512_bits() {
    // its frames are sooner through
    commits(WideCard::with_seed, 1500, 40);
}

#[test]
fn full_buffers() {
    overload(RtlCard::with_seed);
}

#[test]
fn full_buffers_at_512_bits() {
    overload(WideCard::with_seed);
}
