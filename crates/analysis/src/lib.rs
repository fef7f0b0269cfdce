//! What pictures show and what sound holds, for QC.
//!
//! Samples in, measurements out: nothing here does I/O, knows FFmpeg or judges. The media process decodes a source and hands
//! over its pictures and sound as they come; the policy of `reelfarm-qc` judges what comes out.
//!
//! Promises: one pass, in the order of display; memory is bounded whatever the source's length; the same samples give the
//! same measurements; no samples at all give measurements as well.

pub mod picture;
pub mod sound;
mod spans;
