//! A look at a source before anything is read of it, and the file that is read.

use std::io::ErrorKind;
use std::path::Path;
use std::time::UNIX_EPOCH;

use reelfarm_artifacts::{ArtifactStore, LocalSource};
use reelfarm_model::{Code, Digest, Failure, SourceReference};

use crate::execute::blocking;

/// The source at `path`, as it lies there now. Blocking: it asks the file system.
///
/// # Errors
/// There is no such file, it is no regular file, it is empty, or it may not be read.
pub fn source_reference(path: &Path) -> Result<SourceReference, Failure> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Failure::new(
            Code::SourceNotFound,
            format!("there is no file {shown}; check the path and that the disk is mounted"),
        ),
        _ => Failure::new(
            Code::SourceUnreadable,
            format!("{shown} cannot be read: {error}; check its permissions"),
        ),
    };
    let canonical = fs_err::canonicalize(path).map_err(unreadable)?;
    let metadata = fs_err::metadata(&canonical).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Failure::new(
            Code::SourceNotAFile,
            format!("{shown} is a folder; name the film file inside it"),
        ));
    }
    if !metadata.is_file() {
        return Err(Failure::new(
            Code::SourceNotAFile,
            format!("{shown} is no regular file; the farm reads only files"),
        ));
    }
    if metadata.len() == 0 {
        return Err(Failure::new(
            Code::SourceEmpty,
            format!("{shown} is empty; the delivery may not have finished: deliver it again"),
        ));
    }
    fs_err::File::open(&canonical).map_err(unreadable)?;
    let modified = metadata.modified().map_err(unreadable)?;
    let modified_ns = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    };
    Ok(SourceReference { path: canonical, size: metadata.len(), modified_ns, etag: None })
}

/// Sees that a source still lies where it did, with the bytes that it was submitted with as far as that shows.
///
/// # Errors
/// [`Code::SourceChanged`] where it does not; it cannot be looked at.
pub(crate) async fn unchanged(artifacts: &ArtifactStore, expected: &SourceReference) -> Result<(), Failure> {
    let found = match object(expected) {
        Some(object) => artifacts.look_at_source(object).await?,
        None => {
            let path = expected.path.clone();
            blocking(move || source_reference(&path)).await?
        }
    };
    if found == *expected {
        return Ok(());
    }
    Err(Failure::new(
        Code::SourceChanged,
        format!(
            "{} changed while it was worked on ({} bytes when it was submitted, {} now); submit it again once its delivery is complete",
            expected.path.display(),
            expected.size,
            found.size
        ),
    ))
}

/// A source as a file on this host. `digest` is that of its bytes, where that is known.
///
/// # Errors
/// As of [`unchanged`], and of fetching one that lies in a bucket.
pub(crate) async fn local(
    artifacts: &ArtifactStore,
    source: &SourceReference,
    digest: Option<Digest>,
) -> Result<LocalSource, Failure> {
    unchanged(artifacts, source).await?;
    match object(source) {
        Some(_) => artifacts.fetch_source(source, digest).await,
        None => Ok(LocalSource::in_folder(source.path.clone())),
    }
}

/// The place of a source that lies in a bucket.
fn object(source: &SourceReference) -> Option<&str> {
    source.path.to_str().filter(|path| path.starts_with("s3://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_film_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.mp4");
        fs_err::write(&empty, b"").unwrap();
        for (path, code) in [
            (folder.path().join("none.mp4"), Code::SourceNotFound),
            (folder.path().to_owned(), Code::SourceNotAFile),
            (empty, Code::SourceEmpty),
            ("/dev/null".into(), Code::SourceNotAFile),
        ] {
            let failure = source_reference(&path).unwrap_err();
            assert_eq!(failure.code, code, "{failure}");
            assert!(failure.message.contains(&path.display().to_string()), "{failure}");
        }
    }

    #[tokio::test]
    async fn a_file_is_read_where_it_lies_unless_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = ArtifactStore::open(&folder.path().join("state")).unwrap();
        let path = folder.path().join("film.mp4");
        fs_err::write(&path, b"reel").unwrap();
        let source = source_reference(&path).unwrap();
        let file = local(&artifacts, &source, None).await.unwrap();
        assert_eq!(file.path, source.path);
        fs_err::write(&path, b"reels").unwrap();
        for changed in
            [unchanged(&artifacts, &source).await, local(&artifacts, &source, None).await.map(drop)]
        {
            assert_eq!(changed.unwrap_err().code, Code::SourceChanged);
        }
    }

    #[tokio::test]
    async fn an_object_is_not_looked_for_among_files() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = ArtifactStore::open(folder.path()).unwrap();
        let object =
            SourceReference { path: "s3://farm/film.mxf".into(), size: 1, modified_ns: 1, etag: None };
        let failure = local(&artifacts, &object, None).await.map(drop).unwrap_err();
        assert_eq!(failure.code, Code::SettingsInvalid, "no place was named: {failure}");
    }

    #[test]
    fn a_file_is_known_by_size_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.mp4");
        fs_err::write(&path, b"reel").unwrap();
        let source = source_reference(&path).unwrap();
        assert_eq!(source.size, 4);
        assert!(source.modified_ns > 0);
    }
}
