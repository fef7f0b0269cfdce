//! A quick look at what the packager left behind: it reports success for truncated input and writes a short
//! presentation.

use std::collections::BTreeSet;
use std::path::Path;

use reelfarm_model::profile::MediaFormat;
use reelfarm_model::task::PackageSpec;

use crate::layout;
use crate::mpd::Mpd;
use crate::playlist;

/// Counts files and adds up the durations that the packager's own manifests state.
///
/// # Errors
/// What is missing, too much or too short, in words.
pub(super) fn check(spec: &PackageSpec, folder: &Path) -> Result<(), String> {
    let video = spec.video.first().ok_or("there is no video rendition")?;
    let seconds = spec.segment_seconds.ok_or("there is no segment length")?;
    let duration_us = video.frame_count * 1_000_000 / u64::from(video.frame_rate.max(1));
    let frame_us = 1_000_000 / u64::from(video.frame_rate.max(1));
    let segments = layout::segment_count(video, seconds);

    for (index, track) in layout::tracks(spec).enumerate() {
        match layout::segment_extension(spec.format) {
            None => non_empty(&folder.join(format!("{track}.mp4")))?,
            Some(extension) => {
                // Audio may end within the frame before the last segment's start.
                let fewest = if index < spec.video.len() { segments } else { segments - segments.min(1) };
                segment_files(&folder.join(&track), extension, fewest..=segments)
                    .map_err(|reason| format!("{track}: {reason}"))?;
            }
        }
        if spec.format == MediaFormat::Cmaf {
            non_empty(&folder.join(&track).join(layout::INITIALIZATION))?;
        }
        if spec.format != MediaFormat::SingleFile {
            let path = folder.join(layout::MANIFESTS).join(format!("{track}.m3u8"));
            let bytes = fs_err::read(&path).map_err(|error| error.to_string())?;
            let playlist =
                playlist::Media::parse(&bytes).map_err(|error| format!("{track}.m3u8, {error}"))?;
            let total: u64 = playlist.segments.iter().map(|segment| segment.duration_us).sum();
            near(total, duration_us, frame_us).map_err(|reason| format!("{track}.m3u8: {reason}"))?;
        }
    }
    if spec.format != MediaFormat::Ts {
        let bytes = fs_err::read(folder.join(layout::PACKAGER_MPD)).map_err(|error| error.to_string())?;
        let mpd = Mpd::parse(&bytes).map_err(|error| format!("the MPD is wrong: {error}"))?;
        let total = mpd.duration().map_err(|error| error.to_string())?;
        near(total, duration_us, frame_us).map_err(|reason| format!("the MPD: {reason}"))?;
    }
    Ok(())
}

/// Milliseconds in manifests are rounded per segment, and the sound's last frame may end later than the picture's.
fn near(total: u64, expected: u64, frame_us: u64) -> Result<(), String> {
    const AUDIO_FRAME_US: u64 = 64_000;
    let tolerance = frame_us + AUDIO_FRAME_US + expected / 2_000;
    if total.abs_diff(expected) <= tolerance {
        return Ok(());
    }
    let seconds = |us: u64| us as f64 / 1e6;
    Err(format!("it presents {:.3} s of {:.3} s", seconds(total), seconds(expected)))
}

fn segment_files(
    folder: &Path,
    extension: &str,
    expected: std::ops::RangeInclusive<u64>,
) -> Result<(), String> {
    let mut numbers = BTreeSet::new();
    for entry in fs_err::read_dir(folder).map_err(|error| error.to_string())? {
        let name = entry.map_err(|error| error.to_string())?.file_name().to_string_lossy().into_owned();
        if let Some(number) = name.strip_suffix(extension).and_then(|name| name.strip_suffix('.')) {
            numbers.insert(number.parse::<u64>().map_err(|_| format!("{name} is no segment's name"))?);
            non_empty(&folder.join(&name))?;
        }
    }
    let count = numbers.len() as u64;
    if !expected.contains(&count) {
        return Err(format!("it has {count} segments of {}", expected.end()));
    }
    if numbers != (1..=count).collect() {
        return Err("its segments are not numbered from 1 without a gap".to_owned());
    }
    Ok(())
}

fn non_empty(path: &Path) -> Result<(), String> {
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.len() > 0 => Ok(()),
        Ok(_) => Err(format!("{} is empty", path.display())),
        Err(error) => Err(error.to_string()),
    }
}
