//! `reelfarm probe`: what a file holds. Exits with 0 where it is a media file that the farm opens, 1 where not.

use std::path::Path;

use reelfarm_model::measurement::{AudioMeasurement, Ratio, VideoMeasurement};
use reelfarm_model::{Code, Failure, Measurements};

use super::qc::measure;
use crate::arguments::Probe;
use crate::exit::Exit;
use crate::printer::Printer;

/// Measures the file and prints what was found.
pub async fn run(verb: Probe, printer: &Printer) -> Result<Exit, Failure> {
    let measurements = measure(&verb.file).await?;
    if verb.json.json {
        printer.json(&measurements);
    } else if let Some(error) = &measurements.open_error {
        let message =
            format!("{} is no media file that the farm opens: {}", verb.file.display(), error.detail);
        return Err(Failure::new(Code::QcUnreadable, message));
    } else {
        printer.data(&text(&verb.file, &measurements));
    }
    Ok(if measurements.open_error.is_some() { Exit::Failed } else { Exit::Done })
}

fn text(file: &Path, measured: &Measurements) -> String {
    let length =
        measured.header_duration.map(|seconds| format!("{seconds:.3} s")).unwrap_or("unknown length".into());
    let mut text = format!("{}: {}, {length}, {} bytes\n", file.display(), measured.container, measured.size);
    for track in &measured.video {
        text.push_str(&video(track));
    }
    for track in &measured.audio {
        text.push_str(&audio(track));
    }
    for (index, kind) in &measured.other {
        text.push_str(&format!("  #{index} other: {kind}\n"));
    }
    for line in &measured.error_lines {
        text.push_str(&format!("  error: {line}\n"));
    }
    text
}

fn video(track: &VideoMeasurement) -> String {
    let VideoMeasurement { index, codec, width, height, pixel_format, frames, .. } = track;
    let rate = ratio(track.header_frame_rate);
    let seconds = track.last_time - track.first_time;
    let turned =
        if track.rotation == 0 { String::new() } else { format!(", turned by {}°", track.rotation) };
    let interlaced = if track.interlaced_frames > 0 { ", interlaced" } else { "" };
    format!(
        "  #{index} video: {codec}, {width}x{height}, {pixel_format}, {rate} fps, {frames} frames over {seconds:.3} s, {} bytes{turned}{interlaced}\n",
        track.bytes
    )
}

fn audio(track: &AudioMeasurement) -> String {
    let AudioMeasurement { index, codec, sample_rate, channels, samples, .. } = track;
    let language = track.language.as_deref().unwrap_or("no language");
    let peak = track.peak_dbfs.map(|peak| format!("peak {peak:.1} dBFS")).unwrap_or("silent".into());
    format!(
        "  #{index} audio: {codec}, {sample_rate} Hz, {channels} ch {}, {language}, {samples} samples, {peak}\n",
        track.layout
    )
}

fn ratio(ratio: Ratio) -> String {
    match ratio.value() {
        Some(_) if ratio.denominator == 1 => ratio.numerator.to_string(),
        Some(value) => format!("{value:.3}"),
        None => "unknown".to_owned(),
    }
}
