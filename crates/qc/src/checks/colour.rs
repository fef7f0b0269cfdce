//! Can the ladders carry the colour; and which colour is meant where the file does not say.

use reelfarm_model::Code;
use reelfarm_model::measurement::VideoMeasurement;
use reelfarm_model::qc::Check;

use super::Finding;
use crate::policy::ColourLimits;
use crate::text::plain;

/// Whether transfer, primaries and matrix are such as the ladders carry.
pub(crate) fn colour(policy: &ColourLimits, video: &VideoMeasurement) -> Check {
    let colour = &video.colour;
    let stated: Vec<_> = [
        (&colour.transfer, &policy.refused_transfers, "transfer"),
        (&colour.primaries, &policy.refused_primaries, "primaries"),
        (&colour.matrix, &policy.refused_matrices, "matrix"),
    ]
    .into_iter()
    .filter(|(name, ..)| is_stated(name))
    .collect();
    let value = if stated.is_empty() {
        format!("not stated, taken as {}", matrix(policy, video))
    } else {
        let named: Vec<_> = stated.iter().map(|(name, _, what)| format!("{what} {}", plain(name))).collect();
        named.join(", ")
    };
    let finding = Finding::new(Code::QcColour, "colour", value, "SDR in BT.709 or BT.601");
    if stated.iter().any(|(name, refused, _)| refused.contains(name)) {
        finding.reject(
            "This is HDR or wide-gamut material: ask for the version in standard dynamic range (BT.709).",
        )
    } else {
        finding.pass()
    }
}

/// The matrix that the samples are in: as stated, else by pixel format and size.
pub(crate) fn matrix(policy: &ColourLimits, video: &VideoMeasurement) -> String {
    if is_stated(&video.colour.matrix) {
        video.colour.matrix.clone()
    } else if is_rgb(video) {
        "gbr".to_owned()
    } else if video.height >= policy.hd_min_height_px || video.width >= policy.hd_min_width_px {
        "bt709".to_owned()
    } else if video.height > MOST_LINES_OF_525 {
        "bt470bg".to_owned()
    } else {
        "smpte170m".to_owned()
    }
}

/// A picture of the 525-line system has 480 or 486 lines, one of the 625-line system 576 (ITU-R BT.601).
const MOST_LINES_OF_525: u32 = 486;

/// Whether the samples use the full range of values.
pub(crate) fn is_full_range(video: &VideoMeasurement) -> bool {
    match video.colour.range.as_str() {
        "pc" => true,
        "tv" => false,
        _ => video.pixel_format.starts_with("yuvj") || is_rgb(video),
    }
}

pub(super) fn is_rgb(video: &VideoMeasurement) -> bool {
    ["gbr", "rgb", "bgr", "argb", "abgr", "0rgb", "0bgr", "x2rgb", "x2bgr"]
        .iter()
        .any(|beginning| video.pixel_format.starts_with(beginning))
}

pub(super) fn is_stated(name: &str) -> bool {
    !matches!(name, "" | "unknown" | "unspecified" | "reserved")
}

#[cfg(test)]
mod tests {
    use reelfarm_model::measurement::Colour;
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    fn named(range: &str, primaries: &str, transfer: &str, matrix: &str) -> Colour {
        Colour {
            range: range.into(),
            primaries: primaries.into(),
            transfer: transfer.into(),
            matrix: matrix.into(),
        }
    }

    #[test]
    fn high_dynamic_range_and_wide_gamut_are_refused() {
        sample::table(
            "colour",
            &[
                (Verdict::Pass, "transfer bt709, primaries bt709", &|_| {}),
                (Verdict::Pass, "not stated, taken as bt709", &|m| {
                    m.video[0].colour = named("unknown", "unknown", "unknown", "unknown");
                }),
                (Verdict::Pass, "not stated, taken as bt709", &|m| m.video[0].colour = Colour::default()),
                (Verdict::Reject, "transfer smpte2084", &|m| {
                    m.video[0].colour = named("tv", "unknown", "smpte2084", "unknown");
                }),
                (Verdict::Reject, "transfer arib-std-b67", &|m| {
                    m.video[0].colour = named("tv", "bt2020", "arib-std-b67", "bt2020nc");
                }),
                (Verdict::Reject, "primaries bt2020", &|m| m.video[0].colour = named("", "bt2020", "", "")),
                (Verdict::Reject, "matrix bt2020nc", &|m| m.video[0].colour = named("", "", "", "bt2020nc")),
                (Verdict::Pass, "transfer bt2020-10", &|m| {
                    // The same curve as BT.709's: only its name is from BT.2020.
                    m.video[0].colour = named("", "bt709", "bt2020-10", "bt709");
                }),
            ],
        );
    }

    #[test]
    fn unstated_matrix_and_range_follow_size_and_pixel_format() {
        for (width, height, format, matrix, full) in [
            (1280, 544, "yuv420p", "bt709", false),
            (960, 720, "yuv420p", "bt709", false),
            (1278, 718, "yuv420p", "bt470bg", false),
            (720, 576, "yuv422p10le", "bt470bg", false),
            (720, 486, "yuv422p", "smpte170m", false),
            (640, 272, "yuvj420p", "smpte170m", true),
            (1920, 1080, "gbrp10le", "gbr", true),
        ] {
            let mut measurements = sample::clean();
            sample::size(&mut measurements, width, height);
            measurements.video[0].pixel_format = format.into();
            measurements.video[0].colour = Colour::default();
            let video = sample::report(&measurements).conclusion.unwrap().video;
            assert_eq!(
                (video.matrix.as_str(), video.full_range),
                (matrix, full),
                "{width}x{height} {format}"
            );
        }
    }

    #[test]
    fn what_is_stated_counts_before_any_assumption() {
        let mut measurements = sample::clean();
        measurements.video[0].colour = named("pc", "bt470bg", "gamma28", "bt470bg");
        let video = sample::report(&measurements).conclusion.unwrap().video;
        assert_eq!((video.matrix.as_str(), video.full_range), ("bt470bg", true));
        measurements.video[0].colour.range = "tv".into();
        measurements.video[0].pixel_format = "yuvj420p".into();
        assert!(!sample::report(&measurements).conclusion.unwrap().video.full_range);
    }
}
