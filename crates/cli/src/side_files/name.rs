//! What a file's name says of a film's subtitles. Pure: it knows names, not files.

use reelfarm_model::subtitles::SubtitlePurpose;

/// Formats of subtitles that are read, by their extensions in small letters.
const READ: [&str; 5] = ["srt", "vtt", "ttml", "dfxp", "itt"];
/// Formats of subtitles that are not read.
const NOT_READ: [&str; 16] = [
    "ass", "ssa", "sub", "idx", "sup", "stl", "scc", "sbv", "smi", "sami", "lrc", "usf", "mks", "cap", "pac",
    "890",
];
/// What may be subtitles, and many other things.
const PERHAPS: [&str; 2] = ["xml", "txt"];
/// What makes a file another film.
pub(super) const FILMS: [&str; 23] = [
    "mp4", "m4v", "mov", "qt", "mkv", "webm", "mxf", "gxf", "ts", "m2ts", "mts", "m2t", "mpg", "mpeg", "vob",
    "avi", "wmv", "asf", "flv", "f4v", "3gp", "3g2", "ogv",
];
/// Words that say a purpose.
const PURPOSES: [(&str, SubtitlePurpose); 4] = [
    ("forced", SubtitlePurpose::Forced),
    ("sdh", SubtitlePurpose::HardOfHearing),
    ("cc", SubtitlePurpose::HardOfHearing),
    ("hi", SubtitlePurpose::HardOfHearing),
];

/// How a file that is called `*.extension` should be called to be a film's subtitles.
pub(super) fn example(stem: &str, extension: &str) -> String {
    let is_read = READ.iter().any(|read| read.eq_ignore_ascii_case(extension));
    format!("{stem}.en.{}", if is_read { extension } else { READ[0] })
}

/// What a file's name says of a film's subtitles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// It is one track of them.
    Track {
        /// Language tag (BCP 47).
        language: String,
        /// For whom they are.
        purpose: SubtitlePurpose,
    },
    /// It is called like them, in a format that is not read.
    FormatNotRead,
    /// It is called like them, but not so that it can be taken: why.
    Unclear(String),
    /// It may be meant as them; nothing says that it is: why it is not taken.
    Doubtful(String),
    /// It has nothing to do with them.
    Other,
}

/// A file's name without its extension, where it is a film's.
pub(super) fn film(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    FILMS.contains(&extension.to_ascii_lowercase().as_str()).then_some(stem)
}

/// What `name` says of the subtitles of the film `stem`; `others` are the other films in the folder, without their
/// extensions.
pub(super) fn named(stem: &str, name: &str, others: &[&str]) -> Named {
    let Some((body, extension)) = name.rsplit_once('.') else { return Named::Other };
    let extension = extension.to_ascii_lowercase();
    let is_one_of = |extensions: &[&str]| extensions.contains(&extension.as_str());
    if !(is_one_of(&READ) || is_one_of(&NOT_READ) || is_one_of(&PERHAPS)) {
        return Named::Other;
    }
    let Some(rest) = Rest::after(stem, body) else { return Named::Other };
    let track = rest.track();
    let nearer = others.iter().find(|other| {
        let theirs = Rest::after(other, body);
        theirs.is_some_and(|theirs| other.len() > stem.len() || (theirs.is_exact && !rest.is_exact))
    });
    if let Some(other) = nearer {
        // `film.en.srt` beside `film.mp4` and `film.en.mp4`.
        let is_both = rest.is_exact && track.is_ok() && !is_one_of(&PERHAPS);
        return match is_both {
            true => Named::Unclear(format!("it may as well be those of the film {other}")),
            false => Named::Other,
        };
    }
    match track {
        Ok(_) if is_one_of(&PERHAPS) => Named::Doubtful(format!("a file *.{extension} may be anything")),
        Err(_) if is_one_of(&PERHAPS) => Named::Other,
        Err(_) if !rest.is_exact => {
            Named::Doubtful("after the film's name there is more than a language and a purpose".to_owned())
        }
        _ if is_one_of(&NOT_READ) => Named::FormatNotRead,
        Ok(_) if !rest.is_exact => {
            Named::Unclear("its name is not the film's, a full stop and the language".to_owned())
        }
        Ok((language, purpose)) => Named::Track { language, purpose },
        Err(reason) => Named::Unclear(reason),
    }
}

/// What a name says after the film's.
struct Rest {
    tags: Vec<String>,
    /// Whether the film's name is there letter by letter, and a full stop after it.
    is_exact: bool,
}

impl Rest {
    fn after(stem: &str, body: &str) -> Option<Self> {
        let tags = |rest: &str, between: &[char]| -> Vec<String> {
            rest.split(between).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
        };
        let exact = body.strip_prefix(stem).filter(|rest| rest.is_empty() || rest.starts_with('.'));
        if let Some(rest) = exact {
            return Some(Self { tags: tags(rest, &['.']), is_exact: true });
        }
        let (body, stem) = (body.to_lowercase(), stem.to_lowercase());
        let rest = body.strip_prefix(&stem).filter(|rest| !rest.starts_with(char::is_alphanumeric))?;
        let rest = rest.trim_start_matches('-');
        Some(Self { tags: tags(rest, &['.', '_', ' ', '(', ')', '[', ']']), is_exact: false })
    }

    /// The language and purpose that it says.
    fn track(&self) -> Result<(String, SubtitlePurpose), String> {
        let (language, purpose) = match self.tags.as_slice() {
            [] => return Err("its name says no language".to_owned()),
            [language] => (language, SubtitlePurpose::Dialogue),
            [language, word] => match purpose_of(word) {
                Some(purpose) => (language, purpose),
                None => return Err(format!("{word:?} is neither \"forced\" nor \"sdh\"")),
            },
            _ => return Err("its name says more than a language and a purpose".to_owned()),
        };
        // `en-forced` has the form of a language tag.
        if let Some(word) = language.split('-').skip(1).find(|subtag| purpose_of(subtag).is_some()) {
            return Err(format!("in {language:?} there is no full stop before {word:?}"));
        }
        match reelfarm_qc::language::parse(language) {
            Ok(Some(language)) => Ok((language, purpose)),
            Ok(None) => Err(format!("{language:?} states no language")),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn purpose_of(word: &str) -> Option<SubtitlePurpose> {
    PURPOSES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, purpose)| *purpose)
}

#[cfg(test)]
mod tests {
    use super::SubtitlePurpose::{Dialogue, Forced, HardOfHearing};
    use super::*;

    fn track(language: &str, purpose: SubtitlePurpose) -> Named {
        Named::Track { language: language.to_owned(), purpose }
    }

    #[test]
    fn names_say_language_and_purpose() {
        for (name, language, purpose) in [
            ("film.en.srt", "en", Dialogue),
            ("film.eng.SRT", "en", Dialogue),
            ("film.pt-br.vtt", "pt-BR", Dialogue),
            ("film.hi.itt", "hi", Dialogue),
            ("film.de.forced.ttml", "de", Forced),
            ("film.de.SDH.dfxp", "de", HardOfHearing),
            ("film.de.cc.srt", "de", HardOfHearing),
        ] {
            assert_eq!(named("film", name, &[]), track(language, purpose), "{name}");
        }
    }

    #[test]
    fn what_lies_beside_a_film_takes_no_subtitles_from_it() {
        for beside in [
            "film.en.txt",
            "film.en.srt~",
            "film.en.srt.bak",
            "film.en.jpg",
            "film.en.nfo",
            "film.en.ass",
            "film.en",
        ] {
            assert_eq!(film(beside), None, "{beside}");
        }
        for beside in ["film.part2.mkv", "film.part2.MXF", "film.part2.ts"] {
            assert_eq!(film(beside), Some("film.part2"), "{beside}");
        }
    }

    #[test]
    fn a_name_that_says_no_track_is_unclear() {
        for (name, reason) in [
            ("film.srt", "its name says no language"),
            ("film.klingonish.srt", "\"klingonish\""),
            ("film.und.srt", "\"und\" states no language"),
            ("film.en.karaoke.srt", "\"karaoke\" is neither"),
            ("film.en.forced.2.srt", "more than a language and a purpose"),
            ("film.en-forced.srt", "no full stop before \"forced\""),
            ("film.e\u{fffd}.srt", "form of a language tag"),
        ] {
            let Named::Unclear(found) = named("film", name, &[]) else { panic!("{name}") };
            assert!(found.contains(reason), "{name}: {found}");
        }
    }

    #[test]
    fn a_name_that_is_almost_the_films_is_unclear_where_it_says_a_language_and_doubtful_where_not() {
        for name in [
            "film_en.srt",
            "film-en.srt",
            "film en.srt",
            "Film.EN.srt",
            "FILM.pt-BR.vtt",
            "film [en].srt",
            "film_en.ass",
        ] {
            let found = named("film", name, &[]);
            assert!(matches!(found, Named::Unclear(_) | Named::FormatNotRead), "{name}: {found:?}");
        }
        for name in [
            "film-2.srt",
            "film_commentary.vtt",
            "Film.srt",
            "film 2.en.srt",
            "film.en.txt",
            "film.de.forced.xml",
        ] {
            let found = named("film", name, &[]);
            assert!(matches!(found, Named::Doubtful(_)), "{name}: {found:?}");
        }
    }

    #[test]
    fn formats_that_are_not_read_are_told() {
        for name in ["film.ass", "film.en.ass", "film.en.forced.sup", "film.EN.SSA", "film.idx"] {
            assert_eq!(named("film", name, &[]), Named::FormatNotRead, "{name}");
        }
    }

    #[test]
    fn what_belongs_to_another_film_or_is_no_subtitle_is_left_alone() {
        for name in [
            "film.mp4",
            "film.txt",
            "film.xml",
            "film.en.jpg",
            "film.en.srt~",
            "films.en.srt",
            "film2.en.srt",
            "other.en.srt",
            "film.part2.en.srt",
            "film.part2.srt",
            "film_en.srt",
            "film_en.forced.srt",
            "Film.de.srt",
            "noextension",
        ] {
            assert_eq!(named("film", name, &["film.part2", "film_en", "Film"]), Named::Other, "{name}");
        }
        assert_eq!(named("film.part2", "film.part2.en.srt", &["film"]), track("en", Dialogue));
    }

    #[test]
    fn subtitles_that_may_be_two_films_are_unclear() {
        for name in ["film.en.srt", "film.en.forced.srt", "film.en.ass"] {
            let Named::Unclear(found) = named("film", name, &["film.en"]) else { panic!("{name}") };
            assert!(found.ends_with("the film film.en"), "{found}");
        }
        assert_eq!(named("film", "film.en.de.srt", &["film.en"]), Named::Other);
    }
}
