//! The origin: where players fetch from. `ORIGIN/<title>/index.json` is written last and read by everybody; what it
//! names is there and was read back.
//!
//! It is built on `object_store`, so that a folder and a bucket are one code. What only a folder needs (empty folders,
//! unfinished files, links) is in `local`. A bucket's ETags are not trusted: what was written is read back.

mod audit;
mod error;
mod holds;
mod listing;
mod local;
mod ownership;
mod path;
mod publish;
mod set_back;
mod superseded;
mod transfer;
mod upload;
mod withdraw;

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;

pub use audit::Audit;
pub use error::OriginError;
pub use publish::Published;
pub use upload::{Receipt, Uploaded};

use crate::bucket::{Bucket, S3Access};
use crate::location::{BucketLocation, Location};

/// The name of a title's index within its folder.
const INDEX_NAME: &str = "index.json";

/// One origin. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Origin {
    name: Arc<str>,
    store: Arc<dyn ObjectStore>,
    /// The same for media: in a folder, many files get onto the disk together, by [`settle`](Self::settle).
    bulk: Arc<dyn ObjectStore>,
    /// The folder, where the origin is one.
    folder: Option<Arc<PathBuf>>,
    /// The bucket, where the origin is one.
    bucket: Option<Bucket>,
}

impl Origin {
    /// The origin at an absolute path or a `file://` URL. The folder is made where it is missing. Blocks, shortly.
    ///
    /// # Errors
    /// [`OriginError::Unsupported`] for anything else; [`OriginError::Unreachable`] or [`OriginError::Full`] where the
    /// folder cannot be made or written.
    pub fn open(origin: &str) -> Result<Self, OriginError> {
        let folder = path::folder_of(origin)?;
        let folder = local::prepare(&folder).map_err(|source| OriginError::io(origin, "open", source))?;
        let store = || {
            LocalFileSystem::new_with_prefix(&folder)
                .map_err(|source| OriginError::object_store(origin, "open", source))
        };
        Ok(Self {
            name: origin.into(),
            store: Arc::new(store()?.with_fsync(true)),
            bulk: Arc::new(store()?),
            folder: Some(Arc::new(folder)),
            bucket: None,
        })
    }

    /// The origin at an absolute path, a `file://` URL, or `s3://bucket/prefix`, which is reached by `access`. A folder is
    /// made where it is missing; of a bucket nothing is asked yet. Blocks, shortly.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    pub fn connect(origin: &str, access: &S3Access) -> Result<Self, OriginError> {
        let unsupported = || OriginError::Unsupported { origin: origin.to_owned() };
        match Location::parse(origin).map_err(|_| unsupported())? {
            Location::Folder(_) => Self::open(origin),
            Location::Bucket(location) if path::is_plain_prefix(&location.prefix) => {
                Self::in_bucket(origin, location, access)
            }
            Location::Bucket(_) => Err(unsupported()),
        }
    }

    fn in_bucket(name: &str, location: BucketLocation, access: &S3Access) -> Result<Self, OriginError> {
        let bucket =
            Bucket::new(location, access).map_err(|source| OriginError::at(name, "open", "", source))?;
        let store: Arc<dyn ObjectStore> =
            Arc::new(PrefixStore::new(Arc::clone(&bucket.s3), bucket.location.prefix.clone()));
        Ok(Self { bucket: Some(bucket), ..Self::over(name, store) })
    }

    /// The origin over any object store whose root is the origin's root; `name` is for people.
    pub fn over(name: &str, store: Arc<dyn ObjectStore>) -> Self {
        Self { name: name.into(), bulk: Arc::clone(&store), store, folder: None, bucket: None }
    }

    /// Waits until all that was written would survive a power cut: only then is it proof of anything.
    async fn settle(&self) -> Result<(), OriginError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let folder = Arc::clone(folder);
        crate::blocking::blocking(move || crate::folder::sync_file_system(&folder))
            .await
            .map_err(|source| OriginError::io(&self.name, "write", source))
    }

    /// Bytes that the farm may still write, where the origin has such a limit and tells it.
    pub async fn free_bytes(&self) -> Option<u64> {
        let folder = Arc::clone(self.folder.as_ref()?);
        crate::blocking::blocking(move || crate::folder::disk(&folder)).await.ok().map(|disk| disk.free)
    }
}
