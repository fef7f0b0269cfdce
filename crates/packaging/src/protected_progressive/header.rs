//! What the clear file's header (`moov`, ISO/IEC 14496-12 8.2) says of its tracks, as far as encrypting them needs it.

use std::ops::Range;

use super::picture::PictureDivider;
use super::sample_table::SampleTable;
use crate::malformed::Malformed;
use crate::readback::boxes::{Cursor, boxes, find, name};

/// A track to encrypt.
#[derive(Debug)]
pub(super) struct Track {
    /// What its samples are.
    pub(super) media: Media,
    /// Where they lie.
    pub(super) samples: SampleTable,
}

/// What a track's samples are.
#[derive(Debug)]
pub(super) enum Media {
    /// Pictures of H.264, of which parts stay clear.
    Pictures(Box<PictureDivider>),
    /// Frames of AAC, encrypted whole.
    Sound,
}

/// The tracks of a header's body, of a file whose media lies at `media`.
pub(super) fn tracks(moov: &[u8], media: &Range<u64>) -> Result<Vec<Track>, Malformed> {
    let mut tracks = Vec::new();
    for found in boxes(moov) {
        let found = found.map_err(Malformed::at("moov"))?;
        match &found.kind {
            b"trak" => tracks.push(track(found.body, &track_place(tracks.len()), media)?),
            b"mvhd" | b"iods" | b"udta" | b"meta" | b"free" | b"skip" => {}
            kind => return Err(Malformed::new("moov", format!("it holds box {}", name(*kind)))),
        }
    }
    if tracks.is_empty() {
        return Err(Malformed::new("moov", "it holds no track"));
    }
    Ok(tracks)
}

/// A track's box in words, counted from 0.
pub(super) fn track_place(index: usize) -> String {
    format!("moov/trak {}", index + 1)
}

fn track(trak: &[u8], place: &str, media: &Range<u64>) -> Result<Track, Malformed> {
    let (mdia, place) = only(trak, place, b"mdia")?;
    let (minf, place) = only(mdia, &place, b"minf")?;
    references(minf, &place)?;
    let (stbl, place) = only(minf, &place, b"stbl")?;
    for found in boxes(stbl) {
        let kind = found.map_err(Malformed::at(&place))?.kind;
        // Written anew below, or with places in the file that move.
        if matches!(&kind, b"saiz" | b"saio" | b"senc" | b"subs" | b"stz2") {
            return Err(Malformed::new(place, format!("it holds box {}", name(kind))));
        }
    }
    let (stsd, entry_place) = only(stbl, &place, b"stsd")?;
    let track_media = sample_entry(stsd, &entry_place)?;
    Ok(Track { media: track_media, samples: SampleTable::parse(stbl, &place, media)? })
}

/// The samples must lie in the file itself (`dref`, 8.7.2).
fn references(minf: &[u8], place: &str) -> Result<(), Malformed> {
    const IN_THIS_FILE: u32 = 1;

    let (dinf, place) = only(minf, place, b"dinf")?;
    let (dref, place) = only(dinf, &place, b"dref")?;
    let mut cursor = Cursor::new(dref);
    let header = cursor.full_box().and_then(|_| cursor.u32());
    let count = header.map_err(Malformed::at(&place))?;
    let mut references = boxes(cursor.rest());
    match (count, references.next(), references.next()) {
        (1, Some(Ok(url)), None) => {
            let flags = Cursor::new(url.body).full_box().map_err(Malformed::at(&place))?.1;
            if url.kind == *b"url " && flags & IN_THIS_FILE != 0 {
                return Ok(());
            }
            Err(Malformed::new(place, "the samples lie in another file"))
        }
        _ => Err(Malformed::new(place, format!("it states {count} references and holds others"))),
    }
}

/// `stsd` (8.5.2).
fn sample_entry(stsd: &[u8], place: &str) -> Result<Media, Malformed> {
    /// Bytes of a `VisualSampleEntry` before the boxes in it (12.1.3).
    const VISUAL: usize = 78;

    let mut cursor = Cursor::new(stsd);
    let header = cursor.full_box().and_then(|_| cursor.u32());
    let count = header.map_err(Malformed::at(place))?;
    let mut entries = boxes(cursor.rest());
    let (1, Some(entry), None) = (count, entries.next(), entries.next()) else {
        return Err(Malformed::new(place, format!("a track has one sample entry, it states {count}")));
    };
    let entry = entry.map_err(Malformed::at(place))?;
    let place = format!("{place}/{}", name(entry.kind));
    match &entry.kind {
        b"avc1" => {
            let mut cursor = Cursor::new(entry.body);
            cursor.take(VISUAL).map_err(Malformed::at(&place))?;
            let (configuration, place) = only(cursor.rest(), &place, b"avcC")?;
            let divider = PictureDivider::new(configuration);
            divider
                .map(|divider| Media::Pictures(Box::new(divider)))
                .map_err(|error| Malformed::new(place, error))
        }
        b"mp4a" => Ok(Media::Sound),
        kind => Err(Malformed::new(
            place,
            format!("samples of {} are encrypted by no rule known here", name(*kind)),
        )),
    }
}

/// The only box of a kind in a box, with its place in words.
pub(super) fn only<'a>(body: &'a [u8], place: &str, kind: &[u8; 4]) -> Result<(&'a [u8], String), Malformed> {
    let inner = format!("{place}/{}", name(*kind));
    let found = find(body, kind).map_err(Malformed::at(place))?;
    let found = found.ok_or_else(|| Malformed::new(inner.as_str(), "there is none"))?;
    let mut count = 0;
    for other in boxes(body) {
        count += u32::from(other.map_err(Malformed::at(place))?.kind == *kind);
    }
    if count > 1 {
        return Err(Malformed::new(inner, format!("there are {count}")));
    }
    Ok((found, inner))
}
