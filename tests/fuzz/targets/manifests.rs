//! `scripts/fuzz manifests`: see `reelfarm_fuzz::manifests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::manifests(bytes));
