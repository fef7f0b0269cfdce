//! How left and right belong together: out of phase, or one channel twice.

use reelfarm_model::Code;
use reelfarm_model::measurement::sound::PairMeasurement;
use reelfarm_model::measurement::{AudioMeasurement, CombinedTracks, Span};
use reelfarm_model::qc::{AudioSource, Check};

use super::silence::common;
use super::{Mix, seconds};
use crate::checks::timeline::{longer_than, longest};
use crate::checks::{Finding, Timeline, exceeds};
use crate::policy::{Channels, Phase};
use crate::text::{decimal, span};

/// Left and right of something that is heard.
pub(super) struct Pair<'a> {
    /// The stream that holds both, or the two.
    name: String,
    measured: &'a PairMeasurement,
    /// How long they are heard, in seconds.
    heard: f64,
}

/// What there is of left and right in these mixes: in one track, or in two mono tracks.
pub(super) fn pairs<'a>(mixes: &[Mix<'a>], combined: &'a [CombinedTracks]) -> Vec<Pair<'a>> {
    let mut found: Vec<Pair<'a>> = Vec::new();
    for mix in mixes {
        let pair = match (mix.source, mix.tracks.as_slice()) {
            (AudioSource::Track { .. }, [track, ..]) => of_track(track),
            (AudioSource::MonoTracks { .. }, [left, right, ..]) => of_mono_tracks(left, right, combined),
            _ => None,
        };
        // The stereo of a programme may be mixed from its 5.1.
        found.extend(pair.filter(|pair| found.iter().all(|known| known.name != pair.name)));
    }
    found
}

fn of_track(track: &AudioMeasurement) -> Option<Pair<'_>> {
    let sound = track.sound.as_ref()?;
    let heard = seconds(track) - sound.silence.seconds;
    Some(Pair { name: format!("stream {}", track.index), measured: sound.pair.as_ref()?, heard })
}

fn of_mono_tracks<'a>(
    left: &AudioMeasurement,
    right: &AudioMeasurement,
    combined: &'a [CombinedTracks],
) -> Option<Pair<'a>> {
    let is_theirs = |set: &&CombinedTracks| {
        set.tracks.iter().take(2).map(|(stream, _)| *stream).eq([left.index, right.index])
    };
    let measured = combined.iter().find(is_theirs)?.pair.as_ref()?;
    let silence = |track: &AudioMeasurement| {
        track.sound.as_ref().map_or(Vec::new(), |sound| sound.silence.first.clone())
    };
    let silent: f64 = common(&silence(left), &silence(right)).iter().map(|span| span.end - span.start).sum();
    let name = format!("streams {} and {}", left.index, right.index);
    Some(Pair { name, measured, heard: seconds(left).min(seconds(right)) - silent })
}

/// Whether left and right are out of phase for too long; `None` where that was not measured.
pub(super) fn phase(policy: &Phase, pairs: &[Pair<'_>], timeline: Timeline) -> Option<Check> {
    let mut named = Vec::new();
    let mut places: Vec<Span> = Vec::new();
    let mut is_out = false;
    for Pair { name, measured, heard } in pairs {
        let out = &measured.out_of_phase;
        if out.count == 0 {
            continue;
        }
        let share = (100.0 * out.seconds / heard.max(f64::MIN_POSITIVE)).min(100.0);
        let stretch = longest(&out.first).map_or(0.0, |longest| longest.end - longest.start);
        let is_much = exceeds(share, policy.max_share_percent);
        let long = longer_than(&out.first, policy.max_stretch_s);
        is_out |= is_much || !long.is_empty();
        places.extend(if is_much { &out.first } else { &long });
        let correlation = measured.correlation.map(|value| format!(", correlation {}", decimal(value, 2)));
        named.push(format!(
            "{name}: {} % of what is heard, up to {}{}",
            decimal(share, 1),
            span(stretch),
            correlation.unwrap_or_default()
        ));
    }
    let value = if named.is_empty() { "in phase".to_owned() } else { named.join("; ") };
    let limit = format!(
        "out for at most {} and {} %",
        span(policy.max_stretch_s),
        decimal(policy.max_share_percent, 1)
    );
    let finding = Finding::new(Code::QcPhase, "phase", value, limit).at(timeline.places(&places));
    (!pairs.is_empty()).then(|| {
        if is_out {
            finding.fail(
                policy.verdict,
                "Listen in mono, as one loudspeaker plays it: do voices vanish? Then one channel is inverted: ask for a corrected mix.",
            )
        } else {
            finding.pass()
        }
    })
}

/// Whether left and right are one channel twice; `None` where that was not measured.
pub(super) fn dual_mono(policy: &Channels, pairs: &[Pair<'_>]) -> Option<Check> {
    if pairs.is_empty() {
        return None;
    }
    let twice: Vec<_> = pairs
        .iter()
        .filter(|pair| pair.measured.is_dual_mono())
        .map(|pair| {
            let verb = if pair.name.starts_with("streams") { "hold" } else { "holds" };
            format!("{} {verb} one channel twice", pair.name)
        })
        .collect();
    let value = if twice.is_empty() { "left and right differ".to_owned() } else { twice.join("; ") };
    let limit = "equal in less than 99.9 %, different by more than -40 dB";
    let finding = Finding::new(Code::QcDualMono, "dual mono", value, limit);
    Some(if twice.is_empty() {
        finding.pass()
    } else {
        finding.fail(
            policy.dual_mono_verdict,
            "A film with mono sound is delivered so, and nothing is to be done. Was it mixed in stereo, ask for that mix.",
        )
    })
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::Spans;
    use reelfarm_model::measurement::sound::{Position, ProgrammeLoudness};
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    /// Two minutes, out of phase in these stretches.
    fn out(film: &mut Measurements, stretches: &[(f64, f64)], silence: f64) {
        film.audio[0].samples = 120 * 48_000;
        let sound = film.audio[0].sound.as_mut().unwrap();
        sound.silence.seconds = silence;
        let first: Vec<Span> =
            stretches.iter().map(|(start, end)| Span { start: *start, end: *end }).collect();
        let seconds = first.iter().map(|span| span.end - span.start).sum();
        sound.pair.as_mut().unwrap().out_of_phase = Spans { count: first.len() as u64, seconds, first };
    }

    #[test]
    fn left_and_right_are_in_phase() {
        sample::table(
            "phase",
            &[
                (Verdict::Pass, "in phase", &|_| {}),
                (Verdict::Pass, "stream 1: 4.2 % of what is heard, up to 5 s", &|m| {
                    out(m, &[(2.0, 7.0)], 0.0);
                }),
                (Verdict::Warn, "stream 1: 4.3 % of what is heard, up to 5.2 s", &|m| {
                    out(m, &[(2.0, 7.2)], 0.0);
                }),
                (Verdict::Pass, "5 % of what is heard, up to 3 s", &|m| {
                    out(m, &[(1.0, 4.0), (5.0, 8.0)], 0.0);
                }),
                (Verdict::Warn, "6 % of what is heard, up to 3 s, correlation 0.6", &|m| {
                    out(m, &[(1.0, 4.0), (5.0, 8.0)], 20.0);
                }),
                (Verdict::Warn, "100 % of what is heard", &|m| out(m, &[(1.0, 4.0)], 500.0)),
            ],
        );
        let mut film = sample::clean();
        out(&mut film, &[(1.0, 4.0), (5.0, 11.0)], 0.0);
        assert_eq!(sample::places(&film, "phase"), ["00:00:01:00", "00:00:05:00"], "7.5 % altogether");
        out(&mut film, &[(1.0, 1.5), (4.0, 9.2)], 0.0);
        assert_eq!(sample::places(&film, "phase"), ["00:00:04:00"], "one long stretch");
    }

    #[test]
    fn one_channel_twice_is_dual_mono() {
        let equal = |film: &mut Measurements, share: Option<f64>| {
            film.audio[0].sound.as_mut().unwrap().pair.as_mut().unwrap().equal = share;
        };
        let different = |film: &mut Measurements, decibels: f64| {
            film.audio[0].sound.as_mut().unwrap().pair.as_mut().unwrap().difference_db = Some(decibels);
        };
        sample::table(
            "dual mono",
            &[
                (Verdict::Pass, "left and right differ", &|_| {}),
                (Verdict::Pass, "left and right differ", &|m| equal(m, Some(0.998))),
                (Verdict::Warn, "stream 1 holds one channel twice", &|m| equal(m, Some(0.999))),
                (Verdict::Pass, "left and right differ", &|m| equal(m, None)),
                (Verdict::Pass, "left and right differ", &|m| different(m, -39.9)),
                (Verdict::Warn, "stream 1 holds one channel twice", &|m| different(m, -40.0)),
                (Verdict::Pass, "left and right differ", &|m| {
                    different(m, -60.0);
                    equal(m, None);
                }),
            ],
        );
        let mut film = sample::clean();
        film.audio[0] = sample::audio(1, 1);
        assert!(
            sample::report(&film)
                .checks
                .iter()
                .all(|check| check.name != "dual mono" && check.name != "phase")
        );
    }
    /// Two mono tracks, out of phase for 6 of 120 s and silent for 20 s of that in common.
    #[test]
    fn mono_tracks_are_left_and_right() {
        let mut film = sample::clean();
        out(&mut film, &[(1.0, 4.0), (5.0, 8.0)], 20.0);
        let mut pair = film.audio[0].sound.as_mut().unwrap().pair.take().unwrap();
        film.audio = (1..=2).map(|index| sample::audio(index, 1)).collect();
        for (track, end) in film.audio.iter_mut().zip([50.0, 40.0]) {
            track.samples = 120 * 48_000;
            let silence = vec![Span { start: 20.0, end }];
            track.sound.as_mut().unwrap().silence = Spans { count: 1, seconds: end - 20.0, first: silence };
        }
        let together = |pair: &PairMeasurement| CombinedTracks {
            tracks: vec![(1, Position::FrontLeft), (2, Position::FrontRight)],
            loudness: ProgrammeLoudness::default(),
            pair: Some(pair.clone()),
        };
        film.combined = vec![together(&pair)];
        let report = sample::report(&film);
        let check = sample::check(&report, "phase");
        assert_eq!(check.verdict, Verdict::Warn);
        assert_eq!(check.value, "streams 1 and 2: 6 % of what is heard, up to 3 s, correlation 0.6");
        assert_eq!(sample::check(&report, "dual mono").verdict, Verdict::Pass);
        pair.equal = Some(1.0);
        film.combined = vec![together(&pair)];
        let report = sample::report(&film);
        assert_eq!(sample::check(&report, "dual mono").value, "streams 1 and 2 hold one channel twice");
    }
}
