//! Where frames go once they are judged: forward, host, control queue, or nowhere.
mod dispatch;
mod encap;
mod forward;
mod normal;
mod rate;
mod routes;

pub use dispatch::Dispatch;
pub use encap::Encap;
pub use forward::Forward;
pub use normal::Normal;
pub use rate::Rate;
pub use routes::Routes;

use rust_hdl_core::prelude::*;

/// What the encapsulator needs to know of a frame.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Route {
    pub mac: Bits<48>,
    pub src_ip: Bits<32>,
    pub src_port: Bits<16>,
    pub dst_ip: Bits<32>,
    pub dst_port: Bits<16>,
    pub udp: Bit,
    /// Beats of 64 bits that it takes in the forward buffer.
    pub beats: Bits<8>,
}
