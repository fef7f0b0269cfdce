//! The farm's master secret, and the keys that follow from it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use hkdf::Hkdf;
use reelfarm_model::key::Digest;
use reelfarm_model::{KeyId, KeyUse, TitleId};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::keys::{ContentKey, TitleKeys};
use crate::private_file;
use crate::provider::{KeyError, KeyProvider, KeyRequest};
use crate::secret::Secret;
use crate::signal;
use crate::uris::KeyUris;
use crate::wrap::random;

/// The largest file that is read: room for some hundred versions.
const MAXIMUM_SIZE: usize = 8 * 1024;

/// The secret that content keys follow from and that wraps the keys the farm keeps. It has versions: the highest wraps
/// and derives, and every one unwraps, so that a new one can be added without touching what is stored.
///
/// Its file has a line `<version>:<64 hexadecimal digits>` for each, the version a decimal number from 1.
#[derive(Clone, Debug)]
pub struct MasterSecret {
    file: String,
    newest: (u32, Secret<32>),
    older: BTreeMap<u32, Secret<32>>,
}

impl MasterSecret {
    /// Reads the file. Blocks on I/O.
    ///
    /// # Errors
    /// [`KeyError::MasterSecret`]: it is not there, others than its owner may use it, or it is not what it should be.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        Self::read(path)?.ok_or_else(|| refused(path, "there is no such file"))
    }

    /// Reads the file, or makes it with version 1 where there is none, for its owner alone. Of several that make it at once
    /// one wins, and all get that one's secret. Blocks on I/O.
    ///
    /// # Errors
    /// Those of [`MasterSecret::load`], or it cannot be made.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        if let Some(secret) = Self::read(path)? {
            return Ok(secret);
        }
        let secret = random::<32>().map_err(|error| refused(path, &error.to_string()))?;
        let digits = Zeroizing::new(hex::encode(secret.expose()));
        let line = Zeroizing::new(["1:", &digits, "\n"].concat());
        private_file::create(path, line.as_bytes())
            .map_err(|error| refused(path, &format!("it cannot be made: {error}")))?;
        Self::load(path)
    }

    fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let refused = |reason: String| refused(path, &reason);
        let Some(text) = private_file::read(path, MAXIMUM_SIZE).map_err(refused)? else { return Ok(None) };
        let mut versions = parse(&text).map_err(refused)?;
        let newest = versions.pop_last().ok_or_else(|| refused("it is empty".to_owned()))?;
        Ok(Some(Self { file: path.display().to_string(), newest, older: versions }))
    }

    /// The version that wraps and derives.
    pub fn version(&self) -> u32 {
        self.newest.0
    }

    /// Which secret the newest version is: a digest that tells nothing of it, and differs from all that is derived.
    pub fn fingerprint(&self) -> Digest {
        fingerprint(&self.newest.1)
    }

    /// The version with this fingerprint, newest or older; `None` where it is not there.
    pub fn version_of(&self, wanted: &Digest) -> Option<u32> {
        let older = self.older.iter().map(|(version, secret)| (*version, secret));
        let mut versions = older.chain([(self.newest.0, &self.newest.1)]);
        versions.find(|(_, secret)| fingerprint(secret) == *wanted).map(|(version, _)| version)
    }

    /// The file as the operator named it.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// The key that wraps other keys.
    pub(crate) fn wrapping_key(&self) -> Secret<32> {
        wrapping_key(&self.newest.1)
    }

    /// Which secret a version is, and the key that unwraps what was wrapped with it; `None` where it is not there.
    pub(crate) fn unwrapping(&self, version: u32) -> Option<(Digest, Secret<32>)> {
        let secret = if version == self.newest.0 { &self.newest.1 } else { self.older.get(&version)? };
        Some((fingerprint(secret), wrapping_key(secret)))
    }

    fn content_key(&self, version: u32, title: &TitleId, r#use: KeyUse) -> ContentKey {
        let secret = self.older.get(&version).unwrap_or(&self.newest.1);
        let of = [title.as_str(), r#use.as_str()];
        let mut id = *derive::<16>(secret, "key id", &of).expose();
        // A UUID of version 8, whose other bits are its maker's (RFC 9562 clause 5.8).
        id[6] = id[6] & 0x0f | 0x80;
        id[8] = id[8] & 0x3f | 0x80;
        ContentKey { id: KeyId(id), key: derive(secret, "content key", &of) }
    }
}

fn refused(path: &Path, reason: &str) -> KeyError {
    KeyError::MasterSecret { file: path.display().to_string(), reason: reason.to_owned() }
}

fn wrapping_key(secret: &Secret<32>) -> Secret<32> {
    derive(secret, "wrapping key", &[])
}

fn fingerprint(secret: &Secret<32>) -> Digest {
    Digest::of(derive::<32>(secret, "fingerprint", &[]).expose())
}

/// Derives bytes for one purpose, which never equal those for another (RFC 5869 clause 3.2): purpose and parts each end
/// with a byte that none of them has.
fn derive<const N: usize>(secret: &Secret<32>, purpose: &str, of: &[&str]) -> Secret<N> {
    const { assert!(N <= 255 * 32, "more than HKDF-SHA256 gives") };
    let mut info: Vec<&[u8]> = vec![b"reelfarm ", purpose.as_bytes(), &[0]];
    for part in of {
        info.extend([part.as_bytes(), &[0]]);
    }
    let mut bytes = Zeroizing::new([0; N]);
    let derived = Hkdf::<Sha256>::new(None, secret.expose()).expand_multi_info(&info, &mut *bytes);
    debug_assert!(derived.is_ok(), "the length was checked above");
    Secret::new(*bytes)
}

/// Reads the lines of the file. What is wrong is said by the number of the line alone.
fn parse(text: &[u8]) -> Result<BTreeMap<u32, Secret<32>>, String> {
    // The last line's end tells a whole file from one that was cut.
    let Some(text) = text.strip_suffix(b"\n") else {
        return Err(
            if text.is_empty() { "it is empty" } else { "it is cut: its last line does not end" }.to_owned()
        );
    };
    let mut versions = BTreeMap::new();
    for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
        let (version, secret) = parse_line(line)
            .ok_or_else(|| format!("line {number} is not <version>:<64 hexadecimal digits>"))?;
        if versions.insert(version, secret).is_some() {
            return Err(format!("line {number} has version {version} again"));
        }
    }
    Ok(versions)
}

fn parse_line(line: &[u8]) -> Option<(u32, Secret<32>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (version, digits) = (&line[..colon], &line[colon + 1..]);
    if !version.first()?.is_ascii_digit() || version[0] == b'0' {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, &mut *bytes).ok()?;
    Some((str::from_utf8(version).ok()?.parse().ok()?, Secret::new(*bytes)))
}

/// Gives keys that follow from a version of the master secret, the title and the use: the same on every host that has
/// the secret, without storing any.
#[derive(Clone, Debug)]
pub struct DerivedKeys {
    secret: Arc<MasterSecret>,
    version: u32,
    uris: KeyUris,
}

impl DerivedKeys {
    /// Keys of this secret, asked for at these URIs in HLS.
    pub fn new(secret: Arc<MasterSecret>, uris: KeyUris) -> Self {
        Self { version: secret.version(), secret, uris }
    }

    /// Those of an older version; of the newest one where that is not there.
    #[must_use]
    pub fn of_version(self, version: u32) -> Self {
        Self { version, ..self }
    }
}

#[async_trait]
impl KeyProvider for DerivedKeys {
    async fn keys(&self, request: &KeyRequest) -> Result<TitleKeys, KeyError> {
        let uses = request.division.uses().iter();
        let keys = uses.map(|r#use| {
            let key = self.secret.content_key(self.version, &request.title, *r#use);
            (*r#use, key.in_scheme(request.scheme))
        });
        let keys = keys.collect();
        Ok(signal::title_keys(keys, request, &self.uris))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret(bytes: [u8; 32]) -> MasterSecret {
        MasterSecret { file: "secret".to_owned(), newest: (1, Secret::new(bytes)), older: BTreeMap::new() }
    }

    fn ascending() -> [u8; 32] {
        std::array::from_fn(|index| u8::try_from(index).unwrap())
    }

    fn title(name: &str) -> TitleId {
        name.parse().unwrap()
    }

    /// What is encrypted today must be encrypted with the same key in ten years. The values were worked out apart from this
    /// code, with Python's `hmac`.
    #[test]
    fn derived_keys_never_change() {
        let secret = secret(ascending());
        for (r#use, id, key) in [
            (KeyUse::All, "269fd1830d69841dab68a3a13a49d551", "74844b67895125c0f8243ae9c527f577"),
            (KeyUse::Hd, "ec17f0d76637812981fad940f85291e6", "119d940ed8465cf695e3fd5eb6beb5d0"),
        ] {
            let derived = secret.content_key(1, &title("film"), r#use);
            assert_eq!(
                (derived.id.to_string(), hex::encode(derived.key.expose())),
                (id.to_owned(), key.to_owned())
            );
        }
        let fingerprint = "a6d1d008eb3548edd4ce28e86909214c7e54b7c5c51e6dbd0f24dbab899977b9";
        assert_eq!(secret.fingerprint().to_string(), fingerprint);
    }

    #[test]
    fn lines_that_are_no_version_are_refused_by_their_number() {
        let digits = "5c".repeat(32);
        for (text, expected) in [
            (String::new(), "it is empty"),
            ("\n".to_owned(), "line 1 is not"),
            (format!("1:{digits}"), "it is cut"),
            (format!("1:{digits}\n2:{digits}"), "it is cut"),
            (format!("1:{}\n", &digits[1..]), "line 1 is not"),
            (format!("1:{digits}00\n"), "line 1 is not"),
            (format!("1:{digits}\n\n"), "line 2 is not"),
            (format!("1:{digits}\r\n"), "line 1 is not"),
            (format!("1:{digits}\n2:zz{}\n", &digits[2..]), "line 2 is not"),
            (format!("{digits}\n"), "line 1 is not"),
            (format!("0:{digits}\n"), "line 1 is not"),
            (format!("01:{digits}\n"), "line 1 is not"),
            (format!("+1:{digits}\n"), "line 1 is not"),
            (format!("-1:{digits}\n"), "line 1 is not"),
            (format!("4294967296:{digits}\n"), "line 1 is not"),
            (format!("1:{digits}\n1:{digits}\n"), "line 2 has version 1 again"),
        ] {
            let reason = parse(text.as_bytes()).unwrap_err();
            assert!(reason.starts_with(expected), "{text:?}: {reason}");
            assert!(!reason.contains("5c5c"), "{reason}");
        }
    }

    #[test]
    fn the_newest_version_is_the_highest_wherever_it_stands() {
        let text = format!("10:{}\n9:{}\n", "aa".repeat(32), "bb".repeat(32));
        let versions = parse(text.as_bytes()).unwrap();
        assert_eq!(versions.last_key_value().unwrap(), (&10, &Secret::new([0xaa; 32])));
        assert_eq!(versions[&9], Secret::new([0xbb; 32]));
    }

    proptest! {
        #[test]
        fn another_secret_title_or_use_is_another_key(
            bytes: [u8; 32],
            names in ("[a-z0-9][a-z0-9._-]{0,9}", "[a-z0-9][a-z0-9._-]{0,9}"),
            bit in 0_usize..256,
        ) {
            let uses = [KeyUse::All, KeyUse::Audio, KeyUse::Sd, KeyUse::Hd, KeyUse::Uhd];
            let mut other = bytes;
            other[bit / 8] ^= 1 << (bit % 8);
            let mut seen = Vec::new();
            let titles = std::collections::BTreeSet::from([title(&names.0), title(&names.1)]);
            for (secret, title, r#use) in [secret(bytes), secret(other)].iter().flat_map(|secret| {
                titles.iter().flat_map(move |title| uses.map(|r#use| (secret, title, r#use)))
            }) {
                let key = secret.content_key(1, title, r#use);
                prop_assert_eq!(&key, &secret.content_key(1, title, r#use));
                prop_assert_eq!(key.id.to_uuid().as_bytes()[14], b'8');
                prop_assert_ne!(key.id.0, *key.key.expose());
                seen.push(key);
            }
            for (index, key) in seen.iter().enumerate() {
                prop_assert!(seen[..index].iter().all(|other| other.id != key.id && other.key != key.key));
            }
        }
    }
}
