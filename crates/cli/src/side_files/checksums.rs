//! Checksums that lie beside a film: `film.mov.md5`, `film.sha256`.
//!
//! Promises: a file that is called so is taken, refused with its line, or named as one that is not taken. It blocks: it
//! looks for the files and reads them.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use reelfarm_model::{ChecksumAlgorithm, Code, Failure, StatedChecksum};
use reelfarm_qc::checksum_file::{LARGEST, Line, parse};
use reelfarm_workers::source::source_reference;

use super::name::FILMS;

/// Extensions of files of checksums, in small letters.
const EXTENSIONS: [(&str, ChecksumAlgorithm); 6] = [
    ("md5", ChecksumAlgorithm::Md5),
    ("md5sum", ChecksumAlgorithm::Md5),
    ("sha1", ChecksumAlgorithm::Sha1),
    ("sha1sum", ChecksumAlgorithm::Sha1),
    ("sha256", ChecksumAlgorithm::Sha256),
    ("sha256sum", ChecksumAlgorithm::Sha256),
];
/// How to go on without them.
const WITHOUT: &str = "take it away, or run without checksums: --no-checksum";

/// What is stated of a film.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checksums {
    /// Its checksums.
    pub stated: Vec<StatedChecksum>,
    /// A sentence on each file of checksums that is not taken.
    pub not_taken: Vec<String>,
}

/// Looks for the checksums that lie beside a film.
///
/// # Errors
/// A file that is called so cannot be read, or is no file of checksums.
pub fn checksums(film: &Path) -> Result<Checksums, Failure> {
    let mut found = Checksums::default();
    for (path, algorithm, is_of_stem) in candidates(film) {
        // A broken link is there as well.
        if fs_err::symlink_metadata(&path).is_err() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lines = parse(&content(&path)?, algorithm)
            .map_err(|error| refused(&path, &format!("{error}; correct it, ")))?;
        let (ours, others): (Vec<Line>, Vec<Line>) =
            lines.into_iter().partition(|line| line.file.as_deref().is_none_or(|file| is_of(film, file)));
        let is_nameless = ours.iter().any(|line| line.file.is_none());
        let shown = path.display();
        if ours.is_empty() {
            // In quotation marks, with what steers a terminal escaped.
            let names: Vec<_> = others
                .into_iter()
                .filter_map(|line| line.file)
                .take(3)
                .map(|file| format!("{file:?}"))
                .collect();
            let names = names.join(", ");
            found.not_taken.push(format!(
                "{shown} is not taken: it states checksums of other files ({names}); if one is that of {}, say --checksum",
                film.display()
            ));
        } else if let (true, true, Some(other)) = (is_of_stem, is_nameless, other_film(film)) {
            found.not_taken.push(format!(
                "{shown} is not taken: it does not say whether it is of {} or of {}; name the file in it",
                film.display(),
                other.display()
            ));
        } else {
            found.stated.extend(
                ours.into_iter()
                    .map(|line| StatedChecksum { checksum: line.checksum, stated_in: name.clone() }),
            );
        }
    }
    found.stated.dedup();
    Ok(found)
}

/// Where checksums of a film may lie, by which algorithm, and whether the name leaves out the film's extension.
fn candidates(film: &Path) -> Vec<(PathBuf, ChecksumAlgorithm, bool)> {
    let (name, stem) = (film.file_name().unwrap_or_default(), film.file_stem().unwrap_or_default());
    let mut candidates = Vec::new();
    for (base, is_of_stem) in [(name, false), (stem, true)] {
        // A film without an extension has one name.
        if is_of_stem && name == stem {
            continue;
        }
        for (extension, algorithm) in EXTENSIONS {
            for extension in [extension.to_owned(), extension.to_uppercase()] {
                candidates.push((film.with_file_name(with(base, &extension)), algorithm, is_of_stem));
            }
        }
    }
    candidates
}

fn with(base: &OsStr, extension: &str) -> OsString {
    let mut name = base.to_owned();
    name.push(".");
    name.push(extension);
    name
}

/// Whether a line names the film. Names from Windows may differ in their letters' size.
fn is_of(film: &Path, file: &str) -> bool {
    film.file_name().unwrap_or_default().to_string_lossy().eq_ignore_ascii_case(file)
}

/// Another film of the same name but for its extension.
fn other_film(film: &Path) -> Option<PathBuf> {
    let stem = film.file_stem().unwrap_or_default();
    let extensions = FILMS.iter().flat_map(|extension| [(*extension).to_owned(), extension.to_uppercase()]);
    let mut others = extensions.map(|extension| film.with_file_name(with(stem, &extension)));
    others.find(|other| other.file_name() != film.file_name() && other.exists())
}

/// The bytes of a regular file, up to one more than are read of any. A pipe is refused before it is opened.
fn content(path: &Path) -> Result<Vec<u8>, Failure> {
    source_reference(path).map_err(|failure| {
        let what = match failure.code {
            Code::SourceNotFound => "leads nowhere: it is a broken link, or has just been moved".to_owned(),
            Code::SourceNotAFile => "is a folder, a pipe or a device".to_owned(),
            Code::SourceEmpty => "is empty: its delivery may not have finished".to_owned(),
            _ => format!("cannot be read: {}", failure.message),
        };
        let message = format!("{} is called like a file of checksums, but {what}; {WITHOUT}", path.display());
        Failure::new(Code::ChecksumInvalid, message)
    })?;
    let unreadable = |error: std::io::Error| refused(path, &format!("{error}; "));
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path).map_err(unreadable)?;
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn refused(path: &Path, reason: &str) -> Failure {
    Failure::new(Code::ChecksumInvalid, format!("{}: {reason}{WITHOUT}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("film.mov"), "film").unwrap();
        for (name, text) in files {
            fs_err::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn found(files: &[(&str, &str)]) -> Result<Checksums, Failure> {
        checksums(&folder_with(files).path().join("film.mov"))
    }

    /// Where each checksum is stated, and its algorithm.
    fn stated(files: &[(&str, &str)]) -> Vec<(String, &'static str)> {
        let found = found(files).unwrap();
        assert_eq!(found.not_taken, Vec::<String>::new());
        found.stated.into_iter().map(|one| (one.stated_in, one.checksum.algorithm().as_str())).collect()
    }

    #[test]
    fn checksums_beside_a_film_are_found_by_its_name_with_and_without_the_extension() {
        assert_eq!(stated(&[]), []);
        let (sha1, sha256) = ("a".repeat(40), "b".repeat(64));
        for (name, text, algorithm) in [
            ("film.mov.md5", MD5, "md5"),
            ("film.md5", MD5, "md5"),
            ("film.mov.MD5", &format!("{MD5} *Film.MOV\r\n"), "md5"),
            ("film.mov.md5sum", MD5, "md5"),
            ("film.mov.sha1", &sha1, "sha1"),
            ("film.sha256", &format!("{sha256}  film.mov"), "sha256"),
            (
                "film.sha256sum",
                &format!("{MD5}0  other.mov\n{sha256}  film.mov").replace(&format!("{MD5}0"), &sha256),
                "sha256",
            ),
        ] {
            assert_eq!(stated(&[(name, text)]), [(name.to_owned(), algorithm)], "{name}");
        }
        let both = stated(&[
            ("film.mov.md5", MD5),
            ("film.sha256", &sha256),
            ("films.md5", "no"),
            ("film.txt", "no"),
        ]);
        assert_eq!(both, [("film.mov.md5".to_owned(), "md5"), ("film.sha256".to_owned(), "sha256")]);
    }

    #[test]
    fn one_that_names_another_file_is_not_taken_and_said_so() {
        let found = found(&[("film.mov.md5", &format!("{MD5}  master_v3\u{1b}.mov\n"))]).unwrap();
        assert_eq!(found.stated, []);
        let [sentence] = found.not_taken.as_slice() else { panic!("{found:?}") };
        assert!(
            sentence.contains("film.mov.md5 is not taken") && sentence.contains("master_v3"),
            "{sentence}"
        );
        assert!(!sentence.contains('\u{1b}') && sentence.contains("--checksum"), "{sentence}");
    }

    #[test]
    fn one_that_may_be_of_two_films_is_not_taken_unless_it_names_one() {
        let files = [("film.md5", MD5), ("film.mkv", "another")];
        let unclear = found(&files).unwrap();
        assert_eq!(unclear.stated, []);
        assert!(unclear.not_taken[0].contains("film.mkv; name the file in it"), "{:?}", unclear.not_taken);
        let text = format!("{MD5}  film.mov");
        assert_eq!(stated(&[("film.md5", &text), ("film.mkv", "another")]).len(), 1);
        assert_eq!(stated(&[("film.mov.md5", MD5), ("film.mkv", "another")]).len(), 1);
    }

    #[test]
    fn what_is_no_file_of_checksums_is_refused_with_its_line() {
        for (text, reason) in [
            ("", "is empty"),
            ("\n", "there is no checksum in it; correct it, take it away"),
            ("d41d8cd9  film.mov", "film.mov.md5: line 1: "),
            (&format!("{MD5}  film.mov\nno\n"), "film.mov.md5: line 2: "),
        ] {
            let failure = found(&[("film.mov.md5", text)]).unwrap_err();
            assert_eq!(failure.code, Code::ChecksumInvalid);
            assert!(
                failure.message.contains(reason) && failure.message.contains("--no-checksum"),
                "{failure}"
            );
        }
        let folder = folder_with(&[]);
        let path = folder.path().join("film.mov.md5");
        let refused = || checksums(&folder.path().join("film.mov")).unwrap_err().message;
        fs_err::create_dir(&path).unwrap();
        assert!(refused().contains("is a folder"));
        fs_err::remove_dir(&path).unwrap();
        fs_err::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert!(refused().contains("leads nowhere"));
    }
}
