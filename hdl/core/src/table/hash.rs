//! The H3 hash of `ipos_abi::table`: each bit is the parity of the key under a mask.
use ipos_abi::table::{BANKS, HASH_BITS, KEY_BITS, MASKS};
use rust_hdl_core::prelude::*;

/// Hashes of all four banks, bank 0 in bits 11:0. Purely combinational; quiet while `valid` is low.
#[derive(LogicBlock)]
pub struct Hash {
    pub valid: Signal<In, Bit>,
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub bits: Signal<Out, Bits<48>>,
    h: Signal<Local, Bits<48>>,
    mask: [Constant<Bits<KEY_BITS>>; BANKS * HASH_BITS],
}

impl Default for Hash {
    fn default() -> Self {
        Self {
            valid: Default::default(),
            key: Default::default(),
            bits: Default::default(),
            h: Default::default(),
            mask: std::array::from_fn(|i| Constant::new(MASKS[i / HASH_BITS][i % HASH_BITS].to_bits())),
        }
    }
}

impl Logic for Hash {
    #[hdl_gen]
    fn update(&mut self) {
        self.h.next = 0.into();
        if self.valid.val() {
            for i in 0..48 {
                self.h.next = self.h.val().replace_bit(i, (self.key.val() & self.mask[i].val()).xor());
            }
        }
        self.bits.next = self.h.val();
    }
}
