//! Digests of every byte of the source.

use reelfarm_model::Failure;
use reelfarm_model::task::FingerprintSpec;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Execution, RESULT_FILE, blocking};
use crate::fingerprint::fingerprint;

pub(super) async fn run(execution: &Execution, spec: &FingerprintSpec) -> Result<serde_json::Value, Failure> {
    // Dropping this future must end the thread that reads, or a stopped farm would read on for minutes.
    let abandoned = CancellationToken::new();
    let _guard = abandoned.clone().drop_guard();
    let source = execution.source().await?;
    let path = source.path.clone();
    let (sender, mut fractions) = mpsc::unbounded_channel();
    let with_sha1 = spec.sha1;
    let reading = blocking(move || {
        // Nobody may be listening any more.
        fingerprint(&path, with_sha1, &abandoned, |fraction| sender.send(fraction).unwrap_or_default())
    });
    let share_done = execution.share_done();
    let reporting = async {
        while let Some(fraction) = fractions.recv().await {
            share_done(fraction);
        }
    };
    let (read, ()) = tokio::join!(reading, reporting);
    let fingerprint = execution.of_unchanged_source(read).await?;
    execution.write_json("fingerprint", RESULT_FILE, &fingerprint).await
}
