//! The packager as a process: reproducible when it works, understood when it does not.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use reelfarm_drm::{ContentKey, Secret, TitleKeys};
use reelfarm_model::key::Digest;
use reelfarm_model::profile::Scheme;
use reelfarm_model::task::{Encryption, PackageSpec};
use reelfarm_model::{ArtifactKey, Code, Failure, FailureClass, KeyId, KeyUse};
use reelfarm_packaging::manifest;
use reelfarm_packaging::shaka::Packager;
use tempfile::TempDir;

use crate::title::{Title, packager, profile};

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, fs_err::read(&path).unwrap());
            }
        }
    }
    found
}

/// A shell script in the packager's place.
fn script(text: &str) -> Packager {
    Packager::new(PathBuf::from("packager"), ["sh", "-c", text].map(OsString::from).into())
}

async fn run(packager: &Packager, title: &Title, spec: &PackageSpec, output: &Path) -> Result<(), Failure> {
    packager.package(spec, title.renditions(), None, output, |_| {}).await
}

#[tokio::test]
async fn equal_inputs_give_equal_bytes_in_any_folder() {
    let title = Title::encode();
    title.write_subtitles();
    for id in ["dash-clr-2s", "od-clr-4s", "ts-clr-2s"] {
        let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let profile = profile(id);
        let spec = title.package_spec(&profile);
        run(&packager(), &title, &spec, one.path()).await.unwrap();
        run(&packager(), &title, &spec, &other.path().join("deeper/still")).await.unwrap();
        let files = (files(one.path()), files(&other.path().join("deeper/still")));
        assert!(files.0.len() > 5);
        assert!(files.0 == files.1, "{id}: {:?}", files.0.keys());
        let manifests = title.manifest_spec(&profile);
        let derive = |media| manifest::derive(&manifests, media, &title.subtitle_folders(), None).unwrap();
        assert_eq!(derive(one.path()), derive(&other.path().join("deeper/still")));
    }
}

#[tokio::test]
async fn progress_grows_to_one() {
    let title = Title::encode();
    let folder = TempDir::new().unwrap();
    let seen = Mutex::new(Vec::new());
    let spec = title.package_spec(&profile("dash-clr-2s"));
    let record = |fraction| seen.lock().unwrap().push(fraction);
    packager().package(&spec, title.renditions(), None, folder.path(), record).await.unwrap();
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.last(), Some(&1.0));
    assert!(seen.iter().all(|fraction| (0.0..=1.0).contains(fraction)) && seen.is_sorted(), "{seen:?}");
}

#[tokio::test]
async fn the_version_is_read() {
    let version = packager().version().await.unwrap();
    assert!(version.starts_with('v') && version.contains('.') && !version.contains(' '), "{version}");
    for wrong in [Packager::new("/nowhere/packager".into(), vec![]), script("echo packager of parcels 1.0")] {
        assert_eq!(wrong.version().await.unwrap_err().code, Code::PackagerMissing);
    }
}

#[tokio::test]
async fn truncated_input_is_no_success_though_the_packager_says_so() {
    let title = Title::encode();
    let folder = TempDir::new().unwrap();
    let spec = title.package_spec(&profile("dash-clr-2s"));
    let path = &title.renditions()[&spec.video[0].artifact];
    let bytes = fs_err::read(path).unwrap();
    fs_err::write(path, &bytes[..bytes.len() / 2]).unwrap();
    let failure = run(&packager(), &title, &spec, folder.path()).await.unwrap_err();
    assert_eq!((failure.code, failure.class), (Code::PackagerFailed, FailureClass::Transient));
    assert!(failure.message.contains("reported success, but video-180p: it has"), "{failure}");
}

#[tokio::test]
async fn input_that_is_no_media_fails_with_the_packagers_words() {
    let title = Title::encode();
    let folder = TempDir::new().unwrap();
    let spec = title.package_spec(&profile("ts-clr-2s"));
    fs_err::write(&title.renditions()[&spec.audio[0].artifact], [7; 5_000]).unwrap();
    let failure = run(&packager(), &title, &spec, folder.path()).await.unwrap_err();
    assert_eq!(failure.code, Code::PackagerFailed);
    assert!(failure.log.contains("INVALID_ARGUMENT") && failure.log.len() < 40_000, "{}", failure.log);
}

#[tokio::test]
async fn an_input_that_is_gone_is_a_missing_artifact() {
    let title = Title::encode();
    let folder = TempDir::new().unwrap();
    let spec = title.package_spec(&profile("ts-clr-2s"));
    fs_err::remove_file(&title.renditions()[&spec.audio[0].artifact]).unwrap();
    let failure = run(&packager(), &title, &spec, folder.path()).await.unwrap_err();
    assert_eq!(failure.code, Code::ArtifactMissing);
}

#[tokio::test]
async fn failures_of_the_host_are_told_from_those_of_the_media() {
    let title = Title::encode();
    let spec = title.package_spec(&profile("dash-clr-2s"));
    let full = "echo 'E1121 demuxer.cc:370] Failed to process sample 256 5 (FILE_FAILURE): Cannot close file v/2.m4s, \
                possibly file permission issue or running out of disk space.' >&2; exit 2";
    let unwritable = "echo 'Packaging Error: 5 (FILE_FAILURE): Cannot open file to write v.mp4' >&2; exit 2";
    for (packager, code, class) in [
        (Packager::new("/nowhere/packager".into(), vec![]), Code::PackagerMissing, FailureClass::Environment),
        (
            Packager::new("/nowhere/packager".into(), vec!["env".into()]),
            Code::PackagerMissing,
            FailureClass::Environment,
        ),
        (script(full), Code::DiskFull, FailureClass::Environment),
        (script(unwritable), Code::PackagerFailed, FailureClass::Environment),
        (script("exit 2"), Code::PackagerFailed, FailureClass::Transient),
        (script("kill -SEGV $$"), Code::PackagerFailed, FailureClass::Transient),
        (script("exit 0"), Code::PackagerFailed, FailureClass::Transient),
    ] {
        let folder = TempDir::new().unwrap();
        let failure = run(&packager, &title, &spec, folder.path()).await.unwrap_err();
        assert_eq!((failure.code, failure.class), (code, class), "{failure}");
    }
    let file = TempDir::new().unwrap();
    fs_err::write(file.path().join("file"), b"").unwrap();
    let failure = run(&packager(), &title, &spec, &file.path().join("file/output")).await.unwrap_err();
    assert_eq!((failure.code, failure.class), (Code::StateUnreachable, FailureClass::Environment));
}

/// A packager that writes its own id and that of a child of its, and then does nothing for a long time.
const HANGS: &str = "sleep 1000 & echo $! > child; echo $$ > parent; wait";

/// Whether the process whose id is in the file still runs; one that nobody has waited for does not, and none whose id was not
/// written yet.
fn runs(file: &Path) -> bool {
    let id = fs_err::read_to_string(file).unwrap();
    if id.trim().is_empty() {
        return false;
    }
    let state = fs_err::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
    !matches!(state.rsplit(')').next().and_then(|rest| rest.trim().chars().next()), None | Some('Z' | 'X'))
}

#[tokio::test]
async fn a_packager_that_writes_nothing_is_stopped_with_all_it_started() {
    let title = Title::encode();
    let folder = TempDir::new().unwrap();
    let spec = title.package_spec(&profile("dash-clr-2s"));
    let hangs = script(HANGS).with_patience(Duration::from_millis(500));
    let failure = run(&hangs, &title, &spec, folder.path()).await.unwrap_err();
    assert_eq!(failure.code, Code::PackagerHung);
    assert!(!runs(&folder.path().join("parent")));
    wait_for(|| !runs(&folder.path().join("child"))).await;
}

/// Whatever it was doing: before it read the keys, after, and with its work begun.
#[tokio::test]
async fn a_packager_that_hangs_with_keys_in_its_hands_leaves_none() {
    let title = Title::encode();
    let key = ContentKey { id: KeyId([0x11; 16]), key: Secret::new(*b"a key of 16 byte") };
    let keys = TitleKeys::new([(KeyUse::All, key)].into(), BTreeMap::new());
    let encryption = Encryption { scheme: Scheme::Cenc, keys: ArtifactKey(Digest::of(b"keys")) };
    let spec = PackageSpec { encryption: Some(encryption), ..title.package_spec(&profile("dash-clr-2s")) };
    let digits = hex::encode(b"a key of 16 byte");
    for begins in
        ["", "cat >&2;", "read flag; echo \"$flag\" | fold -w 20 >&2;", "cat > /dev/null; echo work > v.mp4;"]
    {
        let folder = TempDir::new().unwrap();
        let hangs = script(&format!("{begins} {HANGS}")).with_patience(Duration::from_millis(500));
        let packaged = hangs.package(&spec, title.renditions(), Some(&keys), folder.path(), |_| {});
        let failure = packaged.await.unwrap_err();
        assert_eq!(failure.code, Code::PackagerHung, "{begins}");
        wait_for(|| !runs(&folder.path().join("child"))).await;
        for text in [failure.to_string(), failure.log, format!("{:?}", files(folder.path()))] {
            assert!(!text.contains(&digits) && !text.contains(&digits[..20]), "{begins}: {text}");
        }
    }
}

#[tokio::test]
async fn a_dropped_call_leaves_no_process() {
    let title = Title::encode();
    let folder = TempDir::new().unwrap();
    let spec = title.package_spec(&profile("dash-clr-2s"));
    let hangs = script(HANGS);
    let (parent, child) = (folder.path().join("parent"), folder.path().join("child"));
    tokio::select! {
        ended = run(&hangs, &title, &spec, folder.path()) => panic!("{ended:?}"),
        () = wait_for(|| parent.exists() && runs(&parent) && runs(&child)) => {}
    }
    wait_for(|| !runs(&parent) && !runs(&child)).await;
}

#[tokio::test]
async fn a_path_with_a_comma_is_refused_in_words() {
    let title = Title::encode();
    let spec = title.package_spec(&profile("dash-clr-2s"));
    let inputs: BTreeMap<ArtifactKey, PathBuf> =
        title.renditions().keys().map(|key| (*key, PathBuf::from("/a,b/c.mp4"))).collect();
    let folder = TempDir::new().unwrap();
    let failure = packager().package(&spec, &inputs, None, folder.path(), |_| {}).await.unwrap_err();
    assert!(failure.message.contains("choose a state folder without one"), "{failure}");
}

/// Waits until something holds, which it does within moments or never.
async fn wait_for(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
}
