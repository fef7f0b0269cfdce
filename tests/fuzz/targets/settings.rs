//! `scripts/fuzz settings`: see `reelfarm_fuzz::settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::settings(bytes));
