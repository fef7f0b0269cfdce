//! Taking in what is sent.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::PutPayload;
use object_store::multipart::{MultipartStore as _, PartId};
use reelfarm_model::Digest;
use sha2::{Digest as _, Sha256};

use super::{
    Found, Hashed, Note, SourceUpload, SourceUploadError, SourceUploads, State, bytes_of, is_equal, locked,
    part_size,
};
use crate::blocking::blocking;
use crate::bucket::Upload;
use crate::error::ArtifactError;

/// Unfinished uploads whose hash is remembered.
const REMEMBERED: usize = 1024;

/// An upload that is being sent.
struct Sending {
    digest: Digest,
    upload: Upload,
    size: u64,
    received: u64,
    etags: Vec<String>,
    /// The hash of all that is there, where this process saw all of it.
    sha256: Option<Sha256>,
}

/// The right to send an upload, of one sender of this process at a time.
struct Turn {
    state: Arc<State>,
    digest: Digest,
}

impl Drop for Turn {
    fn drop(&mut self) {
        locked(&self.state.sending).remove(&self.digest);
    }
}

impl SourceUploads {
    /// Adds bytes to an upload of `size` bytes, from `offset` on. With the last one it is compared with its digest. Of what
    /// came before a connection broke the whole parts are kept; bytes that are one too many, or that do not have the digest,
    /// are not.
    ///
    /// # Errors
    /// See [`SourceUploadError`].
    pub async fn append(
        &self,
        digest: &Digest,
        size: u64,
        offset: u64,
        body: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<SourceUpload, SourceUploadError> {
        let _turn = self.turn(digest).ok_or(SourceUploadError::Busy)?;
        let found = self.find(digest).await?;
        let (known, received) = match &found {
            Found::Nothing => (size, 0),
            Found::Coming { size, parts, .. } => (*size, bytes_of(parts)),
            Found::Whole(note) => (note.size, note.size),
            Found::Verified(_, object) => (object.size, object.size),
        };
        if known != size {
            return Err(SourceUploadError::Size { size: known, claimed: size });
        }
        if let Found::Verified(note, _) = &found {
            self.write(digest, note).await?;
            return Ok(self.told(size, size, true));
        }
        if received != offset {
            return Err(SourceUploadError::Gap { received, offset });
        }
        // Whoever carries an upload on keeps it from being taken for abandoned.
        match &found {
            Found::Coming { upload, size, .. } => {
                self.write(digest, &Note { size: *size, id: upload.id.clone(), verified: None }).await?;
            }
            Found::Whole(note) => self.write(digest, note).await?,
            Found::Nothing | Found::Verified(..) => {}
        }
        let mut sending = match found {
            Found::Nothing => self.begin(digest, size).await?,
            Found::Coming { upload, parts, .. } => {
                let etags = parts.into_iter().map(|part| part.etag).collect();
                self.carry_on(digest, upload, size, received, etags)
            }
            Found::Whole(_) | Found::Verified(..) => return self.compare(digest, size).await,
        };
        let came = self.take_in(&mut sending, body).await;
        if sending.received == size {
            return self.complete(sending).await;
        }
        let status = self.told(sending.received, size, false);
        self.remember(sending);
        came.map(|()| status)
    }

    fn turn(&self, digest: &Digest) -> Option<Turn> {
        let is_free = locked(&self.state.sending).insert(*digest);
        is_free.then(|| Turn { state: Arc::clone(&self.state), digest: *digest })
    }

    pub(super) const fn told(&self, received: u64, size: u64, complete: bool) -> SourceUpload {
        SourceUpload { received, size, complete, part: part_size(size, self.least_part) }
    }

    async fn begin(&self, digest: &Digest, size: u64) -> Result<Sending, SourceUploadError> {
        let at = self.at(digest, size);
        let begun = self.bucket.s3.create_multipart(&at).await;
        let id = begun.map_err(|error| self.failed("write", &at, error))?;
        let note = Note { size, id, verified: None };
        let upload = self.begun(digest, &note);
        match self.note_begun(digest, &note).await {
            Ok(true) => {}
            Ok(false) => {
                self.give_up(&upload).await?;
                return Err(SourceUploadError::Busy);
            }
            Err(error) => {
                // A note that was made all the same is one of nothing.
                self.give_up(&upload).await?;
                return Err(error.into());
            }
        }
        let sha256 = Some(Sha256::new());
        Ok(Sending { digest: *digest, upload, size, received: 0, etags: Vec::new(), sha256 })
    }

    pub(super) async fn give_up(&self, upload: &Upload) -> Result<(), ArtifactError> {
        let given_up = self.bucket.give_up(upload).await;
        given_up.map_err(|error| self.failed("remove", &upload.at, error))
    }

    fn carry_on(
        &self,
        digest: &Digest,
        upload: Upload,
        size: u64,
        received: u64,
        etags: Vec<String>,
    ) -> Sending {
        let known = locked(&self.state.hashed).remove(digest);
        let is_same = |known: &Hashed| known.upload == upload.id && is_equal(&known.etags, &etags);
        let sha256 = known.filter(is_same).map(|known| known.sha256);
        // Nothing was hashed of nothing.
        let sha256 = sha256.or_else(|| etags.is_empty().then(Sha256::new));
        Sending { digest: *digest, upload, size, received, etags, sha256 }
    }

    fn remember(&self, sending: Sending) {
        let Sending { digest, upload, etags, sha256: Some(sha256), .. } = sending else { return };
        let mut known = locked(&self.state.hashed);
        if known.len() >= REMEMBERED {
            // Whichever: they are read back at their end.
            known.clear();
        }
        known.insert(digest, Hashed { upload: upload.id, etags, sha256 });
    }

    /// Takes in what comes, part by part.
    async fn take_in(
        &self,
        sending: &mut Sending,
        mut body: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<(), SourceUploadError> {
        let size = sending.size;
        let part = part_size(size, self.least_part);
        let mut buffer: Vec<u8> = Vec::new();
        while let Some(piece) = body.next().await {
            let mut piece = piece.map_err(SourceUploadError::Cut)?;
            let claimed = sending.received + buffer.len() as u64 + piece.len() as u64;
            if claimed > size {
                return Err(SourceUploadError::Size { size, claimed });
            }
            while !piece.is_empty() {
                let wanted = part.min(size - sending.received) - buffer.len() as u64;
                let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
                let fits = wanted.min(piece.len());
                buffer.reserve_exact(if buffer.is_empty() { wanted } else { 0 });
                buffer.extend_from_slice(&piece.split_to(fits));
                if fits == wanted {
                    self.put(sending, std::mem::take(&mut buffer)).await?;
                }
            }
        }
        Ok(())
    }

    async fn put(&self, sending: &mut Sending, bytes: Vec<u8>) -> Result<(), ArtifactError> {
        let sha256 = sending.sha256.take();
        let (bytes, sha256) = blocking(move || {
            let sha256 = sha256.map(|sha256| sha256.chain_update(&bytes));
            Ok::<_, ArtifactError>((bytes, sha256))
        })
        .await?;
        let (length, Upload { at, id, .. }) = (bytes.len() as u64, &sending.upload);
        let put = self.bucket.s3.put_part(at, id, sending.etags.len(), PutPayload::from(bytes)).await;
        let part = put.map_err(|error| self.failed("write", at, error))?;
        sending.etags.push(part.content_id);
        sending.received += length;
        sending.sha256 = sha256;
        Ok(())
    }

    /// Makes an object of all parts, and a source of the object where its bytes are those that they should be.
    async fn complete(&self, sending: Sending) -> Result<SourceUpload, SourceUploadError> {
        let Sending { digest, upload, size, etags, sha256, .. } = sending;
        let found = sha256.map(|sha256| Digest::from_bytes(sha256.finalize().into()));
        if let Some(found) = found.filter(|found| *found != digest) {
            self.give_up(&upload).await?;
            self.forget(&digest, &upload.id).await?;
            return Err(SourceUploadError::Digest { found });
        }
        let parts = etags.into_iter().map(|content_id| PartId { content_id }).collect();
        let completed = self.bucket.s3.complete_multipart(&upload.at, &upload.id, parts).await;
        let object = self.object(&digest, size).await?;
        match (completed, object) {
            (Ok(made), Some(object)) if found.is_some() && is_equal(&made.e_tag, &object.e_tag) => {
                self.note_verified(&digest, &object).await?;
                Ok(self.told(size, size, true))
            }
            // Another completed it, or this process did not see all of it: what counts is what is there.
            (_, Some(_)) => self.compare(&digest, size).await,
            (Err(error), None) => Err(self.failed("write", &upload.at, error).into()),
            (Ok(_), None) => {
                let reason = "the store completed the upload, and has it not in its size";
                Err(self.failed("write", &upload.at, reason).into())
            }
        }
    }
}
