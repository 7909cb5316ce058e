//! Messages between applications and their node, in both directions, as they are and with their version put right.
#![no_main]

#[path = "../../host/control/tests/exercise/mod.rs"]
mod exercise;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    exercise::packet(bytes);
});
