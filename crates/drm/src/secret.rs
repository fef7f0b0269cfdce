//! Bytes that must not be seen.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Secret bytes: they never print, do not serialise, and are zeroed when dropped.
#[derive(Clone)]
pub struct Secret<const N: usize>(Zeroizing<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Takes the bytes in. The caller's copy is the caller's to zero.
    pub fn new(bytes: [u8; N]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for those who encrypt with them.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    /// Compares digests, so that the time tells nothing of the bytes.
    fn eq(&self, other: &Self) -> bool {
        Sha256::digest(*self.0) == Sha256::digest(*other.0)
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        let secret = Secret::new([0xab; 16]);
        let text = format!("{secret:?} {:?}", Some(&secret));
        assert!(!text.contains("ab") && !text.contains("171"), "{text}");
        assert_eq!(secret, Secret::new([0xab; 16]));
        assert_ne!(secret, Secret::new([0xac; 16]));
    }
}
