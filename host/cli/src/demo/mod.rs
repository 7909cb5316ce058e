//! demo
mod net;
mod privilege;
mod switch;
