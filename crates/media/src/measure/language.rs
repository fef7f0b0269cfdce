//! Which tracks are of one language, however each of them writes it.

use isolang::Language;

/// What tracks of one language have in common: the shortest code of ISO 639 for it, with what is written behind it; `None` where
/// the text states no language. Quality control draws the same line (BCP 47); bibliographic codes of ISO 639-2, which it
/// knows as well, stand for themselves here.
pub(super) fn common(written: &str) -> Option<String> {
    let written = written.to_ascii_lowercase();
    let (primary, further) = written.split_at(written.find('-').unwrap_or(written.len()));
    let code = match (primary.len(), primary) {
        (_, "und") => None,
        (2, _) => Language::from_639_1(primary).map(|_| primary),
        (3, _) => Some(shortest(primary)),
        _ => None,
    };
    code.map(|code| format!("{code}{further}"))
}

fn shortest(primary: &str) -> &str {
    let Some(language) = Language::from_639_3(primary) else { return primary };
    language.to_639_1().unwrap_or_else(|| language.to_639_3())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_the_same_however_it_is_written() {
        for (written, expected) in [
            ("en", Some("en")),
            ("eng", Some("en")),
            ("ENG", Some("en")),
            ("en-US", Some("en-us")),
            ("eng-us", Some("en-us")),
            ("deu", Some("de")),
            ("ger", Some("ger")),
            ("gsw", Some("gsw")),
            ("qaa", Some("qaa")),
            ("und", None),
            ("", None),
            ("jp", None),
            ("english", None),
            ("en_US", None),
            ("é", None),
        ] {
            assert_eq!(common(written).as_deref(), expected, "{written}");
        }
    }
}
