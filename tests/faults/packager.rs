//! Packagers that fail with a title's keys in their hands: each fault has its code, nothing reaches the origin, no key is
//! left anywhere, and a sound packager goes on without a picture encoded again.

use std::os::unix::fs::PermissionsExt as _;

use crate::secrets::watched;
use crate::support::{Bench, KEY, KEY_ID, clips, packager, tree};

/// Profiles of three kinds of media set: counter mode in segments, whole files, and SAMPLE-AES in MPEG-TS.
const CENC: &str = "dash-wv-2s";
const ONE_FILE: &str = "od-pr-2s";
const SAMPLE_AES: &str = "ts-fp-2s";

struct Fault {
    profile: &'static str,
    /// A shell script that does what the packager should have done, with `$PACKAGER` for the real one.
    script: &'static str,
    code: &'static str,
    exit: i32,
    says: &'static str,
    /// How often packaging is tried, and how it ends each time.
    attempts: &'static [&'static str],
}

const THRICE: &[&str] = &["failed"; 3];

impl Fault {
    #[track_caller]
    fn meets(&self) {
        let Self { profile, script, code, exit, says, attempts } = *self;
        let bench = Bench::new();
        bench.keys(KEY_ID, KEY);
        clips::film(&bench.path("film.mp4"), 5);
        let run =
            |profiles| ["run", "film.mp4", "--ladder", "fast", "--keys", "keys.json", "--profiles", profiles];
        // What needs no packager is online already.
        let output = bench.output(run("mp4-clr"));
        assert!(output.status.success(), "{}", crate::support::describe(&output));
        let (online, before) = (tree(&bench.origin()), bench.attempts("film"));

        let broken = bench.path("packager.sh");
        let text = format!(
            "#!/bin/sh\nPACKAGER={}\nSCRATCH={}\n[ \"$1\" = --version ] && exec $PACKAGER --version\n{script}\n",
            packager().display(),
            bench.path("scratch").display()
        );
        fs_err::create_dir(bench.path("scratch")).unwrap();
        fs_err::write(&broken, text).unwrap();
        fs_err::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
        let profiles = format!("{profile},mp4-clr");
        let (outcome, found) = watched(&bench, &profiles, broken.to_str());
        assert_eq!(outcome.code, Some(exit), "{}", outcome.failures());
        let failures = outcome.failures();
        assert!(failures.contains(code) && failures.contains(says), "{says}: {failures}");
        assert!(found.is_empty(), "the key was found: {found:?}");
        assert_eq!(tree(&bench.origin()), online, "nothing half-made is online");
        assert!(tree(&bench.path(".reelfarm/artifacts/staging")).is_empty());
        let after = bench.attempts("film");
        let package =
            after.iter().find(|(label, _)| label.starts_with("package") && !before.contains_key(*label));
        assert_eq!(package.unwrap().1, attempts, "{after:?}");

        let (outcome, found) = watched(&bench, &profiles, None);
        assert_eq!(outcome.code, Some(0), "{}", outcome.failures());
        assert!(found.is_empty(), "the key was found: {found:?}");
        let after = bench.attempts("film");
        for (label, outcomes) in before.iter().filter(|(label, _)| label.starts_with("encode")) {
            assert_eq!(&after[label], outcomes, "{label}");
        }
    }
}

#[test]
fn it_is_killed_with_its_work_half_done() {
    let fault = Fault {
        profile: CENC,
        script: "$PACKAGER \"$@\"; rm video-*/2.m4s; kill -KILL $$",
        code: "RF-PKG-002",
        exit: 1,
        says: "signal: 9 (SIGKILL)",
        attempts: THRICE,
    };
    fault.meets();
}

#[test]
fn it_is_killed_with_its_work_done() {
    let fault = Fault {
        profile: ONE_FILE,
        script: "$PACKAGER \"$@\"; kill -KILL $$",
        code: "RF-PKG-002",
        exit: 1,
        says: "signal: 9 (SIGKILL)",
        attempts: THRICE,
    };
    fault.meets();
}

#[test]
fn it_runs_out_of_disk() {
    // A real file system that is really full, in the place of its output, seen by it alone.
    let fault = Fault {
        profile: CENC,
        script: "export PACKAGER; exec unshare --map-root-user --mount sh -c \
                 'mount -t tmpfs -o size=64k tmpfs . && cd \"$PWD\" && exec $PACKAGER \"$@\"' sh \"$@\"",
        code: "RF-ART-002",
        exit: 5,
        says: "the disk seems full",
        attempts: THRICE,
    };
    fault.meets();
}

#[test]
fn it_presents_a_part_of_the_film_and_says_all_is_well() {
    // As it does itself with input that is cut.
    let fault = Fault {
        profile: SAMPLE_AES,
        script: "for word do shift\n\
                 case $word in in=*)\n\
                   file=${word#in=}; file=${file%%,*}; cut=$(mktemp -u $SCRATCH/XXXXXX.mp4)\n\
                   ffmpeg -v error -nostdin -t 2 -i \"$file\" -c copy $cut; word=in=$cut,${word#*,};;\n\
                 esac\n\
                 set -- \"$@\" \"$word\"; done\n\
                 exec $PACKAGER \"$@\"",
        code: "RF-PKG-002",
        exit: 1,
        says: "reported success, but",
        attempts: THRICE,
    };
    fault.meets();
}

#[test]
fn it_makes_nothing_and_says_all_is_well() {
    let fault = Fault {
        profile: SAMPLE_AES,
        script: "cat > /dev/null; exit 0",
        code: "RF-PKG-002",
        exit: 1,
        says: "reported success, but",
        attempts: THRICE,
    };
    fault.meets();
}

#[test]
fn it_encrypts_nothing_and_says_all_is_well() {
    let fault = Fault {
        profile: CENC,
        script: "for word do shift\n\
                 case $word in --enable_raw*|--flagfile*|--protection_scheme*) ;; *) set -- \"$@\" \"$word\";; esac\n\
                 done\n\
                 exec $PACKAGER \"$@\"",
        code: "RF-PKG-004",
        exit: 1,
        says: "it names a key where it should not, or none where it should",
        attempts: &["completed"],
    };
    fault.meets();
}

#[test]
fn it_encrypts_with_another_key_and_says_all_is_well() {
    let fault = Fault {
        profile: ONE_FILE,
        script: "sed 's/:key=[0-9a-f]*/:key=00112233445566778899aabbccddee00/g' | $PACKAGER \"$@\"",
        code: "RF-VER-001",
        exit: 1,
        says: "od-pr-2s",
        attempts: &["completed"],
    };
    fault.meets();
}

#[test]
fn it_is_gone_when_it_is_needed() {
    let fault = Fault {
        profile: SAMPLE_AES,
        script: "exit 127",
        code: "RF-PKG-001",
        exit: 1,
        says: "cannot be started",
        attempts: THRICE,
    };
    fault.meets();
}

#[test]
fn another_version_makes_media_of_its_own_with_the_same_keys() {
    let bench = Bench::new();
    bench.keys(KEY_ID, KEY);
    clips::film(&bench.path("film.mp4"), 5);
    let (outcome, found) = watched(&bench, CENC, None);
    assert!(outcome.code == Some(0) && found.is_empty(), "{found:?}: {}", outcome.failures());
    let (before, index) = (bench.attempts("film"), bench.index("film"));
    let other = bench.path("packager.sh");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo packager version v9.9.9 && exit\nexec {} \"$@\"\n",
        packager().display()
    );
    fs_err::write(&other, script).unwrap();
    fs_err::set_permissions(&other, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (outcome, found) = watched(&bench, CENC, other.to_str());
    assert!(outcome.code == Some(0) && found.is_empty(), "{found:?}: {}", outcome.failures());
    let after = bench.attempts("film");
    let kept = |label: &str| label.starts_with("encode") || label.starts_with("keys");
    for (label, outcomes) in before.iter().filter(|(label, _)| kept(label)) {
        assert_eq!(&after[label], outcomes, "{label}");
    }
    let media = |index: &serde_json::Value| index["profiles"][0]["media_path"].as_str().unwrap().to_owned();
    assert_ne!(
        media(&bench.index("film")),
        media(&index),
        "media of one version are not taken for another's"
    );
    assert!(!bench.origin().join("film").join(media(&index)).exists(), "the old ones are taken away");
}
