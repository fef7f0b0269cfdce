//! The sound's zero: the time of the first video frame, found as the measurement finds it.

use std::path::Path;

use ffmpeg_next::{Rational, media};

use crate::MediaError;
use crate::ffmpeg::decoder::{Decoded, Decoder};
use crate::ffmpeg::source::{Read, Source};

/// Ticks per second of the sound's times: a multiple of all usual sample rates and video clocks, so that no time is
/// rounded.
pub(super) const TICKS_PER_SECOND: i32 = 705_600_000;

/// Turns a track's times into times from the sound's zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    zero: i64,
}

impl Timeline {
    /// The timeline of a source, whose video track is decoded up to its first frame with a time.
    pub(super) fn of(path: &Path, video_stream: u32) -> Result<Self, MediaError> {
        let mut source = Source::open(path)?;
        let stream = source.track(video_stream, media::Type::Video)?;
        let time_base = stream.time_base();
        let mut decoder = Decoder::open(&source, &stream, 1)?;
        source.read_only(&[video_stream]);
        let mut first = None;
        while first.is_none() {
            let packet = match source.read()? {
                Read::Packet(packet) if packet.stream() == video_stream as usize => Some(packet),
                Read::Packet(_) | Read::Damaged => continue,
                Read::End => None,
            };
            decoder.decode(packet.as_ref(), |decoded| {
                if let Decoded::Frame(frame) = decoded {
                    first = first.or(frame.timestamp());
                }
                Ok(())
            })?;
            if packet.is_none() {
                break;
            }
        }
        let first = first.ok_or_else(|| source.no_track(video_stream, media::Type::Video))?;
        Ok(Self { zero: ticks(first, time_base) })
    }

    /// The time from the sound's zero, in [`TICKS_PER_SECOND`].
    pub(super) fn time(self, time: i64, time_base: Rational) -> i64 {
        ticks(time, time_base).saturating_sub(self.zero)
    }
}

fn ticks(time: i64, time_base: Rational) -> i64 {
    let denominator = i128::from(time_base.denominator().max(1));
    let numerator = i128::from(time) * i128::from(time_base.numerator()) * i128::from(TICKS_PER_SECOND);
    let rounded = (2 * numerator + denominator).div_euclid(2 * denominator);
    i64::try_from(rounded).unwrap_or(if rounded > 0 { i64::MAX } else { i64::MIN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_different_clocks_meet_without_rounding() {
        for (time, time_base, expected) in [
            (1, Rational::new(1, 48_000), 14_700),
            (1, Rational::new(1, 44_100), 16_000),
            (-1, Rational::new(1, 90_000), -7840),
            (1001, Rational::new(1, 30_000), 23_543_520),
            (1, Rational::new(1, 1000), 705_600),
            (i64::MAX, Rational::new(1, 1), i64::MAX),
        ] {
            assert_eq!(ticks(time, time_base), expected);
        }
        let timeline = Timeline { zero: ticks(126_000, Rational::new(1, 90_000)) };
        assert_eq!(timeline.time(67_200, Rational::new(1, 48_000)), 0);
    }
}
