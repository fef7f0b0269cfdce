//! Artifacts and origins for the tests of this crate.

use std::path::Path;

use reelfarm_artifacts::{Artifact, ArtifactStore};
use reelfarm_model::attempt::{Fence, LeaseToken};
use reelfarm_model::index::{Index, IndexFile};
use reelfarm_model::key::TaskKey;
use reelfarm_model::{ArtifactKey, Digest, TitleId};
use tokio_util::sync::CancellationToken;

pub(crate) fn key(name: &str) -> ArtifactKey {
    ArtifactKey(Digest::of(name.as_bytes()))
}

pub(crate) fn fence(name: &str) -> Fence {
    Fence { task: TaskKey(Digest::of(name.as_bytes())), attempt: 1, lease: LeaseToken(7) }
}

/// The token of work that nobody stops.
pub(crate) fn running() -> CancellationToken {
    CancellationToken::new()
}

pub(crate) fn title(name: &str) -> TitleId {
    name.parse().unwrap()
}

/// Bytes that differ from file to file and have no short period.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[3]
        })
        .collect()
}

pub(crate) fn write(folder: &Path, path: &str, content: &[u8]) {
    let place = folder.join(path);
    fs_err::create_dir_all(place.parent().unwrap()).unwrap();
    fs_err::write(place, content).unwrap();
}

/// Makes and takes over an artifact of these files.
pub(crate) async fn artifact(store: &ArtifactStore, name: &str, files: &[(&str, &[u8])]) -> Artifact {
    let staging = store.staging(&fence(name)).unwrap();
    let folder = staging.path().join("out");
    for (path, content) in files {
        write(&folder, path, content);
    }
    store.take_over(key(name), &folder).await.unwrap()
}

/// Every plain file below a folder, by its path from there.
pub(crate) fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn index(title: &TitleId, mut files: Vec<IndexFile>) -> Index {
    files.sort();
    let source = Digest::of(b"source");
    Index {
        schema: 1,
        title: title.clone(),
        source,
        profiles: Vec::new(),
        more_follow: false,
        cue_points: Vec::new(),
        files,
    }
}

pub(crate) fn index_file(path: &str, content: &[u8]) -> IndexFile {
    use md5::Digest as _;
    IndexFile {
        path: path.to_owned(),
        size: content.len() as u64,
        md5: hex::encode(md5::Md5::digest(content)),
    }
}
