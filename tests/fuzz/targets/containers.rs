//! `scripts/fuzz containers`: see `reelfarm_fuzz::containers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::containers(bytes));
