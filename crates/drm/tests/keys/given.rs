//! Keys that the operator gives.

use reelfarm_drm::{GivenKeys, KeyProvider as _, KeyUris};
use reelfarm_model::profile::Scheme;
use reelfarm_model::{Code, Failure, KeyDivision, KeyUse};
use tempfile::TempDir;

use crate::{request, write};

const KEYS: &str = r#"{
    "film": {"kid": "00112233445566778899aabbccddeeff", "key": "0123456789abcdeffedcba9876543210"},
    "*": {"kid": "f0e0d0c0b0a090807060504030201000", "key": "5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c"}
}"#;

fn load(content: &str, mode: u32) -> Result<GivenKeys, reelfarm_drm::KeyError> {
    let folder = TempDir::new().unwrap();
    GivenKeys::load(&write(folder.path(), "keys.json", content, mode), KeyUris::default())
}

#[tokio::test]
async fn a_titles_own_entry_goes_before_the_one_for_all_others() {
    let given = load(KEYS, 0o600).unwrap();
    for (title, id) in
        [("film", "00112233445566778899aabbccddeeff"), ("another", "f0e0d0c0b0a090807060504030201000")]
    {
        // Whatever the division, the one key is for every track.
        for division in [KeyDivision::Title, KeyDivision::Quality] {
            let keys = given.keys(&request(title, division, Scheme::Cenc)).await.unwrap();
            for r#use in [KeyUse::All, KeyUse::Audio, KeyUse::Sd, KeyUse::Hd, KeyUse::Uhd] {
                assert_eq!(keys.key(r#use).unwrap().id.to_string(), id);
            }
            assert_eq!(keys.keys().count(), 1);
        }
    }
}

#[tokio::test]
async fn a_title_without_an_entry_has_no_key() {
    let only_film = KEYS.replace("\"*\"", "\"other\"");
    let given = load(&only_film, 0o600).unwrap();
    let missing = given.keys(&request("another", KeyDivision::Title, Scheme::Cenc)).await.unwrap_err();
    assert!(missing.to_string().contains("title another"), "{missing}");
    assert_eq!(Failure::from(missing).code, Code::KeyMissing);
    assert_eq!(given.fingerprint(&"another".parse().unwrap()), None);
}

/// Worked out apart from this code, with Python's `hmac`.
#[test]
fn the_fingerprint_of_a_key_never_changes() {
    let fingerprint = load(KEYS, 0o600).unwrap().fingerprint(&"film".parse().unwrap()).unwrap();
    assert_eq!(fingerprint.to_string(), "d06da4fa06fdc6cc0590c5c09d43515c12c9d1a50d7307e3a6f03400f4b8f9ed");
}

#[test]
fn the_fingerprint_changes_with_the_key_and_with_its_id() {
    let of = |text: &str| load(text, 0o600).unwrap().fingerprint(&"film".parse().unwrap()).unwrap();
    let seen = [of(KEYS), of(&KEYS.replace("0011", "0111")), of(&KEYS.replace("fedc", "fedd"))];
    assert!(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2]);
    let others = load(KEYS, 0o600).unwrap().fingerprint(&"another".parse().unwrap()).unwrap();
    assert_ne!(others, seen[0]);
}

#[test]
fn a_file_that_others_may_use_is_refused() {
    for mode in [0o644, 0o640, 0o604, 0o660] {
        let error = load(KEYS, mode).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
        assert_eq!(Failure::from(error).code, Code::KeysFileInvalid);
    }
    load(KEYS, 0o400).unwrap();
}

#[test]
fn a_refused_file_is_named_with_the_entry() {
    let error = load(&KEYS.replace("\"kid\": \"f0", "\"kid\": \"g0"), 0o600).unwrap_err().to_string();
    assert!(error.contains("keys.json: entry 2, *: its kid is not 32 hexadecimal digits"), "{error}");
    let missing = GivenKeys::load("nowhere/keys.json".as_ref(), KeyUris::default()).unwrap_err().to_string();
    assert_eq!(missing, "nowhere/keys.json: there is no such file");
}
