//! Pictures at the findings: of which moments there should be some, and how the page carries them.
//!
//! Which frames show what is wrong is said here; a media process takes them from the film.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reelfarm_model::Code;
use reelfarm_model::measurement::Measurements;
use reelfarm_model::qc::{Check, Place, QcReport, Verdict};

use super::film::Film;
use super::findings::worst_first;

/// The most pictures of a page.
const MOST_PICTURES: usize = 24;
/// The most pictures of a check.
const MOST_OF_A_CHECK: usize = 3;

/// What the film shows at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacePicture {
    /// When, in milliseconds from the first picture on: one of the moments that were asked for.
    pub time_ms: i64,
    /// The width in samples, which are square.
    pub width: u32,
    /// The height in samples.
    pub height: u32,
    /// The picture as a JPEG file.
    pub jpeg: Vec<u8>,
}

/// The pictures that a page should have.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The video track, by its index in the container.
    pub stream: u32,
    /// When, the worst findings first: at most 24, none twice.
    pub moments: Vec<Moment>,
}

/// A moment of a film.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// In milliseconds from the first picture on.
    pub time_ms: i64,
    /// In seconds of the container's timeline.
    pub container_s: f64,
}

/// The pictures that the page of a report should have: up to three at the places of each check that did not pass and of which
/// a picture shows something; `None` where there are none to be had. `measurements` are those that the report was drawn from.
pub fn wanted(report: &QcReport, measurements: &Measurements) -> Option<Wanted> {
    let film = Film::of(report, measurements);
    let stream = film.video.filter(|video| video.frames > 0)?.index;
    let mut moments: Vec<Moment> = Vec::new();
    for time_ms in worst_first(&film).into_iter().flat_map(|check| times(&film, check)) {
        let is_known = moments.iter().any(|moment| moment.time_ms == time_ms);
        if let Some(container_s) = film.container(time_ms as f64 / 1000.0).filter(|_| !is_known) {
            moments.push(Moment { time_ms, container_s });
        }
    }
    moments.truncate(MOST_PICTURES);
    (!moments.is_empty()).then_some(Wanted { stream, moments })
}

/// When pictures show what a check found, in milliseconds from the first picture on.
pub(super) fn times(film: &Film<'_>, check: &Check) -> Vec<i64> {
    if check.verdict == Verdict::Pass || !is_seen(check.code) {
        return Vec::new();
    }
    if check.places.is_empty() {
        return throughout(film, check.code).into_iter().collect();
    }
    check.places.iter().take(MOST_OF_A_CHECK).map(middle).filter(|time| *time >= 0).collect()
}

/// The middle of a place.
pub(super) fn middle(place: &Place) -> i64 {
    i64::midpoint(place.start_ms, place.end_ms.max(place.start_ms))
}

/// Whether a picture shows what checks with this code look at.
const fn is_seen(code: Code) -> bool {
    matches!(
        code,
        Code::QcDecodeErrors
            | Code::QcProportions
            | Code::QcBlack
            | Code::QcFreeze
            | Code::QcBars
            | Code::QcInterlacing
            | Code::QcRepeatedFields
            | Code::QcRepeatedFrames
            | Code::QcFlashes
            | Code::QcLumaRange
            | Code::QcDetail
            | Code::QcCompression
    )
}

/// The middle of the film, for what is seen in each of its pictures.
fn throughout(film: &Film<'_>, code: Code) -> Option<i64> {
    let is_throughout =
        matches!(code, Code::QcProportions | Code::QcBars | Code::QcInterlacing | Code::QcDetail);
    let video = film.video.filter(|_| is_throughout)?;
    let (first, last) = (film.time(video.first_time)?, film.time(video.last_time)?);
    Some((f64::midpoint(first, last) * 1000.0) as i64).filter(|time| *time >= 0)
}

/// The picture as the address of an image that needs no other file.
pub(super) fn data_uri(picture: &PlacePicture) -> String {
    format!("data:image/jpeg;base64,{}", STANDARD.encode(&picture.jpeg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn check(code: Code, verdict: Verdict, places: &[(i64, i64)]) -> Check {
        let place = |(start_ms, end_ms): &(i64, i64)| Place {
            start_ms: *start_ms,
            end_ms: *end_ms,
            time_code: "x".to_owned(),
        };
        Check {
            code,
            name: "check".to_owned(),
            verdict,
            value: String::new(),
            limit: String::new(),
            remedy: String::new(),
            places: places.iter().map(place).collect(),
        }
    }

    /// The moments of a film whose first picture is at 5 s of its container.
    fn moments(checks: Vec<Check>) -> Vec<(i64, f64)> {
        let mut film = sample::clean();
        film.video[0].first_time += 5.0;
        film.video[0].last_time += 5.0;
        let report = QcReport { checks, ..sample::report(&film) };
        let wanted = wanted(&report, &film);
        let moments = wanted.iter().flat_map(|wanted| &wanted.moments);
        moments.map(|moment| (moment.time_ms, moment.container_s)).collect()
    }

    #[test]
    fn a_place_is_shown_by_its_middle_and_a_moment_by_itself() {
        let black = check(Code::QcBlack, Verdict::Warn, &[(1000, 4000)]);
        let error = check(Code::QcDecodeErrors, Verdict::Reject, &[(4250, 4250)]);
        assert_eq!(moments(vec![black, error]), [(4250, 9.25), (2500, 7.5)], "the worst first");
    }

    #[test]
    fn what_passes_or_is_heard_has_no_picture() {
        let passed = check(Code::QcBlack, Verdict::Pass, &[(1000, 4000)]);
        let heard = check(Code::QcSilence, Verdict::Warn, &[(1000, 4000)]);
        let before = check(Code::QcDecodeErrors, Verdict::Warn, &[(-80, -80)]);
        assert_eq!(moments(vec![passed, heard, before]), []);
    }

    #[test]
    fn what_is_seen_throughout_is_shown_once_by_the_middle_of_the_film() {
        let checks = [Code::QcBars, Code::QcDetail].map(|code| check(code, Verdict::Warn, &[]));
        assert_eq!(moments(checks.to_vec()), [(4980, 9.98)]);
        assert_eq!(moments(vec![check(Code::QcCompression, Verdict::Warn, &[])]), []);
    }

    #[test]
    fn pictures_are_few() {
        let places: Vec<_> = (0..20).map(|second| (second * 1000, second * 1000)).collect();
        assert_eq!(moments(vec![check(Code::QcBlack, Verdict::Warn, &places)]).len(), MOST_OF_A_CHECK);
        let many = (0..20).map(|number| {
            check(Code::QcFreeze, Verdict::Warn, &[(number, number), (90 + number, 90 + number)])
        });
        assert_eq!(moments(many.collect()).len(), MOST_PICTURES);
        let wide = check(Code::QcFreeze, Verdict::Warn, &[(0, i64::MAX), (i64::MIN, i64::MAX)]);
        assert_eq!(moments(vec![wide]).len(), 2, "nothing overflows");
    }

    #[test]
    fn a_file_without_pictures_has_none() {
        let mut film = sample::clean();
        film.video[0].frames = 0;
        let report = QcReport {
            checks: vec![check(Code::QcDecodeErrors, Verdict::Reject, &[(0, 0)])],
            ..sample::report(&film)
        };
        assert_eq!(wanted(&report, &film), None);
    }
}
