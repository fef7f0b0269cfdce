//! A source, sent to the farm: in one go, or carried on where an earlier call or a broken connection left it.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reelfarm_api::{UPLOAD_LENGTH, UPLOAD_OFFSET, UploadStatus};
use reelfarm_model::{Code, Digest, Failure};
use reqwest::{Body, Method};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::farm::{Client, is_passing};
use crate::printer::Printer;

/// Connections in a row that broke without a byte having arrived.
const FRUITLESS: u32 = 5;
/// The same, where the farm says that it is busy with the upload: it may be hashing what it has.
const FRUITLESS_BUSY: u32 = 600;
/// Bytes of one request, but of the largest files: few enough that it is answered in time.
const PART: u64 = 32 << 20;
/// Requests for the largest files. A bucket takes 10,000 parts, and keeps whole ones alone.
const MOST_PARTS: u64 = 8_000;
const PAUSE: Duration = Duration::from_secs(1);

impl Client {
    /// Sends a file, as far as the farm does not have it already. Answers the digest that names it there.
    ///
    /// # Errors
    /// The file cannot be read or changes meanwhile; the farm refuses it, or cannot be reached.
    pub async fn upload(&self, file: &Path, printer: &Printer) -> Result<Digest, Failure> {
        let (digest, size) = digest(file).await?;
        let bar = bar(file, size, printer);
        let (mut waited, mut before) = (0, None);
        loop {
            let result = self.send_parts(file, &digest, size, &bar).await;
            let failure = match result {
                Ok(()) => {
                    bar.finish_and_clear();
                    return Ok(digest);
                }
                Err(failure) => failure,
            };
            // Refused may be what an earlier connection had still on its way: then more is there than was.
            if !is_passing(failure.code) && failure.code != Code::UploadRefused {
                bar.abandon();
                return Err(failure);
            }
            let now =
                self.uploaded(&digest).await.map(|status| status.map_or(0, |status| status.received)).ok();
            if now.is_some() && now > before {
                waited = 0;
            } else {
                // An earlier connection may be at work yet, which is waited for longer than for a farm that is gone.
                waited += if failure.code == Code::FarmBusy { 1 } else { FRUITLESS_BUSY / FRUITLESS };
            }
            before = now.or(before);
            if waited >= FRUITLESS_BUSY {
                bar.abandon();
                return Err(failure);
            }
            tracing::info!(%failure, "carrying on with the upload");
            tokio::time::sleep(PAUSE * u32::from(waited > 0)).await;
        }
    }

    /// Sends what is missing, part by part.
    async fn send_parts(
        &self,
        file: &Path,
        digest: &Digest,
        size: u64,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let mut status = self.uploaded(digest).await?;
        while !status.as_ref().is_some_and(|status| status.complete) {
            let offset = status.map_or(0, |status| status.received);
            let length = part(size).min(size - offset);
            let sent = self.send_part(file, digest, size, offset..offset + length, bar).await?;
            if sent.received <= offset && !sent.complete {
                let reason = format!("{} became shorter while it was sent", file.display());
                return Err(Failure::new(Code::SourceChanged, reason));
            }
            status = Some(sent);
        }
        Ok(())
    }

    async fn send_part(
        &self,
        file: &Path,
        digest: &Digest,
        size: u64,
        range: Range<u64>,
        bar: &ProgressBar,
    ) -> Result<UploadStatus, Failure> {
        let Range { start: offset, end } = range;
        bar.set_position(offset);
        let unreadable = |error: std::io::Error| Failure::new(Code::SourceUnreadable, error.to_string());
        let mut source = fs_err::tokio::File::open(file).await.map_err(unreadable)?;
        source.seek(std::io::SeekFrom::Start(offset)).await.map_err(unreadable)?;
        let part = source.take(end - offset);
        let body = ReaderStream::with_capacity(bar.wrap_async_read(part), 1 << 18);
        let request = self
            .long_request(Method::PUT, &["uploads", &digest.to_string()])
            .header(UPLOAD_OFFSET, offset)
            .header(UPLOAD_LENGTH, size)
            .header(reqwest::header::CONTENT_TYPE, "application/octet-stream")
            .body(Body::wrap_stream(body));
        self.answer(request).await
    }

    async fn uploaded(&self, digest: &Digest) -> Result<Option<UploadStatus>, Failure> {
        match self.get(&["uploads", &digest.to_string()], &()).await {
            Ok(status) => Ok(Some(status)),
            Err(failure) if failure.code == Code::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// Bytes of one request.
const fn part(size: u64) -> u64 {
    let least = size.div_ceil(MOST_PARTS).next_power_of_two();
    if least > PART { least } else { PART }
}

fn bar(file: &Path, size: u64, printer: &Printer) -> ProgressBar {
    if !printer.is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = printer.bars().add(ProgressBar::new(size));
    // The template is fixed text; were it wrong, the plain style would do.
    let style =
        ProgressStyle::with_template("{prefix} [{bar:28}] sent {bytes} of {total_bytes}  {bytes_per_sec}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸ ");
    bar.set_style(style);
    bar.set_prefix(file.file_name().unwrap_or_default().to_string_lossy().into_owned());
    bar
}

/// The SHA-256 and the size of a file.
async fn digest(file: &Path) -> Result<(Digest, u64), Failure> {
    let path = file.to_owned();
    let hashed = tokio::task::spawn_blocking(move || -> std::io::Result<(Digest, u64)> {
        use std::io::Read as _;
        let mut file = fs_err::File::open(&path)?;
        let (mut hasher, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok((Digest::from_bytes(hasher.finalize().into()), size)),
                count => {
                    hasher.update(&buffer[..count]);
                    size += count as u64;
                }
            }
        }
    });
    let hashed = hashed.await.map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    hashed.map_err(|error| Failure::new(Code::SourceUnreadable, error.to_string()))
}
