//! Subtitles in the file, and data.

use std::path::PathBuf;

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;

use super::film::{ENGLISH, Films, TARGET, source, stereo};
use super::{assert_found, warned};
use crate::judge::{assert_clean, assert_faults, judged};

/// Films of one picture and sound, with subtitles.
struct Subtitled {
    films: Films,
    film: PathBuf,
}

impl Subtitled {
    fn new() -> Self {
        let films = Films::of(5.0);
        let film = films.sounding("film.mov", &stereo(TARGET));
        Self { films, film }
    }

    /// A film with texts that are shown from one time to another, in seconds.
    fn with(&self, name: &str, codec: &str, language: Option<&str>, texts: &[(f64, f64)]) -> PathBuf {
        let time = |seconds: f64| format!("00:00:{seconds:06.3}").replace('.', ",");
        let file: String = texts
            .iter()
            .enumerate()
            .map(|(index, (from, to))| {
                format!("{0}\n{1} --> {2}\nText {0}\n\n", index + 1, time(*from), time(*to))
            })
            .collect();
        let path = self.films.path("texts.srt");
        fs_err::write(&path, file).unwrap();
        let language = language.map(|tag| format!("-metadata:s:s language={tag}")).unwrap_or_default();
        let arguments = format!(
            "-i {} -i {} -map 0:v -map 1:a -map 2:s -c:a copy -c:s {codec} {ENGLISH} {language}",
            self.film.display(),
            path.display()
        );
        self.films.with(name, &arguments)
    }
}

const FOLLOWING: &[(f64, f64)] = &[(0.5, 2.0), (2.0, 3.0), (3.04, 4.5)];

#[test]
fn subtitles_have_a_language() {
    let subtitled = Subtitled::new();
    for (name, codec) in
        [("clean.mkv", "srt"), ("clean.mkv", "ass"), ("clean.mov", "mov_text"), ("clean.mkv", "webvtt")]
    {
        let report = judged(&subtitled.with(name, codec, Some("spa"), FOLLOWING));
        assert_clean(codec, &report);
        assert_found(codec, &report, "subtitles and data", Verdict::Pass, "es, 3 events");
    }
    for language in [None, Some("und"), Some("klingonese")] {
        let report = judged(&subtitled.with("language.mkv", "srt", language, FOLLOWING));
        assert_faults(&format!("{language:?}"), &report, &[warned(Code::QcSubtitles, &[])]);
        assert_found(
            "language",
            &report,
            "subtitles and data",
            Verdict::Warn,
            "fault of stream 2: no language",
        );
    }
}

#[test]
fn overlaps_are_found_where_they_are() {
    let subtitled = Subtitled::new();
    for (name, codec) in [("overlap.mkv", "srt"), ("overlap.mkv", "ass")] {
        let texts = [(0.5, 2.0), (1.7, 3.0), (3.0, 4.0), (3.2, 3.6)];
        let report = judged(&subtitled.with(name, codec, Some("eng"), &texts));
        assert_faults(codec, &report, &[warned(Code::QcSubtitles, &[(1.7, 2.0), (3.2, 3.6)])]);
        assert_found(codec, &report, "subtitles and data", Verdict::Warn, "fault of stream 2: 2 overlaps");
    }
}

#[test]
fn texts_after_the_end_are_found() {
    let subtitled = Subtitled::new();
    assert_clean("0.9 s", &judged(&subtitled.with("end.mkv", "srt", Some("eng"), &[(0.5, 2.0), (4.0, 5.9)])));
    let report = judged(&subtitled.with("late.mkv", "srt", Some("eng"), &[(0.5, 2.0), (4.0, 6.2)]));
    assert_faults("1.2 s", &report, &[warned(Code::QcSubtitles, &[(5.0, 6.2)])]);
    assert_found("1.2 s", &report, "subtitles and data", Verdict::Warn, "ends 1.2 s late");
}

#[test]
fn a_track_without_texts_is_told() {
    let subtitled = Subtitled::new();
    let text = subtitled.with("full.mkv", "srt", Some("eng"), FOLLOWING);
    let arguments =
        format!("-i {} -map 0:v -map 1:a -map 1:s -c copy -bsf:s noise=amount=0:drop=1", text.display());
    let report = judged(&subtitled.films.with("empty.mkv", &arguments));
    assert_faults("no texts", &report, &[warned(Code::QcSubtitles, &[])]);
    assert_found(
        "no texts",
        &report,
        "subtitles and data",
        Verdict::Warn,
        "fault of stream 2: nothing to show",
    );
}

#[test]
fn time_code_is_listed_and_no_fault() {
    let films = Films::of(5.0);
    let arguments = format!(
        "{} -map 0:v -map 1:a -c:a pcm_s24le -timecode 10:00:00:00 {ENGLISH}",
        source(&stereo(TARGET), 5.0)
    );
    let report = judged(&films.with("time_code.mov", &arguments));
    assert_clean("time code", &report);
    assert_found("time code", &report, "subtitles and data", Verdict::Pass, "stream 2: ");
}
