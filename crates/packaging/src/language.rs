//! Language tags (BCP 47) as manifests show them to people and as tools rewrite them.

use isolang::Language;

/// The tag of a language that nobody stated (ISO 639-2).
const UNDETERMINED: &str = "und";

/// The tag in the form that manifests carry, with the shortest code of the language: `eng-GB` is `en-GB`. `None` where
/// the language is not stated, which manifests say by saying nothing.
pub(crate) fn canonical(tag: &str) -> Option<String> {
    let (primary, rest) = tag.split_at(tag.find('-').unwrap_or(tag.len()));
    if primary.is_empty() || primary.eq_ignore_ascii_case(UNDETERMINED) {
        return None;
    }
    let primary = primary.to_ascii_lowercase();
    let short = language(&primary).and_then(|language| language.to_639_1()).map(str::to_owned);
    Some(format!("{}{rest}", short.unwrap_or(primary)))
}

/// The language's English name, or the tag where it has none. It holds no comma and no quotation mark, which the
/// packager's arguments and HLS attributes could not carry.
pub(crate) fn name(tag: &str) -> String {
    let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let Some(language) = language(&primary).filter(|_| primary != UNDETERMINED) else {
        return if tag.is_empty() || primary == UNDETERMINED {
            "Original".to_owned()
        } else {
            tag.to_owned()
        };
    };
    // ISO 639 writes "Greek, Modern (1453-)".
    let plain = language.to_name().split([',', '(', '"']).next().unwrap_or_default().trim();
    plain.to_owned()
}

fn language(primary: &str) -> Option<Language> {
    match primary.len() {
        2 => Language::from_639_1(primary),
        3 => Language::from_639_3(primary),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_shortened_and_named() {
        for (tag, short, english) in [
            ("en", Some("en"), "English"),
            ("eng", Some("en"), "English"),
            ("ENG-GB", Some("en-GB"), "English"),
            ("pt-BR", Some("pt-BR"), "Portuguese"),
            ("el", Some("el"), "Modern Greek"),
            ("haw", Some("haw"), "Hawaiian"),
            ("und", None, "Original"),
            ("", None, "Original"),
            ("qaa", Some("qaa"), "qaa"),
        ] {
            assert_eq!(canonical(tag).as_deref(), short, "{tag}");
            assert_eq!(name(tag), english, "{tag}");
        }
    }
}
