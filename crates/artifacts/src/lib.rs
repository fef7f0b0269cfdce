//! Artifacts: what tasks make, immutable and named by how it is made; and the copy of finished ones to the origin.
//!
//! Promises: an artifact is visible whole or not at all, whenever the process dies; the first of two equal artifacts
//! stays; what the origin's index names is there, and was read back after it was written; nothing that a title or a
//! file is called makes a path leave the origin's folder.

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
mod staging;
mod store;

pub use artifact::{Artifact, ArtifactFile};
pub use bucket::{InvalidAccess, Patience, S3Access, S3Credentials};
pub use cache::CacheSettings;
pub use error::ArtifactError;
pub use location::{BucketLocation, InvalidLocation, Location};
pub use origin::{Audit, Origin, OriginError, Published, Receipt, Uploaded};
pub use secret::Secret;
pub use staging::Staging;
pub use store::{ArtifactStore, Collection};
