//! The hash against `ipos_abi::table::hash`.

use ipos_abi::table::{BANKS, HASH_BITS, KEY_BITS, hash};
use ipos_verilated_blocks::{hash as block, seeded};
use rand::Rng;

fn words(key: u128) -> [u32; 4] {
    std::array::from_fn(|i| (key >> (32 * i)) as u32)
}

#[test]
fn every_bank_hashes_as_software_does() {
    let mut rng = seeded();
    let mut block = block::Model::new(None);
    let single_bits = (0..KEY_BITS).map(|bit| 1 << bit);
    let random = std::iter::repeat_with(|| rng.random::<u128>() >> (128 - KEY_BITS));
    for key in single_bits.chain(random).take(100_000) {
        block.set_key(&words(key));
        block.eval();
        for bank in 0..BANKS {
            let bits = block.bits() >> (HASH_BITS * bank) & 0xfff;
            assert_eq!(bits, u64::from(hash(bank, key, HASH_BITS)), "bank {bank}, key {key:#x}");
        }
    }
}
