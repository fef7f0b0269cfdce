use proptest::collection::vec;
use proptest::prelude::*;
use reelfarm_model::qc::{KeyFrameRun, Place};
use reelfarm_model::{Code, Digest};

use super::*;
use crate::sample;

/// The farm's own report on a clean film, as another farm would send it.
fn good() -> QcReport {
    QcReport { source_sha256: Some(Digest::of(b"film")), ..sample::report(&sample::clean()) }
}

fn accepted(report: QcReport) -> Result<QcReport, ExternalReportError> {
    accept(report, &sample::ladder())
}

fn json(report: &QcReport) -> Vec<u8> {
    serde_json::to_vec(report).unwrap()
}

#[test]
fn a_report_of_the_farms_own_is_taken_and_marked() {
    let report = accepted(read(&json(&good())).unwrap()).unwrap();
    assert_eq!(report, QcReport { external: true, ..good() });
    // As `reelfarm qc --json` prints it, with more than the report.
    let mut value = serde_json::to_value(good()).unwrap();
    value["subtitles"] = serde_json::json!([]);
    value["failure"] = Value::Null;
    assert_eq!(read(value.to_string().as_bytes()).unwrap(), good());
}

#[test]
fn a_rejection_needs_no_ladder() {
    let mut film = sample::clean();
    film.audio.clear();
    let report = QcReport { source_sha256: Some(Digest::of(b"film")), ..sample::report(&film) };
    let report = accept(report, &sample::fast_ladder()).unwrap();
    assert_eq!((report.verdict, report.ladder.as_str()), (Verdict::Reject, "default"));
}

#[test]
fn what_is_no_report_is_refused_with_the_reason() {
    for (bytes, reason) in [
        (&b""[..], "no QC report"),
        (b"\0\0\0 ftyp", "no QC report"),
        (b"[]", "names no schema"),
        (b"{}", "names no schema"),
        (br#"{"schema":"1"}"#, "names no schema"),
        (br#"{"schema":1}"#, "missing field"),
        (br#"{"schema":2}"#, "of schema 2, and this reelfarm reads schema 1"),
        (br#"{"schema":18446744073709551615}"#, "of schema 18446744073709551615"),
    ] {
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let mut value = serde_json::to_value(good()).unwrap();
    value["checks"][0]["code"] = "ACME-7".into();
    assert!(read(value.to_string().as_bytes()).unwrap_err().to_string().contains("ACME-7"));
    assert_eq!(read(&vec![b' '; LARGEST + 1]), Err(Refused::TooLarge(LARGEST + 1)));
}

/// Something that is done to a report, and words of the reason for which it is refused then.
type Case = (&'static str, fn(&mut QcReport));

fn video(report: &mut QcReport) -> &mut VideoConclusion {
    &mut report.conclusion.as_mut().unwrap().video
}

fn rungs(report: &mut QcReport) -> &mut Vec<String> {
    &mut report.conclusion.as_mut().unwrap().rungs
}

fn sound(report: &mut QcReport) -> &mut Vec<AudioProgramme> {
    &mut report.conclusion.as_mut().unwrap().audio
}

const CASES: &[Case] = &[
    ("schema 2", |report| report.schema = 2),
    ("lacks source_sha256", |report| report.source_sha256 = None),
    ("policy's name is empty", |report| report.policy = " ".to_owned()),
    ("the policy's name has at most 100", |report| report.policy = "p".repeat(101)),
    ("no checks", |report| report.checks.clear()),
    ("verdict is warn, and the worst of its checks is pass", |report| report.verdict = Verdict::Warn),
    ("verdict is pass, and the worst of its checks is reject", |report| {
        report.checks[3].verdict = Verdict::Reject;
    }),
    ("has a conclusion exactly where", |report| {
        report.checks[3].verdict = Verdict::Reject;
        report.verdict = Verdict::Reject;
    }),
    ("has a conclusion exactly where", |report| report.conclusion = None),
    ("a check's name is empty", |report| report.checks[0].name.clear()),
    ("the value of the check", |report| report.checks[0].value = "a\u{1b}[2J".to_owned()),
    ("the remedy of the check", |report| report.checks[0].remedy = "a".repeat(4001)),
    ("the limit of the check", |report| report.checks[0].limit = "\u{202e}x".to_owned()),
    ("ends before it begins", |report| {
        report.checks[0].places = vec![Place { start_ms: 1, end_ms: 0, time_code: String::new() }];
    }),
    ("a time code of the check", |report| {
        report.checks[0].places = vec![Place { start_ms: 0, end_ms: 0, time_code: "\n".to_owned() }];
    }),
    ("has at most 2097152", |report| {
        let check = report.checks[0].clone();
        report.checks.extend((0..40_000).map(|_| check.clone()));
    }),
    ("the ladder \"fast\", and the title's ladder is \"default\"", |report| {
        report.ladder = "fast".to_owned();
    }),
    ("23 frames a second", |report| video(report).frame_rate = 23),
    ("0 frames a second", |report| video(report).frame_rate = 0),
    ("120 frames a second", |report| video(report).frame_rate = 120),
    ("cannot be: 0 frames", |report| video(report).frame_count = 0),
    ("15120001 frames", |report| video(report).frame_count = 25 * 7 * 24 * 3600 + 1),
    ("1x1080 pixels", |report| video(report).width = 1),
    ("1920x16385 pixels", |report| video(report).height = 16_385),
    ("turned by 45 degrees", |report| video(report).rotation = 45),
    ("stream 10000", |report| video(report).stream = 10_000),
    ("the matrix is empty", |report| video(report).matrix.clear()),
    ("key frames from 50 on", |report| {
        report.conclusion.as_mut().unwrap().decoding.key_frames = vec![
            KeyFrameRun { first: 0, distance: 50, count: 2 },
            KeyFrameRun { first: 50, distance: 0, count: 1 },
        ];
    }),
    ("key frames from 2 on", |report| {
        report.conclusion.as_mut().unwrap().decoding.key_frames =
            vec![KeyFrameRun { first: 2, distance: u64::MAX, count: 3 }];
    }),
    ("key frames from 0 on", |report| {
        report.conclusion.as_mut().unwrap().decoding.key_frames =
            vec![KeyFrameRun { first: 0, distance: 0, count: 2 }];
    }),
    ("no rung is made of it", |report| rungs(report).clear()),
    ("\"4320p\" is none of the ladder", |report| rungs(report).push("4320p".to_owned())),
    ("\"1080p\" is named twice, or not in the ladder's order", |report| {
        rungs(report).push("1080p".to_owned());
    }),
    ("\"720p\" is named twice, or not in the ladder's order", |report| rungs(report).swap(1, 2)),
    ("\"1080p\" would have to be scaled up", |report| {
        (video(report).width, video(report).height) = (1280, 720);
    }),
    ("0 programmes", |report| sound(report).clear()),
    ("two programmes in en", |report| {
        let programme = sound(report)[0].clone();
        sound(report).push(programme);
    }),
    ("\"eng\" is no language tag in its shortest form", |report| {
        sound(report)[0].language = "eng".to_owned();
    }),
    ("\"\" is no language tag", |report| sound(report)[0].language = String::new()),
    ("in stream 0", |report| sound(report)[0].stereo = AudioSource::Track { stream: 0 }),
    ("in stream 4294967295", |report| sound(report)[0].stereo = AudioSource::Track { stream: u32::MAX }),
    ("of 3 mono tracks", |report| {
        sound(report)[0].stereo = AudioSource::MonoTracks { streams: vec![1, 2, 3] };
    }),
    ("of 2 mono tracks", |report| {
        sound(report)[0].surround = Some(AudioSource::MonoTracks { streams: vec![1, 2] });
    }),
    ("two channels of a programme", |report| {
        sound(report)[0].stereo = AudioSource::MonoTracks { streams: vec![1, 1] };
    }),
];

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    for (reason, spoil) in CASES {
        let mut report = good();
        spoil(&mut report);
        let error = accepted(report).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason:?} is not why: {error}");
    }
}

#[test]
fn what_could_be_is_taken() {
    let could: &[fn(&mut QcReport)] = &[
        |_| {},
        |report| report.external = true,
        |report| rungs(report).truncate(1),
        |report| drop(rungs(report).remove(0)),
        |report| (video(report).width, video(report).height) = (1080, 1920),
        |report| video(report).frame_rate = 60,
        |report| sound(report)[0].language = "und".to_owned(),
        |report| sound(report)[0].stereo = AudioSource::MonoTracks { streams: vec![1, 2] },
        |report| {
            let six = AudioSource::MonoTracks { streams: vec![1, 2, 3, 4, 5, 6] };
            (sound(report)[0].stereo, sound(report)[0].surround) = (six.clone(), Some(six));
        },
        |report| {
            report.checks[3].verdict = Verdict::Human;
            report.verdict = Verdict::Human;
        },
        // The same check for each of several tracks.
        |report| report.checks.push(Check { code: Code::QcLoudness, ..report.checks[0].clone() }),
    ];
    for (number, change) in could.iter().enumerate() {
        let mut report = good();
        change(&mut report);
        let taken = accepted(report.clone()).unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(taken, QcReport { external: true, ..report });
    }
}

/// Any change of a report's JSON: a value somewhere in it becomes another one, or is taken away.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop_oneof![
        Just(Value::Null),
        Just(Value::Bool(true)),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::Array(Vec::new())),
        Just(serde_json::json!(["1080p", "1080p"])),
    ];
    vec((any::<prop::sample::Index>(), odd), 1..4).prop_map(|changes| {
        let mut value = serde_json::to_value(good()).unwrap();
        for (which, odd) in changes {
            let paths = paths(&value);
            if let Some(place) = value.pointer_mut(&paths[which.index(paths.len())]) {
                *place = odd;
            }
        }
        value.to_string().into_bytes()
    })
}

/// The paths of all values of a JSON document (RFC 6901).
fn paths(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let below =
        |name: String, inner: &Value| paths(inner).into_iter().map(move |path| format!("/{name}{path}"));
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| found.extend(below(at.to_string(), item)));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| found.extend(below(name.clone(), member)));
        }
        _ => {}
    }
    found
}

proptest! {
    #[test]
    fn any_bytes_are_a_report_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn what_is_taken_can_be_planned_and_printed(bytes in spoilt()) {
        let Ok(report) = read(&bytes) else { return Ok(()) };
        let Ok(report) = accepted(report) else { return Ok(()) };
        prop_assert!(report.external && report.source_sha256.is_some());
        prop_assert_eq!(Some(report.verdict), report.checks.iter().map(|check| check.verdict).max());
        prop_assert_eq!(report.conclusion.is_some(), report.verdict != Verdict::Reject);
        for check in &report.checks {
            let texts = [&check.name, &check.value, &check.limit, &check.remedy];
            prop_assert!(texts.iter().all(|text| !text.chars().any(char::is_control)));
        }
        if let Some(conclusion) = &report.conclusion {
            prop_assert!(INTEGRAL_RATES.contains(&conclusion.video.frame_rate) && !conclusion.audio.is_empty());
            let ladder = sample::ladder();
            for name in &conclusion.rungs {
                let rung = ladder.rungs.iter().find(|rung| rung.name == *name).unwrap();
                prop_assert!(fit(rung, conclusion.video.width, conclusion.video.height).is_some());
            }
        }
        // Taken once, it is taken again.
        prop_assert_eq!(accepted(report.clone()), Ok(report));
    }
}
