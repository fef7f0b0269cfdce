//! From a segment of CMAF to a fragment of Smooth Streaming: the same samples on the presentation's clock.

use super::encryption;
use super::fragment::{NewFragment, Samples, VideoSample};
use super::moof::{Fragment, Sample};
use super::picture::Dependency;
use super::source::{Content, Source};
use super::time::{Clock, Decoding};
use crate::malformed::Malformed;

/// The fragments of one track, made one after the other.
#[derive(Debug)]
pub(super) struct Chunks<'a> {
    source: &'a Source,
    clock: Clock,
    stream_number: u32,
    made: Made,
    /// Where the last segment ended, in the track's ticks.
    ended: u64,
    frames: u64,
}

/// What became of a track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    /// When every fragment begins and how long it is.
    pub(super) chunks: Vec<(u64, u64)>,
    /// When its last sample has been presented.
    pub(super) end: u64,
    /// Bytes of all fragments.
    pub(super) bytes: u64,
}

impl<'a> Chunks<'a> {
    /// Nothing made yet of `source`, which is late by `delay` and has this number in the presentation.
    pub(super) fn new(source: &'a Source, delay: u64, stream_number: u32) -> Self {
        let decoding = match source.content {
            Content::Video { .. } => Decoding::FromZero,
            Content::Audio { .. } => Decoding::AsPresented,
        };
        let clock = Clock { timescale: source.timescale, edit: source.edit, delay, decoding };
        Self { source, clock, stream_number, made: Made::default(), ended: 0, frames: 0 }
    }

    /// Makes a fragment of the next segment. Gives with it the samples' bytes, which follow its header.
    pub(super) fn next<'b>(&mut self, segment: &'b [u8]) -> Result<(NewFragment<'b>, &'b [u8]), Malformed> {
        let fragment = Fragment::parse(segment, self.source.defaults)?;
        let start = self.check(&fragment)?;
        let mut times = Times { clock: &self.clock, time: start, end: self.made.end };
        let samples = match &self.source.content {
            Content::Video { nal_length_size, .. } => {
                let samples = fragment.samples.iter();
                let samples = samples.map(|sample| times.picture(sample, *nal_length_size));
                let samples = samples.collect::<Result<Vec<_>, _>>()?;
                if !samples.first().is_some_and(|sample| sample.dependency.is_sync) {
                    return Err(Malformed::new("mdat", "it does not begin with an IDR picture"));
                }
                Samples::Video(samples)
            }
            Content::Audio { .. } => {
                let samples = fragment.samples.iter().map(|sample| times.sound(sample));
                Samples::Audio(samples.collect::<Result<_, _>>()?)
            }
        };
        let Times { time: ended, end, .. } = times;
        let (time, until) = (self.decode(start)?, self.decode(ended)?);
        if until <= time {
            return Err(Malformed::new("moof/traf/trun", "its samples last no time"));
        }
        self.made.chunks.push((time, until - time));
        self.made.end = end;
        self.ended = ended;
        self.frames += fragment.samples.len() as u64;
        let made = NewFragment {
            sequence: self.made.chunks.len() as u32,
            track: self.stream_number,
            time,
            duration: until - time,
            samples,
            encryption: fragment.encryption,
            data_size: fragment.data.len(),
        };
        Ok((made, fragment.data))
    }

    /// Checks that the fragment is the next one of the track, encrypted as the track is. Gives its decoding time.
    fn check(&self, fragment: &Fragment<'_>) -> Result<u64, Malformed> {
        if fragment.track != self.source.track {
            let reason = format!("it is of track {}, not {}", fragment.track, self.source.track);
            return Err(Malformed::new("moof/traf/tfhd", reason));
        }
        let start = fragment.decode_time.ok_or_else(|| Malformed::new("moof/traf/tfdt", "there is none"))?;
        if start != self.ended {
            let reason = format!("it begins at {start}; what comes before ended at {}", self.ended);
            return Err(Malformed::new("moof/traf/tfdt", reason));
        }
        match fragment.encryption {
            Some(payload) if self.source.is_encrypted => {
                let sizes = fragment.samples.iter().map(|sample| sample.data.len());
                encryption::check(payload, sizes).map_err(Malformed::at("moof/traf/senc"))?;
            }
            None if !self.source.is_encrypted => {}
            _ => {
                return Err(Malformed::new("moof/traf/senc", "some segments are encrypted and some are not"));
            }
        }
        Ok(start)
    }

    fn decode(&self, time: u64) -> Result<u64, Malformed> {
        self.clock.decode(time).ok_or_else(out_of_range)
    }

    /// Counts the bytes of a fragment that was written.
    pub(super) fn count(&mut self, bytes: usize) {
        self.made.bytes += bytes as u64;
    }

    /// What was made, if it is all that was planned.
    pub(super) fn finish(self) -> Result<Made, Malformed> {
        match self.source.content {
            Content::Video { frame_count, .. } if frame_count != self.frames => {
                let reason = format!("it has {} pictures of {frame_count}", self.frames);
                Err(Malformed::new("segments", reason))
            }
            _ => Ok(self.made),
        }
    }
}

fn out_of_range() -> Malformed {
    Malformed::new("moof/traf/trun", "a time is out of range")
}

/// Walks the times of a fragment's samples.
struct Times<'a> {
    clock: &'a Clock,
    /// When the next sample is decoded, in the track's ticks.
    time: u64,
    /// When the last of all samples so far has been presented.
    end: u64,
}

impl Times<'_> {
    /// Decoding time, duration and composition offset of the next sample.
    fn next(&mut self, sample: &Sample<'_>) -> Option<(u32, u32)> {
        let next = self.time.checked_add(u64::from(sample.duration))?;
        let decoded = self.clock.decode(self.time)?;
        let presented = self.clock.present(self.time, sample.composition)?;
        let duration = self.clock.decode(next)?.checked_sub(decoded)?;
        let until = self.clock.present(next, sample.composition)?;
        self.time = next;
        self.end = self.end.max(until);
        Some((duration.try_into().ok()?, presented.checked_sub(decoded)?.try_into().ok()?))
    }

    fn picture(&mut self, sample: &Sample<'_>, nal_length_size: usize) -> Result<VideoSample, Malformed> {
        let dependency = Dependency::of_picture(sample.data, nal_length_size)?;
        if dependency.is_sync != sample.is_marked_sync() {
            let reason = "IDR pictures are not exactly those marked as sync samples";
            return Err(Malformed::new("moof/traf/trun", reason));
        }
        let (duration, composition) = self.next(sample).ok_or_else(out_of_range)?;
        Ok(VideoSample { duration, size: sample.data.len() as u32, composition, dependency })
    }

    fn sound(&mut self, sample: &Sample<'_>) -> Result<(u32, u32), Malformed> {
        if sample.composition != 0 {
            return Err(Malformed::new("moof/traf/trun", "sound is not presented when it is decoded"));
        }
        let (duration, _) = self.next(sample).ok_or_else(out_of_range)?;
        Ok((duration, sample.data.len() as u32))
    }
}
