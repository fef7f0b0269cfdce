//! Reads one movie fragment (ISO/IEC 14496-12 8.8) without a judgement on what it should hold: those of CMAF and those of
//! Smooth Streaming differ in a few boxes.

use crate::malformed::Malformed;
use crate::readback::ReadError;
use crate::readback::boxes::{self, Cursor, boxes};
use crate::readback::movie::SampleDefaults;
use crate::readback::run::{FragmentHeader, Run, RunSample, is_marked_sync};

/// The user types of the boxes that Smooth Streaming adds to a track fragment.
pub(super) mod user_type {
    /// Absolute time and duration of the fragment (MS-SSTR 2.2.4.4).
    pub(in crate::smooth) const TIMES: [u8; 16] =
        [0x6d, 0x1d, 0x9b, 0x05, 0x42, 0xd5, 0x44, 0xe6, 0x80, 0xe2, 0x14, 0x1d, 0xaf, 0xf7, 0x57, 0xb2];
    /// Sample encryption (PIFF 1.1 5.3.2.1).
    pub(in crate::smooth) const SAMPLE_ENCRYPTION: [u8; 16] =
        [0xa2, 0x39, 0x4f, 0x52, 0x5a, 0x9b, 0x4f, 0x14, 0xa2, 0x44, 0x6c, 0x42, 0x7c, 0x64, 0x8d, 0xf4];
}

/// A fragment of one track with the data of its samples.
#[derive(Clone, Debug)]
pub(super) struct Fragment<'a> {
    /// Its number in the track (`mfhd`).
    pub(super) sequence: u32,
    /// The track's number (`tfhd`).
    pub(super) track: u32,
    /// Its decoding time, where `tfdt` states one.
    pub(super) decode_time: Option<u64>,
    /// Its time and duration, where the box of Smooth Streaming states them.
    pub(super) times: Option<(u64, u64)>,
    /// Its samples in decoding order.
    pub(super) samples: Vec<Sample<'a>>,
    /// The payload of the sample encryption box, of either standard.
    pub(super) encryption: Option<&'a [u8]>,
    /// Bytes of independence and disposability, one a sample (`sdtp`).
    pub(super) dependencies: Option<&'a [u8]>,
    /// All samples without a gap: what `mdat` holds.
    pub(super) data: &'a [u8],
}

/// A sample as its run (`trun`) describes it, defaults filled in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample<'a> {
    /// In ticks.
    pub(super) duration: u32,
    /// See ISO/IEC 14496-12 8.8.3.1.
    pub(super) flags: u32,
    /// What its presentation time is beyond its decoding time, in ticks.
    pub(super) composition: i64,
    /// Its bytes.
    pub(super) data: &'a [u8],
}

impl Sample<'_> {
    /// Whether the file marks it as a place to begin.
    pub(super) const fn is_marked_sync(&self) -> bool {
        is_marked_sync(self.flags)
    }
}

impl<'a> Fragment<'a> {
    /// Reads bytes that hold one fragment, its samples' data and nothing that would change what these mean.
    pub(super) fn parse(bytes: &'a [u8], defaults: SampleDefaults) -> Result<Self, Malformed> {
        let mut moof = None;
        let mut mdat = None;
        for found in boxes(bytes) {
            let found = found.map_err(Malformed::at("segment"))?;
            match &found.kind {
                b"moof" => only(&mut moof, found, "moof")?,
                b"mdat" => only(&mut mdat, found, "mdat")?,
                b"styp" | b"free" => {}
                kind => return Err(unknown("segment", *kind)),
            }
        }
        let moof = moof.ok_or_else(|| missing("moof"))?;
        let mdat = mdat.ok_or_else(|| missing("mdat"))?;

        let (mut mfhd, mut traf) = (None, None);
        for found in boxes(moof.body) {
            let found = found.map_err(Malformed::at("moof"))?;
            match &found.kind {
                b"mfhd" => only(&mut mfhd, found.body, "moof/mfhd")?,
                b"traf" => only(&mut traf, found.body, "moof/traf")?,
                kind => return Err(unknown("moof", *kind)),
            }
        }
        let sequence =
            sequence(mfhd.ok_or_else(|| missing("moof/mfhd"))?).map_err(Malformed::at("moof/mfhd"))?;
        // A box's body ends where the box ends.
        let data = mdat.end - mdat.body.len();
        let data_offset = data.checked_sub(moof.start);
        let data_offset = data_offset.ok_or_else(|| Malformed::new("mdat", "it stands before its moof"))?;
        let traf = traf.ok_or_else(|| missing("moof/traf"))?;
        Self { sequence, ..track_fragment(traf, defaults, data_offset, mdat.body)? }.whole()
    }

    /// Everything that has an entry a sample has as many as there are samples.
    fn whole(self) -> Result<Self, Malformed> {
        if self.samples.is_empty() {
            return Err(Malformed::new("moof/traf/trun", "there is no sample"));
        }
        if self.dependencies.is_some_and(|bytes| bytes.len() != self.samples.len()) {
            return Err(Malformed::new("moof/traf/sdtp", "it has not as many entries as there are samples"));
        }
        Ok(self)
    }
}

fn only<T>(place: &mut Option<T>, found: T, name: &'static str) -> Result<(), Malformed> {
    match place.replace(found) {
        None => Ok(()),
        Some(_) => Err(Malformed::new(name, "there are two")),
    }
}

fn missing(name: &'static str) -> Malformed {
    Malformed::new(name, "there is none")
}

fn unknown(within: &'static str, kind: [u8; 4]) -> Malformed {
    Malformed::new(format!("{within}/{}", boxes::name(kind)), "such a box has no place there")
}

fn sequence(mfhd: &[u8]) -> Result<u32, ReadError> {
    let mut cursor = Cursor::new(mfhd);
    cursor.full_box()?;
    cursor.u32()
}

fn track_fragment<'a>(
    traf: &'a [u8],
    defaults: SampleDefaults,
    data_offset: usize,
    data: &'a [u8],
) -> Result<Fragment<'a>, Malformed> {
    let (mut tfhd, mut tfdt, mut trun, mut sdtp, mut encryption, mut times) =
        (None, None, None, None, None, None);
    for found in boxes(traf) {
        let found = found.map_err(Malformed::at("moof/traf"))?;
        match &found.kind {
            b"tfhd" => only(&mut tfhd, found.body, "moof/traf/tfhd")?,
            b"tfdt" => only(&mut tfdt, found.body, "moof/traf/tfdt")?,
            b"trun" => only(&mut trun, found.body, "moof/traf/trun")?,
            b"sdtp" => only(&mut sdtp, found.body, "moof/traf/sdtp")?,
            b"senc" => only(&mut encryption, found.body, "moof/traf/senc")?,
            b"uuid" => match found.body.split_first_chunk() {
                Some((&user_type::TIMES, rest)) => only(&mut times, rest, "moof/traf/uuid (times)")?,
                Some((&user_type::SAMPLE_ENCRYPTION, rest)) => {
                    only(&mut encryption, rest, "moof/traf/uuid (sample encryption)")?;
                }
                _ => return Err(unknown("moof/traf", found.kind)),
            },
            // They tell where in senc each sample's entry is, which follows from senc itself.
            b"saiz" | b"saio" => {}
            b"sbgp" | b"sgpd" => sample_group(found.body).map_err(Malformed::at("moof/traf/sbgp"))?,
            kind => return Err(unknown("moof/traf", *kind)),
        }
    }
    let tfhd = tfhd.ok_or_else(|| missing("moof/traf/tfhd"))?;
    // In a fragment of one track it does not matter what it says of offsets: they count from the moof anyway.
    let FragmentHeader { track, defaults, .. } =
        FragmentHeader::parse(tfhd, defaults).map_err(Malformed::at("moof/traf/tfhd"))?;
    let trun = trun.ok_or_else(|| missing("moof/traf/trun"))?;
    let samples = run(trun, defaults, data_offset, data).map_err(Malformed::at("moof/traf/trun"))?;
    let decode_time = tfdt.map(decode_time).transpose().map_err(Malformed::at("moof/traf/tfdt"))?;
    let times = times.map(absolute_times).transpose().map_err(Malformed::at("moof/traf/uuid (times)"))?;
    let dependencies = sdtp.map(dependencies).transpose().map_err(Malformed::at("moof/traf/sdtp"))?;
    Ok(Fragment { sequence: 0, track, decode_time, times, samples, encryption, dependencies, data })
}

/// Roll distances do not matter where every fragment begins with a picture to begin at; keys of their own for some
/// samples (`seig`) would.
fn sample_group(body: &[u8]) -> Result<(), ReadError> {
    let mut cursor = Cursor::new(body);
    cursor.full_box()?;
    match cursor.take(4)? {
        b"roll" => Ok(()),
        kind => Err(ReadError::new(format!("there is a sample group {}", kind.escape_ascii()))),
    }
}

/// `trun` (8.8.8). `data_offset` is where `data` begins, counted from the moof; the samples must fill it.
fn run<'a>(
    trun: &[u8],
    defaults: SampleDefaults,
    data_offset: usize,
    data: &'a [u8],
) -> Result<Vec<Sample<'a>>, ReadError> {
    let mut run = Run::parse(trun, defaults)?;
    if usize::try_from(run.data_offset) != Ok(data_offset) {
        let stated = run.data_offset;
        return Err(ReadError::new(format!("its data is at {data_offset}, it says {stated}")));
    }
    let mut rest = Cursor::new(data);
    let mut samples = Vec::new();
    for found in run.by_ref() {
        let RunSample { duration, size, flags, composition } = found?;
        samples.push(Sample { duration, flags, composition, data: rest.take(size as usize)? });
    }
    run.finish()?;
    if !rest.is_empty() {
        return Err(ReadError::new("there is more data than its samples"));
    }
    Ok(samples)
}

/// `tfdt` (8.8.12).
fn decode_time(tfdt: &[u8]) -> Result<u64, ReadError> {
    let mut cursor = Cursor::new(tfdt);
    let (version, _) = cursor.full_box()?;
    cursor.by_version(version)
}

/// The box of times (MS-SSTR 2.2.4.4).
fn absolute_times(body: &[u8]) -> Result<(u64, u64), ReadError> {
    let mut cursor = Cursor::new(body);
    let (version, _) = cursor.full_box()?;
    let times = (cursor.by_version(version)?, cursor.by_version(version)?);
    if cursor.is_empty() { Ok(times) } else { Err(ReadError::new("there is more than its fields")) }
}

/// `sdtp` (8.6.4).
fn dependencies(sdtp: &[u8]) -> Result<&[u8], ReadError> {
    let mut cursor = Cursor::new(sdtp);
    cursor.full_box()?;
    Ok(cursor.rest())
}
