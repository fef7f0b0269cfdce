//! `scripts/fuzz external-reports`: see `reelfarm_fuzz::external_reports`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::external_reports(bytes));
