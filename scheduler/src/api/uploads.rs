//! Sources that clients send: named by the SHA-256 of their bytes, and carried on where they were cut off.

mod bucket;
mod folder;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use reelfarm_api::{Problem, UPLOAD_LENGTH, UPLOAD_OFFSET, UploadStatus};
use reelfarm_artifacts::ArtifactError;
use reelfarm_model::{Code, Digest, Failure, SourceReference};

pub use bucket::BucketUploads;
pub use folder::FolderUploads;

use super::Api;
use super::extract::Path;
use super::problem::Refusal;

/// The bytes of a request, as they come.
pub type UploadBody = BoxStream<'static, io::Result<axum::body::Bytes>>;

/// An upload was not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Somebody else sends it at this moment.
    #[error("somebody else sends the upload {0} at this moment")]
    Busy(Digest),
    /// All of it is there and is being compared with its digest.
    #[error("all of the upload {0} is there, and is being compared with its digest: ask again in a moment")]
    Comparing(Digest),
    /// What was sent does not follow on what is there.
    #[error(
        "the farm has {received} bytes of the upload and takes those that follow, not bytes from {offset} on"
    )]
    Gap {
        /// Bytes that are there.
        received: u64,
        /// Where those that were sent belong.
        offset: u64,
    },
    /// It was begun with another size, or more bytes came than it has.
    #[error("the upload has {size} bytes, and {claimed} do not fit that")]
    Size {
        /// Its size.
        size: u64,
        /// What was claimed or sent.
        claimed: u64,
    },
    /// It is larger than the farm takes.
    #[error("the upload has {size} bytes, and the farm takes {largest} at most")]
    TooLarge {
        /// Its size.
        size: u64,
        /// What the farm takes.
        largest: u64,
    },
    /// Its bytes do not have the digest that names it. They were thrown away.
    #[error(
        "the bytes sent have the SHA-256 {found}, and not that which names the upload: the file changed, or the bytes were damaged on their way"
    )]
    Digest {
        /// What they have.
        found: Digest,
    },
    /// The connection broke. What had come by then is kept.
    #[error("the upload was cut off: {0}")]
    Cut(io::Error),
    /// The disk for uploads is full.
    #[error("the disk for uploads is full: {0}")]
    Full(io::Error),
    /// The bucket for uploads cannot be used.
    #[error("{0}")]
    Store(ArtifactError),
    /// The disk for uploads cannot be used.
    #[error("the folder of uploads cannot be used: {0}")]
    Io(io::Error),
}

impl From<UploadError> for Failure {
    fn from(error: UploadError) -> Self {
        let error = match error {
            UploadError::Store(error) => return error.into(),
            error => error,
        };
        let code = match &error {
            // Whoever sends it now may be an earlier connection of the same sender: asking again helps.
            UploadError::Busy(_) | UploadError::Comparing(_) => Code::FarmBusy,
            UploadError::Gap { .. } | UploadError::Size { .. } | UploadError::Digest { .. } => {
                Code::UploadRefused
            }
            UploadError::TooLarge { .. } => Code::RequestTooLarge,
            UploadError::Cut(_) => Code::RequestInvalid,
            UploadError::Full(_) => Code::DiskFull,
            UploadError::Io(_) | UploadError::Store(_) => Code::StateUnreachable,
        };
        Failure::new(code, error.to_string())
    }
}

/// A complete upload as a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// This file.
    File(PathBuf),
    /// This object.
    Object(SourceReference),
}

/// Where uploads go.
#[async_trait]
pub trait Uploads: Send + Sync + 'static {
    /// How far an upload is; `None` where it was never begun.
    ///
    /// # Errors
    /// The place cannot be used.
    async fn status(&self, upload: &Digest) -> Result<Option<UploadStatus>, UploadError>;

    /// Adds bytes to an upload of `size` bytes, from `offset` on. With the last one it is compared with its digest. What
    /// came before a connection broke is kept; bytes that are one too many, or that do not have the digest, are not.
    ///
    /// # Errors
    /// See [`UploadError`].
    async fn append(
        &self,
        upload: &Digest,
        size: u64,
        offset: u64,
        bytes: UploadBody,
    ) -> Result<UploadStatus, UploadError>;

    /// What an upload is as a source, once it is complete.
    ///
    /// # Errors
    /// The place cannot be used.
    async fn sent(&self, upload: &Digest) -> Result<Option<Sent>, UploadError>;

    /// Removes uploads to which nothing was added, and that nobody asked for, for so long. Of those that are complete, not
    /// what is `referenced`. Answers how many.
    ///
    /// # Errors
    /// The place cannot be used.
    async fn collect(&self, age: Duration, referenced: BTreeSet<PathBuf>) -> Result<usize, UploadError>;
}

/// How far an upload is, in the body and in the headers `upload-offset` and `upload-length`; `HEAD` has these alone.
#[utoipa::path(get, path = "/uploads/{upload}", operation_id = "uploadStatus", tag = "uploads", params(
    ("upload" = Digest, Path, description = "The SHA-256 of the upload's bytes."),
), responses(
    (status = 200, description = "How far it is.", body = UploadStatus, headers(("upload-offset" = u64), ("upload-length" = u64))),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn status(
    State(api): State<Api>,
    Path(upload): Path<String>,
) -> Result<([(HeaderName, HeaderValue); 2], Answer<UploadStatus>), Refusal> {
    let unknown = || Refusal::not_found(format!("there is no upload {upload:?}"));
    let digest: Digest = upload.parse().map_err(|_| unknown())?;
    let status = api.uploads.status(&digest).await.map_err(Failure::from)?.ok_or_else(unknown)?;
    Ok((offsets(&status), Answer(status)))
}

/// Sends bytes of an upload, from `upload-offset` on, in one request or in several one after the other.
#[utoipa::path(put, path = "/uploads/{upload}", operation_id = "upload", tag = "uploads", params(
    ("upload" = Digest, Path, description = "The SHA-256 of the upload's bytes."),
    ("upload-offset" = Option<u64>, Header, description = "Where the bytes of this request belong; 0 where it is absent."),
    ("upload-length" = u64, Header, description = "The bytes of the whole upload.", minimum = 1),
), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(
    (status = 200, description = "How far it is.", body = UploadStatus, headers(("upload-offset" = u64), ("upload-length" = u64))),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn send(
    State(api): State<Api>,
    Path(upload): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<([(HeaderName, HeaderValue); 2], Answer<UploadStatus>), Refusal> {
    let Ok(_place) = api.uploading.clone().try_acquire_owned() else {
        return Err(Refusal::busy("uploads"));
    };
    let digest: Digest =
        upload.parse().map_err(|_| Refusal::not_found(format!("{upload:?} is no SHA-256 in hexadecimal")))?;
    let is_empty = match headers.get(header::CONTENT_LENGTH) {
        Some(length) => length == "0",
        None => !headers.contains_key(header::TRANSFER_ENCODING),
    };
    let size = number(&headers, UPLOAD_LENGTH)?.filter(|size| *size > 0);
    let size = size.ok_or_else(|| Refusal::invalid(format!("{UPLOAD_LENGTH} is missing or 0")))?;
    let offset = number(&headers, UPLOAD_OFFSET)?.unwrap_or(0);
    // Where all bytes have come, the last request may have ended before they were compared.
    if is_empty && offset != size {
        return Err(Refusal::invalid("the request has no body: nothing to add to the upload"));
    }
    let status = api.uploads.append(&digest, size, offset, bytes(body, api.limits.silence)).await;
    let status = status.map_err(Failure::from)?;
    Ok((offsets(&status), Answer(status)))
}

/// The bytes of a body; an error where none come for too long.
fn bytes(body: Body, silence: Duration) -> UploadBody {
    let stream = body.into_data_stream().map_err(io::Error::other).boxed();
    futures::stream::try_unfold(stream, move |mut stream| async move {
        match tokio::time::timeout(silence, stream.next()).await {
            Ok(Some(Ok(bytes))) => Ok(Some((bytes, stream))),
            Ok(Some(Err(error))) => Err(error),
            Ok(None) => Ok(None),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no bytes came for too long")),
        }
    })
    .boxed()
}

fn number(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match (digits.and_then(|text| text.parse().ok()), values.next()) {
        (Some(number), None) => Ok(Some(number)),
        _ => Err(Refusal::invalid(format!("{name} is one number of bytes"))),
    }
}

fn offsets(status: &UploadStatus) -> [(HeaderName, HeaderValue); 2] {
    [
        (HeaderName::from_static(UPLOAD_OFFSET), HeaderValue::from(status.received)),
        (HeaderName::from_static(UPLOAD_LENGTH), HeaderValue::from(status.size)),
    ]
}
