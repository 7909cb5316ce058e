//! The card's Verilog, compiled. A crate of its own, so that nothing but a change of the fabric
//! compiles it again; `ipos_sim::rtl` is what drives it.

include!(concat!(env!("OUT_DIR"), "/ipos_card.rs"));
