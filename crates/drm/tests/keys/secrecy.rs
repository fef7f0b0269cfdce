//! A known key is looked for in all that is printed, stored or told.

use std::fmt::Debug;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use reelfarm_drm::{
    ContentKey, DerivedKeys, GivenKeys, KeyBundle, KeyError, KeyProvider as _, KeyUris, MasterSecret, Secret,
    signal,
};
use reelfarm_model::profile::{DrmSystem, Scheme};
use reelfarm_model::{Failure, KeyDivision, KeyId, KeyUse};
use serde::Serialize;
use tempfile::TempDir;

use crate::{request, write};

const KEY: [u8; 16] = *b"\xc4\xf1\x9d\x07\xb3\x5e\xaa\x61\x8c\x2f\xe8\x36\xd9\x70\x1b\x95";
const KID: &str = "00112233445566778899aabbccddeeff";

/// All that was said, and the secrets that must not be in it.
struct Ear {
    secrets: Vec<Vec<u8>>,
    heard: usize,
}

impl Ear {
    fn new(secrets: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { secrets: secrets.into_iter().collect(), heard: 0 }
    }

    fn hear(&mut self, said: &[u8]) {
        self.heard += 1;
        let contains = |form: &[u8]| said.windows(form.len()).any(|window| window.eq_ignore_ascii_case(form));
        for secret in &self.secrets {
            for form in forms(secret) {
                assert!(!contains(&form), "{} is in {}", form.escape_ascii(), said.escape_ascii());
            }
        }
    }

    fn hear_debug(&mut self, value: &dyn Debug) {
        self.hear(format!("{value:?}").as_bytes());
        self.hear(format!("{value:#?}").as_bytes());
    }

    fn hear_value(&mut self, value: &(impl Debug + Serialize)) {
        self.hear_debug(value);
        self.hear(&serde_json::to_vec(value).unwrap());
    }

    fn hear_error(&mut self, error: KeyError) {
        self.hear_debug(&error);
        self.hear(error.to_string().as_bytes());
        self.hear_value(&Failure::from(error));
    }
}

/// The ways in which bytes are written, each of half of the secret: a half is half too much. Compared without regard to
/// case, which changes nothing of hexadecimal digits and lets nothing through of the rest.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for half in secret.chunks(secret.len() / 2) {
        forms.push(half.to_vec());
        forms.push(hex::encode(half).into_bytes());
        for separator in [",", ", ", ",\n    "] {
            for number in [|byte: &u8| byte.to_string(), |byte: &u8| format!("{byte:#x}")] {
                let list: Vec<_> = half.iter().map(number).collect();
                forms.push(list.join(separator).into_bytes());
            }
        }
        // In base64 the letters depend on where the bytes begin; those at the ends depend on the neighbours.
        for skipped in 0..3 {
            let whole = &half[skipped..half.len() - (half.len() - skipped) % 3];
            forms.push(STANDARD_NO_PAD.encode(whole).into_bytes());
            forms.push(URL_SAFE_NO_PAD.encode(whole).into_bytes());
        }
    }
    forms
}

fn content_key() -> ContentKey {
    ContentKey { id: KID.parse().unwrap(), key: Secret::new(KEY) }
}

#[test]
fn the_ear_hears_a_key_in_every_form() {
    let texts = [
        hex::encode_upper(KEY).into_bytes(),
        format!("{KEY:?}").into_bytes(),
        format!("{KEY:#?}").into_bytes(),
        format!("{KEY:#x?}").into_bytes(),
        serde_json::to_vec(&KEY).unwrap(),
        KEY[8..].to_vec(),
        STANDARD_NO_PAD.encode(KEY).into_bytes(),
        URL_SAFE_NO_PAD.encode([b"1", &KEY[..]].concat()).into_bytes(),
        STANDARD_NO_PAD.encode([b"12", &KEY[..], b"3"].concat()).into_bytes(),
    ];
    for text in texts {
        let heard = std::panic::catch_unwind(|| Ear::new([KEY.to_vec()]).hear(&text));
        assert!(heard.is_err(), "not heard in {}", text.escape_ascii());
    }
    Ear::new([KEY.to_vec()]).hear(KID.as_bytes());
}

#[test]
fn a_content_key_is_in_nothing_that_players_are_told() {
    let mut ear = Ear::new([KEY.to_vec()]);
    let key = content_key();
    ear.hear_debug(&key);
    ear.hear_debug(&key.key);
    for system in DrmSystem::ALL {
        for scheme in [Scheme::Cenc, Scheme::Cbcs, Scheme::Aes128, Scheme::SampleAes] {
            let signal = signal::signal(system, scheme, &key, &"film".parse().unwrap(), &KeyUris::default());
            ear.hear_value(&signal);
            for bytes in signal.pssh.iter().chain(&signal.playready_object) {
                ear.hear(bytes);
                // PlayReady's header has two bytes a character.
                ear.hear(&bytes.iter().copied().filter(|byte| *byte != 0).collect::<Vec<_>>());
            }
        }
    }
    assert_eq!(ear.heard, 4 + 24 * 3 + 2 * (8 + 2));
}

#[tokio::test]
async fn keys_that_are_given_show_in_no_value_and_no_error() {
    let folder = TempDir::new().unwrap();
    let key = hex::encode(KEY);
    let good = format!(r#"{{"film": {{"kid": "{KID}", "key": "{key}"}}}}"#);
    let mut ear = Ear::new([KEY.to_vec()]);
    let given = GivenKeys::load(&write(folder.path(), "good", &good, 0o600), KeyUris::default()).unwrap();
    ear.hear_debug(&given);
    ear.hear_value(&given.fingerprint(&"film".parse().unwrap()).unwrap());
    let asked = request("film", KeyDivision::Quality, Scheme::Cbcs);
    ear.hear_debug(&asked);
    ear.hear_debug(&given.keys(&asked).await.unwrap());
    let missing = given.keys(&request("other", KeyDivision::Title, Scheme::Cbcs)).await.unwrap_err();
    ear.hear_error(missing);
    for bad in [
        good.replace("kid", "key"),
        good.replace(KID, &key),
        good.replace("film", &key),
        good.replace("film", &format!("a/{key}")),
        good.replace("\"key\"", &format!("\"{key}\"")),
        good.replace(&format!("\"{key}\""), &key),
        good.replace(&key, &format!("{key}0")),
        good.replace(&key, &URL_SAFE_NO_PAD.encode(KEY)),
        good.replace(&format!("\"{key}\""), &format!("{KEY:?}")),
        good.replace(&format!("\"{key}\""), &format!("[\"{key}\"]")),
        good.replace("}}", ""),
        good.replace(&key, &key.replace('a', "\\x")),
        format!("{good}{key}"),
        key.clone(),
        format!("\"{key}\""),
        format!(r#"{{"{KID}": "{key}"}}"#),
        format!(r#"{{"{key}": "{KID}"}}"#),
        format!(r#"{{"film": "{key}"}}"#),
    ] {
        let path = write(folder.path(), "bad", &bad, 0o600);
        ear.hear_error(GivenKeys::load(&path, KeyUris::default()).expect_err(&bad));
    }
    let open = write(folder.path(), "open", &good, 0o644);
    ear.hear_error(GivenKeys::load(&open, KeyUris::default()).unwrap_err());
}

#[tokio::test]
async fn the_master_secret_and_what_follows_from_it_show_nowhere() {
    let folder = TempDir::new().unwrap();
    let (first, second): (Vec<u8>, Vec<u8>) =
        (0..32_u8).map(|byte| (byte.wrapping_mul(7) ^ 0x65, byte ^ 0xb5)).unzip();
    let lines = format!("1:{}\n2:{}\n", hex::encode(&first), hex::encode(&second));
    let master = MasterSecret::load(&write(folder.path(), "secret", &lines, 0o600)).unwrap();
    let master = Arc::new(master);
    let provider = DerivedKeys::new(Arc::clone(&master), KeyUris::default());
    let keys = provider.keys(&request("film", KeyDivision::Quality, Scheme::Cbcs)).await.unwrap();
    let derived = keys.keys().map(|(_, key)| key.key.expose().to_vec());
    let mut ear = Ear::new([first, second, KEY.to_vec()].into_iter().chain(derived));
    ear.hear_debug(&master);
    ear.hear_debug(&provider);
    ear.hear_value(&master.fingerprint());
    ear.hear_debug(&keys);

    let title = "film".parse().unwrap();
    let one = reelfarm_drm::TitleKeys::new([(KeyUse::All, content_key())].into(), [].into());
    for keys in [&keys, &one] {
        let bundle = KeyBundle::seal(keys, &title, &master).unwrap();
        ear.hear_value(&bundle);
        ear.hear_error(bundle.open(&"other".parse().unwrap(), &master).unwrap_err());
        let only_first = write(folder.path(), "first", &lines[..lines.find('\n').unwrap() + 1], 0o600);
        let only_first = MasterSecret::load(&only_first).unwrap();
        ear.hear_error(bundle.open(&title, &only_first).unwrap_err());
    }
    for bad in [
        lines.replace(':', " "),
        lines.replace("\n2", "\n1"),
        lines[..100].to_owned(),
        lines.replace('\n', ""),
    ] {
        let path = write(folder.path(), "bad", &bad, 0o600);
        ear.hear_error(MasterSecret::load(&path).unwrap_err());
        ear.hear_error(MasterSecret::load_or_create(&path).unwrap_err());
    }
    let ids: Vec<KeyId> = keys.keys().map(|(_, key)| key.id).collect();
    assert_eq!(ids.len(), 4);
}
