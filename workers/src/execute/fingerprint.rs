//! Digests of every byte of the source.

use std::io::Read as _;
use std::path::Path;

use md5::Md5;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::{Code, Digest, Failure};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Execution, RESULT_FILE, blocking};

const BUFFER: usize = 1 << 20;

pub(super) async fn run(execution: &Execution) -> Result<serde_json::Value, Failure> {
    // Dropping this future must end the thread that reads, or a stopped farm would read on for minutes.
    let abandoned = CancellationToken::new();
    let _guard = abandoned.clone().drop_guard();
    let source = execution.source().await?;
    let path = source.path.clone();
    let (sender, mut fractions) = mpsc::unbounded_channel();
    let reading = blocking(move || digest(&path, &abandoned, &sender));
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

fn digest(
    path: &Path,
    abandoned: &CancellationToken,
    fractions: &mpsc::UnboundedSender<f64>,
) -> Result<Fingerprint, Failure> {
    let unreadable = |error: std::io::Error| Failure::new(Code::SourceUnreadable, error.to_string());
    let mut file = fs_err::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let (mut sha256, mut md5, mut size) = (Sha256::new(), Md5::new(), 0_u64);
    let mut buffer = vec![0; BUFFER];
    loop {
        if abandoned.is_cancelled() {
            return Err(Failure::new(Code::Internal, "the fingerprint was stopped"));
        }
        let count = file.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        sha256.update(&buffer[..count]);
        md5.update(&buffer[..count]);
        size += count as u64;
        if size % (64 << 20) < BUFFER as u64 {
            // Nobody may be listening any more.
            fractions.send(size as f64 / length.max(1) as f64).unwrap_or_default();
        }
    }
    Ok(Fingerprint {
        sha256: Digest::from_bytes(sha256.finalize().into()),
        md5: hex::encode(md5.finalize()),
        size,
    })
}
