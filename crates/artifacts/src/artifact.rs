//! An artifact and the list of its files, `artifact.json`.

use std::io;
use std::path::{Component, Path, PathBuf};

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::key::digest_of;
use reelfarm_model::{ArtifactKey, Digest};
use serde::{Deserialize, Serialize};

use crate::cache::Hold;
use crate::folder;

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

/// An immutable set of files in a folder of its own. Nobody may write there. Where the folder is a copy on this host, it
/// stays for as long as this value, or a clone of it, is there, and may go afterwards.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Its key.
    pub key: ArtifactKey,
    /// Where its files lie.
    pub folder: PathBuf,
    /// What it holds, in short: the digest of the list of its files, and their bytes in all.
    pub record: ArtifactRecord,
    /// Its files, in the order of their paths; `artifact.json` is not among them.
    pub files: Vec<ArtifactFile>,
    /// What keeps the copy where it is.
    _hold: Option<Hold>,
}

impl PartialEq for Artifact {
    fn eq(&self, other: &Self) -> bool {
        (self.key, &self.folder, &self.record, &self.files)
            == (other.key, &other.folder, &other.record, &other.files)
    }
}

impl Eq for Artifact {}

impl Artifact {
    /// One that lies where it was made.
    pub(crate) fn in_folder(folder: PathBuf, list: FileList) -> Self {
        Self { key: list.record.key, folder, record: list.record, files: list.files, _hold: None }
    }

    /// A copy on this host.
    pub(crate) fn in_cache(hold: Hold, list: FileList) -> Self {
        let artifact = Self::in_folder(hold.folder(), list);
        Self { _hold: Some(hold), ..artifact }
    }

    /// Where one of its files lies.
    pub fn path_of(&self, file: &ArtifactFile) -> PathBuf {
        self.folder.join(&file.path)
    }
}

/// The content of `artifact.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Writes it into the folder with its files, and gets it onto the disk. Blocks.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        let place = folder.join(LIST_NAME);
        if let Err(error) = folder::write_durably(&place, &text) {
            // Half a list would keep the folder from being taken over once there is room again.
            folder::remove_all(&place)?;
            return Err(error);
        }
        Ok(())
    }

    /// What speaks against trusting it, if anything does.
    pub(crate) fn fault(&self, key: ArtifactKey) -> Option<String> {
        if self.schema != SCHEMA {
            Some(format!("{LIST_NAME} has schema {}, not {SCHEMA}", self.schema))
        } else if self.record != Self::new(key, self.files.clone()).record {
            Some(format!("{LIST_NAME} contradicts itself"))
        } else {
            let outside = self.files.iter().find(|file| !stays_inside(&file.path));
            outside.map(|file| format!("{LIST_NAME} names {:?}", file.path))
        }
    }
}

/// Whether a path from a folder, joined to it, leads to something in it.
fn stays_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_names_files_elsewhere_is_not_trusted() {
        let key = ArtifactKey(Digest::of(b"key"));
        let list = |path: &str| {
            let sha256 = Digest::of(b"");
            FileList::new(
                key,
                vec![ArtifactFile { path: path.to_owned(), size: 0, sha256, md5: String::new() }],
            )
        };
        for path in ["../f", "a/../../f", "/etc/passwd", "", "./f", ".."] {
            assert!(list(path).fault(key).is_some(), "{path:?}");
        }
        for path in ["f", "a/f", "a b#1", "..a/b.."] {
            assert_eq!(list(path).fault(key), None, "{path:?}");
        }
        assert!(list("f").fault(ArtifactKey(Digest::of(b"another"))).is_some());
    }
}
