//! An artifact and the list of its files, `artifact.json`.

use std::path::PathBuf;

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::key::digest_of;
use reelfarm_model::{ArtifactKey, Digest};
use serde::{Deserialize, Serialize};

/// The name of the list within the artifact's folder.
pub(crate) const LIST_NAME: &str = "artifact.json";
/// The version of the list's form.
const SCHEMA: u32 = 1;

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ArtifactFile {
    /// The path from the artifact's folder, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// MD5 of its bytes in lower-case hexadecimal.
    pub md5: String,
}

/// An immutable set of files in a folder of its own. Nobody may write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its key.
    pub key: ArtifactKey,
    /// Where its files lie.
    pub folder: PathBuf,
    /// What it holds, in short: the digest of the list of its files, and their bytes in all.
    pub record: ArtifactRecord,
    /// Its files, in the order of their paths; `artifact.json` is not among them.
    pub files: Vec<ArtifactFile>,
}

impl Artifact {
    /// Where one of its files lies.
    pub fn path_of(&self, file: &ArtifactFile) -> PathBuf {
        self.folder.join(&file.path)
    }
}

/// The content of `artifact.json`.
#[derive(Serialize, Deserialize)]
pub(crate) struct FileList {
    schema: u32,
    #[serde(flatten)]
    pub(crate) record: ArtifactRecord,
    pub(crate) files: Vec<ArtifactFile>,
}

impl FileList {
    pub(crate) fn new(key: ArtifactKey, files: Vec<ArtifactFile>) -> Self {
        let record = ArtifactRecord {
            key,
            digest: digest_of("artifact-files", &files),
            size: files.iter().map(|file| file.size).sum(),
        };
        Self { schema: SCHEMA, record, files }
    }

    /// What speaks against trusting it, if anything does.
    pub(crate) fn fault(&self, key: ArtifactKey) -> Option<String> {
        if self.schema != SCHEMA {
            Some(format!("{LIST_NAME} has schema {}, not {SCHEMA}", self.schema))
        } else if self.record != Self::new(key, self.files.clone()).record {
            Some(format!("{LIST_NAME} contradicts itself"))
        } else {
            None
        }
    }
}
