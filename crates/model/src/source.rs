//! The delivered original.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::checksum::ChecksumAlgorithm;

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
    /// The ETag of an object, with its quotation marks (RFC 9110, 8.8.3): it changes with the bytes. Files have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

impl SourceReference {
    /// The file's name without its folder.
    pub fn file_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// What a fingerprint task found: the digests of every byte of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// SHA-256: the root of every key of the title.
    pub sha256: crate::key::Digest,
    /// MD5 in lower-case hexadecimal, as deliveries usually state it.
    pub md5: String,
    /// SHA-1 in lower-case hexadecimal, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha1: Option<String>,
    /// The size in bytes.
    pub size: u64,
}

impl Fingerprint {
    /// The digest by this algorithm, in lower-case hexadecimal; `None` where it was not asked for.
    pub fn value(&self, algorithm: ChecksumAlgorithm) -> Option<String> {
        match algorithm {
            ChecksumAlgorithm::Md5 => Some(self.md5.clone()),
            ChecksumAlgorithm::Sha1 => self.sha1.clone(),
            ChecksumAlgorithm::Sha256 => Some(self.sha256.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::key::Digest;
    use crate::recipe::ToolVersions;
    use crate::task::{FingerprintSpec, SubtitlesSpec, Task, TaskSpec};

    use super::*;

    #[test]
    fn people_tell_what_reads_one_delivered_file_from_what_reads_another() {
        let source = |name: &str| SourceReference {
            path: format!("/films/{name}").into(),
            size: 1,
            modified_ns: 1,
            etag: None,
        };
        let fingerprint = TaskSpec::Fingerprint(FingerprintSpec::new(source("film.mp4")));
        assert_eq!(fingerprint.label(), "fingerprint film.mp4");
        let subtitles = TaskSpec::Subtitles(SubtitlesSpec { source: Digest::of(b"bytes"), duration_ms: 1 });
        assert_eq!(subtitles.label(), format!("subtitles {}", Digest::of(b"bytes").short()));
        assert_eq!(subtitles.label_with(Some(&source("film.en.srt"))), "subtitles film.en.srt");
    }

    #[test]
    fn a_source_survives_json_inside_a_task() {
        for modified_ns in [0, -1, 1_700_000_000_123_456_789, i64::MIN, i64::MAX] {
            let source =
                SourceReference { path: "/film.mov".into(), size: u64::MAX, modified_ns, etag: None };
            let task =
                Task::new(TaskSpec::Fingerprint(FingerprintSpec::new(source)), &ToolVersions::default());
            let text = serde_json::to_string(&task).unwrap();
            assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task);
            assert!(!text.contains("etag"), "keys of files are what they were before there were objects");
            assert!(!text.contains("sha1"), "and before there were checksums");
        }
    }

    /// Otherwise every film would be read anew after an upgrade.
    #[test]
    fn what_older_programs_read_of_a_film_is_known_by_the_same_key() {
        let source =
            SourceReference { path: "/films/film.mp4".into(), size: 10_000_000, modified_ns: 1, etag: None };
        let key = |sha1| {
            let spec = FingerprintSpec { source: source.clone(), sha1 };
            Task::new(TaskSpec::Fingerprint(spec), &ToolVersions::default().with_recipes()).key.to_string()
        };
        assert_eq!(key(false), "c0036d519d1c12cd6eaeeba291830d6d1d26ace25e8c5318dab78e8064dfd79f");
        assert_ne!(key(true), key(false));
    }

    #[test]
    fn the_source_of_an_older_scheduler_is_read_and_an_objects_etag_is_kept() {
        let older: SourceReference =
            serde_json::from_str(r#"{"path":"/a","size":1,"modified_ns":2}"#).unwrap();
        assert_eq!(older.etag, None);
        let object = SourceReference { etag: Some("\"abc-2\"".to_owned()), ..older };
        let text = serde_json::to_string(&object).unwrap();
        assert_eq!(serde_json::from_str::<SourceReference>(&text).unwrap(), object);
    }
}
