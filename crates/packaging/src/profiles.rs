//! The list of profiles: a TOML file that a video engineer edits; a bad one is refused with the line and the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use reelfarm_model::ladder::GOP_SECONDS;
use reelfarm_model::profile::{Container, DrmSystem, MediaFormat, MediaSetId, Profile, Scheme};
use serde::Deserialize;
use toml::Spanned;

/// The list that ships with the farm.
pub const BUILT_IN: &str = include_str!("../../../ladders/profiles.toml");

/// The longest segment that players start with in acceptable time, in seconds.
const LONGEST_SEGMENT: u32 = 10;

/// A checked list of profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileList {
    profiles: Vec<Profile>,
}

/// A profile file is refused: where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct ProfilesError {
    /// The file as the caller named it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A pattern selects no profile of the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no profile is called {pattern:?}{}", suggestion.as_ref().map(|id| format!(" (did you mean {id}?)")).unwrap_or_default())]
pub struct UnknownProfile {
    /// What was asked for.
    pub pattern: String,
    /// The profile whose id is nearest, where one is near.
    pub suggestion: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: String,
    container: Container,
    #[serde(default)]
    drm: Vec<DrmSystem>,
    scheme: Option<Scheme>,
    media_set: String,
    #[serde(default)]
    lengths: Vec<u32>,
    purpose: String,
}

impl ProfileList {
    /// Reads a list from TOML. `file` is only for the error.
    ///
    /// # Errors
    /// The first fault of the file, with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, ProfilesError> {
        let refuse = |span: Range<usize>, reason: String| ProfilesError {
            file: file.to_owned(),
            line: 1 + text[..span.start.min(text.len())].matches('\n').count(),
            reason,
        };
        let parsed: File = toml::from_str(text)
            .map_err(|error| refuse(error.span().unwrap_or_default(), error.message().to_owned()))?;
        if parsed.profile.is_empty() {
            return Err(refuse(0..0, "a profile list needs at least one [[profile]]".to_owned()));
        }
        let mut profiles: Vec<Profile> = Vec::new();
        let mut ids = BTreeSet::new();
        let mut media_sets = BTreeMap::new();
        for spanned in parsed.profile {
            let span = spanned.span();
            let row = spanned.into_inner();
            if let Some(reason) = row_fault(&row) {
                return Err(refuse(span, reason));
            }
            let made_as = (row.container.media_format(), row.scheme);
            let first = media_sets.entry(row.media_set.clone()).or_insert(made_as);
            if *first != made_as {
                let reason = format!(
                    "profile {}: media set {} is {} here and {} in a row above",
                    row.key,
                    row.media_set,
                    describe(made_as),
                    describe(*first)
                );
                return Err(refuse(span, reason));
            }
            for profile in row.profiles() {
                if !ids.insert(profile.id.clone()) {
                    return Err(refuse(span, format!("two profiles have the id {}", profile.id)));
                }
                profiles.push(profile);
            }
        }
        Ok(Self { profiles })
    }

    /// Every profile, in the order of the file.
    pub fn all(&self) -> &[Profile] {
        &self.profiles
    }

    /// The profiles that any of the patterns names, each once, in the order of the list. A pattern is `all`, an id, or
    /// an id with `*` for any run of characters.
    ///
    /// # Errors
    /// The first pattern that names none.
    pub fn select(&self, patterns: &[String]) -> Result<Vec<Profile>, UnknownProfile> {
        let named = |pattern: &str, id: &str| pattern == "all" || matches(pattern, id);
        for pattern in patterns {
            if !self.profiles.iter().any(|profile| named(pattern, &profile.id)) {
                return Err(UnknownProfile { pattern: pattern.clone(), suggestion: self.nearest(pattern) });
            }
        }
        Ok(self
            .profiles
            .iter()
            .filter(|profile| patterns.iter().any(|pattern| named(pattern, &profile.id)))
            .cloned()
            .collect())
    }

    fn nearest(&self, pattern: &str) -> Option<String> {
        self.profiles
            .iter()
            .map(|profile| (strsim::jaro_winkler(pattern, &profile.id), &profile.id))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(similarity, _)| *similarity > 0.7)
            .map(|(_, id)| id.clone())
    }
}

impl Row {
    fn profiles(&self) -> Vec<Profile> {
        let profile = |suffix: &str, segment_seconds| Profile {
            id: format!("{}{suffix}", self.key),
            container: self.container,
            drm: self.drm.clone(),
            scheme: self.scheme,
            segment_seconds,
            media_set: MediaSetId(format!("{}{suffix}", self.media_set)),
            purpose: self.purpose.clone(),
        };
        if self.lengths.is_empty() {
            return vec![profile("", None)];
        }
        self.lengths.iter().map(|seconds| profile(&format!("-{seconds}s"), Some(*seconds))).collect()
    }
}

fn row_fault(row: &Row) -> Option<String> {
    let key = &row.key;
    for (what, name) in [("a profile's key", key), ("a media set's name", &row.media_set)] {
        if !is_name(name) {
            return Some(format!("{what} has 1 to 32 of a-z, 0-9 and '-', not {name:?}"));
        }
    }
    if row.drm.is_empty() && row.scheme.is_some() {
        return Some(format!("profile {key}: it has an encryption scheme but no DRM system"));
    }
    if row.scheme.is_none() && !row.drm.is_empty() {
        return Some(format!("profile {key}: it has DRM systems but no encryption scheme"));
    }
    if let Some(scheme) = row.scheme
        && let Some(reason) = unplayable(row.container, scheme, &row.drm)
    {
        return Some(format!("profile {key}: {reason}"));
    }
    if row.container == Container::Progressive {
        return (!row.lengths.is_empty())
            .then(|| format!("profile {key}: a progressive file has no segments, so no lengths"));
    }
    if row.lengths.is_empty() {
        return Some(format!("profile {key}: lengths says how many seconds a segment has, such as [2, 4]"));
    }
    let wrong = row.lengths.iter().find(|seconds| {
        **seconds == 0 || **seconds > LONGEST_SEGMENT || !seconds.is_multiple_of(GOP_SECONDS)
    });
    wrong.map(|seconds| {
        format!(
            "profile {key}: a segment has a multiple of {GOP_SECONDS} s, up to {LONGEST_SEGMENT} s, not {seconds} s"
        )
    })
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn describe((format, scheme): (MediaFormat, Option<Scheme>)) -> String {
    let format = match format {
        MediaFormat::Cmaf => "CMAF segments",
        MediaFormat::SingleFile => "one file a rendition",
        MediaFormat::Ts => "MPEG-TS segments",
        MediaFormat::Smooth => "Smooth Streaming fragments",
        MediaFormat::Progressive => "a progressive file",
    };
    format!("{format} ({})", describe_scheme(scheme))
}

const fn describe_scheme(scheme: Option<Scheme>) -> &'static str {
    match scheme {
        None => "clear",
        Some(scheme) => scheme.as_str(),
    }
}

/// Why no device plays this combination, or no engine makes it.
fn unplayable(container: Container, scheme: Scheme, systems: &[DrmSystem]) -> Option<String> {
    use DrmSystem::{Clearkey, Fairplay, Marlin, Playready, Verimatrix, Widevine};
    let schemes: &[Scheme] = match container {
        Container::Dash => &[Scheme::Cenc, Scheme::Cbcs],
        Container::DashOnDemand => &[Scheme::Cenc, Scheme::Cbcs],
        // Apple's players know no other, and their word is what HLS with CMAF is (HLS authoring specification 1.29).
        Container::HlsCmaf => &[Scheme::Cbcs],
        Container::HlsTs => &[Scheme::Aes128, Scheme::SampleAes],
        Container::Smooth | Container::Progressive => &[Scheme::Cenc],
    };
    if !schemes.contains(&scheme) {
        let names: Vec<_> = schemes.iter().map(|scheme| scheme.as_str()).collect();
        return Some(format!(
            "no device plays {} with {}; it goes with {}",
            container.as_str(),
            scheme.as_str(),
            names.join(" or ")
        ));
    }
    let taken: &[DrmSystem] = match (container, scheme) {
        (Container::Dash | Container::DashOnDemand, Scheme::Cenc) => {
            &[Widevine, Playready, Marlin, Verimatrix, Clearkey]
        }
        (Container::Dash | Container::DashOnDemand, _) => &[Widevine, Playready],
        (Container::HlsCmaf, _) => &[Fairplay, Widevine, Playready],
        (Container::HlsTs, Scheme::Aes128) => &[Clearkey, Verimatrix],
        (Container::HlsTs, _) => &[Fairplay],
        (Container::Smooth, _) => &[Playready],
        (Container::Progressive, _) => &[Marlin],
    };
    if let Some(system) = systems.iter().find(|system| !taken.contains(system)) {
        let names: Vec<_> = taken.iter().map(|system| system.as_str()).collect();
        return Some(format!(
            "no device plays {} in {} with {}; there it can be {}",
            system.as_str(),
            container.as_str(),
            scheme.as_str(),
            names.join(", ")
        ));
    }
    if scheme == Scheme::Aes128 && systems.len() > 1 {
        // RFC 8216 4.3.2.4: several EXT-X-KEY must differ in KEYFORMAT, and these have none.
        return Some("a playlist names one key for whole segments, so one system".to_owned());
    }
    let repeated = systems.iter().enumerate().find(|(at, system)| systems[..*at].contains(system));
    repeated.map(|(_, system)| format!("it names {} twice", system.as_str()))
}

/// Whether `id` fits `pattern`, in which `*` stands for any run of characters.
fn matches(pattern: &str, id: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == id,
        Some((head, tail)) => id.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| matches(tail, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(profiles: &[Profile]) -> Vec<&str> {
        profiles.iter().map(|profile| profile.id.as_str()).collect()
    }

    fn built_in() -> ProfileList {
        ProfileList::parse("profiles.toml", BUILT_IN).unwrap()
    }

    #[test]
    fn the_list_that_ships_has_52_profiles_of_22_media_sets() {
        let list = built_in();
        assert_eq!(list.all().len(), 52);
        let media_sets: BTreeSet<_> = list.all().iter().map(|profile| profile.media_set.0.as_str()).collect();
        assert_eq!(media_sets.len(), 22);
        let named = |id: &str| list.all().iter().find(|profile| profile.id == id).unwrap();
        assert_eq!(named("dash-clr-2s").media_set, named("hls-clr-2s").media_set);
        assert_eq!(named("dash-wv-4s").media_set, named("dash-wvpr-4s").media_set);
        assert_ne!(named("dash-wv-4s").media_set, named("dash-wv-2s").media_set);
        assert_ne!(named("ts-aes-2s").media_set, named("ts-clr-2s").media_set);
        assert_eq!(named("mp4-clr").segment_seconds, None);
        assert_eq!(named("hls-multi-2s").drm.len(), 3);
    }

    #[test]
    fn patterns_select_in_the_order_of_the_list() {
        let list = built_in();
        for (patterns, expected) in [
            (vec!["all"], ids(list.all())),
            (vec!["mp4-clr", "dash-clr-4s"], vec!["dash-clr-4s", "mp4-clr"]),
            (vec!["*-clr-2s"], vec!["dash-clr-2s", "od-clr-2s", "ts-clr-2s", "hls-clr-2s", "hss-clr-2s"]),
            (vec!["dash-clr-*", "dash-clr-2s"], vec!["dash-clr-2s", "dash-clr-4s"]),
            (vec!["hl*c*4s"], vec!["hls-clr-4s"]),
            (vec![], vec![]),
        ] {
            let patterns: Vec<_> = patterns.into_iter().map(str::to_owned).collect();
            assert_eq!(ids(&list.select(&patterns).unwrap()), expected, "{patterns:?}");
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one() {
        let list = built_in();
        for (pattern, suggestion) in
            [("dash-clear-2s", Some("dash-clr-2s")), ("mp4", Some("mp4-ml")), ("xyz*", None), ("", None)]
        {
            let error = list.select(&["all".to_owned(), pattern.to_owned()]).unwrap_err();
            assert_eq!(error.suggestion.as_deref(), suggestion, "{pattern}");
        }
        let error = list.select(&["hls-clr".to_owned()]).unwrap_err();
        assert!(error.to_string().starts_with("no profile is called \"hls-clr\" (did you mean hls-clr-"));
    }

    const GOOD: &str = r#"
[[profile]]
key = "dash-clr"
container = "dash"
media_set = "cmaf-clear"
lengths = [2, 4]
purpose = "browsers"

[[profile]]
key = "mp4-clr"
container = "progressive"
media_set = "prog-clear"
purpose = "downloads"
"#;

    #[test]
    fn a_bad_list_is_refused_with_its_line() {
        for (from, to, line, reason) in [
            ("purpose = \"browsers\"", "purpos = 1", 7, "unknown field `purpos`"),
            ("container = \"dash\"", "container = \"dsah\"", 4, "unknown variant `dsah`"),
            ("key = \"dash-clr\"", "key = \"Dash\"", 2, "1 to 32 of a-z"),
            ("media_set = \"cmaf-clear\"", "media_set = \"../x\"", 2, "a media set's name"),
            ("lengths = [2, 4]", "lengths = [3]", 2, "a multiple of 2 s, up to 10 s, not 3 s"),
            ("lengths = [2, 4]", "lengths = [0]", 2, "not 0 s"),
            ("lengths = [2, 4]", "lengths = [12]", 2, "not 12 s"),
            ("lengths = [2, 4]", "", 2, "lengths says how many seconds"),
            ("lengths = [2, 4]", "lengths = [2, 2]", 2, "two profiles have the id dash-clr-2s"),
            ("key = \"mp4-clr\"", "key = \"mp4-clr\"\nlengths = [2]", 9, "no segments, so no lengths"),
            ("\"prog-clear\"", "\"cmaf-clear\"", 9, "is a progressive file (clear) here and CMAF segments"),
            ("lengths = [2, 4]", "lengths = [2]\ndrm = [\"widevine\"]", 2, "no encryption scheme"),
            ("lengths = [2, 4]", "lengths = [2]\nscheme = \"cenc\"", 2, "no DRM system"),
            (
                "lengths = [2, 4]",
                "lengths = [2]\nscheme = \"AES-128\"\ndrm = [\"clearkey\"]",
                2,
                "no device plays dash with AES-128; it goes with cenc or cbcs",
            ),
            (
                "lengths = [2, 4]",
                "lengths = [2]\nscheme = \"cenc\"\ndrm = [\"widevine\", \"fairplay\"]",
                2,
                "no device plays fairplay in dash with cenc",
            ),
            (
                "lengths = [2, 4]",
                "lengths = [2]\nscheme = \"cenc\"\ndrm = [\"widevine\", \"widevine\"]",
                2,
                "names widevine twice",
            ),
            ("purpose = \"downloads\"", "purpose =", 13, ""),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD);
            let error = ProfileList::parse("profiles.toml", &text).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.reason.contains(reason), "{error}");
        }
        assert!(ProfileList::parse("profiles.toml", "profile = []").is_err());
    }
}
