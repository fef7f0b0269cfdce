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
    /// When it came, by the store's clock, where the store says so.
    pub(crate) sent: Option<DateTime<Utc>>,
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
                let index = part.part_number.checked_sub(1)?;
                Some(Part { index, size: part.size, etag: part.etag, sent: part.last_modified })
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
    last_modified: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_uploads_is_read_as_stores_write_it() {
        // In the form of the S3 API Reference, with a name that XML escapes.
        let page: UploadsPage = quick_xml::de::from_str(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Bucket>farm</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker>
  <NextKeyMarker>a&amp;b.mp4</NextKeyMarker><NextUploadIdMarker>YW55</NextUploadIdMarker>
  <MaxUploads>2</MaxUploads><IsTruncated>true</IsTruncated>
  <Upload><Key>a</Key><UploadId>XMgbGlrZSBlbHZpbmcncyBub3QgaGF2aW5nIG11Y2ggbHVjaw</UploadId>
    <Initiator><ID>arn</ID><DisplayName>farm</DisplayName></Initiator>
    <Owner><ID>75aa</ID></Owner><StorageClass>STANDARD</StorageClass>
    <Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>
  <Upload><Key>a&amp;b.mp4</Key><UploadId>YW55</UploadId><Initiated>2010-11-10T20:49:33Z</Initiated></Upload>
</ListMultipartUploadsResult>"#,
        )
        .unwrap();
        assert!(page.is_truncated);
        assert_eq!(page.next_key_marker.as_deref(), Some("a&b.mp4"));
        assert_eq!(page.next_upload_id_marker.as_deref(), Some("YW55"));
        let uploads: Vec<_> =
            page.uploads.iter().map(|upload| (upload.key.as_str(), upload.initiated)).collect();
        assert_eq!(uploads.len(), 2);
        assert_eq!(uploads[1].0, "a&b.mp4");
        assert_eq!((uploads[1].1 - uploads[0].1).num_seconds(), 60);
    }

    #[test]
    fn a_page_of_parts_is_read_and_an_empty_page_too() {
        let page: PartsPage = quick_xml::de::from_str(
            r#"<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Bucket>farm</Bucket><Key>a</Key><UploadId>YW55</UploadId><PartNumberMarker>1</PartNumberMarker>
  <NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>
  <Part><PartNumber>2</PartNumber><LastModified>2010-11-10T20:48:34.000Z</LastModified>
    <ETag>&quot;7778aef83f66abc1fa1e8477f296d394&quot;</ETag><Size>10485760</Size></Part>
  <Part><PartNumber>3</PartNumber><ETag>"aaaa18db4cc2f85cedef654fccc4a4x8"</ETag><Size>10485760</Size></Part>
</ListPartsResult>"#,
        )
        .unwrap();
        assert_eq!((page.is_truncated, page.next_part_number_marker.as_deref()), (true, Some("3")));
        let parts: Vec<_> =
            page.parts.iter().map(|part| (part.part_number, part.size, part.etag.as_str())).collect();
        let expected = [
            (2, 10_485_760, "\"7778aef83f66abc1fa1e8477f296d394\""),
            (3, 10_485_760, "\"aaaa18db4cc2f85cedef654fccc4a4x8\""),
        ];
        assert_eq!(parts, expected);
        let empty: UploadsPage = quick_xml::de::from_str("<ListMultipartUploadsResult/>").unwrap();
        assert!(empty.uploads.is_empty() && !empty.is_truncated);
    }
}
