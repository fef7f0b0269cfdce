//! Digests and the content-addressed keys of artifacts and tasks.
//!
//! An artifact's key is known before the artifact is made: it is the SHA-256 of what kind of thing it is, the
//! full specification of how it is made, the keys of what it is made from (the source's digest at the root) and
//! the versions of the tools that shape its bytes. A task's key is the hash of the keys of the artifacts it
//! makes. So equal work has equal keys on every host, and a plan can be compared with what already exists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Changes when the meaning of hashed material changes, so that no old key can be mistaken for a new one.
const KEY_SCHEMA: &str = "reelfarm-key-v1";

/// A SHA-256 digest; prints and serialises as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A text was not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("not a digest of 64 hexadecimal digits: {0:?}")]
pub struct InvalidDigest(String);

impl Digest {
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The first 12 hexadecimal digits: enough to tell keys apart in a log line or a folder name.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidDigest(text.to_owned()))?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub struct $name(pub Digest);

        impl $name {
            /// The first 12 hexadecimal digits.
            pub fn short(&self) -> String {
                self.0.short()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = InvalidDigest;

            fn from_str(text: &str) -> Result<Self, InvalidDigest> {
                text.parse().map(Self)
            }
        }
    };
}

key!(
    /// Names an immutable artifact by how it is made.
    ArtifactKey
);
key!(
    /// Names a task by the artifacts it makes.
    TaskKey
);

/// The digest of `material` within `domain`. Two domains never share a digest.
///
/// Material is hashed as JSON with struct fields in declaration order, so it must hold no hash map (use
/// `BTreeMap`) and no float that is computed rather than written down.
pub fn digest_of<T: Serialize>(domain: &str, material: &T) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(KEY_SCHEMA.as_bytes());
    hasher.update([0]);
    hasher.update(domain.as_bytes());
    hasher.update([0]);
    // Writing JSON fails only for maps with keys that are no text, which the types hashed here do not have;
    // were it to happen, the error's own text keeps the digests of different failures apart.
    match serde_json::to_vec(material) {
        Ok(bytes) => hasher.update(&bytes),
        Err(error) => hasher.update(format!("unserialisable: {error}").as_bytes()),
    }
    Digest(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text_form() {
        let digest = Digest::of(b"reel");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert_eq!(digest.to_string().len(), 64);
        assert!("abc".parse::<Digest>().is_err());
    }

    #[test]
    fn domains_keep_equal_material_apart() {
        assert_ne!(digest_of("rendition", &1), digest_of("audio", &1));
        assert_eq!(digest_of("rendition", &1), digest_of("rendition", &1));
    }
}
