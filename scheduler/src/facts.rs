//! What is said of a title that is submitted, checked before it is taken.

use std::time::{SystemTime, UNIX_EPOCH};

use reelfarm_model::{Code, Facts, Failure};
use reelfarm_packaging::profiles::ProfileList;
use reelfarm_priority::{Rules, due};

/// Characters of a text that people write on one line.
pub const LONGEST_LINE: usize = 200;

/// Whether a text is such a line.
pub fn is_line(text: &str) -> bool {
    (1..=LONGEST_LINE).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// A text as such a line: with other characters in place of those that are none, and cut; `None` where there is no text.
pub fn as_line(text: &str) -> Option<String> {
    let printable = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    let line: String = text.chars().take(LONGEST_LINE).map(printable).collect();
    (!line.is_empty()).then_some(line)
}

/// The facts of a title with these profiles, where they can be true together and name what there is; the profiles that go
/// first by id. A broadcast in the past is no mistake: the title is late.
///
/// # Errors
/// They contradict each other, or name what there is not.
pub fn possible(
    facts: Facts,
    rules: &Rules,
    list: &ProfileList,
    profiles: &[String],
) -> Result<Facts, Failure> {
    if facts.requester.as_deref().is_some_and(|requester| !is_line(requester)) {
        let message = format!("who asks for a title is said in 1 to {LONGEST_LINE} characters on one line");
        return Err(Failure::new(Code::RequestInvalid, message));
    }
    let facts = Facts { first: first_profiles(list, &facts.first, profiles)?, ..facts };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    due(rules, &facts, profiles, now_ms)
        .map(|_| facts)
        .map_err(|error| Failure::new(Code::FactsContradict, error.to_string()))
}

/// A pattern names those of the title's `profiles` that fit it; an id that is none of them is kept, so that it is refused by
/// its name.
fn first_profiles(
    list: &ProfileList,
    patterns: &[String],
    profiles: &[String],
) -> Result<Vec<String>, Failure> {
    let unknown = |message: String| Failure::new(Code::UnknownName, message);
    let mut first: Vec<String> = Vec::new();
    for pattern in patterns {
        let selected =
            list.select(std::slice::from_ref(pattern)).map_err(|error| unknown(error.to_string()))?;
        let ids = selected.into_iter().map(|profile| profile.id);
        let made = ids.filter(|id| id == pattern || profiles.contains(id));
        let new: Vec<String> = made.filter(|id| !first.contains(id)).collect();
        first.extend(new);
    }
    if first.is_empty() && !patterns.is_empty() {
        let patterns = patterns.join(", ");
        return Err(unknown(format!("none of the title's profiles fits {patterns}, which was to go first")));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_made_a_line() {
        for (text, line) in
            [("film.mov.md5", Some("film.mov.md5")), ("a\u{1b}\nb", Some("a\u{fffd}\u{fffd}b")), ("", None)]
        {
            assert_eq!(as_line(text).as_deref(), line, "{text:?}");
        }
        let cut = as_line(&"ü".repeat(LONGEST_LINE + 1)).unwrap();
        assert!(is_line(&cut) && cut.chars().count() == LONGEST_LINE);
    }

    fn list() -> ProfileList {
        ProfileList::parse("profiles.toml", reelfarm_packaging::profiles::BUILT_IN).unwrap()
    }

    fn first(patterns: &[&str], profiles: &[&str]) -> Result<Vec<String>, Code> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let facts = Facts { first: owned(patterns), ..Facts::default() };
        let rules = Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap();
        possible(facts, &rules, &list(), &owned(profiles))
            .map(|facts| facts.first)
            .map_err(|failure| failure.code)
    }

    #[test]
    fn what_goes_first_is_named_by_id_or_pattern_and_is_made() {
        let made = ["dash-clr-2s", "dash-clr-4s", "hls-clr-2s"];
        assert_eq!(first(&["*-2s", "dash-clr-2s"], &made).unwrap(), ["dash-clr-2s", "hls-clr-2s"]);
        assert_eq!(first(&["dash-clr-2s"], &["hls-clr-2s"]), Err(Code::FactsContradict));
        assert_eq!(first(&["ts-*"], &made), Err(Code::UnknownName));
        assert_eq!(first(&["nothing-*"], &made), Err(Code::UnknownName));
        assert_eq!(first(&[], &made).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_size_of_what_goes_first_says_nothing_where_nothing_does() {
        let facts = Facts { first_up_to: Some(576), ..Facts::default() };
        let rules = Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap();
        let failure = possible(facts, &rules, &list(), &[]).unwrap_err();
        assert_eq!(failure.code, Code::FactsContradict);
        assert!(failure.message.contains("--first"), "{failure}");
    }
}
