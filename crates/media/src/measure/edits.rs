//! What the edit lists of an MP4 or QuickTime file hide of its pictures, and what they show twice. FFmpeg obeys them and
//! tells nobody.
//!
//! Promises: of the file it reads the headers of a few boxes and the lists themselves, never more than a bounded number
//! of them; what cannot be read is taken as no edit list.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use reelfarm_model::measurement::EditList;

/// Boxes whose headers are read: 128 tracks have fewer, and a movie's header comes before or right after its media.
const MOST_BOXES: u32 = 20_000;
/// Entries of a list that are read.
const MOST_ENTRIES: usize = 4_096;
/// The media's own speed in 16.16.
const NORMAL_RATE: f64 = 65_536.0;

/// One entry of a list, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Edit {
    /// Where in the media it begins; `None` where nothing is shown.
    start: Option<f64>,
    /// How long it is shown; 0 to the media's end.
    duration: f64,
    /// How much faster than the media it is shown.
    speed: f64,
}

/// The edit lists of a file's tracks, by the tracks' identifiers. ISO/IEC 14496-12, 8.6.6.
///
/// # Errors
/// Those of the file.
pub(super) fn edit_lists(file: impl Read + Seek) -> io::Result<Vec<(u32, EditList)>> {
    let mut boxes = Boxes { file, left: MOST_BOXES };
    let end = boxes.file.seek(SeekFrom::End(0))?;
    let Some(movie) = boxes.find(&(0..end), b"moov")? else { return Ok(Vec::new()) };
    let Some(header) = boxes.find(&movie, b"mvhd")? else { return Ok(Vec::new()) };
    let movie_timescale = clock(&boxes.content(&header, 64)?).map_or(0, |(timescale, _)| timescale);
    let mut found = Vec::new();
    let mut at = movie.start;
    while let Some((kind, content)) = boxes.header(at, movie.end)? {
        at = content.end;
        if &kind == b"trak" {
            found.extend(boxes.track(&content, movie_timescale)?);
        }
    }
    Ok(found)
}

/// The boxes of a file.
struct Boxes<R> {
    file: R,
    /// Headers that may still be read.
    left: u32,
}

impl<R: Read + Seek> Boxes<R> {
    /// The kind and the content of the box that begins at a place; `None` where there is none up to `end`.
    fn header(&mut self, at: u64, end: u64) -> io::Result<Option<([u8; 4], Range<u64>)>> {
        if self.left == 0 || end.saturating_sub(at) < 8 {
            return Ok(None);
        }
        self.left -= 1;
        let bytes = self.content(&(at..end), 16)?;
        let (Some(short), Some(kind)) = (number(&bytes, 0, 4), bytes.get(4..8)) else { return Ok(None) };
        let mut name = [0; 4];
        name.copy_from_slice(kind);
        let (length, header) = match short {
            0 => (end - at, 8),
            1 => (number(&bytes, 8, 8).unwrap_or(0), 16),
            short => (short, 8),
        };
        let content = at.saturating_add(header)..at.saturating_add(length).min(end);
        Ok((length >= header && content.start <= content.end).then_some((name, content)))
    }

    /// The content of the first box of a kind.
    fn find(&mut self, within: &Range<u64>, wanted: &[u8; 4]) -> io::Result<Option<Range<u64>>> {
        let mut at = within.start;
        while let Some((kind, content)) = self.header(at, within.end)? {
            if &kind == wanted {
                return Ok(Some(content));
            }
            at = content.end;
        }
        Ok(None)
    }

    /// The first bytes of a content.
    fn content(&mut self, range: &Range<u64>, most: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = Vec::new();
        let length = range.end.saturating_sub(range.start).min(most);
        self.file.by_ref().take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn track(&mut self, track: &Range<u64>, movie_timescale: u64) -> io::Result<Option<(u32, EditList)>> {
        let Some(header) = self.find(track, b"tkhd")? else { return Ok(None) };
        let header = self.content(&header, 64)?;
        let id = number(&header, if header.first() == Some(&1) { 20 } else { 12 }, 4);
        let Some(media) = self.find(track, b"mdia")? else { return Ok(None) };
        let Some(media) = self.find(&media, b"mdhd")? else { return Ok(None) };
        let media = clock(&self.content(&media, 64)?);
        let Some(edits) = self.find(track, b"edts")? else { return Ok(None) };
        let Some(edits) = self.find(&edits, b"elst")? else { return Ok(None) };
        let edits = self.content(&edits, 8 + 20 * MOST_ENTRIES as u64)?;
        let (Some(id), Some((timescale, duration))) = (id.and_then(|id| u32::try_from(id).ok()), media)
        else {
            return Ok(None);
        };
        if timescale == 0 || movie_timescale == 0 {
            return Ok(None);
        }
        let edits = entries(&edits, movie_timescale as f64, timescale as f64);
        Ok(edits.map(|edits| (id, summary(&edits, duration as f64 / timescale as f64))))
    }
}

/// A number of so many bytes, the highest first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

/// Timescale and duration of a movie's or a media's header, which begin alike (8.2.2, 8.4.2). A duration of all ones is
/// not known, and given as 0.
fn clock(header: &[u8]) -> Option<(u64, u64)> {
    let (timescale, duration, unknown) = if header.first() == Some(&1) {
        (number(header, 20, 4)?, number(header, 24, 8)?, u64::MAX)
    } else {
        (number(header, 12, 4)?, number(header, 16, 4)?, u64::from(u32::MAX))
    };
    Some((timescale, if duration == unknown { 0 } else { duration }))
}

/// The entries of a list; `None` where it is cut off or has too many.
fn entries(list: &[u8], movie_timescale: f64, timescale: f64) -> Option<Vec<Edit>> {
    let width = if list.first() == Some(&1) { 8 } else { 4 };
    let count = usize::try_from(number(list, 4, 4)?).ok().filter(|count| *count <= MOST_ENTRIES)?;
    (0..count)
        .map(|index| {
            let at = 8 + index * (2 * width + 4);
            let duration = number(list, at, width)?;
            let unsigned = number(list, at + width, width)?;
            let start = if width == 8 { unsigned as i64 } else { i64::from(unsigned as u32 as i32) };
            // -1 is an empty edit; nothing else lies before the media.
            let start = match start {
                -1 => None,
                0.. => Some(start as f64 / timescale),
                _ => return None,
            };
            let speed = number(list, at + 2 * width, 4)? as f64 / NORMAL_RATE;
            Some(Edit { start, duration: duration as f64 / movie_timescale, speed })
        })
        .collect()
}

/// What a list does to a media of so many seconds.
fn summary(edits: &[Edit], media: f64) -> EditList {
    let empty = edits.iter().take_while(|edit| edit.start.is_none());
    // A sum of nothing is -0.
    let delay = empty.fold(0.0, |delay, edit| delay + edit.duration);
    let mut shown: Vec<(f64, f64)> = edits
        .iter()
        .filter_map(|edit| {
            let start = edit.start?;
            let end = if edit.duration > 0.0 { start + edit.duration * edit.speed } else { media.max(start) };
            Some((start, end))
        })
        .collect();
    let is_reordered = !shown.is_sorted_by(|one, next| one.0 <= next.0);
    let pauses = edits.iter().skip_while(|edit| edit.start.is_none()).any(|edit| edit.start.is_none());
    let has_other_speeds = pauses || edits.iter().any(|edit| edit.start.is_some() && edit.speed != 1.0);
    shown.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut list = EditList { delay, is_reordered, has_other_speeds, ..EditList::default() };
    let Some((first, mut reached)) = shown.first().copied() else { return list };
    if first >= media && media > 0.0 {
        list.hidden = media;
        return list;
    }
    list.trimmed_head = first;
    for (start, end) in shown.into_iter().skip(1) {
        list.hidden += (start - reached).max(0.0);
        list.repeated += (reached.min(end) - start).max(0.0);
        reached = reached.max(end);
    }
    list.hidden += (media - reached).max(0.0);
    list
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn edit(start: f64, duration: f64) -> Edit {
        Edit { start: Some(start), duration, speed: 1.0 }
    }

    fn pause(duration: f64) -> Edit {
        Edit { start: None, duration, speed: 1.0 }
    }

    #[test]
    fn what_lists_do_to_ten_seconds() {
        let none = EditList::default();
        for (edits, expected) in [
            (vec![], none),
            (vec![edit(0.0, 10.0)], none),
            // Of pictures that are shown in another order than they are stored in, the first begins late.
            (vec![edit(0.25, 10.0)], EditList { trimmed_head: 0.25, ..none }),
            (vec![edit(0.0, 0.0)], none),
            (vec![pause(1.5), edit(0.0, 10.0)], EditList { delay: 1.5, ..none }),
            (vec![edit(2.0, 8.0)], EditList { trimmed_head: 2.0, ..none }),
            (vec![edit(0.0, 7.0)], EditList { hidden: 3.0, ..none }),
            (vec![edit(0.0, 2.0), edit(5.0, 5.0)], EditList { hidden: 3.0, ..none }),
            (vec![edit(0.0, 10.0), edit(4.0, 2.0)], EditList { repeated: 2.0, ..none }),
            (vec![edit(1.0, 2.0), edit(6.0, 1.0)], EditList { trimmed_head: 1.0, hidden: 6.0, ..none }),
            (vec![edit(5.0, 5.0), edit(0.0, 5.0)], EditList { is_reordered: true, ..none }),
            (vec![Edit { speed: 2.0, ..edit(0.0, 5.0) }], EditList { has_other_speeds: true, ..none }),
            // It stands still for three seconds, or nothing is shown.
            (
                vec![edit(0.0, 5.0), Edit { speed: 0.0, ..edit(5.0, 3.0) }, edit(5.0, 5.0)],
                EditList { has_other_speeds: true, ..none },
            ),
            (vec![edit(0.0, 5.0), pause(3.0), edit(5.0, 5.0)], EditList { has_other_speeds: true, ..none }),
            (vec![edit(11.0, 5.0)], EditList { hidden: 10.0, ..none }),
        ] {
            assert_eq!(summary(&edits, 10.0), expected, "{edits:?}");
        }
    }

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 8).unwrap();
        [&length.to_be_bytes()[..], kind, content].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// A file of one track of ten seconds, number 7.
    fn file(list: &[u8]) -> Vec<u8> {
        let media = boxed(b"mdia", &boxed(b"mdhd", &words(&[0, 0, 0, 12_800, 128_000, 0])));
        let header = boxed(b"tkhd", &words(&[0, 0, 0, 7, 0, 10_000]));
        let track = boxed(b"trak", &[header, boxed(b"edts", &boxed(b"elst", list)), media].concat());
        let movie = boxed(b"mvhd", &words(&[0, 0, 0, 1_000, 10_000]));
        let large = [&words(&[1])[..], b"mdat", &20_u64.to_be_bytes(), &[0; 4]].concat();
        [boxed(b"ftyp", b"isom"), large, boxed(b"moov", &[movie, track].concat())].concat()
    }

    #[test]
    fn lists_are_read() {
        let short = words(&[0, 2, 1_500, u32::MAX, 0x1_0000, 8_000, 25_600, 0x1_0000]);
        let long = [
            words(&[0x0100_0000, 2]),
            [1_500_u64, u64::MAX].iter().flat_map(|word| word.to_be_bytes()).collect(),
            words(&[0x1_0000]),
            [8_000_u64, 25_600].iter().flat_map(|word| word.to_be_bytes()).collect(),
            words(&[0x1_0000]),
        ]
        .concat();
        let expected = EditList { delay: 1.5, trimmed_head: 2.0, ..EditList::default() };
        for list in [short, long] {
            assert_eq!(edit_lists(Cursor::new(file(&list))).unwrap(), [(7, expected)]);
        }
    }

    #[test]
    fn what_is_cut_off_or_absurd_is_no_list() {
        let whole = file(&words(&[0, 1, 10_000, 0, 0x1_0000]));
        assert_eq!(edit_lists(Cursor::new(&whole)).unwrap().len(), 1);
        // The media's header comes last; its last word says no time.
        for length in 0..whole.len() - 4 {
            assert!(edit_lists(Cursor::new(&whole[..length])).unwrap().is_empty(), "{length}");
        }
        for list in [
            words(&[0, 1, 10_000, -1_024_i32 as u32, 0x1_0000]),
            words(&[0, u32::MAX, 1, 2, 3]),
            words(&[0, 2, 10_000, 0, 0x1_0000]),
            Vec::new(),
        ] {
            assert!(edit_lists(Cursor::new(file(&list))).unwrap().is_empty(), "{list:?}");
        }
        // Boxes of no length would never end.
        assert!(edit_lists(Cursor::new(words(&[8; 60_000]))).unwrap().is_empty());
    }
}
