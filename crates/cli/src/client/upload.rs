//! A source, sent to the farm: in one go, or carried on where an earlier call or a broken connection left it.

use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reelfarm_api::{UPLOAD_LENGTH, UPLOAD_OFFSET, UploadStatus};
use reelfarm_model::{Code, Digest, Failure};
use reqwest::{Body, Method};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::farm::Client;
use crate::printer::Printer;

/// Connections in a row that broke without a byte having arrived.
const FRUITLESS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

impl Client {
    /// Sends a file, as far as the farm does not have it already. Answers the digest that names it there.
    ///
    /// # Errors
    /// The file cannot be read or changes meanwhile; the farm refuses it, or cannot be reached.
    pub async fn upload(&self, file: &Path, printer: &Printer) -> Result<Digest, Failure> {
        let (digest, size) = digest(file).await?;
        let bar = bar(file, size, printer);
        let (mut fruitless, mut before) = (0, None);
        loop {
            let result = self.upload_once(file, &digest, size, &bar).await;
            let failure = match result {
                Ok(()) => {
                    bar.finish_and_clear();
                    return Ok(digest);
                }
                Err(failure) => failure,
            };
            if !matches!(failure.code, Code::FarmUnreachable | Code::FarmBusy) {
                bar.abandon();
                return Err(failure);
            }
            let now =
                self.uploaded(&digest).await.map(|status| status.map_or(0, |status| status.received)).ok();
            fruitless = if now.is_some() && now > before { 0 } else { fruitless + 1 };
            before = now.or(before);
            if fruitless >= FRUITLESS {
                bar.abandon();
                return Err(failure);
            }
            tracing::info!(%failure, "carrying on with the upload");
            tokio::time::sleep(PAUSE * fruitless).await;
        }
    }

    async fn upload_once(
        &self,
        file: &Path,
        digest: &Digest,
        size: u64,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let status = self.uploaded(digest).await?;
        if status.is_some_and(|status| status.complete) {
            return Ok(());
        }
        let offset = status.map_or(0, |status| status.received);
        bar.set_position(offset);
        let unreadable = |error: std::io::Error| Failure::new(Code::SourceUnreadable, error.to_string());
        let mut source = fs_err::tokio::File::open(file).await.map_err(unreadable)?;
        source.seek(std::io::SeekFrom::Start(offset)).await.map_err(unreadable)?;
        let body = ReaderStream::with_capacity(bar.wrap_async_read(source.take(size - offset)), 1 << 18);
        let request = self
            .request(Method::PUT, &["uploads", &digest.to_string()])
            .header(UPLOAD_OFFSET, offset)
            .header(UPLOAD_LENGTH, size)
            .header(reqwest::header::CONTENT_TYPE, "application/octet-stream")
            .body(Body::wrap_stream(body));
        let status: UploadStatus = self.answer(request).await?;
        if status.complete {
            return Ok(());
        }
        Err(Failure::new(Code::SourceChanged, format!("{} became shorter while it was sent", file.display())))
    }

    async fn uploaded(&self, digest: &Digest) -> Result<Option<UploadStatus>, Failure> {
        match self.get(&["uploads", &digest.to_string()], &()).await {
            Ok(status) => Ok(Some(status)),
            Err(failure) if failure.code == Code::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }
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
