//! Are programmes as loud as they are to be, and do their peaks keep off full scale (EBU R 128, ITU-R BS.1770).

use reelfarm_model::Code;
use reelfarm_model::measurement::CombinedTracks;
use reelfarm_model::measurement::sound::{ProgrammeLoudness, SoundMeasurement};
use reelfarm_model::qc::{AudioSource, Check};

use super::Mix;
use crate::checks::programme::streams;
use crate::checks::{Finding, Timeline, exceeds};
use crate::policy::Loudness;
use crate::text::decimal;

/// The true peak whose first exceeding is measured, in dBTP.
const MEASURED_PEAK_DBTP: f64 = -1.0;

/// Whether each programme's loudness is near the target; `None` where no sound was measured. Mono tracks that were measured one
/// by one and not together are named: how loud they are is not known.
pub(super) fn loudness(policy: &Loudness, combined: &[CombinedTracks], mixes: &[Mix<'_>]) -> Option<Check> {
    let measured: Vec<(&str, &ProgrammeLoudness)> =
        mixes.iter().filter_map(|mix| Some((mix.name.as_str(), of_mix(combined, mix)?))).collect();
    let apart: Vec<_> = mixes.iter().filter(|mix| is_apart(combined, mix)).collect();
    if measured.is_empty() && apart.is_empty() {
        return None;
    }
    let mut named: Vec<_> = measured.iter().map(|(name, loudness)| describe(name, loudness)).collect();
    named.extend(apart.iter().map(|mix| format!("{}: not measured together", mix.name)));
    // Not below the gate is too quiet by any measure.
    let away = measured
        .iter()
        .map(|(_, loudness)| {
            loudness.integrated_lufs.map_or(f64::INFINITY, |lufs| (lufs - policy.target_lufs).abs())
        })
        .fold(0.0, f64::max);
    let limit = format!(
        "{} LUFS, warn ±{} LU, limit ±{} LU",
        decimal(policy.target_lufs, 1),
        decimal(policy.tolerance_lu, 1),
        decimal(policy.limit_lu, 1)
    );
    let finding = Finding::new(Code::QcLoudness, "loudness", named.join("; "), limit);
    let target = decimal(policy.target_lufs, 1);
    Some(if exceeds(away, policy.limit_lu) {
        finding.fail(
            policy.verdict,
            format!("Viewers will turn the volume up or down: ask for the mix at {target} LUFS. A mix for another target is no fault where all of a service are alike."),
        )
    } else if !apart.is_empty() {
        finding.warn("Mono tracks are measured together where all name their language alike, as two, six or eight: measure these by ear or meter, phase and dual mono as well, or ask for one track with all channels.")
    } else if exceeds(away, policy.tolerance_lu) {
        finding.warn(format!("Near the target, but not at it: ask for the mix at {target} LUFS next time. For live programmes this is as it should be."))
    } else {
        finding.pass()
    })
}

/// How loud a mix is: of its own track, or of its mono tracks together.
fn of_mix<'a>(combined: &'a [CombinedTracks], mix: &Mix<'a>) -> Option<&'a ProgrammeLoudness> {
    match mix.source {
        AudioSource::Track { .. } => Some(&mix.tracks.first()?.sound.as_ref()?.loudness),
        AudioSource::MonoTracks { .. } => {
            let wanted = streams(mix.source);
            let is_wanted = |combined: &&CombinedTracks| {
                combined.tracks.iter().map(|(stream, _)| *stream).eq(wanted.iter().copied())
            };
            combined.iter().find(is_wanted).map(|combined| &combined.loudness)
        }
    }
}

/// Whether a mix is of mono tracks that have sound, and nobody knows how they sound together.
fn is_apart(combined: &[CombinedTracks], mix: &Mix<'_>) -> bool {
    matches!(mix.source, AudioSource::MonoTracks { .. })
        && mix.tracks.iter().any(|track| track.sound.is_some())
        && of_mix(combined, mix).is_none()
}

fn describe(name: &str, loudness: &ProgrammeLoudness) -> String {
    let Some(lufs) = loudness.integrated_lufs else {
        return format!("{name}: below -70 LUFS");
    };
    let range = loudness.range_lu.map(|range| format!(" (range {} LU)", decimal(range, 1)));
    format!("{name}: {} LUFS{}", decimal(lufs, 2), range.unwrap_or_default())
}

/// Whether the true peak of the tracks in use is low enough; `None` where none was measured.
pub(super) fn true_peak(
    policy: &Loudness,
    heard: &[(u32, &SoundMeasurement)],
    timeline: Timeline,
) -> Option<Check> {
    let peaks = heard.iter().filter_map(|(stream, sound)| Some((stream, sound.loudness.true_peak_dbtp?)));
    let (stream, peak) = peaks.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let first = heard.iter().filter_map(|(_, sound)| sound.true_peak_exceeded).reduce(f64::min);
    // Of another limit it isn't known where it was first exceeded.
    let first = first.filter(|_| (policy.max_true_peak_dbtp - MEASURED_PEAK_DBTP).abs() < 1e-9);
    let mut value = format!("{} dBTP in stream {stream}", decimal(peak, 2));
    let is_exceeded = exceeds(peak, policy.max_true_peak_dbtp);
    if let Some(first) = first.filter(|_| is_exceeded) {
        value.push_str(&format!(", first exceeded at {}", timeline.time_code(first)));
    }
    let limit = format!("at most {} dBTP", decimal(policy.max_true_peak_dbtp, 1));
    let finding = Finding::new(Code::QcTruePeak, "true peak", value, limit).at(timeline.moment(first));
    Some(if is_exceeded {
        finding.fail(
            policy.true_peak_verdict,
            "Peaks near full scale distort in codecs and players: ask for a mix with a true-peak limiter.",
        )
    } else {
        finding.pass()
    })
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::sound::Position;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::policy::Severity;
    use crate::sample;

    fn loud(film: &mut Measurements, lufs: Option<f64>) {
        film.audio[0].sound.as_mut().unwrap().loudness.integrated_lufs = lufs;
    }

    #[test]
    fn loudness_is_near_its_target() {
        sample::table(
            "loudness",
            &[
                (Verdict::Pass, "en: -23 LUFS (range 7 LU)", &|_| {}),
                (Verdict::Pass, "en: -22.5 LUFS", &|m| loud(m, Some(-22.5))),
                (Verdict::Warn, "en: -22.49 LUFS", &|m| loud(m, Some(-22.49))),
                (Verdict::Warn, "en: -24 LUFS", &|m| loud(m, Some(-24.0))),
                (Verdict::Warn, "en: -24.01 LUFS", &|m| loud(m, Some(-24.01))),
                (Verdict::Warn, "en: below -70 LUFS", &|m| loud(m, None)),
                (Verdict::Warn, "en: -23 LUFS (range 7 LU); fr: -14 LUFS", &|m| {
                    let mut french = sample::audio(2, 2);
                    french.language = Some("fra".into());
                    french.sound.as_mut().unwrap().loudness.integrated_lufs = Some(-14.0);
                    m.audio.push(french);
                }),
            ],
        );
    }

    #[test]
    fn the_limit_does_what_the_policy_says() {
        let mut policy = sample::policy();
        policy.loudness.verdict = Severity::Reject;
        let mut film = sample::clean();
        for (lufs, verdict) in [(-24.0, Verdict::Warn), (-24.01, Verdict::Reject), (-21.99, Verdict::Reject)]
        {
            loud(&mut film, Some(lufs));
            let report = crate::evaluate(&policy, &film, &sample::ladder(), None);
            assert_eq!(sample::check(&report, "loudness").verdict, verdict, "{lufs}");
        }
    }

    #[test]
    fn mono_tracks_are_as_loud_as_they_are_together() {
        let mut film = sample::clean();
        film.audio = (1..=2).map(|index| sample::audio(index, 1)).collect();
        loud(&mut film, Some(-26.0));
        let report = sample::report(&film);
        let check = sample::check(&report, "loudness");
        assert_eq!((check.verdict, check.value.as_str()), (Verdict::Warn, "en: not measured together"));
        let mut older = film.clone();
        older.audio.iter_mut().for_each(|track| track.sound = None);
        assert!(
            sample::report(&older).checks.iter().all(|check| check.name != "loudness"),
            "not measured at all"
        );
        let loudness = ProgrammeLoudness { integrated_lufs: Some(-23.2), ..Default::default() };
        let tracks = vec![(1, Position::FrontLeft), (2, Position::FrontRight)];
        film.combined = vec![
            CombinedTracks {
                tracks: vec![(3, Position::FrontLeft)],
                loudness: ProgrammeLoudness::default(),
                pair: None,
            },
            CombinedTracks { tracks, loudness, pair: None },
        ];
        let report = sample::report(&film);
        let check = sample::check(&report, "loudness");
        assert_eq!((check.verdict, check.value.as_str()), (Verdict::Pass, "en: -23.2 LUFS"));
    }

    #[test]
    fn true_peaks_keep_off_full_scale() {
        let peak = |film: &mut Measurements, dbtp: f64, exceeded: Option<f64>| {
            let sound = film.audio[0].sound.as_mut().unwrap();
            (sound.loudness.true_peak_dbtp, sound.true_peak_exceeded) = (Some(dbtp), exceeded);
        };
        sample::table(
            "true peak",
            &[
                (Verdict::Pass, "-3 dBTP in stream 1", &|_| {}),
                (Verdict::Pass, "-1 dBTP in stream 1", &|m| peak(m, -1.0, None)),
                (Verdict::Warn, "-0.99 dBTP in stream 1, first exceeded at 00:00:04:00", &|m| {
                    peak(m, -0.99, Some(4.0));
                }),
                (Verdict::Warn, "1.3 dBTP in stream 1", &|m| peak(m, 1.3, None)),
            ],
        );
        let mut film = sample::clean();
        peak(&mut film, 0.5, Some(4.0));
        assert_eq!(sample::places(&film, "true peak"), ["00:00:04:00"]);

        let mut policy = sample::policy();
        policy.loudness.max_true_peak_dbtp = -2.0;
        let report = crate::evaluate(&policy, &film, &sample::ladder(), None);
        let check = sample::check(&report, "true peak");
        assert_eq!(
            (check.verdict, check.places.len()),
            (Verdict::Warn, 0),
            "where -2 was exceeded isn't known"
        );
    }
}
