//! Ladders: which renditions are made of a title. A ladder is a TOML file that a video engineer edits; a bad one
//! is refused with the line and the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::per_title::PerTitle;

/// Seconds between forced IDR frames in every rung; segments of 2 s and 4 s are multiples of it.
pub const GOP_SECONDS: u32 = 2;

/// A checked ladder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ladder {
    /// The ladder's name, which operators use.
    pub name: String,
    /// What it is for, in one sentence.
    pub description: String,
    /// Video rungs from the largest picture to the smallest.
    pub rungs: Vec<Rung>,
    /// Audio renditions to make of each programme.
    pub audio: Vec<AudioRung>,
    /// How long the chunks are that films are encoded in, in seconds; chosen by the film's length and size where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_seconds: Option<u32>,
    /// How it is fitted to each title; as it is where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_title: Option<PerTitle>,
}

/// One video rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// The rung's name, such as `720p`: used in file names and manifests.
    pub name: String,
    /// What encodes it.
    #[serde(default, skip_serializing_if = "VideoCodec::is_h264")]
    pub codec: VideoCodec,
    /// Width of the box that the picture is fitted into, in pixels, for a picture that is wider than high; a
    /// picture that is higher than wide is fitted into the turned box.
    pub width: u32,
    /// Height of that box in pixels.
    pub height: u32,
    /// The least bitrate of the source's video in kb/s at which this rung is worth making.
    pub min_source_kbps: u32,
    /// The encoder's constant rate factor, 0 to 51.
    pub crf: u8,
    /// The most that the rate may reach over the buffer, in kb/s.
    pub maxrate_kbps: u32,
    /// The size of the decoder's buffer in kb.
    pub bufsize_kbps: u32,
    /// The encoder's preset, such as `medium`.
    pub preset: String,
    /// The codec's profile: `baseline`, `main` or `high` of H.264, `main` of HEVC.
    pub profile: String,
}

/// The video codecs that rungs have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// H.264 by libx264. Every device plays it, in every container.
    #[default]
    H264,
    /// HEVC by libx265. In fragmented MP4 alone, which is where players look for it.
    Hevc,
}

impl VideoCodec {
    /// Whether it is H.264.
    pub const fn is_h264(&self) -> bool {
        matches!(self, Self::H264)
    }

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::Hevc => "HEVC",
        }
    }

    /// The profiles that rungs of it may have.
    const fn profiles(self) -> &'static [&'static str] {
        match self {
            Self::H264 => &["baseline", "main", "high"],
            Self::Hevc => &["main"],
        }
    }
}

/// One audio rendition of a programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioRung {
    /// The rendition's name, such as `stereo`.
    pub name: String,
    /// The channels.
    pub layout: ChannelLayout,
    /// AAC-LC bitrate in kb/s.
    pub bitrate_kbps: u32,
}

/// Channel layouts that renditions have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChannelLayout {
    /// Left and right.
    #[serde(rename = "stereo")]
    Stereo,
    /// Left, right, centre, low frequencies, left and right surround.
    #[serde(rename = "5.1")]
    Surround51,
}

impl ChannelLayout {
    /// Number of channels.
    pub const fn channels(self) -> u32 {
        match self {
            Self::Stereo => 2,
            Self::Surround51 => 6,
        }
    }

    /// FFmpeg's name of the layout.
    pub const fn ffmpeg_name(self) -> &'static str {
        match self {
            Self::Stereo => "stereo",
            Self::Surround51 => "5.1",
        }
    }
}

/// A ladder file is refused: where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct LadderError {
    /// The file as the caller named it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    description: String,
    chunk_seconds: Option<Spanned<u32>>,
    per_title: Option<Spanned<PerTitle>>,
    rung: Vec<Spanned<Rung>>,
    audio: Vec<Spanned<AudioRung>>,
}

/// How long chunks may be, in seconds. Beyond, a host that is lost loses too much.
const CHUNK_SECONDS: std::ops::RangeInclusive<u32> = 2..=600;
const PRESETS: [&str; 9] =
    ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"];

impl Ladder {
    /// Reads a ladder from TOML. `file` is only for the error.
    ///
    /// # Errors
    /// The first fault of the file, with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, LadderError> {
        let line_of = |offset: usize| 1 + text[..offset.min(text.len())].matches('\n').count();
        let refuse = |span: Range<usize>, reason: String| LadderError {
            file: file.to_owned(),
            line: line_of(span.start),
            reason,
        };
        let parsed: File = toml::from_str(text)
            .map_err(|error| refuse(error.span().unwrap_or_default(), error.message().to_owned()))?;

        if !is_name(parsed.name.get_ref()) {
            return Err(refuse(parsed.name.span(), name_rule("a ladder", parsed.name.get_ref())));
        }
        if let Some(seconds) = &parsed.chunk_seconds
            && (!CHUNK_SECONDS.contains(seconds.get_ref()) || !seconds.get_ref().is_multiple_of(GOP_SECONDS))
        {
            return Err(refuse(
                seconds.span(),
                format!("chunk_seconds is an even number from 2 to 600, not {}", seconds.get_ref()),
            ));
        }
        if parsed.rung.is_empty() {
            return Err(refuse(0..0, "a ladder needs at least one [[rung]]".to_owned()));
        }
        if parsed.audio.is_empty() {
            return Err(refuse(0..0, "a ladder needs at least one [[audio]]".to_owned()));
        }
        let mut names = BTreeSet::new();
        // Players choose among the rungs of one codec.
        let mut above: BTreeMap<VideoCodec, &Rung> = BTreeMap::new();
        for spanned in &parsed.rung {
            let rung = spanned.get_ref();
            let fault = rung_fault(rung)
                .or_else(|| {
                    (!names.insert(&rung.name)).then(|| format!("two rungs are named {:?}", rung.name))
                })
                .or_else(|| above.get(&rung.codec).and_then(|above| order_fault(above, rung)));
            if let Some(reason) = fault {
                return Err(refuse(spanned.span(), reason));
            }
            above.insert(rung.codec, rung);
        }
        if !above.contains_key(&VideoCodec::H264) {
            return Err(refuse(0..0, "a ladder needs a [[rung]] of H.264: every device plays it".to_owned()));
        }
        if let Some(per_title) = &parsed.per_title {
            let rungs = parsed.rung.iter().map(Spanned::get_ref).map(|rung| (rung.name.as_str(), rung.crf));
            if let Some(reason) = per_title.get_ref().fault(rungs) {
                return Err(refuse(per_title.span(), format!("per_title: {reason}")));
            }
        }
        let mut layouts = BTreeSet::new();
        let mut names = BTreeSet::new();
        for spanned in &parsed.audio {
            let audio = spanned.get_ref();
            let fault = audio_fault(audio)
                .or_else(|| {
                    (!names.insert(&audio.name))
                        .then(|| format!("two audio renditions are named {:?}", audio.name))
                })
                .or_else(|| {
                    (!layouts.insert(audio.layout))
                        .then(|| "two audio renditions have the same layout".to_owned())
                });
            if let Some(reason) = fault {
                return Err(refuse(spanned.span(), reason));
            }
        }
        if !layouts.contains(&ChannelLayout::Stereo) {
            return Err(refuse(0..0, "a ladder needs a stereo [[audio]]: every device plays it".to_owned()));
        }
        Ok(Self {
            name: parsed.name.into_inner(),
            description: parsed.description,
            rungs: parsed.rung.into_iter().map(Spanned::into_inner).collect(),
            audio: parsed.audio.into_iter().map(Spanned::into_inner).collect(),
            chunk_seconds: parsed.chunk_seconds.map(Spanned::into_inner),
            per_title: parsed.per_title.map(Spanned::into_inner),
        })
    }
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn name_rule(what: &str, name: &str) -> String {
    format!("{what}'s name has 1 to 32 of a-z, 0-9 and '-', not {name:?}")
}

fn rung_fault(rung: &Rung) -> Option<String> {
    let name = &rung.name;
    if !is_name(name) {
        return Some(name_rule("a rung", name));
    }
    if !rung.width.is_multiple_of(2) || !rung.height.is_multiple_of(2) {
        return Some(format!(
            "rung {name}: width and height must be even for 4:2:0, not {}x{}",
            rung.width, rung.height
        ));
    }
    if !(64..=7680).contains(&rung.width) || !(64..=4320).contains(&rung.height) {
        return Some(format!("rung {name}: {}x{} is outside 64x64 to 7680x4320", rung.width, rung.height));
    }
    if rung.width < rung.height {
        return Some(format!("rung {name}: give the box wider than high; it is turned for upright pictures"));
    }
    if rung.crf > 51 {
        return Some(format!("rung {name}: crf is 0 to 51, not {}", rung.crf));
    }
    if rung.maxrate_kbps == 0 {
        return Some(format!("rung {name}: maxrate_kbps must be more than 0"));
    }
    if rung.bufsize_kbps < rung.maxrate_kbps / 2 || rung.bufsize_kbps > rung.maxrate_kbps.saturating_mul(4) {
        return Some(format!(
            "rung {name}: bufsize_kbps is {} but must be half to four times maxrate_kbps ({})",
            rung.bufsize_kbps, rung.maxrate_kbps
        ));
    }
    if !PRESETS.contains(&rung.preset.as_str()) {
        return Some(format!("rung {name}: no preset {:?}; there are {}", rung.preset, PRESETS.join(", ")));
    }
    let profiles = rung.codec.profiles();
    if !profiles.contains(&rung.profile.as_str()) {
        return Some(format!(
            "rung {name}: {} has no profile {:?} here; there are {}",
            rung.codec.name(),
            rung.profile,
            profiles.join(", ")
        ));
    }
    None
}

fn order_fault(above: &Rung, rung: &Rung) -> Option<String> {
    if u64::from(rung.width) * u64::from(rung.height) > u64::from(above.width) * u64::from(above.height) {
        return Some(format!(
            "rung {} is larger than {} before it: list rungs from large to small",
            rung.name, above.name
        ));
    }
    if rung.maxrate_kbps >= above.maxrate_kbps {
        return Some(format!(
            "rung {} has a maxrate_kbps of {}, not below the {} of {} before it",
            rung.name, rung.maxrate_kbps, above.maxrate_kbps, above.name
        ));
    }
    None
}

fn audio_fault(audio: &AudioRung) -> Option<String> {
    if !is_name(&audio.name) {
        return Some(name_rule("an audio rendition", &audio.name));
    }
    let per_channel = audio.bitrate_kbps / audio.layout.channels();
    (!(16..=256).contains(&per_channel)).then(|| {
        format!("audio {}: {} kb/s is outside 16 to 256 kb/s a channel", audio.name, audio.bitrate_kbps)
    })
}

/// The size of a picture fitted into a rung's box: even, never larger than the picture; `None` where the rung
/// would have to be scaled up.
///
/// `width` and `height` are of the upright picture in square pixels.
pub fn fit(rung: &Rung, width: u32, height: u32) -> Option<(u32, u32)> {
    let (box_width, box_height) =
        if height > width { (rung.height, rung.width) } else { (rung.width, rung.height) };
    let (w, h, bw, bh) = (u64::from(width), u64::from(height), u64::from(box_width), u64::from(box_height));
    if w < bw && h < bh {
        return None;
    }
    // The side that binds keeps the box's length; the other follows the proportions, to the nearest even number
    // that is not above the picture's own.
    let (fitted_width, fitted_height) = if w * bh >= h * bw {
        (bw.min(w), nearest_even(h * bw.min(w), w).min(h))
    } else {
        (nearest_even(w * bh.min(h), h).min(w), bh.min(h))
    };
    let even = |value: u64| u32::try_from(value & !1).ok().filter(|value| *value >= 2);
    Some((even(fitted_width)?, even(fitted_height)?))
}

fn nearest_even(numerator: u64, denominator: u64) -> u64 {
    (numerator + denominator) / (2 * denominator) * 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rung(name: &str, width: u32, height: u32) -> Rung {
        Rung {
            name: name.into(),
            codec: VideoCodec::H264,
            width,
            height,
            min_source_kbps: 100,
            crf: 21,
            maxrate_kbps: 1000,
            bufsize_kbps: 2000,
            preset: "medium".into(),
            profile: "high".into(),
        }
    }

    const GOOD: &str = r#"
name = "small"
description = "For tests."

[[rung]]
name = "360p"
width = 640
height = 360
min_source_kbps = 200
crf = 23
maxrate_kbps = 800
bufsize_kbps = 1600
preset = "veryfast"
profile = "main"

[[audio]]
name = "stereo"
layout = "stereo"
bitrate_kbps = 128
"#;

    #[test]
    fn a_good_ladder_is_read() {
        let ladder = Ladder::parse("small.toml", GOOD).unwrap();
        assert_eq!((ladder.rungs.len(), ladder.audio.len()), (1, 1));
    }

    #[test]
    fn a_bad_ladder_is_refused_with_its_line() {
        for (from, to, line, reason) in [
            ("crf = 23", "crf = 52", 5, "crf is 0 to 51"),
            ("crf = 23", "crf = \"x\"", 10, "invalid type"),
            ("crf = 23", "cfr = 23", 10, "unknown field `cfr`"),
            ("width = 640", "width = 641", 5, "must be even"),
            ("bufsize_kbps = 1600", "bufsize_kbps = 1", 5, "half to four times"),
            ("preset = \"veryfast\"", "preset = \"quick\"", 5, "no preset \"quick\""),
            ("width = 640", "codec = \"vp9\"\nwidth = 640", 7, "unknown variant `vp9`"),
            ("width = 640", "codec = \"hevc\"\nwidth = 640", 1, "a [[rung]] of H.264"),
            ("profile = \"main\"", "profile = \"main10\"", 5, "H.264 has no profile \"main10\""),
            ("layout = \"stereo\"", "layout = \"5.1\"", 16, "16 to 256 kb/s a channel"),
            ("name = \"small\"", "name = \"A b\"", 2, "name has 1 to 32"),
            ("description = ", "description ", 3, ""),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let text = if to.contains("5.1") {
                text.replace("bitrate_kbps = 128", "bitrate_kbps = 64")
            } else {
                text
            };
            let error = Ladder::parse("small.toml", &text).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.reason.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_ladder_that_is_fitted_to_titles_says_how() {
        const PER_TITLE: &str = "
[per_title]
least_ssim = 0.97
lowest_crf = 18
highest_crf = 34
stretches = 4
stretch_seconds = 4
least_step = 1.3
";
        let ladder = Ladder::parse("small.toml", &format!("{GOOD}{PER_TITLE}")).unwrap();
        assert_eq!(ladder.per_title.unwrap().tried_crfs(), [18, 22, 26, 30, 34]);
        for (from, to, reason) in [
            ("least_ssim = 0.97", "least_ssim = 97", "per_title: least_ssim is from 0.5"),
            ("lowest_crf = 18", "lowest_crf = 24", "per_title: rung 360p has a crf of 23"),
            ("least_step = 1.3", "", "missing field `least_step`"),
        ] {
            let text = format!("{GOOD}{}", PER_TITLE.replace(from, to));
            let error = Ladder::parse("small.toml", &text).unwrap_err();
            assert_eq!(error.line, 21, "{error}");
            assert!(error.reason.contains(reason), "{error}");
        }
    }

    #[test]
    fn pictures_are_fitted() {
        let hd = rung("1080p", 1920, 1080);
        for (width, height, expected) in [
            (1920, 1080, Some((1920, 1080))),
            (3840, 2160, Some((1920, 1080))),
            (1920, 804, Some((1920, 804))),
            (1440, 1080, Some((1440, 1080))),
            (1080, 1920, Some((1080, 1920))),
            (1280, 720, None),
            (1919, 1079, None),
            (1998, 1080, Some((1920, 1038))),
        ] {
            assert_eq!(fit(&hd, width, height), expected, "{width}x{height}");
        }
        assert_eq!(fit(&rung("360p", 640, 360), 640, 272), Some((640, 272)));
        assert_eq!(fit(&rung("240p", 426, 240), 640, 272), Some((426, 182)));
    }

    proptest! {
        #[test]
        fn a_fitted_picture_is_even_and_never_scaled_up(width in 2u32..8000, height in 2u32..8000, box_width in 32u32..4000, box_height in 32u32..2000) {
            let rung = rung("any", box_width.max(box_height) * 2, box_width.min(box_height) * 2);
            if let Some((w, h)) = fit(&rung, width, height) {
                prop_assert!(w % 2 == 0 && h % 2 == 0 && w > 0 && h > 0);
                prop_assert!(w <= width && h <= height);
                prop_assert!(w <= rung.width.max(rung.height) && h <= rung.width.max(rung.height));
            }
        }
    }
}
