//! The delivered original.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where a source lies and what it looked like when it was submitted. The path is no part of any key: the same
/// bytes elsewhere are the same source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SourceReference {
    /// The absolute path.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub path: PathBuf,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last change, in nanoseconds since 1970 UTC.
    pub modified_ns: i64,
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

#[cfg(test)]
mod tests {
    use crate::recipe::ToolVersions;
    use crate::task::{FingerprintSpec, Task, TaskSpec};

    use super::*;

    #[test]
    fn a_source_survives_json_inside_a_task() {
        for modified_ns in [0, -1, 1_700_000_000_123_456_789, i64::MIN, i64::MAX] {
            let source = SourceReference { path: "/film.mov".into(), size: u64::MAX, modified_ns };
            let task = Task::new(TaskSpec::Fingerprint(FingerprintSpec { source }), &ToolVersions::default());
            let text = serde_json::to_string(&task).unwrap();
            assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task);
        }
    }
}
