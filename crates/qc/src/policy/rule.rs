//! The operator's own rules: `[[rule]]` in the policy.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::Severity;
use crate::expression::Expression;

/// The most rules that a policy may have.
const MOST_RULES: usize = 100;
/// The longest name, in characters: it is a line of the report.
const LONGEST_NAME: usize = 40;
/// The longest remedy, in characters.
const LONGEST_REMEDY: usize = 500;

/// A rule of the operator's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, by which the report calls it.
    pub name: String,
    /// When it applies.
    pub when: Expression,
    /// What it does where it applies.
    pub verdict: Severity,
    /// What people are to do then.
    pub remedy: String,
}

/// A rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    name: String,
    when: Spanned<String>,
    verdict: Severity,
    remedy: String,
}

/// Reads the rules.
///
/// # Errors
/// Where the first fault is, and what.
pub(super) fn rules(written: &[Spanned<RawRule>]) -> Result<Vec<Rule>, (Range<usize>, String)> {
    if let Some(surplus) = written.get(MOST_RULES) {
        return Err((
            surplus.span(),
            format!("a policy has at most {MOST_RULES} rules, not {}", written.len()),
        ));
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(written.len());
    for spanned in written {
        let raw = spanned.get_ref();
        let is_taken = rules.iter().any(|rule| rule.name == raw.name);
        if let Some(reason) = raw.fault(is_taken) {
            return Err((spanned.span(), reason));
        }
        let when = Expression::parse(raw.when.get_ref()).map_err(|reason| (raw.when.span(), reason))?;
        let (name, remedy) = (raw.name.clone(), raw.remedy.clone());
        rules.push(Rule { name, when, verdict: raw.verdict, remedy });
    }
    Ok(rules)
}

impl RawRule {
    fn fault(&self, is_taken: bool) -> Option<String> {
        if !is_of(&self.name, LONGEST_NAME) {
            return Some(format!("a rule's name has 1 to {LONGEST_NAME} characters, not {:?}", self.name));
        }
        if is_taken {
            return Some(format!("two rules are named {:?}", self.name));
        }
        (!is_of(&self.remedy, LONGEST_REMEDY))
            .then(|| format!("a rule's remedy has 1 to {LONGEST_REMEDY} characters: say what is to be done"))
    }
}

fn is_of(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= longest && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{BUILT_IN, Policy};

    const RULE: &str = "[[rule]]\nname = \"narrow\"\nwhen = 'source.video.width < 1920'\nverdict = \"human\"\nremedy = \"Ask.\"\n";

    fn parse(rules: &str) -> Result<Policy, crate::PolicyError> {
        Policy::parse("qc.toml", &format!("{BUILT_IN}\n{rules}"))
    }

    #[test]
    fn a_rule_is_read() {
        let policy = parse(RULE).unwrap();
        let [rule] = policy.rules.as_slice() else { panic!("{:?}", policy.rules) };
        assert_eq!(
            (rule.name.as_str(), rule.verdict, rule.remedy.as_str()),
            ("narrow", Severity::Human, "Ask.")
        );
        assert_eq!(rule.when.text(), "source.video.width < 1920");
        assert_eq!(policy, parse(RULE).unwrap());
        assert!(Policy::parse("qc.toml", BUILT_IN).unwrap().rules.is_empty());
    }

    #[test]
    fn a_bad_rule_is_refused_with_its_line() {
        let first = 2 + BUILT_IN.matches('\n').count();
        for (from, to, line, reason) in [
            ("name = \"narrow\"", "name = \"\"", 0, "1 to 40 characters"),
            ("remedy = \"Ask.\"", "remedy = \" \"", 0, "say what is to be done"),
            ("\"human\"", "\"maybe\"", 3, "unknown variant `maybe`"),
            ("verdict", "verdct", 3, "unknown field `verdct`"),
            ("width <", "widht <", 2, "there is no source.video.widht"),
            ("< 1920", "<", 2, "cannot be read"),
            (" < 1920", "", 2, "gives a number, not true or false"),
            (
                "remedy = \"Ask.\"\n",
                &format!("remedy = \"Ask.\"\n{RULE}"),
                5,
                "two rules are named \"narrow\"",
            ),
        ] {
            let rules = RULE.replacen(from, to, 1);
            assert_ne!(rules, RULE, "{from}");
            let error = parse(&rules).unwrap_err();
            assert!(error.reason.contains(reason), "{to}: {error}");
            assert_eq!(error.line, first + line, "{to}: {error}");
        }
    }

    #[test]
    fn there_are_not_too_many_rules() {
        let many = |count: usize| -> String {
            (0..count).map(|number| RULE.replace("narrow", &format!("rule {number}"))).collect()
        };
        assert_eq!(parse(&many(MOST_RULES)).unwrap().rules.len(), MOST_RULES);
        let error = parse(&many(MOST_RULES + 1)).unwrap_err();
        assert!(error.reason.contains("at most 100 rules, not 101"), "{error}");
    }
}
