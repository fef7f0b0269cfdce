//! Runs the checks in their order and draws the conclusion.

use reelfarm_model::Ladder;
use reelfarm_model::measurement::{AudioMeasurement, Measurements, VideoMeasurement};
use reelfarm_model::qc::{Check, Conclusion, QcReport, Verdict, VideoConclusion};

use crate::checks::frame_rate::Cadence;
use crate::checks::programme::{Programmes, Track, programmes};
use crate::checks::rungs::{Offer, rungs};
use crate::checks::{
    Timeline, audio_video, colour, colour_description, content, decoding, edit_list, file_size, format,
    frame_rate, header, key_frames, language, listening, picture, rules, sound, sound_timing, subtitles,
    whole,
};
use crate::effort;
use crate::expression::facts::Subject;
use crate::policy::Policy;

/// The version of the report's schema.
pub(crate) const SCHEMA: u32 = 1;

/// Judges a source by the policy, against a ladder. `audio_language` is the operator's word on tracks that state no
/// language.
pub fn evaluate(
    policy: &Policy,
    measurements: &Measurements,
    ladder: &Ladder,
    audio_language: Option<&str>,
) -> QcReport {
    let mut checks = Vec::new();
    let conclusion = judge(policy, measurements, ladder, audio_language, &mut checks);
    let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Reject);
    QcReport {
        schema: SCHEMA,
        source_sha256: None,
        external: false,
        policy: policy.name.clone(),
        ladder: ladder.name.clone(),
        verdict,
        checks,
        conclusion: conclusion.filter(|_| verdict != Verdict::Reject),
    }
}

/// The conclusion is `None` only after a check that rejects.
fn judge(
    policy: &Policy,
    measurements: &Measurements,
    ladder: &Ladder,
    audio_language: Option<&str>,
    checks: &mut Vec<Check>,
) -> Option<Conclusion> {
    checks.push(format::opens(measurements));
    if measurements.open_error.is_some() {
        return None;
    }
    checks.push(format::container(&policy.accepted, measurements));
    let (check, video) = format::video_track(measurements);
    checks.push(check);
    let cadence = video.map_or(Cadence::Unknown, |video| Cadence::of(&policy.frame_rate, video));
    let picture = video.map(|video| whole::picture_span(video, cadence));
    let timeline = Timeline::of(measurements, video, cadence.integral());
    if let Some(video) = video {
        checks.push(format::video_codec(&policy.accepted, video));
    }
    let frames = video.map_or(0, |video| video.frames);
    checks.push(whole::duration(&policy.duration, measurements, picture, frames));
    // Before the decoding errors, which a file that ends too soon brings along.
    let decoded = whole::decoded_duration(measurements, picture);
    checks.push(whole::completeness(&policy.truncation, measurements, video, picture));
    checks.push(file_size::file_size(&policy.file_size, measurements));
    checks.push(decoding::errors(&policy.decode, measurements, timeline));
    if let (Some(video), Some(picture)) = (video, picture) {
        judge_picture(policy, video, cadence, picture, timeline, checks);
    }

    let programmes = judge_sound(policy, measurements, audio_language, picture, timeline, checks);
    checks.push(header::header(&policy.header, measurements));
    checks.extend(subtitles::subtitles(&policy.subtitles, measurements, picture, timeline));
    let seconds = picture.map_or(decoded, |(begin, end)| end - begin);
    let subject = Subject { file: measurements, video, rate: cadence.rate(), seconds };
    checks.extend(rules::rules(&policy.rules, subject));

    let (video, picture) = (video?, picture?);
    let upright = picture::upright(video);
    let (lines, rungs) = rungs(ladder, &Offer::of(video, upright, picture));
    checks.extend(lines);

    let (width, height) = upright?;
    let deinterlacing = content::deinterlacing(policy, video);
    Some(Conclusion {
        video: VideoConclusion {
            stream: video.index,
            frame_rate: cadence.integral()?,
            frame_count: video.frames,
            width,
            height,
            rotation: video.rotation,
            deinterlace: deinterlacing != content::Deinterlacing::None,
            field_order: deinterlacing.field_order(),
            matrix: colour::matrix(&policy.colour, video),
            full_range: colour::is_full_range(video),
        },
        rungs,
        audio: programmes.list.iter().map(|programme| programme.conclusion()).collect(),
        decoding: effort::decoding_starts(&measurements.container, video, cadence.integral()?),
        complexity: effort::complexity(video),
        fitted: None,
    })
}

fn judge_picture(
    policy: &Policy,
    video: &VideoMeasurement,
    cadence: Cadence,
    span: (f64, f64),
    timeline: Timeline,
    checks: &mut Vec<Check>,
) {
    let time_stamps = decoding::time_stamps(&policy.time_stamps, video, timeline);
    let have_times = time_stamps.verdict != Verdict::Reject;
    checks.push(time_stamps);
    // Without times there is no rate to judge; with fewer than two frames the duration is what is wrong.
    if have_times && cadence != Cadence::Unknown {
        checks.push(frame_rate::constant(&policy.frame_rate, video, cadence));
        if cadence != Cadence::Variable {
            checks.push(frame_rate::accepted(&policy.frame_rate, video, cadence));
        }
    }
    checks.push(decoding::gaps(&policy.time_stamps, video, timeline));
    checks.push(key_frames::key_frames(&policy.key_frames, video, span, timeline));
    checks.extend(edit_list::edit_list(&policy.truncation, video, cadence));
    checks.push(picture::proportions(&policy.proportions, video));
    checks.push(picture::size(policy, video, timeline));
    checks.push(picture::samples(&policy.picture, video));
    checks.push(colour::colour(&policy.colour, video));
    checks.push(colour_description::colour_description(&policy.colour_description, video));
    checks.extend(content::content(policy, video, cadence, timeline));
}

fn judge_sound(
    policy: &Policy,
    measurements: &Measurements,
    audio_language: Option<&str>,
    picture: Option<(f64, f64)>,
    timeline: Timeline,
    checks: &mut Vec<Check>,
) -> Programmes {
    let given = audio_language.map_or(Ok(None), crate::language::parse);
    let usable: Vec<&AudioMeasurement> =
        measurements.audio.iter().filter(|track| sound::is_usable(track)).collect();
    let fallback = given.as_ref().ok().cloned().flatten();
    let tracks: Vec<_> = usable
        .iter()
        .map(|measured| Track { measured, language: language::stated(measured).or_else(|| fallback.clone()) })
        .collect();
    let programmes = programmes(&policy.audio, &tracks);
    checks.push(sound::audio(&policy.audio, &measurements.audio, &programmes));
    if programmes.list.is_empty() {
        return programmes;
    }
    let streams: Vec<_> = programmes.list.iter().flat_map(|programme| programme.streams()).collect();
    let used: Vec<_> = usable.iter().copied().filter(|track| streams.contains(&track.index)).collect();
    let codecs: Vec<_> = used.iter().map(|track| track.codec.as_str()).collect();
    checks.push(format::audio_codec(&policy.accepted, &codecs));
    checks.push(language::language(&policy.audio, &usable, &programmes, &given));
    if let Some(picture) = picture {
        checks.push(audio_video::lengths(&policy.audio_video_length, picture, &used));
    }
    checks.extend(sound_timing::drift(&policy.sound_timing, picture, &used, timeline));
    checks.extend(sound_timing::gaps(&policy.sound_timing, &used, timeline));
    checks.extend(listening::listening(policy, measurements, &programmes, &used, timeline));
    programmes
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Code;

    use super::*;
    use crate::sample;

    #[test]
    fn a_clean_source_passes_every_check_in_a_stable_order() {
        let report = sample::report(&sample::clean());
        assert_eq!(report.verdict, Verdict::Pass);
        let names: Vec<_> = report.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "opens",
                "container",
                "video track",
                "video codec",
                "duration",
                "completeness",
                "file size",
                "decoding",
                "time stamps",
                "constant rate",
                "frame rate",
                "gaps",
                "key frames",
                "proportions",
                "picture size",
                "samples",
                "colour",
                "colour description",
                "bars",
                "interlacing",
                "repeated fields",
                "repeated frames",
                "black",
                "freeze",
                "flashes",
                "red flashes",
                "luma range",
                "detail",
                "compression",
                "audio",
                "audio codec",
                "audio language",
                "audio and video",
                "drift",
                "sound gaps",
                "sample rate",
                "channel layout",
                "loudness",
                "true peak",
                "silence",
                "silent channels",
                "clipping",
                "DC offset",
                "phase",
                "dual mono",
                "header",
                "rung 1080p",
                "rung 720p",
                "rung 480p",
                "rung 360p",
                "rung 240p",
                "rungs"
            ]
        );
        let conclusion = report.conclusion.unwrap();
        assert_eq!((conclusion.video.width, conclusion.video.height), (1920, 1080));
        assert_eq!((conclusion.video.frame_rate, conclusion.video.frame_count), (25, 250));
        assert_eq!((conclusion.rungs.len(), conclusion.audio.len()), (5, 1));
    }

    #[test]
    fn a_file_without_picture_still_has_its_sound_judged() {
        let mut measurements = sample::clean();
        measurements.video.clear();
        measurements.audio.clear();
        let report = sample::report(&measurements);
        let rejected: Vec<_> = report
            .checks
            .iter()
            .filter(|check| check.verdict == Verdict::Reject)
            .map(|check| check.code)
            .collect();
        assert_eq!(rejected, [Code::QcVideoTrack, Code::QcDuration, Code::QcTruncated, Code::QcAudioMissing]);
        assert!(report.conclusion.is_none());
    }
}
