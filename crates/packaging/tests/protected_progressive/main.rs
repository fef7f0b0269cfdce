//! Protects progressive files, generated and real, and asks FFmpeg, GStreamer and Shaka Packager what they make of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clip;
mod packager;
mod players;
mod refused;
mod structure;
