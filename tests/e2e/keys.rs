//! Where keys come from, what they are divided by, and what the rights allow.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Bench, KEY, KEY_ID, clips, describe, tree};

fn bench() -> Bench {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 4);
    bench
}

fn run<'a>(profiles: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let first = ["run", "film.mp4", "--ladder", "fast", "--json", "--profiles", profiles];
    first.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn a_profile_added_to_a_finished_title_makes_its_manifests_alone() {
    let bench = bench();
    bench.json(run("dash-wv-2s", &[]));
    let before = bench.attempts("film");
    bench.json(run("dash-wv-2s,dash-pr-2s,dash-ck-2s", &[]));
    let after = bench.attempts("film");
    let new: BTreeSet<_> =
        after.keys().filter(|label| !before.contains_key(*label)).map(String::as_str).collect();
    assert_eq!(
        new,
        ["manifest dash-ck-2s", "manifest dash-pr-2s", "verify dash-ck-2s", "verify dash-pr-2s"].into(),
    );
    for label in before.keys().filter(|label| label.starts_with("package") || label.starts_with("keys")) {
        assert_eq!(after[label].len(), before[label].len(), "{label}");
    }
    assert_eq!(bench.index("film")["profiles"].as_array().unwrap().len(), 3);
}

#[test]
fn keys_of_the_master_secret_are_the_same_each_time_and_other_secrets_give_others() {
    let (one, other) = (bench(), Bench::new());
    fs_err::copy(one.path("film.mp4"), other.path("film.mp4")).unwrap();
    one.json(run("hls-fp-2s,mp4-ml", &[]));
    let secret = one.path(".reelfarm/master-secret");
    assert_eq!(fs_err::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let expected = tree(&one.origin());
    // The same secret in another state folder, named by the project file.
    fs_err::copy(&secret, other.path("kept-secret")).unwrap();
    let settings = "[drm]\nmaster_secret_file = \"kept-secret\"\n";
    fs_err::write(other.path("reelfarm.toml"), settings).unwrap();
    other.json(run("hls-fp-2s,mp4-ml", &[]));
    assert_eq!(tree(&other.origin()), expected);
    fs_err::remove_file(other.path("reelfarm.toml")).unwrap();
    fs_err::remove_dir_all(other.path(".reelfarm")).unwrap();
    fs_err::remove_dir_all(other.origin()).unwrap();
    other.json(run("hls-fp-2s,mp4-ml", &[]));
    assert_ne!(tree(&other.origin()), expected);
}

#[test]
fn sound_and_picture_have_keys_of_their_own_where_that_is_asked_for() {
    let bench = Bench::new();
    fs_err::copy(clips::real("bigbuckbunny.mp4"), bench.path("film.mp4")).unwrap();
    fs_err::write(bench.path("reelfarm.toml"), "[drm]\ndivision = \"quality\"\n").unwrap();
    bench.json(run("dash-wvpr-2s,od-wv-2s,hls-multi-2s,hss-pr-2s,ts-aes-2s", &["--audio-lang", "en"]));
    let title = bench.origin().join("film");
    let mpd = fs_err::read_to_string(title.join("dash-wvpr-2s/manifest.mpd")).unwrap();
    let kids: BTreeSet<_> = mpd.split("default_KID=\"").skip(1).map(|rest| rest[..36].to_owned()).collect();
    // The fast ladder has HD and SD pictures, and sound.
    assert_eq!(kids.len(), 3, "{kids:?}");
    let manifest = fs_err::read_to_string(title.join("hls-multi-2s/audio-en-stereo.m3u8")).unwrap();
    assert_eq!(manifest.matches("#EXT-X-KEY").count(), 3);
}

#[test]
fn a_title_keeps_its_keys_unless_it_is_told_to_take_others() {
    let bench = bench();
    bench.keys(KEY_ID, KEY);
    bench.json(run("dash-wv-2s", &["--keys", "keys.json"]));
    let online = tree(&bench.origin());
    let output = bench.output(run("dash-wv-2s", &[]));
    assert_eq!(output.status.code(), Some(4), "{}", describe(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("RF-KEY-006"), "{}", describe(&output));
    assert_eq!(tree(&bench.origin()), online);
    bench.json(run("dash-wv-2s", &["--new-keys"]));
    let renewed = tree(&bench.origin());
    assert_ne!(renewed, online);
    // A newer version of the master secret is for new titles.
    let secret = bench.path(".reelfarm/master-secret");
    let versions = format!("{}2:{}\n", fs_err::read_to_string(&secret).unwrap(), "5c".repeat(32));
    fs_err::write(&secret, versions).unwrap();
    bench.json(run("dash-wv-2s", &[]));
    assert_eq!(tree(&bench.origin()), renewed);
    fs_err::remove_file(&secret).unwrap();
    assert_eq!(bench.output(run("dash-wv-2s", &[])).status.code(), Some(4), "another secret was made");
    assert_eq!(tree(&bench.origin()), renewed);
}

/// Runs that must not end well; answers what was said.
fn refused(bench: &Bench, arguments: &[&str], exit: i32, code: &str) -> String {
    let output = bench.output(arguments);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{}", describe(&output));
    assert!(words.contains(code), "{code}: {words}");
    words
}

/// A submission that is accepted and then fails: the subtitles beside the film are another film's.
fn fails(bench: &Bench, profiles: &str, more: &[&str]) {
    let foreign = bench.path("film.en.srt");
    fs_err::write(&foreign, "1\n01:00:00,000 --> 01:00:02,000\nOf another film\n").unwrap();
    refused(bench, &run(profiles, more), 1, "RF-SUB-003");
    assert_eq!(bench.json(["status", "film", "--json"])["title"]["state"], "failed", "it was accepted");
    fs_err::remove_file(&foreign).unwrap();
}

/// A submission that is accepted and then rejected: another delivery of the film has no sound.
fn is_rejected(bench: &Bench, profiles: &str, more: &[&str]) {
    let (film, kept) = (bench.path("film.mp4"), bench.path("kept.mp4"));
    fs_err::rename(&film, &kept).unwrap();
    clips::make(&film, "-f lavfi -i testsrc2=size=640x360:rate=25:duration=4 -c:v libx264 -b:v 1500k");
    refused(bench, &run(profiles, more), 1, "RF-QC-008");
    assert_eq!(bench.json(["status", "film", "--json"])["title"]["state"], "rejected");
    fs_err::rename(&kept, &film).unwrap();
}

#[test]
fn a_title_keeps_its_keys_whatever_becomes_of_later_submissions() {
    let bench = bench();
    bench.keys(KEY_ID, KEY);
    let keys = ["--keys", "keys.json"];
    bench.json(run("dash-wv-2s", &keys));
    let online = tree(&bench.origin());
    let stands = |after: &str| {
        refused(&bench, &run("dash-wv-2s", &[]), 4, "RF-KEY-006");
        assert_eq!(tree(&bench.origin()), online, "{after}");
    };
    fails(&bench, "dash-wv-2s", &keys);
    stands("a submission that failed");
    is_rejected(&bench, "dash-wv-2s", &keys);
    stands("a submission that was rejected");
    // Other keys that came to nothing are not the title's.
    fails(&bench, "dash-wv-2s", &["--new-keys"]);
    stands("new keys that were never online");
    bench.json(run("dash-wv-2s", &keys));
    assert_eq!(tree(&bench.origin()), online);
    // Clear profiles alone take the encrypted ones off, and not the keys.
    bench.json(run("dash-clr-2s", &[]));
    refused(&bench, &run("dash-wv-2s", &[]), 4, "RF-KEY-006");
    fails(&bench, "dash-clr-2s", &[]);
    refused(&bench, &run("dash-wv-2s", &[]), 4, "RF-KEY-006");
    bench.json(run("dash-wv-2s", &keys));
    assert_eq!(tree(&bench.origin()), online);
    bench.json(run("dash-wv-2s", &["--new-keys"]));
    assert_ne!(tree(&bench.origin()), online);
    refused(&bench, &run("dash-wv-2s", &keys), 4, "RF-KEY-006");
}

#[test]
fn keys_of_a_title_that_was_never_published_are_not_forgotten() {
    let bench = bench();
    bench.keys(KEY_ID, KEY);
    fails(&bench, "dash-wv-2s", &["--keys", "keys.json"]);
    refused(&bench, &run("dash-wv-2s", &[]), 4, "RF-KEY-006");
    bench.json(run("dash-wv-2s", &["--keys", "keys.json"]));
}

#[test]
fn a_title_keeps_the_division_of_its_keys() {
    let bench = bench();
    bench.json(run("dash-wv-2s", &[]));
    let online = tree(&bench.origin());
    fs_err::write(bench.path("reelfarm.toml"), "[drm]\ndivision = \"quality\"\n").unwrap();
    bench.json(run("dash-wv-2s", &[]));
    assert_eq!(tree(&bench.origin()), online);
    bench.json(run("dash-wv-2s", &["--new-keys"]));
    let mpd = fs_err::read_to_string(bench.origin().join("film/dash-wv-2s/manifest.mpd")).unwrap();
    let kids: BTreeSet<_> = mpd.split("default_KID=\"").skip(1).map(|rest| &rest[..36]).collect();
    assert_eq!(kids.len(), 2, "sound and picture: {kids:?}");
}

#[test]
fn what_cannot_be_a_file_of_keys_is_refused_before_anything_starts() {
    let bench = bench();
    let good = format!("{{\"*\": {{\"kid\": \"{KEY_ID}\", \"key\": \"{KEY}\"}}}}");
    for (text, mode, why) in [
        (good.clone(), 0o644, "others"),
        (good.replace(KEY, &KEY[2..]), 0o600, "32"),
        (good.replace("kid", "kidd"), 0o600, "entry"),
        ("no JSON".to_owned(), 0o600, "JSON"),
        (String::new(), 0o600, "keys.json"),
    ] {
        fs_err::write(bench.path("keys.json"), &text).unwrap();
        fs_err::set_permissions(bench.path("keys.json"), std::fs::Permissions::from_mode(mode)).unwrap();
        let output = bench.output(run("mp4-ml", &["--keys", "keys.json"]));
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}: {}", describe(&output));
        assert!(words.contains("RF-KEY-001") && words.contains(why), "{why}: {words}");
        assert!(!words.contains(&KEY[..12]), "{words}");
    }
    let output = bench.output(run("mp4-ml", &["--keys", "absent.json"]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("absent.json"), "{}", describe(&output));
    assert!(!bench.origin().join("film").exists());
}

#[test]
fn a_title_without_a_key_fails_alone() {
    let bench = bench();
    fs_err::copy(bench.path("film.mp4"), bench.path("other.mp4")).unwrap();
    let keys = format!("{{\"film\": {{\"kid\": \"{KEY_ID}\", \"key\": \"{KEY}\"}}}}");
    fs_err::write(bench.path("keys.json"), keys).unwrap();
    fs_err::set_permissions(bench.path("keys.json"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let output = bench.output([
        "run",
        "film.mp4",
        "other.mp4",
        "--ladder",
        "fast",
        "--profiles",
        "mp4-ml",
        "--keys",
        "keys.json",
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("RF-KEY-005") && words.contains("title other"), "{words}");
    assert!(bench.origin().join("film/index.json").exists());
    assert!(!bench.origin().join("other").exists());
}

#[test]
fn rights_rules_leave_only_what_they_allow() {
    let bench = bench();
    bench.json(run("dash-*-2s,mp4-*", &["--drm", "playready,marlin", "--no-clear"]));
    let index = bench.index("film");
    let ids: Vec<_> =
        index["profiles"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["dash-pr-2s", "dash-ml-2s", "dash-pr-cbcs-2s", "mp4-ml"]);
    let output = bench.output(run("mp4-clr", &["--no-clear"]));
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("RF-CFG-006"));
    let output = bench.output(run("mp4-clr", &["--drm", "adobe"]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("widevine"), "{}", describe(&output));
}

#[test]
fn rights_rules_are_the_titles_and_grow_only_where_that_is_said() {
    const PROFILES: &str = "dash-clr-2s,dash-wv-2s,dash-pr-2s";
    let bench = bench();
    let online = || -> Vec<String> {
        let index = bench.index("film");
        let profiles = index["profiles"].as_array().unwrap();
        profiles.iter().map(|profile| profile["id"].as_str().unwrap().to_owned()).collect()
    };
    let narrow = ["--no-clear", "--drm", "widevine"];
    // They are the title's before anything of it is online.
    fails(&bench, PROFILES, &narrow);
    let output = bench.output(run(PROFILES, &[]));
    assert!(output.status.success(), "{}", describe(&output));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in ["dash-clr-2s, dash-pr-2s", "nothing in clear", "only widevine", "--new-rights"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(online(), ["dash-wv-2s"]);
    // Nothing that they allow.
    let words = refused(&bench, &run("dash-clr-2s", &["--drm", "playready"]), 4, "RF-CFG-007");
    assert!(words.contains("title film") && words.contains("--new-rights"), "{words}");
    assert_eq!(online(), ["dash-wv-2s"]);
    // Wider ones that never came online, however the submission ended.
    fails(&bench, PROFILES, &["--new-rights"]);
    is_rejected(&bench, PROFILES, &["--new-rights"]);
    bench.json(run(PROFILES, &[]));
    assert_eq!(online(), ["dash-wv-2s"]);
    bench.json(run(PROFILES, &["--new-rights"]));
    assert_eq!(online(), ["dash-clr-2s", "dash-wv-2s", "dash-pr-2s"]);
    // Narrower ones hold at once, also where they came from a submission that failed.
    fails(&bench, PROFILES, &["--drm", "playready"]);
    bench.json(run(PROFILES, &[]));
    assert_eq!(online(), ["dash-clr-2s", "dash-pr-2s"]);
}
