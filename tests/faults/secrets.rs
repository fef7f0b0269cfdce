//! A known content key is looked for wherever it does not belong, while the farm works and afterwards.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use crate::support::canary::{files_with, found_in};
use crate::support::{Bench, KEY, KEY_ID, clips, descendants, tree};

/// What every process of the farm can be seen with while it runs.
fn look_at_processes(parent: u32, seen: &mut BTreeSet<u32>, found: &mut BTreeSet<String>) {
    for process in descendants(parent) {
        for file in ["cmdline", "environ"] {
            // It may have ended meanwhile.
            let Ok(bytes) = fs_err::read(format!("/proc/{process}/{file}")) else { continue };
            seen.insert(process);
            if let Some(form) = found_in(&bytes, KEY) {
                found.insert(format!("{file} of {} ({form})", String::from_utf8_lossy(&bytes)));
            }
        }
    }
}

/// `None` where the server has gone.
fn scrape(address: &str) -> Option<Vec<u8>> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: farm\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    answer.starts_with(b"HTTP/1.1 200").then_some(answer)
}

pub(crate) struct Outcome {
    /// The exit code.
    pub(crate) code: Option<i32>,
    /// Everything that was said: standard output, log and metrics.
    pub(crate) text: String,
    processes: usize,
}

impl Outcome {
    /// What was said of failures.
    pub(crate) fn failures(&self) -> String {
        self.text.lines().filter(|line| line.contains("RF-")).collect::<Vec<_>>().join("\n")
    }
}

/// Runs the farm with all its logs on, looks at its processes all the time, and at everything it left.
pub(crate) fn watched(bench: &Bench, profiles: &str, packager: Option<&str>) -> (Outcome, BTreeSet<String>) {
    let mut command = bench.reelfarm([
        "run",
        "film.mp4",
        "--ladder",
        "fast",
        "--keys",
        "keys.json",
        "--profiles",
        profiles,
        "--json",
        "--log",
        "trace,hyper=info",
        "--log-format",
        "json",
        "--metrics-addr",
        "127.0.0.1:0",
    ]);
    if let Some(packager) = packager {
        command.env("REELFARM_PACKAGER", packager);
    }
    let mut farm = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let stderr = BufReader::new(farm.stderr.take().unwrap());
    let (sender, address) = std::sync::mpsc::channel();
    let log = std::thread::spawn(move || {
        let mut lines = Vec::new();
        for line in stderr.split(b'\n').map(Result::unwrap) {
            let text = String::from_utf8_lossy(&line);
            if let Some((_, address)) = text.split_once("metrics at http://") {
                // Nobody waits for it any more where the farm has ended already.
                drop(sender.send(address.split('/').next().unwrap().to_owned()));
            }
            lines.push(line);
        }
        lines
    });
    let address: String = address.recv().unwrap();
    let (mut metrics, mut text) = (Vec::new(), String::new());
    let status = loop {
        look_at_processes(farm.id(), &mut seen, &mut found);
        metrics = scrape(&address).unwrap_or(metrics);
        if let Some(status) = farm.try_wait().unwrap() {
            break status;
        }
    };
    assert!(!metrics.is_empty(), "the metrics were read");
    let mut stdout = Vec::new();
    farm.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    let log = log.join().unwrap();
    assert!(log.len() > 100, "the log was on");
    for (what, bytes) in
        [("standard output", stdout), ("the log", log.join(&b'\n')), ("the metrics", metrics)]
    {
        found.extend(found_in(&bytes, KEY).map(|form| format!("{what} ({form})")));
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    found.extend(files_with(&bench.path(""), KEY));
    (Outcome { code: status.code(), text, processes: seen.len() }, found)
}

#[test]
fn a_content_key_is_found_only_where_it_belongs() {
    let bench = Bench::new();
    bench.keys(KEY_ID, KEY);
    clips::film(&bench.path("film.mp4"), 5);
    let (outcome, found) = watched(&bench, "all", None);
    assert_eq!(outcome.code, Some(0), "{}", outcome.failures());
    assert!(outcome.processes > 3, "processes were looked at");
    let ids = files_with(&bench.path(""), KEY_ID);
    for form in ["raw", "hexadecimal"] {
        assert!(
            ids.iter().any(|place| place.ends_with(&format!("({form})"))),
            "what is no secret is found: {ids:?}"
        );
    }
    // AES-128 for QA, whose key file anybody may fetch, has a key of its own.
    assert!(found.is_empty(), "{found:?}");
    let key_files: Vec<_> = tree(&bench.origin()).into_keys().filter(|path| path.ends_with(".key")).collect();
    assert_eq!(key_files.len(), 2, "of the profiles ts-aes-2s and ts-aes-4s: {key_files:?}");
}

/// Given a key that it does not understand, or an input that is no film, the packager prints what it was given.
#[test]
fn a_packager_that_fails_with_the_keys_in_its_hands_betrays_nothing() {
    for behaviour in [
        "#!/bin/sh\n[ \"$1\" = --version ] && exec PACKAGER --version\ncat >&2\nexit 1\n",
        "#!/bin/sh\n[ \"$1\" = --version ] && exec PACKAGER --version\nwhile read line; do echo \"bad flag $line\" | fold -w 40 >&2; done\nexit 2\n",
    ] {
        let bench = Bench::new();
        bench.keys(KEY_ID, KEY);
        clips::film(&bench.path("film.mp4"), 3);
        let script = bench.path("packager.sh");
        let real = crate::support::packager().to_string_lossy().into_owned();
        fs_err::write(&script, behaviour.replace("PACKAGER", &real)).unwrap();
        fs_err::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let (outcome, found) = watched(&bench, "dash-wv-2s", script.to_str());
        assert_eq!(outcome.code, Some(1));
        assert!(outcome.text.contains("RF-PKG-002"), "the failure is told");
        assert!(found.is_empty(), "{found:?}");
    }
}
