//! Reads a Smooth Streaming media set back, as a client would find it: the client manifest first, then every fragment that
//! it names. Nothing is believed that the bytes do not bear out.

mod fragment;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use self::fragment::{Fragment, Reader, Sample};

use super::codec;
use super::manifest::{
    AAC_LC, BITS_PER_SAMPLE, ClientManifest, H264, PLAYREADY, QualityLevel, RAW_AAC, StreamIndex, StreamType,
    fragment_name, level_folder, packet_size, url_pattern,
};
use super::time::TIMESCALE;
use crate::malformed::Malformed;

/// What a client manifest states. Times are in ticks of [`TIMESCALE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// When the presentation ends.
    pub duration: u64,
    /// The PlayReady Object; `None` for a clear presentation.
    pub playready_object: Option<Vec<u8>>,
    /// Its streams: one of pictures, and each rendition of sound.
    pub streams: Vec<Stream>,
}

/// A stream: fragments that are there in every one of its qualities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name in addresses.
    pub name: String,
    /// The language of sound (ISO 639-2/T).
    pub language: Option<String>,
    /// Its qualities.
    pub levels: Vec<Level>,
    /// Its fragments in order, without a gap.
    pub chunks: Vec<Chunk>,
}

/// A quality level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The average rate in bits a second.
    pub bitrate: u32,
    /// What decodes it.
    pub format: Format,
}

/// What decodes a quality level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// H.264.
    Video {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Sequence and picture parameter sets, sorted by their bytes.
        parameter_sets: Vec<Vec<u8>>,
        /// Bytes of the length before each NAL unit.
        nal_length_size: usize,
    },
    /// AAC-LC.
    Audio {
        /// Samples a second.
        sample_rate: u32,
        /// Number of channels.
        channels: u32,
    },
}

/// A fragment as the manifest states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// When it is decoded.
    pub time: u64,
    /// How long it is.
    pub duration: u64,
}

impl Manifest {
    /// Reads a client manifest.
    ///
    /// # Errors
    /// It is not well-formed, states what the farm's presentations do not have, lacks what older devices need, or
    /// contradicts itself.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let manifest = ClientManifest::parse(bytes)?;
        let refuse = |reason: String| Err(Malformed::new("SmoothStreamingMedia", reason));
        let version = (manifest.major_version, manifest.minor_version);
        if version != (ClientManifest::MAJOR_VERSION, ClientManifest::MINOR_VERSION) {
            return refuse(format!("version {}.{} is not known", version.0, version.1));
        }
        if manifest.timescale != TIMESCALE {
            return refuse(format!("the time scale is {}", manifest.timescale));
        }
        let videos = manifest.streams.iter().filter(|stream| stream.kind == StreamType::Video).count();
        if videos != 1 || manifest.streams.len() < 2 {
            return refuse("there are not one stream of pictures and one of sound at least".to_owned());
        }
        let playready_object = match &manifest.protection {
            None => None,
            Some(protection) if protection.header.system == PLAYREADY => {
                let object = STANDARD.decode(&protection.header.content);
                Some(object.map_err(|error| Malformed::new("ProtectionHeader", error.to_string()))?)
            }
            Some(protection) => {
                let reason = format!("the system {} is not PlayReady", protection.header.system);
                return Err(Malformed::new("ProtectionHeader", reason));
            }
        };
        let streams = manifest.streams.iter().map(stream).collect::<Result<Vec<_>, _>>()?;
        let mut addresses = BTreeSet::new();
        for stream in &streams {
            for level in &stream.levels {
                if !addresses.insert(level.bitrate) {
                    return refuse(format!("two quality levels have the bit rate {}", level.bitrate));
                }
            }
        }
        let names: BTreeSet<_> = streams.iter().map(|stream| &stream.name).collect();
        if names.len() != streams.len() {
            return refuse("two streams have one name".to_owned());
        }
        Ok(Self { duration: manifest.duration, playready_object, streams })
    }
}

impl Stream {
    /// Where a fragment is, from the manifest's own folder: what a client makes of the stream's `Url`.
    pub fn path(&self, level: &Level, chunk: Chunk) -> String {
        format!("{}/{}", level_folder(level.bitrate), fragment_name(&self.name, chunk.time))
    }
}

fn stream(element: &StreamIndex) -> Result<Stream, Malformed> {
    let refuse = |reason: String| Err(Malformed::new(format!("StreamIndex {}", element.name), reason));
    let is_safe = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !element.name.starts_with(|c: char| c.is_ascii_alphabetic()) || !element.name.chars().all(is_safe) {
        return refuse("no address can hold its name".to_owned());
    }
    if element.timescale != TIMESCALE || element.url != url_pattern(&element.name) {
        return refuse(format!("TimeScale={} Url={:?}", element.timescale, element.url));
    }
    let counts = (element.level_count, element.chunk_count);
    if counts != (element.levels.len(), element.chunks.len()) || counts.0 == 0 || counts.1 == 0 {
        return refuse(format!("QualityLevels={} Chunks={} is not so", counts.0, counts.1));
    }
    let is_video = element.kind == StreamType::Video;
    if element.language.is_some() == is_video {
        return refuse("sound has a language, and pictures have none".to_owned());
    }
    let width = element.levels.iter().filter_map(|level| level.max_width).max();
    let height = element.levels.iter().filter_map(|level| level.max_height).max();
    let stated = [element.max_width, element.max_height, element.display_width, element.display_height];
    if stated != [width, height, width, height] {
        return refuse(format!("the largest picture is {width:?}x{height:?}, not {stated:?}"));
    }
    let mut levels = Vec::with_capacity(element.levels.len());
    for (index, level) in element.levels.iter().enumerate() {
        if level.index != index {
            return refuse(format!("quality level {index} has the index {}", level.index));
        }
        let format = if is_video { video(level) } else { audio(level) }?;
        levels.push(Level { bitrate: level.bitrate, format });
    }
    let mut chunks = Vec::with_capacity(element.chunks.len());
    let mut time = 0u64;
    for (index, chunk) in element.chunks.iter().enumerate() {
        match (index, chunk.time) {
            (0, Some(start)) => time = start,
            (1.., None) => {}
            _ => return refuse("not its first fragment alone states when it begins".to_owned()),
        }
        if chunk.duration == 0 {
            return refuse(format!("fragment {index} is empty"));
        }
        chunks.push(Chunk { time, duration: chunk.duration });
        let end = time.checked_add(chunk.duration);
        time = end.ok_or_else(|| Malformed::new("c", "a time is out of range"))?;
    }
    Ok(Stream { name: element.name.clone(), language: element.language.clone(), levels, chunks })
}

fn private_data(level: &QualityLevel) -> Result<Vec<u8>, Malformed> {
    hex::decode(&level.codec_private_data)
        .map_err(|error| Malformed::new("QualityLevel", format!("CodecPrivateData: {error}")))
}

fn video(level: &QualityLevel) -> Result<Format, Malformed> {
    let (
        H264,
        (Some(width), Some(height), Some(nal_length_size @ (1 | 2 | 4))),
        (None, None, None, None, None),
    ) = (
        level.four_cc.as_str(),
        (level.max_width, level.max_height, level.nal_length_size),
        (level.sampling_rate, level.channels, level.bits_per_sample, level.packet_size, level.audio_tag),
    )
    else {
        let reason = format!("the attributes are not those of pictures: {level:?}");
        return Err(Malformed::new("QualityLevel", reason));
    };
    let parameter_sets = codec::parameter_sets(&private_data(level)?)?;
    Ok(Format::Video { width, height, parameter_sets, nal_length_size })
}

fn audio(level: &QualityLevel) -> Result<Format, Malformed> {
    let (sample_rate, channels) = codec::audio(&private_data(level)?)?;
    let stated =
        (level.sampling_rate, level.channels, level.bits_per_sample, level.packet_size, level.audio_tag);
    let expected = (
        Some(sample_rate),
        Some(channels),
        Some(BITS_PER_SAMPLE),
        Some(packet_size(channels)),
        Some(RAW_AAC),
    );
    let others = (level.max_width, level.max_height, level.nal_length_size);
    if level.four_cc != AAC_LC || stated != expected || others != (None, None, None) {
        let reason =
            format!("the attributes are not those of {channels} channels at {sample_rate} Hz: {level:?}");
        return Err(Malformed::new("QualityLevel", reason));
    }
    Ok(Format::Audio { sample_rate, channels })
}
