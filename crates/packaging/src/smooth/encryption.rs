//! The sample encryption box, whose payload is the same in CMAF (`senc`, ISO/IEC 23001-7 7.2) and in PIFF 1.1
//! (5.3.2.1), and the decryption of samples by it.

use reelfarm_drm::Secret;

use crate::readback::ReadError;
use crate::readback::boxes::Cursor;
use crate::readback::encryption::cipher::{BLOCK, Cipher};

/// Bytes of a sample's initialisation vector. The box does not say: clients of Smooth Streaming, which have no track
/// header, take it to be this.
pub(super) const VECTOR_SIZE: usize = 8;

/// How one sample is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SampleEncryption {
    /// The initialisation vector; the block counter follows it, from zero.
    vector: [u8; VECTOR_SIZE],
    /// Alternating lengths of clear and encrypted bytes; `None` where all is encrypted.
    ranges: Option<Vec<(u16, u32)>>,
}

/// Reads the payload of a sample encryption box for samples of these sizes.
pub(super) fn parse(
    payload: &[u8],
    sizes: impl ExactSizeIterator<Item = usize>,
) -> Result<Vec<SampleEncryption>, ReadError> {
    const RANGES: u32 = 0x2;

    let mut cursor = Cursor::new(payload);
    let (version, flags) = cursor.full_box()?;
    if version != 0 || flags & !RANGES != 0 {
        return Err(ReadError::new(format!("version {version} with flags {flags:#x} is not that of cenc")));
    }
    let count = cursor.u32()?;
    if usize::try_from(count) != Ok(sizes.len()) {
        return Err(ReadError::new(format!("it has {count} entries for {} samples", sizes.len())));
    }
    let mut samples = Vec::with_capacity(sizes.len());
    for size in sizes {
        let mut vector = [0; VECTOR_SIZE];
        vector.copy_from_slice(cursor.take(VECTOR_SIZE)?);
        let ranges = if flags & RANGES != 0 { Some(ranges(&mut cursor, size)?) } else { None };
        samples.push(SampleEncryption { vector, ranges });
    }
    if !cursor.is_empty() {
        return Err(ReadError::new("there is more than its entries"));
    }
    Ok(samples)
}

/// The ranges of a sample of `size` bytes, which they must cover.
fn ranges(cursor: &mut Cursor<'_>, size: usize) -> Result<Vec<(u16, u32)>, ReadError> {
    let count = cursor.u16()?;
    let mut ranges = Vec::new();
    let mut covered = 0u64;
    for _ in 0..count {
        let (clear, encrypted) = (cursor.u16()?, cursor.u32()?);
        covered += u64::from(clear) + u64::from(encrypted);
        ranges.push((clear, encrypted));
    }
    if covered != size as u64 {
        return Err(ReadError::new(format!("an entry covers {covered} bytes of a sample of {size}")));
    }
    Ok(ranges)
}

impl SampleEncryption {
    /// Decrypts the sample in place (scheme `cenc`: AES in counter mode, over the encrypted bytes of all ranges as if
    /// they were one).
    pub(super) fn decrypt(&self, key: &Secret<16>, sample: &mut [u8]) {
        let mut vector = [0; BLOCK];
        vector[..VECTOR_SIZE].copy_from_slice(&self.vector);
        let mut counter = Cipher::new(key).counter(vector);
        let Some(ranges) = &self.ranges else { return counter.apply(sample) };
        let mut rest = sample;
        for &(clear, encrypted) in ranges {
            let skipped = usize::from(clear).min(rest.len());
            let taken = (encrypted as usize).min(rest.len() - skipped);
            let (now, later) = rest.split_at_mut(skipped + taken);
            counter.apply(&mut now[skipped..]);
            rest = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two samples of 7 bytes each, with ranges.
    const RANGES: &[u8] =
        b"\0\0\0\x02\0\0\0\x02AAAAAAAA\0\x01\0\x02\0\0\0\x05BBBBBBBB\0\x02\0\x01\0\0\0\x01\0\x05\0\0\0\0";

    #[test]
    fn entries_are_read_and_must_fit_the_samples() {
        let samples = parse(RANGES, [7, 7].into_iter()).unwrap();
        assert_eq!(samples[0], SampleEncryption { vector: *b"AAAAAAAA", ranges: Some(vec![(2, 5)]) });
        assert_eq!(samples[1].ranges, Some(vec![(1, 1), (5, 0)]));
        for sizes in [vec![], vec![7], vec![7, 8], vec![7, 7, 7]] {
            assert!(parse(RANGES, sizes.into_iter()).is_err());
        }
        assert!(parse(&[RANGES, b"x"].concat(), [7, 7].into_iter()).is_err());
        assert!(parse(&RANGES[..RANGES.len() - 1], [7, 7].into_iter()).is_err());
        for (at, value) in [(0, 1), (3, 1), (3, 6)] {
            let mut other = RANGES.to_vec();
            other[at] = value;
            assert!(parse(&other, [7, 7].into_iter()).is_err(), "{at}: {value}");
        }
        let whole = parse(b"\0\0\0\0\0\0\0\x01AAAAAAAA", [9].into_iter()).unwrap();
        assert_eq!(whole, [SampleEncryption { vector: *b"AAAAAAAA", ranges: None }]);
    }

    /// The key stream is OpenSSL's (`openssl enc -aes-128-ctr` of zeros).
    #[test]
    fn the_key_stream_runs_on_over_ranges() {
        let key = Secret::new(std::array::from_fn(|at| at as u8));
        let stream: [u8; 32] = [
            0xe9, 0x2b, 0xcf, 0x97, 0x5e, 0xf2, 0x94, 0x12, 0xc4, 0x19, 0x7c, 0xf6, 0x6c, 0x41, 0x65, 0x6a,
            0x1d, 0xad, 0xd4, 0x45, 0x9e, 0x58, 0x73, 0xc5, 0x1b, 0xe9, 0x83, 0xc0, 0x1b, 0x0e, 0xaf, 0x2a,
        ];
        let mut whole = [0; 32];
        SampleEncryption { vector: *b"AAAAAAAA", ranges: None }.decrypt(&key, &mut whole);
        assert_eq!(whole, stream);
        let mut parts = [0; 36];
        let ranges = Some(vec![(1, 10), (3, 22)]);
        SampleEncryption { vector: *b"AAAAAAAA", ranges }.decrypt(&key, &mut parts);
        assert_eq!(parts[1..11], stream[..10]);
        assert_eq!(parts[14..], stream[10..]);
        assert_eq!((parts[0], &parts[11..14]), (0, &[0; 3][..]));
    }

    proptest! {
        #[test]
        fn any_payload_is_read_or_refused(
            payload in prop::collection::vec(any::<u8>(), 0..200),
            sizes in prop::collection::vec(0usize..100, 0..6),
        ) {
            if let Ok(samples) = parse(&payload, sizes.iter().copied()) {
                for (sample, size) in samples.iter().zip(sizes) {
                    sample.decrypt(&Secret::new([0; 16]), &mut vec![0; size]);
                }
            }
        }
    }
}
