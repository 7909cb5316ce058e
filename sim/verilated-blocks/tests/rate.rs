//! The token bucket against a count of what it may have given: never more than its rate allows, never less.

use ipos_verilated_blocks::{Clocked, rate, seeded};
use rand::Rng;

/// Takes whenever it may and `wanted` says so; cycles, each a microsecond, in which it took.
fn run(period: u16, cycles: u64, mut wanted: impl FnMut() -> bool) -> Vec<u64> {
    let mut block = rate::Model::new(None);
    block.set_period(period);
    block.set_microsecond(1);
    block.restart();
    let mut taken = Vec::new();
    for cycle in 0..cycles {
        block.low();
        let take = block.allow() != 0 && wanted();
        block.set_take(take.into());
        block.low();
        if take {
            taken.push(cycle);
        }
        block.rise();
    }
    taken
}

#[test]
fn a_burst_of_sixteen_and_then_one_a_period() {
    for period in [1, 2, 7, 156, 1000] {
        let taken = run(period, 40 * u64::from(period) + 40, || true);
        for (i, pair) in taken.windows(17).enumerate() {
            assert!(pair[16] - pair[0] >= u64::from(period), "period {period}, from the {i}th");
        }
        let count = taken.len() as u64;
        let earned = (40 * u64::from(period) + 40) / u64::from(period);
        // sixteen to begin with, then what is earned
        assert!(
            (earned + 14..=earned + 17).contains(&count) || period == 1,
            "period {period}: {count}, {earned} earned"
        );
    }
}

#[test]
fn never_more_than_earned_and_no_less_when_asked_seldom() {
    let mut rng = seeded();
    for _ in 0..200 {
        let (period, percent) = (rng.random_range(1..40u16), rng.random_range(1..100));
        let taken = run(period, 4000, || rng.random_range(0..100) < percent);
        for (i, &first) in taken.iter().enumerate() {
            for n in [17, 20, 60] {
                if let Some(&last) = taken.get(i + n) {
                    // n + 1 takes need n - 15 earned in between
                    assert!(last - first + u64::from(period) >= (n as u64 - 15) * u64::from(period), "period {period}");
                }
            }
        }
        // less than the rate is never refused: the share that was asked for was taken
        if percent * u32::from(period) < 50 {
            assert!(
                taken.len() as u32 * 100 > 4000 * percent * 7 / 10,
                "period {period}, {percent} %: {}",
                taken.len()
            );
        }
    }
}

#[test]
fn no_period_no_bound() {
    assert_eq!(run(0, 1000, || true).len(), 1000);
}
