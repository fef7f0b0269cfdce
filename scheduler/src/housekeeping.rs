//! Taking away what the farm no longer needs: artifacts of titles that ended long ago, what died before it was finished,
//! uploads that nobody carried on, and those that titles were made of that ended long ago.
//!
//! Promises: what a title that is under way refers to stays, and so does what ended lately: a title that is submitted again
//! finds what it was made of. What is taken away and wanted later is made again. Nothing younger than an age is touched, so
//! workers are not disturbed. Trouble is logged and tried again the next time.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use reelfarm_artifacts::{ArtifactStore, Collection};
use reelfarm_model::Failure;
use reelfarm_store::Store;
use reelfarm_telemetry::metrics::Metrics;

use crate::api::Uploads;

/// The wait before the first collection at most: terms of leadership may be shorter than the time between two.
const FIRST: Duration = Duration::from_secs(300);

/// What is taken away, and when.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// How long what a title was made of is kept after the title has ended.
    pub ended: Duration,
    /// What nobody refers to, or what was not finished, is kept for so long. Longer than any attempt runs.
    pub age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self { ended: 7 * day, age: day }
    }
}

impl Retention {
    /// How often to look: often enough that little lies for much longer than its age.
    fn interval(&self) -> Duration {
        (self.age / 24).clamp(Duration::from_secs(1), Duration::from_secs(3600))
    }
}

/// The keeper of a farm's house.
#[derive(Clone)]
pub struct Housekeeping {
    /// Says what is referred to.
    pub store: Arc<dyn Store>,
    /// The workers' artifacts.
    pub artifacts: ArtifactStore,
    /// Sources that are being uploaded.
    pub uploads: Arc<dyn Uploads>,
    /// Metrics.
    pub metrics: Metrics,
    /// What is taken away, and when.
    pub retention: Retention,
}

impl Housekeeping {
    /// Collects from time to time, for as long as it is polled. Only one process of a farm needs to.
    pub async fn run(&self) -> Infallible {
        let mut wait = self.retention.interval().min(FIRST);
        loop {
            tokio::time::sleep(wait).await;
            wait = self.retention.interval();
            match self.collect().await {
                Ok(collection) if collection == Collection::default() => {}
                Ok(Collection { artifacts, unfinished, bytes }) => {
                    tracing::info!(
                        artifacts = artifacts.len(),
                        unfinished,
                        bytes,
                        "collected what nobody needs"
                    );
                }
                Err(failure) => {
                    tracing::warn!(code = %failure.code, "not collected, trying again later: {}", failure.message);
                }
            }
        }
    }

    /// Collects once, and answers what went. Uploads that nobody finished, or refers to any more, count as unfinished; their
    /// bytes are not counted.
    ///
    /// # Errors
    /// The store, the artifacts or the uploads cannot be used.
    pub async fn collect(&self) -> Result<Collection, Failure> {
        let referenced = self.store.referenced_artifacts(self.retention.ended).await?;
        let mut collection = self.artifacts.collect(&referenced, self.retention.age, false).await?;
        let sources = self.store.referenced_sources(self.retention.ended).await?;
        collection.unfinished += self.uploads.collect(self.retention.age, sources).await?;
        self.metrics.collected(collection.bytes);
        Ok(collection)
    }
}
