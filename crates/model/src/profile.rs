//! Profiles: one container with one set of DRM systems, as a device asks for it. Profiles whose bytes are equal
//! share a media set and differ in their manifests only.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the profiles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Such as `dash-clr-2s`; the progressive ones have no length.
    pub id: String,
    /// How segments and manifests are laid out.
    pub container: Container,
    /// The DRM systems that the manifest names; empty for a clear profile.
    pub drm: Vec<DrmSystem>,
    /// The encryption scheme; `None` for a clear profile.
    pub scheme: Option<Scheme>,
    /// Seconds a segment; `None` for a progressive file.
    pub segment_seconds: Option<u32>,
    /// The media set that it plays.
    pub media_set: MediaSetId,
    /// The devices it is for, for people; empty inside task specifications, because it shapes no byte.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
}

/// How a profile's segments and manifest are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    /// MPEG-DASH with one fMP4 file a segment (ISO/IEC 23009-1).
    Dash,
    /// MPEG-DASH on-demand: one file a rendition with a segment index.
    DashOnDemand,
    /// HLS with MPEG-TS segments (RFC 8216).
    HlsTs,
    /// HLS with CMAF segments (RFC 8216, ISO/IEC 23000-19).
    HlsCmaf,
    /// Smooth Streaming (MS-SSTR).
    Smooth,
    /// One MP4 file that plays while it downloads.
    Progressive,
}

/// DRM systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DrmSystem {
    /// Google Widevine.
    Widevine,
    /// Microsoft PlayReady.
    Playready,
    /// Apple FairPlay Streaming.
    Fairplay,
    /// Marlin.
    Marlin,
    /// Verimatrix.
    Verimatrix,
    /// W3C ClearKey.
    Clearkey,
}

/// Encryption schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scheme {
    /// AES-CTR of whole samples (ISO/IEC 23001-7).
    #[serde(rename = "cenc")]
    Cenc,
    /// AES-CBC with a pattern (ISO/IEC 23001-7).
    #[serde(rename = "cbcs")]
    Cbcs,
    /// AES-CBC of whole segments (RFC 8216 4.3.2.4).
    #[serde(rename = "AES-128")]
    Aes128,
    /// HLS sample encryption.
    #[serde(rename = "SAMPLE-AES")]
    SampleAes,
}

/// Names a media set: its kind and segment length, such as `cmaf-clear-2s`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaSetId(pub String);

impl fmt::Display for MediaSetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a media set's files are laid out: what an engine makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaFormat {
    /// An initialisation segment and one fMP4 file a segment, for DASH and HLS alike.
    Cmaf,
    /// One fMP4 file a rendition with a segment index.
    SingleFile,
    /// One MPEG-TS file a segment.
    Ts,
    /// One file a fragment without a header, which the client manifest holds.
    Smooth,
    /// One MP4 file with all tracks.
    Progressive,
}

impl DrmSystem {
    /// Every system.
    pub const ALL: [DrmSystem; 6] =
        [Self::Widevine, Self::Playready, Self::Fairplay, Self::Marlin, Self::Verimatrix, Self::Clearkey];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Widevine => "widevine",
            Self::Playready => "playready",
            Self::Fairplay => "fairplay",
            Self::Marlin => "marlin",
            Self::Verimatrix => "verimatrix",
            Self::Clearkey => "clearkey",
        }
    }
}

impl DrmSystem {
    /// The system's UUID, as manifests and `pssh` boxes name it (DASH-IF content protection identifiers). ClearKey goes by
    /// the W3C's common system.
    pub const fn uuid(self) -> &'static str {
        match self {
            Self::Widevine => "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",
            Self::Playready => "9a04f079-9840-4286-ab92-e65be0885f95",
            Self::Fairplay => "94ce86fb-07ff-4f43-adb8-93d2fa968ca2",
            Self::Marlin => "5e629af5-38da-4063-8977-97ffbd9902d4",
            Self::Verimatrix => "9a27dd82-fde2-4725-8cbc-4234aa06ec09",
            Self::Clearkey => "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b",
        }
    }
}

impl Scheme {
    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cenc => "cenc",
            Self::Cbcs => "cbcs",
            Self::Aes128 => "AES-128",
            Self::SampleAes => "SAMPLE-AES",
        }
    }
}

impl Container {
    /// Every container.
    pub const ALL: [Container; 6] =
        [Self::Dash, Self::DashOnDemand, Self::HlsTs, Self::HlsCmaf, Self::Smooth, Self::Progressive];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dash => "dash",
            Self::DashOnDemand => "dash-on-demand",
            Self::HlsTs => "hls-ts",
            Self::HlsCmaf => "hls-cmaf",
            Self::Smooth => "smooth",
            Self::Progressive => "progressive",
        }
    }

    /// The layout of the media that this container plays.
    pub const fn media_format(self) -> MediaFormat {
        match self {
            Self::Dash | Self::HlsCmaf => MediaFormat::Cmaf,
            Self::DashOnDemand => MediaFormat::SingleFile,
            Self::HlsTs => MediaFormat::Ts,
            Self::Smooth => MediaFormat::Smooth,
            Self::Progressive => MediaFormat::Progressive,
        }
    }
}
