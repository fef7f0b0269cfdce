//! Which tracks there are, in which codec, language, layout and rate, and what programmes they make.

use std::path::Path;

use reelfarm_model::qc::{QcReport, Verdict};
use reelfarm_model::{Code, Ladder};

use super::film::{ENGLISH, Films, TARGET, source, stereo, tone};
use super::{assert_found, check, warned};
use crate::judge::{Fault, assert_clean, assert_faults, judged, measured, policy};
use crate::support::repository;

/// The tone in two channels, as an input of FFmpeg's.
fn programme(seconds: f64) -> String {
    source(&stereo(TARGET), seconds)
}

#[test]
fn a_film_without_sound_is_rejected() {
    let films = Films::of(5.0);
    let missing = Fault { code: Code::QcAudioMissing, verdict: Verdict::Reject, places: &[] };
    assert_faults("no track", &judged(&films.with("none.mov", "-map 0:v")), &[missing]);
    let empty =
        films.with("empty.mkv", &format!("{} -map 0:v -map 1:a -frames:a 0 -c:a flac", programme(5.0)));
    let missing = Fault { code: Code::QcAudioMissing, verdict: Verdict::Reject, places: &[] };
    let report = judged(&empty);
    assert_faults("a track without samples", &report, &[missing]);
    assert_found("a track without samples", &report, "audio", Verdict::Reject, "1 track, none with sound");
    let one = films.sounding("mono.mov", &[tone(TARGET + 3.01, 0.0)]);
    assert_clean("a single mono track", &judged(&one));
}

/// Every codec of the list in a container that takes it. Nothing that a coder does to sound is a fault.
#[test]
fn codecs_of_the_list_pass_and_others_do_not() {
    let films = Films::of(5.0);
    let coded = |name: &str, codec: &str| {
        judged(&films.with(name, &format!("{} -map 0:v -map 1:a -c:a {codec} {ENGLISH}", programme(5.0))))
    };
    for (name, codec) in [
        ("aac.mp4", "aac"),
        ("aac.ts", "aac"),
        ("aac.mkv", "aac"),
        ("ac3.ts", "ac3"),
        ("eac3.mp4", "eac3"),
        ("dts.mkv", "dca -strict -2"),
        ("truehd.mkv", "truehd -strict -2"),
        ("mp2.ts", "mp2"),
        ("mp3.mkv", "libmp3lame"),
        ("opus.mp4", "libopus"),
        ("vorbis.mkv", "libvorbis"),
        ("flac.mkv", "flac"),
        ("alac.mov", "alac"),
        ("16.mov", "pcm_s16be"),
        ("24.mkv", "pcm_s24le"),
        ("float.mov", "pcm_f32le"),
    ] {
        assert_clean(name, &coded(name, codec));
    }
    for (name, codec) in [("wma.mkv", "wmav2"), ("adpcm.mov", "adpcm_ima_qt")] {
        let refused = Fault { code: Code::QcContainer, verdict: Verdict::Reject, places: &[] };
        let report = coded(name, codec);
        assert_faults(name, &report, &[refused]);
        assert_found(name, &report, "audio codec", Verdict::Reject, codec);
    }
}

#[test]
fn sample_rates_are_those_of_television() {
    let films = Films::of(5.0);
    let at = |rate: u32| {
        let arguments = format!("{} -map 0:v -map 1:a -ar {rate} -c:a pcm_s24le {ENGLISH}", programme(5.0));
        judged(&films.with("rate.mov", &arguments))
    };
    for rate in [48_000, 96_000] {
        assert_clean(&format!("{rate} Hz"), &at(rate));
    }
    for rate in [44_100, 47_952, 32_000, 22_050, 192_000] {
        assert_faults(&format!("{rate} Hz"), &at(rate), &[warned(Code::QcSampleRate, &[])]);
    }
    assert!(check(&at(22_050), "sample rate").remedy.contains("telephone"));
}

/// What the operator says of the language, beside what the file says.
fn judged_with(films: &Films, written: Option<&str>, given: Option<&str>) -> QcReport {
    let written = written.map(|tag| format!("-metadata:s:a language={tag}")).unwrap_or_default();
    let arguments = format!("{} -map 0:v -map 1:a -c:a flac {written}", programme(2.0));
    judged_as(&films.with("language.mkv", &arguments), given)
}

fn judged_as(film: &Path, given: Option<&str>) -> QcReport {
    let ladder = fs_err::read_to_string(repository().join("ladders/default.toml")).unwrap();
    let ladder = Ladder::parse("default.toml", &ladder).unwrap();
    reelfarm_qc::evaluate(&policy(), &measured(film), &ladder, given)
}

#[test]
fn languages_are_stated_valid_and_not_contradicted() {
    let films = Films::of(2.0);
    for (written, given, value) in [
        (Some("eng"), None, "en"),
        (Some("ger"), None, "de"),
        (Some("pt-BR"), None, "pt-BR"),
        (Some("zxx"), None, "zxx"),
        (Some("swe"), None, "sv"),
        (Some("ger"), Some("de"), "de"),
        (None, Some("fr"), "fr (by --audio-lang)"),
        (Some("und"), Some("fr"), "fr (by --audio-lang)"),
    ] {
        let report = judged_with(&films, written, given);
        assert_clean(value, &report);
        assert_eq!(check(&report, "audio language").value, value);
    }
    // QuickTime has its own numbers of languages, and FFmpeg its own name for this one.
    let film = films.with(
        "swedish.mov",
        &format!("{} -map 0:v -map 1:a -c:a pcm_s24le -metadata:s:a language=sve", programme(2.0)),
    );
    assert_eq!(check(&judged(&film), "audio language").value, "sv");
    for (written, given, value) in [
        (None, None, "not stated, tagged und"),
        (Some("und"), None, "not stated, tagged und"),
        (Some("klingonese"), None, "not stated, tagged und"),
        (Some("q1"), None, "not stated, tagged und"),
        (Some("eng"), Some("fr"), "en; --audio-lang fr not used"),
    ] {
        let report = judged_with(&films, written, given);
        assert_faults(value, &report, &[warned(Code::QcAudioLanguage, &[])]);
        assert_eq!(check(&report, "audio language").value, value);
    }
    let report = judged_with(&films, Some("eng"), Some("jp"));
    assert_found("jp", &report, "audio language", Verdict::Reject, "there is no language \"jp\"");
}

#[test]
fn layouts_are_stated_and_fit_the_channels() {
    let films = Films::of(5.0);
    // 5.1 at the target: see `levels`.
    let level = TARGET - 10.0 * (5.82_f64 / 2.0).log10();
    let six: Vec<String> = (0..6).map(|channel| tone(level, 0.15 * f64::from(channel))).collect();
    let laid_out = |name: &str, arguments: &str| {
        let arguments = format!("{} -map 0:v -map 1:a {arguments} {ENGLISH}", source(&six, 5.0));
        judged(&films.with(name, &arguments))
    };
    assert_clean("5.1", &laid_out("back.mov", "-c:a pcm_s24le"));
    assert_clean("5.1 (side)", &laid_out("side.mov", "-af aformat=channel_layouts=5.1(side) -c:a pcm_s24le"));
    assert_clean("5.1 in AC-3", &laid_out("ac3.mp4", "-c:a ac3 -b:a 448k"));
    // Matroska has no place for the layout of PCM.
    let report = laid_out("unstated.mkv", "-c:a pcm_s24le");
    assert_found("unstated", &report, "channel layout", Verdict::Warn, "stream 1 is taken as 5.1");
    for (layout, value) in [
        ("hexagonal", "stream 1 is not 5.1, but is taken as such"),
        ("7.1", "stream 1: 8 (7.1); stream 1 is mixed to stereo"),
        ("quad", "stream 1: 4 (quad); stream 1 is mixed to stereo"),
    ] {
        let report = laid_out("other.mov", &format!("-af aformat=channel_layouts={layout} -c:a pcm_s24le"));
        assert_found(layout, &report, "channel layout", Verdict::Warn, value);
    }
}

/// A film of mono tracks, each with the tone at a level.
fn mono_tracks(films: &Films, levels: &[f64]) -> QcReport {
    let inputs: Vec<String> = levels
        .iter()
        .enumerate()
        .map(|(track, level)| source(&[tone(*level, 0.15 * track as f64)], 5.0))
        .collect();
    let maps: String = (1..=levels.len()).map(|input| format!("-map {input}:a ")).collect();
    let arguments = format!("{} -map 0:v {maps} -c:a pcm_s24le {ENGLISH}", inputs.join(" "));
    judged(&films.with("mono.mov", &arguments))
}

#[test]
fn mono_tracks_make_one_programme() {
    let films = Films::of(5.0);
    let (two, six) = (TARGET, TARGET - 10.0 * (5.82_f64 / 2.0).log10());
    let none = -300.0;
    for (levels, made) in [
        (&[two + 3.01][..], "en: stereo from stream 1"),
        (&[two; 2], "en: stereo from streams 1-2"),
        (&[six; 6], "en: 5.1 and stereo from streams 1-6"),
        (&[six, six, six, none, six, six], "en: 5.1 and stereo from streams 1-6"),
        (&[six, six, six, six, six, six, two, two], "en: 5.1 from streams 1-6, stereo from streams 7-8"),
        (&[two, two, none, none, none, none, none, none], "en: stereo from streams 1-2"),
    ] {
        let report = mono_tracks(&films, levels);
        assert_clean(&format!("{levels:?}"), &report);
        assert_eq!(check(&report, "audio").value, made, "{levels:?}");
    }
    // No rule says what other numbers are.
    for count in [3, 4, 5, 7] {
        let report = mono_tracks(&films, &vec![two; count]);
        assert_faults(&format!("{count} tracks"), &report, &[warned(Code::QcAudioMissing, &[])]);
        let value = format!("{count} mono tracks: the first two are taken as left and right");
        assert_found("mono tracks", &report, "audio", Verdict::Warn, &value);
    }
    // A part of 5.1 is missing.
    let report = mono_tracks(&films, &[six + 0.8, six + 0.8, none, none, six + 0.8, six + 0.8]);
    assert_faults("no centre", &report, &[warned(Code::QcSilentChannel, &[])]);
    assert_found("no centre", &report, "silent channels", Verdict::Warn, "en: stream 3");
}

/// One says that it is English and the other nothing: what the operator says of it comes after the measurement.
#[test]
fn mono_tracks_that_were_not_measured_together_are_told() {
    let films = Films::of(5.0);
    let [left, right] = [0, 1].map(|channel| source(&stereo(TARGET)[channel..=channel], 5.0));
    let arguments =
        format!("{left} {right} -map 0:v -map 1:a -map 2:a -c:a pcm_s24le -metadata:s:a:0 language=eng");
    let report = judged_as(&films.with("apart.mov", &arguments), Some("en"));
    assert_found("apart", &report, "audio", Verdict::Pass, "en: stereo from streams 1-2");
    assert_found("apart", &report, "loudness", Verdict::Warn, "en: not measured together");
    assert_faults("apart", &report, &[warned(Code::QcLoudness, &[])]);
}

#[test]
fn silent_tracks_are_told() {
    let films = Films::of(5.0);
    let tracks = |second: f64, language: &str| {
        let arguments = format!(
            "{} {} -map 0:v -map 1:a -map 2:a -c:a pcm_s24le -metadata:s:a:0 language=eng \
             -metadata:s:a:1 language={language}",
            programme(5.0),
            source(&stereo(second), 5.0)
        );
        judged(&films.with("tracks.mov", &arguments))
    };
    for (second, language, value) in [
        (-300.0, "eng", "stream 2 left out: silent"),
        (-81.0, "fra", "fr (silent): stereo from stream 2"),
        (TARGET, "eng", "stream 2 left out: same language and kind"),
    ] {
        let report = tracks(second, language);
        assert_faults(value, &report, &[warned(Code::QcAudioMissing, &[])]);
        assert_found(value, &report, "audio", Verdict::Warn, value);
    }
    assert_clean("two languages", &tracks(TARGET, "fra"));
    // Below what anybody hears, and yet not nothing: it is judged as too quiet, but not as a silent track.
    let report = tracks(-79.0, "fra");
    assert_found("-79 dBFS", &report, "audio", Verdict::Pass, "fr: stereo from stream 2");
    assert_found("-79 dBFS", &report, "loudness", Verdict::Warn, "fr: below -70 LUFS");
}
