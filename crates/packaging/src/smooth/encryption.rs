//! How samples of Smooth Streaming are encrypted: in the only way that clients know, which find no track header. The
//! payload of the sample encryption box is the same in PIFF 1.1 (5.3.2.1) and in CMAF (`senc`, ISO/IEC 23001-7 7.2).

use reelfarm_model::KeyId;
use reelfarm_model::profile::Scheme;

use crate::readback::ReadError;
use crate::readback::encryption::auxiliary::Auxiliary;
use crate::readback::encryption::protection::{Protection, Vectors};

/// Where initialisation vectors come from. The box does not say how long they are.
pub(super) const VECTORS: Vectors = Vectors::PerSample(8);

/// The encryption of every track with this key.
pub(super) const fn protection(key_id: KeyId) -> Protection {
    Protection { scheme: Scheme::Cenc, key_id, pattern: (0, 0), vectors: VECTORS }
}

/// Checks that the payload of a sample encryption box describes samples of these sizes, and nothing else.
pub(super) fn check(payload: &[u8], sizes: impl Iterator<Item = usize>) -> Result<(), ReadError> {
    let mut entries = Auxiliary::of_payload(payload, VECTORS)?;
    for size in sizes {
        entries.next()?.ranges(size, |_| {})?;
    }
    entries.finish()
}

#[cfg(test)]
mod tests {

    /// Two samples of 7 bytes each, with ranges.
    const RANGES: &[u8] =
        b"\0\0\0\x02\0\0\0\x02AAAAAAAA\0\x01\0\x02\0\0\0\x05BBBBBBBB\0\x02\0\x01\0\0\0\x01\0\x05\0\0\0\0";

    #[test]
    fn entries_must_fit_the_samples() {
        let check = |payload: &[u8], sizes: &[usize]| super::check(payload, sizes.iter().copied());
        assert_eq!(check(RANGES, &[7, 7]), Ok(()));
        assert_eq!(check(b"\0\0\0\0\0\0\0\x01AAAAAAAA", &[9]), Ok(()));
        for sizes in [&[][..], &[7], &[7, 8], &[8, 7], &[7, 7, 7]] {
            assert!(check(RANGES, sizes).is_err(), "{sizes:?}");
        }
        assert!(check(&[RANGES, b"x"].concat(), &[7, 7]).is_err());
        assert!(check(&RANGES[..RANGES.len() - 1], &[7, 7]).is_err());
        // Another version, a key of the box's own (PIFF 1.1 flag 1), other flags.
        for (at, value) in [(0, 1), (3, 1), (3, 6)] {
            let mut other = RANGES.to_vec();
            other[at] = value;
            assert!(check(&other, &[7, 7]).is_err(), "{at}: {value}");
        }
    }
}
