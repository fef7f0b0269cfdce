//! Reading a policy and refusing a bad one with the line and the reason.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use super::merge::lay_over;
use super::rule::{self, RawRule};
use super::texts::{PolicyText, PolicyTexts};
use super::{
    Accepted, Audio, AudioVideoLength, Bars, Black, Channels, Checksum, Clipping, ColourDescription,
    ColourLimits, Compression, DcOffset, Decode, Detail, Duration, Fields, FileSize, Flashes, FrameRate,
    Freeze, Header, INTEGRAL_RATES, KeyFrames, Loudness, LumaRange, MonoProgramme, Phase, Picture, Policy,
    PolicyError, Proportions, RepeatedFrames, Rule, SampleRate, Silence, SoundTiming, Subtitles, TimeStamps,
    Truncation,
};

/// The policy with the place of each section, for the errors.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    checksum: Checksum,
    accepted: Spanned<Accepted>,
    decode: Decode,
    time_stamps: TimeStamps,
    frame_rate: Spanned<FrameRate>,
    proportions: Spanned<Proportions>,
    picture: Spanned<Picture>,
    header: Header,
    colour: ColourLimits,
    duration: Spanned<Duration>,
    truncation: Spanned<Truncation>,
    audio: Spanned<Audio>,
    audio_video_length: Spanned<AudioVideoLength>,
    sound_timing: Spanned<SoundTiming>,
    file_size: Spanned<FileSize>,
    key_frames: Spanned<KeyFrames>,
    colour_description: Spanned<ColourDescription>,
    bars: Spanned<Bars>,
    fields: Spanned<Fields>,
    repeated_frames: Spanned<RepeatedFrames>,
    black: Spanned<Black>,
    freeze: Spanned<Freeze>,
    flashes: Flashes,
    luma_range: Spanned<LumaRange>,
    detail: Spanned<Detail>,
    compression: Spanned<Compression>,
    sample_rate: Spanned<SampleRate>,
    channels: Channels,
    loudness: Spanned<Loudness>,
    silence: Spanned<Silence>,
    clipping: Spanned<Clipping>,
    phase: Spanned<Phase>,
    dc_offset: Spanned<DcOffset>,
    subtitles: Spanned<Subtitles>,
    #[serde(default, rename = "rule")]
    rules: Vec<Spanned<RawRule>>,
}

impl Policy {
    /// Reads a policy from TOML. Its base can only be one that comes with the farm. `file` is only for the error.
    ///
    /// # Errors
    /// The first fault of the file, with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        Self::of(&PolicyTexts::of(file, text)?)
    }

    /// Reads a policy and those that it is based on.
    ///
    /// # Errors
    /// The first fault of the lowest of them that has one, with file and line.
    pub fn of(texts: &PolicyTexts) -> Result<Self, PolicyError> {
        read(texts.own(), texts.bases()).map(|(_, policy)| policy)
    }
}

/// A policy over its bases, as a table and as what that means. Each base is a whole policy and is checked before another is
/// laid over it: so what is wrong then is wrong with that one, and is where it carries the places of its own text.
fn read<'t>(
    text: &'t PolicyText,
    bases: &'t [PolicyText],
) -> Result<(Spanned<DeTable<'t>>, Policy), PolicyError> {
    let mut table = text.table()?;
    if let [base, below @ ..] = bases {
        let named = table.get_mut().remove("base");
        if !table.get_ref().contains_key("name") {
            let span = named.map(|base| base.span()).unwrap_or_default();
            let reason =
                "a policy with a base has a name of its own, which reports carry: add name = \"...\"";
            return Err(text.refuse(span, reason));
        }
        let span = table.span();
        let (mut whole, _) = read(base, below)?;
        lay_over(whole.get_mut(), table.into_inner());
        table = Spanned::new(span, whole.into_inner());
    }
    let parsed =
        File::deserialize(Deserializer::from(table.clone())).map_err(|error| text.refuse_toml(&error))?;
    let refuse = |(span, reason): (Range<usize>, String)| text.refuse(span, &reason);
    if let Some(fault) = parsed.fault() {
        return Err(refuse(fault));
    }
    let rules = rule::rules(&parsed.rules).map_err(refuse)?;
    Ok((table, parsed.into_policy(rules)))
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
            .or_else(|| fault_in(&self.file_size, FileSize::fault))
            .or_else(|| self.fault_in_pictures())
            .or_else(|| self.fault_in_sound())
    }

    fn fault_in_pictures(&self) -> Option<(Range<usize>, String)> {
        fault_in(&self.key_frames, KeyFrames::fault)
            .or_else(|| fault_in(&self.colour_description, ColourDescription::fault))
            .or_else(|| fault_in(&self.bars, Bars::fault))
            .or_else(|| fault_in(&self.fields, Fields::fault))
            .or_else(|| fault_in(&self.repeated_frames, RepeatedFrames::fault))
            .or_else(|| fault_in(&self.black, Black::fault))
            .or_else(|| fault_in(&self.freeze, Freeze::fault))
            .or_else(|| fault_in(&self.luma_range, LumaRange::fault))
            .or_else(|| fault_in(&self.detail, Detail::fault))
            .or_else(|| fault_in(&self.compression, Compression::fault))
    }

    fn fault_in_sound(&self) -> Option<(Range<usize>, String)> {
        fault_in(&self.sound_timing, SoundTiming::fault)
            .or_else(|| fault_in(&self.sample_rate, SampleRate::fault))
            .or_else(|| fault_in(&self.loudness, Loudness::fault))
            .or_else(|| fault_in(&self.silence, Silence::fault))
            .or_else(|| fault_in(&self.clipping, Clipping::fault))
            .or_else(|| fault_in(&self.phase, Phase::fault))
            .or_else(|| fault_in(&self.dc_offset, DcOffset::fault))
            .or_else(|| fault_in(&self.subtitles, Subtitles::fault))
    }

    fn into_policy(self, rules: Vec<Rule>) -> Policy {
        Policy {
            name: self.name.into_inner(),
            checksum: self.checksum,
            accepted: self.accepted.into_inner(),
            decode: self.decode,
            time_stamps: self.time_stamps,
            frame_rate: self.frame_rate.into_inner(),
            proportions: self.proportions.into_inner(),
            picture: self.picture.into_inner(),
            header: self.header,
            colour: self.colour,
            duration: self.duration.into_inner(),
            truncation: self.truncation.into_inner(),
            audio: self.audio.into_inner(),
            audio_video_length: self.audio_video_length.into_inner(),
            sound_timing: self.sound_timing.into_inner(),
            file_size: self.file_size.into_inner(),
            key_frames: self.key_frames.into_inner(),
            colour_description: self.colour_description.into_inner(),
            bars: self.bars.into_inner(),
            fields: self.fields.into_inner(),
            repeated_frames: self.repeated_frames.into_inner(),
            black: self.black.into_inner(),
            freeze: self.freeze.into_inner(),
            flashes: self.flashes,
            luma_range: self.luma_range.into_inner(),
            detail: self.detail.into_inner(),
            compression: self.compression.into_inner(),
            sample_rate: self.sample_rate.into_inner(),
            channels: self.channels,
            loudness: self.loudness.into_inner(),
            silence: self.silence.into_inner(),
            clipping: self.clipping.into_inner(),
            phase: self.phase.into_inner(),
            dc_offset: self.dc_offset.into_inner(),
            subtitles: self.subtitles.into_inner(),
            rules,
        }
    }
}

fn fault_in<T>(section: &Spanned<T>, fault: impl Fn(&T) -> Option<String>) -> Option<(Range<usize>, String)> {
    fault(section.get_ref()).map(|reason| (section.span(), reason))
}

/// TOML knows `nan` and `inf`; neither is a limit.
pub(super) fn not_a_limit(key: &str, value: f64) -> Option<String> {
    (!value.is_finite() || value < 0.0).then(|| format!("{key} must be a number from 0 up, not {value}"))
}

pub(super) fn not_a_share(key: &str, value: f64) -> Option<String> {
    (!(0.0..=100.0).contains(&value)).then(|| format!("{key} is 0 to 100, not {value}"))
}

/// A level below full scale, in some kind of decibels.
pub(super) fn not_a_level(key: &str, value: f64) -> Option<String> {
    (!(-200.0..0.0).contains(&value)).then(|| format!("{key} is -200 up to, but not, 0, not {value}"))
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
            .or_else(|| not_a_share("aspect_tolerance_percent", self.aspect_tolerance_percent))
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
    /// How colour can be sampled, by usual names: luma alone is `4:0:0`.
    pub const CHROMA: [&str; 7] = ["4:0:0", "4:1:1", "4:2:0", "4:2:2", "4:4:0", "4:4:4", "RGB"];

    fn fault(&self) -> Option<String> {
        if let Some(unknown) = self.chroma.iter().find(|name| !Self::CHROMA.contains(&name.as_str())) {
            return Some(format!("chroma can hold {}, not {unknown:?}", Self::CHROMA.join(", ")));
        }
        if self.chroma.is_empty() {
            return Some("chroma must name at least one".to_owned());
        }
        if !(1..=16).contains(&self.min_bit_depth) {
            return Some(format!("min_bit_depth is 1 to 16, not {}", self.min_bit_depth));
        }
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
        not_a_level("silence_dbfs", self.silence_dbfs)
    }
}

impl FileSize {
    fn fault(&self) -> Option<String> {
        not_a_share("max_other_percent", self.max_other_percent)
            .or_else(|| not_a_limit("free_other_mb", self.free_other_mb))
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
mod tests;
