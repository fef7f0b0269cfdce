//! Files of checksums, as `md5sum`, `sha256sum`, BSD's `md5 -r` and `openssl dgst` write them.
//!
//! ```text
//! d41d8cd98f00b204e9800998ecf8427e  film.mov          d41d8cd98f00b204e9800998ecf8427e *film.mov
//! MD5 (film.mov) = d41d8cd98f00b204e9800998ecf8427e   d41d8cd98f00b204e9800998ecf8427e
//! ```
//! Promises: pure; any bytes are read or refused with the line and the reason.

use reelfarm_model::{Checksum, ChecksumAlgorithm};

/// The most bytes of such a file.
pub const LARGEST: usize = 1 << 20;
/// The longest text of a line that an error shows, in characters.
const SHOWN: usize = 60;

/// What one line states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The checksum.
    pub checksum: Checksum,
    /// The file that it is of, without its folder; `None` where the line does not say.
    pub file: Option<String>,
}

/// A file of checksums cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumFileError {
    /// It is too large to be one.
    #[error("it has more than {LARGEST} bytes, and is no file of checksums")]
    TooLarge,
    /// There is no checksum in it.
    #[error("there is no checksum in it")]
    Empty,
    /// A line is not as such lines are.
    #[error("line {line}: {reason}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads a file of checksums. Where a line does not name its algorithm, it is `algorithm`. Empty lines are passed over, and
/// those that begin with `#` or `;`.
///
/// # Errors
/// See [`ChecksumFileError`].
pub fn parse(bytes: &[u8], algorithm: ChecksumAlgorithm) -> Result<Vec<Line>, ChecksumFileError> {
    if bytes.len() > LARGEST {
        return Err(ChecksumFileError::TooLarge);
    }
    // Names may be in any encoding; what is no UTF-8 in them is no other file's name either.
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let refuse = |reason: String| ChecksumFileError::Line { line: number + 1, reason };
        lines.push(parse_line(line, algorithm).map_err(refuse)?);
    }
    if lines.is_empty() { Err(ChecksumFileError::Empty) } else { Ok(lines) }
}

fn parse_line(line: &str, algorithm: ChecksumAlgorithm) -> Result<Line, String> {
    // GNU's tools begin a line with a backslash where the name in it is escaped.
    let (line, is_escaped) = line.strip_prefix('\\').map_or((line, false), |line| (line, true));
    let (value, name) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let (checksum, name) = match Checksum::new(algorithm, value) {
        // A name may look like the rest of a line with a tag: the checksum in front of it decides.
        Ok(checksum) => {
            let name = name.trim_start();
            (checksum, name.strip_prefix('*').unwrap_or(name))
        }
        Err(error) => tagged(line).unwrap_or_else(|| {
            let shown: String = crate::text::printable(line).chars().take(SHOWN).collect();
            Err(format!("{shown:?} is no checksum with the name of a file ({error})"))
        })?,
    };
    let name = if is_escaped { unescaped(name) } else { name.to_owned() };
    Ok(Line { checksum, file: (!name.is_empty()).then(|| base(&name)) })
}

/// The checksum and the name of `MD5 (name) = value`, and of `MD5(name)= value` as OpenSSL writes it; `None` where a line is
/// nothing like it.
fn tagged(line: &str) -> Option<Result<(Checksum, &str), String>> {
    let (tag, rest) = line.split_once('(')?;
    // The name may hold parentheses itself.
    let (name, value) = rest.rsplit_once(')')?;
    let value = value.trim_start().strip_prefix('=')?.trim();
    let tag = tag.trim().to_ascii_lowercase();
    if tag.contains(char::is_whitespace) {
        return None;
    }
    let algorithm = match tag.as_str() {
        "md5" => ChecksumAlgorithm::Md5,
        "sha1" => ChecksumAlgorithm::Sha1,
        "sha256" | "sha2-256" => ChecksumAlgorithm::Sha256,
        other => {
            let shown: String = crate::text::printable(other).chars().take(SHOWN).collect();
            return Some(Err(format!("{shown:?} is none of MD5, SHA1 and SHA256")));
        }
    };
    Some(Checksum::new(algorithm, value).map(|checksum| (checksum, name)).map_err(|error| error.to_string()))
}

/// A name as it was before GNU's tools escaped it.
fn unescaped(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    plain
}

/// A path's last part: those who made the checksum had the file in a folder of their own, perhaps on Windows.
fn base(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

    fn md5(text: &str) -> Result<Vec<Line>, ChecksumFileError> {
        parse(text.as_bytes(), ChecksumAlgorithm::Md5)
    }

    fn names(text: &str) -> Vec<Option<String>> {
        let lines = md5(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert!(lines.iter().all(|line| line.checksum.value() == MD5), "{text:?}");
        lines.into_iter().map(|line| line.file).collect()
    }

    #[test]
    fn every_usual_form_of_a_line_is_read() {
        let large = MD5.to_uppercase();
        for (text, name) in [
            (format!("{MD5}  film.mov\n"), Some("film.mov")),
            (format!("{MD5} *film.mov"), Some("film.mov")),
            (format!("{large}\tfilm.mov\r\n"), Some("film.mov")),
            (format!("{MD5} film.mov"), Some("film.mov")),
            (format!("{MD5}  my film (final).mov"), Some("my film (final).mov")),
            (format!("MD5 (film.mov) = {MD5}"), Some("film.mov")),
            (format!("MD5 (my film (final).mov) = {large}"), Some("my film (final).mov")),
            (format!("MD5(film.mov)= {MD5}"), Some("film.mov")),
            (format!("md5 (./out/film.mov) = {MD5}"), Some("film.mov")),
            (format!("{MD5}  /mnt/out/film.mov"), Some("film.mov")),
            (format!("{MD5} *D:\\out\\film.mov"), Some("film.mov")),
            (format!("\\{MD5}  new\\nline\\\\back.mov"), Some("back.mov")),
            (format!("\\{MD5}  new\\nline.mov"), Some("new\nline.mov")),
            (format!("\\MD5 (new\\nline.mov) = {MD5}"), Some("new\nline.mov")),
            (format!("{MD5} *(a) = b"), Some("(a) = b")),
            (format!("{MD5}  (a) = {MD5}"), Some("(a) = d41d8cd98f00b204e9800998ecf8427e")),
            (MD5.to_owned(), None),
            (format!("\u{feff}{MD5}\n"), None),
            (format!("# made by a tool\n; and another\n\n{MD5}  film.mov"), Some("film.mov")),
        ] {
            assert_eq!(names(&text), [name.map(str::to_owned)], "{text:?}");
        }
        let two = format!("{MD5}  one.mov\n{MD5}  two.mov\n");
        assert_eq!(names(&two), [Some("one.mov".to_owned()), Some("two.mov".to_owned())]);
    }

    #[test]
    fn a_line_may_name_its_own_algorithm() {
        for (tag, algorithm) in [
            ("SHA1", ChecksumAlgorithm::Sha1),
            ("SHA256", ChecksumAlgorithm::Sha256),
            ("SHA2-256", ChecksumAlgorithm::Sha256),
        ] {
            let text = format!("{tag} (film.mov) = {}", "a".repeat(algorithm.digits()));
            assert_eq!(md5(&text).unwrap()[0].checksum.algorithm(), algorithm);
        }
        let sha1 = "a".repeat(40);
        let line = parse(sha1.as_bytes(), ChecksumAlgorithm::Sha1).unwrap();
        assert_eq!(line[0].checksum.algorithm(), ChecksumAlgorithm::Sha1);
    }

    #[test]
    fn what_is_no_checksum_is_refused_with_its_line() {
        let sha1 = "a".repeat(40);
        for (text, reason) in [
            (String::new(), "there is no checksum in it"),
            ("\n# nothing\n".to_owned(), "there is no checksum in it"),
            (format!("{sha1}  film.mov"), "line 1: "),
            (format!("{MD5}  film.mov\n\nfilm.mov {MD5}"), "line 3: \"film.mov d41d"),
            (format!("MD5 (film.mov) = {sha1}"), "line 1: md5 has 32 hexadecimal digits"),
            (format!("{sha1} *(film.mov) = 1"), "md5 has 32 hexadecimal digits"),
            (format!("CRC32 (film.mov) = {MD5}"), "line 1: \"crc32\" is none of MD5, SHA1 and SHA256"),
            ("\0\u{1b}[2J".to_owned(), "line 1: \"??[2J\""),
            (format!("{MD5}x  film.mov"), "md5 has 32 hexadecimal digits"),
        ] {
            let error = md5(&text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
        let large = vec![b'\n'; LARGEST + 1];
        assert_eq!(parse(&large, ChecksumAlgorithm::Md5), Err(ChecksumFileError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in prop_oneof![
                vec(any::<u8>(), 0..200),
                "(\\\\?[0-9a-fA-F]{30,34}|MD5|SHA1)?[ *(\t]{0,3}[a-z.\\\\/)]{0,9}[ )=]{0,4}[0-9a-f]{0,40}\r?\n?"
                    .prop_map(String::into_bytes),
            ],
        ) {
            if let Ok(lines) = parse(&bytes, ChecksumAlgorithm::Md5) {
                prop_assert!(!lines.is_empty());
                for line in lines {
                    prop_assert!(!line.file.unwrap_or_default().contains(['/', '\\']));
                }
            }
        }

        #[test]
        fn what_md5sum_writes_comes_back(name in "[ -\\[\\]-~]{1,30}|[ ()=*a-c]{1,12}", binary in any::<bool>()) {
            prop_assume!(!name.starts_with([' ', '*']) && !name.ends_with([' ', '/']));
            let text = format!("{MD5} {}{name}\n", if binary { '*' } else { ' ' });
            let base = name.rsplit('/').next().unwrap_or_default().to_owned();
            prop_assert_eq!(names(&text), [Some(base)]);
        }
    }
}
