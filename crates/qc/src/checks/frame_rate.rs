//! Is the frame rate constant and one of the accepted integral rates. The time stamps decide, not the header.
//!
//! A frame's place at a constant rate is `first + index / rate`, so the distance of the measured times from their
//! places does not add up rounding errors, and a rate that is only nearly right drifts away from it without bound:
//! 23.976 leaves the places of 24 by 1 ms every second. What remains at the true rate is the clock's own tick and the
//! rounding of whatever wrote the file.
//!
//! Frames that keep a steady distance at a rate that was not measured are held against their mean rate in the same way.

use std::ops::RangeInclusive;

use reelfarm_model::Code;
use reelfarm_model::measurement::{Ratio, VideoMeasurement};
use reelfarm_model::qc::Check;

use super::Finding;
use crate::policy::{self, INTEGRAL_RATES};
use crate::text::{decimal, list, span};

/// No frame may lie further from its place than this share of the distance between frames, however coarse the clock.
const MOST_OF_A_FRAME: f64 = 0.25;

/// Rates that a header can mean, in frames per second. Where a stream states only the unit of its times, FFmpeg gives that.
const STATED: RangeInclusive<f64> = 1.0..=480.0;

/// How frames follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cadence {
    /// At one of the rates that were measured, each frame at its place.
    Constant {
        /// Frames per second.
        rate: Ratio,
        /// The largest distance of a frame from its place, in seconds.
        deviation: f64,
    },
    /// At a steady distance, but at no rate that was measured.
    Steady {
        /// Frames per second.
        rate: f64,
    },
    /// At changing distances.
    Variable,
    /// There are too few frames to tell.
    Unknown,
}

impl Cadence {
    /// How the frames of this track follow each other.
    pub(crate) fn of(policy: &policy::FrameRate, video: &VideoMeasurement) -> Self {
        if video.frames < 2 {
            return Self::Unknown;
        }
        let clock = Clock::of(policy, video);
        if let Some((rate, deviation)) = clock.best_fit(video) {
            return Self::Constant { rate, deviation };
        }
        match clock.steady_rate(video) {
            Some(rate) => Self::Steady { rate },
            None => Self::Variable,
        }
    }

    /// Frames per second, where they are steady.
    pub(crate) fn rate(self) -> Option<f64> {
        match self {
            Self::Constant { rate, .. } => rate.value(),
            Self::Steady { rate } => Some(rate),
            Self::Variable | Self::Unknown => None,
        }
    }

    /// Frames per second, where they are constant and integral.
    pub(crate) fn integral(self) -> Option<u32> {
        let Self::Constant { rate, .. } = self else { return None };
        INTEGRAL_RATES.into_iter().find(|integral| {
            i128::from(rate.numerator) == i128::from(rate.denominator) * i128::from(*integral)
        })
    }
}

/// How exactly a track's time stamps can tell time, in seconds.
struct Clock {
    tick: f64,
    rounding: f64,
    /// Every frame is as many ticks after the one before.
    is_regular: bool,
}

impl Clock {
    fn of(policy: &policy::FrameRate, video: &VideoMeasurement) -> Self {
        let tick = video.time_base.value().filter(|tick| tick.is_finite() && *tick > 0.0).unwrap_or(0.001);
        let is_regular = video.intervals.len() == 1;
        Self { tick, rounding: policy.time_stamp_rounding_ms / 1000.0, is_regular }
    }

    /// How far a frame may lie from its place, at a distance between frames. A tick as long as a frame or nearly so, as AVI
    /// and MXF have it, counts frames and rounds nothing.
    fn tolerance(&self, distance: f64) -> f64 {
        let most = distance * MOST_OF_A_FRAME;
        let tick = if self.is_regular && self.tick > most { 0.0 } else { self.tick };
        (tick + self.rounding).min(most)
    }

    /// The measured rate whose places the frames keep best. On a film of a second or so two neighbours can fit alike
    /// within the clock's own step; then the header's word counts.
    fn best_fit(&self, video: &VideoMeasurement) -> Option<(Ratio, f64)> {
        let fits: Vec<_> = video
            .grid
            .iter()
            .filter_map(|fit| {
                let rate = fit.rate.value().filter(|rate| rate.is_finite() && *rate > 0.0)?;
                (fit.largest_deviation >= 0.0 && fit.largest_deviation <= self.tolerance(1.0 / rate))
                    .then_some((fit.rate, fit.largest_deviation))
            })
            .collect();
        let best = fits.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let alike = best.1 + self.tick.min(self.rounding);
        let stated = fits.iter().copied().find(|(rate, deviation)| {
            *deviation <= alike && same_rate(rate.value(), video.header_frame_rate.value())
        });
        Some(stated.unwrap_or(best))
    }

    /// The mean rate, where every distance between neighbours was counted and lies close to the mean, and every frame close
    /// to its place.
    fn steady_rate(&self, video: &VideoMeasurement) -> Option<f64> {
        let mean = (video.last_time - video.first_time) / (video.frames - 1) as f64;
        if !mean.is_finite() || mean <= 0.0 {
            return None;
        }
        let counted = video.intervals.iter().fold(0_u64, |sum, interval| sum.saturating_add(interval.count));
        let close = |ticks: i64| (ticks as f64 * self.tick - mean).abs() <= self.tolerance(mean);
        let steady =
            counted == video.frames - 1 && video.intervals.iter().all(|interval| close(interval.ticks));
        let in_place = video.mean_deviation.is_none_or(|deviation| deviation <= self.tolerance(mean));
        (steady && in_place).then_some(1.0 / mean)
    }

    /// Whether frames last two fields or three, as flags that repeat a field leave them, and nothing else.
    fn is_soft_telecine(&self, video: &VideoMeasurement) -> bool {
        let Some(usual) = video.intervals.first().map(|interval| interval.ticks as f64) else { return false };
        [usual / 2.0, usual / 3.0].into_iter().any(|field| {
            let of_fields = |ticks: i64| {
                let near = |fields: f64| {
                    (ticks as f64 - fields * field).abs() * self.tick <= self.tolerance(usual * self.tick)
                };
                [2.0, 3.0].into_iter().position(near)
            };
            let lengths: Vec<_> = video.intervals.iter().map(|interval| of_fields(interval.ticks)).collect();
            [Some(0), Some(1)].iter().all(|length| lengths.contains(length)) && !lengths.contains(&None)
        })
    }
}

/// Whether the rate is constant.
pub(crate) fn constant(policy: &policy::FrameRate, video: &VideoMeasurement, cadence: Cadence) -> Check {
    let clock = Clock::of(policy, video);
    let limit = format!("at most {} off", span(clock.tolerance(video_distance(video, cadence))));
    let finding = |value| Finding::new(Code::QcFrameRateVariable, "constant rate", value, limit);
    match cadence {
        Cadence::Constant { deviation, .. } => {
            finding(format!("frames up to {} off their places", span(deviation))).pass()
        }
        Cadence::Steady { .. } => finding(format!("steady: {}", intervals(&clock, video))).pass(),
        Cadence::Variable if clock.is_soft_telecine(video) => {
            let distances = intervals(&clock, video);
            finding(format!("variable: {distances}, two fields or three, as soft telecine leaves them")).reject(
                "Flags repeat fields to make a film fit a higher rate: ask for the film's own frames, at a constant rate.",
            )
        }
        Cadence::Variable | Cadence::Unknown => finding(format!("variable: {}", intervals(&clock, video))).reject(
            "Ask for an export at a constant frame rate. Phones and screen recorders write variable ones unless told otherwise.",
        ),
    }
}

fn video_distance(video: &VideoMeasurement, cadence: Cadence) -> f64 {
    let mean = (video.last_time - video.first_time) / (video.frames.max(2) - 1) as f64;
    cadence.rate().map_or(mean.abs(), |rate| 1.0 / rate)
}

fn intervals(clock: &Clock, video: &VideoMeasurement) -> String {
    let ticks = video.intervals.iter().map(|interval| interval.ticks);
    let (Some(least), Some(most), Some(usual)) =
        (ticks.clone().min(), ticks.max(), video.intervals.first().map(|interval| interval.ticks))
    else {
        return "distances between frames not known".to_owned();
    };
    // As many decimals as tell them apart.
    let shown = |ticks: i64, decimals: usize| match ticks as f64 * clock.tick {
        seconds if seconds.abs() < 1.0 => format!("{} ms", decimal(seconds * 1000.0, decimals)),
        seconds => span(seconds),
    };
    let decimals = (1..3).find(|decimals| shown(least, *decimals) != shown(most, *decimals)).unwrap_or(3);
    let shown = |ticks: i64| shown(ticks, decimals);
    if shown(least) == shown(most) {
        return format!("{} between frames", shown(usual));
    }
    format!("{} to {} between frames, mostly {}", shown(least), shown(most), shown(usual))
}

/// Whether the rate is accepted; to be asked only where it is constant.
pub(crate) fn accepted(policy: &policy::FrameRate, video: &VideoMeasurement, cadence: Cadence) -> Check {
    let rates: Vec<_> = policy.accepted_fps.iter().map(u32::to_string).collect();
    let shown = match cadence {
        Cadence::Constant { rate, .. } => rate_name(rate),
        _ => cadence.rate().map_or_else(|| "not known".to_owned(), |rate| mean_name(video, rate)),
    };
    let lie = lie(video, cadence);
    let value = match &lie {
        Some(lie) => format!("{shown}; {lie}"),
        None => shown,
    };
    let finding = Finding::new(Code::QcFrameRateFractional, "frame rate", value, list(&rates, "or"));
    match cadence.integral().filter(|rate| policy.accepted_fps.contains(rate)) {
        None => finding.reject(
            "Ask for the master at one of these rates. Do not change the number in the header: the frames stay where they are.",
        ),
        Some(rate) if lie.is_some() => finding.fail(
            policy.header_verdict,
            format!("The farm goes by the time stamps, so by {rate}. Check that the film runs at its right speed."),
        ),
        Some(_) => finding.pass(),
    }
}

/// What a header says that contradicts the time stamps. Interlaced video may state its field rate.
fn lie(video: &VideoMeasurement, cadence: Cadence) -> Option<String> {
    let measured = cadence.rate()?;
    let is_stated = |ratio: &Ratio| ratio.value().is_some_and(|value| STATED.contains(&value));
    let agrees = |stated: Ratio| {
        same_rate(stated.value(), Some(measured))
            || (video.interlaced_frames > 0 && same_rate(stated.value(), Some(2.0 * measured)))
    };
    // Where the container states only one of them, FFmpeg guesses the other.
    let container: Vec<_> =
        [video.header_frame_rate, video.average_frame_rate].into_iter().filter(is_stated).collect();
    if let Some(stated) = container.first().filter(|_| !container.iter().copied().any(agrees)) {
        return Some(format!("the header says {}", rate_name(*stated)));
    }
    let codec = video.codec_frame_rate.filter(is_stated).filter(|stated| !agrees(*stated))?;
    Some(format!("the codec's own header says {}", rate_name(codec)))
}

/// Rates closer than half of what lies between 23.976 and 24 are the same.
fn same_rate(a: Option<f64>, b: Option<f64>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a > 0.0 && (a - b).abs() <= a * 0.0005)
}

/// The rate's name: `25`, `12.5`, `29.97 (30000/1001)`.
fn rate_name(rate: Ratio) -> String {
    let Some(value) = rate.value() else { return "not stated".to_owned() };
    let short = decimal(value, 3);
    if rate.denominator == 1001 {
        format!(
            "{} ({}/{})",
            decimal(value, if value < 24.0 { 3 } else { 2 }),
            rate.numerator,
            rate.denominator
        )
    } else {
        short
    }
}

/// The name of a rate that only the mean is known of: as exact as the film's length allows. It is none of those that were
/// measured, however near.
fn mean_name(video: &VideoMeasurement, rate: f64) -> String {
    let error = 0.002 / (video.last_time - video.first_time);
    let is_measured = |name: f64| {
        video.grid.iter().filter_map(|fit| fit.rate.value()).any(|measured| (measured - name).abs() < 1e-7)
    };
    let near = |candidate: f64| (candidate - rate).abs() <= rate * error && !is_measured(candidate);
    let halves = (rate * 2.0).round() / 2.0;
    let thousands = (rate * 1.001).round();
    if near(halves) {
        decimal(halves, 1)
    } else if near(thousands / 1.001) {
        rate_name(Ratio::new(thousands as i64 * 1000, 1001))
    } else {
        // As many decimals as the clock can tell, and as it takes to be none of the others.
        let tick = video.time_base.value().filter(|tick| *tick > 0.0).unwrap_or(0.001);
        let told = rate * 2.0 * tick / (video.last_time - video.first_time);
        let is_told = |decimals: &usize| 10_f64.powi(-(*decimals as i32)) >= told;
        let fewest = (3..=7).rev().find(is_told).unwrap_or(3);
        let is_another = |name: &String| name.parse().is_ok_and(|name| !is_measured(name));
        let name = (fewest..=7).map(|decimals| decimal(rate, decimals)).find(is_another);
        format!("about {}", name.unwrap_or_else(|| decimal(rate, 7)))
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::measurement::{GridFit, IntervalCount, Measurements};
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample::{self, NTSC_FILM};

    fn rate_of(measurements: &Measurements) -> (Verdict, String) {
        let report = sample::report(measurements);
        let check = sample::check(&report, "frame rate");
        (check.verdict, check.value.clone())
    }

    #[test]
    fn each_integral_rate_passes_and_its_fractional_neighbour_does_not() {
        for integral in INTEGRAL_RATES {
            let measurements = sample::at_rate(Ratio::new(i64::from(integral), 1), 10.0);
            assert_eq!(rate_of(&measurements), (Verdict::Pass, integral.to_string()));
            assert_eq!(sample::report(&measurements).conclusion.unwrap().video.frame_rate, integral);
        }
        for (rate, name) in [
            (Ratio::new(24000, 1001), "23.976 (24000/1001)"),
            (Ratio::new(30000, 1001), "29.97 (30000/1001)"),
            (Ratio::new(60000, 1001), "59.94 (60000/1001)"),
            (Ratio::new(25, 2), "12.5"),
            (Ratio::new(15, 1), "15"),
            (Ratio::new(120, 1), "120"),
        ] {
            assert_eq!(rate_of(&sample::at_rate(rate, 10.0)), (Verdict::Reject, name.to_owned()));
        }
    }

    #[test]
    fn a_rate_that_no_grid_has_is_named_from_the_mean() {
        for (rate, name) in [
            (Ratio::new(25, 2), "12.5"),
            (Ratio::new(15000, 1001), "14.985 (15000/1001)"),
            (Ratio::new(2_500_050, 100_000), "about 25.0005"),
        ] {
            let mut measurements = sample::at_rate(rate, 3600.0);
            measurements.video[0].grid.retain(|fit| !same_rate(fit.rate.value(), rate.value()));
            assert_eq!(rate_of(&measurements), (Verdict::Reject, name.to_owned()));
            let report = sample::report(&measurements);
            assert_eq!(sample::check(&report, "constant rate").verdict, Verdict::Pass);
        }
    }

    #[test]
    fn matroska_rounding_to_milliseconds_still_tells_23_976_from_24() {
        for seconds in [3.0, 60.0, 7200.0] {
            for (rate, verdict) in [(Ratio::new(24, 1), Verdict::Pass), (NTSC_FILM, Verdict::Reject)] {
                let measurements = sample::rounded_to_milliseconds(rate, seconds);
                assert_eq!(rate_of(&measurements).0, verdict, "{seconds} s at {rate:?}");
            }
        }
    }

    #[test]
    fn the_time_stamps_decide_against_a_header_that_lies() {
        let mut slow = sample::at_rate(NTSC_FILM, 60.0);
        (slow.video[0].header_frame_rate, slow.video[0].average_frame_rate) =
            (Ratio::new(25, 1), Ratio::new(25, 1));
        assert_eq!(rate_of(&slow), (Verdict::Reject, "23.976 (24000/1001); the header says 25".to_owned()));

        let mut honest = sample::at_rate(Ratio::new(25, 1), 60.0);
        (honest.video[0].header_frame_rate, honest.video[0].average_frame_rate) = (NTSC_FILM, NTSC_FILM);
        assert_eq!(rate_of(&honest), (Verdict::Warn, "25; the header says 23.976 (24000/1001)".to_owned()));
        assert_eq!(sample::report(&honest).conclusion.unwrap().video.frame_rate, 25);

        let mut twice = sample::at_rate(Ratio::new(25, 1), 60.0);
        (twice.video[0].header_frame_rate, twice.video[0].average_frame_rate) =
            (Ratio::new(50, 1), Ratio::new(50, 1));
        twice.video[0].codec_frame_rate = Some(Ratio::new(50, 1));
        assert_eq!(rate_of(&twice).0, Verdict::Warn);
        twice.video[0].interlaced_frames = twice.video[0].frames;
        assert_eq!(rate_of(&twice), (Verdict::Pass, "25".to_owned()), "a field rate is no lie");

        let mut silent = sample::at_rate(Ratio::new(25, 1), 60.0);
        silent.video[0].header_frame_rate = Ratio::new(0, 0);
        silent.video[0].average_frame_rate = Ratio::new(0, 0);
        assert_eq!(rate_of(&silent).0, Verdict::Pass);
    }

    #[test]
    fn a_codecs_own_header_lies_as_well() {
        let mut film = sample::at_rate(Ratio::new(24, 1), 60.0);
        film.video[0].codec_frame_rate = Some(Ratio::new(25, 1));
        assert_eq!(rate_of(&film), (Verdict::Warn, "24; the codec's own header says 25".to_owned()));
        for silent in [None, Some(Ratio::new(0, 0)), Some(Ratio::new(90_000, 1)), Some(Ratio::new(24, 1))] {
            film.video[0].codec_frame_rate = silent;
            assert_eq!(rate_of(&film), (Verdict::Pass, "24".to_owned()), "{silent:?}");
        }
        // One of the container's two is right, the other was guessed.
        film.video[0].header_frame_rate = Ratio::new(90_000, 1);
        assert_eq!(rate_of(&film).0, Verdict::Pass);
        (film.video[0].header_frame_rate, film.video[0].average_frame_rate) =
            (Ratio::new(24, 1), Ratio::new(20, 1));
        assert_eq!(rate_of(&film).0, Verdict::Pass);
    }

    #[test]
    fn a_clock_of_frames_rounds_nothing() {
        // AVI at 14.985: after two seconds it is 2 ms off the places of 15.
        let mut film = sample::at_rate(Ratio::new(15_000, 1001), 2.0);
        film.video[0].time_base = Ratio::new(1001, 15_000);
        film.video[0].intervals = vec![IntervalCount { ticks: 1, count: film.video[0].frames - 1 }];
        assert_eq!(rate_of(&film), (Verdict::Reject, "14.985 (15000/1001)".to_owned()));
    }

    #[test]
    fn frames_that_wander_about_their_places_are_not_steady() {
        // The first half at 24, the second at 25: each distance is within a millisecond of the mean.
        let mut film = sample::at_rate(Ratio::new(49, 2), 4.0);
        film.video[0].grid.retain(|fit| fit.rate != Ratio::new(49, 2));
        film.video[0].mean_deviation = Some(0.04);
        let report = sample::report(&film);
        assert_eq!(sample::check(&report, "constant rate").verdict, Verdict::Reject);
        film.video[0].mean_deviation = Some(0.0005);
        assert_eq!(rate_of(&film), (Verdict::Reject, "24.5".to_owned()));
    }

    #[test]
    fn a_rate_beside_one_that_was_measured_does_not_get_its_name() {
        for (rate, seconds, name) in [
            (Ratio::new(2_500_050, 100_000), 60.0, "about 25.0005"),
            (Ratio::new(24_999, 1_000), 60.0, "about 24.999"),
            (Ratio::new(2_398, 100), 10.0, "about 23.98"),
            (Ratio::new(2_500_001, 100_000), 7200.0, "about 25.00001"),
        ] {
            let mut film = sample::at_rate(rate, seconds);
            film.video[0].grid.retain(|fit| fit.rate != rate);
            assert_eq!(rate_of(&film), (Verdict::Reject, name.to_owned()));
        }
    }

    #[test]
    fn soft_telecine_is_named() {
        let constant_rate = |intervals: &[(i64, u64)]| {
            let mut film = sample::clean();
            let video = &mut film.video[0];
            video.time_base = Ratio::new(1, 90_000);
            video.intervals = intervals
                .iter()
                .map(|(ticks, count)| IntervalCount { ticks: *ticks, count: *count })
                .collect();
            video.grid.iter_mut().for_each(|fit| fit.largest_deviation = 0.02);
            let report = sample::report(&film);
            let check = sample::check(&report, "constant rate");
            assert_eq!(check.verdict, Verdict::Reject);
            check.value.ends_with("two fields or three, as soft telecine leaves them")
        };
        assert!(constant_rate(&[(3003, 125), (4504, 63), (4505, 62)]), "2:3");
        assert!(constant_rate(&[(4505, 126), (3003, 124)]));
        assert!(constant_rate(&[(3600, 240), (5400, 10)]), "24 in 25");
        assert!(!constant_rate(&[(3600, 240), (7200, 10)]), "missing frames");
        assert!(!constant_rate(&[(3600, 240), (5400, 10), (7200, 1)]));
        assert!(!constant_rate(&[(3600, 240), (3750, 10)]));
    }

    #[test]
    fn the_header_breaks_the_tie_of_a_second_of_milliseconds() {
        let mut short = sample::rounded_to_milliseconds(Ratio::new(24, 1), 1.2);
        for fit in &mut short.video[0].grid {
            fit.largest_deviation =
                if fit.rate == Ratio::new(24, 1) { 0.0009 } else { fit.largest_deviation };
            fit.largest_deviation = if fit.rate == NTSC_FILM { 0.0008 } else { fit.largest_deviation };
        }
        short.video[0].header_frame_rate = Ratio::new(24, 1);
        assert_eq!(rate_of(&short).0, Verdict::Pass);
        short.video[0].header_frame_rate = NTSC_FILM;
        assert_eq!(rate_of(&short).0, Verdict::Reject);
    }

    #[test]
    fn a_variable_rate_is_named_with_its_range() {
        let mut measurements = sample::clean();
        let video = &mut measurements.video[0];
        video.time_base = Ratio::new(1, 90_000);
        video.intervals = vec![
            IntervalCount { ticks: 3000, count: video.frames - 5 },
            IntervalCount { ticks: 4500, count: 3 },
            IntervalCount { ticks: 1500, count: 1 },
        ];
        for fit in &mut video.grid {
            fit.largest_deviation = 0.02;
        }
        let report = sample::report(&measurements);
        let check = sample::check(&report, "constant rate");
        assert_eq!(check.verdict, Verdict::Reject);
        assert_eq!(check.value, "variable: 16.7 ms to 50 ms between frames, mostly 33.3 ms");
        assert!(report.checks.iter().all(|check| check.name != "frame rate"), "the rate has no name then");
    }

    #[test]
    fn half_a_frame_off_is_not_constant_and_a_tick_with_a_millisecond_is() {
        for (deviation, time_base, expected) in [
            (0.00104, Ratio::new(1, 25_000), Verdict::Pass),
            (0.00105, Ratio::new(1, 25_000), Verdict::Reject),
            (0.002, Ratio::new(1, 1000), Verdict::Pass),
            (0.0021, Ratio::new(1, 1000), Verdict::Reject),
            (0.02, Ratio::new(1, 25), Verdict::Reject),
            (0.0, Ratio::new(1, 25), Verdict::Pass),
            (f64::NAN, Ratio::new(1, 1000), Verdict::Reject),
            (-1.0, Ratio::new(1, 1000), Verdict::Reject),
        ] {
            let mut measurements = sample::clean();
            measurements.video[0].time_base = time_base;
            measurements.video[0].intervals.clear();
            measurements.video[0].grid =
                vec![GridFit { rate: Ratio::new(25, 1), largest_deviation: deviation }];
            let report = sample::report(&measurements);
            assert_eq!(sample::check(&report, "constant rate").verdict, expected, "{deviation}");
        }
    }

    #[test]
    fn a_gap_of_one_frame_is_not_steady() {
        let mut measurements = sample::clean();
        let video = &mut measurements.video[0];
        let usual = video.intervals[0];
        video.last_time += 0.04;
        video.intervals = vec![
            IntervalCount { count: usual.count - 1, ..usual },
            IntervalCount { ticks: usual.ticks * 2, count: 1 },
        ];
        for fit in &mut video.grid {
            fit.largest_deviation = fit.largest_deviation.max(0.04);
        }
        let report = sample::report(&measurements);
        assert_eq!(sample::check(&report, "constant rate").verdict, Verdict::Reject);
    }

    #[test]
    fn the_policy_can_narrow_the_rates() {
        let mut policy = sample::policy();
        policy.frame_rate.accepted_fps = vec![50];
        let report = crate::evaluate(&policy, &sample::clean(), &sample::ladder(), None);
        let check = sample::check(&report, "frame rate");
        assert_eq!(
            (check.verdict, check.value.as_str(), check.limit.as_str()),
            (Verdict::Reject, "25", "50")
        );
    }
}
