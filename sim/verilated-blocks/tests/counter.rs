//! The counter, four bits a half, against one sum: every carry between the halves, many times around.

use ipos_verilated_blocks::{Clocked, counter, seeded};
use rand::Rng;

#[test]
fn counts_with_carry() {
    let mut rng = seeded();
    let mut block = counter::Model::new(Some(rng.random()));
    block.restart();
    let (mut count, mut shown) = (0u64, 0);
    for _ in 0..400_000 {
        let strobe = rng.random::<bool>();
        block.set_strobe(strobe.into());
        block.low();
        // two cycles after the event
        assert_eq!(u64::from(block.value()), shown % 256);
        shown = count;
        count += u64::from(strobe);
        block.rise();
    }
    assert!(count > 100_000);
    block.restart();
    block.low();
    assert_eq!(block.value(), 0);
}
