//! Who we are to a key server: a name with a password, or a token.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::private_file;

/// The largest file of credentials.
const MAXIMUM_SIZE: usize = 16 * 1024;

/// The content of an `Authorization` header. It has no `Debug`, so that it cannot be printed.
pub(super) struct Credentials {
    header: HeaderValue,
    /// All that must not be seen in a server's words.
    secrets: Vec<Zeroizing<String>>,
}

impl Credentials {
    /// Reads a file of one line: `name:password` (RFC 7617), or a bearer token (RFC 6750), which has no colon.
    ///
    /// # Errors
    /// What is wrong, naming the file and nothing that is in it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        private_file::read(path, MAXIMUM_SIZE)
            .and_then(|content| content.ok_or_else(|| "there is no such file".to_owned()))
            .and_then(|content| {
                let read = str::from_utf8(&content).ok().and_then(Self::parse);
                read.ok_or_else(|| {
                    "it does not hold one line: \"name:password\", or a bearer token".to_owned()
                })
            })
            .map_err(|reason| format!("{}: {reason}", path.display()))
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() || line.contains(char::is_control) {
            return None;
        }
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        let (value, secrets) = match line.split_once(':') {
            Some((_, password)) => {
                let encoded = Zeroizing::new(STANDARD.encode(line));
                let value = secret(&["Basic ", encoded.as_str()].concat());
                (value, vec![encoded, secret(line), secret(password)])
            }
            None if line.bytes().all(is_part_of_a_token) => {
                (secret(&["Bearer ", line].concat()), vec![secret(line)])
            }
            None => return None,
        };
        let mut header = HeaderValue::from_str(&value).ok()?;
        header.set_sensitive(true);
        Some(Self { header, secrets })
    }

    pub(super) fn header(&self) -> &HeaderValue {
        &self.header
    }

    pub(super) fn secrets(&self) -> &[Zeroizing<String>] {
        &self.secrets
    }
}

/// Whether a byte may stand in a bearer token (RFC 6750 clause 2.1).
fn is_part_of_a_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn header(text: &str) -> Option<String> {
        Credentials::parse(text).map(|credentials| {
            assert!(credentials.header.is_sensitive());
            credentials.header.to_str().unwrap().to_owned()
        })
    }

    #[test]
    fn a_line_is_a_name_with_a_password_or_a_token() {
        assert_eq!(header("Aladdin:open sesame\n").unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(header("farm:a:b\r\n").unwrap(), format!("Basic {}", STANDARD.encode("farm:a:b")));
        assert_eq!(header("mF_9.B5f-4.1JqM").unwrap(), "Bearer mF_9.B5f-4.1JqM");
        for text in ["", "\n", "two\nlines", "a:b\nc:d", "no token", "tab\t:b", "é"] {
            assert_eq!(header(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_and_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let with = |text: &[u8], mode: u32| {
            fs_err::write(&path, text).unwrap();
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Credentials::read(&path).map(|credentials| credentials.secrets.len())
        };
        assert_eq!(with(b"farm:secret", 0o600), Ok(3));
        assert_eq!(with(b"farm:secret", 0o400), Ok(3));
        for (text, mode, reason) in [
            (&b"farm:secret"[..], 0o640, "mode 640"),
            (b"farm:secret", 0o604, "mode 604"),
            (b"farm:secret\nsecret", 0o600, "one line"),
            (b"secret\xff", 0o600, "one line"),
            (&[b's'; 16385], 0o600, "16385 bytes"),
        ] {
            let error = with(text, mode).unwrap_err();
            assert!(error.contains(reason) && error.contains("credentials"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(Credentials::read(folder.path()).err().unwrap().contains("no regular file"));
        assert!(Credentials::read(&folder.path().join("none")).err().unwrap().contains("none"));
    }
}
