//! The tracks of the file with their properties, and how loud they are.

use reelfarm_model::measurement::sound::{Position, ProgrammeLoudness};
use reelfarm_model::measurement::{AudioMeasurement, Ratio, SubtitleMeasurement, VideoMeasurement};

use super::curves::rate;
use super::film::Film;
use super::markup::Markup;
use super::tables::{number, table};
use crate::text::{bytes, clock, decimal, plain, span};

/// Writes the tracks.
pub(super) fn tracks(film: &Film<'_>, markup: &mut Markup) {
    let measurements = film.measurements;
    markup.within("section", &[("aria-labelledby", "tracks")], |markup| {
        markup.element("h2", &[("id", "tracks")], "Tracks");
        let rows: Vec<_> = measurements.video.iter().map(|track| video(film, track)).collect();
        table(markup, "Picture", &VIDEO, &rows);
        let rows: Vec<_> = measurements.video.iter().map(colour).collect();
        table(markup, "Colour and form", &COLOUR, &rows);
        let rows: Vec<_> = measurements.audio.iter().map(|track| audio(film, track)).collect();
        table(markup, "Sound", &AUDIO, &rows);
        let rows: Vec<_> = measurements.subtitles.iter().map(|track| subtitles(film, track)).collect();
        table(markup, "Subtitles in the file", &SUBTITLES, &rows);
        let rows: Vec<_> =
            measurements.other.iter().map(|(index, name)| vec![index.to_string(), plain(name)]).collect();
        table(markup, "Other", &["Track", "Kind"], &rows);
    });
}

const VIDEO: [&str; 10] =
    ["Track", "Codec", "Stored size", "Rate", "Frames", "Begins", "Ends", "Bitrate", "Key frames", "Errors"];

fn video(film: &Film<'_>, track: &VideoMeasurement) -> Vec<String> {
    let frame = track.average_frame_rate.value().filter(|rate| *rate > 0.0).map_or(0.0, f64::recip);
    let seconds = track.last_time + frame - track.first_time;
    vec![
        track.index.to_string(),
        plain(&track.codec),
        format!("{}x{}", track.width, track.height),
        frame_rate(track.average_frame_rate),
        track.frames.to_string(),
        moment(film, track.first_time),
        moment(film, track.last_time + frame),
        bitrate(track.bytes, seconds),
        format!("{}, at most {} apart", track.key_frames, span(track.longest_key_frame_distance)),
        errors(film, track.decode_errors, track.first_decode_error),
    ]
}

const COLOUR: [&str; 10] = [
    "Track",
    "Samples",
    "Bits",
    "Sample aspect",
    "Turn",
    "Range",
    "Primaries",
    "Transfer",
    "Matrix",
    "High dynamic range",
];

fn colour(track: &VideoMeasurement) -> Vec<String> {
    let colour = &track.colour;
    let named = |name: &str| if name.is_empty() { "unknown".to_owned() } else { plain(name) };
    let aspect = track.sample_aspect;
    let is_stated = aspect.numerator > 0 && aspect.denominator > 0;
    let hdr = [
        (track.hdr.mastering_display, "mastering display"),
        (track.hdr.content_light_level, "content light level"),
        (track.hdr.dolby_vision, "Dolby Vision"),
    ];
    let hdr: Vec<_> = hdr.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect();
    vec![
        track.index.to_string(),
        plain(&track.pixel_format),
        track.bit_depth.to_string(),
        if is_stated {
            format!("{}:{}", aspect.numerator, aspect.denominator)
        } else {
            "not stated".to_owned()
        },
        format!("{}°", track.rotation),
        named(&colour.range),
        named(&colour.primaries),
        named(&colour.transfer),
        named(&colour.matrix),
        if hdr.is_empty() { "–".to_owned() } else { hdr.join(", ") },
    ]
}

const AUDIO: [&str; 10] =
    ["Track", "Codec", "Language", "Channels", "Sampling", "Begins", "Ends", "Bitrate", "Peak", "Errors"];

fn audio(film: &Film<'_>, track: &AudioMeasurement) -> Vec<String> {
    let channels = if track.layout.is_empty() {
        track.channels.to_string()
    } else {
        format!("{} ({})", track.channels, plain(&track.layout))
    };
    vec![
        track.index.to_string(),
        plain(&track.codec),
        language(track.language.as_deref()),
        channels,
        format!("{} Hz", track.sample_rate),
        moment(film, track.first_time),
        moment(film, track.end_time),
        bitrate(track.bytes, track.end_time - track.first_time),
        number(track.peak_dbfs, 1, "dBFS"),
        errors(film, track.decode_errors, track.first_decode_error),
    ]
}

const SUBTITLES: [&str; 6] = ["Track", "Codec", "Language", "Events", "Overlaps", "Ends"];

fn subtitles(film: &Film<'_>, track: &SubtitleMeasurement) -> Vec<String> {
    vec![
        track.index.to_string(),
        plain(&track.codec),
        language(track.language.as_deref()),
        track.events.to_string(),
        track.overlaps.count.to_string(),
        moment(film, track.end_time),
    ]
}

fn language(language: Option<&str>) -> String {
    language.map_or_else(|| "not stated".to_owned(), plain)
}

/// A moment of the container's timeline, from the first picture on.
fn moment(film: &Film<'_>, container: f64) -> String {
    film.time(container).map_or_else(|| "–".to_owned(), clock)
}

fn errors(film: &Film<'_>, count: u64, first: Option<f64>) -> String {
    match first.and_then(|time| film.time(time)) {
        Some(time) if count > 0 => format!("{count}, first at {}", film.code(time)),
        _ => count.to_string(),
    }
}

fn bitrate(size: u64, seconds: f64) -> String {
    if seconds > 0.0 { rate(size as f64 * 8.0 / seconds) } else { bytes(size) }
}

/// Frames a second, exact as a ratio where they are no whole number.
fn frame_rate(rate: Ratio) -> String {
    match rate.value().filter(|value| value.is_finite()) {
        Some(value) if value.fract() == 0.0 => decimal(value, 0),
        Some(value) => format!("{} ({}/{})", decimal(value, 3), rate.numerator, rate.denominator),
        None => "not stated".to_owned(),
    }
}

const LOUDNESS: [&str; 6] =
    ["Of", "Integrated", "Range", "Largest short-term", "Largest momentary", "True peak"];

/// Writes the loudness of each track, and of mono tracks together.
pub(super) fn loudness(film: &Film<'_>, markup: &mut Markup) {
    let measurements = film.measurements;
    let mut rows: Vec<_> = measurements
        .audio
        .iter()
        .filter_map(|track| Some(loud(format!("track {}", track.index), &track.sound.as_ref()?.loudness)))
        .collect();
    rows.extend(measurements.combined.iter().map(|combined| {
        let tracks = combined.tracks.iter().map(|(track, at)| format!("{track} {}", position(*at)));
        loud(format!("tracks {}", tracks.collect::<Vec<_>>().join(", ")), &combined.loudness)
    }));
    if rows.is_empty() {
        return;
    }
    markup.within("section", &[("aria-labelledby", "loudness")], |markup| {
        markup.element("h2", &[("id", "loudness")], "Loudness");
        table(markup, "By ITU-R BS.1770 and EBU R 128", &LOUDNESS, &rows);
    });
}

fn loud(of: String, loudness: &ProgrammeLoudness) -> Vec<String> {
    vec![
        of,
        number(loudness.integrated_lufs, 1, "LUFS"),
        number(loudness.range_lu, 1, "LU"),
        number(loudness.maximum_short_term_lufs, 1, "LUFS"),
        number(loudness.maximum_momentary_lufs, 1, "LUFS"),
        number(loudness.true_peak_dbtp, 1, "dBTP"),
    ]
}

/// Where a channel is heard from, in words.
pub(super) fn position(position: Position) -> &'static str {
    match position {
        Position::Mono => "mono",
        Position::FrontLeft => "left",
        Position::FrontRight => "right",
        Position::FrontCentre => "centre",
        Position::LowFrequency => "low-frequency effects",
        Position::SideLeft => "left side",
        Position::SideRight => "right side",
        Position::BackLeft => "left back",
        Position::BackRight => "right back",
        Position::Other => "elsewhere",
    }
}
