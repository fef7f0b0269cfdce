//! `scripts/fuzz measurements`: see `reelfarm_fuzz::measurements`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::measurements(bytes));
