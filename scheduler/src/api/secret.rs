//! Secrets of tokens: random, and kept by the farm as digests alone.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reelfarm_model::Digest;
use reelfarm_store::{NewToken, Scope, Store, StoreError, TokenRecord};
use zeroize::Zeroizing;

/// Tells people and scanners for secrets what they are looking at.
const PREFIX: &str = "reelfarm_";

/// What the owner of a token presents. It does not print, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(Zeroizing<String>);

impl TokenSecret {
    /// A new one, of 256 random bits.
    pub fn random() -> Self {
        let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
        Self(Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// One that somebody made before; `None` where it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let random = text.strip_prefix(PREFIX)?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(random).ok()?);
        (bytes.len() == 32).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text, for its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the farm knows of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

/// Makes the farm know a token. `None` where it knows this very token already, revoked or not.
///
/// # Errors
/// The database.
pub async fn enrol(
    store: &dyn Store,
    secret: &TokenSecret,
    scope: Scope,
    label: &str,
    lifetime: Option<Duration>,
) -> Result<Option<TokenRecord>, StoreError> {
    let token = NewToken { token: secret.digest(), scope, label: label.to_owned(), lifetime };
    store.add_token(&token).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_come_back_from_their_text_and_do_not_print() {
        let (one, other) = (TokenSecret::random(), TokenSecret::random());
        assert_ne!(one, other);
        assert_eq!(TokenSecret::parse(one.reveal()), Some(one.clone()));
        assert!(!format!("{one:?}").contains(&one.reveal()[PREFIX.len()..]));
        for text in ["", "reelfarm_", "reelfarm_abc", &one.reveal()[1..], &format!("{}A", one.reveal())] {
            assert_eq!(TokenSecret::parse(text), None, "{text}");
        }
    }
}
