//! The operator's own rules.

use reelfarm_model::Code;
use reelfarm_model::qc::Check;

use super::Finding;
use crate::expression::facts::{self, Subject};
use crate::policy::Rule;
use crate::text::plain;

/// Whether each rule applies to the source.
pub(crate) fn rules(rules: &[Rule], subject: Subject<'_>) -> Vec<Check> {
    if rules.is_empty() {
        return Vec::new();
    }
    let source = facts::of(subject);
    rules
        .iter()
        .map(|rule| {
            let found: Vec<_> = rule
                .when
                .mentions()
                .iter()
                .map(|name| format!("{name} {}", source.shown(name).unwrap_or_else(|| "not measured".to_owned())))
                .collect();
            let finding = |value: &str| {
                let value = if found.is_empty() { value.to_owned() } else { format!("{value}: {}", found.join(", ")) };
                let limit = format!("not: {}", plain(rule.when.text()));
                Finding::new(Code::QcRule, format!("rule {}", rule.name), value, limit)
            };
            match rule.when.holds(&source) {
                Ok(false) => finding("does not apply").pass(),
                Ok(true) => finding("applies").fail(rule.verdict, rule.remedy.clone()),
                Err(reason) => finding("cannot be judged").warn(format!(
                    "The rule needs what was not measured of this file ({reason}): look yourself, and ask for it in the rule with has(…)."
                )),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::qc::{QcReport, Verdict};

    use crate::policy::{BUILT_IN, Policy};
    use crate::sample;

    fn judged(film: &Measurements, when: &str, verdict: &str) -> QcReport {
        let rule = format!(
            "{BUILT_IN}\n[[rule]]\nname = \"own\"\nwhen = '''{when}'''\nverdict = \"{verdict}\"\nremedy = \"Ask the editor.\"\n"
        );
        let policy = Policy::parse("qc.toml", &rule).unwrap();
        crate::evaluate(&policy, film, &sample::ladder(), None)
    }

    #[test]
    fn a_rule_does_what_it_says_where_it_applies() {
        let film = sample::clean();
        for (when, severity, verdict, value) in [
            ("source.video.width < 1920", "reject", Verdict::Pass, "does not apply: source.video.width 1920"),
            ("source.video.width <= 1920", "warn", Verdict::Warn, "applies: source.video.width 1920"),
            ("source.video.width <= 1920", "human", Verdict::Human, "applies: source.video.width 1920"),
            ("source.video.width <= 1920", "reject", Verdict::Reject, "applies: source.video.width 1920"),
            ("source.audio.exists(one, one.language == 'fr')", "reject", Verdict::Pass, "does not apply"),
            ("source.audio.exists(one, one.language == 'en')", "warn", Verdict::Warn, "applies"),
            ("source.video.frame_rate == 25.0", "warn", Verdict::Warn, "applies: source.video.frame_rate 25"),
            ("source.audio[0].loudness_lufs < -22.0", "warn", Verdict::Warn, "applies"),
            ("source.audio[1].channels == 6", "reject", Verdict::Warn, "cannot be judged"),
        ] {
            let report = judged(&film, when, severity);
            let check = sample::check(&report, "rule own");
            assert_eq!((check.verdict, check.value.as_str()), (verdict, value), "{when}");
            assert_eq!(report.verdict, verdict);
            assert_eq!(report.conclusion.is_some(), verdict != Verdict::Reject);
            assert_eq!(check.remedy == "Ask the editor.", value.starts_with("applies"));
        }
    }

    #[test]
    fn a_rule_about_what_was_not_measured_is_never_silent() {
        let mut film = sample::clean();
        film.video[0].blockiness = None;
        let report = judged(&film, "source.video.blockiness > 2.0", "reject");
        let check = sample::check(&report, "rule own");
        assert_eq!(check.verdict, Verdict::Warn);
        assert_eq!(check.value, "cannot be judged: source.video.blockiness not measured");
        assert!(check.remedy.contains("blockiness"), "{}", check.remedy);
        let careful = "has(source.video.blockiness) && source.video.blockiness > 2.0";
        let report = judged(&film, careful, "reject");
        assert_eq!(sample::check(&report, "rule own").verdict, Verdict::Pass);
    }
}
