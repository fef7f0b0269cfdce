//! Where a track's samples lie: `stsz`, `stsc`, and `stco` or `co64` (ISO/IEC 14496-12 8.7), and the samples of all
//! tracks in the order of the file.

use std::ops::Range;

use super::header::{only, track_place};
use crate::malformed::Malformed;
use crate::readback::MOST_UNITS;
use crate::readback::boxes::{Cursor, find};

/// The largest sample that is taken: more than the largest picture of H.264 has uncompressed (8192 × 4320).
const LARGEST_SAMPLE: u32 = 64 << 20;

/// The samples of a track, in decoding order.
#[derive(Debug)]
pub(super) struct SampleTable {
    /// Bytes of each.
    sizes: Vec<u32>,
    /// Where each run of samples begins in the file, and how many they are.
    chunks: Vec<(u64, u32)>,
}

impl SampleTable {
    /// Reads the table of a file whose media lies at `media`.
    pub(super) fn parse(stbl: &[u8], place: &str, media: &Range<u64>) -> Result<Self, Malformed> {
        let sizes = sizes(stbl, place, media)?;
        let offsets = chunk_offsets(stbl, place)?;
        let (stsc, stsc_place) = only(stbl, place, b"stsc")?;
        let chunks = chunks(stsc, &stsc_place, &offsets, sizes.len())?;
        Ok(Self { sizes, chunks })
    }

    /// Bytes of a sample, counted from 0.
    pub(super) fn size(&self, index: usize) -> usize {
        self.sizes[index] as usize
    }

    /// How many samples there are.
    pub(super) const fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Bytes of all samples.
    pub(super) fn bytes(&self) -> u64 {
        self.sizes.iter().map(|size| u64::from(*size)).sum()
    }

    /// Where every chunk begins.
    pub(super) fn chunk_offsets(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.chunks.iter().map(|(offset, _)| *offset)
    }
}

fn sizes(stbl: &[u8], place: &str, media: &Range<u64>) -> Result<Vec<u32>, Malformed> {
    let (stsz, place) = only(stbl, place, b"stsz")?;
    let mut cursor = Cursor::new(stsz);
    let fields = cursor.full_box().and_then(|_| Ok((cursor.u32()?, cursor.u32()? as usize)));
    let (common, count) = fields.map_err(Malformed::at(&place))?;
    let fits = match common {
        0 => cursor.rest().len() / 4 == count,
        size => count as u64 <= (media.end - media.start) / u64::from(size),
    };
    if count == 0 || count > MOST_UNITS || !fits {
        return Err(Malformed::new(place, format!("it states {count} samples")));
    }
    let sizes: Vec<u32> = match common {
        0 => (0..count).map(|_| cursor.u32()).collect::<Result<_, _>>().map_err(Malformed::at(&place))?,
        size => vec![size; count],
    };
    match sizes.iter().position(|size| !(1..=LARGEST_SAMPLE).contains(size)) {
        Some(at) => Err(Malformed::new(place, format!("sample {} states {} bytes", at + 1, sizes[at]))),
        None => Ok(sizes),
    }
}

fn chunk_offsets(stbl: &[u8], place: &str) -> Result<Vec<u64>, Malformed> {
    let wide = find(stbl, b"co64").map_err(Malformed::at(place))?.is_some();
    let (table, place) = only(stbl, place, if wide { b"co64" } else { b"stco" })?;
    let mut cursor = Cursor::new(table);
    let count = cursor.full_box().and_then(|_| cursor.u32()).map_err(Malformed::at(&place))? as usize;
    if count > MOST_UNITS || cursor.rest().len() / if wide { 8 } else { 4 } != count {
        return Err(Malformed::new(place, format!("it states {count} chunks")));
    }
    let offsets: Result<_, _> = (0..count).map(|_| cursor.by_version(u8::from(wide))).collect();
    offsets.map_err(Malformed::at(&place))
}

/// Puts the numbers of samples of `stsc` to the chunks' offsets.
fn chunks(stsc: &[u8], place: &str, offsets: &[u64], samples: usize) -> Result<Vec<(u64, u32)>, Malformed> {
    const ONLY_ENTRY: u32 = 1;

    let malformed = |reason: String| Malformed::new(place, reason);
    let mut cursor = Cursor::new(stsc);
    let runs = cursor.full_box().and_then(|_| cursor.u32()).map_err(Malformed::at(place))?;
    let mut chunks: Vec<(u64, u32)> = Vec::with_capacity(offsets.len());
    // How many samples each chunk has from here to the next run.
    let mut each = 0;
    for run in 1..=runs {
        let fields = (|| Ok((cursor.u32()?, cursor.u32()?, cursor.u32()?)))();
        let (first, count, entry) = fields.map_err(Malformed::at(place))?;
        let before = first.checked_sub(1).map(|before| before as usize);
        let before =
            before.filter(|before| (chunks.len() + usize::from(run > 1)..offsets.len()).contains(before));
        let before = before.ok_or_else(|| malformed(format!("run {run} begins with chunk {first}")))?;
        if entry != ONLY_ENTRY || count == 0 || (run == 1 && before != 0) {
            return Err(malformed(format!(
                "run {run} states {count} samples of entry {entry} from chunk {first}"
            )));
        }
        chunks.extend(offsets[chunks.len()..before].iter().map(|offset| (*offset, each)));
        each = count;
    }
    chunks.extend(offsets[chunks.len()..].iter().map(|offset| (*offset, each)));
    let stated: u64 = chunks.iter().map(|(_, samples)| u64::from(*samples)).sum();
    if stated != samples as u64 {
        return Err(malformed(format!("the chunks hold {stated} of {samples} samples")));
    }
    Ok(chunks)
}

/// Samples of one track that lie one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Their track, counted from 0.
    pub(super) track: usize,
    /// Their numbers in the track, counted from 0.
    pub(super) samples: Range<usize>,
}

/// The chunks of all tracks in the order of the file. They must fill the media without a gap and without being shared:
/// bytes of no sample would stay clear, and shared ones would be encrypted twice.
pub(super) fn in_file_order(tables: &[&SampleTable], media: &Range<u64>) -> Result<Vec<Chunk>, Malformed> {
    // The next chunk of each track, and its first sample.
    let mut next = vec![(0, 0); tables.len()];
    let mut chunks = Vec::with_capacity(tables.iter().map(|table| table.chunks.len()).sum());
    let mut at = media.start;
    while at < media.end {
        let holder = next.iter().zip(tables).position(|((chunk, _), table)| {
            table.chunks.get(*chunk).is_some_and(|(offset, _)| *offset == at)
        });
        let track = holder.ok_or_else(|| Malformed::new("mdat", format!("byte {at} is of no sample")))?;
        let (chunk, first) = next[track];
        let end = first + tables[track].chunks[chunk].1 as usize;
        at += tables[track].sizes[first..end].iter().map(|size| u64::from(*size)).sum::<u64>();
        next[track] = (chunk + 1, end);
        chunks.push(Chunk { track, samples: first..end });
    }
    if at != media.end {
        let beyond = at - media.end;
        return Err(Malformed::new("mdat", format!("the last sample ends {beyond} bytes behind it")));
    }
    for (index, ((chunk, _), table)) in next.iter().zip(tables).enumerate() {
        if let Some((offset, _)) = table.chunks.get(*chunk) {
            let place = format!("{}/mdia/minf/stbl", track_place(index));
            let reason =
                format!("chunk {} at {offset} shares its bytes or lies outside the media", chunk + 1);
            return Err(Malformed::new(place, reason));
        }
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(kind: &[u8; 4], values: &[u32]) -> Vec<u8> {
        let body: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
        [&(body.len() as u32 + 8).to_be_bytes()[..], kind, &body].concat()
    }

    /// A table of version and flags, and the given fields.
    fn table(stsz: &[u32], stsc: &[u32], stco: &[u32]) -> Result<SampleTable, Malformed> {
        let boxes = [numbers(b"stsz", stsz), numbers(b"stsc", stsc), numbers(b"stco", stco)];
        SampleTable::parse(&boxes.concat(), "stbl", &(100..200))
    }

    #[test]
    fn samples_are_placed_by_runs_of_chunks() {
        let sound =
            table(&[0, 0, 5, 1, 2, 3, 4, 5], &[0, 2, 1, 2, 1, 3, 1, 1], &[0, 3, 100, 113, 125]).unwrap();
        assert_eq!(sound.chunks, [(100, 2), (113, 2), (125, 1)]);
        let pictures = table(&[0, 10, 2], &[0, 1, 1, 1, 1], &[0, 2, 103, 115]).unwrap();
        assert_eq!((pictures.len(), pictures.bytes(), pictures.size(1)), (2, 20, 10));
        assert_eq!(pictures.chunk_offsets().collect::<Vec<_>>(), [103, 115]);
        // The pictures' second chunk follows the sound's second one, which has 7 bytes, not 2.
        let order = in_file_order(&[&sound, &pictures], &(100..130));
        assert_eq!(order.unwrap_err().to_string(), "mdat: byte 120 is of no sample");

        let pictures = table(&[0, 10, 2], &[0, 2, 1, 1, 1, 2, 1, 1], &[0, 2, 103, 120]).unwrap();
        let sound = table(&[0, 0, 3, 1, 2, 7], &[0, 2, 1, 2, 1, 2, 1, 1], &[0, 2, 100, 113]).unwrap();
        let order = in_file_order(&[&sound, &pictures], &(100..130)).unwrap();
        let order: Vec<_> = order.into_iter().map(|chunk| (chunk.track, chunk.samples)).collect();
        assert_eq!(order, [(0, 0..2), (1, 0..1), (0, 2..3), (1, 1..2)]);
        for (media, reason) in [
            (100..131, "mdat: byte 130 is of no sample"),
            (99..130, "mdat: byte 99 is of no sample"),
            (100..125, "mdat: the last sample ends 5 bytes behind it"),
            (
                100..120,
                "moov/trak 2/mdia/minf/stbl: chunk 2 at 120 shares its bytes or lies outside the media",
            ),
        ] {
            let refused = in_file_order(&[&sound, &pictures], &media).unwrap_err();
            assert_eq!(refused.to_string(), reason);
        }
        assert!(in_file_order(&[&sound, &sound], &(100..110)).is_err());
    }

    #[test]
    fn counts_are_not_believed() {
        let one = (&[0, 5, 1][..], &[0, 1, 1, 1, 1][..], &[0, 1, 100][..]);
        assert!(table(one.0, one.1, one.2).is_ok());
        for (stsz, place) in [
            (&[0, 0, u32::MAX][..], "stsz"),
            (&[0, 1, u32::MAX], "stsz"),
            (&[0, 0, 0], "stsz"),
            (&[0, 0, 1, 0], "stsz"),
            (&[0, 0, 1, u32::MAX], "stsz"),
            (&[0, 0, 1], "stsz"),
            (&[0], "stsz"),
            (&[0, 5, 2], "stsc"),
        ] {
            let refused = table(stsz, one.1, one.2).unwrap_err();
            assert_eq!(refused.place, format!("stbl/{place}"), "{refused}");
        }
        for stsc in [
            &[0, 0][..],
            &[0, 1],
            &[0, u32::MAX, 1, 1, 1],
            &[0, 1, 0, 1, 1],
            &[0, 1, 2, 1, 1],
            &[0, 1, 1, 0, 1],
            &[0, 1, 1, u32::MAX, 1],
            &[0, 1, 1, 1, 2],
            &[0, 2, 1, 1, 1, 1, 1, 1],
        ] {
            assert_eq!(table(one.0, stsc, one.2).unwrap_err().place, "stbl/stsc", "{stsc:?}");
        }
        for stco in [&[0, u32::MAX, 100][..], &[0, 2, 100], &[0], &[]] {
            assert_eq!(table(one.0, one.1, stco).unwrap_err().place, "stbl/stco", "{stco:?}");
        }
    }
}
