//! Opens the samples of one MP4 track (ISO/IEC 23001-7 clauses 9 and 10).

use std::ops::Range;

use reelfarm_drm::ContentKey;
use reelfarm_model::profile::Scheme;

use super::super::ReadError;
use super::super::movie::TrackHeader;
use super::super::nal::Coding;
use super::auxiliary::Entry;
use super::cipher::{BLOCK, Cipher};
use super::protection::{Protection, Vectors};
use super::{Decryption, Encryption, exposure};

/// Decrypts the samples of a track in order, and notes what it sees.
#[derive(Clone, Debug)]
pub(crate) struct Decryptor {
    protection: Protection,
    cipher: Cipher,
    /// How NAL units are coded, and the bytes of their lengths; `None` for sound.
    pictures: Option<(Coding, usize)>,
    found: Encryption,
    protected: Vec<Range<usize>>,
    clear: Vec<u8>,
}

impl Decryptor {
    /// The decryptor that a track needs: none where it is to be read as it is.
    pub(crate) fn of(track: &TrackHeader<'_>, decryption: Decryption<'_>) -> Result<Option<Self>, ReadError> {
        let (protection, keys) = match (&track.protection, decryption) {
            (None, Decryption::Clear | Decryption::Sealed) | (Some(_), Decryption::Sealed) => {
                return Ok(None);
            }
            (Some(protection), Decryption::Common(keys)) => (protection, keys),
            (Some(protection), Decryption::Clear) => {
                let scheme = protection.scheme.as_str();
                return Err(ReadError::new(format!("the track is encrypted ({scheme})")));
            }
            (None, Decryption::Common(_)) => return Err(ReadError::new("the track is not encrypted")),
            (_, Decryption::SampleAes { .. } | Decryption::WholeSegments { .. }) => {
                return Err(ReadError::new("only MPEG-TS is encrypted so"));
            }
        };
        let id = protection.key_id;
        let key = keys.by_id(id);
        let key = key.ok_or_else(|| ReadError::new(format!("there is no key {id}")).of_box(b"tenc"))?;
        let pictures = track.codec.coding().map(|coding| (coding, track.nal_length_size));
        Ok(Some(Self::new(protection.clone(), key, pictures)))
    }

    /// A decryptor of samples that are encrypted so with this key: of pictures whose NAL units are coded so and have lengths of
    /// so many bytes, or of sound.
    pub(crate) fn new(protection: Protection, key: &ContentKey, pictures: Option<(Coding, usize)>) -> Self {
        let mut found = Encryption::new(protection.scheme, Some(protection.key_id), protection.pattern);
        if let Vectors::Constant(vector) = protection.vectors {
            found.first_vector = vector.to_vec();
        }
        Self {
            protection,
            cipher: Cipher::new(&key.key),
            pictures,
            found,
            protected: Vec::new(),
            clear: Vec::new(),
        }
    }

    /// How the track is encrypted, as its header states it.
    pub(crate) const fn protection(&self) -> &Protection {
        &self.protection
    }

    /// What was found so far.
    pub(crate) const fn found(&self) -> &Encryption {
        &self.found
    }

    /// The next sample in clear.
    pub(crate) fn open(&mut self, sample: &[u8], entry: &Entry<'_>) -> Result<&[u8], ReadError> {
        self.protected.clear();
        entry.ranges(sample.len(), |range| self.protected.push(range))?;
        let protected: usize = self.protected.iter().map(Range::len).sum();
        let is_exposed = match self.pictures {
            Some((coding, length_size)) => {
                exposure::of_picture(coding, sample, length_size, &self.protected)?
            }
            None => protected != sample.len(),
        };

        self.clear.clear();
        self.clear.extend_from_slice(sample);
        if self.protection.scheme == Scheme::Cenc {
            self.advance(entry, protected)?;
            let mut counter = self.cipher.counter(entry.vector);
            for range in &self.protected {
                counter.apply(&mut self.clear[range.clone()]);
            }
        } else {
            // Every subsample begins the chain and the pattern anew (clause 10.4).
            for range in &self.protected {
                self.cipher.chained(entry.vector, self.protection.pattern, &mut self.clear[range.clone()]);
            }
        }
        if self.found.first_vector.is_empty() {
            self.found.first_vector = entry.vector[..entry.vector_size].to_vec();
        }
        self.found.count(self.clear != sample, is_exposed);
        Ok(&self.clear)
    }

    /// Notes the counter blocks of a sample, which must not be those of the samples before (clause 9.2): whoever knows
    /// one of two samples with the same key stream knows the other.
    fn advance(&mut self, entry: &Entry<'_>, protected: usize) -> Result<(), ReadError> {
        let start = u128::from_be_bytes(entry.vector);
        let end = start.wrapping_add(protected.div_ceil(BLOCK) as u128);
        let first = match self.found.counters {
            None => start,
            // Vectors may wrap, so that only the distance says which comes later.
            Some((first, last)) if start.wrapping_sub(last) <= u128::MAX / 2 => first,
            Some(_) => {
                return Err(ReadError::new("a sample has counter blocks of the one before").of_box(b"senc"));
            }
        };
        self.found.counters = Some((first, end));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use reelfarm_drm::{ContentKey, Secret, TitleKeys};
    use reelfarm_model::{KeyId, KeyUse};

    use super::super::super::Codec;
    use super::super::super::movie::SampleDefaults;
    use super::super::auxiliary::Auxiliary;
    use super::*;

    /// A decryptor of sound with vectors of `size` bytes.
    fn decryptor(size: usize) -> Decryptor {
        let key_id = KeyId([1; 16]);
        let key = ContentKey { id: key_id, key: Secret::new([2; 16]) };
        let keys = TitleKeys::new([(KeyUse::All, key)].into(), BTreeMap::new());
        let track = TrackHeader {
            id: 1,
            timescale: 48_000,
            codec: Codec::Aac { sample_rate: 48_000, channels: 2 },
            nal_length_size: 0,
            shift: 0,
            language: *b"und",
            whole: &[],
            sample_table: &[],
            protection: Some(Protection {
                scheme: Scheme::Cenc,
                key_id,
                pattern: (0, 0),
                vectors: Vectors::PerSample(size),
            }),
            defaults: SampleDefaults::default(),
        };
        Decryptor::of(&track, Decryption::Common(&keys)).unwrap().unwrap()
    }

    /// Opens samples of 20 bytes with these vectors.
    fn open(vectors: &[&[u8]]) -> Result<Encryption, ReadError> {
        let mut decryptor = decryptor(vectors[0].len());
        let entries = vectors.concat();
        let count = (vectors.len() as u32).to_be_bytes();
        let body = [&[0; 4][..], &count, &entries].concat();
        let sizes = [&[0; 4][..], &[vectors[0].len() as u8], &count].concat();
        let container: Vec<u8> =
            [(b"senc", body), (b"saiz", sizes), (b"saio", b"\0\0\0\0\0\0\0\x01\0\0\0\0".to_vec())]
                .iter()
                .flat_map(|(kind, body)| {
                    [&(body.len() as u32 + 8).to_be_bytes()[..], &kind[..], body].concat()
                })
                .collect();
        let protection = decryptor.protection().clone();
        let mut auxiliary =
            Auxiliary::parse(&container, None, &protection, |_, _| Ok(entries.clone().into()))?;
        for _ in vectors {
            decryptor.open(&[9; 20], &auxiliary.next()?)?;
        }
        Ok(decryptor.found().clone())
    }

    #[test]
    fn no_two_samples_may_have_one_key_stream() {
        let long = |last: u8| [[0; 15].as_slice(), &[last]].concat();
        let found = open(&[b"vector 1", b"vector 2"]).unwrap();
        let block = |vector: &[u8; 8]| u128::from(u64::from_be_bytes(*vector)) << 64;
        assert_eq!(found.counters, Some((block(b"vector 1"), block(b"vector 2") + 2)));
        assert_eq!(found.first_vector, b"vector 1");
        assert_eq!((found.units, found.unchanged, found.exposed), (2, 0, 0));
        // A sample of 20 bytes takes two blocks.
        assert!(open(&[&long(0), &long(2)]).is_ok());
        assert!(open(&[&[0xFF; 8], &[0; 8]]).is_ok());
        for vectors in [[&b"vector 1"[..], b"vector 1"], [b"vector 2", b"vector 1"], [&long(0), &long(1)]] {
            let reason = open(&vectors).unwrap_err().0;
            assert!(reason.starts_with("box senc: a sample has counter blocks"), "{reason}");
        }
    }
}
