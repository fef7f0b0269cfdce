//! `scripts/fuzz key-servers`: see `reelfarm_fuzz::key_servers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::key_servers(bytes));
