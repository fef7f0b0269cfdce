//! Every reader of the farm's own for what others wrote, as a function of bytes.
//!
//! Promises: no bytes whatever make one panic, run for long or take much memory; what one accepts can be worked with
//! and written again. `scripts/fuzz` looks for bytes that break this, and `tests/corpus.rs` runs those it found before.

use std::io::Write as _;
use std::sync::LazyLock;

use reelfarm_model::measurement::Measurements;
use reelfarm_model::qc::Verdict;
use reelfarm_model::{ChecksumAlgorithm, Ladder};
use reelfarm_packaging::profiles::ProfileList;
use reelfarm_packaging::subtitles as side_file;
use reelfarm_qc::page::{Extras, page};
use reelfarm_qc::{BUILT_IN, Policy, checksum_file, external, language};

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// All targets, by the names of their folders in the corpus.
pub const TARGETS: [(&str, Target); 11] = [
    ("checksums", checksums),
    ("containers", containers),
    ("external-reports", external_reports),
    ("key-servers", key_servers),
    ("languages", languages),
    ("manifests", manifests),
    ("measurements", measurements),
    ("policies", policies),
    ("readback", readback),
    ("settings", settings),
    ("subtitles", subtitles),
];

/// The largest file that is given to FFmpeg: it is slow, and what is in later bytes is more of the same.
const LARGEST_CONTAINER: usize = 256 << 10;
/// What a film lasts that subtitles are made for, in milliseconds.
const FILM_MS: u64 = 60_000;

static LADDER: LazyLock<Option<Ladder>> = LazyLock::new(|| {
    let text = include_str!("../../../ladders/default.toml");
    Ladder::parse("default.toml", text).ok()
});
static POLICY: LazyLock<Option<Policy>> = LazyLock::new(|| Policy::parse("qc.toml", BUILT_IN).ok());
static FILM: LazyLock<Option<Measurements>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../corpus/measurements/film.json")).ok());

/// Files of checksums beside a film.
pub fn checksums(bytes: &[u8]) {
    for algorithm in [ChecksumAlgorithm::Md5, ChecksumAlgorithm::Sha1, ChecksumAlgorithm::Sha256] {
        for line in checksum_file::parse(bytes, algorithm).into_iter().flatten() {
            assert_eq!(line.checksum.value().len(), line.checksum.algorithm().digits());
        }
    }
}

/// Films: opened, decoded and measured as a source is. FFmpeg itself is not instrumented; what is looked for is in the
/// measurements.
pub fn containers(bytes: &[u8]) {
    let Some(bytes) = bytes.get(..bytes.len().min(LARGEST_CONTAINER)) else { return };
    // Unlinked as soon as it is closed; where there is no room, there is nothing to find.
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(bytes).is_err() {
        return;
    }
    let Ok(measured) = reelfarm_media::measure(file.path(), &mut |_| ()) else { return };
    assert_eq!(measured.size, bytes.len() as u64);
    judge(&measured);
}

/// Judges what was measured, and writes all that is written of it.
fn judge(measured: &Measurements) {
    let (Some(policy), Some(ladder)) = (&*POLICY, &*LADDER) else { return };
    let report = reelfarm_qc::evaluate(policy, measured, ladder, None);
    assert_eq!(report.conclusion.is_some(), report.verdict != Verdict::Reject);
    let table = reelfarm_qc::render(&report, "film.mov", false);
    assert!(!table.chars().any(|c| c.is_control() && c != '\n'));
    assert!(page(&report, Some(measured), "film.mov", Extras::default()).ends_with("</html>\n"));
}

/// Reports that are delivered in place of the farm's own.
pub fn external_reports(bytes: &[u8]) {
    let (Ok(report), Some(ladder)) = (external::read(bytes), &*LADDER) else { return };
    let Ok(accepted) = external::accept(report, ladder) else { return };
    assert_eq!(accepted.conclusion.is_some(), accepted.verdict != Verdict::Reject);
    reelfarm_qc::render(&accepted, "film.mov", false);
    page(&accepted, None, "film.mov", Extras::default());
}

/// Answers of key servers, and the operator's file of keys.
pub fn key_servers(bytes: &[u8]) {
    reelfarm_drm::fuzzing::key_server_answer(bytes);
    reelfarm_drm::fuzzing::keys_file(bytes);
}

/// Language tags, of films and of their subtitles' file names.
pub fn languages(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(Some(tag)) = language::parse(text) {
        assert_eq!(language::parse(&tag), Ok(Some(tag.clone())), "a tag in its shortest form stays as it is");
    }
}

/// Manifests of every kind, as verification reads them.
pub fn manifests(bytes: &[u8]) {
    reelfarm_packaging::fuzzing::manifests(bytes);
}

/// What was measured of a film, kept in a file.
pub fn measurements(bytes: &[u8]) {
    if let Ok(measured) = serde_json::from_slice(bytes) {
        judge(&measured);
    }
}

/// Policies with their rules, and rules alone.
pub fn policies(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let policy = match text.strip_prefix("when = ") {
        Some(rule) => {
            let when = toml_text(rule);
            let rule =
                format!("[[rule]]\nname = \"rule\"\nwhen = {when}\nverdict = \"warn\"\nremedy = \"none\"\n");
            Policy::parse("qc.toml", &format!("{BUILT_IN}\n{rule}"))
        }
        None => Policy::parse("qc.toml", text),
    };
    let (Ok(policy), Some(film), Some(ladder)) = (policy, &*FILM, &*LADDER) else { return };
    let report = reelfarm_qc::evaluate(&policy, film, ladder, None);
    reelfarm_qc::render(&report, "film.mov", false);
}

/// A text as TOML writes it.
fn toml_text(text: &str) -> String {
    // JSON's form of a text is TOML's as well, but for DEL.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

/// MP4, fragments, MPEG-TS and Smooth Streaming, clear and encrypted, as verification reads them.
pub fn readback(bytes: &[u8]) {
    reelfarm_packaging::fuzzing::media(bytes);
}

/// Ladders, lists of profiles and rules of order.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    drop(Ladder::parse("ladder.toml", text));
    drop(ProfileList::parse("profiles.toml", text));
    drop(reelfarm_priority::Rules::parse("order.toml", text));
}

/// Files of subtitles, and the tracks made of them.
pub fn subtitles(bytes: &[u8]) {
    let Ok((_, cues)) = side_file::read(bytes) else { return };
    assert!(cues.is_sorted_by_key(|cue| cue.start));
    for (path, content) in side_file::track_files(bytes, FILM_MS).into_iter().flatten() {
        assert!(!content.is_empty(), "{path}");
    }
}
