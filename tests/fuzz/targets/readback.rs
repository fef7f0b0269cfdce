//! `scripts/fuzz readback`: see `reelfarm_fuzz::readback`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::readback(bytes));
