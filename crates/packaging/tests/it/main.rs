//! Packages with the real packager, reads back, plays with real players, and damages outputs to see that it is noticed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod damage;
mod nine_profiles;
mod packager;
mod playback;
mod server;
mod title;
