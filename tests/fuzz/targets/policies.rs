//! `scripts/fuzz policies`: see `reelfarm_fuzz::policies`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::policies(bytes));
