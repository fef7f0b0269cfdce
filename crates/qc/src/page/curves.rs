//! Curves of the time line: light, rate and loudness over the film, drawn as the steps that they were measured in.

use reelfarm_model::measurement::Curve;
use reelfarm_model::measurement::sound::SoundMeasurement;

use super::film::Film;
use super::markup::Markup;
use super::timeline::{LEFT, WIDTH, across, decimal, line, words};
use crate::text;

/// The most steps of a curve; more are drawn together.
const MOST_STEPS: usize = 800;
/// The most tracks whose loudness is drawn.
const MOST_TRACKS: usize = 4;

/// What several values become that are drawn as one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Together {
    /// Their mean.
    Mean,
    /// The largest.
    Largest,
}

/// One curve of a panel.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// Its class in the style sheet.
    pub(super) class: &'static str,
    /// What tells it from the others of its panel; nothing where it is alone.
    pub(super) name: &'static str,
    /// Its values.
    pub(super) curve: &'a Curve,
    /// What is drawn of several.
    pub(super) together: Together,
}

/// Curves on one scale.
#[derive(Clone, Debug)]
pub(super) struct Panel<'a> {
    /// What they are of.
    name: String,
    /// The values at the bottom and at the top.
    scale: (f64, f64),
    /// The same in words.
    ends: (String, String),
    /// A value to hold them against, and what it is.
    target: Option<(f64, String)>,
    is_loudness: bool,
    lines: Vec<Line<'a>>,
}

impl Panel<'_> {
    /// Whether it is of loudness.
    pub(super) fn is_loudness(&self) -> bool {
        self.is_loudness
    }
}

/// The panels of a film: of those curves that have values.
pub(super) fn panels<'a>(film: &Film<'a>, target_lufs: Option<f64>) -> Vec<Panel<'a>> {
    let mut panels = Vec::new();
    if let Some(video) = film.video {
        let mean = video.picture.as_ref().map(|picture| &picture.luma.mean);
        panels.extend(mean.filter(|curve| has_values(curve)).map(light));
        panels.extend(Some(&video.bitrate).filter(|curve| has_values(curve)).map(bitrate));
    }
    let tracks = film.measurements.audio.iter().filter_map(|track| Some((track, track.sound.as_ref()?)));
    let heard = tracks.filter(|(_, sound)| has_values(&sound.momentary) || has_values(&sound.short_term));
    for (track, sound) in heard.take(MOST_TRACKS) {
        let number = track.index;
        let name = if film.measurements.audio.len() == 1 {
            "loudness".to_owned()
        } else {
            format!("loudness, track {number}")
        };
        panels.push(loudness(name, sound, target_lufs));
    }
    panels
}

/// Whether tracks are heard whose loudness is not drawn.
pub(super) fn are_tracks_left_out(film: &Film<'_>) -> bool {
    let sounds = film.measurements.audio.iter().filter_map(|track| track.sound.as_ref());
    sounds.filter(|sound| has_values(&sound.momentary)).count() > MOST_TRACKS
}

fn light(curve: &Curve) -> Panel<'_> {
    Panel {
        name: "mean luma".to_owned(),
        scale: (0.0, 1.0),
        ends: ("0 %".to_owned(), "100 %".to_owned()),
        target: None,
        is_loudness: false,
        lines: vec![Line { class: "curve light", name: "", curve, together: Together::Mean }],
    }
}

fn bitrate(curve: &Curve) -> Panel<'_> {
    let values = curve.values.iter().flatten().map(|value| f64::from(*value));
    let largest = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    let top = round_above(largest);
    Panel {
        name: "bitrate".to_owned(),
        scale: (0.0, top),
        ends: ("0".to_owned(), rate(top)),
        target: None,
        is_loudness: false,
        lines: vec![Line { class: "curve rate", name: "", curve, together: Together::Largest }],
    }
}

fn loudness(name: String, sound: &SoundMeasurement, target_lufs: Option<f64>) -> Panel<'_> {
    let line = |class, name, curve| Line { class, name, curve, together: Together::Largest };
    Panel {
        name,
        scale: (-60.0, 0.0),
        ends: ("-60".to_owned(), "0 LUFS".to_owned()),
        target: target_lufs
            .filter(|target| target.is_finite())
            .map(|target| (target, text::decimal(target, 1))),
        is_loudness: true,
        lines: vec![
            line("curve momentary", "momentary (400 ms)", &sound.momentary),
            line("curve short-term", "short-term (3 s)", &sound.short_term),
        ],
    }
}

/// Draws a panel from `top` down.
pub(super) fn draw(film: &Film<'_>, panel: &Panel<'_>, top: f64, height: f64, markup: &mut Markup) {
    let bottom = top + height;
    words(markup, "name", LEFT - 50.0, top + height * 0.5 + 4.0, &panel.name);
    words(markup, "end", LEFT - 6.0, top + 8.0, &panel.ends.1);
    words(markup, "end", LEFT - 6.0, bottom, &panel.ends.0);
    line(markup, "axis", (LEFT, bottom), (LEFT + WIDTH, bottom));
    if let Some((value, label)) = &panel.target {
        let y = bottom - share(*value, panel.scale) * height;
        line(markup, "target", (LEFT, y), (LEFT + WIDTH, y));
        words(markup, "end", LEFT - 6.0, y + 4.0, label);
    }
    for curve in &panel.lines {
        let path = path(film, curve, panel.scale, bottom, height);
        if !path.is_empty() {
            markup.within("path", &[("class", curve.class), ("d", &path)], |markup| {
                markup.element("title", &[], &called(&panel.name, curve.name));
            });
        }
    }
}

/// What a curve of a panel is called.
fn called(panel: &str, curve: &str) -> String {
    if curve.is_empty() { panel.to_owned() } else { format!("{panel}: {curve}") }
}

/// The steps of a curve, with a gap wherever there is no value.
fn path(film: &Film<'_>, line: &Line<'_>, scale: (f64, f64), bottom: f64, height: f64) -> String {
    let curve = line.curve;
    let group = curve.values.len().div_ceil(MOST_STEPS).max(1);
    let mut path = String::new();
    let mut is_open = false;
    for (number, values) in curve.values.chunks(group).enumerate() {
        let from = (number * group) as f64;
        let start = film.time(curve.start + curve.step * from);
        let end = film.time(curve.start + curve.step * (from + values.len() as f64));
        let shown = value(values, line.together).zip(start.zip(end));
        let Some((value, (start, end))) =
            shown.filter(|(_, (start, end))| start < end && *end > film.from && *start < film.to)
        else {
            is_open = false;
            continue;
        };
        let y = decimal(bottom - share(value, scale) * height);
        let (left, right) = (decimal(across(film, start)), decimal(across(film, end)));
        let to = if is_open { format!("V{y}") } else { format!("M{left} {y}") };
        path.push_str(&format!("{to}H{right}"));
        is_open = true;
    }
    path
}

/// One value of several; `None` where there is none.
fn value(values: &[Option<f32>], together: Together) -> Option<f64> {
    let numbers = || values.iter().flatten().map(|value| f64::from(*value)).filter(|value| value.is_finite());
    match together {
        Together::Largest => numbers().max_by(f64::total_cmp),
        Together::Mean => {
            let count = numbers().count();
            (count > 0).then(|| numbers().sum::<f64>() / count as f64)
        }
    }
}

fn share(value: f64, (low, high): (f64, f64)) -> f64 {
    let share = (value - low) / (high - low);
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

fn has_values(curve: &Curve) -> bool {
    curve.step > 0.0
        && (curve.start + curve.step).is_finite()
        && curve.values.iter().flatten().any(|value| value.is_finite())
}

/// The next of 1, 2 and 5 with zeros behind.
fn round_above(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= value).unwrap_or(value)
}

/// Bits per second in a decimal unit.
pub(super) fn rate(bits: f64) -> String {
    match bits {
        bits if !bits.is_finite() => "not known".to_owned(),
        bits if bits >= 1e6 => format!("{} Mb/s", text::decimal(bits / 1e6, 2)),
        bits if bits >= 1e3 => format!("{} kb/s", text::decimal(bits / 1e3, 1)),
        bits => format!("{} b/s", text::decimal(bits, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn steps(values: &[Option<f32>]) -> String {
        let measurements = sample::clean();
        let report = sample::report(&measurements);
        let film = Film::of(&report, &measurements);
        let curve = Curve { start: 0.0, step: 10.0 / values.len() as f64, values: values.to_vec() };
        let line = Line { class: "", name: "", curve: &curve, together: Together::Largest };
        path(&film, &line, (0.0, 1.0), 100.0, 100.0)
    }

    #[test]
    fn a_curve_is_steps_with_gaps_where_there_is_no_value() {
        assert_eq!(steps(&[Some(0.0), Some(1.0), None, Some(0.5)]), "M190 100H440V0H690M940 50H1190");
    }

    #[test]
    fn what_is_no_number_is_a_gap() {
        let path = steps(&[Some(f32::NAN), Some(0.25), Some(f32::INFINITY)]);
        assert_eq!(path, "M523.3 75H856.7");
    }

    #[test]
    fn a_long_curve_is_drawn_in_few_steps_and_keeps_its_peaks() {
        let mut values = vec![Some(0.25); 100_000];
        values[77_777] = Some(1.0);
        let path = steps(&values);
        assert!(path.matches('H').count() <= MOST_STEPS);
        assert!(path.contains("V0H"), "the peak is lost");
    }

    #[test]
    fn scales_end_at_round_numbers() {
        assert_eq!([0.0, 1.0, 900.0, 1.2e6, 7.5e6].map(round_above), [1.0, 1.0, 1000.0, 2e6, 1e7]);
        assert_eq!([2e6, 1500.0, f64::NAN].map(rate), ["2 Mb/s", "1.5 kb/s", "not known"]);
    }
}
