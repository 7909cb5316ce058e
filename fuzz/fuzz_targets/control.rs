//! Whole back-side frames, as they are and with their checksum put right.
#![no_main]

#[path = "../../hdl/abi/tests/common/exercise.rs"]
mod exercise;

use ipos_abi::wire::ethernet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for ethertype in [ethernet::IPOS, ethernet::IPOS_EXPERIMENTAL] {
        exercise::control(bytes, ethertype);
        exercise::control_with_checksum(bytes, ethertype);
    }
});
