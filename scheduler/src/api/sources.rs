//! Where sources may lie, and how they are looked at before anything is made of them.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use reelfarm_api::SourceRequest;
use reelfarm_artifacts::ArtifactStore;
use reelfarm_model::{Code, Failure, SourceReference};

use super::uploads::{Sent, Uploads};

/// Finds what a submission names as its source.
#[async_trait]
pub trait Sources: Send + Sync + 'static {
    /// The source as it lies there now.
    ///
    /// # Errors
    /// It is not there, cannot be read, or lies where the farm takes no sources from.
    async fn look(&self, source: &SourceRequest) -> Result<SourceReference, Failure>;
}

/// Objects as sources.
#[async_trait]
pub trait ObjectSources: Send + Sync + 'static {
    /// The object at `s3://bucket/key` as it lies there now.
    ///
    /// # Errors
    /// It is not there, cannot be read, or lies where the farm takes no sources from.
    async fn look(&self, url: &str) -> Result<SourceReference, Failure>;
}

#[async_trait]
impl ObjectSources for ArtifactStore {
    async fn look(&self, url: &str) -> Result<SourceReference, Failure> {
        if !url.starts_with("s3://") {
            return Err(refused(format!("{url:?} is no s3:// URL")));
        }
        if self.is_upload(url) {
            return Err(refused(format!("{url:?} was uploaded: name the upload by its SHA-256")));
        }
        self.look_at_source(url).await
    }
}

/// Looks at a file; blocks, shortly. Answers its path with every link resolved.
pub type LookAt = fn(&Path) -> Result<SourceReference, Failure>;

/// Files in certain folders, objects, and finished uploads.
pub struct FarmSources {
    /// Folders that all hosts of the farm see, and that sources are taken from.
    pub folders: Vec<PathBuf>,
    /// Objects, where the farm takes them.
    pub objects: Option<Arc<dyn ObjectSources>>,
    /// Uploads.
    pub uploads: Arc<dyn Uploads>,
    /// How a file is looked at.
    pub look_at: LookAt,
}

#[async_trait]
impl Sources for FarmSources {
    async fn look(&self, source: &SourceRequest) -> Result<SourceReference, Failure> {
        match source {
            SourceRequest::Path(path) => self.file(path).await,
            SourceRequest::Url(url) => match &self.objects {
                Some(objects) => objects.look(url).await,
                None => Err(refused("this farm takes no objects as sources".to_owned())),
            },
            SourceRequest::Upload(upload) => match self.uploads.sent(upload).await? {
                Some(Sent::File(path)) => self.look_at(path).await,
                Some(Sent::Object(object)) => Ok(object),
                None => Err(Failure::new(Code::NotFound, format!("no upload {upload} is here and complete"))),
            },
        }
    }
}

impl FarmSources {
    async fn file(&self, text: &str) -> Result<SourceReference, Failure> {
        let outside =
            || refused(format!("{text:?} lies in none of the folders that the farm takes sources from"));
        let path = PathBuf::from(text);
        // Judged by its text before anything is asked of the disk, so that nothing is learnt of what lies elsewhere.
        let is_plain = path.is_absolute()
            && !text.contains('\0')
            && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        if !is_plain || !self.folders.iter().any(|folder| path.starts_with(folder)) {
            return Err(outside());
        }
        let source = self.look_at(path).await?;
        // And again with links resolved: one may lead out.
        let folders = self.folders.clone();
        let resolved = source.path.clone();
        let inside = tokio::task::spawn_blocking(move || {
            let real = |folder: &PathBuf| fs_err::canonicalize(folder).ok();
            folders.iter().filter_map(real).any(|folder| resolved.starts_with(folder))
        });
        if inside.await.map_err(|error| Failure::new(Code::Internal, error.to_string()))? {
            Ok(source)
        } else {
            Err(outside())
        }
    }

    async fn look_at(&self, path: PathBuf) -> Result<SourceReference, Failure> {
        let look_at = self.look_at;
        let looked = tokio::task::spawn_blocking(move || look_at(&path)).await;
        looked.map_err(|error| Failure::new(Code::Internal, error.to_string()))?
    }
}

fn refused(message: String) -> Failure {
    Failure::new(Code::RequestInvalid, message)
}

#[cfg(test)]
mod tests {
    use super::super::uploads::FolderUploads;
    use super::*;

    fn look_at(path: &Path) -> Result<SourceReference, Failure> {
        let missing = |error: std::io::Error| Failure::new(Code::SourceNotFound, error.to_string());
        let path = fs_err::canonicalize(path).map_err(missing)?;
        Ok(SourceReference { path, size: 1, modified_ns: 1, etag: None })
    }

    #[tokio::test]
    async fn sources_are_taken_from_certain_folders_alone_whatever_the_path_looks_like() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let folder = root.join("films");
        for path in [&folder, &root.join("films-secret")] {
            fs_err::create_dir(path).unwrap();
            fs_err::write(path.join("film.mov"), b"reel").unwrap();
        }
        std::os::unix::fs::symlink(root.join("films-secret/film.mov"), folder.join("link.mov")).unwrap();
        std::os::unix::fs::symlink(folder.join("film.mov"), folder.join("near.mov")).unwrap();
        let uploads = Arc::new(FolderUploads::open(&root.join("uploads"), u64::MAX).unwrap());
        let sources = FarmSources { folders: vec![folder.clone()], objects: None, uploads, look_at };
        let look = |path: String| {
            let (request, sources) = (SourceRequest::Path(path), &sources);
            async move { sources.look(&request).await }
        };
        let inside = folder.to_string_lossy();
        for path in [format!("{inside}/film.mov"), format!("{inside}/near.mov")] {
            assert_eq!(look(path).await.unwrap().path, folder.join("film.mov"));
        }
        for path in [
            format!("{inside}/link.mov"),
            format!("{inside}/../films-secret/film.mov"),
            format!("{inside}-secret/film.mov"),
            "film.mov".to_owned(),
            "/etc/passwd".to_owned(),
            String::new(),
            format!("{inside}/film.mov\0.txt"),
        ] {
            assert_eq!(look(path.clone()).await.unwrap_err().code, Code::RequestInvalid, "{path:?}");
        }
        assert_eq!(look(format!("{inside}/none.mov")).await.unwrap_err().code, Code::SourceNotFound);
    }
}
