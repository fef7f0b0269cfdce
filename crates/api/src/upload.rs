//! Uploads of sources. An upload is named by the SHA-256 of its bytes, so one that was cut off is carried on by whoever
//! has the file, and the same file is never sent twice.

use reelfarm_model::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadStatus {
    /// The SHA-256 of its bytes: its name.
    pub upload: Digest,
    /// Bytes that the farm has, from the beginning on without a gap.
    pub received: u64,
    /// Bytes that it has in all.
    pub size: u64,
    /// Whether all bytes are there and have the digest.
    pub complete: bool,
    /// What comes is kept in parts of so many bytes, and what comes last; of a request that ends within a part, what came after
    /// the part before is not kept. Send at least so many bytes in a request.
    #[serde(default = "one")]
    pub part: u64,
}

const fn one() -> u64 {
    1
}
