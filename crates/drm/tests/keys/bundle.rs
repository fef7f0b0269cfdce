//! Keys at rest.

use std::collections::BTreeMap;

use proptest::prelude::*;
use reelfarm_drm::{ContentKey, KeyBundle, KeyError, MasterSecret, Secret, Signal, TitleKeys};
use reelfarm_model::profile::DrmSystem;
use reelfarm_model::{Code, Failure, KeyId, KeyUse, TitleId};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::write;

const FIRST: &str = "1:5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c\n";
const SECOND: &str = "2:a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7\n";

fn master(lines: &str) -> MasterSecret {
    let folder = TempDir::new().unwrap();
    MasterSecret::load(&write(folder.path(), "master-secret", lines, 0o600)).unwrap()
}

fn film() -> TitleId {
    "film".parse().unwrap()
}

fn keys() -> TitleKeys {
    let key = |id| ContentKey { id: KeyId([id; 16]), key: Secret::new([id ^ 0x0f; 16]) };
    let signal =
        Signal { pssh: Some(vec![1, 2, 3]), playready_object: None, hls_uri: Some("skd://a".to_owned()) };
    TitleKeys::new(
        BTreeMap::from([(KeyUse::Audio, key(1)), (KeyUse::Sd, key(2))]),
        BTreeMap::from([
            ((DrmSystem::Widevine, KeyId([1; 16])), signal),
            ((DrmSystem::Marlin, KeyId([2; 16])), Signal::default()),
        ]),
    )
    .with_vectors(BTreeMap::from([(KeyId([2; 16]), [3; 16])]))
}

fn through_json(bundle: &KeyBundle) -> KeyBundle {
    serde_json::from_str(&serde_json::to_string(bundle).unwrap()).unwrap()
}

#[test]
fn what_was_sealed_opens_after_storing() {
    let master = master(FIRST);
    let bundle = KeyBundle::seal(&keys(), &film(), &master).unwrap();
    assert_eq!(through_json(&bundle), bundle);
    assert_eq!(through_json(&bundle).open(&film(), &master).unwrap(), keys());
    assert_ne!(KeyBundle::seal(&keys(), &film(), &master).unwrap(), bundle);
}

#[test]
fn an_old_bundle_opens_after_a_version_was_added_and_new_ones_take_it() {
    let old = KeyBundle::seal(&keys(), &film(), &master(FIRST)).unwrap();
    let both = master(&[FIRST, SECOND].concat());
    assert_eq!(old.open(&film(), &both).unwrap(), keys());
    let new = KeyBundle::seal(&keys(), &film(), &both).unwrap();
    assert_eq!((old.master_version(), new.master_version()), (1, 2));
    assert_eq!(new.open(&film(), &master(SECOND)).unwrap(), keys());
    let error = new.open(&film(), &master(FIRST)).unwrap_err();
    assert!(
        error.to_string().ends_with("it has no version 2 with which the keys of title film are wrapped"),
        "{error}"
    );
    assert_eq!(Failure::from(error).code, Code::MasterSecretUnusable);
}

#[test]
fn another_secret_is_told_from_a_damaged_bundle() {
    let bundle = KeyBundle::seal(&keys(), &film(), &master(FIRST)).unwrap();
    let error = bundle.open(&film(), &master(&SECOND.replacen('2', "1", 1))).unwrap_err();
    assert!(matches!(error, KeyError::MasterSecret { .. }), "{error}");
    assert!(error.to_string().contains("it is not the one whose version 1"), "{error}");
}

#[test]
fn a_bundle_of_another_title_is_refused() {
    let master = master(FIRST);
    let bundle = KeyBundle::seal(&keys(), &film(), &master).unwrap();
    let error = bundle.open(&"other".parse().unwrap(), &master).unwrap_err();
    assert_eq!(error.to_string(), "the stored content keys of title other: they are those of title film");
    assert_eq!(Failure::from(error).code, Code::ArtifactMissing);
}

/// Opens the JSON that `change` made of a bundle, as the title that it names.
fn opened(change: impl FnOnce(&mut Value)) -> KeyError {
    let master = master(FIRST);
    let mut stored = serde_json::to_value(KeyBundle::seal(&keys(), &film(), &master).unwrap()).unwrap();
    let before = stored.clone();
    change(&mut stored);
    assert_ne!(stored, before, "nothing was changed");
    let title = stored["content"]["title"].as_str().unwrap().parse().unwrap();
    serde_json::from_value::<KeyBundle>(stored).unwrap().open(&title, &master).unwrap_err()
}

#[test]
fn whoever_changes_a_field_is_noticed() {
    let swap = |list: &mut Value, field: &str| {
        let (first, second) = (list[0][field].clone(), list[1][field].clone());
        (list[0][field], list[1][field]) = (second, first);
    };
    let other = || {
        let other = KeyBundle::seal(&keys(), &film(), &master(FIRST)).unwrap();
        serde_json::to_value(other).unwrap()
    };
    type Change = Box<dyn FnOnce(&mut Value)>;
    let changes: [(&str, Change); 15] = [
        ("title", Box::new(|stored| stored["content"]["title"] = json!("other"))),
        ("a key's use", Box::new(|stored| stored["content"]["keys"][0]["use"] = json!("all"))),
        (
            "a vector",
            Box::new(|stored| stored["content"]["keys"][1]["vector"] = json!("AAAAAAAAAAAAAAAAAAAAAA==")),
        ),
        (
            "a vector that is gone",
            Box::new(|stored| drop(stored["content"]["keys"][1].as_object_mut().unwrap().remove("vector"))),
        ),
        ("a key's id", Box::new(|stored| stored["content"]["keys"][0]["id"] = json!("09".repeat(16)))),
        ("keys between uses", Box::new(move |stored| swap(&mut stored["content"]["keys"], "key"))),
        ("uses between keys", Box::new(move |stored| swap(&mut stored["content"]["keys"], "use"))),
        ("a key left out", Box::new(|stored| drop(stored["content"]["keys"].as_array_mut().unwrap().pop()))),
        (
            "a key twice",
            Box::new(|stored| {
                let keys = stored["content"]["keys"].as_array_mut().unwrap();
                keys.push(keys[0].clone());
            }),
        ),
        ("a box", Box::new(|stored| stored["content"]["signals"][0]["signal"]["pssh"] = json!("AQIE"))),
        ("a URI", Box::new(|stored| stored["content"]["signals"][0]["signal"]["hls_uri"] = json!("skd://b"))),
        ("a system", Box::new(|stored| stored["content"]["signals"][0]["system"] = json!("playready"))),
        (
            "a signal left out",
            Box::new(|stored| drop(stored["content"]["signals"].as_array_mut().unwrap().pop())),
        ),
        (
            "another bundle's data key",
            Box::new(move |stored| stored["data_key"] = other()["data_key"].clone()),
        ),
        ("another bundle's keys", Box::new(move |stored| stored["content"] = other()["content"].clone())),
    ];
    for (what, change) in changes {
        let error = opened(change);
        assert!(error.to_string().ends_with("they are not as they were stored"), "{what}: {error}");
        assert!(matches!(error, KeyError::Stored { .. }), "{what}: {error:?}");
    }
    let error = opened(|stored| stored["content"]["master_version"] = json!(2));
    assert!(matches!(error, KeyError::MasterSecret { .. }), "{error}");
}

#[test]
fn a_field_that_nobody_knows_is_refused() {
    let bundle = KeyBundle::seal(&keys(), &film(), &master(FIRST)).unwrap();
    for path in ["", "/content", "/content/keys/0", "/content/signals/0", "/content/signals/0/signal"] {
        let mut stored = serde_json::to_value(&bundle).unwrap();
        stored.pointer_mut(path).unwrap()["more"] = json!(1);
        assert!(serde_json::from_value::<KeyBundle>(stored).is_err(), "{path:?}");
    }
}

proptest! {
    #[test]
    fn any_keys_come_back(
        content in prop::collection::btree_map(0_usize..5, (any::<[u8; 16]>(), any::<[u8; 16]>()), 0..5),
        told in prop::collection::btree_map(
            (0_usize..6, any::<[u8; 16]>()),
            (any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>(), any::<Option<String>>()),
            0..5,
        ),
    ) {
        let uses = [KeyUse::All, KeyUse::Audio, KeyUse::Sd, KeyUse::Hd, KeyUse::Uhd];
        let keys = content.into_iter().map(|(r#use, (id, key))| {
            (uses[r#use], ContentKey { id: KeyId(id), key: Secret::new(key) })
        });
        let signals = told.into_iter().map(|((system, id), (pssh, playready_object, hls_uri))| {
            ((DrmSystem::ALL[system], KeyId(id)), Signal { pssh, playready_object, hls_uri })
        });
        let keys = TitleKeys::new(keys.collect(), signals.collect());
        let master = master(FIRST);
        let bundle = KeyBundle::seal(&keys, &film(), &master).unwrap();
        prop_assert_eq!(through_json(&bundle).open(&film(), &master).unwrap(), keys);
    }

    /// One byte of the file goes bad.
    #[test]
    fn a_damaged_file_is_refused_or_says_the_same(at: prop::sample::Index, byte in 0x20_u8..0x7f) {
        let master = master(FIRST);
        let bundle = KeyBundle::seal(&keys(), &film(), &master).unwrap();
        let mut stored = serde_json::to_vec(&bundle).unwrap();
        let at = at.index(stored.len());
        stored[at] = byte;
        if let Ok(read) = serde_json::from_slice::<KeyBundle>(&stored) {
            prop_assert_eq!(read.open(&film(), &master).is_ok(), read == bundle);
        }
    }
}
