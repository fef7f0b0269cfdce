//! Is a programme silent for too long, or one of its channels altogether.

use reelfarm_model::Code;
use reelfarm_model::measurement::sound::{Position, Side};
use reelfarm_model::measurement::{AudioMeasurement, Span};
use reelfarm_model::qc::{AudioSource, Check};

use super::Mix;
use crate::checks::timeline::{longer_than, longest};
use crate::checks::{Finding, Timeline};
use crate::policy::{Policy, Silence};
use crate::text::{list, span};

/// The place of the low frequencies among the six mono tracks of 5.1 (ITU-R BR.1384).
const LOW_FREQUENCIES_OF_SIX: usize = 3;

/// Whether a programme is silent for too long; `None` where that was not measured.
pub(super) fn silence(policy: &Silence, mixes: &[Mix<'_>], timeline: Timeline) -> Option<Check> {
    let measured: Vec<(&Mix<'_>, Vec<Span>)> =
        mixes.iter().filter_map(|mix| Some((mix, of_mix(mix)?))).collect();
    if measured.is_empty() {
        return None;
    }
    let named: Vec<_> = measured
        .iter()
        .map(|(mix, silences)| match longest(silences) {
            None => format!("{}: none", mix.name),
            Some(longest) => format!(
                "{}: up to {}, at {}",
                mix.name,
                span(longest.end - longest.start),
                timeline.time_code(longest.start)
            ),
        })
        .collect();
    let mut long: Vec<Span> = Vec::new();
    for silence in measured.iter().flat_map(|(_, silences)| longer_than(silences, policy.max_s)) {
        // The stereo mix falls silent with its 5.1, to a few hundredths.
        if !long.iter().any(|known| known.start < silence.end && silence.start < known.end) {
            long.push(silence);
        }
    }
    let limit = format!("at most {} below -60 dBFS", span(policy.max_s));
    let finding =
        Finding::new(Code::QcSilence, "silence", named.join("; "), limit).at(timeline.places(&long));
    Some(if long.is_empty() {
        finding.pass()
    } else {
        finding.fail(
            policy.verdict,
            "Listen at these places: is it meant, or did a track drop out? Then ask for a new export.",
        )
    })
}

/// When a mix is silent: its track, or all its mono tracks at once.
fn of_mix(mix: &Mix<'_>) -> Option<Vec<Span>> {
    let mut all =
        mix.tracks.iter().map(|track| track.sound.as_ref().map(|sound| sound.silence.first.as_slice()));
    let first = all.next()??.to_vec();
    all.try_fold(first, |silent, next| Some(common(&silent, next?)))
}

/// What is part of both; each is in the order of time and does not overlap itself.
pub(super) fn common(ours: &[Span], theirs: &[Span]) -> Vec<Span> {
    let (mut ours, mut theirs) = (ours.iter().peekable(), theirs.iter().peekable());
    let mut found = Vec::new();
    while let (Some(one), Some(other)) = (ours.peek(), theirs.peek()) {
        let both = Span { start: one.start.max(other.start), end: one.end.min(other.end) };
        if both.start < both.end {
            found.push(both);
        }
        if one.end < other.end {
            ours.next();
        } else {
            theirs.next();
        }
    }
    found
}

/// Whether a channel of a programme that is heard is silent altogether; `None` where that was not measured.
pub(super) fn channels(policy: &Policy, mixes: &[Mix<'_>]) -> Option<Check> {
    let mut is_measured = false;
    let mut silent: Vec<String> = Vec::new();
    for mix in mixes {
        let names = match mix.source {
            AudioSource::Track { .. } => {
                let track = mix.tracks.first().copied();
                is_measured |= track.is_some_and(|track| track.sound.is_some());
                track.map(|track| of_track(policy, track)).unwrap_or_default()
            }
            AudioSource::MonoTracks { .. } => {
                is_measured = true;
                of_mono_tracks(policy, &mix.tracks)
            }
        };
        if !names.is_empty() {
            silent.push(format!("{}: {}", mix.name, list(&names, "and")));
        }
    }
    if !is_measured {
        return None;
    }
    let value = if silent.is_empty() { "none".to_owned() } else { silent.join("; ") };
    let limit = "none but the low frequencies";
    let finding = Finding::new(Code::QcSilentChannel, "silent channels", value, limit);
    Some(if silent.is_empty() {
        finding.pass()
    } else {
        finding.fail(
            policy.channels.silent_verdict,
            "Listen to each channel: is part of the mix missing, or is it a mono or stereo mix in a larger format? Ask which is meant.",
        )
    })
}

fn of_track(policy: &Policy, track: &AudioMeasurement) -> Vec<String> {
    let Some(sound) = &track.sound else { return Vec::new() };
    let only = sound.pair.as_ref().and_then(|pair| {
        let silent = match pair.only? {
            Side::Left => pair.right,
            Side::Right => pair.left,
        };
        usize::try_from(silent).ok()
    });
    sound
        .channels
        .iter()
        .enumerate()
        .filter(|(_, channel)| channel.position != Position::LowFrequency)
        .filter(|(number, channel)| only == Some(*number) || !is_heard(policy, channel.peak_dbfs))
        .map(|(number, channel)| name(channel.position, number))
        .collect()
}

fn of_mono_tracks(policy: &Policy, tracks: &[&AudioMeasurement]) -> Vec<String> {
    tracks
        .iter()
        .enumerate()
        .filter(|(number, track)| {
            let is_low_frequencies = tracks.len() == 6 && *number == LOW_FREQUENCIES_OF_SIX;
            !is_low_frequencies && !is_heard(policy, track.peak_dbfs)
        })
        .map(|(_, track)| format!("stream {}", track.index))
        .collect()
}

fn is_heard(policy: &Policy, peak_dbfs: Option<f64>) -> bool {
    peak_dbfs.is_some_and(|peak| peak >= policy.audio.silence_dbfs)
}

/// What people call a channel.
pub(super) fn name(position: Position, number: usize) -> String {
    let name = match position {
        Position::Mono => "mono",
        Position::FrontLeft => "left",
        Position::FrontRight => "right",
        Position::FrontCentre => "centre",
        Position::LowFrequency => "low frequencies",
        Position::SideLeft => "left side",
        Position::SideRight => "right side",
        Position::BackLeft => "left surround",
        Position::BackRight => "right surround",
        Position::Other => return format!("channel {}", number + 1),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::Spans;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    fn spans(stretches: &[(f64, f64)]) -> Spans {
        let first: Vec<Span> =
            stretches.iter().map(|(start, end)| Span { start: *start, end: *end }).collect();
        let seconds = first.iter().map(|span| span.end - span.start).sum();
        Spans { count: first.len() as u64, seconds, first }
    }

    fn silent(film: &mut Measurements, track: usize, stretches: &[(f64, f64)]) {
        film.audio[track].sound.as_mut().unwrap().silence = spans(stretches);
    }

    fn mono(film: &mut Measurements, tracks: u32) {
        film.audio = (1..=tracks).map(|index| sample::audio(index, 1)).collect();
    }

    #[test]
    fn silence_is_short() {
        sample::table(
            "silence",
            &[
                (Verdict::Pass, "en: none", &|_| {}),
                (Verdict::Pass, "en: up to 5 s, at 00:00:02:00", &|m| {
                    silent(m, 0, &[(0.0, 1.0), (2.0, 7.0)]);
                }),
                (Verdict::Warn, "en: up to 5.04 s, at 00:00:02:00", &|m| silent(m, 0, &[(2.0, 7.04)])),
                (Verdict::Pass, "en: up to 4 s, at 00:00:03:00", &|m| {
                    mono(m, 2);
                    silent(m, 0, &[(0.0, 7.0)]);
                    silent(m, 1, &[(3.0, 10.0)]);
                }),
                (Verdict::Warn, "en: up to 6 s, at 00:00:03:00", &|m| {
                    mono(m, 2);
                    silent(m, 0, &[(0.0, 9.0)]);
                    silent(m, 1, &[(3.0, 10.0)]);
                }),
            ],
        );
        let mut film = sample::clean();
        film.audio = vec![sample::audio(1, 6), sample::audio(2, 2)];
        silent(&mut film, 0, &[(0.0, 6.0)]);
        silent(&mut film, 1, &[(0.02, 6.01)]);
        assert_eq!(sample::places(&film, "silence"), ["00:00:00:00"], "named once");
    }

    #[test]
    fn what_two_have_in_common_is_found() {
        let one = spans(&[(0.0, 2.0), (3.0, 8.0), (9.0, 10.0)]);
        let other = spans(&[(1.0, 4.0), (5.0, 6.0), (7.0, 9.5)]);
        let expected = spans(&[(1.0, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0), (9.0, 9.5)]);
        assert_eq!(common(&one.first, &other.first), expected.first);
        assert_eq!(common(&other.first, &one.first), expected.first);
        assert_eq!(common(&one.first, &[]), []);
    }

    #[test]
    fn each_channel_is_heard() {
        let mute = |film: &mut Measurements, channel: usize, peak: Option<f64>| {
            film.audio[0].sound.as_mut().unwrap().channels[channel].peak_dbfs = peak;
        };
        let surround = |film: &mut Measurements| film.audio[0] = sample::audio(1, 6);
        sample::table(
            "silent channels",
            &[
                (Verdict::Pass, "none", &|_| {}),
                (Verdict::Pass, "none", &|m| mute(m, 1, Some(-80.0))),
                (Verdict::Warn, "en: right", &|m| mute(m, 1, Some(-80.1))),
                (Verdict::Warn, "en: left", &|m| {
                    m.audio[0].sound.as_mut().unwrap().pair.as_mut().unwrap().only = Some(Side::Right);
                }),
                (Verdict::Warn, "en: centre", &|m| {
                    surround(m);
                    mute(m, 2, None);
                }),
                (Verdict::Pass, "none", &|m| {
                    surround(m);
                    mute(m, 3, None);
                }),
                (Verdict::Warn, "en: centre, left surround and right surround", &|m| {
                    surround(m);
                    [2, 4, 5].into_iter().for_each(|channel| mute(m, channel, None));
                }),
                (Verdict::Warn, "en: stream 2", &|m| {
                    mono(m, 2);
                    m.audio[1].peak_dbfs = None;
                }),
                (Verdict::Warn, "en: stream 3", &|m| {
                    mono(m, 6);
                    m.audio[2].peak_dbfs = None;
                    m.audio[3].peak_dbfs = None;
                }),
            ],
        );
    }
}
