//! Are fields repeated, as telecine leaves them.
//!
//! A conversion shows single fields twice in a fixed pattern, by which it is told from fields that are alike by chance: only
//! the patterns of conversions that there are count.

use reelfarm_model::Code;
use reelfarm_model::measurement::picture::{Cadence as Repeats, CadencePattern};
use reelfarm_model::qc::Check;

use super::percent;
use crate::checks::frame_rate::Cadence;
use crate::checks::{Finding, exceeds};
use crate::policy;
use crate::text::decimal;

/// Fewer fields in motion prove nothing: two periods of the longest telecine.
const LEAST_FIELDS: u64 = 100;
/// New fields among how many, and the conversion that leaves them.
const CONVERSIONS: [(u32, u32, &str); 4] = [
    // 2:3, 2:3:3:2, and 3:2 from the other field on.
    (4, 5, "3:2 telecine"),
    (24, 25, "telecine from 24 to 25"),
    (960, 1001, "telecine from 23.976 to 25"),
    (5, 6, "telecine from 25 to 30"),
];

/// Whether fields return as telecine leaves them, in a film of this cadence.
pub(super) fn repeated_fields(policy: &policy::Fields, fields: &Repeats, cadence: Cadence) -> Check {
    let limit = format!("at most {} %", decimal(policy.max_repeated_percent, 1));
    let finding = |value: String| Finding::new(Code::QcRepeatedFields, "repeated fields", value, limit);
    if fields.moving_frames < LEAST_FIELDS {
        return finding("too little movement to tell".to_owned()).pass();
    }
    let found: Vec<_> =
        fields.patterns.iter().filter_map(|pattern| Some((pattern, conversion(pattern)?))).collect();
    // A picture has two fields.
    let repeated = |pattern: &CadencePattern| {
        2.0 * pattern.seconds * (1.0 - f64::from(pattern.pictures) / f64::from(pattern.period.max(1)))
    };
    let seconds: f64 = found.iter().map(|(pattern, _)| repeated(pattern)).sum();
    let share = percent(seconds, fields.judged_seconds);
    let value = format!("in {} % of pictures", decimal(share, 1));
    match found.first().filter(|_| exceeds(share, policy.max_repeated_percent)) {
        Some((pattern, conversion)) => finding(format!("{value}, as {conversion} leaves them")).fail(
            policy.repeated_verdict,
            format!(
                "A film was made to fit a higher rate by showing fields twice, which judders: ask for the master at its own rate{}.",
                own_rate(pattern, cadence)
            ),
        ),
        None => finding(value).pass(),
    }
}

fn conversion(pattern: &CadencePattern) -> Option<&'static str> {
    let is_of = |(new, all, _): &(u32, u32, &str)| {
        u64::from(pattern.pictures) * u64::from(*all) == u64::from(pattern.period) * u64::from(*new)
    };
    CONVERSIONS.iter().find(|conversion| is_of(conversion)).map(|(.., name)| *name)
}

fn own_rate(pattern: &CadencePattern, cadence: Cadence) -> String {
    let rate =
        cadence.rate().map(|rate| rate * f64::from(pattern.pictures) / f64::from(pattern.period.max(1)));
    rate.map_or_else(String::new, |rate| format!(", about {} frames a second", decimal(rate, 3)))
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::Ratio;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    /// A minute at a rate, of which so many seconds follow patterns.
    fn patterned(film: &mut Measurements, rate: i64, patterns: &[(u32, u32, f64)]) {
        *film = sample::at_rate(Ratio::new(rate, 1), 60.0);
        let pattern = |(pictures, period, seconds): &(u32, u32, f64)| CadencePattern {
            period: *period,
            pictures: *pictures,
            seconds: *seconds,
            longest: *seconds,
            regularity: 0.9,
        };
        film.video[0].picture.as_mut().unwrap().field_cadence =
            Repeats { patterns: patterns.iter().map(pattern).collect(), ..moving(60.0) };
    }

    fn moving(seconds: f64) -> Repeats {
        let moving_frames = (seconds * 50.0) as u64;
        Repeats { moving_frames, moving_seconds: seconds, judged_seconds: seconds, ..Repeats::default() }
    }

    #[test]
    fn telecine_is_told_by_its_pattern() {
        sample::table(
            "repeated fields",
            &[
                (Verdict::Pass, "in 0 % of pictures", &|_| {}),
                (Verdict::Warn, "in 40 % of pictures, as 3:2 telecine leaves them", &|m| {
                    patterned(m, 30, &[(4, 5, 60.0)]);
                }),
                (Verdict::Warn, "in 40 % of pictures, as 3:2 telecine", &|m| {
                    patterned(m, 30, &[(8, 10, 60.0)]);
                }),
                (Verdict::Warn, "in 40 % of pictures, as 3:2 telecine", &|m| {
                    patterned(m, 30, &[(4, 5, 40.0), (8, 10, 20.0)]);
                }),
                (Verdict::Warn, "in 8 % of pictures, as telecine from 24 to 25", &|m| {
                    patterned(m, 25, &[(24, 25, 60.0)]);
                }),
                (Verdict::Warn, "as telecine from 24 to 25", &|m| patterned(m, 25, &[(48, 50, 60.0)])),
                (Verdict::Warn, "as telecine from 23.976 to 25", &|m| patterned(m, 25, &[(960, 1001, 60.0)])),
                (Verdict::Warn, "in 33.3 % of pictures, as telecine from 25 to 30", &|m| {
                    patterned(m, 30, &[(5, 6, 60.0)]);
                }),
                (Verdict::Pass, "in 5 % of pictures", &|m| patterned(m, 25, &[(24, 25, 37.5)])),
                (Verdict::Warn, "in 5.1 % of pictures", &|m| patterned(m, 25, &[(24, 25, 38.1)])),
                (Verdict::Pass, "in 0 % of pictures", &|m| patterned(m, 25, &[(30, 35, 60.0)])),
                (Verdict::Pass, "too little movement to tell", &|m| {
                    patterned(m, 30, &[(4, 5, 60.0)]);
                    m.video[0].picture.as_mut().unwrap().field_cadence.moving_frames = 99;
                }),
            ],
        );
    }

    #[test]
    fn the_films_own_rate_is_named_where_there_is_one() {
        let mut film = sample::clean();
        patterned(&mut film, 30, &[(4, 5, 60.0)]);
        let report = sample::report(&film);
        assert!(
            sample::check(&report, "repeated fields").remedy.ends_with("own rate, about 24 frames a second.")
        );
        let fields = &film.video[0].picture.as_ref().unwrap().field_cadence;
        let check = repeated_fields(&sample::policy().fields, fields, Cadence::Variable);
        assert!(check.remedy.ends_with("own rate."), "{}", check.remedy);
    }
}
