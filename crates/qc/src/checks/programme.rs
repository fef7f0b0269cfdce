//! Which tracks make which programme's sound.
//!
//! A track with several channels is a programme of its own; mono tracks of one language are one programme's channels,
//! put together by the policy. Parts of one language complete each other (a stereo track beside a 5.1 track); a
//! second part of the same kind is left out, and so is a silent one where another is heard.

use reelfarm_model::measurement::AudioMeasurement;
use reelfarm_model::qc::{AudioProgramme, AudioSource};

use crate::policy::{self, MonoProgramme};

/// A track that decodes to sound, with its language (BCP 47) where known.
#[derive(Clone, Debug)]
pub(crate) struct Track<'a> {
    pub(crate) measured: &'a AudioMeasurement,
    pub(crate) language: Option<String>,
}

/// The programmes of a file, and what people should know about how they came about.
#[derive(Debug, Default)]
pub(crate) struct Programmes {
    pub(crate) list: Vec<Programme>,
    pub(crate) notes: Vec<String>,
}

/// One programme with the tracks behind it.
#[derive(Debug)]
pub(crate) struct Programme {
    pub(crate) language: Option<String>,
    pub(crate) stereo: AudioSource,
    pub(crate) surround: Option<AudioSource>,
    pub(crate) is_silent: bool,
}

impl Programme {
    pub(crate) fn conclusion(&self) -> AudioProgramme {
        AudioProgramme {
            language: self.language.clone().unwrap_or_else(|| "und".to_owned()),
            stereo: self.stereo.clone(),
            surround: self.surround.clone(),
        }
    }

    /// The indexes of all streams that the programme uses, each once.
    pub(crate) fn streams(&self) -> Vec<u32> {
        let mut streams = streams(&self.stereo);
        streams.extend(self.surround.iter().flat_map(self::streams));
        streams.sort_unstable();
        streams.dedup();
        streams
    }
}

pub(crate) fn streams(source: &AudioSource) -> Vec<u32> {
    match source {
        AudioSource::Track { stream } => vec![*stream],
        AudioSource::MonoTracks { streams } => streams.clone(),
    }
}

/// What one track, or one group of mono tracks, offers to a programme.
struct Part {
    language: Option<String>,
    stereo: Option<AudioSource>,
    surround: Option<AudioSource>,
    is_silent: bool,
    /// The place of its first track in the file.
    place: usize,
}

/// Puts a file's sound together.
pub(crate) fn programmes(policy: &policy::Audio, tracks: &[Track<'_>]) -> Programmes {
    let mut notes = Vec::new();
    let mut parts = parts(policy, tracks, &mut notes);
    parts.sort_by_key(|part| (part.is_silent, part.place));
    let mut placed: Vec<(usize, Part)> = Vec::new();
    for part in parts {
        match placed.iter_mut().find(|(_, programme)| programme.language == part.language) {
            Some((_, programme)) => {
                if let Some(note) = complete(programme, part) {
                    notes.push(note);
                }
            }
            None => placed.push((part.place, part)),
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    let list = placed.into_iter().filter_map(|(_, part)| finish(part)).collect();
    Programmes { list, notes }
}

fn parts(policy: &policy::Audio, tracks: &[Track<'_>], notes: &mut Vec<String>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut grouped: Vec<&Option<String>> = Vec::new();
    for (place, track) in tracks.iter().enumerate() {
        if track.measured.channels != 1 {
            parts.push(track_part(policy, track, place));
        } else if !grouped.contains(&&track.language) {
            grouped.push(&track.language);
            let group: Vec<_> = tracks
                .iter()
                .filter(|other| other.measured.channels == 1 && other.language == track.language)
                .map(|other| other.measured)
                .collect();
            let (stereo, surround) = mono_sources(policy, &group, notes);
            let used: Vec<_> = stereo.iter().chain(&surround).flat_map(streams).collect();
            let is_silent = group
                .iter()
                .filter(|member| used.contains(&member.index))
                .all(|member| is_silent(policy, member));
            parts.push(Part { language: track.language.clone(), stereo, surround, is_silent, place });
        }
    }
    parts
}

/// Six channels are kept as 5.1; any other number is mixed to stereo.
fn track_part(policy: &policy::Audio, track: &Track<'_>, place: usize) -> Part {
    let source = AudioSource::Track { stream: track.measured.index };
    let is_surround = track.measured.channels == 6;
    Part {
        language: track.language.clone(),
        stereo: (!is_surround).then(|| source.clone()),
        surround: is_surround.then_some(source),
        is_silent: is_silent(policy, track.measured),
        place,
    }
}

fn is_silent(policy: &policy::Audio, track: &AudioMeasurement) -> bool {
    !track.peak_dbfs.is_some_and(|peak| peak >= policy.silence_dbfs)
}

/// Stereo and surround of one language's mono tracks.
fn mono_sources(
    policy: &policy::Audio,
    group: &[&AudioMeasurement],
    notes: &mut Vec<String>,
) -> (Option<AudioSource>, Option<AudioSource>) {
    if let Some(programme) = policy.mono_programme(group.len()) {
        return by_policy(policy, programme, group);
    }
    if group.len() > 1 {
        notes.push(format!(
            "{} mono tracks: the first two are taken as left and right, the others left out",
            group.len()
        ));
    }
    (mono_source(&group[..group.len().min(2)]), None)
}

fn by_policy(
    policy: &policy::Audio,
    programme: &MonoProgramme,
    group: &[&AudioMeasurement],
) -> (Option<AudioSource>, Option<AudioSource>) {
    let pick = |numbers: &[usize]| -> Vec<&AudioMeasurement> {
        numbers.iter().filter_map(|number| group.get(number.checked_sub(1)?).copied()).collect()
    };
    let is_heard = |track: &&AudioMeasurement| !is_silent(policy, track);
    let (surround, stereo) = (pick(&programme.surround), pick(&programme.stereo));
    let front = &surround[..surround.len().min(2)];
    let has_surround = surround.iter().skip(2).any(is_heard);
    let own_stereo = if surround.is_empty() || stereo.iter().all(is_heard) && !stereo.is_empty() {
        mono_source(&stereo)
    } else if has_surround {
        None
    } else if front.iter().any(is_heard) || !stereo.iter().any(is_heard) {
        mono_source(front)
    } else {
        mono_source(&stereo)
    };
    (own_stereo, if has_surround { mono_source(&surround) } else { None })
}

/// One mono track is a track like any other: left and right are made of it.
fn mono_source(tracks: &[&AudioMeasurement]) -> Option<AudioSource> {
    match tracks {
        [] => None,
        [only] => Some(AudioSource::Track { stream: only.index }),
        several => {
            Some(AudioSource::MonoTracks { streams: several.iter().map(|track| track.index).collect() })
        }
    }
}

/// Adds to a programme what it lacks; says so where a part is left out.
fn complete(programme: &mut Part, part: Part) -> Option<String> {
    let used: Vec<_> = part.stereo.iter().chain(&part.surround).flat_map(streams).collect();
    let left_out = |reason: &str| {
        let names: Vec<_> = used.iter().map(u32::to_string).collect();
        let noun = if used.len() == 1 { "stream" } else { "streams" };
        Some(format!("{noun} {} left out: {reason}", names.join(", ")))
    };
    if part.is_silent && !programme.is_silent {
        return left_out("silent");
    }
    let mut taken = false;
    if programme.stereo.is_none() && part.stereo.is_some() {
        programme.stereo = part.stereo;
        taken = true;
    }
    if programme.surround.is_none() && part.surround.is_some() {
        programme.surround = part.surround;
        taken = true;
    }
    if taken { None } else { left_out("same language and kind as one before") }
}

/// A programme without stereo of its own has it mixed down from its surround sound.
fn finish(part: Part) -> Option<Programme> {
    let stereo = part.stereo.or_else(|| part.surround.clone())?;
    Some(Programme { language: part.language, stereo, surround: part.surround, is_silent: part.is_silent })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// A track as `language:channels`, with `!` at the end where it is silent. Stream indexes count from 1.
    fn tracks(text: &str) -> Vec<AudioMeasurement> {
        text.split_whitespace()
            .zip(1..)
            .map(|(word, index)| {
                let (language, channels) = word.trim_end_matches('!').split_once(':').unwrap();
                let mut track = sample::audio(index, channels.parse().unwrap());
                track.language = (!language.is_empty()).then(|| language.to_owned());
                track.peak_dbfs = if word.ends_with('!') { None } else { Some(-6.0) };
                track
            })
            .collect()
    }

    fn shown(source: &AudioSource) -> String {
        let names: Vec<_> = streams(source).iter().map(u32::to_string).collect();
        names.join("+")
    }

    fn made_of(text: &str) -> (String, usize) {
        let measured = tracks(text);
        let tracks: Vec<_> =
            measured.iter().map(|measured| Track { measured, language: measured.language.clone() }).collect();
        let found = programmes(&sample::policy().audio, &tracks);
        let lines: Vec<_> = found
            .list
            .iter()
            .map(|programme| {
                let surround = programme
                    .surround
                    .as_ref()
                    .map(|source| format!(" 5.1={}", shown(source)))
                    .unwrap_or_default();
                let silent = if programme.is_silent { " silent" } else { "" };
                let language = programme.conclusion().language;
                format!("{language}: {}{surround}{silent}", shown(&programme.stereo))
            })
            .collect();
        (lines.join("; "), found.notes.len())
    }

    #[test]
    fn tracks_become_programmes() {
        for (text, expected, notes) in [
            ("en:2", "en: 1", 0),
            (":1", "und: 1", 0),
            ("en:6", "en: 1 5.1=1", 0),
            ("en:8", "en: 1", 0),
            ("en:4", "en: 1", 0),
            ("en:2 fr:2", "en: 1; fr: 2", 0),
            ("en:2 fr:6", "en: 1; fr: 2 5.1=2", 0),
            ("en:6 en:2", "en: 2 5.1=1", 0),
            ("en:2 en:6", "en: 1 5.1=2", 0),
            ("en:2 en:2", "en: 1", 1),
            ("en:6 en:6 en:2", "en: 3 5.1=1", 1),
            ("en:2! en:2", "en: 2", 1),
            ("fr:2! en:2", "fr: 1 silent; en: 2", 0),
            ("en:6 en:2!", "en: 1 5.1=1", 1),
            (":2 :2", "und: 1", 1),
        ] {
            assert_eq!(made_of(text), (expected.to_owned(), notes), "{text}");
        }
    }

    #[test]
    fn mono_tracks_are_one_programmes_channels() {
        for (text, expected, notes) in [
            (":1 :1", "und: 1+2", 0),
            ("en:1 fr:1", "en: 1; fr: 2", 0),
            ("en:1 fr:1 en:1 fr:1", "en: 1+3; fr: 2+4", 0),
            (":1 :1 :1", "und: 1+2", 1),
            (":1 :1 :1 :1", "und: 1+2", 1),
            (":1 :1 :1 :1 :1 :1", "und: 1+2+3+4+5+6 5.1=1+2+3+4+5+6", 0),
            (":1 :1 :1! :1! :1! :1!", "und: 1+2", 0),
            ("en:2 en:1 en:1", "en: 1", 1),
        ] {
            assert_eq!(made_of(text), (expected.to_owned(), notes), "{text}");
        }
    }

    #[test]
    fn eight_mono_tracks_are_surround_and_its_stereo_mix() {
        for (text, expected) in [
            (":1 :1 :1 :1 :1 :1 :1 :1", "und: 7+8 5.1=1+2+3+4+5+6"),
            (":1 :1! :1 :1! :1! :1! :1 :1!", "und: 1+2+3+4+5+6 5.1=1+2+3+4+5+6"),
            (":1 :1 :1! :1! :1! :1! :1! :1!", "und: 1+2"),
            (":1 :1 :1! :1! :1! :1! :1 :1", "und: 7+8"),
            (":1! :1! :1! :1! :1! :1! :1 :1", "und: 7+8"),
            (":1! :1! :1! :1! :1! :1! :1 :1!", "und: 7+8"),
            (":1! :1! :1! :1! :1! :1! :1! :1!", "und: 1+2 silent"),
        ] {
            assert_eq!(made_of(text), (expected.to_owned(), 0), "{text}");
        }
    }

    #[test]
    fn silence_is_judged_by_the_policys_level() {
        let mut measured = tracks(":2");
        for (peak, expected) in
            [(Some(-79.9), false), (Some(-80.1), true), (None, true), (Some(f64::NAN), true)]
        {
            measured[0].peak_dbfs = peak;
            let track = Track { measured: &measured[0], language: None };
            let found = programmes(&sample::policy().audio, &[track]);
            assert_eq!(found.list[0].is_silent, expected, "{peak:?}");
        }
    }
}
