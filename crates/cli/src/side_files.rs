//! Files of subtitles that lie beside a film: `film.en.srt`, `film.pt-BR.vtt`, `film.en.forced.srt`, `film.de.sdh.ttml`.
//!
//! Promises: a file that looks like the film's subtitles is taken or refused with a reason, never left out without a
//! word. It blocks: it reads the folder and the files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use reelfarm_model::subtitles::SubtitlePurpose;
use reelfarm_model::title::SubtitleFile;
use reelfarm_model::{Code, Failure};
use reelfarm_packaging::subtitles;
use reelfarm_workers::source::source_reference;

/// The extensions of files of subtitles, in small letters.
const EXTENSIONS: [&str; 4] = ["srt", "vtt", "ttml", "dfxp"];

/// The files of subtitles of a film, by language and purpose.
///
/// # Errors
/// A name says no language, two files are for the same track, or one cannot be read as subtitles.
pub fn side_files(film: &Path) -> Result<Vec<SubtitleFile>, Failure> {
    let mut found: BTreeMap<(String, SubtitlePurpose), PathBuf> = BTreeMap::new();
    for (path, tags) in named_like(film)? {
        let (language, purpose) = track(&tags).map_err(|reason| {
            let message = format!(
                "{} looks like subtitles of {}, but {reason}; name it after film and language, such as {}",
                path.display(),
                film.display(),
                example(film, &path)
            );
            Failure::new(Code::SubtitlesName, message)
        })?;
        if let Some(other) = found.insert((language, purpose), path.clone()) {
            let message = format!(
                "{} and {} are both the same subtitles of {}; take one of them away",
                other.display(),
                path.display(),
                film.display()
            );
            return Err(Failure::new(Code::SubtitlesName, message));
        }
    }
    let taken = |((language, purpose), path): ((String, SubtitlePurpose), PathBuf)| {
        readable(&path)?;
        Ok(SubtitleFile { file: source_reference(&path)?, language, purpose })
    };
    found.into_iter().map(taken).collect()
}

/// The files beside a film whose names begin with its own, without those of a film with a longer name; with what their
/// names say between the film's and the extension.
fn named_like(film: &Path) -> Result<Vec<(PathBuf, Vec<String>)>, Failure> {
    let folder = film.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unreadable = |error: std::io::Error| {
        Failure::new(Code::SourceUnreadable, format!("{error}; subtitles are looked for beside the film"))
    };
    let Some(stem) = film.file_stem().and_then(OsStr::to_str) else { return Ok(Vec::new()) };
    let prefix = format!("{stem}.");
    let (mut files, mut others) = (Vec::new(), Vec::new());
    for entry in fs_err::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(OsStr::to_str) else { continue };
        let Some(rest) = name.strip_prefix(&prefix) else { continue };
        let (tags, extension) = rest.rsplit_once('.').unwrap_or(("", rest));
        if EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()) {
            let tags = tags.split('.').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
            files.push((path, tags));
        } else if !tags.is_empty() {
            others.push(tags.to_owned());
        }
    }
    files.retain(|(_, tags): &(PathBuf, Vec<String>)| {
        let tags = tags.join(".");
        !others.iter().any(|other| tags == *other || tags.starts_with(&format!("{other}.")))
    });
    files.sort();
    Ok(files)
}

/// The language and purpose that a name says.
fn track(tags: &[String]) -> Result<(String, SubtitlePurpose), String> {
    let (language, purpose) = match tags {
        [] => return Err("its name says no language".to_owned()),
        [language] => (language, SubtitlePurpose::Dialogue),
        [language, purpose] => {
            let purpose = match purpose.to_ascii_lowercase().as_str() {
                "forced" => SubtitlePurpose::Forced,
                "sdh" | "cc" | "hi" => SubtitlePurpose::HardOfHearing,
                _ => return Err(format!("{purpose:?} is neither \"forced\" nor \"sdh\"")),
            };
            (language, purpose)
        }
        _ => return Err("its name says more than a language and a purpose".to_owned()),
    };
    match reelfarm_qc::language::parse(language) {
        Ok(Some(language)) => Ok((language, purpose)),
        Ok(None) => Err(format!("{language:?} states no language")),
        Err(error) => Err(error.to_string()),
    }
}

fn example(film: &Path, path: &Path) -> String {
    let part = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    format!("{}.en.{}", part(film.file_stem()), part(path.extension()))
}

/// Refuses a file now that would be refused once its title is under way.
fn readable(path: &Path) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::new(Code::SourceUnreadable, error.to_string());
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path).map_err(unreadable)?;
    file.take(subtitles::LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    subtitles::read(&bytes).map(drop).map_err(|error| {
        let message = format!("{}: {error}; correct the file, or take it away", path.display());
        Failure::new(Code::SubtitlesInvalid, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SRT: &str = "1\n00:00:01,000 --> 00:00:02,000\na\n";

    fn looked_at(names: &[&str]) -> Result<Vec<(String, SubtitlePurpose)>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs_err::write(folder.path().join(name), SRT).unwrap();
        }
        let found = side_files(&folder.path().join("film.mp4"))?;
        Ok(found.into_iter().map(|file| (file.language, file.purpose)).collect())
    }

    #[test]
    fn names_say_language_and_purpose() {
        use SubtitlePurpose::{Dialogue, Forced, HardOfHearing};
        for (name, language, purpose) in [
            ("film.en.srt", "en", Dialogue),
            ("film.eng.SRT", "en", Dialogue),
            ("film.pt-br.vtt", "pt-BR", Dialogue),
            ("film.de.forced.ttml", "de", Forced),
            ("film.de.SDH.dfxp", "de", HardOfHearing),
            ("film.de.cc.srt", "de", HardOfHearing),
        ] {
            let found = looked_at(&["film.mp4", name]).unwrap();
            assert_eq!(found, [(language.to_owned(), purpose)], "{name}");
        }
        let found = looked_at(&["film.mp4", "film.fr.srt", "film.en.sdh.srt", "film.en.srt"]).unwrap();
        let languages: Vec<_> = found.iter().map(|(language, _)| language.as_str()).collect();
        assert_eq!(languages, ["en", "en", "fr"]);
    }

    #[test]
    fn what_belongs_to_another_film_or_is_no_subtitle_is_left_alone() {
        let names =
            ["film.mp4", "film.part2.mkv", "film.part2.en.srt", "film.txt", "films.en.srt", "other.en.srt"];
        assert_eq!(looked_at(&names).unwrap(), []);
    }

    #[test]
    fn a_name_that_says_no_track_is_refused() {
        for (name, reason) in [
            ("film.srt", "its name says no language"),
            ("film.klingonish.srt", "\"klingonish\""),
            ("film.und.srt", "\"und\" states no language"),
            ("film.en.karaoke.srt", "\"karaoke\" is neither"),
            ("film.en.forced.2.srt", "more than a language and a purpose"),
        ] {
            let failure = looked_at(&["film.mp4", name]).unwrap_err();
            assert_eq!(failure.code, Code::SubtitlesName, "{name}");
            assert!(
                failure.message.contains(reason) && failure.message.contains("film.en.srt"),
                "{failure:?}"
            );
        }
        let failure = looked_at(&["film.mp4", "film.en.srt", "film.eng.vtt"]).unwrap_err();
        assert!(failure.message.contains("are both the same subtitles"), "{failure:?}");
    }

    #[test]
    fn a_broken_file_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("film.en.srt"), "1\n00:00:02,000 --> 00:00:01,000\na\n").unwrap();
        let failure = side_files(&folder.path().join("film.mp4")).unwrap_err();
        assert_eq!(failure.code, Code::SubtitlesInvalid);
        assert!(failure.message.contains("film.en.srt: line 2: "), "{failure:?}");
    }
}
