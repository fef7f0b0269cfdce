//! Character references as HTML has them, in so far as side files use them.

use super::encoding::is_text;

/// The character that a reference such as `&amp;` at the beginning of the text stands for, and its length.
pub(super) fn character_reference(text: &str) -> Option<(char, usize)> {
    /// Bytes of the longest reference that is known, `&#x10FFFF;`.
    const LONGEST: usize = 10;

    let inner = text.strip_prefix('&')?;
    let end = inner.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let name = &inner[..end];
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{A0}',
        "lrm" => '\u{200E}',
        "rlm" => '\u{200F}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|character| is_text(*character))?
        }
    };
    Some((character, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_read_and_anything_else_is_text() {
        for (text, expected) in [
            ("&amp;b", Some(('&', 5))),
            ("&nbsp;", Some(('\u{A0}', 6))),
            ("&#9834;", Some(('♪', 7))),
            ("&#x266B;&", Some(('♫', 8))),
            ("&", None),
            ("& b;", None),
            ("&#0;", None),
            ("&#xD800;", None),
            ("&somethinglong;", None),
            ("amp;", None),
        ] {
            assert_eq!(character_reference(text), expected, "{text}");
        }
    }
}
