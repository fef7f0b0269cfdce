//! `scripts/fuzz languages`: see `reelfarm_fuzz::languages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::languages(bytes));
