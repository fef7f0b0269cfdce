//! What QC says of clips that were made to have one fault at a known place, and of clean ones that come close to it: every fault
//! is found within a frame or 100 ms, and nothing else is claimed. docs/qc.md names the clips of each check.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../support/mod.rs"]
mod support;

mod judge;
mod picture;
mod rates;
mod sound;
