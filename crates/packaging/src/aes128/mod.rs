//! Whole segments encrypted with AES-128 in cipher block chaining (RFC 8216 clauses 4.3.2.4 and 5.2), and the media set
//! that is made of a clear one so: any bytes will do as segments.

mod error;
mod media_set;

pub use self::error::EncryptError;
pub use self::media_set::encrypt_media_set;

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use reelfarm_drm::Secret;

/// Bytes of a block.
const BLOCK: usize = 16;

/// A segment does not open with a key and a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Encrypted segments consist of whole blocks, and of one at least.
    #[error("{0} bytes are no whole number of blocks of AES")]
    Length(usize),
    /// The last block does not end as every segment does before it is encrypted (PKCS #7): the key is another one, or
    /// the bytes are damaged. Of 256 wrong keys one passes this.
    #[error(
        "the segment does not end in the padding of AES-128: its key is another one or its bytes are damaged"
    )]
    Padding,
}

/// The segment encrypted with `key`: padded to whole blocks (PKCS #7), then chained from `vector` on.
pub fn encrypt_segment(key: &Secret<16>, vector: [u8; 16], clear: &[u8]) -> Vec<u8> {
    let encryptor = cbc::Encryptor::<Aes128>::new(key.expose().into(), &vector.into());
    encryptor.encrypt_padded_vec::<Pkcs7>(clear)
}

/// The clear segment from one that [`encrypt_segment`] made with the same key and vector.
///
/// # Errors
/// See [`OpenError`].
pub fn decrypt_segment(key: &Secret<16>, vector: [u8; 16], encrypted: &[u8]) -> Result<Vec<u8>, OpenError> {
    if encrypted.is_empty() || !encrypted.len().is_multiple_of(BLOCK) {
        return Err(OpenError::Length(encrypted.len()));
    }
    let decryptor = cbc::Decryptor::<Aes128>::new(key.expose().into(), &vector.into());
    decryptor.decrypt_padded_vec::<Pkcs7>(encrypted).map_err(|_| OpenError::Padding)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// NIST SP 800-38A F.2.1.
    const KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
    const VECTOR: &str = "000102030405060708090a0b0c0d0e0f";
    const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
    const ENCRYPTED: &str = "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7";

    fn sixteen(hexadecimal: &str) -> [u8; 16] {
        hex::decode(hexadecimal).unwrap().try_into().unwrap()
    }

    fn key() -> Secret<16> {
        Secret::new(sixteen(KEY))
    }

    fn openssl(direction: &str, input: &[u8]) -> Vec<u8> {
        let mut child = Command::new("openssl")
            .args(["enc", "-aes-128-cbc", direction, "-K", KEY, "-iv", VECTOR])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    #[test]
    fn nists_example_is_followed_by_a_block_of_padding() {
        let (plain, expected) = (hex::decode(PLAIN).unwrap(), hex::decode(ENCRYPTED).unwrap());
        let encrypted = encrypt_segment(&key(), sixteen(VECTOR), &plain);
        assert_eq!(encrypted[..64], expected);
        assert_eq!(encrypted.len(), 80);
        // A segment that is whole blocks has a whole block of padding.
        let last = cbc_block(&encrypted[64..], &encrypted[48..64]);
        assert_eq!(last, [16; 16]);
    }

    /// One block opened by its own, as the mode is defined.
    fn cbc_block(encrypted: &[u8], before: &[u8]) -> Vec<u8> {
        use aes::cipher::{BlockCipherDecrypt as _, KeyInit as _};
        let mut block = <[u8; 16]>::try_from(encrypted).unwrap().into();
        Aes128::new(&sixteen(KEY).into()).decrypt_block(&mut block);
        block.iter().zip(before).map(|(byte, before)| byte ^ before).collect()
    }

    #[test]
    fn openssl_gives_the_same_and_opens_it() {
        for length in [0, 1, 15, 16, 17, 188, 376, 4_000] {
            let clear: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
            let encrypted = encrypt_segment(&key(), sixteen(VECTOR), &clear);
            assert_eq!(encrypted, openssl("-e", &clear), "{length}");
            assert_eq!(openssl("-d", &encrypted), clear, "{length}");
        }
    }

    #[test]
    fn what_has_no_padding_or_no_whole_blocks_is_refused() {
        let open = |encrypted: &[u8]| decrypt_segment(&key(), sixteen(VECTOR), encrypted);
        let encrypted = encrypt_segment(&key(), sixteen(VECTOR), &[0x77; 50]);
        assert_eq!(open(&encrypted).unwrap(), [0x77; 50]);
        assert_eq!(open(&[]), Err(OpenError::Length(0)));
        assert_eq!(open(&encrypted[1..]), Err(OpenError::Length(63)));
        assert_eq!(open(&encrypted[..48]), Err(OpenError::Padding));
        let nist = hex::decode(ENCRYPTED).unwrap();
        assert_eq!(open(&nist), Err(OpenError::Padding));
    }

    proptest! {
        #[test]
        fn every_segment_opens_with_its_own_key_and_vector(
            clear in prop::collection::vec(any::<u8>(), 0..500),
            key: [u8; 16],
            vector: [u8; 16],
            other: [u8; 16],
        ) {
            let key = Secret::new(key);
            let encrypted = encrypt_segment(&key, vector, &clear);
            prop_assert_eq!(encrypted.len(), clear.len() / 16 * 16 + 16);
            let wrong = decrypt_segment(&Secret::new(other), vector, &encrypted);
            prop_assert_ne!(wrong, Ok(clear.clone()));
            prop_assert_eq!(decrypt_segment(&key, vector, &encrypted), Ok(clear));
        }
    }
}
