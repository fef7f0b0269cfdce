//! What a movie fragment says of its track and of its samples (ISO/IEC 14496-12 8.8.7 and 8.8.8): the same in CMAF and in
//! Smooth Streaming.

use super::boxes::Cursor;
use super::movie::SampleDefaults;
use super::{MOST_UNITS, ReadError};

/// `tfhd`: which track a fragment is of, and what its runs leave out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FragmentHeader {
    /// The track's number.
    pub(crate) track: u32,
    /// Whether it says that offsets of data count from the fragment.
    pub(crate) base_is_moof: bool,
    /// What its runs leave out.
    pub(crate) defaults: SampleDefaults,
}

impl FragmentHeader {
    /// Reads the box. `defaults` are the track's own.
    pub(crate) fn parse(tfhd: &[u8], defaults: SampleDefaults) -> Result<Self, ReadError> {
        const DESCRIPTION_INDEX: u32 = 0x2;
        const DURATION: u32 = 0x8;
        const SIZE: u32 = 0x10;
        const FLAGS: u32 = 0x20;
        const BASE_IS_MOOF: u32 = 0x02_0000;

        let mut cursor = Cursor::new(tfhd);
        let (_, flags) = cursor.full_box()?;
        if flags & !(DESCRIPTION_INDEX | DURATION | SIZE | FLAGS | BASE_IS_MOOF) != 0 {
            return Err(ReadError::new(format!("the flags {flags:#x} are not used by any fragment")));
        }
        let track = cursor.u32()?;
        if flags & DESCRIPTION_INDEX != 0 && cursor.u32()? != 1 {
            return Err(ReadError::new("the samples are not those of the only sample entry"));
        }
        let defaults = SampleDefaults {
            duration: if flags & DURATION != 0 { cursor.u32()? } else { defaults.duration },
            size: if flags & SIZE != 0 { cursor.u32()? } else { defaults.size },
            flags: if flags & FLAGS != 0 { cursor.u32()? } else { defaults.flags },
        };
        Ok(Self { track, base_is_moof: flags & BASE_IS_MOOF != 0, defaults })
    }
}

/// `trun`: a run of samples, of which it gives one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Run<'a> {
    cursor: Cursor<'a>,
    version: u8,
    flags: u32,
    first_flags: Option<u32>,
    defaults: SampleDefaults,
    left: usize,
    /// Where its data begins, from the fragment's first byte.
    pub(crate) data_offset: u32,
}

/// A sample as its run describes it, defaults filled in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunSample {
    /// In ticks.
    pub(crate) duration: u32,
    /// Its bytes; there is one at least.
    pub(crate) size: u32,
    /// See ISO/IEC 14496-12 8.8.3.1.
    pub(crate) flags: u32,
    /// What its presentation time is beyond its decoding time, in ticks.
    pub(crate) composition: i64,
}

impl RunSample {
    /// Whether the file marks it as a place to begin.
    pub(crate) const fn is_marked_sync(self) -> bool {
        is_marked_sync(self.flags)
    }
}

/// Whether flags of a sample mark it as a place to begin.
pub(crate) const fn is_marked_sync(flags: u32) -> bool {
    const IS_NON_SYNC: u32 = 0x1_0000;
    flags & IS_NON_SYNC == 0
}

const DATA_OFFSET: u32 = 0x1;
const FIRST_FLAGS: u32 = 0x4;
const DURATION: u32 = 0x100;
const SIZE: u32 = 0x200;
const FLAGS: u32 = 0x400;
const COMPOSITION: u32 = 0x800;

impl<'a> Run<'a> {
    /// Reads the box up to its first sample.
    pub(crate) fn parse(trun: &'a [u8], defaults: SampleDefaults) -> Result<Self, ReadError> {
        let mut cursor = Cursor::new(trun);
        let (version, flags) = cursor.full_box()?;
        let left = cursor.u32()? as usize;
        if left > MOST_UNITS {
            return Err(ReadError::new(format!("it states {left} samples")));
        }
        if flags & DATA_OFFSET == 0 {
            return Err(ReadError::new("it does not say where its data is"));
        }
        let data_offset = cursor.u32()?;
        let first_flags = if flags & FIRST_FLAGS != 0 { Some(cursor.u32()?) } else { None };
        Ok(Self { cursor, version, flags, first_flags, defaults, left, data_offset })
    }

    /// How many samples are left.
    pub(crate) const fn left(&self) -> usize {
        self.left
    }

    fn sample(&mut self) -> Result<RunSample, ReadError> {
        let (cursor, has) = (&mut self.cursor, |flag| self.flags & flag != 0);
        let duration = if has(DURATION) { cursor.u32()? } else { self.defaults.duration };
        let size = if has(SIZE) { cursor.u32()? } else { self.defaults.size };
        let own_flags = if has(FLAGS) { Some(cursor.u32()?) } else { None };
        let composition = match (has(COMPOSITION), self.version) {
            (false, _) => 0,
            (true, 0) => i64::from(cursor.u32()?),
            (true, _) => i64::from(cursor.u32()?.cast_signed()),
        };
        if size == 0 {
            return Err(ReadError::new("a sample is empty"));
        }
        let flags = self.first_flags.take().or(own_flags).unwrap_or(self.defaults.flags);
        Ok(RunSample { duration, size, flags, composition })
    }

    /// Checks that nothing stands after the last sample.
    pub(crate) fn finish(&self) -> Result<(), ReadError> {
        if self.left == 0 && self.cursor.is_empty() {
            Ok(())
        } else {
            Err(ReadError::new("there is more than its samples"))
        }
    }
}

impl Iterator for Run<'_> {
    type Item = Result<RunSample, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(self.sample())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: SampleDefaults = SampleDefaults { duration: 512, size: 7, flags: 0x1_0000 };

    /// A box of these 32-bit fields.
    fn fields(fields: &[u32]) -> Vec<u8> {
        fields.iter().flat_map(|field| field.to_be_bytes()).collect()
    }

    fn samples(trun: &[u32]) -> Result<Vec<(u32, u32, bool, i64)>, ReadError> {
        let trun = fields(trun);
        let mut run = Run::parse(&trun, DEFAULTS)?;
        let found: Result<Vec<_>, _> = run.by_ref().collect();
        run.finish()?;
        let plain =
            |sample: RunSample| (sample.duration, sample.size, sample.is_marked_sync(), sample.composition);
        Ok(found?.into_iter().map(plain).collect())
    }

    #[test]
    fn what_a_run_leaves_out_is_the_default() {
        assert_eq!(samples(&[0x1, 2, 100]).unwrap(), [(512, 7, false, 0); 2]);
        assert_eq!(samples(&[0x5, 2, 100, 0]).unwrap(), [(512, 7, true, 0), (512, 7, false, 0)]);
        assert_eq!(samples(&[0xF01, 1, 100, 1, 2, 0, u32::MAX]).unwrap(), [(1, 2, true, 0xFFFF_FFFF)]);
        assert_eq!(samples(&[0x0100_0801, 1, 100, u32::MAX]).unwrap(), [(512, 7, false, -1)]);
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for trun in [
            &[0x1, 2][..],
            &[0x0, 2],
            &[0x1, u32::MAX, 100],
            &[0x201, 1, 100, 0],
            &[0x201, 2, 100, 5],
            &[0x201, 1, 100, 5, 5],
        ] {
            assert!(samples(trun).is_err(), "{trun:?}");
        }
        let header = |tfhd: &[u32]| FragmentHeader::parse(&fields(tfhd), DEFAULTS);
        let read = header(&[0x02_0028, 3, 40, 0]).unwrap();
        assert_eq!((read.track, read.base_is_moof), (3, true));
        assert_eq!((read.defaults.duration, read.defaults.size, read.defaults.flags), (40, 7, 0));
        // Data elsewhere, another sample entry, cut.
        for tfhd in [&[0x02_0001, 3, 0, 0][..], &[0x2, 3, 2], &[0x8, 3]] {
            assert!(header(tfhd).is_err(), "{tfhd:?}");
        }
    }
}
