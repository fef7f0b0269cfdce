//! Reading through encryption with decryptors of the farm's own: ISO common encryption of MP4 samples, and Apple's sample
//! encryption of MPEG-TS.
//!
//! Promises: a wrong key gives wrong units, not an error, because only the comparison with what went in can tell; what
//! the file states of its encryption is checked against the bytes and reported.

pub(crate) mod auxiliary;
pub(crate) mod cipher;
pub(crate) mod decryptor;
pub(crate) mod exposure;
pub(crate) mod protection;
pub(crate) mod sample_aes;

#[cfg(test)]
mod packaged;

use reelfarm_drm::{Secret, TitleKeys};
use reelfarm_model::KeyId;
use reelfarm_model::profile::Scheme;

/// What opens the segments of a track.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Decryption<'a> {
    /// Nothing is encrypted; whatever is, is an error.
    #[default]
    Clear,
    /// Nothing is decrypted: times, durations and IDR pictures are right, and payloads are those of the encrypted bytes.
    /// Whole segments that are encrypted cannot be read so.
    Sealed,
    /// ISO common encryption (ISO/IEC 23001-7), `cenc` or `cbcs`: the file names the key that it takes. What is not
    /// encrypted is an error.
    Common(&'a TitleKeys),
    /// Apple's sample encryption of MPEG-TS, which names neither key nor vector.
    SampleAes {
        /// The key.
        key: &'a Secret<16>,
        /// The initialisation vector of every NAL unit and every frame of sound.
        vector: [u8; 16],
    },
    /// Whole segments (RFC 8216 clause 4.3.2.4, `AES-128`).
    WholeSegments {
        /// The key.
        key: &'a Secret<16>,
        /// The initialisation vector of every segment.
        vector: [u8; 16],
    },
}

/// What was found of a track's encryption in the units read so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encryption {
    /// The scheme that the bytes are encrypted with.
    pub(crate) scheme: Scheme,
    /// The key's id; MPEG-TS names none.
    pub(crate) key_id: Option<KeyId>,
    /// How many blocks are encrypted and then left clear in turn; 0 and 0 where all are encrypted.
    pub(crate) pattern: (u8, u8),
    /// The initialisation vector of the first unit: 8 or 16 bytes; empty before it was read.
    pub(crate) first_vector: Vec<u8>,
    /// The first counter block that `cenc` used, and the one after the last. Tracks with one key must not share any.
    pub(crate) counters: Option<(u128, u128)>,
    /// Access units read.
    pub(crate) units: u64,
    /// Units without a byte that decryption changed: those too short to be encrypted, and those never encrypted.
    pub(crate) unchanged: u64,
    /// Units that lie open further than the format needs: of a slice more than its header, of a frame of sound more than
    /// an incomplete block. There must be none.
    pub(crate) exposed: u64,
}

impl Encryption {
    /// Nothing read yet.
    pub(crate) const fn new(scheme: Scheme, key_id: Option<KeyId>, pattern: (u8, u8)) -> Self {
        Self {
            scheme,
            key_id,
            pattern,
            first_vector: Vec::new(),
            counters: None,
            units: 0,
            unchanged: 0,
            exposed: 0,
        }
    }

    /// Counts a unit.
    pub(crate) fn count(&mut self, is_changed: bool, is_exposed: bool) {
        self.units += 1;
        self.unchanged += u64::from(!is_changed);
        self.exposed += u64::from(is_exposed);
    }
}
