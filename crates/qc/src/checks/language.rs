//! Does the audio have a language, from the file or from the operator.

use reelfarm_model::Code;
use reelfarm_model::measurement::AudioMeasurement;
use reelfarm_model::qc::Check;

use super::Finding;
use super::programme::Programmes;
use crate::language::{self, InvalidLanguage};
use crate::policy;
use crate::text::plain;

/// What the operator said about the language: nothing, a tag, or something that is none.
pub(crate) type Given = Result<Option<String>, InvalidLanguage>;

/// A track's own language; a text that is no language states nothing.
pub(crate) fn stated(track: &AudioMeasurement) -> Option<String> {
    track.language.as_deref().and_then(|text| language::parse(text).ok().flatten())
}

/// Whether each programme has a language. `tracks` are those that the programmes were chosen from.
pub(crate) fn language(
    policy: &policy::Audio,
    tracks: &[&AudioMeasurement],
    programmes: &Programmes,
    given: &Given,
) -> Check {
    let finding =
        |value: String| Finding::new(Code::QcAudioLanguage, "audio language", value, "file or --audio-lang");
    let given = match given {
        Ok(given) => given.as_deref(),
        Err(error) => {
            return finding(format!("--audio-lang: {}", plain(&error.to_string())))
                .reject("Give a tag of BCP 47, such as en, de or pt-BR: --audio-lang en");
        }
    };
    let by_file: Vec<_> = tracks.iter().filter_map(|track| stated(track)).collect();
    let names: Vec<_> = programmes
        .list
        .iter()
        .map(|programme| match &programme.language {
            None => "not stated, tagged und".to_owned(),
            Some(tag) if by_file.contains(tag) => tag.clone(),
            Some(tag) => format!("{tag} (by --audio-lang)"),
        })
        .collect();
    let mut value = names.join(", ");
    if programmes.list.iter().any(|programme| programme.language.is_none()) {
        return finding(value).fail(
            policy.missing_language_verdict,
            "Listen, then give the language: --audio-lang en (or de, fr, pt-BR, …); zxx where nobody speaks.",
        );
    }
    let is_idle = by_file.len() == tracks.len();
    match given.filter(|given| is_idle && !by_file.iter().any(|tag| tag == given)) {
        Some(given) => {
            value.push_str(&format!("; --audio-lang {given} not used"));
            finding(value).warn(
                "The file states its own language. Listen: where it is wrong, ask for a corrected file.",
            )
        }
        None => finding(value).pass(),
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    #[test]
    fn the_language_comes_from_the_file_or_from_the_operator() {
        for (file, given, verdict, value, tag) in [
            (Some("eng"), None, Verdict::Pass, "en", Some("en")),
            (Some("ger"), Some("de"), Verdict::Pass, "de", Some("de")),
            (None, Some("deu"), Verdict::Pass, "de (by --audio-lang)", Some("de")),
            (None, None, Verdict::Warn, "not stated, tagged und", Some("und")),
            (Some("und"), None, Verdict::Warn, "not stated, tagged und", Some("und")),
            (Some("\u{1b}[2J"), None, Verdict::Warn, "not stated, tagged und", Some("und")),
            (None, Some("und"), Verdict::Warn, "not stated, tagged und", Some("und")),
            (Some("eng"), Some("fr"), Verdict::Warn, "en; --audio-lang fr not used", Some("en")),
            (None, Some("jp"), Verdict::Reject, "--audio-lang: there is no language \"jp\" in ISO 639", None),
            (Some("eng"), Some("e n"), Verdict::Reject, "--audio-lang: \"e n\" does not have", None),
            (
                None,
                Some("French"),
                Verdict::Reject,
                "--audio-lang: \"French\" is a language's name; its tag is fr",
                None,
            ),
        ] {
            let mut measurements = sample::clean();
            measurements.audio[0].language = file.map(str::to_owned);
            let report = crate::evaluate(&sample::policy(), &measurements, &sample::ladder(), given);
            let check = sample::check(&report, "audio language");
            assert_eq!(check.verdict, verdict, "{file:?} {given:?}");
            assert!(check.value.starts_with(value), "{file:?} {given:?}: {}", check.value);
            assert_eq!(check.remedy.is_empty(), verdict == Verdict::Pass);
            let language = report.conclusion.map(|conclusion| conclusion.audio[0].language.clone());
            assert_eq!(language.as_deref(), tag, "{file:?} {given:?}");
        }
    }

    #[test]
    fn the_operators_language_is_for_tracks_that_state_none() {
        let mut measurements = sample::clean();
        let mut second = sample::audio(2, 2);
        second.language = None;
        measurements.audio.push(second);
        let report = crate::evaluate(&sample::policy(), &measurements, &sample::ladder(), Some("fr"));
        assert_eq!(sample::check(&report, "audio language").value, "en, fr (by --audio-lang)");
        assert_eq!(sample::check(&report, "audio language").verdict, Verdict::Pass);
    }

    #[test]
    fn the_policy_can_insist_on_a_language() {
        let mut policy = sample::policy();
        policy.audio.missing_language_verdict = crate::policy::Severity::Reject;
        let mut measurements = sample::clean();
        measurements.audio[0].language = None;
        let report = crate::evaluate(&policy, &measurements, &sample::ladder(), None);
        assert_eq!(report.verdict, Verdict::Reject);
        assert!(sample::check(&report, "audio language").remedy.contains("--audio-lang"));
    }
}
