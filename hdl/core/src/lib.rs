//! The fabric: the blocks of the ipOS card as rust-hdl kernels.
//!
//! One block, one file; `docs/datapath.md` walks a frame through them step by step. The
//! SystemVerilog in `hdl/verilog` is generated from these by `cargo xtask gen`.
//!
//! Inside the card a stream beat is a [`stream::Beat`]: 64 bits, first byte of the wire in
//! bits 7:0, full except on the last beat. `valid` never waits for `ready`.

// Kernels are read by a translator that knows neither `!=` on flags nor compound assignment,
// and needs each parenthesis and each `match` arm it is given.
#![allow(missing_docs, clippy::all)]

/// Declares a block: a struct whose fields may carry the value of a [`Constant`]
/// (`name: Constant<Bits<16>> = 0x0800u64`), with the `Default` that rust-hdl wants.
///
/// [`Constant`]: rust_hdl_core::prelude::Constant
macro_rules! block {
    ($(#[$m:meta])* pub struct $name:ident $([$($g:tt)*][$($gn:ident),*])? {
        $($(#[$fm:meta])* $v:vis $f:ident : $t:ty $(= $init:expr)?,)*
    }) => {
        $(#[$m])*
        #[derive(LogicBlock)]
        pub struct $name $(<$($g)*>)? { $($(#[$fm])* $v $f: $t,)* }
        impl $(<$($g)*>)? Default for $name $(<$($gn),*>)? {
            fn default() -> Self { Self { $($f: block!(@init $($init)?),)* } }
        }
    };
    (@init) => { Default::default() };
    (@init $e:expr) => { Constant::new(($e).to_bits()) };
}

pub mod card;
pub mod checksum;
pub mod dma;
pub mod measured;
pub mod parse;
pub mod pcie;
pub mod route;
pub mod stream;
pub mod table;
pub mod tops;
pub mod wide;
