//! The source against what QC's report says of it, while it is decoded. The farm's own report is drawn from the same
//! decoding and agrees; a report that was made elsewhere may speak of another size or rate, and frames are placed by their
//! numbers alone.

use ffmpeg_next::Rational;
use reelfarm_model::qc::VideoConclusion;

use super::convert::Picture;
use crate::MediaError;

/// How far a frame may lie from its place at the reported rate, in seconds. QC's own rates are exact to a quarter of a frame;
/// between 24 and 25 frames a second it takes six seconds to come so far, between 23.976 and 24 four minutes.
const LARGEST_DEVIATION: f64 = 0.25;

/// Holds a track against the report.
#[derive(Debug)]
pub(super) struct Reported {
    subject: String,
    frame_rate: u32,
    seconds_a_tick: f64,
    /// The first time, and the number of its frame.
    first: Option<(i64, u64)>,
}

impl Reported {
    /// A track whose pictures look like this, and whose times are in ticks of `time_base`.
    ///
    /// # Errors
    /// [`MediaError::NotAsReported`] where it is smaller than the report says: then rungs would be scaled up.
    pub(super) fn new(
        subject: String,
        picture: &Picture,
        time_base: Rational,
        video: &VideoConclusion,
    ) -> Result<Self, MediaError> {
        // Upright or not, and square or not, a picture has no more samples to a side than are stored.
        let sides = |width: u32, height: u32| (width.max(height), width.min(height));
        let (stored, reported) = (sides(picture.width, picture.height), sides(video.width, video.height));
        if reported.0 > stored.0 || reported.1 > stored.1 {
            return Err(MediaError::NotAsReported {
                subject,
                found: format!("has {}x{} pixels", picture.width, picture.height),
                expected: format!("{}x{}", video.width, video.height),
            });
        }
        let seconds_a_tick = f64::from(time_base.numerator()) / f64::from(time_base.denominator().max(1));
        Ok(Self { subject, frame_rate: video.frame_rate, seconds_a_tick, first: None })
    }

    /// Takes in the time of the frame with this number, in ticks, where it has one.
    ///
    /// # Errors
    /// [`MediaError::NotAsReported`] where it is not where the reported rate puts it.
    pub(super) fn frame(&mut self, number: u64, time: Option<i64>) -> Result<(), MediaError> {
        let Some(time) = time else { return Ok(()) };
        let (first, from) = *self.first.get_or_insert((time, number));
        let found = time.saturating_sub(first) as f64 * self.seconds_a_tick;
        let expected = number.saturating_sub(from) as f64 / f64::from(self.frame_rate.max(1));
        if (found - expected).abs() <= LARGEST_DEVIATION {
            return Ok(());
        }
        Err(MediaError::NotAsReported {
            subject: self.subject.clone(),
            found: format!("shows frame {number} after {found:.3} s"),
            expected: format!("after {expected:.3} s, at {} frames a second,", self.frame_rate),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Picture {
        Picture { width, height, pixel_format: "yuv420p".to_owned() }
    }

    fn reported(stored: (u32, u32), size: (u32, u32), frame_rate: u32) -> Result<Reported, MediaError> {
        let video = VideoConclusion {
            stream: 0,
            frame_rate,
            frame_count: 10_000,
            width: size.0,
            height: size.1,
            rotation: 0,
            deinterlace: false,
            field_order: None,
            matrix: "bt709".to_owned(),
            full_range: false,
        };
        Reported::new("film".to_owned(), &picture(stored.0, stored.1), Rational::new(1, 90_000), &video)
    }

    #[test]
    fn a_picture_may_be_turned_and_made_square_but_not_larger_than_it_is() {
        for (stored, size, fits) in [
            ((1920, 1080), (1920, 1080), true),
            ((1920, 1080), (1080, 1920), true),
            ((1440, 1080), (1440, 810), true),
            ((720, 576), (720, 405), true),
            ((1440, 1080), (1920, 1080), false),
            ((1280, 720), (1920, 1080), false),
            ((1920, 1080), (1920, 1081), false),
        ] {
            assert_eq!(reported(stored, size, 25).is_ok(), fits, "{stored:?} {size:?}");
        }
        let error = reported((1280, 720), (1920, 1080), 25).unwrap_err().to_string();
        assert_eq!(error, "film has 1280x720 pixels, and not 1920x1080 as the QC report says");
    }

    /// The number of the first frame that is not where it should be: frames that are `ticks` apart, held against a rate.
    fn found_at(ticks: f64, frame_rate: u32) -> Option<u64> {
        let mut reported = reported((1920, 1080), (1920, 1080), frame_rate).unwrap();
        (0..10_000_u64).find(|number| {
            let time = 7_000 + (*number as f64 * ticks).round() as i64;
            reported.frame(*number, Some(time)).is_err()
        })
    }

    #[test]
    fn a_rate_that_is_not_the_reported_one_is_found() {
        for (rate, reported) in [(24.0, 24), (25.0, 25), (60.0, 60)] {
            assert_eq!(found_at(90_000.0 / rate, reported), None, "{rate}");
        }
        for (rate, reported, seconds) in [
            (24.0, 25, 6.5),
            (25.0, 24, 6.5),
            (25.0, 50, 1.0),
            (50.0, 48, 6.5),
            (24_000.0 / 1001.0, 24, 251.0),
        ] {
            let number = found_at(90_000.0 / rate, reported).unwrap_or(u64::MAX);
            assert!(number as f64 / rate <= seconds, "{rate} as {reported}: frame {number}");
        }
    }

    #[test]
    fn frames_without_a_time_and_with_absurd_ones_are_no_panic() {
        let mut reported = reported((1920, 1080), (1920, 1080), 25).unwrap();
        for (number, time) in [(0, None), (3, Some(i64::MIN)), (4, None)] {
            reported.frame(number, time).unwrap();
        }
        assert!(reported.frame(5, Some(i64::MAX)).is_err());
        reported.frame(0, Some(i64::MIN)).unwrap();
    }
}
