//! What rules can ask about a source: one tree named `source`, made from the measurements. docs/qc.md explains each name.
//!
//! Promises: what was not measured, or is no number, is absent; all else is there under the same name and of the same kind
//! for every source.

use std::collections::{BTreeMap, HashMap};

use cel::Value;
use cel::objects::Key;
use reelfarm_model::measurement::picture::PictureMeasurement;
use reelfarm_model::measurement::sound::{ProgrammeLoudness, SoundMeasurement};
use reelfarm_model::measurement::{
    AudioMeasurement, Measurements, Spans, SubtitleMeasurement, VideoMeasurement,
};

use crate::checks::{bits_per_pixel, displayed_proportions, interlaced_percent, longest};
use crate::language;
use crate::text::decimal;

/// The name of the tree.
pub(crate) const ROOT: &str = "source";
/// Examples that there are: one with small and one with large values.
pub(super) const EXAMPLES: usize = 2;
/// Tracks of a kind that rules can see, at most.
pub(super) const MOST_TRACKS: usize = 64;

/// A part of the tree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    /// A whole number.
    Whole(i64),
    /// Any number.
    Number(f64),
    /// A text.
    Text(String),
    /// Parts by their names.
    Group(BTreeMap<&'static str, Fact>),
    /// Parts in their order.
    List(Vec<Fact>),
}

impl Fact {
    /// As the expressions see it.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Whole(number) => Value::Int(*number),
            Self::Number(number) => Value::Float(*number),
            Self::Text(text) => Value::from(text.as_str()),
            Self::Group(group) => {
                let map: HashMap<Key, Value> =
                    group.iter().map(|(name, fact)| (Key::from(*name), fact.to_value())).collect();
                Value::from(map)
            }
            Self::List(list) => Value::from(list.iter().map(Self::to_value).collect::<Vec<_>>()),
        }
    }

    /// A single value by its full name, as people read it.
    pub(crate) fn shown(&self, name: &str) -> Option<String> {
        let inner = name.strip_prefix(ROOT)?.strip_prefix('.')?;
        let found = inner.split('.').try_fold(self, |fact, name| match fact {
            Self::Group(group) => group.get(name),
            _ => None,
        })?;
        match found {
            Self::Whole(number) => Some(number.to_string()),
            Self::Number(number) => Some(decimal(*number, 3)),
            Self::Text(text) => Some(text.clone()),
            Self::Group(_) | Self::List(_) => None,
        }
    }
}

/// What is asked about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The file.
    pub(crate) file: &'a Measurements,
    /// The video track that would be used.
    pub(crate) video: Option<&'a VideoMeasurement>,
    /// Its frames per second, where they are steady.
    pub(crate) rate: Option<f64>,
    /// How long the film is, in seconds.
    pub(crate) seconds: f64,
}

/// The subject, and one track of it.
#[derive(Clone, Copy)]
struct Tracks<'a> {
    of: Subject<'a>,
    audio: Option<&'a AudioMeasurement>,
    subtitles: Option<&'a SubtitleMeasurement>,
}

/// How a variable is read.
enum Variable {
    Whole(fn(&Tracks<'_>) -> Option<u64>),
    Number(fn(&Tracks<'_>) -> Option<f64>),
    Text(fn(&Tracks<'_>) -> Option<String>),
}

type Variables = &'static [(&'static str, Variable)];

const FILE: Variables = &[
    ("container", Variable::Text(|of| Some(of.of.file.container.clone()))),
    ("size_bytes", Variable::Whole(|of| Some(of.of.file.size))),
    ("duration_s", Variable::Number(|of| Some(of.of.seconds))),
    ("header_duration_s", Variable::Number(|of| of.of.file.header_duration)),
    ("read_errors", Variable::Whole(|of| Some(of.of.file.read_errors))),
];

const VIDEO: Variables = &[
    ("codec", Variable::Text(|of| Some(of.video()?.codec.clone()))),
    ("width", Variable::Whole(|of| Some(of.video()?.width.into()))),
    ("height", Variable::Whole(|of| Some(of.video()?.height.into()))),
    ("pixel_format", Variable::Text(|of| Some(of.video()?.pixel_format.clone()))),
    ("bit_depth", Variable::Whole(|of| Some(of.video()?.bit_depth.into()))),
    ("frame_rate", Variable::Number(|of| of.of.rate)),
    ("frames", Variable::Whole(|of| Some(of.video()?.frames))),
    ("kbps", Variable::Number(|of| Some(of.video()?.bytes as f64 * 0.008 / of.of.seconds))),
    ("bits_per_pixel", Variable::Number(|of| bits_per_pixel(of.video()?))),
    ("display_aspect", Variable::Number(|of| Some(displayed_proportions(of.video()?)))),
    ("rotation", Variable::Whole(|of| Some(of.video()?.rotation.into()))),
    ("interlaced_percent", Variable::Number(|of| Some(interlaced_percent(of.video()?)))),
    ("range", Variable::Text(|of| Some(of.video()?.colour.range.clone()))),
    ("primaries", Variable::Text(|of| Some(of.video()?.colour.primaries.clone()))),
    ("transfer", Variable::Text(|of| Some(of.video()?.colour.transfer.clone()))),
    ("matrix", Variable::Text(|of| Some(of.video()?.colour.matrix.clone()))),
    ("decode_errors", Variable::Whole(|of| Some(of.video()?.decode_errors))),
    ("longest_key_frame_distance_s", Variable::Number(|of| Some(of.video()?.longest_key_frame_distance))),
    ("blockiness", Variable::Number(|of| Some(of.video()?.blockiness?.median))),
];

const BLACK: Variables = &[
    ("leading_s", Variable::Number(|of| Some(of.picture()?.leading_black))),
    ("trailing_s", Variable::Number(|of| Some(of.picture()?.trailing_black))),
    ("total_s", Variable::Number(|of| Some(of.picture()?.black.seconds))),
];

const FREEZE: Variables = &[
    ("count", Variable::Whole(|of| Some(of.picture()?.freeze.count))),
    ("total_s", Variable::Number(|of| Some(of.picture()?.freeze.seconds))),
    ("longest_s", Variable::Number(|of| Some(longest_seconds(&of.picture()?.freeze)))),
];

const FLASHES: Variables = &[
    ("in_a_second", Variable::Whole(|of| Some(of.picture()?.general_flashes.most_in_a_second.into()))),
    ("red_in_a_second", Variable::Whole(|of| Some(of.picture()?.red_flashes.most_in_a_second.into()))),
];

const BARS: Variables = &[
    ("top_px", Variable::Whole(|of| Some(of.picture()?.bars.margins.top.into()))),
    ("bottom_px", Variable::Whole(|of| Some(of.picture()?.bars.margins.bottom.into()))),
    ("left_px", Variable::Whole(|of| Some(of.picture()?.bars.margins.left.into()))),
    ("right_px", Variable::Whole(|of| Some(of.picture()?.bars.margins.right.into()))),
];

const AUDIO: Variables = &[
    ("stream", Variable::Whole(|of| Some(of.audio?.index.into()))),
    ("codec", Variable::Text(|of| Some(of.audio?.codec.clone()))),
    ("channels", Variable::Whole(|of| Some(of.audio?.channels.into()))),
    ("layout", Variable::Text(|of| Some(of.audio?.layout.clone()))),
    ("sample_rate_hz", Variable::Whole(|of| Some(of.audio?.sample_rate.into()))),
    ("language", Variable::Text(|of| tag(of.audio?.language.as_deref()))),
    ("duration_s", Variable::Number(|of| of.audio.map(|track| track.end_time - track.first_time))),
    ("peak_dbfs", Variable::Number(|of| of.audio?.peak_dbfs)),
    ("loudness_lufs", Variable::Number(|of| of.loudness()?.integrated_lufs)),
    ("loudness_range_lu", Variable::Number(|of| of.loudness()?.range_lu)),
    ("true_peak_dbtp", Variable::Number(|of| of.loudness()?.true_peak_dbtp)),
    ("silence_s", Variable::Number(|of| Some(of.sound()?.silence.seconds))),
    ("clipped_runs", Variable::Whole(|of| Some(clipped_runs(of.sound()?)))),
    ("correlation", Variable::Number(|of| of.sound()?.pair.as_ref()?.correlation)),
    ("decode_errors", Variable::Whole(|of| Some(of.audio?.decode_errors))),
];

const SUBTITLES: Variables = &[
    ("stream", Variable::Whole(|of| Some(of.subtitles?.index.into()))),
    ("codec", Variable::Text(|of| Some(of.subtitles?.codec.clone()))),
    ("language", Variable::Text(|of| tag(of.subtitles?.language.as_deref()))),
    ("events", Variable::Whole(|of| Some(of.subtitles?.events))),
];

const GROUPS: [(&str, Variables); 5] =
    [("video", VIDEO), ("black", BLACK), ("freeze", FREEZE), ("flashes", FLASHES), ("bars", BARS)];

impl<'a> Tracks<'a> {
    fn video(&self) -> Option<&'a VideoMeasurement> {
        self.of.video
    }

    fn picture(&self) -> Option<&'a PictureMeasurement> {
        self.of.video?.picture.as_ref()
    }

    fn sound(&self) -> Option<&'a SoundMeasurement> {
        self.audio?.sound.as_ref()
    }

    fn loudness(&self) -> Option<&'a ProgrammeLoudness> {
        Some(&self.sound()?.loudness)
    }
}

impl Variable {
    fn read(&self, of: &Tracks<'_>) -> Option<Fact> {
        match self {
            Self::Whole(read) => read(of).map(|number| Fact::Whole(number.try_into().unwrap_or(i64::MAX))),
            Self::Number(read) => read(of).filter(|number| number.is_finite()).map(Fact::Number),
            Self::Text(read) => read(of).map(Fact::Text),
        }
    }

    fn example(&self, number: usize) -> Fact {
        match (self, number) {
            (Self::Whole(_), 0) => Fact::Whole(0),
            (Self::Whole(_), _) => Fact::Whole(1_000_000),
            (Self::Number(_), 0) => Fact::Number(0.0),
            (Self::Number(_), _) => Fact::Number(1e6),
            (Self::Text(_), 0) => Fact::Text(String::new()),
            (Self::Text(_), _) => Fact::Text("text".to_owned()),
        }
    }
}

/// The tree of a source.
pub(crate) fn of(subject: Subject<'_>) -> Fact {
    let whole = Tracks { of: subject, audio: None, subtitles: None };
    let audio = subject.file.audio.iter().map(|track| Tracks { audio: Some(track), ..whole });
    let subtitles = subject.file.subtitles.iter().map(|track| Tracks { subtitles: Some(track), ..whole });
    let read = |variables, track: Tracks<'_>| group(variables, |variable| variable.read(&track));
    tree(
        |variable| variable.read(&whole),
        audio.take(MOST_TRACKS).map(|track| read(AUDIO, track)).collect(),
        subtitles.take(MOST_TRACKS).map(|track| read(SUBTITLES, track)).collect(),
    )
}

/// A tree in which everything is there, with values of no meaning.
pub(super) fn example(number: usize) -> Fact {
    let read = |variable: &Variable| Some(variable.example(number));
    tree(read, vec![group(AUDIO, read)], vec![group(SUBTITLES, read)])
}

fn tree(read: impl Fn(&Variable) -> Option<Fact>, audio: Vec<Fact>, subtitles: Vec<Fact>) -> Fact {
    let mut source = members(FILE, &read);
    for (name, variables) in GROUPS {
        source.insert(name, group(variables, &read));
    }
    source.insert("audio", Fact::List(audio));
    source.insert("subtitles", Fact::List(subtitles));
    Fact::Group(source)
}

fn group(variables: Variables, read: impl Fn(&Variable) -> Option<Fact>) -> Fact {
    Fact::Group(members(variables, read))
}

fn members(variables: Variables, read: impl Fn(&Variable) -> Option<Fact>) -> BTreeMap<&'static str, Fact> {
    variables.iter().filter_map(|(name, variable)| Some((*name, read(variable)?))).collect()
}

fn tag(language: Option<&str>) -> Option<String> {
    language.and_then(|text| language::parse(text).ok().flatten())
}

fn longest_seconds(spans: &Spans) -> f64 {
    longest(&spans.first).map_or(0.0, |span| span.end - span.start)
}

fn clipped_runs(sound: &SoundMeasurement) -> u64 {
    sound.channels.iter().fold(0, |sum, channel| sum.saturating_add(channel.clipped.count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// Every name below a part, with dots between.
    fn names(fact: &Fact, path: &str) -> Vec<String> {
        match fact {
            Fact::Group(group) => {
                group.iter().flat_map(|(name, fact)| names(fact, &format!("{path}.{name}"))).collect()
            }
            Fact::List(list) => list.iter().flat_map(|fact| names(fact, &format!("{path}[]"))).collect(),
            _ => vec![path.to_owned()],
        }
    }

    #[test]
    fn a_clean_film_has_every_fact_and_the_examples_name_the_same() {
        let mut film = sample::clean();
        film.subtitles = vec![sample::subtitles(2)];
        let subject = Subject { file: &film, video: film.video.first(), rate: Some(25.0), seconds: 10.0 };
        let found = of(subject);
        assert_eq!(names(&found, ROOT), names(&example(0), ROOT));
        assert_eq!(names(&found, ROOT), names(&example(1), ROOT));
        for (name, expected) in [
            ("source.video.width", Some("1920")),
            ("source.video.kbps", Some("8000")),
            ("source.duration_s", Some("10")),
            ("source.video", None),
            ("source.audio", None),
            ("video.width", None),
        ] {
            assert_eq!(found.shown(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn what_was_not_measured_is_absent() {
        let mut film = sample::clean();
        film.header_duration = None;
        film.audio[0].language = None;
        film.audio[0].sound = None;
        film.video[0].picture = None;
        let found = of(Subject { file: &film, video: film.video.first(), rate: None, seconds: f64::NAN });
        let names = names(&found, ROOT);
        for absent in [
            "source.header_duration_s",
            "source.duration_s",
            "source.video.frame_rate",
            "source.black.leading_s",
            "source.audio[].language",
            "source.audio[].loudness_lufs",
        ] {
            assert!(!names.iter().any(|name| name == absent), "{absent}");
        }
        assert!(names.iter().any(|name| name == "source.audio[].channels"));
    }

    #[test]
    fn the_documents_explain_every_name() {
        let document = include_str!("../../../../docs/qc.md");
        for name in names(&example(0), ROOT) {
            assert!(document.contains(&format!("`{name}`")), "docs/qc.md does not explain {name}");
        }
    }
}
