//! What players need to know of every sample to decrypt it: its initialisation vector and its parts, in `senc`, found by
//! `saiz` and `saio` (ISO/IEC 23001-7 clause 7, ISO/IEC 14496-12 8.7.8 and 8.7.9).

use super::picture::Subsample;
use super::source::LARGEST_MOOV;

/// Bytes of the initialisation vector of a sample.
pub(super) const VECTOR_SIZE: u8 = 8;

/// The most parts that a sample has: `saiz` counts the bytes of a sample's entry in eight bits.
const MOST_SUBSAMPLES: usize = (u8::MAX as usize - VECTOR_SIZE as usize - 2) / 6;

/// The entries of one track.
#[derive(Debug)]
pub(super) struct Auxiliary {
    vector: [u8; 8],
    samples: usize,
    /// Where samples are divided, how many parts each has, and these.
    divided: Option<(Vec<u8>, Vec<Subsample>)>,
}

impl Auxiliary {
    /// Entries of samples that are encrypted whole.
    pub(super) const fn whole(vector: [u8; 8], samples: usize) -> Self {
        Self { vector, samples, divided: None }
    }

    /// Entries of samples with clear parts, to be filled.
    pub(super) const fn divided(vector: [u8; 8]) -> Self {
        Self { vector, samples: 0, divided: Some((Vec::new(), Vec::new())) }
    }

    /// Adds the parts of the next sample.
    pub(super) fn push(&mut self, parts: &[Subsample]) -> Result<(), String> {
        let (counts, subsamples) = self.divided.get_or_insert_default();
        let count = u8::try_from(parts.len()).ok().filter(|count| usize::from(*count) <= MOST_SUBSAMPLES);
        counts.push(count.ok_or_else(|| {
            format!("it has {} parts to encrypt, {MOST_SUBSAMPLES} can be stated", parts.len())
        })?);
        subsamples.extend(parts);
        self.samples += 1;
        if self.bytes() > LARGEST_MOOV {
            return Err(format!("what is to be said of the samples so far takes {} bytes", self.bytes()));
        }
        Ok(())
    }

    /// The initialisation vector of a sample, counted from 0.
    pub(super) fn vector(&self, index: usize) -> [u8; 8] {
        u64::from_be_bytes(self.vector).wrapping_add(index as u64).to_be_bytes()
    }

    /// Bytes of all entries.
    pub(super) fn bytes(&self) -> u64 {
        let vectors = self.samples as u64 * u64::from(VECTOR_SIZE);
        let parts =
            self.divided.as_ref().map_or(0, |(counts, subsamples)| counts.len() * 2 + subsamples.len() * 6);
        vectors + parts as u64
    }

    /// The parts of every sample in turn; `None` for one that is encrypted whole.
    pub(super) fn parts(&self) -> impl Iterator<Item = Option<&[Subsample]>> + '_ {
        let mut at = 0;
        (0..self.samples).map(move |index| {
            let (counts, subsamples) = self.divided.as_ref()?;
            let end = at + usize::from(counts[index]);
            let parts = &subsamples[at..end];
            at = end;
            Some(parts)
        })
    }

    /// Writes the body of `senc` (7.2.1), and gives how many of its bytes stand before the first entry.
    pub(super) fn write_senc(&self, output: &mut Vec<u8>) -> usize {
        const HAS_SUBSAMPLES: u32 = 2;

        let begin = output.len();
        output.extend(if self.divided.is_some() { HAS_SUBSAMPLES } else { 0 }.to_be_bytes());
        output.extend((self.samples as u32).to_be_bytes());
        let before = output.len() - begin;
        for (index, parts) in self.parts().enumerate() {
            output.extend(self.vector(index));
            if let Some(parts) = parts {
                output.extend((parts.len() as u16).to_be_bytes());
                for part in parts {
                    output.extend(part.clear.to_be_bytes());
                    output.extend(part.protected.to_be_bytes());
                }
            }
        }
        before
    }

    /// Writes the body of `saiz`.
    pub(super) fn write_saiz(&self, output: &mut Vec<u8>) {
        let size = |count: &u8| VECTOR_SIZE + 2 + count * 6;
        let sizes = self.divided.as_ref().map(|(counts, _)| counts);
        let common = match sizes {
            None => Some(VECTOR_SIZE),
            Some(counts) => {
                counts.first().filter(|first| counts.iter().all(|count| count == *first)).map(size)
            }
        };
        output.extend([0; 4]);
        output.push(common.unwrap_or(0));
        output.extend((self.samples as u32).to_be_bytes());
        if common.is_none() {
            output.extend(sizes.into_iter().flatten().map(size));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut output = b"before".to_vec();
        write(&mut output);
        output.split_off(6)
    }

    #[test]
    fn whole_samples_have_a_vector_each() {
        let auxiliary = Auxiliary::whole(*b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE", 3);
        let senc = written(|output| assert_eq!(auxiliary.write_senc(output), 8));
        let vectors = b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0\0\0\0\0";
        assert_eq!(senc, [&b"\0\0\0\0\0\0\0\x03"[..], vectors].concat());
        assert_eq!(auxiliary.bytes(), 24);
        assert_eq!(written(|output| auxiliary.write_saiz(output)), b"\0\0\0\0\x08\0\0\0\x03");
        assert!(auxiliary.parts().all(|parts| parts.is_none()));
    }

    #[test]
    fn sizes_are_stated_once_where_they_are_equal() {
        let part = Subsample { clear: 0x102, protected: 0x30 };
        let mut auxiliary = Auxiliary::divided([0; 8]);
        auxiliary.push(&[part]).unwrap();
        auxiliary.push(&[part]).unwrap();
        assert_eq!(written(|output| auxiliary.write_saiz(output)), b"\0\0\0\0\x10\0\0\0\x02");
        auxiliary.push(&[part, part]).unwrap();
        assert_eq!(written(|output| auxiliary.write_saiz(output)), b"\0\0\0\0\0\0\0\0\x03\x10\x10\x16");
        let senc = written(|output| assert_eq!(auxiliary.write_senc(output), 8));
        assert_eq!(senc[..8], *b"\0\0\0\x02\0\0\0\x03");
        assert_eq!(senc[40..], *b"\0\0\0\0\0\0\0\x02\0\x02\x01\x02\0\0\0\x30\x01\x02\0\0\0\x30");
        assert_eq!(auxiliary.bytes(), senc.len() as u64 - 8);
        assert_eq!(auxiliary.parts().map(|parts| parts.unwrap().len()).collect::<Vec<_>>(), [1, 1, 2]);
    }

    #[test]
    fn more_parts_than_can_be_stated_are_refused() {
        let parts = [Subsample { clear: 1, protected: 16 }; 41];
        let mut auxiliary = Auxiliary::divided([0; 8]);
        auxiliary.push(&parts[..40]).unwrap();
        assert_eq!(written(|output| auxiliary.write_saiz(output))[4], 250);
        let refused = auxiliary.push(&parts).unwrap_err();
        assert_eq!(refused, "it has 41 parts to encrypt, 40 can be stated");
    }
}
