//! The crate against real FFmpeg: clips are made by the `ffmpeg` command, results read back with `ffprobe`.
// Helpers of tests, not only the tests themselves, may unwrap.
#![allow(clippy::unwrap_used, clippy::panic)]

mod audio;
mod child;
mod chunks;
mod endless;
mod hosts;
mod measure;
mod pictures;
mod progressive;
mod sound;
mod support;
mod thumbnails;
mod tracks;
mod trial;
mod video;
