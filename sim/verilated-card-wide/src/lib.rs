//! The card's Verilog at 512 bits, compiled; `ipos_sim::rtl` is what drives it.

include!(concat!(env!("OUT_DIR"), "/ipos_card_wide.rs"));
