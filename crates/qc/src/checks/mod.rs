//! The checks, one file a subject. Each function judges one thing and adds one check, or one a rung, to the report.

pub(crate) mod audio_video;
pub(crate) mod checksum;
pub(crate) mod colour;
pub(crate) mod colour_description;
pub(crate) mod content;
pub(crate) mod decoding;
pub(crate) mod edit_list;
pub(crate) mod file_size;
pub(crate) mod format;
pub(crate) mod frame_rate;
pub(crate) mod header;
pub(crate) mod key_frames;
pub(crate) mod language;
pub(crate) mod listening;
pub(crate) mod picture;
pub(crate) mod programme;
pub(crate) mod rules;
pub(crate) mod rungs;
pub(crate) mod sound;
pub(crate) mod sound_timing;
pub(crate) mod subtitles;
mod timeline;
pub(crate) mod whole;

use reelfarm_model::Code;
use reelfarm_model::qc::{Check, Place, Verdict};

pub(crate) use content::bits_per_pixel;
pub(crate) use picture::{displayed_proportions, interlaced_percent};
pub(crate) use timeline::{Timeline, longest};

/// A check before its verdict: what it is, what was found and where, and what was asked.
pub(crate) struct Finding {
    code: Code,
    name: String,
    value: String,
    limit: String,
    places: Vec<Place>,
}

impl Finding {
    pub(crate) fn new(
        code: Code,
        name: impl Into<String>,
        value: impl Into<String>,
        limit: impl Into<String>,
    ) -> Self {
        Self { code, name: name.into(), value: value.into(), limit: limit.into(), places: Vec::new() }
    }

    /// Where it was found; of no interest where the check passes.
    pub(crate) fn at(self, places: Vec<Place>) -> Self {
        Self { places, ..self }
    }

    pub(crate) fn pass(self) -> Check {
        self.judged(Verdict::Pass, String::new())
    }

    pub(crate) fn warn(self, remedy: impl Into<String>) -> Check {
        self.judged(Verdict::Warn, remedy.into())
    }

    pub(crate) fn reject(self, remedy: impl Into<String>) -> Check {
        self.judged(Verdict::Reject, remedy.into())
    }

    pub(crate) fn fail(self, verdict: impl Into<Verdict>, remedy: impl Into<String>) -> Check {
        self.judged(verdict.into(), remedy.into())
    }

    fn judged(self, verdict: Verdict, remedy: String) -> Check {
        let Self { code, name, value, limit, places } = self;
        let places = if verdict == Verdict::Pass { Vec::new() } else { places };
        Check { code, name, verdict, value, limit, remedy, places }
    }
}

/// Whether a value is above its limit by more than what sums of binary fractions are off by. What is no number is.
pub(crate) fn exceeds(value: f64, limit: f64) -> bool {
    value.is_nan() || value > limit + 1e-6
}
