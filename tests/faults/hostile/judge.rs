//! `reelfarm qc` on a hostile file: what it said and what it took.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Bench, describe};

/// The most memory that any process of a check may take here, in MiB. These files are small: what takes more was asked
/// for by a header.
const MOST_MEBIBYTES: u64 = 1024;

/// Runs a program and writes into a file how much memory the largest of its processes took, in KiB: only who waits for
/// a process is told.
const WITNESS: &str = "
import os, sys
process = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(process, 0)
with open(sys.argv[1], 'w') as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status) & 255)
";

/// What became of a file.
#[derive(Debug)]
pub(super) struct Judged {
    /// `pass`, `warn`, `human` or `reject`; empty where there is no report.
    pub verdict: String,
    /// The codes of all checks that reject, or of the failure where there is no report.
    pub codes: Vec<String>,
    /// What the checks that reject found.
    pub found: String,
}

impl Judged {
    /// Whether a check with this code rejects.
    pub(super) fn is_for(&self, code: &str) -> bool {
        self.codes.iter().any(|found| found == code)
    }
}

/// Writes a file and judges it.
pub(super) fn judge_bytes(name: &str, bytes: &[u8]) -> Judged {
    let bench = Bench::new();
    let path = bench.path(name);
    fs_err::write(&path, bytes).unwrap();
    judge(&bench, &path)
}

/// Judges a file, and sees that the check ended as it must: with a verdict, or else with the death of the media process
/// and nothing else; without a panic; within the memory.
pub(super) fn judge(bench: &Bench, path: &Path) -> Judged {
    let peak = bench.path("peak");
    let output = witnessed(bench, path, &peak).output().unwrap();
    let words = describe(&output);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}: {words}", path.display());
    assert!(!words.contains("panicked at"), "{}: {words}", path.display());
    let mebibytes = fs_err::read_to_string(peak).unwrap().parse::<u64>().unwrap() / 1024;
    assert!(mebibytes < MOST_MEBIBYTES, "{}: {mebibytes} MiB; {words}", path.display());
    if output.stdout.is_empty() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let named = errors.find("RF-ENC-003").unwrap_or_else(|| panic!("{}: {words}", path.display()));
        let code = errors[named..named + 10].to_owned();
        return Judged { verdict: String::new(), codes: vec![code], found: errors };
    }
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {words}"));
    let verdict = report["verdict"].as_str().unwrap().to_owned();
    assert_eq!(output.status.success(), verdict == "pass" || verdict == "warn", "{words}");
    let checks = report["checks"].as_array().unwrap();
    let rejecting: Vec<_> = checks.iter().filter(|check| check["verdict"] == "reject").collect();
    let texts = |field: &str| {
        rejecting.iter().map(|check| check[field].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    Judged { verdict, codes: texts("code"), found: texts("value").join("; ") }
}

fn witnessed(bench: &Bench, path: &Path, peak: &Path) -> Command {
    let reelfarm = bench.reelfarm(["qc", path.to_str().unwrap(), "--json", "--no-subtitles"]);
    let mut command = Command::new("python3");
    command.args(["-c", WITNESS]).arg(peak).arg(reelfarm.get_program()).args(reelfarm.get_args());
    command.current_dir(reelfarm.get_current_dir().unwrap()).stdin(std::process::Stdio::null());
    for (name, value) in reelfarm.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
