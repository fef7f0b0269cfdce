//! Reading a policy and refusing a bad one with the line and the reason.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{
    Accepted, Audio, AudioVideoLength, ColourLimits, Decode, Duration, FrameRate, INTEGRAL_RATES,
    MonoProgramme, Picture, Policy, PolicyError, Proportions, TimeStamps, Truncation,
};

/// The policy with the place of each section, for the errors.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    accepted: Spanned<Accepted>,
    decode: Decode,
    time_stamps: TimeStamps,
    frame_rate: Spanned<FrameRate>,
    proportions: Spanned<Proportions>,
    picture: Spanned<Picture>,
    colour: ColourLimits,
    duration: Spanned<Duration>,
    truncation: Spanned<Truncation>,
    audio: Spanned<Audio>,
    audio_video_length: Spanned<AudioVideoLength>,
}

impl Policy {
    /// Reads a policy from TOML. `file` is only for the error.
    ///
    /// # Errors
    /// The first fault of the file, with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        let refuse = |span: Range<usize>, reason: String| PolicyError {
            file: file.to_owned(),
            line: 1 + text[..span.start.min(text.len())].matches('\n').count(),
            reason,
        };
        let parsed: File = toml::from_str(text)
            .map_err(|error| refuse(error.span().unwrap_or_default(), error.message().to_owned()))?;
        match parsed.fault() {
            Some((span, reason)) => Err(refuse(span, reason)),
            None => Ok(parsed.into_policy()),
        }
    }
}

impl File {
    fn fault(&self) -> Option<(Range<usize>, String)> {
        let name = self.name.get_ref();
        if name.is_empty() || name.len() > 32 {
            return Some((self.name.span(), format!("a policy's name has 1 to 32 characters, not {name:?}")));
        }
        fault_in(&self.accepted, Accepted::fault)
            .or_else(|| fault_in(&self.frame_rate, FrameRate::fault))
            .or_else(|| fault_in(&self.proportions, Proportions::fault))
            .or_else(|| fault_in(&self.picture, Picture::fault))
            .or_else(|| fault_in(&self.duration, Duration::fault))
            .or_else(|| fault_in(&self.truncation, Truncation::fault))
            .or_else(|| fault_in(&self.audio, Audio::fault))
            .or_else(|| mono_programmes_fault(&self.audio.get_ref().mono_programme))
            .or_else(|| fault_in(&self.audio_video_length, AudioVideoLength::fault))
    }

    fn into_policy(self) -> Policy {
        Policy {
            name: self.name.into_inner(),
            accepted: self.accepted.into_inner(),
            decode: self.decode,
            time_stamps: self.time_stamps,
            frame_rate: self.frame_rate.into_inner(),
            proportions: self.proportions.into_inner(),
            picture: self.picture.into_inner(),
            colour: self.colour,
            duration: self.duration.into_inner(),
            truncation: self.truncation.into_inner(),
            audio: self.audio.into_inner(),
            audio_video_length: self.audio_video_length.into_inner(),
        }
    }
}

fn fault_in<T>(section: &Spanned<T>, fault: impl Fn(&T) -> Option<String>) -> Option<(Range<usize>, String)> {
    fault(section.get_ref()).map(|reason| (section.span(), reason))
}

/// TOML knows `nan` and `inf`; neither is a limit.
fn not_a_limit(key: &str, value: f64) -> Option<String> {
    (!value.is_finite() || value < 0.0).then(|| format!("{key} must be a number from 0 up, not {value}"))
}

fn not_a_share(key: &str, value: f64) -> Option<String> {
    (!(0.0..=100.0).contains(&value)).then(|| format!("{key} is 0 to 100, not {value}"))
}

impl Accepted {
    fn fault(&self) -> Option<String> {
        [
            ("containers", &self.containers),
            ("video_codecs", &self.video_codecs),
            ("audio_codecs", &self.audio_codecs),
        ]
        .into_iter()
        .find(|(_, names)| names.is_empty())
        .map(|(key, _)| format!("{key} must name at least one"))
    }
}

impl FrameRate {
    fn fault(&self) -> Option<String> {
        if self.accepted_fps.is_empty() {
            return Some("accepted_fps must name at least one rate".to_owned());
        }
        if let Some(rate) = self.accepted_fps.iter().find(|rate| !INTEGRAL_RATES.contains(rate)) {
            return Some(format!("accepted_fps can hold 24, 25, 30, 48, 50 and 60, not {rate}"));
        }
        let key = "time_stamp_rounding_ms";
        // Beyond 5 ms a frame could be a third of its distance away from its place and still pass.
        not_a_limit(key, self.time_stamp_rounding_ms).or_else(|| {
            (self.time_stamp_rounding_ms > 5.0)
                .then(|| format!("{key} is at most 5, not {}", self.time_stamp_rounding_ms))
        })
    }
}

impl Proportions {
    fn fault(&self) -> Option<String> {
        not_a_limit("min_width_to_height", self.min_width_to_height)
            .or_else(|| not_a_limit("max_width_to_height", self.max_width_to_height))
            .or_else(|| not_a_share("tolerance_percent", self.tolerance_percent))
            .or_else(|| {
                (self.min_width_to_height > self.max_width_to_height).then(|| {
                    format!(
                        "min_width_to_height ({}) is above max_width_to_height ({})",
                        self.min_width_to_height, self.max_width_to_height
                    )
                })
            })
    }
}

impl Picture {
    fn fault(&self) -> Option<String> {
        let Self { min_long_side_px: long, min_short_side_px: short, max_side_px: most, .. } = self;
        if *short < 2 {
            return Some(format!("min_short_side_px is at least 2, as 4:2:0 needs, not {short}"));
        }
        if short > long {
            return Some(format!("min_short_side_px ({short}) is above min_long_side_px ({long})"));
        }
        if long > most {
            return Some(format!("min_long_side_px ({long}) is above max_side_px ({most})"));
        }
        not_a_share("interlaced_share_percent", self.interlaced_share_percent)
    }
}

impl Duration {
    fn fault(&self) -> Option<String> {
        not_a_limit("min_s", self.min_s)
            .or_else(|| not_a_limit("max_s", self.max_s))
            .or_else(|| not_a_limit("max_size_gb", self.max_size_gb))
            .or_else(|| {
                (self.min_s > self.max_s)
                    .then(|| format!("min_s ({}) is above max_s ({})", self.min_s, self.max_s))
            })
    }
}

impl Truncation {
    fn fault(&self) -> Option<String> {
        not_a_limit("max_missing_s", self.max_missing_s)
    }
}

impl Audio {
    fn fault(&self) -> Option<String> {
        (!(-200.0..0.0).contains(&self.silence_dbfs))
            .then(|| format!("silence_dbfs is -200 up to, but not, 0, not {}", self.silence_dbfs))
    }
}

impl AudioVideoLength {
    fn fault(&self) -> Option<String> {
        not_a_limit("warn_above_ms", self.warn_above_ms)
            .or_else(|| not_a_limit("reject_above_ms", self.reject_above_ms))
            .or_else(|| {
                (self.warn_above_ms > self.reject_above_ms).then(|| {
                    format!(
                        "warn_above_ms ({}) is above reject_above_ms ({})",
                        self.warn_above_ms, self.reject_above_ms
                    )
                })
            })
    }
}

fn mono_programmes_fault(programmes: &[Spanned<MonoProgramme>]) -> Option<(Range<usize>, String)> {
    let mut counts = BTreeSet::new();
    programmes.iter().find_map(|spanned| {
        let programme = spanned.get_ref();
        let reason = programme.fault().or_else(|| {
            (!counts.insert(programme.tracks))
                .then(|| format!("two [[audio.mono_programme]] are for {} tracks", programme.tracks))
        })?;
        Some((spanned.span(), reason))
    })
}

impl MonoProgramme {
    fn fault(&self) -> Option<String> {
        if !matches!(self.surround.len(), 0 | 6) {
            return Some(format!("surround names 6 tracks or none, not {}", self.surround.len()));
        }
        if self.stereo.len() > 2 {
            return Some(format!("stereo names 1 or 2 tracks, not {}", self.stereo.len()));
        }
        if self.surround.is_empty() && self.stereo.is_empty() {
            return Some("a mono programme needs surround or stereo".to_owned());
        }
        let mut used = BTreeSet::new();
        self.surround.iter().chain(&self.stereo).find_map(|track| {
            if !(1..=self.tracks).contains(track) {
                return Some(format!("there is no track {track} of {}", self.tracks));
            }
            (!used.insert(track)).then(|| format!("track {track} is named twice"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::BUILT_IN;

    fn line_of(needle: &str) -> usize {
        1 + BUILT_IN.split(needle).next().unwrap().matches('\n').count()
    }

    #[test]
    fn the_shipped_policy_is_read() {
        let policy = Policy::parse("qc.toml", BUILT_IN).unwrap();
        assert_eq!(policy.name, "default");
        assert_eq!(policy.frame_rate.accepted_fps, INTEGRAL_RATES);
        assert!([1, 2, 6, 8].iter().all(|tracks| policy.audio.mono_programme(*tracks).is_some()));
    }

    #[test]
    fn a_bad_policy_is_refused_with_its_line() {
        for (from, to, at, reason) in [
            ("name = \"default\"", "name = \"\"", "name = ", "1 to 32 characters"),
            ("max_errors = 0", "max_erors = 0", "max_errors", "unknown field `max_erors`"),
            ("max_errors = 0", "max_errors = -1", "max_errors", "invalid value"),
            ("max_errors = 0", "max_errors = ", "max_errors", ""),
            (
                "verdict = \"reject\"",
                "verdict = \"maybe\"",
                "verdict = \"reject\"",
                "unknown variant `maybe`",
            ),
            ("[24, 25,", "[23, 25,", "[frame_rate]", "not 23"),
            ("[24, 25, 30, 48, 50, 60]", "[]", "[frame_rate]", "at least one rate"),
            ("rounding_ms = 1.0", "rounding_ms = 20.0", "[frame_rate]", "at most 5"),
            ("rounding_ms = 1.0", "rounding_ms = nan", "[frame_rate]", "from 0 up"),
            ("min_width_to_height = 0.5625", "min_width_to_height = 3.0", "[proportions]", "above max"),
            ("tolerance_percent = 1.5", "tolerance_percent = 101.0", "[proportions]", "0 to 100"),
            ("min_short_side_px = 180", "min_short_side_px = 400", "[picture]", "above min_long_side_px"),
            ("min_short_side_px = 180", "min_short_side_px = 0", "[picture]", "at least 2"),
            ("max_side_px = 8192", "max_side_px = 100", "[picture]", "above max_side_px"),
            ("min_s = 1.0", "min_s = 1e9", "[duration]", "above max_s"),
            ("max_missing_s = 0.5", "max_missing_s = -1.0", "[truncation]", "from 0 up"),
            ("silence_dbfs = -80.0", "silence_dbfs = 80.0", "[audio]", "silence_dbfs is"),
            (
                "warn_above_ms = 100.0",
                "warn_above_ms = 5000.0",
                "[audio_video_length]",
                "above reject_above_ms",
            ),
            ("containers = [", "containers = []\nx = [", "x = [", "unknown field"),
        ] {
            let text = BUILT_IN.replacen(from, to, 1);
            assert_ne!(text, BUILT_IN, "{from}");
            let error = Policy::parse("qc.toml", &text).unwrap_err();
            assert!(error.reason.contains(reason), "{to}: {error}");
            if at != "x = [" {
                assert_eq!(error.line, line_of(at), "{to}: {error}");
            }
        }
    }

    #[test]
    fn a_bad_mono_programme_is_refused_with_its_line() {
        let eight = "tracks = 8\nsurround = [1, 2, 3, 4, 5, 6]\nstereo = [7, 8]";
        for (to, reason) in [
            ("tracks = 8\nsurround = [1, 2, 3]", "6 tracks or none, not 3"),
            ("tracks = 8\nstereo = [1, 2, 3]", "1 or 2 tracks"),
            ("tracks = 8\nstereo = [8, 9]", "no track 9 of 8"),
            ("tracks = 8\nstereo = [0]", "no track 0 of 8"),
            ("tracks = 8\nstereo = [7, 7]", "track 7 is named twice"),
            ("tracks = 8", "needs surround or stereo"),
            ("tracks = 6\nstereo = [1, 2]", "two [[audio.mono_programme]] are for 6"),
        ] {
            let text = BUILT_IN.replacen(eight, to, 1);
            let error = Policy::parse("qc.toml", &text).unwrap_err();
            assert!(error.reason.contains(reason), "{to}: {error}");
            let begins = line_of(eight) - 1;
            assert_eq!(error.line, begins, "{to}: {error}");
        }
    }

    #[test]
    fn an_empty_list_of_formats_is_refused() {
        let begin = BUILT_IN.find("audio_codecs = [").unwrap();
        let end = begin + BUILT_IN[begin..].find('\n').unwrap();
        let text = format!("{}audio_codecs = []{}", &BUILT_IN[..begin], &BUILT_IN[end..]);
        let error = Policy::parse("qc.toml", &text).unwrap_err();
        assert_eq!(
            (error.line, error.reason.as_str()),
            (line_of("[accepted]"), "audio_codecs must name at least one")
        );
    }
}
