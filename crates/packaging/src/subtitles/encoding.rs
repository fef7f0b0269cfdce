//! From a side file's bytes to its text: UTF-8 and UTF-16. What is neither is refused rather than guessed at: a wrong guess
//! is only seen by those who watch the film.

use super::error::SubtitleError;

/// The text, without byte order mark, with lines that end in `\n`, and without what old editors put at the end.
pub(super) fn decode(bytes: &[u8]) -> Result<String, SubtitleError> {
    let text = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf_8(rest)?,
        [0xFF, 0xFE, rest @ ..] => utf_16(rest, u16::from_le_bytes)?,
        [0xFE, 0xFF, rest @ ..] => utf_16(rest, u16::from_be_bytes)?,
        // A side file begins with a character of ASCII, so that one of its two bytes is zero.
        [1..=0xFF, 0, ..] => utf_16(bytes, u16::from_le_bytes)?,
        [0, 1..=0xFF, ..] => utf_16(bytes, u16::from_be_bytes)?,
        _ => utf_8(bytes)?,
    };
    let text = text.trim_end_matches(['\u{1A}', '\0']).replace("\r\n", "\n").replace('\r', "\n");
    match text.char_indices().find(|(_, character)| !is_text(*character)) {
        Some((at, character)) => Err(SubtitleError::new(line_of(&text, at), no_text(character))),
        None => Ok(text),
    }
}

/// Whether a text may hold the character: those that XML allows (XML 1.0 2.2), without the carriage return, because line
/// ends are the same by now.
pub(super) const fn is_text(character: char) -> bool {
    matches!(character, '\n' | '\t' | ' '..'\u{FFFE}' | '\u{10000}'..)
}

/// Says that a character may not stand in a text.
pub(super) fn no_text(character: char) -> String {
    format!("there is a control character, U+{:04X}", u32::from(character))
}

/// The line of a byte in a text whose lines end in `\n`.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn utf_8(bytes: &[u8]) -> Result<String, SubtitleError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = String::from_utf8_lossy(before).replace("\r\n", "\n").replace('\r', "\n");
        let reason = format!(
            "byte 0x{:02X} is not UTF-8; if the file is in Latin-1 or Windows-1252, as many old ones are, convert it: \
             iconv -f WINDOWS-1252 -t UTF-8",
            bytes[error.valid_up_to()]
        );
        SubtitleError::new(line_of(&line, line.len()), reason)
    })
}

fn utf_16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Result<String, SubtitleError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let cut = |text: &str| {
        let line = text.replace("\r\n", "\n").replace('\r', "\n");
        SubtitleError::new(line_of(&line, line.len()), "half a character of UTF-16 stands there")
    };
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match character {
            Ok(character) => text.push(character),
            Err(_) => return Err(cut(&text)),
        }
    }
    if rest.is_empty() { Ok(text) } else { Err(cut(&text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "1\r\nGrüße 𝄞\rEnd\n";
    const DECODED: &str = "1\nGrüße 𝄞\nEnd\n";

    fn utf_16(unit: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        TEXT.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn utf_8_and_utf_16_are_read_with_their_marks_and_without() {
        let (little, big) = (utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes));
        for bytes in [
            TEXT.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", TEXT.as_bytes()].concat(),
            [b"\xFF\xFE", &little[..]].concat(),
            [b"\xFE\xFF", &big[..]].concat(),
            little,
            big,
            [TEXT.as_bytes(), b"\x1A\0\0"].concat(),
        ] {
            assert_eq!(decode(&bytes).unwrap(), DECODED, "{bytes:?}");
        }
    }

    #[test]
    fn other_encodings_are_refused_at_their_line_with_a_hint() {
        let latin = decode(b"1\r\n00:00:01,000 --> 00:00:02,000\r\nGr\xFC\xDFe\r\n").unwrap_err();
        assert_eq!(latin.line, 3);
        assert!(latin.reason.starts_with("byte 0xFC is not UTF-8"), "{latin}");
        assert!(latin.reason.ends_with("iconv -f WINDOWS-1252 -t UTF-8"), "{latin}");
        for (bytes, error) in [
            (&b"\xFF\xFE1\0\n\0a"[..], "line 2: half a character of UTF-16 stands there"),
            (b"\xFF\xFE1\0\n\0\0\xD8a\0", "line 2: half a character of UTF-16 stands there"),
            (b"a\n\nb\x07", "line 3: there is a control character, U+0007"),
            (b"a\nb\0c", "line 2: there is a control character, U+0000"),
            ("a\n\u{FFFF}".as_bytes(), "line 2: there is a control character, U+FFFF"),
        ] {
            assert_eq!(decode(bytes).unwrap_err().to_string(), error);
        }
    }
}
