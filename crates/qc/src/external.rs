//! QC reports that were made elsewhere, and what is asked of one before it takes the place of the farm's own: what it says
//! must hold together, fit the title's ladder, and be such as the farm could have found itself.
//!
//! Promises: pure; whatever the bytes are, they are a report or are refused with the reason; a report that is taken is
//! safe to print, and one that the planner can build on. Whether it is true shows later: what is encoded is compared with
//! it ([`Code::EncodeFrameCount`](reelfarm_model::Code::EncodeFrameCount)).

use std::collections::BTreeSet;

use reelfarm_model::Ladder;
use reelfarm_model::ladder::fit;
use reelfarm_model::qc::{
    AudioProgramme, AudioSource, Check, Conclusion, QcReport, Verdict, VideoConclusion,
};
use serde::Deserialize as _;
use serde_json::Value;

use crate::checks::programme::streams;
use crate::evaluate::SCHEMA;
use crate::policy::INTEGRAL_RATES;
use crate::text::printable;

/// The most bytes of a report's JSON: more than one of the farm's own has of a film of twelve hours whose key frames lie at
/// ever other distances.
pub const LARGEST: usize = 2 << 20;
/// The longest name of a policy, a ladder, a check or a time code, in characters.
const LONGEST_NAME: usize = 100;
/// The longest value, limit or remedy, in characters.
const LONGEST_TEXT: usize = 4000;
/// The largest side of a picture, in pixels: twice what H.264 has.
const LARGEST_SIDE: u32 = 16_384;
/// The smallest, as 4:2:0 needs it.
const SMALLEST_SIDE: u32 = 2;
/// The longest film, in seconds: a week.
const LONGEST_SECONDS: u64 = 7 * 24 * 3600;
/// The most streams of a file.
const MOST_STREAMS: u32 = 10_000;
/// The most programmes of sound.
const MOST_PROGRAMMES: usize = 64;

/// Why a report is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExternalReportError {
    /// It is too large.
    #[error("it has {0} bytes, and a report has at most {LARGEST}")]
    TooLarge(usize),
    /// It is not what `reelfarm qc --json` prints.
    #[error("it is no QC report as `reelfarm qc FILE --json` prints it: {0}")]
    NotAReport(String),
    /// It is of another schema.
    #[error("it is of schema {0}, and this reelfarm reads schema {SCHEMA}")]
    Schema(u64),
    /// It does not say which file it is about.
    #[error("it lacks source_sha256, the SHA-256 of the file that it is about")]
    NoSource,
    /// A text is too long, or cannot be printed.
    #[error("{what} has at most {longest} characters, all of which can be printed")]
    Text {
        /// What it is.
        what: String,
        /// The most characters.
        longest: usize,
    },
    /// There is no check in it.
    #[error("it has no checks")]
    NoChecks,
    /// A place ends before it begins.
    #[error("the check {0:?} has a place that ends before it begins")]
    Place(String),
    /// Its verdict is not that of its checks.
    #[error("its verdict is {}, and the worst of its checks is {}", .stated.as_str(), .worst.as_str())]
    Verdict {
        /// What it says.
        stated: Verdict,
        /// What its checks say.
        worst: Verdict,
    },
    /// It rejects the film and says how to make it, or neither.
    #[error("it has a conclusion exactly where it does not reject the film, and here that is not so")]
    Conclusion,
    /// It is about another ladder than the title's.
    #[error("its rungs are those of the ladder {theirs:?}, and the title's ladder is {ours:?}")]
    Ladder {
        /// The report's.
        theirs: String,
        /// The title's.
        ours: String,
    },
    /// A rung cannot be made.
    #[error("the rung {name:?} {reason}")]
    Rung {
        /// The rung.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// What it concludes of the picture cannot be.
    #[error("its picture cannot be: {0}")]
    Video(String),
    /// What it concludes of the sound cannot be.
    #[error("its sound cannot be: {0}")]
    Audio(String),
}

use ExternalReportError as Refused;

/// Reads a report from JSON; members that a report does not have are passed over.
///
/// # Errors
/// It is no report, or one that [`accept`] cannot take for its size or schema.
pub fn read(json: &[u8]) -> Result<QcReport, ExternalReportError> {
    if json.len() > LARGEST {
        return Err(Refused::TooLarge(json.len()));
    }
    let value: Value =
        serde_json::from_slice(json).map_err(|error| Refused::NotAReport(error.to_string()))?;
    match value.get("schema").and_then(Value::as_u64) {
        None => return Err(Refused::NotAReport("it names no schema".to_owned())),
        Some(schema) if schema != u64::from(SCHEMA) => return Err(Refused::Schema(schema)),
        Some(_) => {}
    }
    QcReport::deserialize(value).map_err(|error| Refused::NotAReport(error.to_string()))
}

/// The report as one that takes the place of the farm's own, for a title with this ladder.
///
/// # Errors
/// It contradicts itself or the ladder, or says what cannot be.
pub fn accept(mut report: QcReport, ladder: &Ladder) -> Result<QcReport, ExternalReportError> {
    if report.schema != SCHEMA {
        return Err(Refused::Schema(report.schema.into()));
    }
    // It may have come as a part of something larger.
    let bytes = serde_json::to_vec(&report).map_err(|error| Refused::NotAReport(error.to_string()))?.len();
    if bytes > LARGEST {
        return Err(Refused::TooLarge(bytes));
    }
    if report.source_sha256.is_none() {
        return Err(Refused::NoSource);
    }
    is_text("the policy's name", &report.policy, LONGEST_NAME)?;
    is_text("the ladder's name", &report.ladder, LONGEST_NAME)?;
    report.checks.iter().try_for_each(check)?;
    let worst = report.checks.iter().map(|check| check.verdict).max().ok_or(Refused::NoChecks)?;
    if worst != report.verdict {
        return Err(Refused::Verdict { stated: report.verdict, worst });
    }
    if report.conclusion.is_some() != (worst != Verdict::Reject) {
        return Err(Refused::Conclusion);
    }
    if let Some(conclusion) = &mut report.conclusion {
        // That is for the farm to try.
        conclusion.fitted = None;
        if report.ladder != ladder.name {
            return Err(Refused::Ladder { theirs: report.ladder, ours: ladder.name.clone() });
        }
        video(&conclusion.video)?;
        decoding(conclusion)?;
        rungs(conclusion, ladder)?;
        audio(conclusion)?;
    }
    Ok(QcReport { external: true, ..report })
}

fn check(check: &Check) -> Result<(), ExternalReportError> {
    is_text("a check's name", &check.name, LONGEST_NAME)?;
    for (what, text) in [("value", &check.value), ("limit", &check.limit), ("remedy", &check.remedy)] {
        is_printable(&format!("the {what} of the check {:?}", check.name), text, LONGEST_TEXT)?;
    }
    for place in &check.places {
        is_printable(&format!("a time code of the check {:?}", check.name), &place.time_code, LONGEST_NAME)?;
        if place.end_ms < place.start_ms {
            return Err(Refused::Place(check.name.clone()));
        }
    }
    Ok(())
}

/// A text that is there, and can be printed.
fn is_text(what: &str, text: &str, longest: usize) -> Result<(), ExternalReportError> {
    if text.trim().is_empty() {
        return Err(Refused::NotAReport(format!("{what} is empty")));
    }
    is_printable(what, text, longest)
}

fn is_printable(what: &str, text: &str, longest: usize) -> Result<(), ExternalReportError> {
    if text.chars().count() > longest || printable(text) != text {
        return Err(Refused::Text { what: printable(what), longest });
    }
    Ok(())
}

fn video(video: &VideoConclusion) -> Result<(), ExternalReportError> {
    let refuse = |reason: String| Err(Refused::Video(reason));
    if !INTEGRAL_RATES.contains(&video.frame_rate) {
        return refuse(format!("{} frames a second, which is none of the integral rates", video.frame_rate));
    }
    if !(1..=u64::from(video.frame_rate) * LONGEST_SECONDS).contains(&video.frame_count) {
        return refuse(format!("{} frames", video.frame_count));
    }
    let sides = SMALLEST_SIDE..=LARGEST_SIDE;
    if !sides.contains(&video.width) || !sides.contains(&video.height) {
        return refuse(format!("{}x{} pixels", video.width, video.height));
    }
    if ![0, 90, 180, 270].contains(&video.rotation) {
        return refuse(format!("turned by {} degrees", video.rotation));
    }
    if video.stream >= MOST_STREAMS {
        return refuse(format!("stream {}", video.stream));
    }
    is_text("the matrix", &video.matrix, LONGEST_NAME)
}

/// Key frames are frames of the film, and rise.
fn decoding(conclusion: &Conclusion) -> Result<(), ExternalReportError> {
    let mut least = 0;
    for run in &conclusion.decoding.key_frames {
        let steps = run.count.checked_sub(1).filter(|steps| *steps == 0 || run.distance > 0);
        let last = steps.and_then(|steps| run.distance.checked_mul(steps)?.checked_add(run.first));
        match last {
            Some(last) if run.first >= least && last < conclusion.video.frame_count => least = last + 1,
            _ => return Err(Refused::Video(format!("key frames from {} on", run.first))),
        }
    }
    Ok(())
}

/// The rungs are the ladder's, in its order, and none is larger than the picture.
fn rungs(conclusion: &Conclusion, ladder: &Ladder) -> Result<(), ExternalReportError> {
    let VideoConclusion { width, height, .. } = conclusion.video;
    let mut places = ladder.rungs.iter();
    for name in &conclusion.rungs {
        let refused = |reason| {
            Err(Refused::Rung { name: printable(name).chars().take(LONGEST_NAME).collect(), reason })
        };
        if !ladder.rungs.iter().any(|rung| rung.name == *name) {
            return refused("is none of the ladder");
        }
        let Some(rung) = places.find(|rung| rung.name == *name) else {
            return refused("is named twice, or not in the ladder's order");
        };
        if fit(rung, width, height).is_none() {
            return refused("would have to be scaled up");
        }
    }
    let plays_everywhere =
        |name: &String| ladder.rungs.iter().any(|rung| rung.name == *name && rung.codec.is_h264());
    match conclusion.rungs.as_slice() {
        [] => Err(Refused::Video("no rung is made of it".to_owned())),
        made if !made.iter().any(plays_everywhere) => {
            Err(Refused::Video("no rung of H.264 is made of it, which every title needs".to_owned()))
        }
        _ => Ok(()),
    }
}

fn audio(conclusion: &Conclusion) -> Result<(), ExternalReportError> {
    let refuse = |reason: String| Err(Refused::Audio(reason));
    let programmes = &conclusion.audio;
    if !(1..=MOST_PROGRAMMES).contains(&programmes.len()) {
        return refuse(format!("{} programmes", programmes.len()));
    }
    let mut languages = BTreeSet::new();
    for AudioProgramme { language, stereo, surround } in programmes {
        if language != "und" && crate::language::parse(language).ok().flatten().as_ref() != Some(language) {
            let shown: String = printable(language).chars().take(LONGEST_NAME).collect();
            return refuse(format!("{shown:?} is no language tag in its shortest form (BCP 47)"));
        }
        if !languages.insert(language) {
            return refuse(format!("two programmes in {language}"));
        }
        // Stereo is mixed down from the six of 5.1 as well.
        source(stereo, &[2, 6], conclusion.video.stream)?;
        if let Some(surround) = surround {
            source(surround, &[6], conclusion.video.stream)?;
        }
    }
    Ok(())
}

/// Where channels come from: one track, or so many mono tracks.
fn source(from: &AudioSource, counts: &[usize], video: u32) -> Result<(), ExternalReportError> {
    let refuse = |reason: String| Err(Refused::Audio(reason));
    let streams = streams(from);
    if matches!(from, AudioSource::MonoTracks { .. }) && !counts.contains(&streams.len()) {
        return refuse(format!("a programme of {} mono tracks", streams.len()));
    }
    if let Some(stream) = streams.iter().find(|stream| **stream >= MOST_STREAMS || **stream == video) {
        return refuse(format!("its sound is in stream {stream}"));
    }
    match streams.iter().collect::<BTreeSet<_>>().len() == streams.len() {
        true => Ok(()),
        false => refuse("a mono track is two channels of a programme".to_owned()),
    }
}

#[cfg(test)]
mod tests;
