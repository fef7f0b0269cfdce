//! Writes what stands before the samples in the protected file: the clear file's header with protected sample entries
//! (ISO/IEC 14496-12 8.12, ISO/IEC 23001-7 clause 8), with what players need to know of every sample, and with the
//! samples' new places.

use reelfarm_drm::ContentKey;
use reelfarm_model::KeyId;

use super::auxiliary::{Auxiliary, VECTOR_SIZE};
use super::header::{Media, Track, track_place};
use super::source::{LARGEST_MOOV, Source};
use crate::malformed::Malformed;
use crate::readback::boxes::{Box, boxes};

/// A track with what encrypts it.
pub(super) struct ProtectedTrack<'a> {
    /// The clear track.
    pub(super) track: &'a Track,
    /// The key.
    pub(super) key: &'a ContentKey,
    /// What is said of its samples.
    pub(super) auxiliary: &'a Auxiliary,
}

/// The boxes from the file's beginning up to its first sample.
pub(super) fn file_header(
    source: &Source,
    tracks: &[ProtectedTrack<'_>],
    pssh: &[Vec<u8>],
) -> Result<Vec<u8>, Malformed> {
    let too_large =
        |bytes| Malformed::new("moov", format!("{bytes} bytes are needed, {LARGEST_MOOV} are the most"));
    let auxiliary: u64 = tracks.iter().map(|track| track.auxiliary.bytes()).sum();
    let at_least = auxiliary + source.moov.len() as u64;
    if at_least > LARGEST_MOOV {
        return Err(too_large(at_least));
    }
    // The header's size does not depend on the places in it, so that one that is written without them shows them.
    let (_, places) = HeaderWriter::write(source, tracks, pssh, Places::default())?;
    let (header, places) = HeaderWriter::write(source, tracks, pssh, places)?;
    if places.media > LARGEST_MOOV {
        return Err(too_large(places.media));
    }
    Ok(header)
}

/// Places in the protected file.
#[derive(Debug, Default)]
struct Places {
    /// The first sample.
    media: u64,
    /// The first entry of each track's `senc`.
    entries: Vec<u64>,
}

struct HeaderWriter<'a> {
    output: Vec<u8>,
    source: &'a Source,
    /// Places to write down.
    known: Places,
    /// Places seen while writing.
    seen: Places,
    /// Whether places of samples have 64 bits in every track, whatever they had.
    wide: bool,
}

impl<'a> HeaderWriter<'a> {
    fn write(
        source: &'a Source,
        tracks: &[ProtectedTrack<'_>],
        pssh: &[Vec<u8>],
        known: Places,
    ) -> Result<(Vec<u8>, Places), Malformed> {
        let media_size = source.media.end - source.media.start;
        let wide = media_size + LARGEST_MOOV > u64::from(u32::MAX);
        let output = source.brands.clone();
        let mut writer = Self { output, source, known, seen: Places::default(), wide };
        let moov = writer.begin(*b"moov");
        let mut tracks = tracks.iter().enumerate().peekable();
        for found in boxes(&source.moov) {
            let found = found.map_err(Malformed::at("moov"))?;
            match tracks.next_if(|_| found.kind == *b"trak") {
                Some((index, track)) => writer.trak(found.body, index, track)?,
                None => writer.copy(found),
            }
        }
        pssh.iter().for_each(|pssh| writer.output.extend(pssh));
        writer.end(moov);
        match u32::try_from(media_size + 8) {
            Ok(size) => writer.output.extend([size.to_be_bytes(), *b"mdat"].concat()),
            Err(_) => {
                writer.output.extend([1u32.to_be_bytes(), *b"mdat"].concat());
                writer.output.extend((media_size + 16).to_be_bytes());
            }
        }
        writer.seen.media = writer.output.len() as u64;
        Ok((writer.output, writer.seen))
    }

    fn trak(&mut self, body: &[u8], index: usize, track: &ProtectedTrack<'_>) -> Result<(), Malformed> {
        let trak = self.begin(*b"trak");
        self.descend(body, &[b"mdia", b"minf", b"stbl"], index, track)?;
        let senc = self.begin(*b"senc");
        let begin = self.output.len();
        let before = track.auxiliary.write_senc(&mut self.output);
        self.seen.entries.push((begin + before) as u64);
        self.end(senc);
        self.end(trak);
        Ok(())
    }

    /// Copies boxes but for those on the way to the sample table, whose boxes are changed.
    fn descend(
        &mut self,
        body: &[u8],
        path: &[&[u8; 4]],
        index: usize,
        track: &ProtectedTrack<'_>,
    ) -> Result<(), Malformed> {
        for found in boxes(body) {
            let found = found.map_err(Malformed::at(&track_place(index)))?;
            match path.split_first() {
                Some((next, rest)) if found.kind == **next => {
                    let inner = self.begin(found.kind);
                    self.descend(found.body, rest, index, track)?;
                    self.end(inner);
                }
                Some(_) => self.copy(found),
                None => self.sample_table_box(found, index, track)?,
            }
        }
        if path.is_empty() {
            let saiz = self.begin(*b"saiz");
            track.auxiliary.write_saiz(&mut self.output);
            self.end(saiz);
            let saio = self.begin(*b"saio");
            self.output.extend([0; 4]);
            self.output.extend(1u32.to_be_bytes());
            // Always in 32 bits: the header is no larger than its limit.
            self.output.extend((self.known.entries.get(index).copied().unwrap_or(0) as u32).to_be_bytes());
            self.end(saio);
        }
        Ok(())
    }

    fn sample_table_box(
        &mut self,
        found: Box<'_>,
        index: usize,
        track: &ProtectedTrack<'_>,
    ) -> Result<(), Malformed> {
        match &found.kind {
            b"stsd" => self.sample_entries(found.body, index, track),
            b"stco" | b"co64" => {
                let wide = self.wide || found.kind == *b"co64";
                let chunks = self.begin(if wide { *b"co64" } else { *b"stco" });
                let offsets = track.track.samples.chunk_offsets();
                self.output.extend([0; 4]);
                self.output.extend((offsets.len() as u32).to_be_bytes());
                for offset in offsets {
                    let moved = offset - self.source.media.start + self.known.media;
                    if wide {
                        self.output.extend(moved.to_be_bytes());
                    } else {
                        self.output.extend((moved as u32).to_be_bytes());
                    }
                }
                self.end(chunks);
                Ok(())
            }
            _ => {
                self.copy(found);
                Ok(())
            }
        }
    }

    /// `stsd` with the entry under its protected name, and what it was and how it is encrypted in `sinf`.
    fn sample_entries(
        &mut self,
        body: &[u8],
        index: usize,
        track: &ProtectedTrack<'_>,
    ) -> Result<(), Malformed> {
        /// Version, flags and number of entries.
        const FIELDS: usize = 8;

        let stsd = self.begin(*b"stsd");
        let (fields, entries) = body.split_at(FIELDS.min(body.len()));
        self.output.extend(fields);
        for entry in boxes(entries) {
            let entry = entry.map_err(Malformed::at(&track_place(index)))?;
            let protected = self.begin(match track.track.media {
                Media::Pictures(_) => *b"encv",
                Media::Sound => *b"enca",
            });
            self.output.extend(entry.body);
            self.protection_scheme(entry.kind, track.key.id);
            self.end(protected);
        }
        self.end(stsd);
        Ok(())
    }

    /// `sinf`: `frma`, `schm`, and `tenc` in `schi`.
    fn protection_scheme(&mut self, original: [u8; 4], key_id: KeyId) {
        const VERSION: u32 = 0x0001_0000;
        const IS_PROTECTED: u8 = 1;

        let sinf = self.begin(*b"sinf");
        let frma = self.begin(*b"frma");
        self.output.extend(original);
        self.end(frma);
        let schm = self.begin(*b"schm");
        self.output.extend([[0; 4], *b"cenc", VERSION.to_be_bytes()].concat());
        self.end(schm);
        let schi = self.begin(*b"schi");
        let tenc = self.begin(*b"tenc");
        self.output.extend([0, 0, 0, 0, 0, 0, IS_PROTECTED, VECTOR_SIZE]);
        self.output.extend(key_id.0);
        self.end(tenc);
        self.end(schi);
        self.end(sinf);
    }

    fn copy(&mut self, found: Box<'_>) {
        let at = self.begin(found.kind);
        self.output.extend(found.body);
        self.end(at);
    }

    /// Begins a box; its size follows with [`Self::end`].
    fn begin(&mut self, kind: [u8; 4]) -> usize {
        self.output.extend([[0; 4], kind].concat());
        self.output.len() - 8
    }

    fn end(&mut self, begin: usize) {
        // Below 4 GiB: the clear header and the entries are limited, and places at most double.
        let size = (self.output.len() - begin) as u32;
        self.output[begin..begin + 4].copy_from_slice(&size.to_be_bytes());
    }
}
