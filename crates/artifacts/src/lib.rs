//! Artifacts: what tasks make, immutable and named by how it is made; the copy of finished ones to the origin; and the
//! sources that lie in buckets. Artifacts and origins lie in a folder or in a bucket (S3, or a server that speaks it).
//!
//! Promises: an artifact is visible whole or not at all, whenever the process dies; the first of two equal artifacts
//! stays; what the origin's index names is there, and was read back after it was written; nothing that a title or a
//! file is called makes a path leave the origin's folder; memory for bytes on their way is bounded; no secret prints.

mod artifact;
mod blocking;
mod bucket;
mod cache;
mod error;
mod folder;
mod hashing;
mod json;
mod location;
mod origin;
mod secret;
mod source;
mod source_uploads;
mod staging;
mod storage;
mod store;

pub use artifact::{Artifact, ArtifactFile};
pub use bucket::{InvalidAccess, Patience, S3Access, S3Credentials};
pub use cache::CacheSettings;
pub use error::ArtifactError;
pub use folder::Disk;
pub use location::{BucketLocation, InvalidLocation, Location};
pub use origin::{Audit, Origin, OriginError, Published, Receipt, Uploaded};
pub use secret::Secret;
pub use source::{LocalSource, SourceSettings};
pub use source_uploads::{SourceUpload, SourceUploadError, SourceUploads};
pub use staging::{StagedAttempts, Staging};
pub use storage::StorageSettings;
pub use store::{ArtifactStore, Collection};
