//! Content keys by name: what they are for, who gives them, and how a title divides them. The keys themselves never
//! pass through this crate: what is written down here may be logged, stored and hashed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::key::Digest;

/// A key's identifier, the KID (ISO/IEC 23001-7 clause 8.2). Prints and serialises as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 16]);

/// A text was no KID.
#[derive(Debug, thiserror::Error)]
#[error("not a key id of 32 hexadecimal digits: {0:?}")]
pub struct InvalidKeyId(String);

impl KeyId {
    /// The form of RFC 9562, with hyphens: `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
    pub fn to_uuid(self) -> String {
        let text = self.to_string();
        [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    /// Takes both forms, with hyphens and without.
    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let plain = match text.len() {
            36 if [8, 13, 18, 23].iter().all(|at| text.as_bytes()[*at] == b'-') => text.replace('-', ""),
            _ => text.to_owned(),
        };
        let mut bytes = [0; 16];
        hex::decode_to_slice(&plain, &mut bytes).map_err(|_| InvalidKeyId(text.to_owned()))?;
        Ok(Self(bytes))
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a content key encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUse {
    /// Every track.
    All,
    /// Sound.
    Audio,
    /// Pictures of at most 768x576 samples.
    Sd,
    /// Larger pictures of at most 1920x1080 samples.
    Hd,
    /// Larger pictures than that.
    Uhd,
}

impl KeyUse {
    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Audio => "audio",
            Self::Sd => "sd",
            Self::Hd => "hd",
            Self::Uhd => "uhd",
        }
    }

    /// The use for pictures of this size, by the number of their samples as Widevine divides them.
    pub const fn of_picture(width: u32, height: u32) -> Self {
        match width as u64 * height as u64 {
            0..=442_368 => Self::Sd,
            442_369..=2_073_600 => Self::Hd,
            _ => Self::Uhd,
        }
    }
}

/// How many keys a title has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum KeyDivision {
    /// One key for every track.
    #[default]
    Title,
    /// Keys of their own for sound and for SD, HD and UHD pictures.
    Quality,
}

impl KeyDivision {
    /// The uses that need a key.
    pub const fn uses(self) -> &'static [KeyUse] {
        match self {
            Self::Title => &[KeyUse::All],
            Self::Quality => &[KeyUse::Audio, KeyUse::Sd, KeyUse::Hd, KeyUse::Uhd],
        }
    }
}

/// Who gives a title's keys, with what tells one giver's keys from another's: part of the material of every
/// artifact that is encrypted with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum KeySource {
    /// Derived from the farm's master secret.
    MasterSecret {
        /// Which secret: a digest that tells nothing of it.
        secret: Digest,
    },
    /// Given by the operator.
    Given {
        /// Which key: a digest of id and key that tells nothing of the key.
        key: Digest,
    },
    /// Asked of a key server (SPEKE v2).
    Server {
        /// The server's URL, without credentials.
        url: String,
    },
}

/// Where HLS players ask for keys: templates, in which `{kid}` stands for the key's id and `{title}` for the title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KeyUris {
    /// For FairPlay, an `skd:` URI.
    pub fairplay: String,
    /// For players without a DRM system: the key file, beside the playlists.
    pub clearkey: String,
    /// For Verimatrix VCAS.
    pub verimatrix: String,
}

/// How a title's encrypted profiles get their keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Protection {
    /// Who gives the keys.
    pub source: KeySource,
    /// How many the title has. Where a container takes one for all tracks, it has one there.
    pub division: KeyDivision,
    /// Where HLS players ask for them.
    pub uris: KeyUris,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_read_in_both_forms() {
        let id: KeyId = "00112233445566778899aabbccddeeff".parse().unwrap();
        assert_eq!(id.to_uuid(), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(id.to_uuid().parse::<KeyId>().unwrap(), id);
        for text in
            ["", "0011", "00112233-4455-6677-8899-aabbccddeef", "0011223344556677-8899-aabb-ccddeeff-", "é"]
        {
            assert!(text.parse::<KeyId>().is_err(), "{text}");
        }
    }

    #[test]
    fn pictures_divide_where_widevine_divides_them() {
        for (width, height, expected) in [
            (426, 240, KeyUse::Sd),
            (768, 576, KeyUse::Sd),
            (1280, 720, KeyUse::Hd),
            (1920, 1080, KeyUse::Hd),
            (2560, 1440, KeyUse::Uhd),
        ] {
            assert_eq!(KeyUse::of_picture(width, height), expected, "{width}x{height}");
        }
    }
}
