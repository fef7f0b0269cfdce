//! What attempts left that died with their worker: staging folders on a shared disk, unfinished uploads in a bucket. No
//! worker comes back for it, so the scheduler that leads has it taken away.

use std::time::{Duration, Instant};

use reelfarm_artifacts::ArtifactStore;
use tokio::task::JoinHandle;

/// Collections in the time that litter has to be old.
const COLLECTIONS: u32 = 8;

/// When litter was collected last.
#[derive(Debug, Default)]
pub(crate) struct Litter {
    last: Option<Instant>,
    collection: Option<JoinHandle<()>>,
}

impl Litter {
    /// Begins to collect what is of this age, where it is time to, and waits for nothing.
    pub(crate) fn collect(&mut self, artifacts: &ArtifactStore, age: Duration) {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= age / COLLECTIONS);
        let is_at_work = self.collection.as_ref().is_some_and(|collection| !collection.is_finished());
        if !is_due || is_at_work {
            return;
        }
        self.last = Some(Instant::now());
        let artifacts = artifacts.clone();
        self.collection = Some(tokio::spawn(async move {
            match artifacts.collect_unfinished(age).await {
                Ok(collected) if collected.unfinished > 0 => tracing::info!(
                    unfinished = collected.unfinished,
                    bytes = collected.bytes,
                    "took away what attempts had left that died"
                ),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "what attempts left that died was not taken away"),
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has litter collected, and answers how many collections that took.
    async fn collect(litter: &mut Litter, artifacts: &ArtifactStore, age: Duration) -> usize {
        litter.collect(artifacts, age);
        match litter.collection.take() {
            Some(collection) => collection.await.map(|()| 1).unwrap(),
            None => 0,
        }
    }

    #[tokio::test]
    async fn what_a_dead_attempt_left_goes_once_it_is_old_and_is_looked_for_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = ArtifactStore::open(folder.path()).unwrap();
        let left = folder.path().join("staging").join("left");
        fs_err::create_dir(&left).unwrap();
        fs_err::write(left.join("video.mp4"), b"half").unwrap();
        let mut litter = Litter::default();
        let hour = Duration::from_secs(3600);
        assert_eq!(collect(&mut litter, &artifacts, hour).await, 1);
        assert!(left.exists(), "it may be at work yet");
        assert_eq!(collect(&mut litter, &artifacts, hour).await, 0, "it is not time to");
        assert_eq!(collect(&mut litter, &artifacts, Duration::ZERO).await, 1);
        assert!(!left.exists());
    }
}
