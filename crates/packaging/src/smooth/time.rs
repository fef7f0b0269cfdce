//! From a track's own ticks to the clock of Smooth Streaming, without drift: every time is rounded by itself, from
//! exact arithmetic, and durations and offsets are differences of rounded times.
//!
//! Smooth Streaming has no edit list, and its clients begin at zero. A track's edit list takes its first pictures'
//! composition delay, or its sound's priming, back to before zero; here instead the whole presentation is put late
//! by the largest of these, so that every track keeps its place beside the others. Pictures are decoded from zero on
//! whatever their own delay, so that fragments of all qualities begin at the same times; sound has no delay of its own
//! and is decoded when it is heard.

/// Ticks a second of every time in a presentation (MS-SSTR 2.2.2.1).
pub const TIMESCALE: u32 = 10_000_000;

/// Ticks of `timescale` as ticks of [`TIMESCALE`], to the nearest, halves up; `None` beyond what 64 bits hold.
fn rescale(ticks: i128, timescale: u32) -> Option<i64> {
    let timescale = i128::from(timescale.max(1));
    let doubled = ticks.checked_mul(2 * i128::from(TIMESCALE))?;
    i64::try_from((doubled + timescale).div_euclid(2 * timescale)).ok()
}

/// The least delay at which no track is presented before zero: `edits` are what edit lists add to media times, each
/// with its ticks a second.
pub(super) fn common_delay(edits: impl IntoIterator<Item = (i64, u32)>) -> u64 {
    let behind = |(edit, timescale): (i64, u32)| {
        let ticks = i128::from(edit).min(0).unsigned_abs() * u128::from(TIMESCALE);
        u64::try_from(ticks.div_ceil(u128::from(timescale.max(1)))).unwrap_or(u64::MAX)
    };
    edits.into_iter().map(behind).max().unwrap_or(0)
}

/// When a track's media is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoding {
    /// From zero on, in the order of the bitstream: pictures.
    FromZero,
    /// When it is presented: sound.
    AsPresented,
}

/// A track's place on the presentation's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Ticks a second of the track.
    pub(super) timescale: u32,
    /// What its edit list adds to media times, in its ticks.
    pub(super) edit: i64,
    /// By how much the presentation is late, in ticks of [`TIMESCALE`].
    pub(super) delay: u64,
    /// When its media is decoded.
    pub(super) decoding: Decoding,
}

impl Clock {
    /// When media at this time, in the track's ticks, is decoded.
    pub(super) fn decode(&self, time: u64) -> Option<u64> {
        match self.decoding {
            Decoding::FromZero => rescale(i128::from(time), self.timescale)?.try_into().ok(),
            Decoding::AsPresented => self.present(time, 0),
        }
    }

    /// When media at this time with this composition offset, in the track's ticks, is presented.
    pub(super) fn present(&self, time: u64, composition: i64) -> Option<u64> {
        let ticks = i128::from(time) + i128::from(composition) + i128::from(self.edit);
        rescale(ticks, self.timescale)?.checked_add_unsigned(self.delay)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEN_MINUTES: u64 = 600;

    #[test]
    fn times_are_rounded_to_the_nearest() {
        for (ticks, timescale, expected) in [
            (0, 48_000, 0),
            (1_024, 48_000, 213_333),
            (2_048, 48_000, 426_667),
            (-1_024, 48_000, -213_333),
            (-2_048, 48_000, -426_667),
            (1, 20_000_000, 1),
            (-1, 20_000_000, 0),
            (1, 25, 400_000),
            (1, 0, 10_000_000),
        ] {
            assert_eq!(rescale(ticks, timescale), Some(expected), "{ticks}/{timescale}");
        }
        assert_eq!(rescale(i128::from(i64::MAX), 1), None);
        assert_eq!(rescale(i128::MAX, 1), None);
    }

    #[test]
    fn the_delay_is_that_of_the_track_that_needs_most() {
        for (edits, expected) in [
            (vec![], 0),
            (vec![(0, 25)], 0),
            (vec![(1_024, 48_000)], 0),
            (vec![(-1_024, 48_000)], 213_334),
            (vec![(-1_024, 12_800), (-1_024, 48_000), (-512, 12_800)], 800_000),
            (vec![(i64::MIN, 1)], u64::MAX),
        ] {
            assert_eq!(common_delay(edits.clone()), expected, "{edits:?}");
        }
    }

    #[test]
    fn sound_and_pictures_of_one_moment_are_presented_together() {
        // Pictures delayed by 80 ms and primed sound: what begins at zero is at 80 ms in both.
        let delay = common_delay([(-1_024, 12_800), (-1_024, 48_000)]);
        let video = Clock { timescale: 12_800, edit: -1_024, delay, decoding: Decoding::FromZero };
        let audio = Clock { timescale: 48_000, edit: -1_024, delay, decoding: Decoding::AsPresented };
        assert_eq!((video.decode(0), video.present(0, 1_024)), (Some(0), Some(800_000)));
        assert_eq!((audio.decode(0), audio.present(1_024, 0)), (Some(586_667), Some(800_000)));
    }

    #[test]
    fn what_no_clock_shows_is_no_time() {
        let clock = Clock { timescale: 1, edit: -2, delay: 0, decoding: Decoding::AsPresented };
        assert_eq!(clock.decode(1), None);
        assert_eq!(clock.decode(u64::MAX), None);
        assert_eq!(Clock { delay: u64::MAX, ..clock }.decode(2), None);
        assert_eq!(Clock { edit: i64::MIN, ..clock }.present(0, i64::MIN), None);
    }

    proptest! {
        /// Ten minutes of every rate that the farm makes: after any number of frames the clock is off by half a tick at
        /// most, and all qualities' pictures are decoded at the same times whatever their own delay and time scale.
        #[test]
        fn there_is_no_drift(
            rate in prop::sample::select(vec![23u32, 24, 25, 30, 50, 60]),
            ticks_a_frame in prop::sample::select(vec![(1u32, 1u32), (512, 1), (1_000, 1), (512, 1_001)]),
            delays in (0u32..4, 0u32..4),
            sample_rate in prop::sample::select(vec![44_100u32, 48_000]),
            at in 0f64..1.0,
        ) {
            let scales = [rate * ticks_a_frame.0, rate * ticks_a_frame.1];
            let frame = |scale: u32| u64::from(scale / rate);
            let edit = |scale: u32, frames: u32| -i64::from(scale / rate * frames);
            let delay = common_delay([
                (edit(scales[0], delays.0), scales[0]),
                (edit(scales[1], delays.1), scales[1]),
                (-1_024, sample_rate),
            ]);
            let videos = [(scales[0], delays.0), (scales[1], delays.1)].map(|(scale, frames)| {
                Clock { timescale: scale, edit: edit(scale, frames), delay, decoding: Decoding::FromZero }
            });
            let audio =
                Clock { timescale: sample_rate, edit: -1_024, delay, decoding: Decoding::AsPresented };

            let count = TEN_MINUTES * u64::from(rate);
            let number = (at * count as f64) as u64;
            for (clock, frames) in videos.iter().zip([delays.0, delays.1]) {
                let time = number * frame(clock.timescale);
                let decoded = clock.decode(time).unwrap();
                let exact = number as f64 * f64::from(TIMESCALE) / f64::from(rate);
                prop_assert!((decoded as f64 - exact).abs() <= 0.5 + 1e-3);
                prop_assert_eq!(Some(decoded), videos[0].decode(number * frame(videos[0].timescale)));
                // A frame that is composed at its own delay is presented at its number, late by the common delay.
                let composition = i64::from(frames) * frame(clock.timescale).cast_signed();
                prop_assert_eq!(clock.present(time, composition), Some(decoded + delay));
                prop_assert!(clock.present(time, 0).unwrap() >= decoded);
                let next = clock.decode(time + frame(clock.timescale)).unwrap();
                prop_assert!((next - decoded).abs_diff(u64::from(TIMESCALE / rate)) <= 1);
            }
            let number = (at * (TEN_MINUTES * u64::from(sample_rate) / 1_024) as f64) as u64;
            let heard = audio.decode(number * 1_024).unwrap();
            let exact = (number as f64 - 1.0) * 1_024.0 * f64::from(TIMESCALE) / f64::from(sample_rate);
            prop_assert!((heard as f64 - delay as f64 - exact).abs() <= 0.5 + 1e-3);
        }

        /// Durations are differences of times: whichever way a track is cut, they add up to its length.
        #[test]
        fn durations_add_up(
            timescale in 1u32..100_000,
            durations in prop::collection::vec(1u64..5_000, 1..50),
        ) {
            let clock = Clock { timescale, edit: 0, delay: 0, decoding: Decoding::FromZero };
            let mut time = 0;
            let mut sum = 0;
            for duration in &durations {
                sum += clock.decode(time + duration).unwrap() - clock.decode(time).unwrap();
                time += duration;
            }
            prop_assert_eq!(Some(sum), clock.decode(durations.iter().sum()));
        }
    }
}
