//! A title's content keys, and what manifests say of them.

use std::collections::BTreeMap;

use hkdf::Hkdf;
use reelfarm_model::profile::{DrmSystem, Scheme};
use reelfarm_model::{KeyId, KeyUse};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// One content key (AES-128) with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentKey {
    /// The key's id.
    pub id: KeyId,
    /// The key.
    pub key: Secret<16>,
}

impl ContentKey {
    /// The first initialisation vector of a track: of 8 bytes for cenc, where it counts up sample by sample (ISO/IEC
    /// 23001-7 clause 9.2), of 16 for the schemes that chain blocks. It follows from key and track, so that making the
    /// track again gives the same bytes, and differs from track to track, because two tracks with one key stream would
    /// give away both.
    pub fn initialization_vector<const N: usize>(&self, track: &str) -> [u8; N] {
        let mut vector = [0; N];
        let info: [&[u8]; 2] = [b"reelfarm initialization vector ", track.as_bytes()];
        let derived =
            Hkdf::<Sha256>::new(Some(&self.id.0), self.key.expose()).expand_multi_info(&info, &mut vector);
        debug_assert!(derived.is_ok(), "HKDF refuses only lengths over 8160 bytes");
        vector
    }

    /// The key that takes this one's place in `scheme`: of AES-128 anybody may fetch the key file, so it has a key of its
    /// own, which follows from this one and tells nothing of it.
    #[must_use]
    pub(crate) fn in_scheme(&self, scheme: Scheme) -> Self {
        if scheme != Scheme::Aes128 {
            return self.clone();
        }
        let hkdf = Hkdf::<Sha256>::new(Some(&self.id.0), self.key.expose());
        let (mut id, mut key) = ([0; 16], Zeroizing::new([0; 16]));
        let derived = hkdf
            .expand(b"reelfarm whole segments key id", &mut id)
            .and_then(|()| hkdf.expand(b"reelfarm whole segments key", &mut *key));
        debug_assert!(derived.is_ok(), "HKDF refuses only lengths over 8160 bytes");
        // A UUID of version 8, whose other bits are its maker's (RFC 9562 clause 5.8).
        id[6] = id[6] & 0x0f | 0x80;
        id[8] = id[8] & 0x3f | 0x80;
        Self { id: KeyId(id), key: Secret::new(*key) }
    }
}

/// What manifests say of one DRM system for one key. Serialises with its bytes in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// The whole `pssh` box (ISO/IEC 23001-7 clause 8.1), where the system has one.
    #[serde(with = "crate::base64_text::optional", default, skip_serializing_if = "Option::is_none")]
    pub pssh: Option<Vec<u8>>,
    /// The PlayReady Object, little-endian UTF-16 header and all; PlayReady only.
    #[serde(with = "crate::base64_text::optional", default, skip_serializing_if = "Option::is_none")]
    pub playready_object: Option<Vec<u8>>,
    /// Where HLS players ask for the key: the URI of `EXT-X-KEY` (RFC 8216 clause 4.3.2.4), where the system is used
    /// in HLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hls_uri: Option<String>,
}

/// What names the vector of SAMPLE-AES in MPEG-TS, where it reaches the player together with the key.
const SAMPLE_AES: &str = "SAMPLE-AES";

/// A title's keys for one scheme, and what manifests say of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TitleKeys {
    keys: BTreeMap<KeyUse, ContentKey>,
    signals: BTreeMap<(DrmSystem, KeyId), Signal>,
    vectors: BTreeMap<KeyId, [u8; 16]>,
}

impl TitleKeys {
    /// Keys by their use, and what is said of each to each system.
    pub fn new(keys: BTreeMap<KeyUse, ContentKey>, signals: BTreeMap<(DrmSystem, KeyId), Signal>) -> Self {
        Self { keys, signals, vectors: BTreeMap::new() }
    }

    /// The same keys, of which these have an initialisation vector that was agreed with whoever gives licences: a FairPlay
    /// server answers it together with the key, so nothing else may be used.
    #[must_use]
    pub fn with_vectors(self, vectors: BTreeMap<KeyId, [u8; 16]>) -> Self {
        Self { vectors, ..self }
    }

    /// The initialisation vector that was agreed for the key `id`.
    pub fn agreed_vector(&self, id: KeyId) -> Option<[u8; 16]> {
        self.vectors.get(&id).copied()
    }

    /// The initialisation vector of a track in a scheme that chains blocks: the one agreed for its key. Without one it
    /// follows from key and track ([`ContentKey::initialization_vector`]), for SAMPLE-AES in MPEG-TS from the key alone.
    pub fn block_vector(&self, scheme: Scheme, key: &ContentKey, track: &str) -> [u8; 16] {
        let track = if scheme == Scheme::SampleAes { SAMPLE_AES } else { track };
        self.agreed_vector(key.id).unwrap_or_else(|| key.initialization_vector(track))
    }

    /// The key for this use: its own, or the one for every track.
    pub fn key(&self, wanted: KeyUse) -> Option<&ContentKey> {
        self.keys.get(&wanted).or_else(|| self.keys.get(&KeyUse::All))
    }

    /// Every key with its use.
    pub fn keys(&self) -> impl Iterator<Item = (KeyUse, &ContentKey)> {
        self.keys.iter().map(|(r#use, key)| (*r#use, key))
    }

    /// The key with this id.
    pub fn by_id(&self, id: KeyId) -> Option<&ContentKey> {
        self.keys.values().find(|key| key.id == id)
    }

    /// What is said of the key `id` to `system`.
    pub fn signal(&self, system: DrmSystem, id: KeyId) -> Option<&Signal> {
        self.signals.get(&(system, id))
    }

    /// Everything that is said.
    pub fn signals(&self) -> impl Iterator<Item = (DrmSystem, KeyId, &Signal)> {
        self.signals.iter().map(|((system, id), signal)| (*system, *id, signal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_segments_have_a_key_of_their_own() {
        let key = ContentKey { id: KeyId([1; 16]), key: Secret::new([2; 16]) };
        for scheme in [Scheme::Cenc, Scheme::Cbcs, Scheme::SampleAes] {
            assert_eq!(key.in_scheme(scheme), key);
        }
        let own = key.in_scheme(Scheme::Aes128);
        assert!(own.id != key.id && own.key != key.key);
        assert_eq!(own, key.in_scheme(Scheme::Aes128));
    }

    #[test]
    fn an_agreed_vector_is_that_of_all_tracks_of_its_key() {
        let key = |id| ContentKey { id: KeyId([id; 16]), key: Secret::new([id ^ 1; 16]) };
        let (own, agreed) = (key(1), key(2));
        let uses = [(KeyUse::Audio, own.clone()), (KeyUse::Sd, agreed.clone())];
        let keys =
            TitleKeys::new(uses.into(), BTreeMap::new()).with_vectors(BTreeMap::from([(agreed.id, [7; 16])]));
        for scheme in [Scheme::Cbcs, Scheme::SampleAes] {
            for track in ["video-720p", "video-480p"] {
                assert_eq!(keys.block_vector(scheme, &agreed, track), [7; 16]);
            }
        }
        let of = |scheme, track| keys.block_vector(scheme, &own, track);
        assert_eq!(of(Scheme::Cbcs, "audio"), own.initialization_vector("audio"));
        assert_eq!(of(Scheme::SampleAes, "audio"), own.initialization_vector("SAMPLE-AES"));
        assert_eq!(of(Scheme::SampleAes, "audio"), of(Scheme::SampleAes, "other"));
    }

    #[test]
    fn vectors_follow_from_key_and_track() {
        let key = |id: u8, byte: u8| ContentKey { id: KeyId([id; 16]), key: Secret::new([byte; 16]) };
        let first: [u8; 8] = key(1, 1).initialization_vector("video-720p");
        assert_eq!(first, key(1, 1).initialization_vector("video-720p"));
        for other in [
            key(1, 1).initialization_vector("video-480p"),
            key(2, 1).initialization_vector("video-720p"),
            key(1, 2).initialization_vector("video-720p"),
        ] {
            assert_ne!(first, other);
        }
    }
}
