//! Is what the file says of its colour present, and can it be true together.

use reelfarm_model::Code;
use reelfarm_model::measurement::VideoMeasurement;
use reelfarm_model::qc::Check;

use super::Finding;
use super::colour::{is_full_range, is_rgb, is_stated};
use crate::policy::ColourDescription;
use crate::text::{list, plain};

/// Primaries and matrices that belong together: ITU-R BT.709, BT.601 in its two kinds with their forerunners, and BT.2020.
const SYSTEMS: [(&[&str], &[&str]); 4] = [
    (&["bt709"], &["bt709"]),
    (&["smpte170m", "bt470bg", "bt470m"], &["smpte170m", "bt470bg", "fcc"]),
    (&["smpte240m"], &["smpte240m"]),
    (&["bt2020"], &["bt2020nc", "bt2020c", "ictcp"]),
];
/// Transfer functions of cameras, computers and cinemas, which are no finished television picture's.
const NOT_OF_TELEVISION: [&str; 4] = ["linear", "log100", "log316", "smpte428"];
/// Static metadata of high dynamic range: SMPTE ST 2086, and MaxCLL with MaxFALL of CTA-861.3.
const MASTERING_DISPLAY: &str = "mastering display";
const CONTENT_LIGHT_LEVEL: &str = "content light level";
/// From so many lines on a picture is of high definition.
const HD_LINES: u32 = 720;

/// Whether what must be stated is, and nothing contradicts another.
pub(crate) fn colour_description(policy: &ColourDescription, video: &VideoMeasurement) -> Check {
    let colour = &video.colour;
    let parts = ColourDescription::PARTS.into_iter().zip([
        &colour.range,
        &colour.primaries,
        &colour.transfer,
        &colour.matrix,
    ]);
    let missing: Vec<String> =
        parts.filter(|(_, stated)| !is_stated(stated)).map(|(part, _)| part.to_owned()).collect();
    let is_missing = missing.iter().any(|part| policy.required.contains(part));
    let contradictions = contradictions(video);

    let range = if is_full_range(video) { "full range" } else { "limited range" };
    let mut value = vec![format!("{range}, {}, {} bit", chroma(video), video.bit_depth)];
    if !missing.is_empty() {
        value.push(format!("not stated: {}", missing.join(", ")));
    }
    value.extend(high_dynamic_range(video));
    value.extend(contradictions.iter().cloned());
    let missing_metadata = missing_metadata(video);
    value.extend(missing_metadata.clone());
    let limit = if policy.required.is_empty() {
        "no contradictions".to_owned()
    } else {
        format!("no contradictions; {} stated", list(&policy.required, "and"))
    };
    let finding = Finding::new(Code::QcColourDescription, "colour description", value.join("; "), limit);
    if !contradictions.is_empty() {
        finding.fail(
            policy.verdict,
            "Compare with the master: are skin and grass of the right colour, black and white right? What the file says of its colour can't all be true: ask for an export that says it right.",
        )
    } else if is_missing {
        finding.fail(
            policy.verdict,
            "Ask for an export that states its colour; until then the farm goes by the size.",
        )
    } else if missing_metadata.is_some() {
        finding.fail(
            policy.verdict,
            "Ask for an export with the metadata of HDR10 (SMPTE ST 2086, MaxCLL and MaxFALL): without it each screen guesses how bright the highlights are.",
        )
    } else {
        finding.pass()
    }
}

/// What can't be true together, in words.
fn contradictions(video: &VideoMeasurement) -> Vec<String> {
    let colour = &video.colour;
    let mut found = Vec::new();
    let of_system = |primaries: bool, name: &str| {
        SYSTEMS.iter().position(|(some, others)| (if primaries { some } else { others }).contains(&name))
    };
    let is_of_rgb = matches!(colour.matrix.as_str(), "gbr" | "rgb");
    if let (Some(ours), Some(theirs)) = (of_system(true, &colour.primaries), of_system(false, &colour.matrix))
        && ours != theirs
    {
        found.push(format!("primaries {} with matrix {}", plain(&colour.primaries), plain(&colour.matrix)));
    }
    if is_stated(&colour.matrix) && is_of_rgb != is_rgb(video) && !is_grey(video) {
        found.push(format!("matrix {} with {}", plain(&colour.matrix), plain(&video.pixel_format)));
    }
    if video.height.min(video.width) >= HD_LINES && of_system(false, &colour.matrix) == Some(1) {
        found.push(format!("matrix {} in a picture of {} lines", plain(&colour.matrix), video.height));
    }
    if video.height < HD_LINES && video.width < HD_LINES && colour.primaries == "bt2020" {
        found.push(format!("primaries bt2020 in a picture of {} lines", video.height));
    }
    if NOT_OF_TELEVISION.contains(&colour.transfer.as_str()) {
        found.push(format!("transfer {}, which is no television picture's", plain(&colour.transfer)));
    }
    if colour.range == "tv" && video.pixel_format.starts_with("yuvj") {
        found.push(format!("limited range with {}", plain(&video.pixel_format)));
    }
    let has_metadata = video.hdr.mastering_display || video.hdr.content_light_level || video.hdr.dolby_vision;
    if has_metadata && !is_high_dynamic_range(&colour.transfer) && is_stated(&colour.transfer) {
        found.push(format!("HDR metadata with transfer {}", plain(&colour.transfer)));
    }
    found
}

/// What is said of high dynamic range.
fn high_dynamic_range(video: &VideoMeasurement) -> Option<String> {
    let hdr = &video.hdr;
    let mut named = Vec::new();
    for (is_there, name) in [
        (hdr.mastering_display, MASTERING_DISPLAY),
        (hdr.content_light_level, CONTENT_LIGHT_LEVEL),
        (hdr.dolby_vision, "Dolby Vision"),
    ] {
        if is_there {
            named.push(name);
        }
    }
    (!named.is_empty()).then(|| format!("HDR metadata: {}", named.join(", ")))
}

/// What a picture in PQ should say of its highlights and does not: players need it to fit them to a screen. Dolby Vision says
/// it in its own way; hybrid log-gamma needs none.
fn missing_metadata(video: &VideoMeasurement) -> Option<String> {
    let hdr = &video.hdr;
    if video.colour.transfer != "smpte2084" || hdr.dolby_vision {
        return None;
    }
    let missing: Vec<_> =
        [(hdr.mastering_display, MASTERING_DISPLAY), (hdr.content_light_level, CONTENT_LIGHT_LEVEL)]
            .into_iter()
            .filter_map(|(is_there, name)| (!is_there).then_some(name))
            .collect();
    (!missing.is_empty()).then(|| format!("PQ without {}", missing.join(" and ")))
}

fn is_high_dynamic_range(transfer: &str) -> bool {
    matches!(transfer, "smpte2084" | "arib-std-b67")
}

fn is_grey(video: &VideoMeasurement) -> bool {
    ["gray", "ya8", "ya16"].iter().any(|beginning| video.pixel_format.starts_with(beginning))
}

/// How colour is sampled, from the pixel format's name.
pub(super) fn chroma(video: &VideoMeasurement) -> &'static str {
    let format = video.pixel_format.as_str();
    if is_rgb(video) {
        return "RGB";
    }
    if is_grey(video) {
        return "4:0:0";
    }
    let semi_planar = [
        ("nv12", "4:2:0"),
        ("nv21", "4:2:0"),
        ("p01", "4:2:0"),
        ("nv16", "4:2:2"),
        ("nv20", "4:2:2"),
        ("p21", "4:2:2"),
        ("nv24", "4:4:4"),
        ("nv42", "4:4:4"),
        ("p41", "4:4:4"),
    ];
    let packed = [
        ("uyvy", "4:2:2"),
        ("yuyv", "4:2:2"),
        ("yvyu", "4:2:2"),
        ("y21", "4:2:2"),
        ("v210", "4:2:2"),
        ("ayuv", "4:4:4"),
        ("vuy", "4:4:4"),
        ("xv", "4:4:4"),
    ];
    let planar = [("420", "4:2:0"), ("422", "4:2:2"), ("444", "4:4:4"), ("440", "4:4:0"), ("411", "4:1:1")];
    let begins = semi_planar.iter().chain(&packed).find(|(name, _)| format.starts_with(name));
    begins
        .or_else(|| planar.iter().find(|(name, _)| format.contains(name)))
        .map_or("sampling not known", |(_, sampling)| *sampling)
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::Colour;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    fn stated(film: &mut Measurements, primaries: &str, transfer: &str, matrix: &str) {
        let [primaries, transfer, matrix] = [primaries, transfer, matrix].map(str::to_owned);
        film.video[0].colour = Colour { range: "tv".to_owned(), primaries, transfer, matrix };
    }

    fn of_601(film: &mut Measurements, width: u32, height: u32) {
        sample::size(film, width, height);
        stated(film, "bt470bg", "bt709", "smpte170m");
    }

    #[test]
    fn what_is_said_of_colour_is_believable() {
        sample::table(
            "colour description",
            &[
                (Verdict::Pass, "limited range, 4:2:0, 8 bit", &|_| {}),
                (Verdict::Pass, "not stated: range, primaries, transfer, matrix", &|m| {
                    m.video[0].colour = Colour::default();
                }),
                (Verdict::Pass, "limited range, 4:2:2, 10 bit", &|m| {
                    m.video[0].pixel_format = "yuv422p10le".into();
                    m.video[0].bit_depth = 10;
                }),
                (Verdict::Pass, "limited range, 4:2:0", &|m| of_601(m, 720, 576)),
                (Verdict::Pass, "limited range", &|m| of_601(m, 576, 1024)),
                (Verdict::Pass, "limited range", &|m| stated(m, "smpte240m", "smpte240m", "smpte240m")),
                (Verdict::Warn, "matrix smpte170m in a picture of 1080 lines", &|m| of_601(m, 1920, 1080)),
                (Verdict::Warn, "primaries bt709 with matrix bt470bg", &|m| {
                    sample::size(m, 720, 576);
                    stated(m, "bt709", "bt709", "bt470bg");
                }),
                (Verdict::Warn, "primaries bt2020 in a picture of 576 lines", &|m| {
                    sample::size(m, 704, 576);
                    stated(m, "bt2020", "bt709", "bt2020nc");
                }),
                (Verdict::Warn, "matrix gbr with yuv420p", &|m| stated(m, "bt709", "bt709", "gbr")),
                (Verdict::Warn, "matrix bt709 with gbrp", &|m| m.video[0].pixel_format = "gbrp".into()),
                (Verdict::Pass, "full range, RGB", &|m| {
                    m.video[0].pixel_format = "gbrp".into();
                    stated(m, "bt709", "bt709", "gbr");
                    m.video[0].colour.range = "pc".into();
                }),
                (Verdict::Warn, "transfer linear, which is no television", &|m| {
                    stated(m, "bt709", "linear", "bt709");
                }),
                (Verdict::Warn, "limited range with yuvj420p", &|m| {
                    m.video[0].pixel_format = "yuvj420p".into();
                }),
                (Verdict::Warn, "HDR metadata: mastering display; HDR metadata with transfer bt709", &|m| {
                    m.video[0].hdr.mastering_display = true;
                }),
                (Verdict::Warn, "PQ without mastering display and content light level", &|m| {
                    stated(m, "bt2020", "smpte2084", "bt2020nc");
                }),
                (Verdict::Warn, "mastering display; PQ without content light level", &|m| {
                    stated(m, "bt2020", "smpte2084", "bt2020nc");
                    m.video[0].hdr.mastering_display = true;
                }),
                (Verdict::Pass, "HDR metadata: Dolby Vision", &|m| {
                    stated(m, "bt2020", "smpte2084", "bt2020nc");
                    m.video[0].hdr.dolby_vision = true;
                }),
                (Verdict::Pass, "8 bit", &|m| stated(m, "bt2020", "arib-std-b67", "bt2020nc")),
                (Verdict::Pass, "HDR metadata: mastering display, content light level", &|m| {
                    stated(m, "bt2020", "smpte2084", "bt2020nc");
                    m.video[0].hdr.mastering_display = true;
                    m.video[0].hdr.content_light_level = true;
                }),
            ],
        );
    }

    #[test]
    fn the_policy_can_insist_on_a_description() {
        let mut policy = sample::policy();
        policy.colour_description.required = vec!["primaries".to_owned(), "matrix".to_owned()];
        let mut film = sample::clean();
        film.video[0].colour.transfer.clear();
        for (matrix, verdict) in [("bt709", Verdict::Pass), ("unknown", Verdict::Warn)] {
            film.video[0].colour.matrix = matrix.to_owned();
            let report = crate::evaluate(&policy, &film, &sample::ladder(), None);
            let check = sample::check(&report, "colour description");
            assert_eq!(
                (check.verdict, check.limit.as_str()),
                (verdict, "no contradictions; primaries and matrix stated")
            );
        }
    }

    #[test]
    fn sampling_is_read_from_the_pixel_format() {
        for (format, expected) in [
            ("nv12", "4:2:0"),
            ("p010le", "4:2:0"),
            ("p210le", "4:2:2"),
            ("yuva444p12le", "4:4:4"),
            ("uyvy422", "4:2:2"),
            ("yuv411p", "4:1:1"),
            ("gray10le", "4:0:0"),
            ("ya16le", "4:0:0"),
            ("y212le", "4:2:2"),
            ("p416le", "4:4:4"),
            ("ayuv64le", "4:4:4"),
            ("vuyx", "4:4:4"),
            ("xv36le", "4:4:4"),
            ("x2rgb10le", "RGB"),
            ("bgr24", "RGB"),
            ("xyz12le", "sampling not known"),
        ] {
            let mut film = sample::clean();
            film.video[0].pixel_format = format.to_owned();
            assert_eq!(chroma(&film.video[0]), expected, "{format}");
        }
    }
}
