//! Policies that say what differs from another one.

use std::path::Path;

use proptest::prelude::*;
use toml::{Table, Value};

use super::*;
use crate::policy::Severity;

const RULE: &str = "[[rule]]\nname = \"narrow\"\nwhen = 'source.video.width < 1920'\nverdict = \"human\"\nremedy = \"Ask.\"\n";

/// Reads the first of these files; those after it lie beside it.
fn read(files: &[(&str, &str)]) -> Result<Policy, PolicyError> {
    let (file, text) = files[0];
    let texts = PolicyTexts::gather(file, text, |path| {
        let known = files.iter().find(|(file, _)| path == Path::new(file));
        known.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "it is not there".to_owned())
    })?;
    Policy::of(&texts)
}

fn over_default(text: &str) -> Result<Policy, PolicyError> {
    read(&[("own.toml", &format!("name = \"own\"\nbase = \"default\"\n{text}"))])
}

fn default() -> Policy {
    Policy { name: "own".to_owned(), ..Policy::parse("qc.toml", BUILT_IN).unwrap() }
}

#[test]
fn a_policy_says_only_what_differs() {
    assert_eq!(over_default("").unwrap(), default());
    let mut policy = default();
    policy.loudness.target_lufs = -24.0;
    policy.accepted.containers = vec!["mxf".to_owned()];
    policy.black.verdict = Severity::Reject;
    let text =
        "black.verdict = \"reject\"\n[loudness]\ntarget_lufs = -24.0\n[accepted]\ncontainers = [\"mxf\"]\n";
    assert_eq!(over_default(text).unwrap(), policy);
    // Of mono tracks all are said, or none.
    let mono = over_default("[[audio.mono_programme]]\ntracks = 4\nstereo = [1, 2]\n").unwrap();
    assert!(mono.audio.mono_programme(4).is_some() && mono.audio.mono_programme(8).is_none());
    assert_eq!(mono.audio.silence_dbfs, policy.audio.silence_dbfs);
}

#[test]
fn what_a_house_says_holds_for_its_routes_unless_they_say_more() {
    let house = format!("name = \"house\"\nbase = \"a85\"\nblack.verdict = \"human\"\n{RULE}");
    let wide = RULE.replace("narrow", "wide").replace('<', ">");
    let ads = format!("name = \"ads\"\nbase = \"house.toml\"\nblack.max_middle_s = 9.0\n{wide}");
    let policy = read(&[("ads.toml", &ads), ("house.toml", &house)]).unwrap();
    assert_eq!((policy.name.as_str(), policy.loudness.target_lufs), ("ads", -24.0));
    assert_eq!((policy.black.verdict, policy.black.max_middle_s), (Severity::Human, 9.0));
    let names = |policy: &Policy| policy.rules.iter().map(|rule| rule.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&policy), ["narrow", "wide"], "its rules come after those of the house");
    let milder = RULE.replace("human", "warn");
    let other = format!("name = \"other\"\nbase = \"house.toml\"\n{milder}");
    let policy = read(&[("other.toml", &other), ("house.toml", &house)]).unwrap();
    assert_eq!((names(&policy), policy.rules[0].verdict), (vec!["narrow".to_owned()], Severity::Warn));
}

#[test]
fn a_fault_is_where_it_was_written() {
    let two = RULE.repeat(2);
    for (text, line, reason) in [
        ("[loudness]\ntarget_lufs = 23.0", 3, "target_lufs is -200"),
        ("[loudness]\ntolerance_lu = 2.0", 3, "tolerance_lu (2) is above limit_lu (1)"),
        ("\nloudness.tolerance_lu = 2.0", 4, "tolerance_lu (2) is above limit_lu (1)"),
        ("[loudness]\n\ntarget_lkfs = -24.0", 5, "unknown field `target_lkfs`"),
        ("[loudnes]\ntarget_lufs = -24.0", 3, "unknown field `loudnes`"),
        ("[loudness]\nverdict = \"maybe\"", 4, "unknown variant `maybe`"),
        ("loudness = 7", 3, "invalid type"),
        ("rule = 7", 3, "invalid type"),
        ("[loudness]\ntarget_lufs = \n", 4, ""),
        ("[accepted]\nvideo_codecs = []", 3, "video_codecs must name at least one"),
        ("[[audio.mono_programme]]\ntracks = 1\n", 3, "needs surround or stereo"),
        (&RULE.replace("width", "breadth"), 5, "breadth"),
        (&two, 8, "two rules are named \"narrow\""),
    ] {
        let error = over_default(text).unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("own.toml", line), "{text}: {error}");
        assert!(error.reason.contains(reason), "{text}: {error}");
    }
}

#[test]
fn a_base_is_a_whole_policy_and_is_blamed_for_its_own_faults() {
    let over = |text: &str| format!("name = \"own\"\nbase = \"base.toml\"\n{text}");
    let broken = BUILT_IN.replace("target_lufs = -23.0", "target_lufs = 23.0");
    for (own, base, file, line, reason) in [
        // Even where it would be mended: whoever takes the base alone is refused as well.
        (
            "[loudness]\ntarget_lufs = -24.0",
            broken.as_str(),
            "base.toml",
            line_of("[loudness]"),
            "target_lufs is",
        ),
        ("", "name = \"base\"\n", "base.toml", 1, "missing field"),
        ("", "base = \"default\"\n[black]\nmax_middle_s = 1.0\n", "base.toml", 1, "a name of its own"),
        ("", "name = \"base\"\nbase = \"default\"\nloud = 1", "base.toml", 3, "unknown field `loud`"),
    ] {
        let error = read(&[("own.toml", &over(own)), ("base.toml", base)]).unwrap_err();
        assert_eq!((error.file.as_str(), error.line), (file, line), "{error}");
        assert!(error.reason.contains(reason), "{error}");
    }
    let nameless = read(&[("own.toml", "# of the house\nbase = \"default\"\n")]).unwrap_err();
    assert_eq!((nameless.line, nameless.reason.contains("a name of its own")), (2, true), "{nameless}");
    // Without a file to read, only the policies of the farm can be bases.
    let error = Policy::parse("own.toml", &over("")).unwrap_err();
    assert!(error.reason.contains("base.toml is a file"), "{error}");
}

/// Every value of the default policy, by section and key.
fn values() -> Vec<(String, String, Value)> {
    let sections: Table = BUILT_IN.parse().unwrap();
    let keyed = |(section, values): (String, Value)| match values {
        Value::Table(values) => {
            values.into_iter().map(|(key, value)| (section.clone(), key, value)).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    };
    sections.into_iter().flat_map(keyed).collect()
}

/// A policy over the default one that says these values.
fn saying(values: &[(String, String, Value)]) -> String {
    let mut text = Table::new();
    for (section, key, value) in values {
        let table = text.entry(section).or_insert_with(|| Table::new().into());
        table.as_table_mut().unwrap().insert(key.clone(), value.clone());
    }
    toml::to_string(&text).unwrap()
}

/// Lines as policies have them, right and wrong, in any order.
fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        prop::sample::select(BUILT_IN.lines().collect::<Vec<_>>()).prop_map(str::to_owned),
        prop::sample::select(RULE.lines().collect::<Vec<_>>()).prop_map(str::to_owned),
        prop::sample::select(vec![
            "base = \"default\"",
            "base = \"base.toml\"",
            "base = []",
            "rule = 1",
            "rule = [7]",
            "[[loudness]]",
            "loudness.verdict = \"human\"",
            "[loudness.verdict]",
            "audio = { mono_programme = 1 }",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn to_say_again_what_the_base_says_changes_nothing(chosen in prop::sample::subsequence(values(), 0..=values().len())) {
        prop_assert_eq!(over_default(&saying(&chosen)).unwrap(), default());
    }

    #[test]
    fn a_verdict_that_is_said_is_the_one_thing_that_changes(chosen in prop::sample::select(values()), verdict in "warn|human|reject") {
        let (section, key, before) = chosen;
        prop_assume!(key.ends_with("verdict") && before.as_str() != Some(verdict.as_str()));
        let mut whole: Table = BUILT_IN.parse().unwrap();
        whole["name"] = "own".into();
        whole[&section][&key] = verdict.clone().into();
        let whole = Policy::parse("whole.toml", &toml::to_string(&whole).unwrap()).unwrap();
        let changed = over_default(&saying(&[(section, key, verdict.into())])).unwrap();
        prop_assert_eq!(&changed, &whole);
        prop_assert_ne!(changed, default());
    }

    #[test]
    fn any_texts_are_a_policy_or_are_refused_at_a_line_that_there_is(
        own in lines(), base in lines(), over in any::<bool>(), complete in any::<bool>()
    ) {
        let own = if over { format!("name = \"own\"\nbase = \"base.toml\"\n{own}") } else { own };
        let base = if complete { format!("{BUILT_IN}{base}") } else { base };
        if let Err(error) = read(&[("own.toml", &own), ("base.toml", &base)]) {
            let text = match error.file.as_str() {
                "own.toml" => own.as_str(),
                "base.toml" => base.as_str(),
                file => return Err(TestCaseError::fail(format!("{file} has no fault: {error}"))),
            };
            prop_assert!((1..=text.matches('\n').count() + 1).contains(&error.line), "{}", error);
        }
    }
}
