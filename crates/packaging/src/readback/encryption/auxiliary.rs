//! What each sample states of its own encryption: `senc`, and `saiz` and `saio` which lead to it (ISO/IEC 23001-7 clause
//! 7, ISO/IEC 14496-12 8.7.8 and 8.7.9).

use std::borrow::Cow;

use super::super::ReadError;
use super::super::boxes::{Cursor, boxes, find, name};
use super::cipher::BLOCK;
use super::protection::{Protection, Vectors};

/// Bytes of a subsample's two numbers.
const SUBSAMPLE: usize = 6;

/// The entries of a track fragment or a sample table, one for each sample in order.
#[derive(Clone, Debug)]
pub(crate) struct Auxiliary<'a> {
    entries: Cursor<'a>,
    left: u32,
    has_subsamples: bool,
    sizes: Option<Sizes<'a>>,
    vectors: Vectors,
    is_there: bool,
}

/// `saiz`: the size of every entry.
#[derive(Clone, Debug)]
struct Sizes<'a> {
    default: u8,
    own: Cursor<'a>,
}

/// What one sample states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// Its initialisation vector as it stands in the file, filled up with zeros.
    pub(crate) vector: [u8; BLOCK],
    /// Bytes of it that the file holds.
    pub(crate) vector_size: usize,
    /// `None` where the whole sample is protected.
    subsamples: Option<&'a [u8]>,
}

impl Entry<'_> {
    /// Calls `protected` with every protected range of a sample of `size` bytes in order.
    pub(crate) fn ranges(
        &self,
        size: usize,
        mut protected: impl FnMut(std::ops::Range<usize>),
    ) -> Result<(), ReadError> {
        let Some(subsamples) = self.subsamples else {
            protected(0..size);
            return Ok(());
        };
        let mut at = 0;
        let mut cursor = Cursor::new(subsamples);
        while !cursor.is_empty() {
            let start = at + usize::from(cursor.u16()?);
            let end = start.saturating_add(cursor.u32()? as usize);
            if end > size {
                return Err(ReadError::new(format!("subsamples of {end} bytes in a sample of {size}"))
                    .of_box(b"senc"));
            }
            if end > start {
                protected(start..end);
            }
            at = end;
        }
        if at != size {
            return Err(
                ReadError::new(format!("subsamples of {at} bytes in a sample of {size}")).of_box(b"senc")
            );
        }
        Ok(())
    }
}

impl<'a> Auxiliary<'a> {
    /// No entries: all samples are protected whole with one vector.
    const fn none(vectors: Vectors) -> Self {
        Self {
            entries: Cursor::new(&[]),
            left: 0,
            has_subsamples: false,
            sizes: None,
            vectors,
            is_there: false,
        }
    }

    /// Those of a box `senc` (ISO/IEC 23001-7 clause 7.2) that no other box leads to.
    pub(crate) fn of_payload(senc: &'a [u8], vectors: Vectors) -> Result<Self, ReadError> {
        const SUBSAMPLES: u32 = 0x2;
        let mut cursor = Cursor::new(senc);
        let (version, flags) = cursor.full_box()?;
        if version != 0 || flags & !SUBSAMPLES != 0 {
            return Err(ReadError::new(format!("version {version} with flags {flags:#x} is not used")));
        }
        Ok(Self {
            has_subsamples: flags & SUBSAMPLES != 0,
            left: cursor.u32()?,
            entries: cursor,
            is_there: true,
            ..Self::none(vectors)
        })
    }

    /// Those of `container`, which is a `traf` or an `stbl` of a track with this protection. `track` is the `trak` around
    /// the latter, which is the standard's place for `senc` (clause 7.2); some writers put it beside the others. `at`
    /// gives bytes of the file from an offset that `saio` states; they must be the entries.
    pub(crate) fn parse(
        container: &'a [u8],
        track: Option<&'a [u8]>,
        protection: &Protection,
        at: impl FnOnce(u64, usize) -> Result<Cow<'a, [u8]>, ReadError>,
    ) -> Result<Self, ReadError> {
        refuse_groups(container)?;
        let sizes = find(container, b"saiz")?;
        let offsets = find(container, b"saio")?;
        let senc = match find(container, b"senc")? {
            None => track.map(|track| find(track, b"senc")).transpose()?.flatten(),
            found => found,
        };
        let Some(senc) = senc else {
            // Only samples that are protected whole with a vector for all have nothing to state.
            if matches!(protection.vectors, Vectors::PerSample(_)) || sizes.is_some() || offsets.is_some() {
                return Err(ReadError::new("there is no box senc"));
            }
            return Ok(Self::none(protection.vectors));
        };
        let mut auxiliary =
            Self::of_payload(senc, protection.vectors).map_err(|error| error.of_box(b"senc"))?;
        let entries = auxiliary.entries.rest();
        match (sizes, offsets) {
            (None, None) if entries.is_empty() => {}
            (Some(sizes), Some(offsets)) => {
                auxiliary.sizes =
                    Some(auxiliary.sizes(sizes, protection).map_err(|error| error.of_box(b"saiz"))?);
                let offset = offset(offsets, protection).map_err(|error| error.of_box(b"saio"))?;
                if at(offset, entries.len()).map_err(|error| error.of_box(b"saio"))? != entries {
                    return Err(ReadError::new("the offset is not that of the entries").of_box(b"saio"));
                }
            }
            _ => return Err(ReadError::new("the boxes saiz and saio do not lead to the box senc")),
        }
        Ok(auxiliary)
    }

    fn sizes(&self, saiz: &'a [u8], protection: &Protection) -> Result<Sizes<'a>, ReadError> {
        let mut cursor = Cursor::new(saiz);
        kind(&mut cursor, protection)?;
        let default = cursor.u8()?;
        let count = cursor.u32()?;
        if count != self.left || (default == 0 && cursor.rest().len() != count as usize) {
            return Err(ReadError::new(format!("{count} entries, {} in the box senc", self.left)));
        }
        Ok(Sizes { default, own: cursor })
    }

    /// The entry of the next sample.
    pub(crate) fn next(&mut self) -> Result<Entry<'a>, ReadError> {
        if !self.is_there {
            let Vectors::Constant(vector) = self.vectors else {
                return Err(ReadError::new("there is no box senc"));
            };
            return Ok(Entry { vector, vector_size: BLOCK, subsamples: None });
        }
        let left = self.left.checked_sub(1);
        self.left =
            left.ok_or_else(|| ReadError::new("there are more samples than entries").of_box(b"senc"))?;
        self.entry().map_err(|error| error.of_box(b"senc"))
    }

    fn entry(&mut self) -> Result<Entry<'a>, ReadError> {
        let before = self.entries.rest().len();
        let (vector, vector_size) = match self.vectors {
            Vectors::Constant(vector) => (vector, BLOCK),
            Vectors::PerSample(size) => {
                let mut vector = [0; BLOCK];
                vector[..size].copy_from_slice(self.entries.take(size)?);
                (vector, size)
            }
        };
        let subsamples = if self.has_subsamples {
            let count = usize::from(self.entries.u16()?);
            Some(self.entries.take(count * SUBSAMPLE)?)
        } else {
            None
        };
        if let Some(sizes) = &mut self.sizes {
            let stated = if sizes.default == 0 { sizes.own.u8()? } else { sizes.default };
            let size = before - self.entries.rest().len();
            if usize::from(stated) != size {
                return Err(ReadError::new(format!("an entry of {size} bytes, {stated} in the box saiz")));
            }
        }
        Ok(Entry { vector, vector_size, subsamples })
    }

    /// Checks that every entry had its sample.
    pub(crate) fn finish(&self) -> Result<(), ReadError> {
        if self.left != 0 || !self.entries.is_empty() {
            return Err(ReadError::new("there are more entries than samples").of_box(b"senc"));
        }
        Ok(())
    }
}

/// The offset in `saio`, of which there must be one.
fn offset(saio: &[u8], protection: &Protection) -> Result<u64, ReadError> {
    let mut cursor = Cursor::new(saio);
    let version = kind(&mut cursor, protection)?;
    let count = cursor.u32()?;
    let offset = cursor.by_version(version)?;
    if count != 1 || !cursor.is_empty() {
        return Err(ReadError::new(format!("{count} offsets")));
    }
    Ok(offset)
}

/// Version, flags and, where it is stated, the type of information that `saiz` and `saio` are about. Gives the version.
fn kind(cursor: &mut Cursor<'_>, protection: &Protection) -> Result<u8, ReadError> {
    let (version, flags) = cursor.full_box()?;
    if flags & 1 != 0 {
        let kind: [u8; 4] = cursor.array()?;
        let parameter = cursor.u32()?;
        if kind != protection.scheme.as_str().as_bytes() || parameter != 0 {
            return Err(ReadError::new(format!("information of type {} is not used", name(kind))));
        }
    }
    Ok(version)
}

/// Samples that have another key than their track's (`seig`, ISO/IEC 23001-7 clause 6).
fn refuse_groups(container: &[u8]) -> Result<(), ReadError> {
    for found in boxes(container) {
        let found = found?;
        if matches!(&found.kind, b"sgpd" | b"sbgp") && found.body.get(4..8) == Some(b"seig") {
            return Err(
                ReadError::new("groups of samples with keys of their own are not used").of_box(&found.kind)
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use reelfarm_model::KeyId;
    use reelfarm_model::profile::Scheme;

    use super::*;

    fn protection(scheme: Scheme, vectors: Vectors) -> Protection {
        Protection { scheme, key_id: KeyId([1; 16]), pattern: (0, 0), vectors }
    }

    fn cenc() -> Protection {
        protection(Scheme::Cenc, Vectors::PerSample(8))
    }

    fn cbcs() -> Protection {
        protection(Scheme::Cbcs, Vectors::Constant([5; 16]))
    }

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat()
    }

    /// Two samples: one of 3 clear and 20 protected bytes, one of 0 and 16 and of 4 and 32.
    const SENC: &[u8] =
        b"\0\0\0\x02\0\0\0\x02vector 1\0\x01\0\x03\0\0\0\x14vector 2\0\x02\0\0\0\0\0\x10\0\x04\0\0\0\x20";
    const SAIZ: &[u8] = b"\0\0\0\0\0\0\0\0\x02\x10\x16";
    const SAIO: &[u8] = b"\0\0\0\0\0\0\0\x01\0\0\0\x64";

    fn container(senc: &[u8], saiz: &[u8], saio: &[u8]) -> Vec<u8> {
        let boxes = [(b"senc", senc), (b"saiz", saiz), (b"saio", saio)];
        boxes.iter().filter(|(_, body)| !body.is_empty()).flat_map(|(kind, body)| boxed(kind, body)).collect()
    }

    /// Start and end of each.
    type Ranges = Vec<(usize, usize)>;

    /// The entries for samples of these sizes: vectors and protected ranges.
    fn read(
        container: &[u8],
        protection: &Protection,
        sizes: &[usize],
    ) -> Result<Vec<([u8; BLOCK], Ranges)>, ReadError> {
        let mut auxiliary = Auxiliary::parse(container, None, protection, |offset, length| {
            let file = [&[0; 0x64][..], &SENC[8..], b"and more"].concat();
            let bytes = file.get(offset as usize..).and_then(|rest| rest.get(..length));
            bytes.map(|bytes| Cow::Owned(bytes.to_vec())).ok_or_else(|| ReadError::new("outside"))
        })?;
        let mut entries = Vec::new();
        for size in sizes {
            let entry = auxiliary.next()?;
            let mut ranges = Vec::new();
            entry.ranges(*size, |range| ranges.push((range.start, range.end)))?;
            entries.push((entry.vector, ranges));
        }
        auxiliary.finish().map(|()| entries)
    }

    #[test]
    fn every_sample_has_its_vector_and_ranges() {
        let entries = read(&container(SENC, SAIZ, SAIO), &cenc(), &[23, 52]).unwrap();
        assert_eq!(entries[0], (*b"vector 1\0\0\0\0\0\0\0\0", vec![(3, 23)]));
        assert_eq!(entries[1], (*b"vector 2\0\0\0\0\0\0\0\0", vec![(0, 16), (20, 52)]));
    }

    #[test]
    fn a_constant_vector_needs_no_entries() {
        for container in [vec![], container(b"\0\0\0\0\0\0\0\x02", b"", b"")] {
            let entries = read(&container, &cbcs(), &[9, 16]).unwrap();
            assert_eq!(entries, [([5; 16], vec![(0, 9)]), ([5; 16], vec![(0, 16)])]);
        }
    }

    #[test]
    fn entries_of_one_size_need_no_list() {
        let senc = b"\0\0\0\0\0\0\0\x02vector 1vector 2";
        let saiz = b"\0\0\0\x01cenc\0\0\0\0\x08\0\0\0\x02";
        let read = |container: &[u8]| {
            let mut auxiliary =
                Auxiliary::parse(container, None, &cenc(), |_, _| Ok(Cow::Borrowed(b"vector 1vector 2")))?;
            auxiliary.next()?;
            auxiliary.next().map(|entry| entry.vector)
        };
        assert_eq!(read(&container(senc, saiz, SAIO)).unwrap(), *b"vector 2\0\0\0\0\0\0\0\0");
        let other = b"\0\0\0\x01cbcs\0\0\0\0\x08\0\0\0\x02";
        assert!(read(&container(senc, other, SAIO)).unwrap_err().0.starts_with("box saiz: "));
    }

    #[test]
    fn boxes_that_disagree_are_named() {
        let changed = |bytes: &[u8], at: usize, value: u8| {
            let mut bytes = bytes.to_vec();
            bytes[at] = value;
            bytes
        };
        let group = boxed(b"sgpd", b"\x01\0\0\0seig\0\0\0\x14\0\0\0\0");
        let cases: [(Vec<u8>, &[usize], &str); 17] = [
            (container(SENC, SAIZ, b""), &[23, 52], "the boxes saiz and saio"),
            (container(SENC, b"", SAIO), &[23, 52], "the boxes saiz and saio"),
            (container(SENC, b"", b""), &[23, 52], "the boxes saiz and saio"),
            (container(b"", SAIZ, SAIO), &[23, 52], "there is no box senc"),
            (vec![], &[23, 52], "there is no box senc"),
            (container(&changed(SENC, 3, 6), SAIZ, SAIO), &[23, 52], "box senc: version 0 with flags 0x6"),
            (container(&changed(SENC, 7, 3), SAIZ, SAIO), &[23, 52], "box saiz: 2 entries, 3"),
            (container(SENC, &changed(SAIZ, 9, 0x0F), SAIO), &[23, 52], "box senc: an entry of 16 bytes, 15"),
            (container(SENC, &SAIZ[..10], SAIO), &[23, 52], "box saiz: 2 entries"),
            (container(SENC, SAIZ, &changed(SAIO, 11, 0x65)), &[23, 52], "box saio: the offset is not"),
            (container(SENC, SAIZ, &changed(SAIO, 8, 1)), &[23, 52], "box saio: outside"),
            (container(SENC, SAIZ, &changed(SAIO, 7, 2)), &[23, 52], "box saio: 2 offsets"),
            (container(SENC, SAIZ, SAIO), &[24, 52], "box senc: subsamples of 23 bytes in a sample of 24"),
            (container(SENC, SAIZ, SAIO), &[22, 52], "box senc: subsamples of 23 bytes in a sample of 22"),
            (container(SENC, SAIZ, SAIO), &[23], "box senc: there are more entries than samples"),
            (container(SENC, SAIZ, SAIO), &[23, 52, 1], "box senc: there are more samples than entries"),
            ([container(SENC, SAIZ, SAIO), group].concat(), &[23, 52], "box sgpd: groups of samples"),
        ];
        for (container, sizes, expected) in cases {
            let reason = read(&container, &cenc(), sizes).unwrap_err().0;
            assert!(reason.starts_with(expected), "{expected}: {reason}");
        }
        let cut = container(&SENC[..SENC.len() - 1], SAIZ, SAIO);
        assert!(read(&cut, &cenc(), &[23, 52]).is_err());
    }
}
