//! From tracks that were made to the client manifest that presents them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use isolang::Language;

use super::Protection;
use super::chunk::Made;
use super::error::SmoothError;
use super::manifest::{
    AAC_LC, BITS_PER_SAMPLE, ChunkElement, ClientManifest, H264, PLAYREADY, ProtectionElement,
    ProtectionHeader, QualityLevel, RAW_AAC, StreamIndex, StreamType, packet_size, url_pattern,
};
use super::source::{Content, Source};
use super::time::TIMESCALE;

/// The name of the only stream of pictures.
const VIDEO: &str = "video";

/// The language as a client manifest names it: a code of three letters (ISO 639-2/T), `und` where none is stated.
/// `tag` is a language tag (BCP 47).
pub fn language(tag: &str) -> String {
    let canonical = crate::language::canonical(tag);
    let primary = canonical.as_deref().and_then(|tag| tag.split('-').next()).unwrap_or("und");
    Language::from_639_1(primary).map_or(primary, |language| language.to_639_3()).to_owned()
}

/// The presentation while its tracks are made.
#[derive(Debug)]
pub(super) struct Presentation {
    /// The stream of every track. All pictures are of one stream, each rendition of sound is of its own.
    streams: Vec<StreamOf>,
    made: Vec<Made>,
}

/// The stream that a track is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamOf {
    /// Its name.
    pub(super) name: String,
    /// Its number, from 1: that of the track in fragments, the same in every quality, so that a client that changes
    /// between them stays in one track.
    pub(super) number: u32,
}

impl Presentation {
    /// Nothing made yet of these tracks, of which the first are the pictures.
    pub(super) fn new(sources: &[Source]) -> Result<Self, SmoothError> {
        let is_video = |source: &Source| matches!(source.content, Content::Video { .. });
        if !sources.first().is_some_and(is_video) || sources.last().is_none_or(is_video) {
            return Err(SmoothError::Manifest("there are not both pictures and sound".to_owned()));
        }
        let mut taken = BTreeSet::from([VIDEO.to_owned()]);
        let mut number = 1;
        let streams = sources.iter().map(|source| match source.content {
            Content::Video { .. } => StreamOf { name: VIDEO.to_owned(), number: 1 },
            Content::Audio { .. } => {
                number += 1;
                StreamOf { name: stream_name(&source.name, &mut taken), number }
            }
        });
        Ok(Self { streams: streams.collect(), made: Vec::new() })
    }

    /// The stream of every track.
    pub(super) fn streams(&self) -> &[StreamOf] {
        &self.streams
    }

    /// Adds the next track.
    pub(super) fn add(&mut self, made: Made) {
        self.made.push(made);
    }

    /// The client manifest, and every track's bit rate in it.
    pub(super) fn finish(
        self,
        sources: &[Source],
        protection: Option<&Protection>,
    ) -> Result<(ClientManifest, Vec<u32>), SmoothError> {
        let bitrates = distinct_bitrates(&self.made)?;
        let mut streams: Vec<StreamIndex> = Vec::new();
        let tracks = sources.iter().zip(self.streams).zip(&self.made).zip(&bitrates);
        for (((source, StreamOf { name, .. }), made), bitrate) in tracks {
            let level = quality_level(source, *bitrate);
            match streams.last_mut().filter(|stream| stream.name == name) {
                None => streams.push(stream(source, name, level, &made.chunks)),
                Some(stream) => {
                    if stream.chunks != chunk_elements(&made.chunks) {
                        let reason =
                            format!("{}'s fragments are not those of the first quality", source.name);
                        return Err(SmoothError::Manifest(reason));
                    }
                    add_level(stream, level);
                }
            }
        }
        let header = |protection: &Protection| ProtectionHeader {
            system: PLAYREADY.to_owned(),
            content: STANDARD.encode(&protection.playready_object),
        };
        let client_manifest = ClientManifest {
            major_version: ClientManifest::MAJOR_VERSION,
            minor_version: ClientManifest::MINOR_VERSION,
            timescale: TIMESCALE,
            duration: self.made.iter().map(|made| made.end).max().unwrap_or(0),
            protection: protection.map(|protection| ProtectionElement { header: header(protection) }),
            streams,
        };
        Ok((client_manifest, bitrates))
    }
}

/// A name that an address can hold (MS-SSTR 2.2.2.4): letters, digits and `_`, no digit first.
fn stream_name(track: &str, taken: &mut BTreeSet<String>) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut plain: String = track.chars().map(allowed).collect();
    if !plain.starts_with(|c: char| c.is_ascii_alphabetic()) {
        plain.insert_str(0, "audio_");
    }
    let mut name = plain.clone();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{plain}_{number}");
    }
    name
}

/// The average rate of every track, raised where one before has it already: addresses tell qualities apart by it alone.
fn distinct_bitrates(made: &[Made]) -> Result<Vec<u32>, SmoothError> {
    let mut taken = BTreeSet::new();
    let rate = |made: &Made| {
        let duration: u64 = made.chunks.iter().map(|chunk| chunk.1).sum();
        let bits = u128::from(made.bytes) * 8 * u128::from(TIMESCALE);
        let mut rate = u32::try_from(bits.div_ceil(u128::from(duration.max(1)))).ok()?.max(1);
        while !taken.insert(rate) {
            rate = rate.checked_add(1)?;
        }
        Some(rate)
    };
    let rates: Option<Vec<u32>> = made.iter().map(rate).collect();
    rates.ok_or_else(|| SmoothError::Manifest("a track's bit rate is out of range".to_owned()))
}

fn stream(source: &Source, name: String, level: QualityLevel, chunks: &[(u64, u64)]) -> StreamIndex {
    let (kind, language) = match &source.content {
        Content::Video { .. } => (StreamType::Video, None),
        Content::Audio { language: tag, .. } => (StreamType::Audio, Some(language(tag))),
    };
    StreamIndex {
        kind,
        url: url_pattern(&name),
        name,
        language,
        timescale: TIMESCALE,
        chunk_count: chunks.len(),
        level_count: 1,
        max_width: level.max_width,
        max_height: level.max_height,
        display_width: level.max_width,
        display_height: level.max_height,
        levels: vec![level],
        chunks: chunk_elements(chunks),
    }
}

fn add_level(stream: &mut StreamIndex, mut level: QualityLevel) {
    level.index = stream.levels.len();
    stream.level_count = level.index + 1;
    stream.max_width = stream.max_width.max(level.max_width);
    stream.max_height = stream.max_height.max(level.max_height);
    stream.display_width = stream.max_width;
    stream.display_height = stream.max_height;
    stream.levels.push(level);
}

fn chunk_elements(chunks: &[(u64, u64)]) -> Vec<ChunkElement> {
    let element = |(index, &(time, duration)): (usize, &(u64, u64))| ChunkElement {
        time: (index == 0).then_some(time),
        duration,
    };
    chunks.iter().enumerate().map(element).collect()
}

fn quality_level(source: &Source, bitrate: u32) -> QualityLevel {
    let level = |four_cc: &str, codec_private_data: &[u8]| QualityLevel {
        index: 0,
        bitrate,
        four_cc: four_cc.to_owned(),
        max_width: None,
        max_height: None,
        sampling_rate: None,
        channels: None,
        bits_per_sample: None,
        packet_size: None,
        audio_tag: None,
        nal_length_size: None,
        codec_private_data: hex::encode_upper(codec_private_data),
    };
    match &source.content {
        Content::Video { width, height, codec_private_data, nal_length_size, .. } => QualityLevel {
            max_width: Some(*width),
            max_height: Some(*height),
            nal_length_size: Some(*nal_length_size),
            ..level(H264, codec_private_data)
        },
        Content::Audio { sample_rate, channels, codec_private_data, .. } => QualityLevel {
            sampling_rate: Some(*sample_rate),
            channels: Some(*channels),
            bits_per_sample: Some(BITS_PER_SAMPLE),
            packet_size: Some(packet_size(*channels)),
            audio_tag: Some(RAW_AAC),
            ..level(AAC_LC, codec_private_data)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readback::movie::SampleDefaults;

    fn source(name: &str, content: Content) -> Source {
        Source {
            name: name.into(),
            segments: Vec::new(),
            track: 1,
            timescale: 12_800,
            edit: 0,
            defaults: SampleDefaults::default(),
            content,
            is_encrypted: false,
        }
    }

    fn video(name: &str, width: u32, height: u32) -> Source {
        let codec_private_data = b"\0\0\0\x01\x67\x64".to_vec();
        source(
            name,
            Content::Video { width, height, frame_count: 100, codec_private_data, nal_length_size: 4 },
        )
    }

    fn audio(name: &str, language: &str, channels: u32) -> Source {
        let codec_private_data = vec![0x11, 0x90];
        let language = language.into();
        source(name, Content::Audio { language, sample_rate: 48_000, channels, codec_private_data })
    }

    fn made(chunks: &[(u64, u64)], bytes: u64, end: u64) -> Made {
        Made { chunks: chunks.to_vec(), end, bytes }
    }

    const CHUNKS: [(u64, u64); 2] = [(0, 20_000_000), (20_000_000, 20_000_000)];

    fn presentation(sources: &[Source], all: &[Made]) -> Result<(ClientManifest, Vec<u32>), SmoothError> {
        let mut presentation = Presentation::new(sources)?;
        all.iter().for_each(|made| presentation.add(made.clone()));
        presentation.finish(sources, None)
    }

    #[test]
    fn qualities_share_a_stream_and_renditions_of_sound_do_not() {
        let sources = [
            video("video-360p", 640, 360),
            video("video-720p", 1280, 720),
            audio("audio-en-stereo", "en", 2),
            audio("audio-de-surround", "de-AT", 6),
        ];
        let numbers: Vec<_> =
            Presentation::new(&sources).unwrap().streams().iter().map(|stream| stream.number).collect();
        assert_eq!(numbers, [1, 1, 2, 3]);
        let sound = [(586_667, 40_000_000)];
        let all = [
            made(&CHUNKS, 500_000, 40_800_000),
            made(&CHUNKS, 1_000_000, 40_800_000),
            made(&sound, 64_000, 40_586_667),
            made(&sound, 64_000, 40_900_000),
        ];
        let (manifest, bitrates) = presentation(&sources, &all).unwrap();
        assert_eq!(bitrates, [1_000_000, 2_000_000, 128_000, 128_001]);
        assert_eq!(manifest.duration, 40_900_000);
        let seen: Vec<_> = manifest
            .streams
            .iter()
            .map(|stream| (stream.name.as_str(), stream.language.as_deref(), stream.level_count))
            .collect();
        assert_eq!(
            seen,
            [("video", None, 2), ("audio_en_stereo", Some("eng"), 1), ("audio_de_surround", Some("deu"), 1)]
        );
        let pictures = &manifest.streams[0];
        assert_eq!((pictures.max_width, pictures.display_height), (Some(1280), Some(720)));
        assert_eq!((pictures.levels[1].index, pictures.chunk_count), (1, 2));
        assert_eq!(pictures.levels[0].codec_private_data, "000000016764");
        let times: Vec<_> = pictures.chunks.iter().map(|chunk| chunk.time).collect();
        assert_eq!(times, [Some(0), None]);
        let surround = &manifest.streams[2].levels[0];
        assert_eq!((surround.channels, surround.packet_size), (Some(6), Some(12)));
        assert_eq!(surround.codec_private_data, "1190");
    }

    #[test]
    fn qualities_that_are_cut_otherwise_have_no_manifest() {
        let sources = [
            video("video-360p", 640, 360),
            video("video-720p", 1280, 720),
            audio("audio-en-stereo", "en", 2),
        ];
        let other = [(0, 20_000_000), (20_000_000, 19_600_000)];
        let all = [made(&CHUNKS, 1, 1), made(&other, 1, 1), made(&CHUNKS, 1, 1)];
        let error = presentation(&sources, &all).unwrap_err();
        assert!(
            matches!(&error, SmoothError::Manifest(reason) if reason.starts_with("video-720p")),
            "{error}"
        );
        for sources in [&sources[..2], &sources[2..], &[]] {
            assert!(matches!(Presentation::new(sources), Err(SmoothError::Manifest(_))));
        }
    }

    #[test]
    fn bit_rates_are_averages_and_distinct() {
        let rates = |all: &[(u64, u64)]| {
            let all: Vec<_> =
                all.iter().map(|(bytes, duration)| made(&[(0, *duration)], *bytes, 0)).collect();
            distinct_bitrates(&all).ok()
        };
        assert_eq!(rates(&[(1_000, 10_000_000), (1_001, 10_000_000)]), Some(vec![8_000, 8_008]));
        assert_eq!(rates(&[(1_000, 10_000_000); 3]), Some(vec![8_000, 8_001, 8_002]));
        assert_eq!(rates(&[(1, 30_000_000), (0, 0)]), Some(vec![3, 1]));
        assert_eq!(rates(&[(u64::MAX, 1)]), None);
    }

    #[test]
    fn names_are_safe_in_addresses_and_distinct() {
        let mut taken = BTreeSet::from([VIDEO.to_owned()]);
        let mut name = |track: &str| stream_name(track, &mut taken);
        assert_eq!(name("audio-en-stereo"), "audio_en_stereo");
        assert_eq!(name("audio-en.stereo"), "audio_en_stereo_2");
        assert_eq!(name("audio_en_stereo"), "audio_en_stereo_3");
        assert_eq!(name("video"), "video_2");
        assert_eq!(name("5.1"), "audio_5_1");
    }

    #[test]
    fn languages_have_three_letters() {
        for (tag, expected) in [
            ("en", "eng"),
            ("eng", "eng"),
            ("de-AT", "deu"),
            ("haw", "haw"),
            ("qaa", "qaa"),
            ("und", "und"),
            ("", "und"),
        ] {
            assert_eq!(language(tag), expected, "{tag}");
        }
    }
}
