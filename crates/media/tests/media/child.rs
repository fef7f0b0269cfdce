//! The protocol with a media process.

use std::io::Cursor;

use reelfarm_media::child::{Request, Response, serve};
use reelfarm_model::ladder::ChannelLayout::Stereo;
use reelfarm_model::qc::AudioSource;
use reelfarm_model::{Code, Measurements};

use crate::support::{Workspace, audio_spec, conclusion, rendition, rung, video_spec};

/// All lines of the answer; the last is checked to be the only result or failure.
fn answer(request: &[u8]) -> Vec<Response> {
    let mut output = Vec::new();
    serve(Cursor::new(request), &mut output).unwrap();
    let lines: Vec<Response> =
        String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, before) = lines.split_last().unwrap();
    assert!(!matches!(last, Response::Progress(_)));
    assert!(before.iter().all(|line| matches!(line, Response::Progress(_))));
    lines
}

fn fractions(lines: &[Response]) -> Vec<f64> {
    lines
        .iter()
        .filter_map(|line| match line {
            Response::Progress(progress) => Some(progress.fraction),
            _ => None,
        })
        .collect()
}

/// The result; the progress before it is checked to rise to the end.
fn ask(request: &Request) -> Response {
    let mut lines = answer(&serde_json::to_vec(request).unwrap());
    let fractions = fractions(&lines);
    assert!(fractions.is_sorted() && fractions.last() == Some(&1.0), "{request:?}: {fractions:?}");
    lines.pop().unwrap()
}

#[test]
fn a_child_does_each_kind_of_work() {
    let workspace = Workspace::new();
    let path = workspace.make(
        "source.mp4",
        "-f lavfi -i testsrc2=s=160x96:r=25:d=1 -f lavfi -i sine=r=48000:d=1 -c:v libx264 -preset ultrafast -c:a aac",
    );
    let Response::Result(result) = ask(&Request::Measure { path: path.clone() }) else { panic!() };
    let measurements: Measurements = serde_json::from_value(result).unwrap();
    assert_eq!(measurements.video[0].frames, 25);

    let null = Response::Result(serde_json::Value::Null);
    let (video, audio) = (workspace.path("video.mp4"), workspace.path("audio.mp4"));
    let spec = video_spec(conclusion(25, 25), vec![rung(25, 160, 96)]);
    let request = Request::EncodeVideo { path: path.clone(), spec, outputs: vec![video.clone()], threads: 2 };
    assert_eq!(ask(&request), null);
    let spec = audio_spec(25, 25, vec![rendition(Stereo, AudioSource::Track { stream: 1 })]);
    assert_eq!(ask(&Request::EncodeAudio { path, spec, outputs: vec![audio.clone()] }), null);
    let output = workspace.path("progressive.mp4");
    let request =
        Request::MuxProgressive { video, audio: vec![(audio, "en".into())], output: output.clone() };
    assert_eq!(ask(&request), null);
    assert!(fs_err::metadata(output).unwrap().len() > 0);
}

#[test]
fn long_work_tells_its_progress() {
    let workspace = Workspace::new();
    let path = workspace.make(
        "long.mp4",
        "-f lavfi -i testsrc2=s=640x360:r=25:d=3,noise=alls=30:allf=t -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    let mut slow = rung(25, 640, 360);
    slow.rung.preset = "slow".into();
    let spec = video_spec(conclusion(25, 75), vec![slow]);
    let request = Request::EncodeVideo { path, spec, outputs: vec![workspace.path("video.mp4")], threads: 2 };
    let lines = answer(&serde_json::to_vec(&request).unwrap());
    let fractions = fractions(&lines);
    assert!(fractions.len() > 1, "{lines:?}");
    assert!(fractions.is_sorted() && fractions.iter().all(|fraction| (0.0..=1.0).contains(fraction)));
    assert_eq!(fractions.last(), Some(&1.0));
    assert!(
        lines
            .iter()
            .any(|line| matches!(line, Response::Progress(p) if p.frames_per_second > 0.0 && p.speed > 0.0))
    );
}

#[test]
fn a_failure_carries_its_code_and_ffmpegs_words() {
    let workspace = Workspace::new();
    let path = workspace.path("cut.mp4");
    fs_err::write(&path, b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0\x08free").unwrap();
    let spec = video_spec(conclusion(25, 25), vec![rung(25, 160, 96)]);
    let request = Request::EncodeVideo { path, spec, outputs: vec![workspace.path("video.mp4")], threads: 2 };
    let Some(Response::Failure(failure)) = answer(&serde_json::to_vec(&request).unwrap()).pop() else {
        panic!()
    };
    assert_eq!(failure.code, Code::QcUnreadable);
    assert!(failure.message.contains("cut.mp4"), "{failure}");
    assert!(failure.log.contains("moov atom not found"), "{}", failure.log);
}

/// x264's warnings about every group of pictures would leave no room for the cause.
#[test]
fn the_log_of_an_encode_that_fails_late_is_not_filled_by_the_encoder() {
    let workspace = Workspace::new();
    let path =
        workspace.make("film.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=10 -c:v libx264 -preset ultrafast");
    for preset in ["ultrafast", "superfast", "veryfast", "medium"] {
        let mut rung = rung(25, 160, 90);
        rung.rung.preset = preset.into();
        // One more than there are, which the decoder finds at the end.
        let spec = video_spec(conclusion(25, 251), vec![rung]);
        let outputs = vec![workspace.path("video.mp4")];
        let request = Request::EncodeVideo { path: path.clone(), spec, outputs, threads: 1 };
        let Some(Response::Failure(failure)) = answer(&serde_json::to_vec(&request).unwrap()).pop() else {
            panic!("{preset}")
        };
        assert_eq!(failure.code, Code::EncodeFrameCount, "{preset}: {failure}");
        assert!(!failure.log.contains("[libx264]"), "{preset}: {}", failure.log);
    }
}

#[test]
fn a_request_that_is_none_is_a_failure() {
    for request in ["", "{", r#"{"request":"fly"}"#, r#"{"request":"measure","path":"a","speed":2}"#] {
        let Some(Response::Failure(failure)) = answer(request.as_bytes()).pop() else { panic!("{request}") };
        assert_eq!(failure.code, Code::Internal, "{request}");
    }
}
