//! The HTTP interface as clients see it: the real server on a port of its own, over a real store, and the real command line.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod command_line;
mod decisions;
mod delivery;
mod document;
mod farm;
mod idempotency;
mod leader;
mod limits;
mod making;
mod order;
mod recoding;
mod refusals;
mod reports;
mod reviews;
mod titles;
mod tokens;
mod uploads;
mod watch;
mod workers;
