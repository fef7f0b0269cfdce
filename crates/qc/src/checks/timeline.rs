//! Where something is in the film, as people find it again: from the first picture on.

use reelfarm_model::measurement::{Measurements, Span, VideoMeasurement};
use reelfarm_model::qc::Place;

use crate::text::time_code;

/// Places that a check names: enough to see what is wrong, few enough to look at.
const MOST_PLACES: usize = 20;

/// The film's own time, which begins with its first picture; with its first sound where there is no picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    first: f64,
    rate: Option<u32>,
}

impl Timeline {
    /// The time of this film, at `rate` frames a second where it is known.
    pub(crate) fn of(
        measurements: &Measurements,
        video: Option<&VideoMeasurement>,
        rate: Option<u32>,
    ) -> Self {
        let sound = measurements.audio.iter().filter(|track| track.samples > 0).map(|track| track.first_time);
        let first = video
            .map(|video| video.first_time)
            .or_else(|| sound.reduce(f64::min))
            .filter(|first| first.is_finite())
            .unwrap_or(0.0);
        Self { first, rate }
    }

    /// A time of the container's timeline, in seconds, as a time code.
    pub(crate) fn time_code(self, time: f64) -> String {
        time_code(time - self.first, self.rate)
    }

    /// A moment of the container's timeline, where it is known.
    pub(crate) fn moment(self, time: Option<f64>) -> Vec<Place> {
        time.map(|time| Span { start: time, end: time }).iter().filter_map(|span| self.place(span)).collect()
    }

    /// The first of these stretches of the container's timeline.
    pub(crate) fn places<'a>(self, spans: impl IntoIterator<Item = &'a Span>) -> Vec<Place> {
        let mut known: Vec<&Span> = spans.into_iter().filter(|span| span.start.is_finite()).collect();
        known.sort_by(|a, b| a.start.total_cmp(&b.start));
        known.into_iter().take(MOST_PLACES).filter_map(|span| self.place(span)).collect()
    }

    fn place(self, span: &Span) -> Option<Place> {
        let milliseconds = |time: f64| ((time - self.first) * 1000.0).round() as i64;
        span.start.is_finite().then(|| Place {
            start_ms: milliseconds(span.start),
            end_ms: milliseconds(if span.end >= span.start { span.end } else { span.start }),
            time_code: self.time_code(span.start),
        })
    }
}

/// The longest of some stretches.
pub(crate) fn longest(spans: &[Span]) -> Option<Span> {
    spans.iter().copied().max_by(|a, b| (a.end - a.start).total_cmp(&(b.end - b.start)))
}

/// Those that last longer, in seconds.
pub(crate) fn longer_than(spans: &[Span], seconds: f64) -> Vec<Span> {
    spans.iter().copied().filter(|span| super::exceeds(span.end - span.start, seconds)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn places_count_from_the_first_picture() {
        let mut film = sample::clean();
        film.video[0].first_time = 10.0;
        let timeline = Timeline::of(&film, film.video.first(), Some(25));
        let spans = [Span { start: 15.0, end: 16.5 }, Span { start: 12.04, end: 12.04 }];
        let places = timeline.places(&spans);
        let shown: Vec<_> =
            places.iter().map(|place| (place.start_ms, place.end_ms, place.time_code.as_str())).collect();
        assert_eq!(shown, [(2040, 2040, "00:00:02:01"), (5000, 6500, "00:00:05:00")]);
        assert_eq!(timeline.moment(Some(9.0))[0].time_code, "-00:00:01.000");
        assert!(timeline.moment(None).is_empty());
    }

    #[test]
    fn without_pictures_the_sound_begins_the_film() {
        let mut film = sample::clean();
        film.video.clear();
        film.audio[0].first_time = 3.0;
        let timeline = Timeline::of(&film, None, None);
        assert_eq!(timeline.time_code(4.5), "00:00:01.500");
    }

    #[test]
    fn few_places_are_named_and_none_that_is_nowhere() {
        let film = sample::clean();
        let timeline = Timeline::of(&film, film.video.first(), Some(25));
        let many: Vec<_> =
            (0..100).map(|second| Span { start: f64::from(second), end: f64::from(second) + 0.5 }).collect();
        assert_eq!(timeline.places(&many).len(), MOST_PLACES);
        let nowhere = [Span { start: f64::NAN, end: 1.0 }, Span { start: 2.0, end: f64::NAN }];
        let places = timeline.places(&nowhere);
        assert_eq!(
            places.iter().map(|place| (place.start_ms, place.end_ms)).collect::<Vec<_>>(),
            [(2000, 2000)]
        );
    }
}
