//! Cue points: where a film can be left and entered again.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place in a film. Decoding can begin there, whatever the grid of segments; that does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CuePoint {
    /// From the film's first frame, in milliseconds; the frame nearest to that is meant.
    pub at_ms: u64,
    /// What is there.
    pub purpose: CuePurpose,
}

/// What a cue point is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum CuePurpose {
    /// Advertisements can be put in.
    Break,
    /// Credits, or an opening, begin or end, which players may offer to skip.
    Credits,
    /// A chapter begins.
    Chapter,
    /// A scene begins.
    Scene,
}

impl CuePurpose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Break, Self::Credits, Self::Chapter, Self::Scene];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Break => "break",
            Self::Credits => "credits",
            Self::Chapter => "chapter",
            Self::Scene => "scene",
        }
    }
}

impl CuePoint {
    /// The number of its frame, from 0.
    pub fn frame(&self, frame_rate: u32) -> u64 {
        let nearest = (u128::from(self.at_ms) * u128::from(frame_rate) + 500) / 1000;
        u64::try_from(nearest).unwrap_or(u64::MAX)
    }
}

/// The most cue points that a title has.
pub const MOST_CUE_POINTS: usize = 10_000;

/// Cue points in order, each once.
///
/// # Errors
/// There are more than [`MOST_CUE_POINTS`].
pub fn in_order(points: impl IntoIterator<Item = CuePoint>) -> Result<Vec<CuePoint>, TooManyCuePoints> {
    let all: BTreeSet<CuePoint> = points.into_iter().collect();
    if all.len() > MOST_CUE_POINTS { Err(TooManyCuePoints(all.len())) } else { Ok(all.into_iter().collect()) }
}

/// There are more cue points than a title has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a title has at most {MOST_CUE_POINTS} cue points, not {0}")]
pub struct TooManyCuePoints(usize);

/// A text is no cue point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a cue point is break, credits, chapter or scene, @ and a time such as 1:23:45.600, 83:45.6 or 5025.6, not {0:?}"
)]
pub struct InvalidCuePoint(String);

impl FromStr for CuePoint {
    type Err = InvalidCuePoint;

    fn from_str(text: &str) -> Result<Self, InvalidCuePoint> {
        let read = || {
            let (purpose, time) = text.split_once('@')?;
            let purpose = CuePurpose::ALL.into_iter().find(|known| known.as_str() == purpose)?;
            Some(Self { at_ms: milliseconds(time)?, purpose })
        };
        read().ok_or_else(|| InvalidCuePoint(text.to_owned()))
    }
}

/// The milliseconds of `[[HOURS:]MINUTES:]SECONDS[.FRACTION]`.
fn milliseconds(text: &str) -> Option<u64> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !is_number(fraction) {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let fields: Vec<&str> = whole.split(':').collect();
    let mut seconds: u64 = 0;
    for (place, field) in fields.iter().enumerate() {
        let value: u64 = field.parse().ok().filter(|_| is_number(field))?;
        if fields.len() > 3 || (place > 0 && value >= 60) {
            return None;
        }
        seconds = seconds.checked_mul(60)?.checked_add(value)?;
    }
    seconds.checked_mul(1000)?.checked_add(fraction)
}

impl fmt::Display for CuePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, fraction) = (self.at_ms / 1000, self.at_ms % 1000);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        write!(f, "{}@{hours}:{minutes:02}:{:02}.{fraction:03}", self.purpose.as_str(), seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, at_ms) in [
            ("break@1:23:45.600", 5_025_600),
            ("break@83:45.6", 5_025_600),
            ("break@5025.6", 5_025_600),
            ("break@0", 0),
            ("break@0:00:00.0419", 41),
        ] {
            assert_eq!(text.parse(), Ok(CuePoint { at_ms, purpose: CuePurpose::Break }), "{text}");
        }
        for text in
            ["break", "break@", "pause@1", "break@1:60", "break@-1", "break@1.x", "break@1:2:3:4", "break@+1"]
        {
            assert!(text.parse::<CuePoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_nearest_frame_is_meant() {
        for (at_ms, frame_rate, frame) in
            [(0, 25, 0), (19, 25, 0), (20, 25, 1), (3_200, 25, 80), (1_000, 24, 24)]
        {
            assert_eq!(CuePoint { at_ms, purpose: CuePurpose::Chapter }.frame(frame_rate), frame, "{at_ms}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(at_ms in 0u64..1_000_000_000, purpose in prop::sample::select(CuePurpose::ALL.to_vec())) {
            let cue = CuePoint { at_ms, purpose };
            prop_assert_eq!(cue.to_string().parse::<CuePoint>(), Ok(cue));
        }
    }
}
