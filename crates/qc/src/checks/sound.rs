//! Is there usable audio, and what programmes does it make.

use reelfarm_model::Code;
use reelfarm_model::measurement::AudioMeasurement;
use reelfarm_model::qc::Check;

use super::Finding;
use super::programme::{Programme, Programmes, streams};
use crate::policy::{self, Severity};
use crate::text::count;

/// Whether samples can be had from a track.
pub(crate) fn is_usable(track: &AudioMeasurement) -> bool {
    track.samples > 0 && track.channels > 0 && track.sample_rate > 0
}

/// Whether there is audio to make a programme of.
pub(crate) fn audio(policy: &policy::Audio, measured: &[AudioMeasurement], programmes: &Programmes) -> Check {
    let finding = |value| Finding::new(Code::QcAudioMissing, "audio", value, "at least one");
    if programmes.list.is_empty() {
        return if measured.is_empty() {
            finding("none".to_owned()).reject(
                "Ask for the film with its sound. A silent film needs a silent audio track: every player expects one.",
            )
        } else {
            let value = format!("{}, none with sound that decodes", count(measured.len() as u64, "track"));
            finding(value).reject("Ask for a new copy: the sound cannot be decoded.")
        };
    }
    let mut value: Vec<_> = programmes.list.iter().map(describe).collect();
    let mut notes = programmes.notes.clone();
    let dead = measured.iter().filter(|track| !is_usable(track)).count();
    if dead > 0 {
        notes.push(format!("{} without a sample left out", count(dead as u64, "track")));
    }
    let silent = programmes.list.iter().any(|programme| programme.is_silent);
    if notes.is_empty() && !silent {
        return finding(value.join("; ")).pass();
    }
    value.extend(notes);
    let severity = if silent { policy.silent_verdict } else { Severity::Warn };
    finding(value.join("; ")).fail(severity, "Listen to the original: is each language there, and whole?")
}

fn describe(programme: &Programme) -> String {
    let language = programme.language.as_deref().unwrap_or("und");
    let silent = if programme.is_silent { " (silent)" } else { "" };
    let made = match &programme.surround {
        None => format!("stereo from {}", stream_names(&streams(&programme.stereo))),
        Some(surround) if *surround == programme.stereo => {
            format!("5.1 and stereo from {}", stream_names(&streams(surround)))
        }
        Some(surround) => format!(
            "5.1 from {}, stereo from {}",
            stream_names(&streams(surround)),
            stream_names(&streams(&programme.stereo))
        ),
    };
    format!("{language}{silent}: {made}")
}

fn stream_names(streams: &[u32]) -> String {
    match streams {
        [only] => format!("stream {only}"),
        [first, .., last] if streams.is_sorted_by(|a, b| a.checked_add(1) == Some(*b)) => {
            format!("streams {first}-{last}")
        }
        several => {
            let names: Vec<_> = several.iter().map(u32::to_string).collect();
            format!("streams {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    #[test]
    fn audio_is_present_and_usable() {
        sample::table(
            "audio",
            &[
                (Verdict::Pass, "en: stereo from stream 1", &|_| {}),
                (Verdict::Pass, "en: 5.1 and stereo from stream 1", &|m| m.audio[0].channels = 6),
                (Verdict::Reject, "none", &|m| m.audio.clear()),
                (Verdict::Reject, "1 track, none with sound", &|m| m.audio[0].samples = 0),
                (Verdict::Reject, "1 track, none with sound", &|m| m.audio[0].channels = 0),
                (Verdict::Warn, "en: stereo from stream 1; 1 track without a sample", &|m| {
                    let mut empty = sample::audio(2, 2);
                    empty.samples = 0;
                    m.audio.push(empty);
                }),
                (Verdict::Warn, "en: stereo from stream 1; stream 2 left out", &|m| {
                    m.audio.push(sample::audio(2, 2));
                }),
                (Verdict::Warn, "en (silent): stereo", &|m| m.audio[0].peak_dbfs = None),
                (Verdict::Pass, "en: stereo from streams 1-2", &|m| {
                    m.audio = vec![sample::audio(1, 1), sample::audio(2, 1)];
                }),
                (Verdict::Pass, "en: stereo from streams 1, 3", &|m| {
                    m.audio = vec![sample::audio(1, 1), sample::audio(3, 1)];
                }),
            ],
        );
    }

    #[test]
    fn the_policy_can_reject_silence() {
        let mut policy = sample::policy();
        policy.audio.silent_verdict = crate::policy::Severity::Reject;
        let mut measurements = sample::clean();
        measurements.audio[0].peak_dbfs = Some(-96.0);
        assert_eq!(crate::evaluate(&policy, &measurements, &sample::ladder(), None).verdict, Verdict::Reject);
    }
}
