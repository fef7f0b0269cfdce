//! One file to the origin, and back.

use std::io::{self, Read as _};
use std::path::Path as FilePath;

use md5::{Digest as _, Md5};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectStore as _, ObjectStoreExt as _, PutPayload,
};
use tokio_util::sync::CancellationToken;

use super::{Origin, OriginError};
use crate::blocking::blocking;

/// Bytes that are held and sent at once. A bucket wants at least 5 MiB a part, and takes 10,000 parts.
const PART: u64 = 8 * 1024 * 1024;
const MOST_PARTS: u64 = 9_000;

/// What stops the sending of a file.
pub(super) enum SendError {
    /// The file itself cannot be read.
    Source(io::Error),
    /// It was asked for; nothing is at the place.
    Stopped,
    Origin(OriginError),
}

impl From<io::Error> for SendError {
    fn from(error: io::Error) -> Self {
        Self::Source(error)
    }
}

impl Origin {
    /// Writes a file to the origin and answers the MD5 of what was read from it. A large one goes part by part; it
    /// appears at its place whole, at the end, and can be stopped between two parts.
    pub(super) async fn send(
        &self,
        file: &FilePath,
        size: u64,
        to: &Path,
        on_bytes: impl Fn(u64) + Send + Sync,
        stop: &CancellationToken,
    ) -> Result<String, SendError> {
        let failed = |source| SendError::Origin(self.failed("write", to, source));
        let path = file.to_owned();
        let reader =
            blocking(move || Ok::<_, io::Error>(Reader { file: fs_err::File::open(path)?, md5: Md5::new() }))
                .await?;
        if size <= PART {
            // One byte more than expected is asked for, so that a file that grew is seen.
            let (reader, bytes) = reader.read(size + 1).await?;
            let sent = bytes.len() as u64;
            self.bulk.put(to, PutPayload::from(bytes)).await.map_err(failed)?;
            on_bytes(sent);
            return Ok(reader.md5());
        }
        let mut upload = self.bulk.put_multipart(to).await.map_err(failed)?;
        let sent = send_parts(&mut *upload, reader, PART.max(size / MOST_PARTS), &on_bytes, stop).await;
        match sent {
            Ok(md5) => {
                upload.complete().await.map_err(failed)?;
                Ok(md5)
            }
            Err(error) => {
                // The first error is the one that people need to see.
                if let Err(error) = upload.abort().await {
                    tracing::debug!(%error, %to, "an unfinished upload was not given up cleanly");
                }
                Err(match error {
                    PartError::Source(error) => SendError::Source(error),
                    PartError::Stopped => SendError::Stopped,
                    PartError::Origin(error) => failed(error),
                })
            }
        }
    }

    /// Writes bytes as a file, in one step that readers see as a whole.
    pub(super) async fn put(&self, bytes: Vec<u8>, to: &Path) -> Result<(), OriginError> {
        self.store
            .put(to, PutPayload::from(bytes))
            .await
            .map(|_| ())
            .map_err(|source| self.failed("write", to, source))
    }

    /// The size of a file at the origin; `None` where it is not there.
    pub(super) async fn size_of(&self, at: &Path) -> Result<Option<u64>, OriginError> {
        match self.store.head(at).await {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.failed("read", at, source)),
        }
    }

    /// Reads every byte of a file at the origin and answers their MD5.
    pub(super) async fn md5_at(
        &self,
        at: &Path,
        size: u64,
        on_bytes: impl Fn(u64) + Send + Sync,
    ) -> Result<String, OriginError> {
        let failed = |source| self.failed("read", at, source);
        let mut md5 = Md5::new();
        let mut start = 0;
        while start < size {
            let end = size.min(start + PART);
            let options = GetOptions { range: Some(GetRange::Bounded(start..end)), ..GetOptions::default() };
            let bytes =
                self.store.get_opts(at, options).await.map_err(failed)?.bytes().await.map_err(failed)?;
            let read = bytes.len() as u64;
            if read != end - start {
                let source =
                    io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read");
                return Err(OriginError::at(&self.name, "read", at.as_ref(), source.into()));
            }
            md5 = blocking(move || {
                md5.update(&bytes);
                Ok::<_, io::Error>(md5)
            })
            .await
            .map_err(|source| OriginError::at(&self.name, "read", at.as_ref(), source.into()))?;
            on_bytes(read);
            start = end;
        }
        Ok(hex::encode(md5.finalize()))
    }
}

/// A file that is read and hashed piece by piece, off the runtime.
struct Reader {
    file: fs_err::File,
    md5: Md5,
}

impl Reader {
    async fn read(mut self, most: u64) -> io::Result<(Self, Vec<u8>)> {
        blocking(move || {
            let mut bytes = Vec::new();
            (&mut self.file).take(most).read_to_end(&mut bytes)?;
            self.md5.update(&bytes);
            Ok((self, bytes))
        })
        .await
    }

    fn md5(self) -> String {
        hex::encode(self.md5.finalize())
    }
}

enum PartError {
    Source(io::Error),
    Stopped,
    Origin(object_store::Error),
}

async fn send_parts(
    upload: &mut dyn MultipartUpload,
    mut reader: Reader,
    part: u64,
    on_bytes: &(impl Fn(u64) + Send + Sync),
    stop: &CancellationToken,
) -> Result<String, PartError> {
    loop {
        if stop.is_cancelled() {
            return Err(PartError::Stopped);
        }
        let (next, bytes) = reader.read(part).await.map_err(PartError::Source)?;
        reader = next;
        if bytes.is_empty() {
            return Ok(reader.md5());
        }
        let sent = bytes.len() as u64;
        upload.put_part(PutPayload::from(bytes)).await.map_err(PartError::Origin)?;
        on_bytes(sent);
    }
}
