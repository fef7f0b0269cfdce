//! What is written down about a profile that reads back as it was meant to be.

use std::collections::BTreeMap;

use reelfarm_model::profile::MediaSetId;
use reelfarm_model::task::VerifySpec;
use serde::{Deserialize, Serialize};

use super::Check;
use super::source::Rendition;
use super::track::Compared;

/// How the checks are made, for whoever reads the report.
const METHOD: &str = "manifests parsed strictly; every URL followed; every access unit read from the packaged bytes and \
                      compared with the encoded rendition by the hash of its payload and by its presentation time";

/// A profile was read back, and this is what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationReport {
    /// The profile.
    pub profile: String,
    /// Its media set.
    pub media_set: MediaSetId,
    /// How it was read back.
    pub method: String,
    /// The renditions that it presents.
    pub renditions: Vec<RenditionReport>,
    /// How many checks of each kind were made; all held.
    pub checks: BTreeMap<Check, u64>,
}

/// A rendition as it was read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenditionReport {
    /// Its track in the media set, such as `video-720p`.
    pub track: String,
    /// Segments read; 0 where the file has none.
    pub segments: u64,
    /// Frames of picture or sound read, each equal to the encoded rendition's.
    pub frames: u64,
    /// From its first presentation time, or zero where that is earlier, to its end, in microseconds.
    pub duration_us: u64,
}

impl RenditionReport {
    /// Of every track that was compared.
    pub(super) fn of(compared: &[(&str, Rendition<'_>, Compared)]) -> Vec<Self> {
        let report = |(name, _, track): &(&str, Rendition<'_>, Compared)| Self {
            track: (*name).to_owned(),
            segments: track.segments,
            frames: track.units,
            duration_us: (track.end_ns / 1_000).max(0).cast_unsigned(),
        };
        compared.iter().map(report).collect()
    }
}

impl VerificationReport {
    pub(super) fn new(
        spec: &VerifySpec,
        renditions: Vec<RenditionReport>,
        checks: BTreeMap<Check, u64>,
    ) -> Self {
        Self {
            profile: spec.profile.id.clone(),
            media_set: spec.profile.media_set.clone(),
            method: METHOD.to_owned(),
            renditions,
            checks,
        }
    }
}
