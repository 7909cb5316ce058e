//! The hash of `ipos_abi::table`: the key spread over a word, then two rounds of rotations and products.
use ipos_abi::table::{KEY_BITS, ROUNDS, SPREAD, WORD_BITS};
use rust_hdl_core::prelude::*;

/// Hashes of all four banks, bank 0 in bits 11:0. Purely combinational.
#[derive(LogicBlock)]
pub struct Hash {
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub bits: Signal<Out, Bits<WORD_BITS>>,
    word: Signal<Local, Bits<WORD_BITS>>,
    turned: [Signal<Local, Bits<WORD_BITS>>; 3],
    mask: [Constant<Bits<KEY_BITS>>; WORD_BITS],
    // three rotations a round: what goes up, and what comes down again
    up: [Constant<Bits<6>>; 6],
    down: [Constant<Bits<6>>; 6],
}

impl Default for Hash {
    fn default() -> Self {
        // the key's bits that a bit of the word is the parity of
        let mask = |bit| (0..KEY_BITS).fold(0u128, |mask, k| mask | u128::from(SPREAD[k] >> bit & 1) << k);
        let turn = |i: usize| u64::from(ROUNDS[i / 3][i % 3]);
        Self {
            key: Default::default(),
            bits: Default::default(),
            word: Default::default(),
            turned: Default::default(),
            mask: std::array::from_fn(|bit| Constant::new(mask(bit).to_bits())),
            up: std::array::from_fn(|i| Constant::new(turn(i).to_bits())),
            down: std::array::from_fn(|i| Constant::new((WORD_BITS as u64 - turn(i)).to_bits())),
        }
    }
}

impl Logic for Hash {
    #[hdl_gen]
    fn update(&mut self) {
        self.word.next = 0.into();
        for i in 0..48 {
            self.word.next = self.word.val().replace_bit(i, (self.key.val() & self.mask[i].val()).xor());
        }
        for round in 0..2 {
            for i in 0..3 {
                self.turned[i].next = (self.word.val() << self.up[round * 3 + i].val())
                    | (self.word.val() >> self.down[round * 3 + i].val());
            }
            self.word.next = (self.word.val() ^ self.turned[0].val()) ^ (self.turned[1].val() & self.turned[2].val());
        }
        self.bits.next = self.word.val();
    }
}
