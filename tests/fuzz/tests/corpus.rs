//! Whatever the fuzzer found before, without the fuzzer.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use reelfarm_fuzz::TARGETS;

/// The corpus is for everybody who clones the repository.
const MOST_BYTES: u64 = 1 << 20;

#[test]
fn the_corpus_does_no_harm() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut bytes = 0;
    for (name, target) in TARGETS {
        let folder = corpus.join(name);
        let mut files: Vec<_> =
            fs_err::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let content = fs_err::read(&file).unwrap();
            bytes += content.len() as u64;
            // Where it panics, this is what led to it.
            println!("{}", file.display());
            target(&content);
        }
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes: minimise it with scripts/fuzz --minimise");
    let folders = fs_err::read_dir(corpus).unwrap().count();
    assert_eq!(folders, TARGETS.len(), "a folder without a target is run by nobody");
}

#[test]
fn what_the_fuzzer_starts_from_is_accepted() {
    let read =
        |path: &str| fs_err::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(path)).unwrap();
    // Or else it would have to find the way through the first lines of each reader by chance.
    for answer in ["key-servers/answer-0.xml", "key-servers/answer-1.xml"] {
        assert!(reelfarm_drm::fuzzing::key_server_answer(&read(answer)), "{answer}");
    }
    for side_file in
        ["subtitles/two.srt", "subtitles/utf16.srt", "subtitles/settings.vtt", "subtitles/styled.ttml"]
    {
        reelfarm_packaging::subtitles::read(&read(side_file)).unwrap();
    }
    serde_json::from_slice::<reelfarm_model::Measurements>(&read("measurements/film.json")).unwrap();
    reelfarm_qc::external::read(&read("external-reports/film.json")).unwrap();
}
