//! The ids of keys that a key server is asked for. SPEKE has the encryptor choose them, the same ones for the same
//! content each time; so they follow from what the key is for.

use reelfarm_model::{KeyId, KeyUse, TitleId};
use sha2::{Digest as _, Sha256};

/// The namespace of names that are URLs (RFC 9562 clause 6.6).
const URL_NAMESPACE: [u8; 16] =
    [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];

/// The id of the key for this use of this title at this server: a UUID of the name `URL, title, use`.
pub(super) fn key_id(url: &str, title: &TitleId, wanted: KeyUse) -> KeyId {
    // None of the three has a line break in it, so no two differ and give one name.
    name_based(&URL_NAMESPACE, &[url, title.as_str(), wanted.as_str()].join("\n"))
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
    fn an_id_follows_from_server_title_and_use_alone() {
        let title: TitleId = "film".parse().unwrap();
        let id = key_id("https://keys.example/speke", &title, KeyUse::Sd);
        assert_eq!(id, key_id("https://keys.example/speke", &title, KeyUse::Sd));
        for other in [
            key_id("https://keys.example/other", &title, KeyUse::Sd),
            key_id("https://keys.example/speke", &"film2".parse().unwrap(), KeyUse::Sd),
            key_id("https://keys.example/speke", &title, KeyUse::Hd),
        ] {
            assert_ne!(id, other);
        }
    }
}
