//! QuickTime files, box by box (ISO/IEC 14496-12; QuickTime File Format Specification), whatever they claim.

use std::iter::repeat_n;

/// A box of a kind with what is in it.
pub(super) fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(8 + content.len()).unwrap();
    [&length.to_be_bytes(), &kind[..], content].concat()
}

/// A box with version 0 and flags.
pub(super) fn full(kind: &[u8; 4], flags: u32, content: &[u8]) -> Vec<u8> {
    boxed(kind, &[&flags.to_be_bytes(), content].concat())
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// Where the media of every file begin.
pub(super) const MEDIA_AT: u32 = 36;

/// A track of pictures without compression, three bytes a sample.
#[derive(Clone)]
pub(super) struct Track {
    pub codec: [u8; 4],
    pub width: u16,
    pub height: u16,
    /// Ticks in a second.
    pub clock: u32,
    /// Ticks that the track lasts.
    pub duration: u32,
    /// Counts of samples, with how long each is shown.
    pub times: Vec<[u32; 2]>,
    /// From which chunk on how many samples are in each, and the index of their description.
    pub chunks: Vec<[u32; 3]>,
    /// The size of each sample, and how many there are.
    pub sizes: [u32; 2],
    /// Where each chunk lies.
    pub offsets: Vec<u32>,
    /// Where the media are: `dref`'s one entry.
    pub reference: Vec<u8>,
    /// The numbers of samples that can be decoded by themselves; all, where none is named.
    pub key_frames: Vec<u32>,
    /// What of the media is shown: for how many ticks, from which tick on, and how fast (2^16 is as fast as they are).
    pub edits: Vec<[u32; 3]>,
}

impl Track {
    /// A second of small pictures that is as it should be.
    pub(super) fn sound() -> Self {
        Self {
            codec: *b"raw ",
            width: 64,
            height: 48,
            clock: 25,
            duration: 25,
            times: vec![[25, 1]],
            chunks: vec![[1, 25, 1]],
            sizes: [64 * 48 * 3, 25],
            offsets: vec![MEDIA_AT],
            reference: full(b"url ", 1, &[]),
            key_frames: vec![],
            edits: vec![],
        }
    }

    fn description(&self) -> Vec<u8> {
        let Self { width, height, .. } = self;
        let mut entry = words(&[0, 1, 0, 0, 0, 0]);
        entry.extend([width.to_be_bytes(), height.to_be_bytes()].concat());
        entry.extend(words(&[72 << 16, 72 << 16, 0]));
        // One picture a sample, no name, 24 bits, no table of colours.
        entry.extend([&[0, 1], &[0; 32][..], &[0, 24, 0xFF, 0xFF]].concat());
        boxed(&self.codec, &entry)
    }

    /// The track's box.
    pub(super) fn written(&self, id: u32) -> Vec<u8> {
        let count = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
        let table = |kind: &[u8; 4], entries: usize, content: Vec<u8>| {
            full(kind, 0, &[&count(entries)[..], &content].concat())
        };
        let mut tables = vec![
            table(b"stsd", 1, self.description()),
            table(b"stts", self.times.len(), words(self.times.as_flattened())),
            table(b"stsc", self.chunks.len(), words(self.chunks.as_flattened())),
            full(b"stsz", 0, &words(&self.sizes)),
            table(b"stco", self.offsets.len(), words(&self.offsets)),
        ];
        if !self.key_frames.is_empty() {
            tables.push(table(b"stss", self.key_frames.len(), words(&self.key_frames)));
        }
        let information = [
            full(b"vmhd", 1, &[0; 8]),
            boxed(b"dinf", &table(b"dref", 1, self.reference.clone())),
            boxed(b"stbl", &tables.concat()),
        ];
        let media = [
            full(b"mdhd", 0, &words(&[0, 0, self.clock, self.duration, 0x55C4_0000])),
            full(b"hdlr", 0, &[&[0; 4], &b"vide"[..], &[0; 13]].concat()),
            boxed(b"minf", &information.concat()),
        ];
        let size = [u32::from(self.width) << 16, u32::from(self.height) << 16];
        let header = [&[0, 0, id, 0, self.duration, 0, 0, 0, 0][..], &MATRIX, &size].concat();
        let mut contents = vec![full(b"tkhd", 7, &words(&header))];
        if !self.edits.is_empty() {
            let list = table(b"elst", self.edits.len(), words(self.edits.as_flattened()));
            contents.push(boxed(b"edts", &list));
        }
        contents.push(boxed(b"mdia", &media.concat()));
        boxed(b"trak", &contents.concat())
    }
}

/// Neither turned nor scaled.
const MATRIX: [u32; 9] = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30];

/// A file of these tracks' boxes, with media before them.
pub(super) fn movie(clock: u32, tracks: &[Vec<u8>], media: &[u8]) -> Vec<u8> {
    let header = [&[0, 0, clock, clock, 1 << 16, 1 << 24, 0, 0][..], &MATRIX, &[0; 6], &[2]].concat();
    let file_type = boxed(b"ftyp", b"qt  \0\0\x02\0qt  isomiso2");
    let contents = [full(b"mvhd", 0, &words(&header)), tracks.concat()].concat();
    let file = [file_type, boxed(b"mdat", media), boxed(b"moov", &contents)].concat();
    assert_eq!(&file[MEDIA_AT as usize - 4..MEDIA_AT as usize], b"mdat");
    file
}

/// Grey pictures for a track, so many.
pub(super) fn pictures(track: &Track, count: usize) -> Vec<u8> {
    repeat_n(0x80, usize::from(track.width) * usize::from(track.height) * 3 * count).collect()
}
