//! AES-128 as ISO common encryption and Apple's sample encryption use it: in counter mode over the protected bytes of a
//! sample, and in chained blocks with a pattern.

use aes::Aes128;
use aes::cipher::{Array, BlockModeDecrypt as _, InnerIvInit as _, KeyInit as _, StreamCipher as _};
use reelfarm_drm::Secret;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 16;

/// A key, ready for use. It does not print, and is zeroed when dropped.
#[derive(Clone)]
pub(crate) struct Cipher(Box<Aes128>);

impl Cipher {
    /// Prepares a key.
    pub(crate) fn new(key: &Secret<BLOCK>) -> Self {
        Self(Box::new(Aes128::new(key.expose().into())))
    }

    /// Counter mode with a counter of 64 bits that wraps alone (ISO/IEC 23001-7 clause 9.3), over all of a sample's
    /// protected ranges as if they were one.
    pub(crate) fn counter(&self, vector: [u8; BLOCK]) -> Counter {
        let core = ctr::CtrCore::inner_iv_init(Aes128::clone(&self.0), &vector.into());
        Counter(aes::cipher::StreamCipherCoreWrapper::from_core(core))
    }

    /// Decrypts one protected range of chained blocks: `pattern.0` blocks and then none of `pattern.1` in turn, or every
    /// block where the pattern is 0 and 0 (ISO/IEC 23001-7 clause 9.6). The chain begins with `vector` and runs over
    /// encrypted blocks alone; an incomplete block is clear.
    pub(crate) fn chained(&self, vector: [u8; BLOCK], pattern: (u8, u8), range: &mut [u8]) {
        let mut chain = cbc::Decryptor::<Aes128>::inner_iv_init(Aes128::clone(&self.0), &vector.into());
        let (blocks, _) = Array::slice_as_chunks_mut(range);
        let (crypt, skip) = (usize::from(pattern.0), usize::from(pattern.1));
        if crypt == 0 {
            chain.decrypt_blocks(blocks);
            return;
        }
        for run in blocks.chunks_mut(crypt + skip) {
            let encrypted = crypt.min(run.len());
            chain.decrypt_blocks(&mut run[..encrypted]);
        }
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(…)")
    }
}

/// A key stream of counter mode.
pub(crate) struct Counter(ctr::Ctr64BE<Aes128>);

impl Counter {
    /// Decrypts the next range.
    pub(crate) fn apply(&mut self, range: &mut [u8]) {
        self.0.apply_keystream(range);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST SP 800-38A appendix F: the key and the plaintext of all its examples.
    const KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
    const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        hex::decode(hexadecimal).unwrap()
    }

    fn cipher() -> Cipher {
        Cipher::new(&Secret::new(bytes(KEY).try_into().unwrap()))
    }

    #[test]
    fn counter_mode_gives_nists_examples_over_any_ranges() {
        // F.5.2
        let encrypted = bytes(
            "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
        );
        let vector = bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").try_into().unwrap();
        for cut in 0..encrypted.len() {
            let mut decrypted = encrypted.clone();
            let mut counter = cipher().counter(vector);
            let (head, tail) = decrypted.split_at_mut(cut);
            counter.apply(head);
            counter.apply(tail);
            assert_eq!(decrypted, bytes(PLAIN), "{cut}");
        }
    }

    #[test]
    fn the_counter_wraps_without_a_carry_into_the_vector() {
        let stream = |vector: [u8; 16], blocks: usize| {
            let mut bytes = vec![0; blocks * BLOCK];
            cipher().counter(vector).apply(&mut bytes);
            bytes
        };
        let mut last = [0xFF; 16];
        last[..8].fill(3);
        let mut first = [0; 16];
        first[..8].fill(3);
        assert_eq!(stream(last, 2)[BLOCK..], stream(first, 1));
    }

    #[test]
    fn chained_blocks_give_nists_examples_and_leave_an_incomplete_one() {
        // F.2.2
        let encrypted = bytes(
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
        );
        let vector: [u8; 16] = bytes("000102030405060708090a0b0c0d0e0f").try_into().unwrap();
        let mut decrypted = [&encrypted[..], b"open"].concat();
        cipher().chained(vector, (0, 0), &mut decrypted);
        assert_eq!(decrypted, [&bytes(PLAIN)[..], b"open"].concat());

        // With a pattern, the same chain with clear blocks between its parts.
        for (crypt, skip) in [(1, 9), (2, 1), (3, 2)] {
            let mut spread = Vec::new();
            let mut expected = Vec::new();
            for (encrypted, plain) in encrypted.chunks(crypt * BLOCK).zip(bytes(PLAIN).chunks(crypt * BLOCK))
            {
                spread.extend_from_slice(encrypted);
                expected.extend_from_slice(plain);
                if encrypted.len() == crypt * BLOCK {
                    spread.extend(std::iter::repeat_n(0xAB, skip * BLOCK));
                    expected.extend(std::iter::repeat_n(0xAB, skip * BLOCK));
                }
            }
            cipher().chained(vector, (crypt as u8, skip as u8), &mut spread);
            assert_eq!(spread, expected, "{crypt}:{skip}");
        }
    }
}
