//! The film's own time: where its first picture is, how long the time line is, and how moments are written.

use reelfarm_model::Code;
use reelfarm_model::measurement::{Measurements, VideoMeasurement};
use reelfarm_model::qc::{QcReport, Verdict};

use crate::text::{clock, span, time_code};

/// A film as the page tells of it. Times are in seconds from its first picture on.
#[derive(Debug)]
pub(super) struct Film<'a> {
    /// What was judged.
    pub(super) report: &'a QcReport,
    /// What was measured.
    pub(super) measurements: &'a Measurements,
    /// The video track that is used, or would be.
    pub(super) video: Option<&'a VideoMeasurement>,
    /// Where the time line begins: at the first picture, or before it where sound is there earlier.
    pub(super) from: f64,
    /// Where the time line ends; the same as `from` where no length is known.
    pub(super) to: f64,
    /// Where the first picture is on the container's timeline.
    zero: f64,
    rate: Option<u32>,
}

impl<'a> Film<'a> {
    /// The film of a report and its measurements.
    pub(super) fn of(report: &'a QcReport, measurements: &'a Measurements) -> Self {
        let video = used_video(report, measurements);
        let zero = zero(video, measurements);
        let (from, to) = bounds(video, measurements, zero);
        Self { report, measurements, video, from, to, zero, rate: rate(report, video) }
    }

    /// A moment of the container's timeline in the film's own time; `None` where it is no number.
    pub(super) fn time(&self, container: f64) -> Option<f64> {
        Some(container - self.zero).filter(|time| time.is_finite())
    }

    /// A moment of the film's own time on the container's timeline; `None` where it is no number.
    pub(super) fn container(&self, time: f64) -> Option<f64> {
        Some(time + self.zero).filter(|time| time.is_finite())
    }

    /// How long the time line is, in seconds.
    pub(super) fn length(&self) -> f64 {
        self.to - self.from
    }

    /// A moment as a share of the time line, 0 to 1.
    pub(super) fn share(&self, time: f64) -> f64 {
        let share = (time - self.from) / self.length();
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// A moment as people read it: a time code where the frame rate is known, else a clock.
    pub(super) fn code(&self, time: f64) -> String {
        time_code(time, self.rate)
    }

    /// A stretch as people read it.
    pub(super) fn stretch(&self, start: f64, end: f64) -> String {
        if end > start {
            format!("{} to {} ({})", self.code(start), self.code(end), span(end - start))
        } else {
            self.code(start)
        }
    }

    /// The picture's length as people read it, or the sound's where there is no picture.
    pub(super) fn length_in_words(&self) -> String {
        match &self.report.conclusion {
            Some(conclusion) => clock(conclusion.video.duration_ms() as f64 / 1000.0),
            None if self.length() > 0.0 => clock(self.to),
            None => "not known".to_owned(),
        }
    }
}

/// The track that the conclusion names; without one, the first that pictures were decoded of.
fn used_video<'a>(report: &QcReport, measurements: &'a Measurements) -> Option<&'a VideoMeasurement> {
    let tracks = &measurements.video;
    let stream = report.conclusion.as_ref().map(|conclusion| conclusion.video.stream);
    let named = tracks.iter().find(|track| Some(track.index) == stream);
    named.or_else(|| tracks.iter().find(|track| track.frames > 0)).or_else(|| tracks.first())
}

fn zero(video: Option<&VideoMeasurement>, measurements: &Measurements) -> f64 {
    let picture = video.filter(|video| video.frames > 0).map(|video| video.first_time);
    let picture = picture.filter(|time| time.is_finite());
    let sound = measurements.audio.iter().map(|track| track.first_time).filter(|time| time.is_finite());
    picture.or_else(|| sound.min_by(f64::total_cmp)).unwrap_or(0.0)
}

/// From where to where the time line goes. A track whose clock is far off may not squeeze the film to nothing: at most as
/// much again is shown before and after the picture.
fn bounds(video: Option<&VideoMeasurement>, measurements: &Measurements, zero: f64) -> (f64, f64) {
    let number = |time: f64| Some(time - zero).filter(|time| time.is_finite());
    let picture = video.filter(|video| video.frames > 0).and_then(|video| {
        let frame = video.average_frame_rate.value().filter(|rate| *rate > 0.0).map_or(0.0, f64::recip);
        let shown = video.picture.as_ref().and_then(|picture| number(picture.end));
        let last = number(video.last_time + frame);
        [shown, last].into_iter().flatten().max_by(f64::total_cmp)
    });
    let sounds = || measurements.audio.iter().filter(|track| track.samples > 0);
    let sound_from = sounds().filter_map(|track| number(track.first_time)).min_by(f64::total_cmp);
    let sound_to = sounds().filter_map(|track| number(track.end_time)).max_by(f64::total_cmp);
    let known = [picture, sound_to, measurements.header_duration];
    let Some(length) = known.into_iter().flatten().find(|length| *length > 0.0 && length.is_finite()) else {
        return (0.0, 0.0);
    };
    let from = sound_from.map_or(0.0, |time| time.clamp(-length, 0.0));
    let to = sound_to.map_or(length, |time| time.clamp(length, 2.0 * length));
    if (to - from).is_finite() { (from, to) } else { (0.0, 0.0) }
}

/// Frames a second for time codes: what the conclusion says, or, of a rejected film, what the header says, unless it is the
/// rate that was rejected.
fn rate(report: &QcReport, video: Option<&VideoMeasurement>) -> Option<u32> {
    if let Some(conclusion) = &report.conclusion {
        return Some(conclusion.video.frame_rate);
    }
    let of_rate = [Code::QcFrameRateFractional, Code::QcFrameRateVariable, Code::QcTimestamps];
    if report.checks.iter().any(|check| check.verdict != Verdict::Pass && of_rate.contains(&check.code)) {
        return None;
    }
    let stated = video?.average_frame_rate.value()?;
    (stated.fract() == 0.0 && (1.0..=1000.0).contains(&stated)).then_some(stated as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_time_line_is_the_pictures_and_what_sound_is_beside_it() {
        let mut measurements = sample::clean();
        let report = sample::report(&measurements);
        let film = Film::of(&report, &measurements);
        assert_eq!((film.from, film.to), (0.0, 10.0));
        measurements.video[0].first_time = 5.0;
        measurements.video[0].last_time += 5.0;
        let film = Film::of(&report, &measurements);
        assert_eq!((film.from, film.to), (-5.0, 10.0));
        assert_eq!((film.time(6.0), film.share(2.5)), (Some(1.0), 0.5));
    }

    #[test]
    fn a_clock_that_is_far_off_does_not_squeeze_the_film() {
        let mut measurements = sample::clean();
        measurements.audio[0].end_time = 1e9;
        measurements.audio[0].first_time = -1e9;
        let report = sample::report(&measurements);
        let film = Film::of(&report, &measurements);
        assert_eq!((film.from, film.to), (-10.0, 20.0));
    }

    #[test]
    fn without_a_length_there_is_no_time_line() {
        let mut measurements = sample::clean();
        measurements.video[0].last_time = f64::INFINITY;
        measurements.video[0].picture = None;
        measurements.audio.clear();
        measurements.header_duration = Some(f64::NAN);
        let report = sample::report(&measurements);
        let film = Film::of(&report, &measurements);
        assert_eq!((film.length(), film.share(3.0)), (0.0, 0.0));
    }
}
