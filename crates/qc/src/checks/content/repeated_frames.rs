//! Was the frame rate reached by showing frames twice.
//!
//! A machine that repeats frames never loses step; hands that hold drawings do. So a conversion is told by how much of the
//! film follows one pattern, for how long without a break, and by the rate that results: nobody films 12 pictures a second,
//! but many draw them.

use reelfarm_model::Code;
use reelfarm_model::measurement::picture::{Cadence as Repeats, CadencePattern};
use reelfarm_model::qc::Check;

use super::percent;
use crate::checks::Finding;
use crate::checks::frame_rate::Cadence;
use crate::policy::RepeatedFrames;
use crate::text::{count, decimal, span};

/// Rates that pictures are filmed at, and their NTSC neighbours.
const FILMED: [f64; 8] =
    [24.0, 24_000.0 / 1_001.0, 25.0, 30.0, 30_000.0 / 1_001.0, 48.0, 50.0, 60_000.0 / 1_001.0];
/// How far a rate may be from one of them, as a share of it: 24 and 23.976 are told apart.
const SAME: f64 = 0.0004;

/// Whether a machine repeated frames to reach the frame rate.
pub(super) fn repeated_frames(policy: &RepeatedFrames, repeats: &Repeats, cadence: Cadence) -> Check {
    let limit = format!("no pattern in {} % and more of what moves", decimal(policy.min_share_percent, 1));
    let finding = |value: String| Finding::new(Code::QcRepeatedFrames, "repeated frames", value, limit);
    let share = percent(repeats.repeats as f64, repeats.moving_frames as f64);
    let Some(pattern) = repeats.patterns.first() else {
        return finding(format!("{} % of moving frames, no pattern", decimal(share, 1))).pass();
    };
    let value = describe(pattern, repeats, cadence);
    let is_throughout = percent(pattern.seconds, repeats.judged_seconds) >= policy.min_share_percent
        && pattern.longest >= policy.min_stretch_s;
    let filmed = cadence.rate().and_then(|rate| filmed(pattern, rate));
    match filmed.filter(|_| is_throughout) {
        None => finding(value).pass(),
        Some(_) if pattern.period.is_multiple_of(pattern.pictures.max(1)) => finding(value).fail(
            policy.even_verdict,
            "Each picture is shown more than once: this is a film of the lower rate, and every rendition pays for frames that show nothing new. Ask for the master at its own rate.",
        ),
        Some(rate) => finding(value).fail(
            policy.uneven_verdict,
            format!(
                "Movement stutters, because some pictures are shown longer than others. Ask for the master at its own rate, about {} frames a second.",
                decimal(rate, 3)
            ),
        ),
    }
}

fn describe(pattern: &CadencePattern, repeats: &Repeats, cadence: Cadence) -> String {
    let rates = cadence.rate().map_or_else(String::new, |rate| {
        format!(", {} a second", decimal(pictures_a_second(pattern, rate), 3))
    });
    format!(
        "{} in {} frames{rates}, in {} % of what moves, {} without a break",
        count(pattern.pictures.into(), "new picture"),
        pattern.period,
        decimal(percent(pattern.seconds, repeats.judged_seconds), 1),
        span(pattern.longest)
    )
}

fn pictures_a_second(pattern: &CadencePattern, rate: f64) -> f64 {
    rate * f64::from(pattern.pictures) / f64::from(pattern.period.max(1))
}

/// The rate that the pictures were filmed at, where it is one that films have.
fn filmed(pattern: &CadencePattern, rate: f64) -> Option<f64> {
    let pictures = pictures_a_second(pattern, rate);
    FILMED.into_iter().find(|filmed| (filmed - pictures).abs() <= filmed * SAME)
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::Ratio;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    /// A minute at a rate, of which so many seconds follow a pattern, so many without a break.
    fn patterned(film: &mut Measurements, rate: i64, pictures: u32, period: u32, seconds: f64, longest: f64) {
        *film = sample::at_rate(Ratio::new(rate, 1), 60.0);
        let cadence = &mut film.video[0].picture.as_mut().unwrap().cadence;
        cadence.judged_seconds = 60.0;
        cadence.patterns = vec![CadencePattern { period, pictures, seconds, longest, regularity: 0.98 }];
    }

    #[test]
    fn a_machines_repeats_are_told_from_a_hands() {
        sample::table(
            "repeated frames",
            &[
                (Verdict::Pass, "0 % of moving frames, no pattern", &|_| {}),
                (
                    Verdict::Reject,
                    "24 new pictures in 25 frames, 24 a second, in 100 % of what moves",
                    &|m| {
                        patterned(m, 25, 24, 25, 60.0, 60.0);
                    },
                ),
                (Verdict::Reject, "4 new pictures in 5 frames, 24 a second", &|m| {
                    patterned(m, 30, 4, 5, 60.0, 60.0);
                }),
                (Verdict::Reject, "2 new pictures in 5 frames, 24 a second", &|m| {
                    patterned(m, 60, 2, 5, 60.0, 60.0);
                }),
                (Verdict::Reject, "12 new pictures in 25 frames, 24 a second", &|m| {
                    patterned(m, 50, 12, 25, 60.0, 60.0);
                }),
                (Verdict::Warn, "1 new picture in 2 frames, 25 a second", &|m| {
                    patterned(m, 50, 1, 2, 60.0, 60.0);
                }),
                (Verdict::Warn, "1 new picture in 2 frames, 30 a second", &|m| {
                    patterned(m, 60, 1, 2, 60.0, 60.0);
                }),
                (Verdict::Pass, "1 new picture in 2 frames, 12 a second", &|m| {
                    patterned(m, 24, 1, 2, 60.0, 60.0);
                }),
                (Verdict::Pass, "1 new picture in 2 frames, 12.5 a second", &|m| {
                    patterned(m, 25, 1, 2, 60.0, 60.0);
                }),
                (Verdict::Reject, "in 80 % of what moves, 10 s without", &|m| {
                    patterned(m, 25, 24, 25, 48.0, 10.0);
                }),
                (Verdict::Pass, "in 79 % of what moves", &|m| patterned(m, 25, 24, 25, 47.4, 30.0)),
                (Verdict::Pass, "9 s without a break", &|m| patterned(m, 25, 24, 25, 60.0, 9.0)),
            ],
        );
    }

    #[test]
    fn without_a_rate_nothing_is_said_of_the_pictures() {
        let mut film = sample::clean();
        patterned(&mut film, 25, 24, 25, 60.0, 60.0);
        let repeats = &film.video[0].picture.as_ref().unwrap().cadence;
        let check = repeated_frames(&sample::policy().repeated_frames, repeats, Cadence::Variable);
        assert_eq!(check.verdict, Verdict::Pass);
        assert!(check.value.starts_with("24 new pictures in 25 frames, in 100 %"), "{}", check.value);
    }
}
