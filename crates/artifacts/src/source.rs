//! Sources in a bucket: looked at, and fetched to this host, as programs read paths.
//!
//! A source is fetched whole, once for all tasks of this host. Every kind of task reads all of it, and the programs that
//! read it may open files and nothing else. What was fetched is kept if a process dies, and the next goes on with it.
//!
//! Promises: only objects in places that were named are read; what is given out has the size and the ETag that the
//! reference says, and where the SHA-256 is known, that too; one that is replaced while it is fetched is never mixed.

mod fetch;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use object_store::{ObjectMeta, ObjectStoreExt as _};
use reelfarm_model::{Code, Failure, SourceReference};

use crate::bucket::{Bucket, S3Access};
use crate::cache::{Cache, Hold};
use crate::location::BucketLocation;

/// Where sources may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// How their buckets are reached.
    pub access: S3Access,
    /// The buckets, or parts of them, that sources may lie in.
    pub places: Vec<BucketLocation>,
}

/// The file of a source on this host. It stays for as long as this value is there.
#[derive(Clone, Debug)]
pub struct LocalSource {
    /// The path of the file.
    pub path: PathBuf,
    _hold: Option<Hold>,
}

impl LocalSource {
    /// A source that lies in a folder, where it was delivered to.
    pub const fn in_folder(path: PathBuf) -> Self {
        Self { path, _hold: None }
    }
}

/// The sources in buckets.
#[derive(Debug)]
pub(crate) struct Sources {
    settings: SourceSettings,
    cache: Cache,
    /// One for each bucket that was used.
    clients: Mutex<HashMap<String, Bucket>>,
}

impl Sources {
    pub(crate) fn new(settings: SourceSettings, cache: Cache) -> Self {
        Self { settings, cache, clients: Mutex::default() }
    }

    /// The source at `s3://bucket/key`, as it lies there now.
    pub(crate) async fn look(&self, text: &str) -> Result<SourceReference, Failure> {
        let location = self.allowed(text)?;
        let bucket = self.bucket(&location)?;
        let found = bucket.s3.head(&location.prefix).await.map_err(|error| unreadable(text, &error))?;
        if found.size == 0 {
            return Err(Failure::new(
                Code::SourceEmpty,
                format!("{text} is empty; the delivery may not have finished: deliver it again"),
            ));
        }
        reference(text, &found)
    }

    /// Whether a source lies in one of the places.
    pub(crate) fn may_be_read(&self, text: &str) -> bool {
        self.allowed(text).is_ok()
    }

    fn allowed(&self, text: &str) -> Result<BucketLocation, Failure> {
        let location = BucketLocation::parse(text)
            .map_err(|error| Failure::new(Code::SourceNotAFile, error.to_string()))?;
        if location.prefix.as_ref().is_empty() || text.ends_with('/') {
            return Err(Failure::new(
                Code::SourceNotAFile,
                format!("{text} names no object; name the film's object inside it"),
            ));
        }
        if self.settings.places.iter().any(|place| place.contains(&location)) {
            return Ok(location);
        }
        Err(Failure::new(
            Code::SettingsInvalid,
            format!(
                "{text} lies in none of the places that sources may come from; add its place to REELFARM_SOURCE_PLACES, or deliver it elsewhere"
            ),
        ))
    }

    fn bucket(&self, location: &BucketLocation) -> Result<Bucket, Failure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = clients.get(&location.bucket) {
            return Ok(bucket.clone());
        }
        let whole =
            BucketLocation { bucket: location.bucket.clone(), prefix: object_store::path::Path::default() };
        let bucket = Bucket::new(whole, &self.settings.access).map_err(|error| {
            Failure::new(Code::SourceUnreadable, format!("{location} cannot be read: {error}"))
        })?;
        clients.insert(location.bucket.clone(), bucket.clone());
        Ok(bucket)
    }
}

fn reference(text: &str, found: &ObjectMeta) -> Result<SourceReference, Failure> {
    let etag = found.e_tag.clone().ok_or_else(|| {
        Failure::new(
            Code::SourceUnreadable,
            format!("the store tells no ETag of {text}, so a change could not be seen"),
        )
    })?;
    let modified_ns = found.last_modified.timestamp_nanos_opt().unwrap_or(i64::MAX);
    Ok(SourceReference { path: text.into(), size: found.size, modified_ns, etag: Some(etag) })
}

fn unreadable(text: &str, error: &object_store::Error) -> Failure {
    match error {
        object_store::Error::NotFound { .. } => {
            Failure::new(Code::SourceNotFound, format!("there is no object {text}; check its name"))
        }
        object_store::Error::Precondition { .. } => changed(text),
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            let hint = "check the access key and what it may read";
            Failure::new(Code::SourceUnreadable, format!("{text} cannot be read: {error}; {hint}"))
        }
        _ => Failure::new(Code::SourceUnreachable, format!("{text} cannot be read now: {error}")),
    }
}

fn changed(text: &str) -> Failure {
    Failure::new(
        Code::SourceChanged,
        format!("{text} changed while it was worked on; submit it again once its delivery is complete"),
    )
}
