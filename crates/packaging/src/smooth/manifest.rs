//! The client manifest (MS-SSTR 2.2.2): its elements, as they are written and read.
//!
//! Fragments are listed by duration coding (2.2.2.6): each states its duration, and the first alone its start. Everything
//! that a client could find by an attribute's default is stated, because older devices do not know all defaults.

use serde::{Deserialize, Serialize};

use crate::malformed::Malformed;

/// `SmoothStreamingMedia` (2.2.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "SmoothStreamingMedia", deny_unknown_fields)]
pub(super) struct ClientManifest {
    #[serde(rename = "@MajorVersion")]
    pub(super) major_version: u32,
    #[serde(rename = "@MinorVersion")]
    pub(super) minor_version: u32,
    /// Ticks a second of every time.
    #[serde(rename = "@TimeScale")]
    pub(super) timescale: u32,
    #[serde(rename = "@Duration")]
    pub(super) duration: u64,
    #[serde(rename = "Protection", default, skip_serializing_if = "Option::is_none")]
    pub(super) protection: Option<ProtectionElement>,
    #[serde(rename = "StreamIndex", default)]
    pub(super) streams: Vec<StreamIndex>,
}

/// `Protection` (2.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProtectionElement {
    #[serde(rename = "ProtectionHeader")]
    pub(super) header: ProtectionHeader,
}

/// `ProtectionHeader` (2.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProtectionHeader {
    #[serde(rename = "@SystemID")]
    pub(super) system: String,
    /// The system's object in base64.
    #[serde(rename = "$text")]
    pub(super) content: String,
}

/// `StreamIndex` (2.2.2.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamIndex {
    #[serde(rename = "@Type")]
    pub(super) kind: StreamType,
    #[serde(rename = "@Name")]
    pub(super) name: String,
    #[serde(rename = "@Language", default, skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<String>,
    #[serde(rename = "@TimeScale")]
    pub(super) timescale: u32,
    #[serde(rename = "@Chunks")]
    pub(super) chunk_count: usize,
    #[serde(rename = "@QualityLevels")]
    pub(super) level_count: usize,
    #[serde(rename = "@MaxWidth", default, skip_serializing_if = "Option::is_none")]
    pub(super) max_width: Option<u32>,
    #[serde(rename = "@MaxHeight", default, skip_serializing_if = "Option::is_none")]
    pub(super) max_height: Option<u32>,
    #[serde(rename = "@DisplayWidth", default, skip_serializing_if = "Option::is_none")]
    pub(super) display_width: Option<u32>,
    #[serde(rename = "@DisplayHeight", default, skip_serializing_if = "Option::is_none")]
    pub(super) display_height: Option<u32>,
    #[serde(rename = "@Url")]
    pub(super) url: String,
    #[serde(rename = "QualityLevel", default)]
    pub(super) levels: Vec<QualityLevel>,
    #[serde(rename = "c", default)]
    pub(super) chunks: Vec<ChunkElement>,
}

/// The type of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StreamType {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// `QualityLevel` (2.2.2.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QualityLevel {
    #[serde(rename = "@Index")]
    pub(super) index: usize,
    /// The average rate in bits a second; also its name in URLs.
    #[serde(rename = "@Bitrate")]
    pub(super) bitrate: u32,
    #[serde(rename = "@FourCC")]
    pub(super) four_cc: String,
    #[serde(rename = "@MaxWidth", default, skip_serializing_if = "Option::is_none")]
    pub(super) max_width: Option<u32>,
    #[serde(rename = "@MaxHeight", default, skip_serializing_if = "Option::is_none")]
    pub(super) max_height: Option<u32>,
    #[serde(rename = "@SamplingRate", default, skip_serializing_if = "Option::is_none")]
    pub(super) sampling_rate: Option<u32>,
    #[serde(rename = "@Channels", default, skip_serializing_if = "Option::is_none")]
    pub(super) channels: Option<u32>,
    #[serde(rename = "@BitsPerSample", default, skip_serializing_if = "Option::is_none")]
    pub(super) bits_per_sample: Option<u32>,
    #[serde(rename = "@PacketSize", default, skip_serializing_if = "Option::is_none")]
    pub(super) packet_size: Option<u32>,
    #[serde(rename = "@AudioTag", default, skip_serializing_if = "Option::is_none")]
    pub(super) audio_tag: Option<u32>,
    /// Bytes of the length before each NAL unit.
    #[serde(rename = "@NALUnitLengthField", default, skip_serializing_if = "Option::is_none")]
    pub(super) nal_length_size: Option<usize>,
    /// What initialises the decoder, in hexadecimal.
    #[serde(rename = "@CodecPrivateData")]
    pub(super) codec_private_data: String,
}

/// `c` (2.2.2.6): a fragment, in every quality of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChunkElement {
    #[serde(rename = "@t", default, skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<u64>,
    #[serde(rename = "@d")]
    pub(super) duration: u64,
}

impl ClientManifest {
    /// The version that all clients know: version 2.2 adds repeated fragments alone.
    pub(super) const MAJOR_VERSION: u32 = 2;
    /// See [`Self::MAJOR_VERSION`].
    pub(super) const MINOR_VERSION: u32 = 0;

    /// The text of the manifest.
    ///
    /// # Errors
    /// XML cannot hold it.
    pub(super) fn to_text(&self) -> Result<String, Malformed> {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
        let mut serializer = quick_xml::se::Serializer::new(&mut text);
        serializer.indent(' ', 2);
        self.serialize(serializer)
            .map_err(|error| Malformed::new("SmoothStreamingMedia", error.to_string()))?;
        text.push('\n');
        Ok(text)
    }

    /// Reads the text of a manifest with the elements and attributes that the farm's have, and no others.
    ///
    /// # Errors
    /// It is not well-formed, or holds something else.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let wrong = |reason: String| Malformed::new("SmoothStreamingMedia", reason);
        let text = std::str::from_utf8(bytes).map_err(|error| wrong(format!("not UTF-8: {error}")))?;
        quick_xml::de::from_str(text).map_err(|error| wrong(error.to_string()))
    }
}

/// The PlayReady system, as `SystemID` names it.
pub(super) const PLAYREADY: &str = "9A04F079-9840-4286-AB92-E65BE0885F95";
/// `FourCC` of H.264.
pub(super) const H264: &str = "H264";
/// `FourCC` of AAC-LC.
pub(super) const AAC_LC: &str = "AACL";
/// `AudioTag` of raw AAC (`WAVE_FORMAT_RAW_AAC1`).
pub(super) const RAW_AAC: u32 = 255;
/// Bits of a decoded sample of sound.
pub(super) const BITS_PER_SAMPLE: u32 = 16;

/// Bytes of a decoded sample of sound in all channels.
pub(super) const fn packet_size(channels: u32) -> u32 {
    channels.saturating_mul(BITS_PER_SAMPLE / 8)
}

/// The `Url` of a stream: what clients make fragments' addresses of (2.2.2.4).
pub(super) fn url_pattern(stream: &str) -> String {
    format!("QualityLevels({{bitrate}})/Fragments({stream}={{start time}})")
}

/// The folder of a quality level.
pub(super) fn level_folder(bitrate: u32) -> String {
    format!("QualityLevels({bitrate})")
}

/// The name of a fragment in its quality level's folder.
pub(super) fn fragment_name(stream: &str, time: u64) -> String {
    format!("Fragments({stream}={time})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> ClientManifest {
        let video = QualityLevel {
            index: 0,
            bitrate: 2_000_000,
            four_cc: H264.into(),
            max_width: Some(1280),
            max_height: Some(720),
            sampling_rate: None,
            channels: None,
            bits_per_sample: None,
            packet_size: None,
            audio_tag: None,
            nal_length_size: Some(4),
            codec_private_data: "000000016764".into(),
        };
        let audio = QualityLevel {
            bitrate: 128_000,
            four_cc: AAC_LC.into(),
            max_width: None,
            max_height: None,
            sampling_rate: Some(48_000),
            channels: Some(2),
            bits_per_sample: Some(16),
            packet_size: Some(4),
            audio_tag: Some(255),
            nal_length_size: None,
            codec_private_data: "1190".into(),
            ..video.clone()
        };
        let stream = StreamIndex {
            kind: StreamType::Video,
            name: "video".into(),
            language: None,
            timescale: 10_000_000,
            chunk_count: 2,
            level_count: 1,
            max_width: Some(1280),
            max_height: Some(720),
            display_width: Some(1280),
            display_height: Some(720),
            url: url_pattern("video"),
            levels: vec![video],
            chunks: vec![
                ChunkElement { time: Some(0), duration: 20_000_000 },
                ChunkElement { time: None, duration: 10_000_000 },
            ],
        };
        let sound = StreamIndex {
            kind: StreamType::Audio,
            name: "audio_en_stereo".into(),
            language: Some("eng".into()),
            chunk_count: 1,
            max_width: None,
            max_height: None,
            display_width: None,
            display_height: None,
            url: url_pattern("audio_en_stereo"),
            levels: vec![audio],
            chunks: vec![ChunkElement { time: Some(586_667), duration: 30_000_000 }],
            ..stream.clone()
        };
        let header = ProtectionHeader { system: PLAYREADY.into(), content: "AAAA".into() };
        ClientManifest {
            major_version: 2,
            minor_version: 0,
            timescale: 10_000_000,
            duration: 30_800_000,
            protection: Some(ProtectionElement { header }),
            streams: vec![stream, sound],
        }
    }

    const TEXT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" TimeScale="10000000" Duration="30800000">
  <Protection>
    <ProtectionHeader SystemID="9A04F079-9840-4286-AB92-E65BE0885F95">AAAA</ProtectionHeader>
  </Protection>
  <StreamIndex Type="video" Name="video" TimeScale="10000000" Chunks="2" QualityLevels="1" MaxWidth="1280" MaxHeight="720" DisplayWidth="1280" DisplayHeight="720" Url="QualityLevels({bitrate})/Fragments(video={start time})">
    <QualityLevel Index="0" Bitrate="2000000" FourCC="H264" MaxWidth="1280" MaxHeight="720" NALUnitLengthField="4" CodecPrivateData="000000016764"/>
    <c t="0" d="20000000"/>
    <c d="10000000"/>
  </StreamIndex>
  <StreamIndex Type="audio" Name="audio_en_stereo" Language="eng" TimeScale="10000000" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(audio_en_stereo={start time})">
    <QualityLevel Index="0" Bitrate="128000" FourCC="AACL" SamplingRate="48000" Channels="2" BitsPerSample="16" PacketSize="4" AudioTag="255" CodecPrivateData="1190"/>
    <c t="586667" d="30000000"/>
  </StreamIndex>
</SmoothStreamingMedia>
"#;

    #[test]
    fn the_exact_text_of_a_manifest() {
        assert_eq!(manifest().to_text().unwrap(), TEXT);
        assert_eq!(ClientManifest::parse(TEXT.as_bytes()).unwrap(), manifest());
    }

    #[test]
    fn a_clear_presentation_says_nothing_of_protection() {
        let clear = ClientManifest { protection: None, ..manifest() };
        let text = clear.to_text().unwrap();
        assert!(!text.contains("Protection"), "{text}");
        assert_eq!(ClientManifest::parse(text.as_bytes()).unwrap(), clear);
    }

    #[test]
    fn what_the_farm_does_not_write_is_refused() {
        for (from, to) in [
            ("MinorVersion=\"0\" ", ""),
            ("TimeScale=\"10000000\" Duration", "TimeScale=\"10000000\" IsLive=\"TRUE\" Duration"),
            ("Type=\"audio\"", "Type=\"text\""),
            ("<c d=\"10000000\"/>", "<c d=\"10000000\" r=\"2\"/>"),
            ("<c d=\"10000000\"/>", "<c/>"),
            ("Bitrate=\"2000000\"", "Bitrate=\"fast\""),
            ("Duration=\"30800000\"", "Duration=\"-1\""),
            ("<Protection>", "<Protection Mode=\"x\">"),
            ("</SmoothStreamingMedia>", ""),
        ] {
            assert!(TEXT.contains(from), "{from}");
            assert!(ClientManifest::parse(TEXT.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
        assert!(ClientManifest::parse(b"\xFF").is_err());
    }

    #[test]
    fn fragments_have_the_addresses_that_clients_make() {
        let pattern = url_pattern("audio_en_stereo");
        let address = pattern.replace("{bitrate}", "128000").replace("{start time}", "586667");
        assert_eq!(
            address,
            format!("{}/{}", level_folder(128_000), fragment_name("audio_en_stereo", 586_667))
        );
    }
}
