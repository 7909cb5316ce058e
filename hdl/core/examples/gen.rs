use rust_hdl_core::prelude::*;
fn main() {
    let mut c = ipos_hdl::card::Card::default();
    c.connect_all();
    println!("{}", ipos_emit::generate(&c, "ipos_card").map_err(|e| e.to_string()).unwrap());
}
