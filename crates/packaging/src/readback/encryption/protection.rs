//! What a protected sample entry states (ISO/IEC 14496-12 8.12, ISO/IEC 23001-7 clauses 4 and 8.2).

use reelfarm_model::KeyId;
use reelfarm_model::profile::Scheme;

use super::super::ReadError;
use super::super::boxes::{Cursor, boxes, name, required};
use super::cipher::BLOCK;

/// The version of the scheme that every edition of the standard has (clause 4.1).
const SCHEME_VERSION: u32 = 0x0001_0000;

/// How a track's samples are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Protection {
    /// `cenc` or `cbcs`.
    pub(crate) scheme: Scheme,
    /// The key's id.
    pub(crate) key_id: KeyId,
    /// Blocks that are encrypted and then left clear in turn; 0 and 0 where all are encrypted.
    pub(crate) pattern: (u8, u8),
    /// Where initialisation vectors come from.
    pub(crate) vectors: Vectors,
}

/// Where a sample's initialisation vector comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vectors {
    /// Every sample states its own, of 8 or 16 bytes.
    PerSample(usize),
    /// All have this one.
    Constant([u8; BLOCK]),
}

/// The original format and the protection that the boxes of a protected sample entry state.
pub(crate) fn protection(children: &[u8]) -> Result<([u8; 4], Protection), ReadError> {
    let is_protection = |found: &Result<_, ReadError>| {
        found.as_ref().is_ok_and(|found: &super::super::boxes::Box<'_>| found.kind == *b"sinf")
    };
    if boxes(children).filter(is_protection).count() > 1 {
        return Err(ReadError::new("a sample entry has several boxes sinf"));
    }
    let information = required(children, b"sinf")?;
    let original =
        Cursor::new(required(information, b"frma")?).array().map_err(|error| error.of_box(b"frma"))?;
    let scheme = scheme(required(information, b"schm")?).map_err(|error| error.of_box(b"schm"))?;
    let defaults = required(required(information, b"schi")?, b"tenc")?;
    let protection = track_encryption(defaults, scheme).map_err(|error| error.of_box(b"tenc"))?;
    Ok((original, protection))
}

/// `schm` (ISO/IEC 14496-12 8.12.5).
fn scheme(schm: &[u8]) -> Result<Scheme, ReadError> {
    let mut cursor = Cursor::new(schm);
    cursor.full_box()?;
    let kind: [u8; 4] = cursor.array()?;
    let version = cursor.u32()?;
    let scheme = [Scheme::Cenc, Scheme::Cbcs].into_iter().find(|scheme| scheme.as_str().as_bytes() == kind);
    scheme
        .filter(|_| version == SCHEME_VERSION)
        .ok_or_else(|| ReadError::new(format!("scheme {} of version {version:#x} is not used", name(kind))))
}

/// `tenc` (ISO/IEC 23001-7 clause 8.2).
fn track_encryption(tenc: &[u8], scheme: Scheme) -> Result<Protection, ReadError> {
    let mut cursor = Cursor::new(tenc);
    let (version, _) = cursor.full_box()?;
    cursor.u8()?;
    let pattern = cursor.u8()?;
    let pattern = if version == 0 { (0, 0) } else { (pattern >> 4, pattern & 0x0F) };
    let is_protected = cursor.u8()?;
    let vector_size = usize::from(cursor.u8()?);
    let key_id = KeyId(cursor.array()?);
    if is_protected != 1 {
        return Err(ReadError::new("samples are said not to be encrypted"));
    }
    let vectors = match (scheme, vector_size) {
        // One vector for all samples of a counter mode would give all of them one key stream.
        (Scheme::Cenc, 8 | BLOCK) | (Scheme::Cbcs, BLOCK) => Vectors::PerSample(vector_size),
        (Scheme::Cbcs, 0) => {
            let size = cursor.u8()?;
            if usize::from(size) != BLOCK {
                return Err(ReadError::new(format!("a constant vector of {size} bytes chains no blocks")));
            }
            Vectors::Constant(cursor.array()?)
        }
        (scheme, size) => {
            return Err(ReadError::new(format!("{} has no vectors of {size} bytes", scheme.as_str())));
        }
    };
    match (scheme, pattern) {
        (_, (0, 0)) | (Scheme::Cbcs, (1.., _)) => {}
        (scheme, (crypt, skip)) => {
            return Err(ReadError::new(format!("{} has no pattern {crypt}:{skip}", scheme.as_str())));
        }
    }
    if !cursor.is_empty() {
        return Err(ReadError::new("the box has a rest"));
    }
    Ok(Protection { scheme, key_id, pattern, vectors })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenc(version: u8, pattern: u8, is_protected: u8, vector: &[u8]) -> Vec<u8> {
        [&[version, 0, 0, 0, 0, pattern, is_protected][..], &vector[..1], &[7; 16], &vector[1..]].concat()
    }

    #[test]
    fn vectors_and_patterns_go_with_the_scheme() {
        let constant = [&[0, 16][..], &[9; 16]].concat();
        for (scheme, tenc, pattern, vectors) in [
            (Scheme::Cenc, tenc(0, 0, 1, &[8]), (0, 0), Vectors::PerSample(8)),
            (Scheme::Cenc, tenc(0, 0, 1, &[16]), (0, 0), Vectors::PerSample(16)),
            (Scheme::Cbcs, tenc(1, 0x19, 1, &constant), (1, 9), Vectors::Constant([9; 16])),
            (Scheme::Cbcs, tenc(1, 0, 1, &constant), (0, 0), Vectors::Constant([9; 16])),
            (Scheme::Cbcs, tenc(1, 0x19, 1, &[16]), (1, 9), Vectors::PerSample(16)),
        ] {
            let expected = Protection { scheme, key_id: KeyId([7; 16]), pattern, vectors };
            assert_eq!(track_encryption(&tenc, scheme).unwrap(), expected);
        }
        for (scheme, tenc) in [
            (Scheme::Cenc, tenc(0, 0, 0, &[8])),
            (Scheme::Cenc, tenc(0, 0, 1, &[7])),
            (Scheme::Cenc, tenc(0, 0, 1, &constant)),
            (Scheme::Cenc, tenc(1, 0x19, 1, &[8])),
            (Scheme::Cbcs, tenc(1, 0x09, 1, &constant)),
            (Scheme::Cbcs, tenc(1, 0x19, 1, &[0, 8, 1, 2, 3, 4, 5, 6, 7, 8])),
            (Scheme::Cbcs, tenc(1, 0x19, 1, &constant[..9])),
            (Scheme::Cenc, [&tenc(0, 0, 1, &[8])[..], b"x"].concat()),
        ] {
            assert!(track_encryption(&tenc, scheme).is_err(), "{scheme:?} {tenc:?}");
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        assert_eq!(scheme(b"\0\0\0\0cbcs\0\x01\0\0").unwrap(), Scheme::Cbcs);
        for bad in [&b"\0\0\0\0cens\0\x01\0\0"[..], b"\0\0\0\0cenc\0\x02\0\0", b"\0\0\0\0cenc\0\x01"] {
            assert!(scheme(bad).is_err(), "{bad:?}");
        }
    }
}
