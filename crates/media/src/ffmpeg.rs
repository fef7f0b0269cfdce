//! The seam to FFmpeg: owned handles with safe methods over what ffmpeg-next offers, and the calls it does not
//! have. Unsafe code is here and nowhere else.

pub(crate) mod codec;
pub(crate) mod decoder;
pub(crate) mod filter;
pub(crate) mod frame;
pub(crate) mod log;
pub(crate) mod mp4;
pub(crate) mod options;
pub(crate) mod processor;
pub(crate) mod source;
pub(crate) mod track;
pub(crate) mod transfer;
pub(crate) mod versions;

pub(crate) use ffmpeg_next::Error;
