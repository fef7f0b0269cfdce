//! The ids of keys that a key server is asked for. SPEKE has the encryptor choose them, the same ones for the same
//! content each time; so they follow from what the key is for.

use reelfarm_model::profile::Scheme;
use reelfarm_model::{KeyId, KeyUse, TitleId};
use sha2::{Digest as _, Sha256};

/// The namespace of names that are URLs (RFC 9562 clause 6.6).
const URL_NAMESPACE: [u8; 16] =
    [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];

/// The id of the key for this use of this title at this server: a UUID of the name `URL, title, use`. Whole segments have
/// an id of their own, and so a key of their own: whoever may fetch it may fetch nothing else.
pub(super) fn key_id(url: &str, title: &TitleId, wanted: KeyUse, scheme: Scheme) -> KeyId {
    let mut name = vec![url, title.as_str(), wanted.as_str()];
    if scheme == Scheme::Aes128 {
        name.push(scheme.as_str());
    }
    // None of them has a line break in it, so no two differ and give one name.
    name_based(&URL_NAMESPACE, &name.join("\n"))
}

/// The initialisation vector that a server is told of, where it has none of its own for the key: any will do that is the
/// same each time, since it stands in the media for all to read.
pub(super) fn proposed_vector(id: KeyId) -> [u8; 16] {
    name_based(&id.0, "initialization vector").0
}

/// A UUID of version 8 made of a name with SHA-256 (RFC 9562 appendix B.2): versions 3 and 5 bind one to MD5 and SHA-1.
fn name_based(namespace: &[u8; 16], name: &str) -> KeyId {
    let digest = Sha256::new().chain_update(namespace).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    KeyId(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_the_uuid_of_the_specification() {
        let dns = "6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse::<KeyId>().unwrap();
        assert_eq!(name_based(&dns.0, "www.example.com").to_uuid(), "5c146b14-3c52-8afd-938a-375d0df1fbf6");
    }

    #[test]
    fn an_id_follows_from_server_title_and_use() {
        let (here, film): (_, TitleId) = ("https://keys.example/speke", "film".parse().unwrap());
        let id = key_id(here, &film, KeyUse::Sd, Scheme::Cenc);
        for scheme in [Scheme::Cenc, Scheme::Cbcs, Scheme::SampleAes] {
            assert_eq!(id, key_id(here, &film, KeyUse::Sd, scheme));
        }
        for other in [
            key_id("https://keys.example/other", &film, KeyUse::Sd, Scheme::Cenc),
            key_id(here, &"film2".parse().unwrap(), KeyUse::Sd, Scheme::Cenc),
            key_id(here, &film, KeyUse::Hd, Scheme::Cenc),
            key_id(here, &film, KeyUse::Sd, Scheme::Aes128),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn each_key_has_a_vector_of_its_own() {
        let vector = proposed_vector(KeyId([1; 16]));
        assert_eq!(vector, proposed_vector(KeyId([1; 16])));
        assert!(vector != proposed_vector(KeyId([2; 16])) && vector != [1; 16]);
    }
}
