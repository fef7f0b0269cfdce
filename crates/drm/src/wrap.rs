//! Keys wrapped with other keys: AES-256-GCM (NIST SP 800-38D) under a random nonce.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Bytes of a nonce. At random, 2^32 of them under one key are safe (SP 800-38D clause 8.3).
const NONCE: usize = 12;

/// A wrapped secret: the nonce, the secret encrypted, the tag. Prints and serialises as it is: it tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Wrapped(#[serde(with = "crate::base64_text")] Vec<u8>);

/// The system gives no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub(crate) struct NoRandomness;

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<Secret<N>, NoRandomness> {
    let mut bytes = Zeroizing::new([0; N]);
    SysRng.try_fill_bytes(&mut *bytes).map_err(|_| NoRandomness)?;
    Ok(Secret::new(*bytes))
}

/// Wraps a secret so that it unwraps only with the same associated data.
pub(crate) fn wrap<const N: usize>(
    key: &Secret<32>,
    secret: &Secret<N>,
    associated: &[u8],
) -> Result<Wrapped, NoRandomness> {
    let nonce = random::<NONCE>()?;
    let payload = Payload { msg: secret.expose(), aad: associated };
    // It refuses only messages over 64 GiB.
    let sealed = Aes256Gcm::new(key.expose().into()).encrypt(nonce.expose().into(), payload);
    let sealed = sealed.map_err(|_| NoRandomness)?;
    Ok(Wrapped([nonce.expose().as_slice(), &sealed].concat()))
}

/// Unwraps a secret; `None` where key, associated data or a bit of what is wrapped is another.
pub(crate) fn unwrap<const N: usize>(
    key: &Secret<32>,
    wrapped: &Wrapped,
    associated: &[u8],
) -> Option<Secret<N>> {
    let (nonce, sealed) = wrapped.0.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: sealed, aad: associated };
    let opened =
        Aes256Gcm::new(key.expose().into()).decrypt(nonce.into(), payload).ok().map(Zeroizing::new)?;
    Some(Secret::new(opened.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_unwraps_only_whole_and_with_the_same_key_and_data() {
        let (key, secret) = (Secret::new([1; 32]), Secret::new([2; 16]));
        let wrapped = wrap(&key, &secret, b"data").unwrap();
        assert_eq!(unwrap(&key, &wrapped, b"data"), Some(secret));
        assert_eq!(unwrap::<16>(&Secret::new([3; 32]), &wrapped, b"data"), None);
        assert_eq!(unwrap::<16>(&key, &wrapped, b"date"), None);
        assert_eq!(unwrap::<32>(&key, &wrapped, b"data"), None);
        for bit in 0..wrapped.0.len() * 8 {
            let mut changed = wrapped.clone();
            changed.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unwrap::<16>(&key, &changed, b"data"), None, "{bit}");
        }
        for length in 0..wrapped.0.len() {
            assert_eq!(unwrap::<16>(&key, &Wrapped(wrapped.0[..length].to_vec()), b"data"), None, "{length}");
        }
    }

    #[test]
    fn the_same_secret_is_never_wrapped_alike() {
        let (key, secret) = (Secret::new([1; 32]), Secret::new([2; 16]));
        assert_ne!(wrap(&key, &secret, b"").unwrap(), wrap(&key, &secret, b"").unwrap());
    }
}
