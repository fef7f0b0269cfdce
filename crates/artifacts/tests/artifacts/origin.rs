//! The origin: what every kind of it does, seen through its own interface. Each case runs on a folder, on an object store
//! in memory and in a bucket of a real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use reelfarm_artifacts::{Artifact, ArtifactStore, Audit, Origin, OriginError};
use reelfarm_model::index::Index;
use reelfarm_model::{Code, Digest, Failure};
use reelfarm_test_servers::s3::S3Server;

use crate::bucket::{access, raw};
use crate::support::{artifact, bytes, index, index_file, running, title};

/// Where a media set lies that no index names yet.
const SET: &str = "media/set/0123456789ab";

/// Makes a test of every case for each kind of origin.
macro_rules! cases {
    ($($case:ident,)*) => {
        mod in_a_folder {
            $(
                #[tokio::test]
                async fn $case() {
                    let folder = tempfile::tempdir().unwrap();
                    let origin = super::Origin::open(folder.path().to_str().unwrap()).unwrap();
                    let raw = super::LocalFileSystem::new_with_prefix(folder.path()).unwrap();
                    super::$case(&super::Bench::new(origin, super::Arc::new(raw))).await;
                }
            )*
        }

        mod in_an_object_store {
            $(
                #[tokio::test]
                async fn $case() {
                    let raw: super::Arc<dyn super::ObjectStore> = super::Arc::new(super::InMemory::new());
                    let origin = super::Origin::over("memory", super::Arc::clone(&raw));
                    super::$case(&super::Bench::new(origin, raw)).await;
                }
            )*
        }

        mod in_a_bucket {
            $(
                #[tokio::test]
                async fn $case() {
                    let server = super::S3Server::start().await.unwrap();
                    let access = super::access(&server.endpoint());
                    let origin = super::Origin::connect("s3://farm/the/origin", &access).unwrap();
                    let raw = super::PrefixStore::new(super::raw(&server.endpoint(), "farm"), "the/origin");
                    super::$case(&super::Bench::new(origin, super::Arc::new(raw))).await;
                }
            )*
        }
    };
}

cases![
    an_upload_is_found_as_it_was_sent,
    only_what_is_included_goes,
    progress_counts_every_byte_twice_and_ends_at_the_total,
    what_is_there_already_is_left,
    what_is_there_with_other_bytes_is_replaced,
    bytes_are_counted_where_they_are_written_and_nowhere_else,
    large_files_go_part_by_part,
    hostile_names_are_refused,
    a_damaged_artifact_is_not_passed_on,
    a_published_title_is_whole,
    nothing_is_published_before_it_is_there,
    an_index_that_contradicts_its_manifests_is_refused,
    publishing_removes_older_generations,
    publishing_twice_gives_the_same,
    an_audit_finds_what_is_missing_or_resized,
    an_audit_finds_a_manifest_of_the_same_length_with_other_bytes,
    an_unpublished_title_is_withdrawn_whole,
    a_withdrawal_spares_what_is_published,
    a_damaged_index_is_not_withdrawn_and_can_be_replaced,
    titles_with_a_common_beginning_are_kept_apart,
];

struct Bench {
    origin: Origin,
    /// What lies behind the origin, for what others do to it.
    raw: Arc<dyn ObjectStore>,
    store: ArtifactStore,
    _state: tempfile::TempDir,
}

impl Bench {
    fn new(origin: Origin, raw: Arc<dyn ObjectStore>) -> Self {
        let state = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(state.path()).unwrap();
        Self { origin, raw, store, _state: state }
    }

    async fn put(&self, path: &str, content: &[u8]) {
        self.raw.put(&Path::from(path), PutPayload::from(content.to_vec())).await.unwrap();
    }

    async fn upload(
        &self,
        name: &str,
        media_path: &str,
        artifact: &Artifact,
    ) -> Result<Vec<reelfarm_model::index::IndexFile>, OriginError> {
        let uploaded =
            self.origin.upload(&title(name), media_path, artifact, |_| true, |_, _| {}, &running()).await;
        uploaded.map(|uploaded| uploaded.receipt.files)
    }

    /// Publishes a title of one media set and one manifest; answers its index.
    async fn publish(&self, name: &str, media_path: &str, content: &[u8]) -> (Index, Digest) {
        let media = artifact(&self.store, media_path, &[("a/1.m4s", content), ("init.mp4", b"init")]).await;
        let mut files = self.upload(name, media_path, &media).await.unwrap();
        let manifest = format!("<MPD>{media_path}</MPD>").into_bytes();
        files.push(index_file("dash-clr-2s/manifest.mpd", &manifest));
        let index = index(&title(name), files);
        let manifests = vec![("dash-clr-2s/manifest.mpd".to_owned(), manifest)];
        let published = self.origin.publish(&title(name), manifests, &index).await.unwrap();
        (index, published.index)
    }

    async fn audit(&self, name: &str) -> Audit {
        self.origin.audit(&title(name)).await.unwrap()
    }
}

async fn an_upload_is_found_as_it_was_sent(bench: &Bench) {
    let (long, short) = (bytes(1, 300_000), bytes(2, 7));
    let made = artifact(&bench.store, "m", &[("v/2.m4s", &long), ("v/1.m4s", &short), ("empty", b"")]).await;
    let receipt = bench
        .origin
        .upload(&title("film"), "media/set/0f", &made, |_| true, |_, _| {}, &running())
        .await
        .unwrap()
        .receipt;
    assert_eq!(receipt.media_path, "media/set/0f");
    assert_eq!(
        receipt.files,
        [
            index_file("media/set/0f/empty", b""),
            index_file("media/set/0f/v/1.m4s", &short),
            index_file("media/set/0f/v/2.m4s", &long),
        ]
    );
    let text = serde_json::to_string(&receipt).unwrap();
    assert_eq!(serde_json::from_str::<reelfarm_artifacts::Receipt>(&text).unwrap(), receipt);
    assert_eq!(bench.audit("film").await, Audit::default(), "an upload publishes nothing");
}

async fn only_what_is_included_goes(bench: &Bench) {
    let made = artifact(&bench.store, "m", &[("a.m4s", b"a"), ("layout.json", b"{}")]).await;
    let include = |path: &str| path.ends_with(".m4s");
    let uploaded =
        bench.origin.upload(&title("film"), SET, &made, include, |_, _| {}, &running()).await.unwrap();
    assert_eq!(uploaded.receipt.files, [index_file(&format!("{SET}/a.m4s"), b"a")]);
    assert_eq!(bench.origin.withdraw(&title("film"), &[]).await.unwrap(), 1);
}

async fn progress_counts_every_byte_twice_and_ends_at_the_total(bench: &Bench) {
    let content: Vec<_> = (0..9).map(|seed| bytes(seed, 10_000 + seed as usize)).collect();
    let names: Vec<_> = (0..9).map(|number| format!("{number}.m4s")).collect();
    let files: Vec<_> =
        names.iter().zip(&content).map(|(name, content)| (name.as_str(), &content[..])).collect();
    let made = artifact(&bench.store, "m", &files).await;
    for round in ["sent", "found there"] {
        let (last, all) = (AtomicU64::new(0), AtomicU64::new(0));
        let on_progress = |done, total| {
            assert!(last.swap(done, Ordering::Relaxed) < done && done <= total, "{round}");
            all.store(total, Ordering::Relaxed);
        };
        bench.origin.upload(&title("film"), "media", &made, |_| true, on_progress, &running()).await.unwrap();
        assert_eq!(last.into_inner(), 2 * made.record.size, "{round}");
        assert_eq!(all.into_inner(), 2 * made.record.size, "{round}");
    }
}

async fn what_is_there_already_is_left(bench: &Bench) {
    let made = artifact(&bench.store, "m", &[("a", b"same"), ("b", b"b")]).await;
    let first = bench.upload("film", "media", &made).await.unwrap();
    // With the artifact's files gone, only a copy that is left as it is can succeed.
    fs_err::remove_file(made.folder.join("a")).unwrap();
    fs_err::remove_file(made.folder.join("b")).unwrap();
    assert_eq!(bench.upload("film", "media", &made).await.unwrap(), first);
}

async fn what_is_there_with_other_bytes_is_replaced(bench: &Bench) {
    for (key, content) in [("one", b"1111"), ("two", b"2222")] {
        let made = artifact(&bench.store, key, &[("a", content)]).await;
        assert_eq!(bench.upload("film", "media", &made).await.unwrap(), [index_file("media/a", content)]);
    }
}

async fn bytes_are_counted_where_they_are_written_and_nowhere_else(bench: &Bench) {
    let film = title("film");
    let made = artifact(&bench.store, "m", &[("a", b"1234"), ("b", b"56"), ("left out", b"789")]).await;
    for (damage, expected) in [(None, 6), (None, 0), (Some(&b"1235"[..]), 4), (Some(b"12"), 4)] {
        if let Some(bytes) = damage {
            bench.put("film/media/set/0123456789ab/a", bytes).await;
        }
        let include = |path: &str| path != "left out";
        let uploaded = bench.origin.upload(&film, SET, &made, include, |_, _| {}, &running()).await.unwrap();
        assert_eq!(uploaded.written, expected, "{damage:?}");
    }
    let mut files =
        vec![index_file(&format!("{SET}/a"), b"1234"), index_file("hls/master.m3u8", b"manifest")];
    files.sort();
    let manifests = vec![("hls/master.m3u8".to_owned(), b"manifest".to_vec())];
    let published = bench.origin.publish(&film, manifests, &index(&film, files)).await.unwrap();
    let size_of_index = bench.raw.head(&Path::from("film/index.json")).await.unwrap().size;
    assert_eq!(published.written, 8 + size_of_index);
}

async fn large_files_go_part_by_part(bench: &Bench) {
    let content = bytes(5, 17 * 1024 * 1024 + 1);
    let made = artifact(&bench.store, "m", &[("film.mp4", &content)]).await;
    let steps = AtomicU64::new(0);
    let count = |_, _| {
        steps.fetch_add(1, Ordering::Relaxed);
    };
    let uploaded =
        bench.origin.upload(&title("film"), "media", &made, |_| true, count, &running()).await.unwrap();
    assert_eq!(uploaded.receipt.files, [index_file("media/film.mp4", &content)]);
    assert_eq!(steps.into_inner(), 6, "three parts there, three parts back");
}

async fn hostile_names_are_refused(bench: &Bench) {
    let made = artifact(&bench.store, "m", &[("a", b"a")]).await;
    for media_path in ["..", "../other", "media/../..", "/etc", "", "media/", "a\\b", "a b", "media/%2e%2e"] {
        let refused = bench.upload("film", media_path, &made).await.unwrap_err();
        assert!(matches!(refused, OriginError::BadPath { .. }), "{media_path:?}: {refused}");
        let manifests = vec![(media_path.to_owned(), b"m".to_vec())];
        let named = index(&title("film"), vec![index_file(media_path, b"m")]);
        let refused = bench.origin.publish(&title("film"), manifests, &named).await.unwrap_err();
        assert!(matches!(refused, OriginError::BadPath { .. }), "{media_path:?}: {refused}");
    }
    let hostile = artifact(&bench.store, "h", &[("a", b"a"), ("b#1", b"b")]).await;
    let refused = bench.upload("film", SET, &hostile).await.unwrap_err();
    assert!(matches!(refused, OriginError::BadPath { .. }), "{refused}");
    assert_eq!(bench.origin.withdraw(&title("film"), &[]).await.unwrap(), 0, "nothing was written");
}

async fn a_damaged_artifact_is_not_passed_on(bench: &Bench) {
    for (damage, content) in [("changed", Some(&b"1235"[..])), ("longer", Some(b"12345")), ("missing", None)]
    {
        let made = artifact(&bench.store, damage, &[("a", b"1234"), ("b", b"b")]).await;
        match content {
            Some(content) => fs_err::write(made.folder.join("a"), content).unwrap(),
            None => fs_err::remove_file(made.folder.join("a")).unwrap(),
        }
        let refused = bench.upload("film", SET, &made).await.unwrap_err();
        assert!(
            matches!(&refused, OriginError::ArtifactDamaged { path, .. } if path == "a"),
            "{damage}: {refused}"
        );
        assert_eq!(Failure::from(refused).code, Code::ArtifactMissing);
        assert_eq!(bench.origin.withdraw(&title("film"), &[]).await.unwrap(), 0, "{damage}: nothing is left");
    }
}

async fn a_published_title_is_whole(bench: &Bench) {
    assert_eq!(bench.origin.index(&title("film")).await.unwrap(), None);
    let (index, digest) = bench.publish("film", "media/set/111111111111", b"1").await;
    assert_eq!(bench.origin.index(&title("film")).await.unwrap(), Some((index, digest)));
    let audit = bench.audit("film").await;
    assert!(audit.is_whole());
    assert_eq!(audit.index, Some(digest));
}

async fn nothing_is_published_before_it_is_there(bench: &Bench) {
    let made = artifact(&bench.store, "m", &[("a", b"1234")]).await;
    bench.upload("film", "media", &made).await.unwrap();
    for named in [index_file("media/a", b"12345"), index_file("media/b", b"1234")] {
        let path = named.path.clone();
        let refused = bench
            .origin
            .publish(&title("film"), Vec::new(), &index(&title("film"), vec![named]))
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, OriginError::Missing { path: missing, .. } if *missing == path),
            "{refused}"
        );
        assert_eq!(bench.origin.index(&title("film")).await.unwrap(), None);
    }
}

async fn an_index_that_contradicts_its_manifests_is_refused(bench: &Bench) {
    let manifest = || vec![("m.mpd".to_owned(), b"manifest".to_vec())];
    let film = title("film");
    for (manifests, contradiction) in [
        (manifest(), index(&film, vec![])),
        (manifest(), index(&film, vec![index_file("m.mpd", b"other")])),
        (manifest(), index(&title("other"), vec![index_file("m.mpd", b"manifest")])),
        (vec![], index(&film, vec![index_file("index.json", b"")])),
    ] {
        let refused = bench.origin.publish(&film, manifests, &contradiction).await.unwrap_err();
        assert!(matches!(&refused, OriginError::Inconsistent { .. }), "{refused}");
    }
    assert_eq!(bench.origin.withdraw(&film, &["m.mpd".to_owned()]).await.unwrap(), 0);
}

async fn publishing_removes_older_generations(bench: &Bench) {
    bench.publish("film", "media/set/111111111111", b"1").await;
    let other = bench.publish("other", "media/set/111111111111", b"1").await;
    let (index, digest) = bench.publish("film", "media/set/222222222222", b"2").await;
    assert_eq!(bench.origin.index(&title("film")).await.unwrap(), Some((index, digest)));
    assert!(bench.audit("film").await.is_whole());
    assert_eq!(
        bench.origin.withdraw(&title("film"), &[]).await.unwrap(),
        0,
        "the old files are gone already"
    );
    assert_eq!(bench.origin.index(&title("other")).await.unwrap(), Some(other));
    assert!(bench.audit("other").await.is_whole());
}

async fn publishing_twice_gives_the_same(bench: &Bench) {
    let first = bench.publish("film", "media/set/111111111111", b"1").await;
    assert_eq!(bench.publish("film", "media/set/111111111111", b"1").await, first);
    assert!(bench.audit("film").await.is_whole());
}

async fn an_audit_finds_what_is_missing_or_resized(bench: &Bench) {
    let (_, digest) = bench.publish("film", "media/set/111111111111", b"12").await;
    bench.put("film/media/set/111111111111/a/1.m4s", b"1").await;
    bench.raw.delete(&Path::from("film/media/set/111111111111/init.mp4")).await.unwrap();
    let audit = bench.audit("film").await;
    let (missing, resized) = (
        vec!["media/set/111111111111/init.mp4".to_owned()],
        vec!["media/set/111111111111/a/1.m4s".to_owned()],
    );
    assert_eq!(audit, Audit { index: Some(digest), missing, resized, changed: vec![] });
    assert!(!audit.is_whole());
    bench.publish("film", "media/set/111111111111", b"12").await;
    assert!(bench.audit("film").await.is_whole(), "what was missing was sent again");
}

async fn an_audit_finds_a_manifest_of_the_same_length_with_other_bytes(bench: &Bench) {
    bench.publish("film", "media/set/111111111111", b"1").await;
    bench.put("film/dash-clr-2s/manifest.mpd", b"<MPD>media/set/222222222222</MPD>").await;
    let audit = bench.audit("film").await;
    assert_eq!(audit.changed, ["dash-clr-2s/manifest.mpd"]);
    assert_eq!((&audit.missing, &audit.resized), (&vec![], &vec![]));
    assert!(!audit.is_whole());
}

async fn an_unpublished_title_is_withdrawn_whole(bench: &Bench) {
    let made = artifact(&bench.store, "m", &[("a/b/c", b"1"), ("d", b"2")]).await;
    bench.upload("film", SET, &made).await.unwrap();
    assert_eq!(bench.origin.withdraw(&title("film"), &[]).await.unwrap(), 2);
    assert_eq!(bench.origin.withdraw(&title("film"), &[]).await.unwrap(), 0);
    assert_eq!(bench.origin.withdraw(&title("unknown"), &[]).await.unwrap(), 0);
}

async fn a_withdrawal_spares_what_is_published(bench: &Bench) {
    let published = bench.publish("film", "media/set/111111111111", b"1").await;
    let half = artifact(&bench.store, "m", &[("a", b"1"), ("b", b"2")]).await;
    bench.upload("film", SET, &half).await.unwrap();
    assert_eq!(bench.origin.withdraw(&title("film"), &[]).await.unwrap(), 2);
    assert!(bench.audit("film").await.is_whole());
    assert_eq!(bench.origin.index(&title("film")).await.unwrap(), Some(published));
}

async fn a_damaged_index_is_not_withdrawn_and_can_be_replaced(bench: &Bench) {
    let other = serde_json::to_vec(&index(&title("other"), vec![])).unwrap();
    for damage in [&b"{\"schema\":1,"[..], &other] {
        let published = bench.publish("film", "media/set/111111111111", b"1").await;
        bench.put("film/index.json", damage).await;
        for refused in [
            bench.origin.index(&title("film")).await.map(|_| ()),
            bench.origin.withdraw(&title("film"), &[]).await.map(|_| ()),
        ] {
            let refused = refused.unwrap_err();
            assert!(matches!(&refused, OriginError::IndexDamaged { .. }), "{refused}");
            assert_eq!(Failure::from(refused).code, Code::OriginMismatch);
        }
        assert_eq!(bench.audit("film").await, Audit::default(), "it counts as not published");
        assert_eq!(bench.publish("film", "media/set/111111111111", b"1").await, published);
    }
}

async fn titles_with_a_common_beginning_are_kept_apart(bench: &Bench) {
    for name in ["film", "film-2", "film.2"] {
        bench.publish(name, "media/set/111111111111", b"1").await;
    }
    let half = artifact(&bench.store, "m", &[("a", b"1")]).await;
    bench.upload("film", SET, &half).await.unwrap();
    assert_eq!(bench.origin.withdraw(&title("film"), &[]).await.unwrap(), 1);
    for name in ["film", "film-2", "film.2"] {
        assert!(bench.audit(name).await.is_whole(), "{name}");
    }
}
