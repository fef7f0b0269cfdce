//! Does the file open; are container and codecs on the accepted lists; is there one video track.

use reelfarm_model::Code;
use reelfarm_model::measurement::{MOST_TRACKS, Measurements, OpenErrorKind, VideoMeasurement};
use reelfarm_model::qc::Check;

use super::Finding;
use crate::policy::Accepted;
use crate::text::{bytes, count, list, plain};

/// FFmpeg's words for an MP4 or MOV file without its index, which writers put at the end.
const NO_INDEX: &str = "moov atom not found";
/// FFmpeg's words for a file with more tracks than it was told to take.
const TOO_MANY_TRACKS: &str = "exceeds max_streams";

/// Whether the file is media that FFmpeg opens.
pub(crate) fn opens(measurements: &Measurements) -> Check {
    let finding = |value| Finding::new(Code::QcUnreadable, "opens", value, "a media file");
    let excess = |value, limit: &str| Finding::new(Code::QcExcess, "opens", value, limit);
    let Some(error) = &measurements.open_error else {
        return finding(format!("{}, {}", plain(&measurements.container), bytes(measurements.size))).pass();
    };
    let detail = if error.detail.is_empty() { "no reason given".to_owned() } else { plain(&error.detail) };
    match error.kind {
        OpenErrorKind::NotMedia if measurements.error_lines.iter().any(|line| line.contains(NO_INDEX)) => {
            finding("its index (moov) is missing: cut off, or damaged".to_owned()).reject(
                "The end of the file probably got lost on its way: compare its size and MD5 with the supplier's, and have it sent again.",
            )
        }
        OpenErrorKind::NotMedia if measurements.error_lines.iter().any(|line| line.contains(TOO_MANY_TRACKS)) => {
            excess("more tracks than the farm opens".to_owned(), &format!("{MOST_TRACKS} tracks"))
                .reject("Ask for the film with its own tracks alone: no film needs so many.")
        }
        OpenErrorKind::NotMedia => finding(format!("not media, or damaged: {detail}")).reject(
            "Compare the file's size and MD5 with the supplier's: a broken copy is the usual cause. Then ask for a new one.",
        ),
        OpenErrorKind::FormatNotAllowed => finding(format!("refused: {detail}")).reject(
            "Deliver the film itself (MP4, MOV, MKV, MXF or TS), not a playlist, a text or a picture.",
        ),
        OpenErrorKind::TooMuchWork => {
            let value = format!("broken off at {detail}, of {}", bytes(measurements.size));
            excess(value, "work in proportion to its size")
                .reject("The file is damaged or made to do harm: no film is so small. Ask for a new copy.")
        }
    }
}

/// Whether the container is accepted.
pub(crate) fn container(accepted: &Accepted, measurements: &Measurements) -> Check {
    let finding =
        Finding::new(Code::QcContainer, "container", plain(&measurements.container), "on the policy's list");
    if measurements.container.split(',').any(|name| is_listed(&accepted.containers, name)) {
        finding.pass()
    } else {
        finding.reject(
            format!("Ask for the film in another container; its picture and sound can stay as they are. Taken are {}.", list(&accepted.containers, "and")),
        )
    }
}

/// Whether there is exactly one usable video track, and which.
pub(crate) fn video_track(measurements: &Measurements) -> (Check, Option<&VideoMeasurement>) {
    let usable: Vec<_> = measurements.video.iter().filter(|track| track.frames > 0).collect();
    let all = measurements.video.len();
    let finding = |value| Finding::new(Code::QcVideoTrack, "video track", value, "exactly one");
    match usable.as_slice() {
        [] if all == 0 => {
            let remedy = "Is this a sound or data file? Ask for the film with its picture.";
            (finding("none".to_owned()).reject(remedy), None)
        }
        [] => {
            let value = format!("{}, none with a picture that decodes", count(all as u64, "track"));
            (finding(value).reject("Ask for a new copy: no frame of it can be decoded."), None)
        }
        [only] if all == 1 => (finding(format!("stream {}", only.index)).pass(), Some(only)),
        [only] => {
            let value = format!("stream {}; {} without pictures", only.index, all - 1);
            (
                finding(value).warn("Look whether the empty video track should have held something."),
                Some(only),
            )
        }
        several => {
            let streams: Vec<_> = several.iter().map(|track| track.index.to_string()).collect();
            let value =
                format!("{}: streams {}", count(several.len() as u64, "track"), list(&streams, "and"));
            (
                finding(value)
                    .reject("The farm cannot know which is meant: ask for a file with one of them."),
                None,
            )
        }
    }
}

/// Whether the video codec is accepted.
pub(crate) fn video_codec(accepted: &Accepted, video: &VideoMeasurement) -> Check {
    let value = format!("{}, {}, {} bit", plain(&video.codec), plain(&video.pixel_format), video.bit_depth);
    codec("video codec", value, &accepted.video_codecs, &[video.codec.as_str()])
}

/// Whether the audio codecs in use are accepted.
pub(crate) fn audio_codec(accepted: &Accepted, codecs: &[&str]) -> Check {
    let mut names: Vec<String> = Vec::new();
    for name in codecs.iter().copied().map(plain) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    codec("audio codec", names.join(", "), &accepted.audio_codecs, codecs)
}

fn codec(name: &str, value: String, accepted: &[String], codecs: &[&str]) -> Check {
    let finding = Finding::new(Code::QcContainer, name, value, "on the policy's list");
    match codecs.iter().find(|codec| !is_listed(accepted, codec)) {
        None => finding.pass(),
        Some(_) => finding.reject(format!("Ask for another codec. Taken are {}.", list(accepted, "and"))),
    }
}

fn is_listed(accepted: &[String], name: &str) -> bool {
    accepted.iter().any(|entry| match entry.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => entry == name,
    })
}

#[cfg(test)]
mod tests {
    use reelfarm_model::measurement::OpenError;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    #[test]
    fn a_file_that_does_not_open_is_named_and_nothing_else_is_judged() {
        for (kind, line, value, remedy) in [
            (OpenErrorKind::NotMedia, "bad header", "not media, or damaged: bad", "MD5"),
            (
                OpenErrorKind::NotMedia,
                "[mov] moov atom not found",
                "its index (moov) is missing",
                "sent again",
            ),
            (OpenErrorKind::FormatNotAllowed, "", "refused: bad", "not a playlist"),
            (
                OpenErrorKind::NotMedia,
                "Number of streams exceeds max_streams parameter (128)",
                "more tracks than",
                "its own tracks",
            ),
            (OpenErrorKind::TooMuchWork, "", "broken off at bad, of ", "made to do harm"),
        ] {
            let mut measurements = sample::clean();
            measurements.error_lines = vec![line.to_owned()];
            measurements.open_error = Some(OpenError { kind, detail: "bad".to_owned() });
            let report = sample::report(&measurements);
            assert_eq!((report.verdict, report.checks.len()), (Verdict::Reject, 1));
            assert!(report.checks[0].value.starts_with(value), "{}", report.checks[0].value);
            assert!(report.checks[0].remedy.contains(remedy));
        }
    }

    #[test]
    fn containers_and_codecs_are_held_against_the_lists() {
        sample::table(
            "container",
            &[
                (Verdict::Pass, "mov,mp4", &|m| m.container = "mov,mp4,m4a,3gp,3g2,mj2".into()),
                (Verdict::Pass, "matroska", &|m| m.container = "matroska,webm".into()),
                (Verdict::Reject, "wav", &|m| m.container = "wav".into()),
                (Verdict::Reject, "", &|m| m.container = String::new()),
            ],
        );
        sample::table(
            "video codec",
            &[
                (Verdict::Pass, "prores", &|m| m.video[0].codec = "prores".into()),
                (Verdict::Reject, "gif", &|m| m.video[0].codec = "gif".into()),
            ],
        );
        sample::table(
            "audio codec",
            &[
                (Verdict::Pass, "pcm_s24le", &|m| m.audio[0].codec = "pcm_s24le".into()),
                (Verdict::Reject, "pcmx", &|m| m.audio[0].codec = "pcmx".into()),
                (Verdict::Reject, "wmav2", &|m| m.audio[0].codec = "wmav2".into()),
            ],
        );
    }

    #[test]
    fn there_is_exactly_one_video_track_with_pictures() {
        sample::table(
            "video track",
            &[
                (Verdict::Pass, "stream 0", &|_| {}),
                (Verdict::Reject, "none", &|m| m.video.clear()),
                (Verdict::Reject, "none with a picture", &|m| m.video[0].frames = 0),
                (Verdict::Reject, "2 tracks: streams 0 and 0", &|m| m.video.push(m.video[0].clone())),
                (Verdict::Warn, "stream 0; 1 without pictures", &|m| {
                    let mut empty = m.video[0].clone();
                    empty.frames = 0;
                    m.video.push(empty);
                }),
            ],
        );
    }
}
