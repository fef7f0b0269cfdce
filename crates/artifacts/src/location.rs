//! Where artifacts, an origin or a source lie: a folder, or a bucket and what is before the names in it.

use std::fmt;
use std::path::PathBuf;

use object_store::path::Path;
use url::Url;

const SCHEME: &str = "s3://";

/// A place that names a folder or a part of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder of this host, or one that several hosts share.
    Folder(PathBuf),
    /// A bucket, or what lies in it below a prefix.
    Bucket(BucketLocation),
}

/// A bucket and the prefix of what is meant in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketLocation {
    /// The bucket's name.
    pub bucket: String,
    /// What comes before every name, without a slash at its ends; empty for the whole bucket.
    pub prefix: Path,
}

/// A text names no place.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} names no place: {reason}")]
pub struct InvalidLocation {
    /// The text.
    pub text: String,
    /// Why not.
    pub reason: &'static str,
}

impl Location {
    /// Reads an absolute path, a `file://` URL, or `s3://bucket/prefix`. Nothing in it is decoded: a key is written as it
    /// is.
    ///
    /// # Errors
    /// It is none of them.
    pub fn parse(text: &str) -> Result<Self, InvalidLocation> {
        let invalid = |reason| InvalidLocation { text: text.to_owned(), reason };
        if text.starts_with(SCHEME) {
            return BucketLocation::parse(text).map(Self::Bucket);
        }
        if text.starts_with("file://") {
            let folder = Url::parse(text).ok().and_then(|url| url.to_file_path().ok());
            return folder.map(Self::Folder).ok_or_else(|| invalid("it is no file:// URL of this host"));
        }
        let folder = PathBuf::from(text);
        if folder.is_absolute() {
            Ok(Self::Folder(folder))
        } else {
            Err(invalid("give an absolute path, a file:// URL or s3://bucket/prefix"))
        }
    }
}

impl BucketLocation {
    /// Reads `s3://bucket/prefix`.
    ///
    /// # Errors
    /// It has another form, the bucket's name is none (S3 User Guide, "General purpose bucket naming rules"), or the
    /// prefix has an empty segment, `.` or `..`.
    pub fn parse(text: &str) -> Result<Self, InvalidLocation> {
        let invalid = |reason| InvalidLocation { text: text.to_owned(), reason };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| invalid("it does not begin with s3://"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket_name(bucket) {
            return Err(invalid(
                "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens, and begins and ends with a letter or digit",
            ));
        }
        let prefix = Path::parse(prefix).map_err(|_| {
            invalid("what follows the bucket has an empty segment, '.', '..' or a control character")
        })?;
        Ok(Self { bucket: bucket.to_owned(), prefix })
    }

    /// Whether a place lies in this one, or is it. Whole segments count: `a/bc` does not lie in `a/b`.
    pub fn contains(&self, other: &Self) -> bool {
        self.bucket == other.bucket && other.prefix.prefix_matches(&self.prefix)
    }
}

impl fmt::Display for BucketLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.bucket)?;
        if self.prefix.as_ref().is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

fn is_bucket_name(name: &str) -> bool {
    let is_outer = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| is_outer(byte) || matches!(byte, b'-' | b'.'))
        && bytes.first().is_some_and(is_outer)
        && bytes.last().is_some_and(is_outer)
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(text: &str) -> BucketLocation {
        BucketLocation::parse(text).unwrap()
    }

    #[test]
    fn places_are_paths_file_urls_and_buckets() {
        for (text, folder) in [
            ("/srv/farm", "/srv/farm"),
            ("file:///srv/my%20farm", "/srv/my farm"),
            ("file://localhost/a", "/a"),
        ] {
            assert_eq!(Location::parse(text).unwrap(), Location::Folder(folder.into()), "{text}");
        }
        for (text, name, prefix) in [
            ("s3://farm", "farm", ""),
            ("s3://farm/", "farm", ""),
            ("s3://my.farm-1/a/b", "my.farm-1", "a/b"),
            ("s3://farm/a/b/", "farm", "a/b"),
            ("s3://farm/Filme & Söhne/100%.mov", "farm", "Filme & Söhne/100%.mov"),
        ] {
            let expected = BucketLocation { bucket: name.to_owned(), prefix: Path::parse(prefix).unwrap() };
            assert_eq!(Location::parse(text).unwrap(), Location::Bucket(expected), "{text}");
        }
        for text in [
            "",
            "farm",
            "./farm",
            "s3:",
            "s3://",
            "s3://a",
            "s3://Farm/a",
            "s3://-farm",
            "s3://farm-/a",
            "s3://a..b",
            "s3://user:password@farm",
            "s3://farm/..",
            "s3://farm/a//b",
            "s3://farm/./a",
            "s3://farm/a\nb",
            "file://elsewhere/srv",
            "https://farm/a",
            "S3://farm",
        ] {
            assert!(Location::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_place_contains_whole_segments_only() {
        for (outer, inner, expected) in [
            ("s3://farm", "s3://farm/a/b", true),
            ("s3://farm/a", "s3://farm/a", true),
            ("s3://farm/a", "s3://farm/a/b", true),
            ("s3://farm/a", "s3://farm/ab", false),
            ("s3://farm/a/b", "s3://farm/a", false),
            ("s3://farm", "s3://farms/a", false),
        ] {
            assert_eq!(bucket(outer).contains(&bucket(inner)), expected, "{outer} {inner}");
        }
    }

    proptest! {
        #[test]
        fn a_bucket_survives_its_text(name in "[a-z0-9]{3,20}", segments in prop::collection::vec("[^/\\pC.]{1,8}", 0..4)) {
            let location = bucket(&format!("s3://{name}/{}", segments.join("/")));
            prop_assert_eq!(bucket(&location.to_string()), location);
        }
    }
}
