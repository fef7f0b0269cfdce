//! The parts of the clear file: its brands, its header, and where its media lies.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use super::error::Fault;
use crate::malformed::Malformed;
use crate::readback::boxes::{Header, name};

/// The largest header that is read or written: that of a day of many tracks stays below it.
pub(super) const LARGEST_MOOV: u64 = 256 << 20;

/// The most bytes of a `ftyp` box: it lists a few brands.
const LARGEST_FTYP: u64 = 1 << 12;

/// What the clear file consists of.
#[derive(Debug)]
pub(super) struct Source {
    /// The whole `ftyp` box.
    pub(super) brands: Vec<u8>,
    /// The body of `moov`.
    pub(super) moov: Vec<u8>,
    /// The body of `mdat`, as a place in the file.
    pub(super) media: Range<u64>,
}

impl Source {
    /// Finds the parts of a file of `length` bytes. The header must stand before the media, and nothing may stand
    /// beside them but room left free: what else a file may hold could tell of its clear samples.
    pub(super) fn open(file: &mut (impl Read + Seek), length: u64) -> Result<Self, Fault> {
        let (mut brands, mut moov, mut media) = (None, None, None);
        let mut at = 0;
        while at < length {
            let mut bytes = [0; Header::LONGEST];
            let there = (length - at).min(Header::LONGEST as u64) as usize;
            file.seek(SeekFrom::Start(at)).map_err(Fault::Read)?;
            file.read_exact(&mut bytes[..there]).map_err(Fault::Read)?;
            let header =
                Header::parse(&bytes[..there], length - at).map_err(Malformed::at("the file's boxes"))?;
            let body = at + header.header..at + header.size;
            match &header.kind {
                b"ftyp" if brands.is_none() && at == 0 => {
                    brands = Some(read(file, at..body.end, "ftyp", LARGEST_FTYP)?);
                }
                b"moov" if moov.is_none() && media.is_none() => {
                    moov = Some(read(file, body, "moov", LARGEST_MOOV)?);
                }
                b"moov" if moov.is_none() => {
                    return Err(Malformed::new("moov", "it stands behind the media").into());
                }
                b"mdat" if media.is_none() => media = Some(body),
                b"free" | b"skip" | b"wide" => {}
                b"ftyp" | b"moov" | b"mdat" => {
                    return Err(Malformed::new(name(header.kind), "it stands where it should not").into());
                }
                kind => return Err(Malformed::new(name(*kind), "no progressive file has this box").into()),
            }
            at += header.size;
        }
        let missing = |kind| Malformed::new(kind, "there is none");
        Ok(Self {
            brands: brands.ok_or_else(|| missing("ftyp"))?,
            moov: moov.ok_or_else(|| missing("moov"))?,
            media: media.ok_or_else(|| missing("mdat"))?,
        })
    }
}

fn read(
    file: &mut (impl Read + Seek),
    place: Range<u64>,
    kind: &str,
    largest: u64,
) -> Result<Vec<u8>, Fault> {
    let size = place.end - place.start;
    if size > largest {
        return Err(Malformed::new(kind, format!("it states {size} bytes, {largest} are the most")).into());
    }
    let mut bytes = vec![0; size as usize];
    file.seek(SeekFrom::Start(place.start)).map_err(Fault::Read)?;
    file.read_exact(&mut bytes).map_err(Fault::Read)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    const FTYP: &[u8] = b"\0\0\0\x0Cftypisom";
    const MOOV: &[u8] = b"\0\0\0\x0Bmoovabc";
    const MDAT: &[u8] = b"\0\0\0\x0Amdatxy";
    const FREE: &[u8] = b"\0\0\0\x08free";

    fn open(parts: &[&[u8]]) -> Result<Source, Fault> {
        let bytes = parts.concat();
        Source::open(&mut Cursor::new(&bytes), bytes.len() as u64)
    }

    #[test]
    fn the_parts_are_found() {
        let source = open(&[FTYP, MOOV, FREE, MDAT, FREE]).unwrap();
        assert_eq!((source.brands.as_slice(), source.moov.as_slice()), (FTYP, &b"abc"[..]));
        assert_eq!(source.media, 39..41);
        // A media box may end with the file (4.2), or state its size in 64 bits.
        assert_eq!(open(&[FTYP, MOOV, b"\0\0\0\0mdatxy"]).unwrap().media, 31..33);
        let long: &[u8] = b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x12xy";
        assert_eq!(open(&[FTYP, MOOV, long, FREE]).unwrap().media, 39..41);
    }

    #[test]
    fn a_file_of_another_build_is_refused_by_the_name_of_the_box() {
        for (parts, place) in [
            (&[MOOV, MDAT][..], "ftyp"),
            (&[FTYP, MDAT], "moov"),
            (&[FTYP, MOOV], "mdat"),
            (&[FTYP, MDAT, MOOV], "moov"),
            (&[FTYP, MOOV, MOOV, MDAT], "moov"),
            (&[FTYP, MOOV, MDAT, MDAT], "mdat"),
            (&[FTYP, FTYP, MOOV, MDAT], "ftyp"),
            (&[FTYP, MOOV, MDAT, b"\0\0\0\x08moof"], "moof"),
            (&[FTYP, MOOV, MDAT, b"\0\0\0\x09free"], "the file's boxes"),
            (&[b"\x7F\0\0\0ftyp"], "the file's boxes"),
        ] {
            let Err(Fault::Malformed(malformed)) = open(parts) else { panic!("{parts:?}") };
            assert_eq!(malformed.place, place, "{malformed}");
        }
    }

    #[test]
    fn a_large_header_is_refused_before_room_is_made_for_it() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[FTYP, b"\x20\0\0\0moov"].concat()).unwrap();
        file.set_len(1 << 30).unwrap();
        let Err(Fault::Malformed(malformed)) = Source::open(&mut file, 1 << 30) else { panic!() };
        assert_eq!(malformed.to_string(), "moov: it states 536870904 bytes, 268435456 are the most");
    }
}
