//! The small JSON files of artifacts: results and receipts.

use reelfarm_model::{Code, Failure};
use serde::de::DeserializeOwned;

use crate::artifact::Artifact;

impl Artifact {
    /// Reads one of its files as JSON.
    ///
    /// # Errors
    /// [`Code::ArtifactMissing`] where the file cannot be read or is not what it should be.
    pub async fn read_json<T: DeserializeOwned>(&self, file: &str) -> Result<T, Failure> {
        let damaged = |reason: String| {
            Failure::new(Code::ArtifactMissing, format!("{file} of artifact {}: {reason}", self.key.short()))
        };
        let bytes =
            fs_err::tokio::read(self.folder.join(file)).await.map_err(|error| damaged(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))
    }
}
