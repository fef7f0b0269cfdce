//! What the programmes' sound holds: each check of what one pass heard in it. What an older farm did not measure is not
//! judged, and neither is a silent programme: there, silence is the fault.

mod clipping;
mod format;
mod loudness;
mod silence;
mod stereo;

use reelfarm_model::measurement::sound::SoundMeasurement;
use reelfarm_model::measurement::{AudioMeasurement, Measurements};
use reelfarm_model::qc::{AudioSource, Check};

use super::Timeline;
use super::programme::{Programme, Programmes, streams};
use crate::policy::Policy;

/// What a rendition is made from, with the tracks behind it.
struct Mix<'a> {
    /// What people call it: `en`, or `en 5.1` and `en stereo` where a programme has both.
    name: String,
    source: &'a AudioSource,
    tracks: Vec<&'a AudioMeasurement>,
}

/// Judges what the programmes' sound holds. `used` are the tracks that programmes are made from.
pub(crate) fn listening(
    policy: &Policy,
    measurements: &Measurements,
    programmes: &Programmes,
    used: &[&AudioMeasurement],
    timeline: Timeline,
) -> Vec<Check> {
    let mixes: Vec<Mix<'_>> = programmes
        .list
        .iter()
        .filter(|programme| !programme.is_silent)
        .flat_map(|programme| mixes(programme, used))
        .collect();
    let heard: Vec<(u32, &SoundMeasurement)> = used
        .iter()
        .filter(|track| mixes.iter().any(|mix| mix.tracks.iter().any(|other| other.index == track.index)))
        .filter_map(|track| Some((track.index, track.sound.as_ref()?)))
        .collect();
    let mut checks =
        vec![format::sample_rate(&policy.sample_rate, used), format::layout(&policy.channels, used)];
    checks.extend(loudness::loudness(&policy.loudness, &measurements.combined, &mixes));
    checks.extend(loudness::true_peak(&policy.loudness, &heard, timeline));
    checks.extend(silence::silence(&policy.silence, &mixes, timeline));
    checks.extend(silence::channels(policy, &mixes));
    checks.extend(clipping::clipping(&policy.clipping, used, timeline));
    checks.extend(clipping::dc_offset(&policy.dc_offset, &heard));
    let pairs = stereo::pairs(&mixes, &measurements.combined);
    checks.extend(stereo::phase(&policy.phase, &pairs, timeline));
    checks.extend(stereo::dual_mono(&policy.channels, &pairs));
    checks
}

/// What a programme's renditions are made from, each once.
fn mixes<'a>(programme: &'a Programme, used: &[&'a AudioMeasurement]) -> Vec<Mix<'a>> {
    let language = programme.language.as_deref().unwrap_or("und");
    let mix = |name: String, source: &'a AudioSource| {
        let tracks = streams(source)
            .into_iter()
            .filter_map(|stream| used.iter().copied().find(|track| track.index == stream))
            .collect();
        Mix { name, source, tracks }
    };
    match &programme.surround {
        Some(surround) if *surround != programme.stereo => vec![
            mix(format!("{language} 5.1"), surround),
            mix(format!("{language} stereo"), &programme.stereo),
        ],
        _ => vec![mix(language.to_owned(), &programme.stereo)],
    }
}

/// How long a track is, in seconds.
fn seconds(track: &AudioMeasurement) -> f64 {
    track.samples as f64 / f64::from(track.sample_rate.max(1))
}

#[cfg(test)]
mod tests {
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    const MEASURED: [&str; 8] = [
        "loudness",
        "true peak",
        "silence",
        "silent channels",
        "clipping",
        "DC offset",
        "phase",
        "dual mono",
    ];

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let mut film = sample::clean();
        film.audio[0].sound = None;
        let report = sample::report(&film);
        assert!(report.checks.iter().all(|check| !MEASURED.contains(&check.name.as_str())));
        assert_eq!(report.verdict, Verdict::Pass);
    }

    #[test]
    fn of_a_silent_programme_only_the_silence_is_said() {
        let mut film = sample::clean();
        film.audio[0].peak_dbfs = None;
        let sound = film.audio[0].sound.as_mut().unwrap();
        sound.loudness.integrated_lufs = None;
        sound.channels.iter_mut().for_each(|channel| channel.peak_dbfs = None);
        let report = sample::report(&film);
        let warned: Vec<_> = report
            .checks
            .iter()
            .filter(|check| check.verdict != Verdict::Pass)
            .map(|check| check.name.as_str())
            .collect();
        assert_eq!(warned, ["audio"]);
    }

    #[test]
    fn a_programme_in_surround_and_stereo_has_both_judged() {
        let mut film = sample::clean();
        film.audio = vec![sample::audio(1, 6), sample::audio(2, 2)];
        let report = sample::report(&film);
        assert_eq!(
            sample::check(&report, "loudness").value,
            "en 5.1: -23 LUFS (range 7 LU); en stereo: -23 LUFS (range 7 LU)"
        );
    }
}
