//! Checksums as deliveries state them: what an algorithm makes of every byte of a file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a checksum is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChecksumAlgorithm {
    /// MD5 (RFC 1321).
    Md5,
    /// SHA-1 (FIPS 180-4).
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
}

impl ChecksumAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha1, Self::Sha256];

    /// The name, which is also the extension of files of such checksums.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// Hexadecimal digits of a checksum.
    pub const fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
        }
    }
}

/// A checksum; prints and serialises as `md5:` and its hexadecimal digits in small letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum {
    algorithm: ChecksumAlgorithm,
    value: String,
}

/// A text is no checksum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChecksum {
    /// It names no algorithm, or none that is known.
    #[error("a checksum is md5:, sha1: or sha256: and its hexadecimal digits, not {0:?}")]
    Algorithm(String),
    /// The digits are too few or too many, or are no hexadecimal ones.
    #[error("{} has {} hexadecimal digits, not {value:?}", algorithm.as_str(), algorithm.digits())]
    Digits {
        /// The algorithm.
        algorithm: ChecksumAlgorithm,
        /// What stands in their place, the first characters.
        value: String,
    },
}

impl Checksum {
    /// The checksum of these hexadecimal digits, large or small.
    ///
    /// # Errors
    /// They are not as many as the algorithm has, or others are among them.
    pub fn new(algorithm: ChecksumAlgorithm, value: &str) -> Result<Self, InvalidChecksum> {
        if value.len() != algorithm.digits() || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidChecksum::Digits { algorithm, value: shortened(value) });
        }
        Ok(Self { algorithm, value: value.to_ascii_lowercase() })
    }

    /// What it is made with.
    pub const fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Its hexadecimal digits, in small letters.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// As much of a text as an error shows.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.value)
    }
}

impl FromStr for Checksum {
    type Err = InvalidChecksum;

    fn from_str(text: &str) -> Result<Self, InvalidChecksum> {
        let unknown = || InvalidChecksum::Algorithm(shortened(text));
        let (name, value) = text.split_once(':').ok_or_else(unknown)?;
        let algorithm = ChecksumAlgorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name);
        Self::new(algorithm.ok_or_else(unknown)?, value)
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A checksum that was delivered with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StatedChecksum {
    /// The checksum.
    pub checksum: Checksum,
    /// Where it is stated, as people know it: `film.mov.md5`.
    pub stated_in: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn a_checksum_survives_its_text_form_in_small_letters() {
        let checksum: Checksum = format!("md5:{}", MD5.to_uppercase()).parse().unwrap();
        assert_eq!((checksum.algorithm(), checksum.value()), (ChecksumAlgorithm::Md5, MD5));
        assert_eq!(checksum.to_string(), format!("md5:{MD5}"));
        for algorithm in ChecksumAlgorithm::ALL {
            let checksum = Checksum::new(algorithm, &"0aF9".repeat(algorithm.digits() / 4)).unwrap();
            let text = serde_json::to_string(&checksum).unwrap();
            assert_eq!(serde_json::from_str::<Checksum>(&text).unwrap(), checksum);
        }
    }

    #[test]
    fn what_is_no_checksum_is_refused_with_the_reason() {
        let sha1 = "a".repeat(40);
        for (text, reason) in [
            (MD5.to_owned(), "md5:, sha1: or sha256:"),
            (format!("MD5:{MD5}"), "md5:, sha1: or sha256:"),
            (format!("crc32:{MD5}"), "md5:, sha1: or sha256:"),
            (format!("md5:{sha1}"), "md5 has 32 hexadecimal digits"),
            (format!("sha256:{sha1}"), "sha256 has 64 hexadecimal digits"),
            (format!("md5: {}", &MD5[1..]), "md5 has 32 hexadecimal digits"),
            (format!("md5:{}g", &MD5[1..]), "md5 has 32 hexadecimal digits"),
            (format!("md5:{}ß", &MD5[2..]), "md5 has 32 hexadecimal digits"),
            ("md5:".to_owned(), "md5 has 32 hexadecimal digits"),
            (String::new(), "md5:, sha1: or sha256:"),
        ] {
            let error = text.parse::<Checksum>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
