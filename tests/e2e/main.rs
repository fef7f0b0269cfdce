//! One title end to end: real clips through the real binary, outputs read back by real players.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/key_server/mod.rs"]
mod key_server;

mod audio;
mod bad_input;
mod browser;
mod changes;
mod chunks;
mod clips;
mod delivery;
mod first;
mod hevc;
mod keys;
mod kills;
mod metrics;
mod outputs;
mod per_title;
mod protected;
mod report;
mod reuse;
mod review;
mod speke;
mod subtitles;
