//! Language tags: from what containers and operators write (ISO 639, BCP 47) to the shortest BCP 47 form.

use isolang::Language;
use oxilangtag::LanguageTag;

/// ISO 639-2 gives these languages a second, bibliographic code, which Matroska uses; BCP 47 knows only the other.
const BIBLIOGRAPHIC: [(&str, &str); 20] = [
    ("alb", "sq"),
    ("arm", "hy"),
    ("baq", "eu"),
    ("bur", "my"),
    ("chi", "zh"),
    ("cze", "cs"),
    ("dut", "nl"),
    ("fre", "fr"),
    ("geo", "ka"),
    ("ger", "de"),
    ("gre", "el"),
    ("ice", "is"),
    ("mac", "mk"),
    ("mao", "mi"),
    ("may", "ms"),
    ("per", "fa"),
    ("rum", "ro"),
    ("slo", "sk"),
    ("tib", "bo"),
    ("wel", "cy"),
];

/// Why a text is no language tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLanguage {
    /// It has not the shape of BCP 47 (RFC 5646, clause 2.1).
    #[error("{0:?} does not have the form of a language tag")]
    Shape(String),
    /// It is a language's English name.
    #[error("{name:?} is a language's name; its tag is {tag}")]
    Name {
        /// The name.
        name: String,
        /// Its tag.
        tag: String,
    },
    /// ISO 639 has no such language.
    #[error("there is no language {0:?} in ISO 639")]
    Unknown(String),
}

/// The BCP 47 tag of a text in its shortest form, such as `en` for `eng` and `de-AT` for `ger-at`; `None` for `und`
/// and the empty text, which state nothing.
///
/// # Errors
/// The text has not the form of a tag, or its language is unknown to ISO 639.
pub fn parse(text: &str) -> Result<Option<String>, InvalidLanguage> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(language) = named(text) {
        return Err(InvalidLanguage::Name { name: text.to_owned(), tag: shortest(language).to_owned() });
    }
    let tag = LanguageTag::parse_and_normalize(text).map_err(|_| InvalidLanguage::Shape(text.to_owned()))?;
    let primary = tag.primary_language();
    if primary.eq_ignore_ascii_case("und") {
        return Ok(None);
    }
    let language = registered(primary).ok_or_else(|| InvalidLanguage::Unknown(primary.to_owned()))?;
    Ok(Some(format!("{language}{}", &tag.as_str()[primary.len()..])))
}

/// Short names of languages are tags as well (`Vai`, `Yao`): only longer texts are looked up as names.
fn named(text: &str) -> Option<Language> {
    (text.len() > 3).then(|| Language::from_name_lowercase(&text.to_lowercase())).flatten()
}

fn registered(primary: &str) -> Option<&str> {
    if let Some((_, short)) = BIBLIOGRAPHIC.iter().find(|(long, _)| *long == primary) {
        return Some(short);
    }
    match primary.len() {
        2 => Language::from_639_1(primary).map(|_| primary),
        // ISO 639-2 reserves qaa to qtz for local use; broadcasters mark the original sound with qaa.
        3 if ("qaa"..="qtz").contains(&primary) => Some(primary),
        3 => Language::from_639_3(primary).map(shortest),
        _ => None,
    }
}

fn shortest(language: Language) -> &'static str {
    language.to_639_1().unwrap_or_else(|| language.to_639_3())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_are_shortened_and_normalised() {
        for (text, expected) in [
            ("eng", Some("en")),
            ("en", Some("en")),
            ("EN-us", Some("en-US")),
            ("ger", Some("de")),
            ("deu-at", Some("de-AT")),
            ("fre", Some("fr")),
            ("zh-hant-tw", Some("zh-Hant-TW")),
            ("gsw", Some("gsw")),
            ("nob", Some("nb")),
            ("qaa", Some("qaa")),
            ("zxx", Some("zxx")),
            ("mul", Some("mul")),
            ("und", None),
            ("", None),
        ] {
            assert_eq!(parse(text).unwrap().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_language_is_refused_with_its_reason() {
        for (text, reason) in [
            ("German", "is a language's name; its tag is de"),
            ("english", "is a language's name; its tag is en"),
            ("jp", "no language \"jp\""),
            ("xxy-DE", "no language \"xxy\""),
            ("en_US", "form of a language tag"),
            ("en us", "form of a language tag"),
            ("e", "form of a language tag"),
            ("\u{1b}[31m", "form of a language tag"),
            ("abcdefgh", "no language \"abcdefgh\""),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn every_bibliographic_code_leads_to_a_language() {
        for (long, short) in BIBLIOGRAPHIC {
            assert!(Language::from_639_1(short).is_some(), "{short}");
            assert!(Language::from_639_3(long).is_none(), "{long} is a code of its own");
        }
    }

    proptest! {
        #[test]
        fn what_was_parsed_parses_to_itself(text in "[a-zA-Z]{2,3}(-[a-zA-Z]{2,4})?") {
            if let Ok(Some(tag)) = parse(&text) {
                prop_assert_eq!(parse(&tag), Ok(Some(tag)));
            }
        }
    }
}
