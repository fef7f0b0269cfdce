//! Damages real outputs, one at a time, and expects verification to name what is wrong and where.

mod cmaf;
mod files;
mod manifests;
mod subtitles;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use reelfarm_model::profile::Profile;
use reelfarm_packaging::verify::{Check, Finding};

use crate::title::{Title, profile};

/// One damage: what it is called, what it does to the title's folder, and what must be found: the check, the rendition and
/// the segment.
pub(super) type Damage<'a> = (&'a str, &'a dyn Fn(&Path), Check, Option<&'a str>, Option<u64>);

/// Publishes a profile, sees that it is good, and tries every damage on it.
pub(super) fn try_all(title: &Title, profile: &Profile, damages: &[Damage<'_>]) {
    title.publish(profile);
    title.verify(profile).unwrap();
    for (name, damage, check, rendition, segment) in damages {
        let before = snapshot(&title.origin());
        damage(&title.origin());
        assert_ne!(snapshot(&title.origin()), before, "{name}: nothing was damaged");
        let findings = title.verify(profile).expect_err(name);
        let is_it = |finding: &Finding| {
            finding.check == *check
                && finding.rendition.as_deref() == *rendition
                && finding.segment == *segment
        };
        let list: String =
            findings.iter().map(|finding| format!("{:?} {finding}\n", finding.check)).collect();
        assert!(findings.iter().any(is_it), "{name}: {check:?} {rendition:?} {segment:?} is not in\n{list}");
        assert!(findings.iter().all(|finding| finding.profile == profile.id));
        restore(&title.origin(), &before);
    }
    title.verify(profile).unwrap();
}

pub(super) fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            files.insert(path.clone(), fs_err::read(&path).unwrap());
        }
    }
    files
}

pub(super) fn restore(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    for path in snapshot(folder).keys().filter(|path| !files.contains_key(*path)) {
        fs_err::remove_file(path).unwrap();
    }
    for (path, bytes) in files {
        fs_err::write(path, bytes).unwrap();
    }
}

pub(super) fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs_err::read(path).unwrap();
    change(&mut bytes);
    fs_err::write(path, bytes).unwrap();
}

pub(super) fn replace(path: &Path, from: &str, to: &str) {
    let text = fs_err::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {text}");
    fs_err::write(path, text.replacen(from, to, 1)).unwrap();
}

pub(super) fn swap(one: &Path, other: &Path) {
    let (a, b) = (fs_err::read(one).unwrap(), fs_err::read(other).unwrap());
    fs_err::write(one, b).unwrap();
    fs_err::write(other, a).unwrap();
}

/// Where `needle` first stands in `bytes`.
pub(super) fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).unwrap()
}

/// Cuts an XML element with all that it holds.
pub(super) fn cut_element(path: &Path, begin: &str, end: &str) {
    let text = fs_err::read_to_string(path).unwrap();
    let from = text.find(begin).unwrap();
    let to = from + text[from..].find(end).unwrap() + end.len();
    fs_err::write(path, format!("{}{}", &text[..from], &text[to..])).unwrap();
}

pub(super) const VIDEO: Option<&str> = Some("video-144p");
pub(super) const AUDIO: Option<&str> = Some("audio-en-stereo");

#[test]
fn segments_of_another_length_are_found() {
    let title = Title::encode();
    let (two, four) = (profile("dash-clr-2s"), profile("dash-clr-4s"));
    title.publish(&two);
    let media = title.origin().join(Title::media_path(&four));
    fs_err::create_dir_all(media.parent().unwrap()).unwrap();
    fs_err::rename(title.origin().join(Title::media_path(&two)), &media).unwrap();
    title.publish(&four);
    let findings = title.verify(&four).unwrap_err();
    for check in [Check::SegmentCount, Check::SegmentStart] {
        assert!(findings.iter().any(|finding| finding.check == check), "{check:?}: {findings:?}");
    }
}

#[test]
fn random_damage_gives_findings_or_nothing_but_never_a_panic() {
    let title = Title::encode();
    for id in ["dash-clr-4s", "hls-clr-4s", "od-clr-4s", "ts-clr-4s", "mp4-clr"] {
        let profile = profile(id);
        title.publish(&profile);
        let folders = [title.origin().join(Title::media_path(&profile)), title.origin().join(id)];
        let folders = folders.iter().filter(|folder| folder.exists());
        let files: Vec<_> = folders.flat_map(|folder| snapshot(folder)).collect();
        let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config {
            cases: 25,
            failure_persistence: None,
            ..Default::default()
        });
        let strategy = (any::<Index>(), any::<Index>(), any::<u8>());
        let tried = runner.run(&strategy, |(file, at, value)| {
            let (path, bytes) = file.get(&files);
            // Headers are where lengths are.
            let at = at.index(bytes.len().min(2_000));
            edit(path, |bytes| bytes[at] = value);
            if let Err(findings) = title.verify(&profile) {
                prop_assert!(!findings.is_empty());
            }
            fs_err::write(path, bytes).unwrap();
            Ok(())
        });
        tried.unwrap();
    }
}
