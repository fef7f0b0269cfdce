//! The master secret's file, and the keys that follow from it.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Barrier};

use reelfarm_drm::{DerivedKeys, KeyProvider as _, KeyUris, MasterSecret};
use reelfarm_model::profile::{DrmSystem, Scheme};
use reelfarm_model::{Code, Failure, KeyDivision, KeyUse};
use tempfile::TempDir;

use crate::{request, write};

#[test]
fn the_first_run_makes_a_secret_for_its_owner_alone_and_the_next_finds_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("master-secret");
    let made = MasterSecret::load_or_create(&path).unwrap();
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(made.version(), 1);
    for again in [MasterSecret::load_or_create(&path), MasterSecret::load(&path)] {
        assert_eq!(again.unwrap().fingerprint(), made.fingerprint());
    }
    let other = MasterSecret::load_or_create(&folder.path().join("other")).unwrap();
    assert_ne!(other.fingerprint(), made.fingerprint());
}

#[test]
fn first_runs_at_the_same_time_end_with_one_secret() {
    const RUNS: usize = 16;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("master-secret");
    let start = Barrier::new(RUNS);
    let fingerprints: Vec<_> = std::thread::scope(|scope| {
        let run = || {
            start.wait();
            MasterSecret::load_or_create(&path).unwrap().fingerprint()
        };
        let runs: Vec<_> = (0..RUNS).map(|_| scope.spawn(run)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let kept = MasterSecret::load(&path).unwrap().fingerprint();
    assert_eq!(fingerprints, [kept; RUNS]);
    let left = fs_err::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "a temporary file is left");
}

#[test]
fn a_file_that_others_may_use_is_refused() {
    let folder = TempDir::new().unwrap();
    let line = format!("1:{}\n", "5c".repeat(32));
    for mode in [0o644, 0o640, 0o604, 0o620, 0o601, 0o666, 0o610] {
        let path = write(folder.path(), &format!("{mode:o}"), &line, mode);
        for loaded in [MasterSecret::load(&path), MasterSecret::load_or_create(&path)] {
            let error = loaded.unwrap_err().to_string();
            assert!(error.contains("chmod 600") && error.contains(&format!("{mode:o}")), "{error}");
        }
    }
    for mode in [0o600, 0o400] {
        MasterSecret::load(&write(folder.path(), "own", &line, mode)).unwrap();
        fs_err::remove_file(folder.path().join("own")).unwrap();
    }
}

#[test]
fn a_cut_file_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let line = format!("1:{}\n", "5c".repeat(32));
    for length in 0..line.len() {
        let path = write(folder.path(), &length.to_string(), &line[..length], 0o600);
        let error = MasterSecret::load_or_create(&path).unwrap_err();
        assert!(!error.to_string().contains("5c5c"), "{error}");
        assert_eq!(fs_err::read(&path).unwrap(), &line.as_bytes()[..length]);
        assert_eq!(Failure::from(error).code, Code::MasterSecretUnusable);
    }
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), folder.path()] {
        let error = MasterSecret::load_or_create(path).unwrap_err().to_string();
        assert!(error.ends_with("it is no regular file"), "{error}");
    }
    let missing = MasterSecret::load(&folder.path().join("missing")).unwrap_err().to_string();
    assert!(missing.ends_with("there is no such file"), "{missing}");
    let nowhere =
        MasterSecret::load_or_create(&folder.path().join("missing/secret")).unwrap_err().to_string();
    assert!(nowhere.contains("it cannot be made"), "{nowhere}");
    let large = write(folder.path(), "large", &"\n".repeat(8 * 1024 + 1), 0o600);
    let large = MasterSecret::load(&large).unwrap_err().to_string();
    assert!(large.ends_with("it has 8193 bytes, and may have 8192"), "{large}");
}

#[tokio::test]
async fn a_new_version_gives_new_keys() {
    let folder = TempDir::new().unwrap();
    let first = format!("1:{}\n", "5c".repeat(32));
    let old = Arc::new(MasterSecret::load(&write(folder.path(), "old", &first, 0o600)).unwrap());
    let both = format!("{first}2:{}\n", "a7".repeat(32));
    let new = Arc::new(MasterSecret::load(&write(folder.path(), "new", &both, 0o600)).unwrap());
    assert_eq!((old.version(), new.version()), (1, 2));
    assert_ne!(old.fingerprint(), new.fingerprint());
    let request = request("film", KeyDivision::Title, Scheme::Cenc);
    let keys = async |secret| DerivedKeys::new(secret, KeyUris::default()).keys(&request).await.unwrap();
    let (old, new) = (keys(old).await, keys(new).await);
    let (old, new) = (old.key(KeyUse::All).unwrap(), new.key(KeyUse::All).unwrap());
    assert!(old.id != new.id && old.key != new.key);
}

#[tokio::test]
async fn derived_keys_follow_from_title_and_use_and_every_system_is_told() {
    let folder = TempDir::new().unwrap();
    let secret = Arc::new(MasterSecret::load_or_create(&folder.path().join("secret")).unwrap());
    let provider = DerivedKeys::new(Arc::clone(&secret), KeyUris::default());
    for division in [KeyDivision::Title, KeyDivision::Quality] {
        let asked = request("film", division, Scheme::Cbcs);
        let keys = provider.keys(&asked).await.unwrap();
        let uses: Vec<_> = keys.keys().map(|(r#use, _)| r#use).collect();
        assert_eq!(uses, division.uses());
        for (_, key) in keys.keys() {
            for system in DrmSystem::ALL {
                assert!(keys.signal(system, key.id).is_some(), "{system:?}");
            }
        }
        let again = DerivedKeys::new(Arc::clone(&secret), KeyUris::default());
        assert_eq!(again.keys(&asked).await.unwrap(), keys);
        // One title's keys serve every scheme: licences go by the key's id.
        let other_scheme = provider.keys(&request("film", division, Scheme::Cenc)).await.unwrap();
        assert!(other_scheme.keys().eq(keys.keys()));
        let other_title = provider.keys(&request("film2", division, Scheme::Cbcs)).await.unwrap();
        for (_, key) in other_title.keys() {
            assert!(keys.by_id(key.id).is_none());
        }
    }
}
