//! The fabric where the differential run can't take it: tables that change under traffic, full buffers.

use ipos_sim::compare::overload::{self, Load};
use ipos_sim::compare::race;
use ipos_sim::rtl::RtlCard;

fn seed() -> u64 {
    let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    println!("IPOS_SEED={seed}");
    seed
}

#[test]
fn commits_under_traffic() {
    let seed = seed();
    for stall_rate in [0, 80] {
        let mut fabric = RtlCard::with_seed(seed as u32);
        if stall_rate > 0 {
            fabric = fabric.with_stalls(seed, stall_rate);
        }
        let report = race::run(&mut fabric, seed, 500).unwrap_or_else(|e| panic!("{e}"));
        println!("{report:?}, {} cycles", fabric.cycles());
        assert!(report.split > 100, "changes must meet traffic: {report:?}");
    }
}

#[test]
fn full_buffers() {
    let seed = seed();
    for load in [Load::Forward, Load::Host] {
        let mut fabric = RtlCard::with_seed(seed as u32);
        let report = overload::run(&mut fabric, load, 3000).unwrap_or_else(|e| panic!("{e}"));
        println!("{load:?}: {report:?}, {} cycles", fabric.cycles());
        assert!(report.dropped.iter().all(|&n| n > 0), "buffers must have filled: {report:?}");
    }
}
