//! Lists of socket options.
#![no_main]

#[path = "../../hdl/abi/tests/common/exercise.rs"]
mod exercise;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    exercise::options(bytes);
});
