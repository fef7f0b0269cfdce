//! Clips: real ones that come with the project, and ones made by FFmpeg for a purpose.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{repository, tool};

/// A clip that the project did not make: `tests/media/README.md` says where it comes from.
pub fn real(name: &str) -> PathBuf {
    ["tests/media", ".tools/media"]
        .map(|folder| repository().join(folder).join(name))
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("the clip {name} is not there: run scripts/setup --tests"))
}

/// Makes a clip with FFmpeg from these arguments.
pub fn make(path: &Path, arguments: &str) -> PathBuf {
    let arguments = arguments.split_whitespace();
    tool(Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments).arg(path));
    path.to_owned()
}

/// A small, good film of whole seconds with stereo sound in English.
pub fn film(path: &Path, seconds: u32) -> PathBuf {
    make(
        path,
        &format!(
            "-f lavfi -i testsrc2=size=640x360:rate=25:duration={seconds} \
             -f lavfi -i sine=frequency=440:sample_rate=48000:duration={seconds} \
             -c:v libx264 -preset ultrafast -b:v 1500k -pix_fmt yuv420p -c:a aac -ac 2 -metadata:s:a:0 language=eng"
        ),
    )
}

/// The same, but that nothing says in which language it is.
pub fn film_of_no_language(path: &Path, seconds: u32) -> PathBuf {
    make(
        path,
        &format!(
            "-f lavfi -i testsrc2=size=640x360:rate=25:duration={seconds} \
             -f lavfi -i sine=frequency=440:sample_rate=48000:duration={seconds} \
             -c:v libx264 -preset ultrafast -b:v 1500k -pix_fmt yuv420p -c:a aac -ac 2"
        ),
    )
}

/// The QC policy that comes with the farm, but that a person has to say in which language a film is.
pub fn policy_that_asks() -> String {
    let text = fs_err::read_to_string(repository().join("ladders/qc.toml")).unwrap();
    let asked = text.replace("missing_language_verdict = \"warn\"", "missing_language_verdict = \"human\"");
    assert_ne!(asked, text);
    asked
}
