//! Multipart uploads that are not finished: what a process left that died, to be carried on or given up.
//!
//! (S3 API Reference, `ListMultipartUploads`, `ListParts`.)

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryFutureExt as _;
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Bucket;

/// How long a signed request may be used: it is sent at once.
const SIGNED_FOR: Duration = Duration::from_secs(300);
/// The longest answer that is read, in bytes: a page has 1,000 entries at most.
const LONGEST: usize = 4 * 1024 * 1024;

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upload {
    pub(crate) at: Path,
    pub(crate) id: String,
    /// By the store's clock.
    pub(crate) begun: DateTime<Utc>,
}

/// A part that the store has of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// From 0.
    pub(crate) index: usize,
    pub(crate) size: u64,
    /// With its quotation marks. The MD5 of its bytes, unless the store encrypts in ways of its own.
    pub(crate) etag: String,
}

impl Bucket {
    /// The unfinished uploads to places that begin with `start`, which is written from the bucket's root.
    pub(crate) async fn uploads(&self, start: &str) -> object_store::Result<Vec<Upload>> {
        let mut found = Vec::new();
        let mut after: Option<(String, String)> = None;
        loop {
            let mut query = vec![("uploads", ""), ("prefix", start)];
            if let Some((key, id)) = &after {
                query.extend([("key-marker", key.as_str()), ("upload-id-marker", id.as_str())]);
            }
            let Some(page) = self.ask::<UploadsPage>(&Path::default(), query).await? else {
                return Ok(found);
            };
            for upload in page.uploads {
                // A store may take the prefix for a folder's name.
                if upload.key.starts_with(start) {
                    let at = Path::parse(&upload.key)?;
                    found.push(Upload { at, id: upload.upload_id, begun: upload.initiated });
                }
            }
            match (page.is_truncated, page.next_key_marker, page.next_upload_id_marker) {
                (true, Some(key), Some(id)) if after.as_ref() != Some(&(key.clone(), id.clone())) => {
                    after = Some((key, id));
                }
                _ => return Ok(found),
            }
        }
    }

    /// The parts that the store has of an upload; `None` where there is no such upload (any more).
    pub(crate) async fn parts(&self, upload: &Upload) -> object_store::Result<Option<Vec<Part>>> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let mut query = vec![("uploadId", upload.id.as_str())];
            if !after.is_empty() {
                query.push(("part-number-marker", &after));
            }
            let Some(page) = self.ask::<PartsPage>(&upload.at, query).await? else { return Ok(None) };
            let parts = page.parts.into_iter().filter_map(|part| {
                Some(Part { index: part.part_number.checked_sub(1)?, size: part.size, etag: part.etag })
            });
            found.extend(parts);
            match page.next_part_number_marker {
                Some(next) if page.is_truncated && next != after => after = next,
                _ => return Ok(Some(found)),
            }
        }
    }

    /// Gives an upload up, with the parts that the store has of it; none there is fine.
    pub(crate) async fn give_up(&self, upload: &Upload) -> object_store::Result<()> {
        match self.s3.abort_multipart(&upload.at, &upload.id).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A listing that `object_store` has no call for; `None` where the store does not know what it is asked about.
    async fn ask<T: DeserializeOwned>(
        &self,
        at: &Path,
        query: Vec<(&str, &str)>,
    ) -> object_store::Result<Option<T>> {
        let options = SignedUrlOptions::new().with_query(query);
        let url = self.s3.signed_url_opts(Method::GET, at, SIGNED_FOR, &options).await?;
        let mut tried = 0;
        let text = loop {
            // The URL has a signature in its query, which nobody needs to read.
            let answer = async { self.http.get(url.clone()).send().await?.error_for_status()?.bytes().await }
                .map_err(reqwest::Error::without_url)
                .await;
            match answer {
                Ok(bytes) if bytes.len() <= LONGEST => break bytes,
                Ok(_) => return Err(generic("a listing is longer than a page can be")),
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => return Ok(None),
                Err(error) if tried < self.patience.retries && may_pass(&error) => {
                    tokio::time::sleep(Duration::from_millis(100 << tried.min(6))).await;
                    tried += 1;
                }
                Err(error) => return Err(generic(error)),
            }
        };
        let text = std::str::from_utf8(&text).map_err(generic)?;
        quick_xml::de::from_str(text).map(Some).map_err(generic)
    }
}

/// Whether the same request may fare better a little later.
fn may_pass(error: &reqwest::Error) -> bool {
    error.status().is_none_or(|status| status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS)
}

fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: source.into() }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UploadsPage {
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    #[serde(default, rename = "Upload")]
    uploads: Vec<ListedUpload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedUpload {
    key: String,
    upload_id: String,
    initiated: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PartsPage {
    #[serde(default)]
    is_truncated: bool,
    next_part_number_marker: Option<String>,
    #[serde(default, rename = "Part")]
    parts: Vec<ListedPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedPart {
    part_number: usize,
    size: u64,
    #[serde(rename = "ETag")]
    etag: String,
}
