//! Raw keys that the operator gives in a file of JSON.

mod document;

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use hkdf::Hkdf;
use reelfarm_model::key::Digest;
use reelfarm_model::{KeyUse, TitleId};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::keys::{ContentKey, TitleKeys};
use crate::private_file;
use crate::provider::{KeyError, KeyProvider, KeyRequest};
use crate::signal;
use crate::uris::KeyUris;

/// The largest file that is read: some hundred thousand titles.
const MAXIMUM_SIZE: usize = 16 * 1024 * 1024;

/// Keys given by the operator: one a title, which encrypts every track whatever the division.
#[derive(Clone, Debug)]
pub struct GivenKeys {
    file: String,
    titles: BTreeMap<TitleId, ContentKey>,
    others: Option<ContentKey>,
    uris: KeyUris,
}

/// Reads the document that keys are given in, and keeps nothing of it.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_document(text: &[u8]) {
    drop(document::parse(text));
}

impl GivenKeys {
    /// Reads a file of the form `{"<title or *>": {"kid": "<32 hex>", "key": "<32 hex>"}}`, where `*` stands for all other
    /// titles. Blocks on I/O. What was read is zeroed before this returns; where the JSON has escapes in its texts, the
    /// parser's own buffer is not.
    ///
    /// # Errors
    /// [`KeyError::File`]: others than its owner may use it, or it is not of that form. The reason names the entry by its
    /// number and, where that cannot be part of a key, by its title, and never what stands in it.
    pub fn load(path: &Path, uris: KeyUris) -> Result<Self, KeyError> {
        let file = path.display().to_string();
        let read = private_file::read(path, MAXIMUM_SIZE)
            .and_then(|text| text.ok_or_else(|| "there is no such file".to_owned()))
            .and_then(|text| document::parse(&text));
        match read {
            Ok(document::Entries { titles, others }) => Ok(Self { file, titles, others, uris }),
            Err(reason) => Err(KeyError::File { file, reason }),
        }
    }

    /// The same keys, of which players are told these URIs.
    #[must_use]
    pub fn with_uris(&self, uris: KeyUris) -> Self {
        Self { uris, ..self.clone() }
    }

    /// Which key the title has: a digest of id and key that tells nothing of the key. `None` where it has none.
    pub fn fingerprint(&self, title: &TitleId) -> Option<Digest> {
        let key = self.key(title)?;
        let mut bytes = Zeroizing::new([0; 32]);
        let derived = Hkdf::<Sha256>::new(Some(&key.id.0), key.key.expose())
            .expand(b"reelfarm given key fingerprint", &mut *bytes);
        debug_assert!(derived.is_ok(), "HKDF refuses only lengths over 8160 bytes");
        Some(Digest::of(&*bytes))
    }

    fn key(&self, title: &TitleId) -> Option<&ContentKey> {
        self.titles.get(title).or(self.others.as_ref())
    }
}

#[async_trait]
impl KeyProvider for GivenKeys {
    async fn keys(&self, request: &KeyRequest) -> Result<TitleKeys, KeyError> {
        let key = self.key(&request.title).ok_or_else(|| KeyError::Missing {
            title: request.title.clone(),
            reason: format!("{} has neither it nor *", self.file),
        })?;
        Ok(signal::title_keys(
            BTreeMap::from([(KeyUse::All, key.in_scheme(request.scheme))]),
            request,
            &self.uris,
        ))
    }
}
