//! Writes a fragment as Smooth Streaming has it (MS-SSTR 2.2.4, PIFF 1.1 5.2): one movie fragment of one track, whose
//! boxes say all there is to say, because there is no header.
//!
//! Composition offsets are never negative, so the run has version 0: older devices read no other.

use super::moof::user_type;
use super::picture::Dependency;
use crate::malformed::Malformed;

/// A fragment to be written. Times are in ticks of [`TIMESCALE`](super::time::TIMESCALE).
#[derive(Clone, Debug)]
pub(super) struct NewFragment<'a> {
    /// Its number in the track, from 1.
    pub(super) sequence: u32,
    /// The track's number.
    pub(super) track: u32,
    /// When it begins.
    pub(super) time: u64,
    /// How long it is.
    pub(super) duration: u64,
    /// Its samples in decoding order.
    pub(super) samples: Samples,
    /// The payload of CMAF's sample encryption box.
    pub(super) encryption: Option<&'a [u8]>,
    /// Bytes of all samples.
    pub(super) data_size: usize,
}

/// What the run says of each sample.
#[derive(Clone, Debug)]
pub(super) enum Samples {
    /// Pictures.
    Video(Vec<VideoSample>),
    /// Frames of sound: duration and size in bytes.
    Audio(Vec<(u32, u32)>),
}

/// A picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct VideoSample {
    /// How long it is.
    pub(super) duration: u32,
    /// Its bytes.
    pub(super) size: u32,
    /// How long after it is decoded it is presented.
    pub(super) composition: u32,
    /// Its dependencies.
    pub(super) dependency: Dependency,
}

const DATA_OFFSET: u32 = 0x1;
const SAMPLE_DURATION: u32 = 0x100;
const SAMPLE_SIZE: u32 = 0x200;
const SAMPLE_FLAGS: u32 = 0x400;
const SAMPLE_COMPOSITION: u32 = 0x800;
const DEFAULT_SAMPLE_FLAGS: u32 = 0x20;
/// Every frame of sound is independent of others (8.8.3.1).
const INDEPENDENT: u32 = 0x0200_0000;
/// Bytes of a box's header.
const HEADER: usize = 8;

impl NewFragment<'_> {
    /// Everything up to the first sample's first byte: `moof`, and the header of `mdat`.
    ///
    /// # Errors
    /// It is too large for its fields.
    pub(super) fn header(&self) -> Result<Vec<u8>, Malformed> {
        let mut writer = Writer::default();
        let mut data_offset_at = 0;
        writer.boxed(b"moof", |moof| {
            moof.boxed(b"mfhd", |mfhd| mfhd.words(&[0, self.sequence]));
            moof.boxed(b"traf", |traf| {
                match &self.samples {
                    Samples::Video(_) => traf.boxed(b"tfhd", |tfhd| tfhd.words(&[0, self.track])),
                    Samples::Audio(_) => traf.boxed(b"tfhd", |tfhd| {
                        tfhd.words(&[DEFAULT_SAMPLE_FLAGS, self.track, INDEPENDENT]);
                    }),
                }
                traf.boxed(b"trun", |trun| data_offset_at = self.samples.run(trun));
                if let Samples::Video(samples) = &self.samples {
                    traf.boxed(b"sdtp", |sdtp| {
                        sdtp.words(&[0]);
                        sdtp.bytes.extend(samples.iter().map(|sample| sample.dependency.to_byte()));
                    });
                }
                if let Some(payload) = self.encryption {
                    traf.boxed(b"uuid", |uuid| {
                        uuid.bytes.extend(user_type::SAMPLE_ENCRYPTION);
                        uuid.bytes.extend(payload);
                    });
                }
                traf.boxed(b"uuid", |uuid| {
                    uuid.bytes.extend(user_type::TIMES);
                    uuid.words(&[0x0100_0000]);
                    uuid.bytes.extend(self.time.to_be_bytes());
                    uuid.bytes.extend(self.duration.to_be_bytes());
                });
            });
        });
        let too_large = || Malformed::new("mdat", "the fragment is too large");
        let offset = u32::try_from(writer.bytes.len() + HEADER).map_err(|_| too_large())?;
        let size = u32::try_from(self.data_size + HEADER).map_err(|_| too_large())?;
        writer.bytes[data_offset_at..][..4].copy_from_slice(&offset.to_be_bytes());
        writer.words(&[size]);
        writer.bytes.extend(b"mdat");
        Ok(writer.bytes)
    }
}

impl Samples {
    /// Writes the run. Gives where the data offset stands, which is known only when all boxes are.
    fn run(&self, trun: &mut Writer) -> usize {
        let (flags, count) = match self {
            Self::Video(samples) => (SAMPLE_FLAGS | SAMPLE_COMPOSITION, samples.len()),
            Self::Audio(samples) => (0, samples.len()),
        };
        trun.words(&[DATA_OFFSET | SAMPLE_DURATION | SAMPLE_SIZE | flags, count as u32]);
        let data_offset_at = trun.bytes.len();
        trun.words(&[0]);
        match self {
            Self::Video(samples) => {
                for sample in samples {
                    let flags = sample.dependency.to_flags();
                    trun.words(&[sample.duration, sample.size, flags, sample.composition]);
                }
            }
            Self::Audio(samples) => {
                samples.iter().for_each(|(duration, size)| trun.words(&[*duration, *size]));
            }
        }
        data_offset_at
    }
}

/// Bytes that grow box by box.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Writes a box, whose size follows from what `body` writes. A movie fragment has far fewer bytes than its samples,
    /// which the header of `mdat` limits.
    fn boxed(&mut self, kind: &[u8; 4], body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.words(&[0]);
        self.bytes.extend(kind);
        body(self);
        let size = (self.bytes.len() - start) as u32;
        self.bytes[start..][..4].copy_from_slice(&size.to_be_bytes());
    }

    fn words(&mut self, words: &[u32]) {
        words.iter().for_each(|word| self.bytes.extend(word.to_be_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::moof::Fragment;
    use super::*;
    use crate::readback::movie::SampleDefaults;

    const IDR: Dependency = Dependency { is_sync: true, is_independent: true, is_disposable: false };
    const B: Dependency = Dependency { is_sync: false, is_independent: false, is_disposable: true };

    #[test]
    fn every_field_of_a_video_fragment() {
        let fragment = NewFragment {
            sequence: 3,
            track: 1,
            time: 40_000_000,
            duration: 800_000,
            samples: Samples::Video(vec![
                VideoSample { duration: 400_000, size: 5, composition: 800_000, dependency: IDR },
                VideoSample { duration: 400_000, size: 2, composition: 0, dependency: B },
            ]),
            encryption: Some(b"\0\0\0\x02entries"),
            data_size: 7,
        };
        let hex = |text: &str| {
            let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
            digits
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect::<Vec<u8>>()
        };
        let expected = hex("000000c1 6d6f6f66
               00000010 6d666864 00000000 00000003
               000000a9 74726166
                 00000010 74666864 00000000 00000001
                 00000034 7472756e 00000f01 00000002 000000c9
                   00061a80 00000005 02600000 000c3500
                   00061a80 00000002 01a10000 00000000
                 0000000e 73647470 00000000 26 1a
                 00000023 75756964 a2394f525a9b4f14a2446c427c648df4 00000002 656e7472696573
                 0000002c 75756964 6d1d9b0542d544e680e2141daff757b2
                   01000000 0000000002625a00 00000000000c3500
             0000000f 6d646174");
        assert_eq!(fragment.header().unwrap(), expected);
    }

    #[test]
    fn every_field_of_an_audio_fragment() {
        let fragment = NewFragment {
            sequence: 1,
            track: 2,
            time: 586_667,
            duration: 426_667,
            samples: Samples::Audio(vec![(213_333, 3), (213_334, 4)]),
            encryption: None,
            data_size: 7,
        };
        let header = fragment.header().unwrap();
        assert_eq!(&header[24..52], b"\0\0\0\x6Ctraf\0\0\0\x14tfhd\0\0\0\x20\0\0\0\x02\x02\0\0\0");
        assert_eq!(&header[52..72], b"\0\0\0\x24trun\0\0\x03\x01\0\0\0\x02\0\0\0\x8C");
        assert_eq!(header.len(), 0x8C);
    }

    #[test]
    fn what_four_bytes_cannot_count_is_refused() {
        let fragment = NewFragment {
            sequence: 1,
            track: 1,
            time: 0,
            duration: 1,
            samples: Samples::Audio(vec![(1, 1)]),
            encryption: None,
            data_size: u32::MAX as usize - 7,
        };
        assert!(fragment.header().is_err());
        assert!(NewFragment { data_size: u32::MAX as usize - 8, ..fragment }.header().is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            (sequence, track, time, duration) in any::<(u32, u32, u64, u64)>(),
            samples in prop::collection::vec((any::<u32>(), 1u32..40, any::<u32>(), any::<[bool; 3]>()), 1..20),
            is_video: bool,
            encryption in prop::option::of(prop::collection::vec(any::<u8>(), 0..50)),
        ) {
            let data: Vec<u8> = samples.iter().flat_map(|sample| vec![7; sample.1 as usize]).collect();
            let video = samples.iter().map(|&(duration, size, composition, [sync, independent, disposable])| {
                let dependency = Dependency {
                    is_sync: sync,
                    is_independent: independent,
                    is_disposable: disposable,
                };
                VideoSample { duration, size, composition, dependency }
            });
            let video: Vec<_> = video.collect();
            let audio = samples.iter().map(|sample| (sample.0, sample.1)).collect();
            let fragment = NewFragment {
                sequence,
                track,
                time,
                duration,
                samples: if is_video { Samples::Video(video.clone()) } else { Samples::Audio(audio) },
                encryption: encryption.as_deref(),
                data_size: data.len(),
            };
            let bytes = [fragment.header().unwrap(), data.clone()].concat();
            let read = Fragment::parse(&bytes, SampleDefaults::default()).unwrap();
            prop_assert_eq!((read.sequence, read.track), (sequence, track));
            prop_assert_eq!(read.times, Some((time, duration)));
            prop_assert_eq!(read.decode_time, None);
            prop_assert_eq!(read.encryption, encryption.as_deref());
            prop_assert_eq!(read.data, data);
            prop_assert_eq!(read.samples.len(), samples.len());
            for (read, (duration, size, composition, _)) in read.samples.iter().zip(&samples) {
                prop_assert_eq!((read.duration, read.data.len() as u32), (*duration, *size));
                prop_assert_eq!(read.composition, if is_video { i64::from(*composition) } else { 0 });
                prop_assert!(is_video || read.is_marked_sync());
            }
            if is_video {
                let bytes: Vec<u8> = video.iter().map(|sample| sample.dependency.to_byte()).collect();
                prop_assert_eq!(read.dependencies, Some(&bytes[..]));
                let marked = read.samples.iter().map(|sample| sample.is_marked_sync());
                prop_assert!(marked.eq(video.iter().map(|sample| sample.dependency.is_sync)));
            }
        }
    }
}
