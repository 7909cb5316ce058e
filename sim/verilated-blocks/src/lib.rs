//! The fabric's blocks one by one: their Verilog, compiled, and what their tests share.
//!
//! Each block of `hdl/core` has a test of its name in `tests/`, which holds it against a small reference model on
//! random traffic with random stalls ([`stream`]). `IPOS_SEED=<n>` replays a run. Waveforms are the card's
//! (`ipos-verilated-card`); a block's own come with `.fst(true)` in the build script.

include!(concat!(env!("OUT_DIR"), "/models.rs"));

pub mod layout;
pub mod stream;

pub use layout::{Beat, Detail, Meta, Route, Verdict};

use rand::SeedableRng;
use rand::rngs::SmallRng;

/// A generator for a random test: from `IPOS_SEED`, or 1, and told on standard output.
#[must_use]
pub fn seeded() -> SmallRng {
    let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    println!("IPOS_SEED={seed}");
    SmallRng::seed_from_u64(seed)
}

/// A block with a clock. Inputs change while it is low; what the outputs say then is what the edge transfers.
pub trait Clocked {
    /// Clock low, outputs settled.
    fn low(&mut self);
    /// The rising edge.
    fn rise(&mut self);
    /// Holds the reset, where there is one, for two cycles.
    fn restart(&mut self);
}

macro_rules! clocked {
    ($($block:ident $(($reset:ident))?),* $(,)?) => {$(
        impl Clocked for $block::Model {
            fn low(&mut self) {
                self.set_clock(0);
                self.eval();
            }
            fn rise(&mut self) {
                self.set_clock(1);
                self.eval();
            }
            fn restart(&mut self) {
                $(self.$reset(1);)?
                for _ in 0..2 {
                    self.low();
                    self.rise();
                }
                $(self.$reset(0);)?
            }
        }
    )*};
}

clocked! {
    fifo(set_reset), frame_fifo(set_reset), arbiter(set_reset), vlan(set_reset), rx(set_reset), dispatch(set_reset),
    encap(set_reset), outcomes(set_reset), counter(set_reset), registers(set_reset), insert(set_reset),
    entries(set_reset), rate(set_reset), routes(set_reset), pcie_read(set_reset), dma_control(set_reset), dma_events(set_reset), dma_interrupts(set_reset),
    lane_sum, cuckoo,
}
