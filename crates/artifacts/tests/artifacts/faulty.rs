//! An object store with faults: a folder behind it, and what can go wrong with a disk or a network before it.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Writes of files whose path ends so change their last byte.
    Changes(&'static str),
    /// Writes of files whose path ends so lose their last byte.
    Cuts(&'static str),
    /// Once so many files were written, there is no room for more.
    FullAfter(u64),
    /// Files whose path ends so cannot be written.
    Refuses(&'static str),
    /// Files cannot be removed.
    Keeps,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    written: AtomicU64,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, fault: Fault) -> Arc<Self> {
        Arc::new(Self { inner, fault, written: AtomicU64::new(0) })
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::Generic { store: "Faulty", source: Box::new(source) }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} before {}", self.fault, self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let mut bytes: Vec<u8> = payload.iter().flat_map(|part| part.to_vec()).collect();
        match self.fault {
            Fault::Changes(end) if location.as_ref().ends_with(end) => *bytes.last_mut().unwrap() ^= 1,
            Fault::Cuts(end) if location.as_ref().ends_with(end) => {
                bytes.pop();
            }
            Fault::FullAfter(files) if self.written.fetch_add(1, Ordering::Relaxed) >= files => {
                // The system's own error, from the one file that is always full.
                let mut full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
                return Err(self.failed(full.write_all(&bytes).unwrap_err()));
            }
            Fault::Refuses(end) if location.as_ref().ends_with(end) => {
                return Err(self.failed(std::io::ErrorKind::PermissionDenied.into()));
            }
            _ => {}
        }
        self.inner.put_opts(location, PutPayload::from(bytes), options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        if matches!(self.fault, Fault::Keeps) {
            let refused = self.failed(std::io::ErrorKind::PermissionDenied.into());
            return Box::pin(futures::stream::once(std::future::ready(Err(refused))));
        }
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
