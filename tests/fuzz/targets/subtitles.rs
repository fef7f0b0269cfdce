//! `scripts/fuzz subtitles`: see `reelfarm_fuzz::subtitles`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reelfarm_fuzz::subtitles(bytes));
