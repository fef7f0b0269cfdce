//! `scripts/fuzz checksums`: see `reelfarm_fuzz::checksums`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::checksums(bytes));
