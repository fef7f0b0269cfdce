//! `reelfarm doctor`: what is missing on this machine, and how to get it.

use std::path::Path;

use reelfarm_model::Failure;
use reelfarm_model::recipe::ToolVersions;
use serde::Serialize;

use crate::arguments::Doctor;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::tools;

/// Free space under which a title may not fit, in bytes.
const SPACE_WANTED: u64 = 10 << 30;
/// The version that the profiles were verified with.
const PACKAGER_VERIFIED: &str = "v3.8.0";

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    name: &'static str,
    /// Whether titles can be made with it as it is.
    good: bool,
    found: String,
    /// How to mend it; empty where it is good.
    remedy: String,
}

/// Looks at everything and prints it. Exits with 0 where titles can be made, 1 where not.
pub async fn run(verb: Doctor, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let state = project.state(verb.state.state.as_ref());
    let versions = tools::media_versions().await?;
    let findings = [
        tool(
            &versions,
            ToolVersions::FFMPEG,
            "FFmpeg",
            "apt-get install libavcodec59 libavformat59 libavfilter8",
        ),
        tool(&versions, ToolVersions::X264, "x264", "install an FFmpeg that has the libx264 encoder"),
        Finding {
            // Most ladders need none.
            good: true,
            ..tool(
                &versions,
                ToolVersions::X265,
                "x265",
                "for ladders with HEVC, install an FFmpeg that has the libx265 encoder",
            )
        },
        tool(&versions, ToolVersions::ZIMG, "zimg", "install an FFmpeg that has the zscale filter"),
        packager(&project).await,
        state_folder(&state),
        processors(),
    ];
    let good = findings.iter().all(|finding| finding.good);
    if verb.json.json {
        printer.json(&findings);
    } else {
        for finding in &findings {
            let mark = if finding.good { "ok     " } else { "MISSING" };
            printer.data(&format!("{mark}  {:<14} {}", finding.name, finding.found));
            if !finding.remedy.is_empty() {
                printer.data(&format!("         {:<14} {}", "", finding.remedy));
            }
        }
    }
    Ok(if good { Exit::Done } else { Exit::Failed })
}

fn tool(versions: &ToolVersions, key: &str, name: &'static str, remedy: &str) -> Finding {
    match versions.0.get(key) {
        Some(version) => Finding { name, good: true, found: version.clone(), remedy: String::new() },
        None => Finding { name, good: false, found: "not found".to_owned(), remedy: remedy.to_owned() },
    }
}

async fn packager(project: &Project) -> Finding {
    let name = "Shaka Packager";
    match tools::packager(project).version().await {
        Ok(version) => {
            let verified = version.starts_with(PACKAGER_VERIFIED);
            let remedy =
                format!("the profiles were verified with {PACKAGER_VERIFIED}; scripts/setup installs it");
            Finding {
                name,
                good: true,
                found: version,
                remedy: if verified { String::new() } else { remedy },
            }
        }
        Err(failure) => Finding {
            name,
            good: false,
            found: failure.message,
            remedy: "scripts/setup installs it; or name it with REELFARM_PACKAGER".to_owned(),
        },
    }
}

fn state_folder(state: &Path) -> Finding {
    let name = "state folder";
    let place = std::path::absolute(state).unwrap_or_else(|_| state.to_owned());
    // The folder may not be made yet; then what counts is where it would be.
    let there = place.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let writable = rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_ok();
    let free =
        rustix::fs::statvfs(there).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)).unwrap_or(0);
    let found = format!("{}, {} GiB free", place.display(), free >> 30);
    let remedy = if !writable {
        "this user may not write there; name another folder with --state".to_owned()
    } else if free < SPACE_WANTED {
        "a long title needs more; free some space or name another folder with --state".to_owned()
    } else {
        String::new()
    };
    Finding { name, good: writable && free > SPACE_WANTED / 10, found, remedy }
}

fn processors() -> Finding {
    let found = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    Finding { name: "processors", good: true, found, remedy: String::new() }
}
