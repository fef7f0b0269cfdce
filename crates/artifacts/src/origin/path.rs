//! Paths at the origin. Nothing that a title or a file is called may lead out of the title's folder.

use std::path::PathBuf;

use object_store::path::Path;
use reelfarm_model::TitleId;
use url::Url;

use super::OriginError;

/// The folder that an origin's text names.
pub(super) fn folder_of(origin: &str) -> Result<PathBuf, OriginError> {
    let unsupported = || OriginError::Unsupported { origin: origin.to_owned() };
    if origin.starts_with("file://") {
        let url = Url::parse(origin).map_err(|_| unsupported())?;
        return url.to_file_path().map_err(|()| unsupported());
    }
    let path = PathBuf::from(origin);
    if path.is_absolute() { Ok(path) } else { Err(unsupported()) }
}

/// Whether what comes before every path of an origin in a bucket is the same in the bucket and in a URL.
pub(super) fn is_plain_prefix(prefix: &Path) -> bool {
    prefix.as_ref().bytes().all(|byte| byte == b'/' || is_plain(byte))
}

/// The folder of a title. A [`TitleId`] holds no separator and does not begin with a dot, so it is one plain segment.
pub(super) fn title_folder(title: &TitleId) -> Path {
    Path::from(title.as_str())
}

/// The place of a file of a title, from the origin's root.
///
/// Only what RFC 3986 lets stand unescaped in a path segment is taken (2.3, 3.3), less what object stores treat in
/// ways of their own, so that a name is the same on disk, in a bucket and in a URL.
pub(super) fn file_path(title: &TitleId, path: &str) -> Result<Path, OriginError> {
    let bad = |reason| OriginError::BadPath { title: title.clone(), path: path.to_owned(), reason };
    for segment in path.split('/') {
        match segment {
            "" => return Err(bad("a segment is empty")),
            "." | ".." => return Err(bad("it leads elsewhere")),
            _ if segment.len() > 255 => return Err(bad("a segment is longer than 255 bytes")),
            _ if !segment.bytes().all(is_plain) => {
                return Err(bad(
                    "letters, digits and any of '.', '_', '-', '~', '+', '=', '@', ',', '(', ')' are allowed",
                ));
            }
            _ => {}
        }
    }
    Path::parse(format!("{title}/{path}")).map_err(|_| bad("the object store does not take it"))
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'_' | b'-' | b'~' | b'+' | b'=' | b'@' | b',' | b'(' | b')')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn title() -> TitleId {
        "film".parse().unwrap()
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            ".",
            "../other/index.json",
            "media/../../other",
            "media/..",
            "media//a",
            "media/",
            "a\\..\\b",
            "a\0b",
            "a\nb",
            "%2e%2e/a",
            "a%2fb",
            "a?b",
            "seg.m4s#1",
            "ä",
            "~/../a",
            &"x".repeat(256),
        ] {
            assert!(matches!(file_path(&title(), path), Err(OriginError::BadPath { .. })), "{path:?}");
        }
        for path in ["manifest.mpd", "media/cmaf-clear-2s/0f3a/v_1.m4s", "..a/b..", "~+=@,"] {
            assert_eq!(file_path(&title(), path).unwrap().to_string(), format!("film/{path}"));
        }
    }

    #[test]
    fn origins_are_absolute_paths_and_file_urls() {
        for (origin, folder) in [
            ("/srv/origin", "/srv/origin"),
            ("file:///srv/my%20origin", "/srv/my origin"),
            ("file://localhost/srv", "/srv"),
        ] {
            assert_eq!(folder_of(origin).unwrap(), PathBuf::from(folder), "{origin}");
        }
        for origin in
            ["", "origin", "./origin", "s3://bucket/a", "file://elsewhere/srv", "https://a/b", "file:"]
        {
            assert!(matches!(folder_of(origin), Err(OriginError::Unsupported { .. })), "{origin}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_stays_in_the_folder_of_its_title(path in "\\PC{0,12}|([.a/\\\\#%]|\\.\\./){0,12}") {
            if let Ok(location) = file_path(&title(), &path) {
                let place = std::path::Path::new("/origin").join(location.as_ref());
                let plain = place.components().all(|part| {
                    matches!(part, std::path::Component::Normal(_) | std::path::Component::RootDir)
                });
                prop_assert!(plain && place.starts_with("/origin/film"), "{place:?}");
            }
        }
    }
}
