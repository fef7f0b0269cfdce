//! A film that lies here: its measurements and its digests, from two readings at the same time.

use std::path::Path;

use reelfarm_media::child::Request;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::{Code, Failure, Measurements, SourceReference};
use reelfarm_workers::fingerprint::fingerprint;
use reelfarm_workers::source::source_reference;
use tokio_util::sync::CancellationToken;

use crate::tools;
use crate::verbs::blocking;

/// Measures a film and reads its digests, SHA-1 only where that is wanted.
///
/// # Errors
/// There is no such film, it cannot be read, or it changed meanwhile: then the two may be of different bytes.
pub(super) async fn read(file: &Path, with_sha1: bool) -> Result<(Measurements, Fingerprint), Failure> {
    let source = look(file).await?;
    // Where the measuring fails, nobody waits for the other any more.
    let abandoned = CancellationToken::new();
    let _guard = abandoned.clone().drop_guard();
    let path = source.path.clone();
    let hashed = blocking(move || fingerprint(&path, with_sha1, &abandoned, |_| {}));
    let (measurements, found) = tokio::try_join!(of(&source), hashed)?;
    if look(file).await? == source {
        return Ok((measurements, found));
    }
    let message =
        format!("{} changed while it was read; try again once its delivery is complete", file.display());
    Err(Failure::new(Code::SourceChanged, message))
}

/// The measurements of a file, made in a media process as the farm's workers do.
pub async fn measure(file: &Path) -> Result<Measurements, Failure> {
    of(&look(file).await?).await
}

async fn look(file: &Path) -> Result<SourceReference, Failure> {
    let file = file.to_owned();
    blocking(move || source_reference(&file)).await
}

async fn of(source: &SourceReference) -> Result<Measurements, Failure> {
    let request = Request::Measure { path: source.path.clone() };
    let measured = tools::media_process().run(&request, |_| {}).await?;
    serde_json::from_value(measured)
        .map_err(|error| Failure::new(Code::Internal, format!("the measurements cannot be read: {error}")))
}
