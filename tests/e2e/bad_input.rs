//! Bad input gets a clear error with its code and the right exit code, and leaves nothing at the origin.

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Bench, clips, describe, media_processes, tree, wait_until};

/// Makes the bad file; its name is the title's.
type Make = fn(&Bench) -> PathBuf;

struct Case {
    name: &'static str,
    code: &'static str,
    exit: i32,
    make: Make,
}

const VIDEO: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -b:v 1500k";
const SOUND: &str = "-f lavfi -i sine=sample_rate=48000:duration=3 -c:a aac -metadata:s:a:0 language=eng";

fn film_at(bench: &Bench, name: &str, rate: &str, size: &str) -> PathBuf {
    let path = bench.path(name);
    clips::make(&path, &format!("-f lavfi -i testsrc2=size={size}:rate={rate}:duration=3 {SOUND} {VIDEO}"))
}

/// Two films of three seconds one after the other, with rising times.
fn joined(bench: &Bench, name: &str, parts: [(&str, &str); 2]) -> PathBuf {
    let part = |(number, (rate, size)): (usize, (&str, &str))| {
        let path = bench.path(&format!("part-{number}.ts"));
        let offset = format!("-output_ts_offset {}", number * 3);
        clips::make(
            &path,
            &format!(
                "-f lavfi -i testsrc2=size={size}:rate={rate}:duration=3 {SOUND} {VIDEO} {offset} -f mpegts"
            ),
        );
        fs_err::read(path).unwrap()
    };
    let parts: Vec<Vec<u8>> = parts.into_iter().enumerate().map(part).collect();
    bytes(bench, name, &parts.concat())
}

const CASES: &[Case] = &[
    Case { name: "nosuch.mp4", code: "RF-SRC-001", exit: 3, make: |bench| bench.path("nosuch.mp4") },
    Case {
        name: "folder.mp4",
        code: "RF-SRC-002",
        exit: 1,
        make: |bench| {
            fs_err::create_dir(bench.path("folder.mp4")).unwrap();
            bench.path("folder.mp4")
        },
    },
    Case { name: "empty.mp4", code: "RF-SRC-003", exit: 1, make: |bench| bytes(bench, "empty.mp4", b"") },
    Case {
        name: "random.mp4",
        code: "RF-QC-001",
        exit: 1,
        make: |bench| {
            // A fixed sequence, so that the case is the same each time.
            let mut state = 1_u64;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            };
            let random: Vec<u8> = (0..200_000).map(|_| next()).collect();
            bytes(bench, "random.mp4", &random)
        },
    },
    Case {
        name: "text.mp4",
        code: "RF-QC-001",
        exit: 1,
        make: |bench| bytes(bench, "text.mp4", "Once upon a time there was a film.\n".repeat(100).as_bytes()),
    },
    Case {
        name: "playlist.mp4",
        code: "RF-QC-001",
        exit: 1,
        make: |bench| {
            let good = clips::film(&bench.path("good.mp4"), 3);
            let list =
                format!("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n", good.display());
            bytes(bench, "playlist.mp4", list.as_bytes())
        },
    },
    Case {
        name: "truncated.mp4",
        code: "RF-QC-011",
        exit: 1,
        make: |bench| {
            let whole = clips::make(
                &bench.path("whole.mp4"),
                &format!(
                    "-f lavfi -i testsrc2=size=640x360:rate=25:duration=3 {SOUND} {VIDEO} -movflags +faststart"
                ),
            );
            let content = fs_err::read(whole).unwrap();
            bytes(bench, "truncated.mp4", &content[..content.len() * 6 / 10])
        },
    },
    Case {
        name: "cut_off.mp4",
        code: "RF-QC-001",
        exit: 1,
        make: |bench| {
            let whole = clips::film(&bench.path("complete.mp4"), 3);
            let content = fs_err::read(whole).unwrap();
            bytes(bench, "cut_off.mp4", &content[..content.len() * 6 / 10])
        },
    },
    Case {
        name: "novideo.mp4",
        code: "RF-QC-003",
        exit: 1,
        make: |bench| clips::make(&bench.path("novideo.mp4"), SOUND),
    },
    Case {
        name: "noaudio.mp4",
        code: "RF-QC-008",
        exit: 1,
        make: |bench| {
            let path = bench.path("noaudio.mp4");
            clips::make(&path, &format!("-f lavfi -i testsrc2=size=640x360:rate=25:duration=3 {VIDEO}"))
        },
    },
    Case {
        name: "fractional.mp4",
        code: "RF-QC-004",
        exit: 1,
        make: |bench| film_at(bench, "fractional.mp4", "30000/1001", "640x360"),
    },
    Case {
        name: "variable.mp4",
        code: "RF-QC-005",
        exit: 1,
        make: |bench| {
            let path = bench.path("variable.mp4");
            let drop = "-vf select='not(eq(mod(n\\,7)\\,3))' -vsync vfr";
            clips::make(
                &path,
                &format!("-f lavfi -i testsrc2=size=640x360:rate=25:duration=3 {SOUND} {VIDEO} {drop}"),
            )
        },
    },
    Case {
        name: "sliver.mp4",
        code: "RF-QC-006",
        exit: 1,
        make: |bench| film_at(bench, "sliver.mp4", "25", "2x480"),
    },
    Case {
        name: "resized.ts",
        code: "RF-QC-007",
        exit: 1,
        make: |bench| joined(bench, "resized.ts", [("25", "640x360"), ("25", "854x480")]),
    },
    Case {
        name: "faster.ts",
        code: "RF-QC-005",
        exit: 1,
        make: |bench| joined(bench, "faster.ts", [("25", "640x360"), ("50", "640x360")]),
    },
];

fn bytes(bench: &Bench, name: &str, content: &[u8]) -> PathBuf {
    let path = bench.path(name);
    fs_err::write(&path, content).unwrap();
    path
}

#[test]
fn bad_files_are_named_with_code_and_exit_code_and_leave_nothing() {
    for case in CASES {
        let bench = Bench::new();
        let file = (case.make)(&bench);
        let output = bench.output(["run", file.to_str().unwrap(), "--ladder", "fast"]);
        assert_eq!(output.status.code(), Some(case.exit), "{}: {}", case.name, describe(&output));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(case.code), "{}: {words}", case.name);
        assert!(words.contains("reelfarm explain"), "{}: {words}", case.name);
        assert_eq!(tree(&bench.origin()).len(), 0, "{}: something was left at the origin", case.name);
    }
}

#[test]
fn odd_sizes_are_made_even_and_go_through() {
    let bench = Bench::new();
    let path = bench.path("odd.mkv");
    let odd = "-c:v libx264 -preset ultrafast -pix_fmt yuv444p -b:v 1500k";
    clips::make(&path, &format!("-f lavfi -i testsrc2=size=641x361:rate=25:duration=3 {SOUND} {odd}"));
    bench.json(["run", "odd.mkv", "--ladder", "fast", "--profiles", "mp4-clr", "--json"]);
    let index = bench.index("odd");
    let file = bench.origin().join("odd").join(index["profiles"][0]["manifest"].as_str().unwrap());
    assert_eq!(crate::support::players::ffmpeg_frames(&file), 75);
}

#[test]
fn one_bad_title_does_not_harm_the_others() {
    let bench = Bench::new();
    clips::film(&bench.path("good.mp4"), 3);
    bytes(&bench, "bad.mp4", b"no film");
    let output = bench.output([
        "run",
        "good.mp4",
        "bad.mp4",
        "nosuch.mp4",
        "--ladder",
        "fast",
        "--profiles",
        "mp4-clr",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let states: Vec<_> =
        result["titles"].as_array().unwrap().iter().map(|title| title["state"].clone()).collect();
    assert_eq!(states, ["published", "rejected", "refused"]);
    assert!(bench.origin().join("good/index.json").exists());
    assert!(!bench.origin().join("bad").exists());
}

#[test]
fn two_files_of_one_name_make_one_title_and_one_error() {
    let bench = Bench::new();
    fs_err::create_dir(bench.path("other")).unwrap();
    clips::film(&bench.path("film.mp4"), 3);
    clips::film(&bench.path("other/film.mp4"), 4);
    let arguments = |file| ["run", file, "--ladder", "fast", "--profiles", "mp4-clr"];
    let output =
        bench.output(["run", "film.mp4", "other/film.mp4", "--ladder", "fast", "--profiles", "mp4-clr"]);
    assert_eq!(output.status.code(), Some(4), "{}", describe(&output));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("RF-TTL-002") && words.contains("other/film.mp4"), "{words}");
    let first = tree(&bench.origin());
    assert!(first.contains_key("film/index.json"), "the first of the two is made");
    // A later call with the other file must not overwrite what is online.
    let later = bench.output(arguments("other/film.mp4"));
    assert_eq!(later.status.code(), Some(4), "{}", describe(&later));
    assert_eq!(tree(&bench.origin()), first);
}

#[test]
fn a_rejected_title_can_be_corrected_and_submitted_again() {
    let bench = Bench::new();
    bytes(&bench, "film.mp4", b"not yet delivered");
    let arguments = ["run", "film.mp4", "--ladder", "fast", "--profiles", "mp4-clr"];
    assert_eq!(bench.output(arguments).status.code(), Some(1));
    clips::film(&bench.path("film.mp4"), 3);
    let again = bench.output(arguments);
    assert!(again.status.success(), "{}", describe(&again));
}

#[test]
fn wrong_words_on_the_command_line_are_usage_errors() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    fs_err::write(bench.path("bad.toml"), "name = \"bad\"\nrungs = 3\n").unwrap();
    for (arguments, words) in [
        (vec!["run"], "required"),
        (vec!["run", "film.mp4", "--ladder", "best"], "RF-CFG-004"),
        (vec!["run", "film.mp4", "--ladder", "bad.toml"], "line 2"),
        (vec!["run", "film.mp4", "--profiles", "dash-clr-3s"], "RF-CFG-004"),
        (vec!["run", "film.mp4", "--audio-lang", "French"], "RF-CFG-004"),
        (vec!["run", "film.mp4", "--fast"], "--fast"),
    ] {
        let output = bench.output(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", describe(&output));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(words),
            "{arguments:?}: {}",
            describe(&output)
        );
        assert!(!bench.origin().exists(), "{arguments:?}");
    }
}

#[test]
fn a_film_that_lies_where_its_title_goes_is_left_alone() {
    let bench = Bench::new();
    fs_err::create_dir_all(bench.origin().join("film")).unwrap();
    let film = clips::film(&bench.origin().join("film/film.mp4"), 3);
    let arguments = ["run", film.to_str().unwrap(), "--ladder", "fast", "--profiles", "mp4-clr,dash-clr-2s"];
    let before = crate::support::md5(&film);
    assert!(bench.output(arguments).status.success());
    assert_eq!(crate::support::md5(&film), before);
    // A smaller set of profiles takes the others away, and still not what is not the farm's.
    assert!(
        bench
            .output(["run", film.to_str().unwrap(), "--ladder", "fast", "--profiles", "mp4-clr"])
            .status
            .success()
    );
    assert_eq!(crate::support::md5(&film), before);
    assert!(!bench.origin().join("film/dash-clr-2s").exists());
}

#[test]
fn one_file_named_in_two_ways_is_one_title() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    let output = bench.output(["run", "film.mp4", "./film.mp4", "--ladder", "fast", "--profiles", "mp4-clr"]);
    assert!(output.status.success(), "{}", describe(&output));
}

#[test]
fn a_title_of_another_farm_is_not_overwritten() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    let arguments = ["run", "film.mp4", "--ladder", "fast", "--profiles", "mp4-clr"];
    let output = bench.output(arguments);
    assert!(output.status.success(), "{}", describe(&output));
    let online = tree(&bench.origin());
    // Another state folder knows nothing of the title; another film of that name must not replace it, however often it
    // is asked to.
    clips::film(&bench.path("film.mp4"), 4);
    for _ in 0..3 {
        let output = bench.output([&arguments[..], &["--state", "other"]].concat());
        assert_eq!(output.status.code(), Some(4), "{}", describe(&output));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains("RF-TTL-002") && words.contains("made from another source"), "{words}");
        assert_eq!(tree(&bench.origin()), online);
    }
    // Where there is room, the other farm has its title; that gives it no right to the first farm's.
    let elsewhere = [&arguments[..], &["--state", "other", "--origin", "elsewhere"]].concat();
    let output = bench.output(elsewhere);
    assert!(output.status.success(), "{}", describe(&output));
    let online_elsewhere = tree(&bench.path("elsewhere"));
    for _ in 0..2 {
        let output = bench.output([&arguments[..], &["--state", "other"]].concat());
        assert_eq!(output.status.code(), Some(4), "{}", describe(&output));
        assert_eq!(tree(&bench.origin()), online);
        assert_eq!(tree(&bench.path("elsewhere")), online_elsewhere);
    }
}

#[test]
fn a_new_delivery_replaces_what_its_own_farm_put_online() {
    let bench = Bench::new();
    let arguments = ["run", "film.mp4", "--ladder", "fast", "--profiles", "mp4-clr"];
    let mut sources = Vec::new();
    for seconds in [3, 4] {
        clips::film(&bench.path("film.mp4"), seconds);
        let output = bench.output(arguments);
        assert!(output.status.success(), "{}", describe(&output));
        sources.push(bench.index("film")["source"].as_str().unwrap().to_owned());
    }
    assert_ne!(sources[0], sources[1]);
}

/// The first file's title came to have its name free again, and the second's to have it.
#[test]
fn a_file_does_not_replace_what_was_put_online_from_another_of_its_name() {
    let bench = Bench::new();
    let run = |file: &'static str, origin: &'static str| {
        bench.output(["run", file, "--ladder", "fast", "--profiles", "mp4-clr", "--origin", origin])
    };
    clips::film(&bench.path("film.mp4"), 3);
    assert!(run("film.mp4", "origin").status.success());
    let online = tree(&bench.origin());
    bytes(&bench, "film.mp4", b"a broken delivery");
    assert_eq!(run("film.mp4", "origin").status.code(), Some(1));
    fs_err::create_dir(bench.path("other")).unwrap();
    clips::film(&bench.path("other/film.mp4"), 4);
    let refused = run("other/film.mp4", "origin");
    assert_eq!(refused.status.code(), Some(4), "{}", describe(&refused));
    assert!(run("other/film.mp4", "elsewhere").status.success());
    for _ in 0..2 {
        let refused = run("other/film.mp4", "origin");
        assert_eq!(refused.status.code(), Some(4), "{}", describe(&refused));
        assert_eq!(tree(&bench.origin()), online);
    }
}

/// Whichever of the two is being read when it goes.
#[test]
fn of_two_equal_files_the_loss_of_one_fails_its_own_title_alone() {
    let bench = Bench::new();
    let files = [("film", bench.path("film.mp4")), ("copy", bench.path("copy.mp4"))];
    clips::film(&files[0].1, 20);
    fs_err::copy(&files[0].1, &files[1].1).unwrap();
    let mut farm = bench.start(["run", "film.mp4", "copy.mp4", "--ladder", "fast", "--profiles", "mp4-clr"]);
    let is_read = |process: u32, file: &Path| {
        let open = fs_err::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        open.into_iter().any(|entry| fs_err::read_link(entry.path()).is_ok_and(|target| target == file))
    };
    // Stopped with the file open: it ends only after the file is gone.
    let mut found = None;
    wait_until("an encode reads one of the files", || {
        // Before its submission there is no title to ask for.
        if !bench.output(["status", "film"]).status.success()
            || !bench.attempts("film").keys().any(|label| label.starts_with("encode-video"))
        {
            return false;
        }
        for process in media_processes(farm.id()) {
            let id = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
            if kill_process(id, Signal::STOP).is_err() {
                continue;
            }
            found = files.iter().find(|(_, file)| is_read(process, file)).map(|file| (id, file));
            if found.is_some() {
                return true;
            }
            assert!(matches!(kill_process(id, Signal::CONT), Ok(()) | Err(Errno::SRCH)));
        }
        false
    });
    let (process, (lost, file)) = found.unwrap();
    fs_err::remove_file(file).unwrap();
    kill_process(process, Signal::CONT).unwrap();
    assert_eq!(farm.wait().code(), Some(3), "{}", farm.log());
    assert!(farm.log().contains("RF-SRC-001"), "{}", farm.log());
    for (title, _) in &files {
        let state = if title == lost { "failed" } else { "published" };
        assert_eq!(
            bench.json(["status", title, "--json"])["title"]["state"],
            state,
            "{title}: {}",
            farm.log()
        );
        assert_eq!(bench.origin().join(title).join("index.json").exists(), title != lost);
    }
}
