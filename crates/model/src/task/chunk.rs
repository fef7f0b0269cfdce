//! Chunks: stretches of a film that are encoded by themselves, and how they become renditions again.

use serde::{Deserialize, Serialize};

use super::RungSpec;
use crate::key::ArtifactKey;
use crate::qc::VideoConclusion;

/// A stretch of a film whose rungs are encoded by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The number of its first frame, which starts a group of pictures; that of the film's first frame is 0.
    pub first_frame: u64,
    /// Frames in it.
    pub frame_count: u64,
    /// Where decoding begins.
    pub decoding: DecodingStart,
}

impl Chunk {
    /// From when to when it is shown, as people read it.
    pub(super) fn label(&self, video: &VideoConclusion) -> String {
        let second = |frame: u64| frame / u64::from(video.frame_rate.max(1));
        format!("{} to {} s", second(self.first_frame), second(self.first_frame + self.frame_count))
    }
}

/// A frame from which a film can be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodingStart {
    /// The number of a key frame. It saves time and shapes no byte.
    pub key_frame: u64,
    /// When the film's first frame is shown, in microseconds on the container's timeline: numbers of frames follow from their
    /// times.
    pub film_start_us: i64,
}

/// See [`TaskSpec::AssembleVideo`](super::TaskSpec::AssembleVideo).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssembleVideoSpec {
    /// The rung: its group of pictures and its buffer are what the rendition is held against.
    pub rung: RungSpec,
    /// Frames per second.
    pub frame_rate: u32,
    /// The chunks, in the order in which they are shown.
    pub chunks: Vec<VideoChunk>,
}

impl AssembleVideoSpec {
    /// Frames of the rendition.
    pub fn frame_count(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.frame_count).sum()
    }
}

/// One rung's part of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoChunk {
    /// Its MP4 file.
    pub artifact: ArtifactKey,
    /// Frames in it.
    pub frame_count: u64,
}
