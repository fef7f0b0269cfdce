//! The tracks of the CMAF media set: what their initialisation segments say, and which segments there are.

use std::path::{Path, PathBuf};

use reelfarm_model::profile::{MediaFormat, Scheme};
use reelfarm_model::task::{AudioRendition, VideoRendition};

use super::codec;
use super::encryption::VECTORS;
use super::error::SmoothError;
use super::{Protection, SmoothInput};
use crate::layout;
use crate::malformed::Malformed;
use crate::readback::boxes::required;
use crate::readback::movie::{self, SampleDefaults, TrackHeader};
use crate::readback::{Codec, ReadError};

/// A track of the CMAF media set.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The name of its folder.
    pub(super) name: String,
    /// Its segments in order.
    pub(super) segments: Vec<PathBuf>,
    /// Its number in the media set's files.
    pub(super) track: u32,
    /// Ticks a second.
    pub(super) timescale: u32,
    /// What the edit list adds to media times, in ticks.
    pub(super) edit: i64,
    /// What fragments leave out.
    pub(super) defaults: SampleDefaults,
    /// What it holds.
    pub(super) content: Content,
    /// Whether its samples are encrypted.
    pub(super) is_encrypted: bool,
}

/// What a track holds.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Pictures.
    Video {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Pictures in all, as planned.
        frame_count: u64,
        /// What initialises a decoder.
        codec_private_data: Vec<u8>,
        /// Bytes of the length before each NAL unit.
        nal_length_size: usize,
    },
    /// Sound.
    Audio {
        /// Language tag (BCP 47).
        language: String,
        /// Samples a second.
        sample_rate: u32,
        /// Number of channels.
        channels: u32,
        /// What initialises a decoder.
        codec_private_data: Vec<u8>,
    },
}

/// A rendition that a track must be.
#[derive(Clone, Copy, Debug)]
enum Planned<'a> {
    Video(&'a VideoRendition),
    Audio(&'a AudioRendition),
}

/// Opens all tracks: the video renditions, then the audio renditions.
pub(super) fn open(input: &SmoothInput<'_>) -> Result<Vec<Source>, SmoothError> {
    let video = input.video.iter().map(|video| (layout::video_track(video), Planned::Video(video)));
    let audio = input.audio.iter().map(|audio| (audio.id.clone(), Planned::Audio(audio)));
    video
        .chain(audio)
        .map(|(name, planned)| {
            let folder = input.media_set.join(&name);
            let path = folder.join(layout::INITIALIZATION);
            let bytes = fs_err::read(&path).map_err(SmoothError::Read)?;
            let segments = segments(&folder)?;
            initialization(&bytes, name, segments, planned, input.protection)
                .map_err(SmoothError::media(&path))
        })
        .collect()
}

/// The segments of a track, which are numbered from 1.
fn segments(folder: &Path) -> Result<Vec<PathBuf>, SmoothError> {
    let extension = layout::segment_extension(MediaFormat::Cmaf).unwrap_or_default();
    let path = |number: u64| folder.join(format!("{number}.{extension}"));
    let mut count = 0;
    for entry in fs_err::read_dir(folder).map_err(SmoothError::Read)? {
        let name = entry.map_err(SmoothError::Read)?.file_name();
        count += u64::from(Path::new(&name).extension().is_some_and(|found| found == extension));
    }
    if count == 0 {
        return Err(SmoothError::media(folder)(Malformed::new("segments", "there is none")));
    }
    // One that is missing in between is found when it cannot be read.
    Ok((1..=count).map(path).collect())
}

/// Reads an initialisation segment, which must describe what was planned.
fn initialization(
    bytes: &[u8],
    name: String,
    segments: Vec<PathBuf>,
    planned: Planned<'_>,
    protection: Option<&Protection>,
) -> Result<Source, Malformed> {
    let header = only_track(bytes).map_err(Malformed::at("moov"))?;
    let is_encrypted = encryption(&header, protection)?;
    let content = content(planned, &header).ok_or_else(|| {
        let reason = format!("{:?} is not as planned, or no client could be told of it", header.codec);
        Malformed::new(SAMPLE_ENTRY, reason)
    })?;
    Ok(Source {
        name,
        segments,
        track: header.id,
        timescale: header.timescale,
        edit: header.shift,
        defaults: header.defaults,
        content,
        is_encrypted,
    })
}

/// What a track holds, if it is what was planned.
fn content(planned: Planned<'_>, header: &TrackHeader<'_>) -> Option<Content> {
    match (planned, &header.codec) {
        (Planned::Video(video), Codec::Avc { size, parameter_sets })
            if *size == Some((video.width, video.height)) && matches!(header.nal_length_size, 1 | 2 | 4) =>
        {
            Some(Content::Video {
                width: video.width,
                height: video.height,
                frame_count: video.frame_count,
                codec_private_data: codec::parameter_sets_data(parameter_sets)?,
                nal_length_size: header.nal_length_size,
            })
        }
        (Planned::Audio(audio), Codec::Aac { sample_rate, channels })
            if audio.layout.channels() == *channels =>
        {
            Some(Content::Audio {
                language: audio.language.clone(),
                sample_rate: *sample_rate,
                channels: *channels,
                codec_private_data: codec::audio_specific_config(*sample_rate, *channels)?.to_vec(),
            })
        }
        _ => None,
    }
}

fn only_track(bytes: &[u8]) -> Result<TrackHeader<'_>, ReadError> {
    let mut tracks = movie::tracks(required(bytes, b"moov")?)?;
    match (tracks.pop(), tracks.len()) {
        (Some(track), 0) => Ok(track),
        (_, more) => Err(ReadError::new(format!("there are {more} tracks besides one"))),
    }
}

const SAMPLE_ENTRY: &str = "moov/trak/mdia/minf/stbl/stsd";

/// Whether the track is encrypted, which it must be in the only way and with the only key that a client can know.
fn encryption(header: &TrackHeader<'_>, protection: Option<&Protection>) -> Result<bool, Malformed> {
    let refuse = |reason: String| Err(Malformed::new(SAMPLE_ENTRY, reason));
    match (&header.protection, protection) {
        (None, None) => Ok(false),
        (None, Some(_)) => refuse("the track is clear; the presentation is to be encrypted".to_owned()),
        (Some(_), None) => refuse("the track is encrypted; the presentation is to be clear".to_owned()),
        (Some(found), Some(protection)) => {
            if found.scheme != Scheme::Cenc || found.vectors != VECTORS {
                let reason = "its encryption is not cenc with a vector of 8 bytes a sample";
                return refuse(reason.to_owned());
            }
            if found.key_id != protection.key_id {
                let reason =
                    format!("its key is {}; that of the presentation is {}", found.key_id, protection.key_id);
                return refuse(reason);
            }
            Ok(true)
        }
    }
}
