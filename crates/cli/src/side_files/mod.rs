//! What lies beside a film: its checksums, and files of subtitles: `film.en.srt`, `film.pt-BR.vtt`, `film.en.forced.srt`,
//! `film.de.sdh.ttml`.
//!
//! Promises: a file that looks like the film's subtitles is taken, refused with a reason, or named as one that is not
//! taken; none is left out without a word. It blocks: it reads the folder and the files.

mod checksums;
mod name;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use reelfarm_model::subtitles::SubtitlePurpose;
use reelfarm_model::title::SubtitleFile;
use reelfarm_model::{Code, Failure, SourceReference};
use reelfarm_packaging::subtitles::{self, TrackError};
use reelfarm_workers::source::source_reference;
use serde::Serialize;

pub use self::checksums::{Checksums, checksums};
use self::name::{Named, example, film, named};

/// How to go on without them.
const WITHOUT: &str = "or run without subtitles: --no-subtitles";

/// What lies beside a film.
#[derive(Debug, Default)]
pub struct SideFiles {
    /// Its files of subtitles, by language and purpose.
    pub taken: Vec<SubtitleFile>,
    /// A sentence on each file that may have been meant as one.
    pub not_taken: Vec<String>,
}

/// A file of subtitles as results for scripts name it.
#[derive(Debug, Serialize)]
pub struct Taken {
    /// Language tag (BCP 47).
    pub language: String,
    /// For whom they are.
    pub purpose: SubtitlePurpose,
    /// The absolute path.
    pub file: String,
}

impl Taken {
    /// The file.
    pub fn of(file: &SubtitleFile) -> Self {
        let SubtitleFile { file, language, purpose } = file;
        let file = file.path.to_string_lossy().into_owned();
        Self { language: language.clone(), purpose: *purpose, file }
    }
}

/// Looks at what lies beside a film.
///
/// # Errors
/// The folder cannot be listed, a name does not say what it must, two files are for the same track, or one cannot be
/// read as subtitles.
pub fn side_files(film: &Path) -> Result<SideFiles, Failure> {
    let shown = film.display();
    let mut found: BTreeMap<(String, SubtitlePurpose), PathBuf> = BTreeMap::new();
    let mut not_taken = Vec::new();
    for (path, named) in named_like(film)? {
        let file = path.display();
        let example = || {
            let part =
                |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
            example(&part(film.file_stem()), &part(path.extension()))
        };
        match named {
            Named::Track { language, purpose } => {
                if let Some(other) = found.insert((language, purpose), path.clone()) {
                    let message = format!(
                        "{} and {file} are both the same subtitles of {shown}; take one of them away",
                        other.display()
                    );
                    return Err(Failure::new(Code::SubtitlesName, message));
                }
            }
            Named::FormatNotRead => {
                let message = format!(
                    "{file} has a format that is not read; deliver it as SRT, WebVTT or TTML, take it away, {WITHOUT}"
                );
                return Err(Failure::new(Code::SubtitlesInvalid, message));
            }
            Named::Unclear(reason) => {
                let message = format!(
                    "{file} looks like subtitles of {shown}, but {reason}; name it after film and language, such as {}, {WITHOUT}",
                    example()
                );
                return Err(Failure::new(Code::SubtitlesName, message));
            }
            Named::Doubtful(reason) => {
                not_taken.push(format!(
                    "{file} is not taken: {reason}; if it is subtitles of {shown}, name it {}",
                    example()
                ));
            }
            Named::Other => {}
        }
    }
    let taken = |((language, purpose), path): ((String, SubtitlePurpose), PathBuf)| {
        let file = regular_file(&path)?;
        subtitles::read(&content(&path)?).map_err(|error| refused(&path, &error.into()))?;
        Ok(SubtitleFile { file, language, purpose })
    };
    Ok(SideFiles { taken: found.into_iter().map(taken).collect::<Result<_, Failure>>()?, not_taken })
}

/// Refuses a file that does not fit a film of `duration_ms` milliseconds.
///
/// # Errors
/// It does not fit, or cannot be read any more.
pub fn fits(file: &SubtitleFile, duration_ms: u64) -> Result<(), Failure> {
    let path = &file.file.path;
    subtitles::track_files(&content(path)?, duration_ms).map(drop).map_err(|error| refused(path, &error))
}

/// The files beside a film whose names begin with its own, in the order of their names.
fn named_like(path: &Path) -> Result<Vec<(PathBuf, Named)>, Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unlistable = |error: std::io::Error| {
        let message = format!(
            "whether subtitles lie beside {} cannot be seen: {error}; ask for the right to list the folder, {WITHOUT}",
            path.display()
        );
        Failure::new(Code::SubtitlesInvalid, message)
    };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(unlistable)? {
        names.push(entry.map_err(unlistable)?.file_name());
    }
    names.sort();
    // What is not UTF-8 in a name is no language: such a file is refused where its name begins with the film's.
    let names: Vec<_> = names.iter().map(|name| (name, name.to_string_lossy())).collect();
    let others: Vec<&str> =
        names.iter().filter_map(|(_, name)| film(name)).filter(|other| *other != stem).collect();
    Ok(names.iter().map(|(name, text)| (folder.join(name), named(&stem, text, &others))).collect())
}

/// The file as it lies there. A pipe or a folder of such a name is refused before anything is opened, as that may wait for
/// ever.
fn regular_file(path: &Path) -> Result<SourceReference, Failure> {
    source_reference(path).map_err(|failure| {
        let shown = path.display();
        let what = match failure.code {
            Code::SourceNotFound => "leads nowhere: it is a broken link, or has just been moved".to_owned(),
            Code::SourceNotAFile => "is a folder, a pipe or a device".to_owned(),
            Code::SourceEmpty => "is empty: its delivery may not have finished".to_owned(),
            _ => format!("cannot be read: {}", failure.message),
        };
        let message = format!(
            "{shown} is called like a file of subtitles, but {what}; mend it, take it away, {WITHOUT}"
        );
        Failure::new(Code::SubtitlesInvalid, message)
    })
}

/// Its bytes, up to one more than are read of any.
fn content(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Code::SubtitlesInvalid, format!("{error}; mend it, take the file away, {WITHOUT}"))
    };
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path).map_err(unreadable)?;
    file.take(subtitles::LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn refused(path: &Path, error: &TrackError) -> Failure {
    let failure = Failure::from(error.clone());
    let message =
        format!("{}: {}; correct the file, take it away, {WITHOUT}", path.display(), failure.message);
    Failure { message, ..failure }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    const SRT: &str = "1\n00:00:01,000 --> 00:00:02,000\na\n";

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs_err::write(folder.path().join(name), SRT).unwrap();
        }
        folder
    }

    fn looked_at(folder: &tempfile::TempDir) -> Result<SideFiles, Failure> {
        side_files(&folder.path().join("film.mp4"))
    }

    fn taken(names: &[&str]) -> Vec<(String, SubtitlePurpose)> {
        let found = looked_at(&folder_with(names)).unwrap();
        found.taken.into_iter().map(|file| (file.language, file.purpose)).collect()
    }

    fn refused(folder: &tempfile::TempDir, code: Code, reason: &str) {
        let failure = looked_at(folder).unwrap_err();
        assert_eq!(failure.code, code, "{failure}");
        assert!(failure.message.contains(reason), "{failure}");
    }

    #[test]
    fn files_are_taken_by_language_and_purpose() {
        use SubtitlePurpose::{Dialogue, HardOfHearing};
        let found = taken(&["film.mp4", "film.fr.srt", "film.en.sdh.srt", "film.en.srt"]);
        let track = |language: &str, purpose| (language.to_owned(), purpose);
        assert_eq!(found, [track("en", Dialogue), track("en", HardOfHearing), track("fr", Dialogue)]);
    }

    #[test]
    fn files_that_are_no_film_take_no_subtitles_away() {
        for beside in ["film.en.txt", "film.en.srt~", "film.en.jpg", "film.en.nfo", "film.en.srt.bak"] {
            let found = taken(&["film.mp4", "film.en.srt", beside]);
            assert_eq!(found, [("en".to_owned(), SubtitlePurpose::Dialogue)], "{beside}");
        }
        assert_eq!(
            taken(&["film.mp4", "film.part2.mkv", "film.part2.en.srt", "films.en.srt", "film.txt"]),
            []
        );
    }

    #[test]
    fn a_file_that_cannot_be_taken_is_refused_with_its_reason() {
        for (name, code, reason) in [
            (
                "film.srt",
                Code::SubtitlesName,
                "its name says no language; name it after film and language, such as film.en.srt",
            ),
            ("film_de.vtt", Code::SubtitlesName, "such as film.en.vtt"),
            ("film.en.ass", Code::SubtitlesInvalid, "film.en.ass has a format that is not read"),
        ] {
            refused(&folder_with(&["film.mp4", name]), code, reason);
        }
        refused(
            &folder_with(&["film.mp4", "film.en.srt", "film.eng.vtt"]),
            Code::SubtitlesName,
            "are both the same subtitles",
        );
        refused(
            &folder_with(&["film.mp4", "film.en.mp4", "film.en.srt"]),
            Code::SubtitlesName,
            "those of the film film.en",
        );
    }

    #[test]
    fn a_file_that_may_be_meant_is_named() {
        let found = looked_at(&folder_with(&["film.mp4", "film-commentary.srt", "film.en.txt"])).unwrap();
        assert!(found.taken.is_empty());
        let [first, second] = found.not_taken.as_slice() else { panic!("{found:?}") };
        assert!(
            first.contains("film-commentary.srt is not taken") && first.ends_with("name it film.en.srt"),
            "{first}"
        );
        assert!(
            second.contains("film.en.txt is not taken") && second.ends_with("name it film.en.srt"),
            "{second}"
        );
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_not_overlooked() {
        let folder = folder_with(&["film.mp4"]);
        fs_err::write(folder.path().join(OsStr::from_bytes(b"film.e\xffn.srt")), SRT).unwrap();
        refused(&folder, Code::SubtitlesName, "looks like subtitles of");
    }

    #[test]
    fn a_broken_file_is_refused_with_its_line() {
        let folder = folder_with(&[]);
        fs_err::write(folder.path().join("film.en.srt"), "1\n00:00:02,000 --> 00:00:01,000\na\n").unwrap();
        refused(&folder, Code::SubtitlesInvalid, "film.en.srt: line 2: ");
    }

    #[test]
    fn what_is_no_file_is_refused_as_subtitles() {
        let path = |folder: &tempfile::TempDir| folder.path().join("film.en.srt");
        let folder = folder_with(&[]);
        fs_err::os::unix::fs::symlink("nowhere", path(&folder)).unwrap();
        refused(&folder, Code::SubtitlesInvalid, "leads nowhere");
        let folder = folder_with(&[]);
        fs_err::os::unix::fs::symlink("film.en.srt", path(&folder)).unwrap();
        refused(&folder, Code::SubtitlesInvalid, "cannot be read");
        let folder = folder_with(&[]);
        fs_err::create_dir(path(&folder)).unwrap();
        refused(&folder, Code::SubtitlesInvalid, "is a folder");
        let folder = folder_with(&[]);
        fs_err::write(path(&folder), "").unwrap();
        refused(&folder, Code::SubtitlesInvalid, "is empty");
    }

    #[test]
    fn a_folder_that_cannot_be_listed_is_told_with_the_way_around_it() {
        let folder = folder_with(&["film"]);
        let failure = side_files(&folder.path().join("film/film.mp4")).unwrap_err();
        assert_eq!(failure.code, Code::SubtitlesInvalid);
        assert!(
            failure.message.contains("cannot be seen") && failure.message.contains("--no-subtitles"),
            "{failure}"
        );
    }

    #[test]
    fn a_file_of_another_film_does_not_fit() {
        let folder = folder_with(&["film.en.srt"]);
        let [file] = looked_at(&folder).unwrap().taken.try_into().unwrap();
        fits(&file, 1_001).unwrap();
        let failure = fits(&file, 999).unwrap_err();
        assert_eq!(failure.code, Code::SubtitlesForeign);
        assert!(failure.message.contains("film.en.srt: "), "{failure}");
    }
}
