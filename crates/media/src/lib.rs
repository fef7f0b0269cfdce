//! All work with FFmpeg's libraries: one pass of measurements over a source, video and audio renditions, and the
//! progressive file, thumbnails. Also the child's side of the protocol by which a worker runs that work in a process of its
//! own, which it can kill and whose crash it survives (see [`child`]).
//!
//! Promises: the same request gives the same bytes, whatever else is made beside it; a source can open no file but
//! itself and choose no demuxer but those of [`ALLOWED_FORMATS`]; frames in flight are bounded, however long the
//! source; what FFmpeg says goes to the standard error stream and into the error.
//!
//! All functions block, and report progress at most [`PROGRESS_PER_SECOND`] times a second and once at the end. Work
//! that does not move reports nothing, so silence means that it hangs.

pub mod child;

mod audio;
mod error;
mod ffmpeg;
mod measure;
mod progress;
mod progressive;
mod thumbnails;
mod video;

pub use audio::encode_audio;
pub use error::MediaError;
pub use ffmpeg::source::ALLOWED_FORMATS;
pub use ffmpeg::versions::versions;
pub use measure::measure;
pub use progress::PROGRESS_PER_SECOND;
pub use progressive::mux_progressive;
pub use thumbnails::{MOST_THUMBNAILS, Thumbnail, thumbnails};
pub use video::{assemble_video, encode_video, trial};
