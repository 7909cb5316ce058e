//! The Verilog of the whole card, compiled. A crate of its own, so that nothing but a change of the fabric
//! compiles it again; `ipos_sim::pcie::rtl` is what drives it.

include!(concat!(env!("OUT_DIR"), "/ipos_nic.rs"));

/// First 32 bits of the BLAKE3 hash of the card's Verilog, which the card tells in its BUILD register.
pub const BUILD: u32 = match u32::from_str_radix(env!("IPOS_BUILD"), 10) {
    Ok(hash) => hash,
    Err(_) => panic!("the build script writes a number"),
};
