//! A source from a bucket to this host.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{GetOptions, GetRange, ObjectStore as _};
use reelfarm_model::{Digest, Failure, SourceReference};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{LocalSource, Sources, changed, unreadable};
use crate::blocking::blocking;
use crate::cache::Hold;
use crate::error::ArtifactError;

/// Bytes that are asked for at once.
const RANGE: u64 = 8 * 1024 * 1024;
/// Ranges that are under way at once.
const AT_ONCE: usize = 4;
/// Bytes that are read at once of what is there already.
const BLOCK: usize = 256 * 1024;
/// The name of the note beside the file.
const NOTE: &str = "source.json";

/// What is known of a file that was fetched.
#[derive(Serialize, Deserialize)]
struct Note {
    source: SourceReference,
    sha256: Digest,
}

impl Sources {
    /// The source on this host, fetched where it is not here yet. `expected` is its SHA-256, where that is known.
    pub(crate) async fn fetch(
        &self,
        source: &SourceReference,
        expected: Option<Digest>,
    ) -> Result<LocalSource, Failure> {
        let text = source.path.to_string_lossy().into_owned();
        let location = self.allowed(&text)?;
        let etag = source.etag.clone().unwrap_or_default();
        let name = format!("source-{}", Digest::of(format!("{text}\n{}\n{etag}", source.size).as_bytes()));
        if let Some(hold) = self.cache.hold(&name).await.map_err(ArtifactError::from)? {
            return given_out(hold, &text, expected).await;
        }
        let _turn = self.cache.turn(&name).await;
        if let Some(hold) = self.cache.hold(&name).await.map_err(ArtifactError::from)? {
            return given_out(hold, &text, expected).await;
        }
        let mut part = Part::open(self.cache.partial_folder().join(&name), source.size).await?;
        let room = self.cache.reserve(source.size - part.length).await?;
        let bucket = self.bucket(&location)?;
        let starts = (part.length..source.size).step_by(RANGE as usize);
        let fetching = starts.map(|start| {
            let options = GetOptions {
                range: Some(GetRange::Bounded(start..source.size.min(start + RANGE))),
                if_match: Some(etag.clone()),
                ..GetOptions::default()
            };
            let (bucket, at) = (&bucket, &location.prefix);
            async move { bucket.s3.get_opts(at, options).await?.bytes().await }
        });
        // Boxed: otherwise the compiler cannot see that a caller's future is Send.
        let mut fetched = futures::stream::iter(fetching).buffered(AT_ONCE).boxed();
        while let Some(bytes) = fetched.try_next().await.map_err(|error| unreadable(&text, &error))? {
            part = part.append(bytes.to_vec()).await?;
        }
        if part.length != source.size {
            return Err(changed(&text));
        }
        let staging = self.cache.staging("source").map_err(ArtifactError::from)?;
        let (folder, noted) = (staging.path().to_owned(), source.clone());
        let file = file_name(source);
        blocking(move || part.finish(&folder, &file, noted)).await?;
        let hold = self.cache.admit(&name, staging.path(), source.size, Some(room)).await?;
        given_out(hold, &text, expected).await
    }
}

/// Gives out what was fetched, if it has the bytes that are expected.
async fn given_out(hold: Hold, text: &str, expected: Option<Digest>) -> Result<LocalSource, Failure> {
    let folder = hold.folder();
    let note: Note = blocking(move || {
        let note = fs_err::read(folder.join(NOTE))?;
        Ok::<_, ArtifactError>(serde_json::from_slice(&note).map_err(io::Error::other)?)
    })
    .await?;
    if expected.is_some_and(|expected| expected != note.sha256) {
        return Err(changed(text));
    }
    Ok(LocalSource { path: hold.folder().join(file_name(&note.source)), _hold: Some(hold) })
}

/// The name of the file: people look at what a program was told to open, and some programs look at its end.
fn file_name(source: &SourceReference) -> String {
    let end = source.path.extension().and_then(|end| end.to_str()).unwrap_or_default();
    let is_plain = !end.is_empty() && end.len() <= 8 && end.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain { format!("source.{end}") } else { "source".to_owned() }
}

/// The beginning of a file, which grows at its end.
struct Part {
    path: PathBuf,
    file: fs_err::File,
    length: u64,
    sha256: Sha256,
}

impl Part {
    /// What an earlier process has fetched, or nothing yet.
    async fn open(path: PathBuf, size: u64) -> Result<Self, ArtifactError> {
        blocking(move || {
            let mut file =
                fs_err::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
            if file.metadata()?.len() > size {
                file.set_len(0)?;
            }
            let (mut sha256, mut length, mut block) = (Sha256::new(), 0, vec![0; BLOCK]);
            loop {
                let read = file.read(&mut block)?;
                if read == 0 {
                    return Ok(Self { path, file, length, sha256 });
                }
                sha256.update(&block[..read]);
                length += read as u64;
            }
        })
        .await
    }

    async fn append(mut self, bytes: Vec<u8>) -> Result<Self, ArtifactError> {
        blocking(move || {
            self.file.write_all(&bytes)?;
            self.sha256.update(&bytes);
            self.length += bytes.len() as u64;
            Ok(self)
        })
        .await
    }

    /// Moves the whole file into `folder`, with its note. Blocks.
    fn finish(self, folder: &Path, name: &str, source: SourceReference) -> Result<(), ArtifactError> {
        let note = Note { source, sha256: Digest::from_bytes(self.sha256.finalize().into()) };
        let note = serde_json::to_vec_pretty(&note).map_err(io::Error::other)?;
        fs_err::write(folder.join(NOTE), note)?;
        fs_err::rename(&self.path, folder.join(name))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ends_of_names_are_kept() {
        for (path, expected) in [
            ("s3://farm/a/film.mxf", "source.mxf"),
            ("s3://farm/film", "source"),
            ("s3://farm/film.", "source"),
            ("s3://farm/film.m p4", "source"),
            ("s3://farm/film.mp4;rm", "source"),
            ("s3://farm/film.averylongend", "source"),
        ] {
            let source = SourceReference { path: path.into(), size: 1, modified_ns: 0, etag: None };
            assert_eq!(file_name(&source), expected, "{path}");
        }
    }
}
