//! Rules of an operator's own, on a measured film.

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;
use reelfarm_qc::Policy;

use super::Film;
use crate::judge::{Clips, Fault, assert_faults, judged_by};
use crate::support::repository;

/// The farm's own policy with one rule more.
fn policy(when: &str, verdict: &str) -> Policy {
    let text = fs_err::read_to_string(repository().join("ladders/qc.toml")).unwrap();
    let rule =
        format!("\n[[rule]]\nname = \"ours\"\nwhen = '{when}'\nverdict = \"{verdict}\"\nremedy = \"Ask.\"\n");
    Policy::parse("ours.toml", &format!("{text}{rule}")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_rule_applies_where_it_is_true_of_the_film_and_nowhere_else() {
    let clips = Clips::new();
    let path = Film::new("film.mp4", 4.0)
        .filtered("drawbox=color=black:thickness=fill:enable='lt(n,20)'")
        .make(&clips);
    for (when, verdict, found) in [
        ("source.video.width < 427", "reject", Some(Verdict::Reject)),
        ("source.video.width < 426", "reject", None),
        ("source.duration_s > 3.9 && source.video.frame_rate == 25.0", "human", Some(Verdict::Human)),
        ("source.duration_s > 4.1", "human", None),
        ("source.black.leading_s > 0.79", "warn", Some(Verdict::Warn)),
        ("source.black.leading_s > 0.81", "warn", None),
        ("source.audio.exists(track, track.channels == 2)", "warn", Some(Verdict::Warn)),
        ("source.audio.all(track, track.language == \"de\")", "warn", None),
        // Nothing was measured of it: the rule can't be judged.
        ("source.subtitles.exists(track, track.language == \"en\")", "reject", None),
        ("source.header_duration_s < 1.0", "reject", None),
    ] {
        let report = judged_by(&policy(when, verdict), &path);
        let faults: Vec<Fault> =
            found.into_iter().map(|verdict| Fault { code: Code::QcRule, verdict, places: &[] }).collect();
        assert_faults(when, &report, &faults);
    }
}
