//! The delivered original.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where a source lies and what it looked like when it was submitted. The path is no part of any key: the same
/// bytes elsewhere are the same source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReference {
    /// The absolute path.
    pub path: PathBuf,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last change, in nanoseconds since 1970 UTC.
    pub modified_ns: i128,
}

/// What a fingerprint task found: the digests of every byte of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// SHA-256: the root of every key of the title.
    pub sha256: crate::key::Digest,
    /// MD5 in lower-case hexadecimal, as deliveries usually state it.
    pub md5: String,
    /// The size in bytes.
    pub size: u64,
}
