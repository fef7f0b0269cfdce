//! A title's keys at rest.

use std::collections::BTreeMap;

use reelfarm_model::key::Digest;
use reelfarm_model::profile::DrmSystem;
use reelfarm_model::{KeyId, KeyUse, TitleId};
use serde::{Deserialize, Serialize};

use crate::keys::{ContentKey, Signal, TitleKeys};
use crate::master::MasterSecret;
use crate::provider::KeyError;
use crate::secret::Secret;
use crate::wrap::{NoRandomness, Wrapped, random, unwrap, wrap};

/// A title's keys as they are stored: each wrapped with a random data key, and that one with a key that follows from a
/// version of the master secret. Ids and what players are told stand in clear; nothing of it can be changed, left out or
/// put into another bundle unnoticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyBundle {
    content: Content,
    /// The data key, bound to all of the content.
    data_key: Wrapped,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    title: TitleId,
    /// The version of the master secret that the data key is wrapped with.
    master_version: u32,
    /// Which secret that version was, so that a wrong secret is told from a damaged bundle.
    master_fingerprint: Digest,
    keys: Vec<StoredKey>,
    signals: Vec<StoredSignal>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    r#use: KeyUse,
    id: KeyId,
    key: Wrapped,
    /// The initialisation vector that was agreed for it; no secret, since media files state it.
    #[serde(with = "crate::base64_text::optional", default, skip_serializing_if = "Option::is_none")]
    vector: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSignal {
    system: DrmSystem,
    id: KeyId,
    signal: Signal,
}

impl KeyBundle {
    /// Wraps a title's keys with the newest version of the master secret. Each call gives another bundle.
    ///
    /// # Errors
    /// [`KeyError::Stored`]: the system gives no random bytes.
    pub fn seal(keys: &TitleKeys, title: &TitleId, master: &MasterSecret) -> Result<Self, KeyError> {
        let failed = |error: NoRandomness| stored(title, &error.to_string());
        let data_key = random::<32>().map_err(failed)?;
        let wrapped = keys.keys().map(|(r#use, ContentKey { id, key })| {
            let vector = keys.agreed_vector(*id).map(Vec::from);
            wrap(&data_key, key, &bound_to(title, r#use, *id)).map(|key| StoredKey {
                r#use,
                id: *id,
                key,
                vector,
            })
        });
        let signals =
            keys.signals().map(|(system, id, signal)| StoredSignal { system, id, signal: signal.clone() });
        let content = Content {
            title: title.clone(),
            master_version: master.version(),
            master_fingerprint: master.fingerprint(),
            keys: wrapped.collect::<Result<_, _>>().map_err(failed)?,
            signals: signals.collect(),
        };
        let data_key = wrap(&master.wrapping_key(), &data_key, &content.bytes()?).map_err(failed)?;
        Ok(Self { content, data_key })
    }

    /// The title's keys back.
    ///
    /// # Errors
    /// [`KeyError::MasterSecret`] where the version that they are wrapped with is not there or is another secret,
    /// [`KeyError::Stored`] where the bundle is another title's or anything in it is not as it was sealed.
    pub fn open(&self, title: &TitleId, master: &MasterSecret) -> Result<TitleKeys, KeyError> {
        let content = &self.content;
        if content.title != *title {
            return Err(stored(title, &format!("they are those of title {}", content.title)));
        }
        let version = content.master_version;
        let refused = |reason: &str| KeyError::MasterSecret {
            file: master.file().to_owned(),
            reason: format!("{reason} version {version} with which the keys of title {title} are wrapped"),
        };
        let (fingerprint, wrapping_key) = master.unwrapping(version).ok_or_else(|| refused("it has no"))?;
        if fingerprint != content.master_fingerprint {
            return Err(refused("it is not the one whose"));
        }
        let data_key: Secret<32> = unwrap(&wrapping_key, &self.data_key, &content.bytes()?)
            .ok_or_else(|| stored(title, "they are not as they were stored"))?;
        let mut vectors = BTreeMap::new();
        let keys = content.keys.iter().map(|StoredKey { r#use, id, key, vector }| {
            if let Some(vector) = vector {
                let vector = <[u8; 16]>::try_from(vector.as_slice());
                vectors.insert(
                    *id,
                    vector.map_err(|_| stored(title, "an initialisation vector has not 16 bytes"))?,
                );
            }
            let key = unwrap(&data_key, key, &bound_to(title, *r#use, *id)).ok_or_else(|| {
                stored(title, &format!("the {} key is not as it was stored", r#use.as_str()))
            })?;
            Ok((*r#use, ContentKey { id: *id, key }))
        });
        let keys = keys.collect::<Result<_, KeyError>>()?;
        let signals = content.signals.iter().map(|said| ((said.system, said.id), said.signal.clone()));
        Ok(TitleKeys::new(keys, signals.collect()).with_vectors(vectors))
    }

    /// The version of the master secret that opens it.
    pub fn master_version(&self) -> u32 {
        self.content.master_version
    }
}

impl Content {
    /// All that the data key is bound to.
    fn bytes(&self) -> Result<Vec<u8>, KeyError> {
        let mut bytes = b"reelfarm key bundle v1\0".to_vec();
        match serde_json::to_writer(&mut bytes, self) {
            Ok(()) => Ok(bytes),
            Err(error) => Err(stored(&self.title, &error.to_string())),
        }
    }
}

/// What a content key is bound to.
fn bound_to(title: &TitleId, r#use: KeyUse, id: KeyId) -> Vec<u8> {
    format!("reelfarm content key v1\0{title}\0{}\0{id}", r#use.as_str()).into_bytes()
}

fn stored(title: &TitleId, reason: &str) -> KeyError {
    KeyError::Stored { title: title.clone(), reason: reason.to_owned() }
}
