//! Boxes of ISO base media files (ISO/IEC 14496-12 4.2), and a cursor over big-endian fields that cannot run past its
//! bytes.

use super::ReadError;

/// Reads fields from front to back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| {
            ReadError::new(format!("{count} bytes are needed, {} are left", self.rest.len()))
        })?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next bytes as an array.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> Result<u8, ReadError> {
        Ok(self.array::<1>()?[0])
    }

    /// The next 16-bit number.
    pub(crate) fn u16(&mut self) -> Result<u16, ReadError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// The next 32-bit number.
    pub(crate) fn u32(&mut self) -> Result<u32, ReadError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// The next 64-bit number.
    pub(crate) fn u64(&mut self) -> Result<u64, ReadError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// The next number, of 64 bits in version 1 of a box and of 32 in version 0.
    pub(crate) fn by_version(&mut self, version: u8) -> Result<u64, ReadError> {
        if version == 0 { Ok(u64::from(self.u32()?)) } else { self.u64() }
    }

    /// Version and flags of a full box (4.2).
    pub(crate) fn full_box(&mut self) -> Result<(u8, u32), ReadError> {
        let word = self.u32()?;
        Ok(((word >> 24) as u8, word & 0x00FF_FFFF))
    }

    /// Whether nothing is left.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// A box without its header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Box<'a> {
    /// Its four-character type.
    pub(crate) kind: [u8; 4],
    /// What it holds.
    pub(crate) body: &'a [u8],
    /// Where its header begins in the bytes that it was read from.
    pub(crate) start: usize,
    /// Where it ends there.
    pub(crate) end: usize,
}

/// A box's type and size, as its header states them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// Its four-character type.
    pub(crate) kind: [u8; 4],
    /// Bytes of the header itself.
    pub(crate) header: u64,
    /// Bytes of the box with its header.
    pub(crate) size: u64,
}

impl Header {
    /// The most bytes that a header has.
    pub(crate) const LONGEST: usize = 16;

    /// Reads a header from the beginning of `bytes`, of a box that has at most `available` bytes.
    pub(crate) fn parse(bytes: &[u8], available: u64) -> Result<Self, ReadError> {
        let mut cursor = Cursor::new(bytes);
        let short = cursor.u32()?;
        let kind = cursor.array()?;
        let (header, size) = match short {
            0 => (8, available),
            1 => (16, cursor.u64()?),
            size => (8, u64::from(size)),
        };
        if size < header || size > available {
            return Err(ReadError::new(format!(
                "box {} states {size} bytes, {available} are there",
                name(kind)
            )));
        }
        Ok(Self { kind, header, size })
    }
}

/// The boxes that `bytes` consists of, without gap or rest.
pub(crate) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Result<Box<'_>, ReadError>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let read = Header::parse(rest, rest.len() as u64).map(|header| {
            let (start, end) = (at, at + header.size as usize);
            Box { kind: header.kind, body: &bytes[start + header.header as usize..end], start, end }
        });
        // Nothing can be found after a header that makes no sense.
        at = read.as_ref().map_or(bytes.len(), |found| found.end);
        Some(read)
    })
}

/// The first box of a kind.
pub(crate) fn find<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Result<Option<&'a [u8]>, ReadError> {
    for found in boxes(bytes) {
        let found = found?;
        if found.kind == *kind {
            return Ok(Some(found.body));
        }
    }
    Ok(None)
}

/// The first box of a kind, which must be there.
pub(crate) fn required<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Result<&'a [u8], ReadError> {
    find(bytes, kind)?.ok_or_else(|| ReadError::new(format!("there is no box {}", name(*kind))))
}

/// A box's type in words.
pub(crate) fn name(kind: [u8; 4]) -> String {
    kind.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_walked_and_sizes_are_not_believed() {
        let mut bytes = b"\0\0\0\x0Cftypabcd".to_vec();
        bytes.extend(b"\0\0\0\x01free\0\0\0\0\0\0\0\x11x");
        bytes.extend(b"\0\0\0\0mdatyz");
        let found: Vec<_> = boxes(&bytes).map(Result::unwrap).map(|b| (b.kind, b.body)).collect();
        assert_eq!(found, [(*b"ftyp", &b"abcd"[..]), (*b"free", b"x"), (*b"mdat", b"yz")]);
        for bad in [&b"\0\0\0\x07free"[..], b"\0\0\0\x09free", b"\0\0\0\x01free\0\0\0\0\0\0\0\x0F", b"\0\0\0"]
        {
            let read: Vec<_> = boxes(bad).collect();
            assert!(matches!(read.as_slice(), [Err(_)]), "{bad:?}");
        }
    }
}
