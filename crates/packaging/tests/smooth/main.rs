//! Smooth Streaming made from what the real packager makes, read back, and played by real players.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cmaf;
mod damage;
mod players;
mod readback;
#[path = "../it/server.rs"]
mod server;
mod synchronisation;
mod verification;
