//! Proportions and size of the picture, and whether it is flagged as interlaced.
//!
//! Ladders are judged against the upright picture in square pixels. Square pixels are reached by shortening the side
//! that has more samples than it shows, never by stretching the other: samples wider than high keep the width and
//! give up lines, samples higher than wide keep the lines and give up width. So no direction is ever scaled up, which
//! stretching would do (1440x1080 with samples of 4:3 becomes 1440x810, not 1920x1080).

use reelfarm_model::Code;
use reelfarm_model::measurement::{Ratio, VideoMeasurement};
use reelfarm_model::qc::Check;

use super::colour_description::chroma;
use super::content::{Deinterlacing, deinterlacing};
use super::{Finding, Timeline, exceeds};
use crate::policy::{Picture, Policy, Proportions};
use crate::text::{count, decimal, list};

/// Width over height of one sample; square where nothing usable is stated.
fn sample_aspect(video: &VideoMeasurement) -> f64 {
    let stated = video.sample_aspect;
    if stated.numerator > 0 && stated.denominator > 0 {
        stated.numerator as f64 / stated.denominator as f64
    } else {
        1.0
    }
}

fn is_turned(video: &VideoMeasurement) -> bool {
    matches!(video.rotation, 90 | 270)
}

/// Width over height as displayed.
pub(crate) fn displayed_proportions(video: &VideoMeasurement) -> f64 {
    let lying = f64::from(video.width) * sample_aspect(video) / f64::from(video.height);
    if is_turned(video) { 1.0 / lying } else { lying }
}

/// Width and height of the upright picture in square pixels; `None` where nothing is left of a side.
pub(crate) fn upright(video: &VideoMeasurement) -> Option<(u32, u32)> {
    let aspect = sample_aspect(video);
    let (width, height) = if aspect >= 1.0 {
        (video.width, (f64::from(video.height) / aspect).round() as u32)
    } else {
        ((f64::from(video.width) * aspect).round() as u32, video.height)
    };
    let (width, height) = if is_turned(video) { (height, width) } else { (width, height) };
    (width > 0 && height > 0).then_some((width, height))
}

/// Whether the picture is flagged as interlaced.
pub(crate) fn is_interlaced(policy: &Picture, video: &VideoMeasurement) -> bool {
    interlaced_percent(video) > policy.interlaced_share_percent
}

/// The share of frames flagged as interlaced, in per cent.
pub(crate) fn interlaced_percent(video: &VideoMeasurement) -> f64 {
    100.0 * video.interlaced_frames as f64 / video.frames.max(1) as f64
}

/// Whether the displayed proportions lie in the accepted range.
pub(crate) fn proportions(policy: &Proportions, video: &VideoMeasurement) -> Check {
    let shown = displayed_proportions(video);
    let mut value =
        if shown.is_finite() { format!("{}:1", decimal(shown, 4)) } else { "not known".to_owned() };
    if sample_aspect(video) != 1.0 {
        let aspect = video.sample_aspect;
        value.push_str(&format!(" with samples of {}:{}", aspect.numerator, aspect.denominator));
    }
    if video.rotation != 0 {
        value.push_str(&format!(", turned by {} degrees", video.rotation));
    }
    let contradiction = contradicting_aspect(policy, video);
    if let Some(stated) = contradiction {
        value.push_str(&format!("; the codec states samples of {}:{}", stated.numerator, stated.denominator));
    }
    let (least, most) = (policy.min_width_to_height, policy.max_width_to_height);
    let limit = format!(
        "{}:1 to {}:1, ±{}%",
        decimal(least, 4),
        decimal(most, 4),
        decimal(policy.tolerance_percent, 2)
    );
    let finding = Finding::new(Code::QcProportions, "proportions", value, limit);
    let tolerance = policy.tolerance_percent / 100.0;
    // No number lies in no range.
    let is_a_films = shown >= least * (1.0 - tolerance) && shown <= most * (1.0 + tolerance);
    if !is_a_films {
        finding.reject(
            "Play the file: where people look too thin or too wide, its sample aspect is wrong; else it is no film's picture. Ask for a corrected export.",
        )
    } else if contradiction.is_some() {
        finding.fail(
            policy.aspect_verdict,
            "Container and codec state different shapes, and players differ in whom they believe; the farm goes by the container. Are circles round? Ask for an export in which both agree.",
        )
    } else {
        finding.pass()
    }
}

/// What the codec states of the samples' shape, where it contradicts what the container states.
fn contradicting_aspect(policy: &Proportions, video: &VideoMeasurement) -> Option<Ratio> {
    let stated = video.codec_sample_aspect?;
    let difference = (sample_aspect(video) / stated.value()? - 1.0).abs() * 100.0;
    exceeds(difference, policy.aspect_tolerance_percent).then_some(stated)
}

/// Whether the picture is large enough, not too large, and one size throughout.
pub(crate) fn size(policy: &Policy, video: &VideoMeasurement, timeline: Timeline) -> Check {
    let upright = upright(video);
    let mut value = format!("{}x{}", video.width, video.height);
    if let Some((width, height)) = upright.filter(|size| *size != (video.width, video.height)) {
        value.push_str(&format!(", upright in square pixels {width}x{height}"));
    }
    let flagged = decimal(interlaced_percent(video), 0);
    match deinterlacing(policy, video) {
        Deinterlacing::None => {}
        Deinterlacing::Flagged => value.push_str(&format!("; {flagged} % interlaced, deinterlaced")),
        Deinterlacing::All(_) => {
            value.push_str(&format!("; {flagged} % flagged interlaced, all deinterlaced"));
        }
    }
    let policy = &policy.picture;
    if video.format_changes > 0 {
        value.push_str(&format!("; {}", count(video.format_changes, "change")));
    }
    let limit =
        format!("{}x{} to {} a side", policy.min_long_side_px, policy.min_short_side_px, policy.max_side_px);
    let finding = Finding::new(Code::QcPictureSize, "picture size", value, limit);
    let (long, short) = upright.map_or((0, 0), |(width, height)| (width.max(height), width.min(height)));
    if long < policy.min_long_side_px || short < policy.min_short_side_px {
        finding.reject("This is a proxy or a thumbnail: ask for the master.")
    } else if video.width.max(video.height) > policy.max_side_px {
        finding.reject("Ask for the film at 4K or HD.")
    } else if video.format_changes > 0 {
        finding.at(timeline.moment(video.first_format_change)).reject(
            "The picture changes its size or format on the way: ask for one export of the whole film.",
        )
    } else {
        finding.pass()
    }
}

/// Whether depth and chroma are such as make a picture of the right colours.
pub(crate) fn samples(policy: &Picture, video: &VideoMeasurement) -> Check {
    let chroma = chroma(video);
    let value = format!("{chroma}, {} bit", video.bit_depth);
    let limit = format!("at least {} bit, {}", policy.min_bit_depth, list(&policy.chroma, "or"));
    let finding = Finding::new(Code::QcSamples, "samples", value, limit);
    if video.bit_depth < policy.min_bit_depth || !policy.chroma.iter().any(|accepted| accepted == chroma) {
        finding.reject("Ask for an export in 4:2:0 or 4:2:2 with 8 or 10 bits.")
    } else {
        finding.pass()
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    #[test]
    fn proportions_count_sample_aspect_and_rotation() {
        sample::table(
            "proportions",
            &[
                (Verdict::Pass, "1.7778:1", &|_| {}),
                (Verdict::Pass, "0.5625:1", &|m| sample::size(m, 1080, 1920)),
                (Verdict::Pass, "0.5588:1", &|m| sample::size(m, 608, 1088)),
                (Verdict::Reject, "0.5:1", &|m| sample::size(m, 960, 1920)),
                (Verdict::Pass, "2.7907:1", &|m| sample::size(m, 1920, 688)),
                (Verdict::Reject, "2.8235:1", &|m| sample::size(m, 1920, 680)),
                (Verdict::Reject, "0.0042:1", &|m| sample::size(m, 2, 480)),
                (Verdict::Reject, "not known", &|m| sample::size(m, 1920, 0)),
                (Verdict::Reject, "0:1", &|m| sample::size(m, 0, 1080)),
                (Verdict::Pass, "1.7778:1 with samples of 64:45", &|m| {
                    sample::size(m, 720, 576);
                    m.video[0].sample_aspect = Ratio::new(64, 45);
                }),
                (Verdict::Pass, "1.7778:1 with samples of 64:45", &|m| {
                    sample::size(m, 720, 576);
                    m.video[0].sample_aspect = Ratio::new(64, 45);
                    m.video[0].codec_sample_aspect = Some(Ratio::new(16, 11));
                }),
                (Verdict::Warn, "1.7778:1 with samples of 64:45; the codec states samples of 16:15", &|m| {
                    sample::size(m, 720, 576);
                    m.video[0].sample_aspect = Ratio::new(64, 45);
                    m.video[0].codec_sample_aspect = Some(Ratio::new(16, 15));
                }),
                (Verdict::Warn, "1.7778:1; the codec states samples of 4:3", &|m| {
                    m.video[0].codec_sample_aspect = Some(Ratio::new(4, 3));
                }),
                (Verdict::Pass, "1.7778:1", &|m| m.video[0].codec_sample_aspect = Some(Ratio::new(0, 0))),
                (Verdict::Reject, "3.5556:1 with samples of 2:1", &|m| {
                    m.video[0].sample_aspect = Ratio::new(2, 1);
                }),
                (Verdict::Pass, "1.7778:1", &|m| m.video[0].sample_aspect = Ratio::new(0, 1)),
                (Verdict::Pass, "1.7778:1", &|m| m.video[0].sample_aspect = Ratio::new(-4, 3)),
                (Verdict::Pass, "0.5625:1, turned by 90 degrees", &|m| m.video[0].rotation = 90),
                (Verdict::Reject, "0.4182:1, turned by 270 degrees", &|m| {
                    sample::size(m, 1920, 803);
                    m.video[0].rotation = 270;
                }),
            ],
        );
    }

    #[test]
    fn the_picture_is_neither_too_small_nor_too_large_and_does_not_change() {
        sample::table(
            "picture size",
            &[
                (Verdict::Pass, "1920x1080", &|_| {}),
                (Verdict::Pass, "320x180", &|m| sample::size(m, 320, 180)),
                (Verdict::Reject, "318x180", &|m| sample::size(m, 318, 180)),
                (Verdict::Reject, "320x178", &|m| sample::size(m, 320, 178)),
                (Verdict::Reject, "176x144", &|m| sample::size(m, 176, 144)),
                (Verdict::Reject, "2x480", &|m| sample::size(m, 2, 480)),
                (Verdict::Pass, "180x320", &|m| sample::size(m, 180, 320)),
                (Verdict::Pass, "8192x4320", &|m| sample::size(m, 8192, 4320)),
                (Verdict::Reject, "8194x4320", &|m| sample::size(m, 8194, 4320)),
                (Verdict::Reject, "1920x1080; 1 change", &|m| m.video[0].format_changes = 1),
                (Verdict::Reject, "1920x0", &|m| sample::size(m, 1920, 0)),
                (Verdict::Pass, "1920x1080, upright in square pixels 1080x1920", &|m| {
                    m.video[0].rotation = 90;
                }),
            ],
        );
        let mut film = sample::clean();
        (film.video[0].format_changes, film.video[0].first_format_change) = (1, Some(4.0));
        assert_eq!(sample::places(&film, "picture size"), ["00:00:04:00"]);
    }

    #[test]
    fn samples_are_of_an_accepted_depth_and_chroma() {
        let film = |m: &mut reelfarm_model::Measurements, format: &str, bits: u32| {
            m.video[0].pixel_format = format.to_owned();
            m.video[0].bit_depth = bits;
        };
        sample::table(
            "samples",
            &[
                (Verdict::Pass, "4:2:0, 8 bit", &|_| {}),
                (Verdict::Pass, "4:4:4, 12 bit", &|m| film(m, "yuv444p12le", 12)),
                (Verdict::Pass, "RGB, 8 bit", &|m| film(m, "bgr24", 8)),
                (Verdict::Pass, "4:0:0, 10 bit", &|m| film(m, "gray10le", 10)),
                (Verdict::Reject, "RGB, 5 bit", &|m| film(m, "rgb555le", 5)),
                (Verdict::Reject, "sampling not known, 12 bit", &|m| film(m, "xyz12le", 12)),
                (Verdict::Reject, "sampling not known, 8 bit", &|m| film(m, "pal8", 8)),
            ],
        );
        let mut policy = sample::policy();
        (policy.picture.min_bit_depth, policy.picture.chroma) = (10, vec!["4:2:2".to_owned()]);
        for (format, bits, verdict) in [
            ("yuv422p10le", 10, Verdict::Pass),
            ("yuv422p", 8, Verdict::Reject),
            ("yuv420p10le", 10, Verdict::Reject),
        ] {
            let mut measurements = sample::clean();
            film(&mut measurements, format, bits);
            let report = crate::evaluate(&policy, &measurements, &sample::ladder(), None);
            let check = sample::check(&report, "samples");
            assert_eq!(
                (check.verdict, check.limit.as_str()),
                (verdict, "at least 10 bit, 4:2:2"),
                "{format}"
            );
        }
    }

    #[test]
    fn square_pixels_are_reached_without_scaling_anything_up() {
        for (size, aspect, rotation, expected) in [
            ((1440, 1080), (4, 3), 0, (1440, 810)),
            ((720, 576), (64, 45), 0, (720, 405)),
            ((720, 576), (16, 15), 0, (720, 540)),
            ((720, 480), (8, 9), 0, (640, 480)),
            ((720, 480), (8, 9), 90, (480, 640)),
            ((1440, 1080), (4, 3), 270, (810, 1440)),
            ((1920, 1080), (1, 1), 180, (1920, 1080)),
        ] {
            let mut measurements = sample::clean();
            sample::size(&mut measurements, size.0, size.1);
            measurements.video[0].sample_aspect = Ratio::new(aspect.0, aspect.1);
            measurements.video[0].rotation = rotation;
            assert_eq!(upright(&measurements.video[0]), Some(expected), "{size:?} {aspect:?} {rotation}");
        }
    }

    #[test]
    fn more_than_a_share_of_interlaced_frames_is_deinterlaced() {
        let mut measurements = sample::clean();
        measurements.video[0].fields = None;
        let frames = measurements.video[0].frames;
        for (interlaced, expected) in
            [(0, false), (frames / 20, false), (frames / 20 + 1, true), (frames, true)]
        {
            measurements.video[0].interlaced_frames = interlaced;
            let report = sample::report(&measurements);
            assert_eq!(sample::check(&report, "picture size").value.contains("deinterlaced"), expected);
            assert_eq!(report.conclusion.unwrap().video.deinterlace, expected, "{interlaced} of {frames}");
        }
    }
}
