//! TCP control blocks, as they are and with version and CRC put right.
#![no_main]

#[path = "../../hdl/abi/tests/common/exercise.rs"]
mod exercise;

use crc::{CRC_32_ISCSI, Crc};
use ipos_abi::wire::tcb;
use libfuzzer_sys::fuzz_target;

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

fuzz_target!(|bytes: &[u8]| {
    exercise::block(bytes);
    let Some(block) = bytes.first_chunk::<{ tcb::LEN }>() else { return };
    let mut block = *block;
    block[0] = tcb::VERSION;
    let sum = CRC.checksum(&block[..136]);
    block[136..].copy_from_slice(&sum.to_be_bytes());
    exercise::block(&block);
});
