//! Numbers behind the verdict, folded away: what was measured of picture, times and channels, every stretch, and what
//! FFmpeg said.

use reelfarm_model::measurement::picture::{Bars, Cadence, Margins, PictureMeasurement};
use reelfarm_model::measurement::sound::Side;
use reelfarm_model::measurement::{AudioMeasurement, VideoMeasurement};

use super::film::Film;
use super::lanes::Row;
use super::markup::Markup;
use super::tables::{number, percent, properties, table};
use super::tracks::position;
use crate::text::{count, span};

/// The most stretches that are listed of a row.
const MOST_STRETCHES: usize = 40;

/// Writes them all.
pub(super) fn numbers(film: &Film<'_>, rows: &[Row], markup: &mut Markup) {
    markup.within("section", &[("aria-labelledby", "numbers")], |markup| {
        markup.element("h2", &[("id", "numbers")], "Numbers");
        folded(markup, "Stretches", |markup| stretches(film, rows, markup));
        for track in film.measurements.video.iter().take(8) {
            folded(markup, &format!("Picture, track {}", track.index), |markup| {
                video(film, track, markup);
                times(track, markup);
            });
        }
        let has_sound = film.measurements.audio.iter().any(|track| track.sound.is_some());
        if has_sound {
            folded(markup, "Channels of sound", |markup| channels(film, markup));
        }
        let lines = &film.measurements.error_lines;
        if !lines.is_empty() || film.measurements.read_errors > 0 {
            folded(markup, "What FFmpeg said", |markup| {
                let errors = count(film.measurements.read_errors, "read error");
                markup.element("p", &[], &format!("{errors} of the file itself."));
                for line in lines.iter().take(100) {
                    markup.element("p", &[("class", "log")], line);
                }
            });
        }
    });
}

fn folded(markup: &mut Markup, summary: &str, inside: impl FnOnce(&mut Markup)) {
    markup.within("details", &[], |markup| {
        markup.element("summary", &[], summary);
        inside(markup);
    });
}

fn stretches(film: &Film<'_>, rows: &[Row], markup: &mut Markup) {
    let mut lines = Vec::new();
    for row in rows {
        if !row.instead.is_empty() {
            lines.push(vec![row.name.clone(), row.instead.clone(), String::new()]);
            continue;
        }
        let listed = row.stretches.len().min(MOST_STRETCHES);
        let mut places: Vec<_> = row
            .stretches
            .iter()
            .take(listed)
            .map(|stretch| film.stretch(stretch.start, stretch.end))
            .collect();
        if row.count > listed as u64 {
            places.push(format!("and {} more", row.count - listed as u64));
        }
        let number = match row.count {
            0 => "none".to_owned(),
            many if row.seconds > 0.0 => format!("{many}, {} together", span(row.seconds)),
            many => many.to_string(),
        };
        lines.push(vec![row.name.clone(), number, places.join("; ")]);
    }
    table(markup, "What the time line shows", &["What", "How many", "Where"], &lines);
}

fn video(film: &Film<'_>, track: &VideoMeasurement, markup: &mut Markup) {
    let mut lines: Vec<(&str, String)> = Vec::new();
    if let Some(picture) = &track.picture {
        lines.extend(shown(film, picture));
    }
    if let Some(fields) = &track.fields {
        let text = format!(
            "{} progressive, {} upper field first, {} lower field first, {} undetermined",
            fields.progressive, fields.top_field_first, fields.bottom_field_first, fields.undetermined,
        );
        lines.push(("Fields, as seen", text));
    }
    let flagged = format!(
        "{}, of which {} upper field first",
        count(track.interlaced_frames, "frame"),
        track.top_field_first_frames
    );
    lines.push(("Fields, as flagged", flagged));
    if let Some(detail) = &track.detail {
        let losses = detail
            .losses
            .iter()
            .map(|loss| format!("{} lines: {}", loss.height, number(loss.loss_db, 1, "dB")));
        let text = format!(
            "{} ({})",
            losses.collect::<Vec<_>>().join(", "),
            count(detail.pictures.into(), "picture")
        );
        lines.push(("Loss when made smaller", text));
    }
    if let Some(blockiness) = &track.blockiness {
        let worst = film.time(blockiness.worst_time).map_or_else(|| "–".to_owned(), |time| film.code(time));
        let text = format!(
            "median {}, worst tenth {}, worst at {worst} ({})",
            number(Some(blockiness.median), 2, ""),
            number(Some(blockiness.high), 2, ""),
            count(blockiness.pictures.into(), "picture")
        );
        lines.push(("Blockiness", text));
    }
    properties(markup, &lines);
}

fn repeats(cadence: &Cadence, what: &str, names: [&'static str; 2]) -> Vec<(&'static str, String)> {
    let repeats = format!(
        "{} of {} ({})",
        cadence.repeats,
        count(cadence.moving_frames, what),
        span(cadence.moving_seconds)
    );
    let patterns = cadence.patterns.iter().map(|pattern| {
        let text = format!(
            "{} new in {}, for {} (at a stretch {}, regularity {})",
            pattern.pictures,
            pattern.period,
            span(pattern.seconds),
            span(pattern.longest),
            percent(pattern.regularity)
        );
        (names[1], text)
    });
    [(names[0], repeats)].into_iter().chain(patterns).collect()
}

fn shown(film: &Film<'_>, picture: &PictureMeasurement) -> Vec<(&'static str, String)> {
    let bars = &picture.bars;
    let mut lines = vec![
        ("Pictures looked at", picture.frames.to_string()),
        ("Black at the beginning", span(picture.leading_black)),
        ("Black at the end", span(picture.trailing_black)),
        ("Bars", black_margins(bars)),
    ];
    // A film that fills the frame throughout has one area, without margins.
    let has_edges = bars.areas.iter().any(|area| area.margins != Margins::default());
    lines.extend(
        bars.areas.iter().filter(|_| has_edges).map(|area| {
            ("Bars with an edge", format!("{}, for {}", margins(area.margins), span(area.seconds)))
        }),
    );
    for (name, flashes) in [("Flashes", &picture.general_flashes), ("Red flashes", &picture.red_flashes)] {
        let worst = flashes.worst_second.and_then(|time| film.time(time));
        let at = worst.map_or_else(String::new, |time| format!(" from {}", film.code(time)));
        lines
            .push((name, format!("{}, at most {} in a second{at}", flashes.count, flashes.most_in_a_second)));
    }
    lines.extend(repeats(&picture.cadence, "frame", ["Repeats in motion", "Pattern of repeats"]));
    lines.extend(repeats(&picture.field_cadence, "field", ["Repeated fields", "Pattern of fields"]));
    let luma = &picture.luma;
    let (below, above) = (luma.below_range, luma.above_range);
    lines.push((
        "Darkest and brightest",
        format!("{} and {}", percent(luma.darkest), percent(luma.brightest)),
    ));
    lines.push((
        "Below the range",
        format!("{} of the area, {}", percent(below.share), count(below.frames, "picture")),
    ));
    lines.push((
        "Above the range",
        format!("{} of the area, {}", percent(above.share), count(above.frames, "picture")),
    ));
    lines
}

fn black_margins(bars: &Bars) -> String {
    if bars.judged_seconds > 0.0 {
        format!("{} in {}x{}", margins(bars.margins), bars.width, bars.height)
    } else {
        "too dark to tell".to_owned()
    }
}

fn margins(margins: Margins) -> String {
    let Margins { top, bottom, left, right } = margins;
    if margins == Margins::default() {
        return "none".to_owned();
    }
    format!("top {top}, bottom {bottom}, left {left}, right {right}")
}

/// How the times of frames fit each rate, and the distances between frames.
fn times(track: &VideoMeasurement, markup: &mut Markup) {
    let fits: Vec<_> = track
        .grid
        .iter()
        .map(|fit| vec![number(fit.rate.value(), 3, "fps"), span(fit.largest_deviation)])
        .collect();
    table(markup, "How far frames are from their place at a rate", &["Rate", "Largest distance"], &fits);
    let unit = track.time_base.value();
    let intervals: Vec<_> = track
        .intervals
        .iter()
        .map(|interval| {
            let time = unit.map_or_else(|| "–".to_owned(), |unit| span(unit * interval.ticks as f64));
            vec![interval.ticks.to_string(), time, interval.count.to_string()]
        })
        .collect();
    table(markup, "Distances between frames", &["Ticks", "Time", "How often"], &intervals);
}

const CHANNELS: [&str; 9] = [
    "Channel",
    "Heard from",
    "Peak",
    "True peak",
    "RMS",
    "DC offset",
    "Clipped runs",
    "Longest",
    "Silent for",
];

fn channels(film: &Film<'_>, markup: &mut Markup) {
    let mut rows = Vec::new();
    let mut pairs = Vec::new();
    for track in &film.measurements.audio {
        let Some(sound) = &track.sound else { continue };
        for (place, channel) in sound.channels.iter().enumerate() {
            rows.push(vec![
                format!("{}.{}", track.index, place + 1),
                position(channel.position).to_owned(),
                number(channel.peak_dbfs, 1, "dBFS"),
                number(channel.true_peak_dbtp, 1, "dBTP"),
                number(channel.rms_dbfs, 1, "dBFS"),
                percent(channel.dc_offset),
                channel.clipped.count.to_string(),
                count(channel.longest_clipped_run, "sample"),
                span(channel.silence.seconds),
            ]);
        }
        pairs.extend(pair(track));
    }
    table(markup, "Channels", &CHANNELS, &rows);
    let columns = ["Track", "Correlation", "Equal", "Only heard", "Out of phase for"];
    table(markup, "Left and right", &columns, &pairs);
}

fn pair(track: &AudioMeasurement) -> Option<Vec<String>> {
    let pair = track.sound.as_ref()?.pair.as_ref()?;
    let only = match pair.only {
        Some(Side::Left) => "left",
        Some(Side::Right) => "right",
        None => "–",
    };
    Some(vec![
        track.index.to_string(),
        number(pair.correlation, 3, ""),
        pair.equal.map_or_else(|| "–".to_owned(), percent),
        only.to_owned(),
        span(pair.out_of_phase.seconds),
    ])
}
