//! Real players in a real browser: headless Chromium with Shaka Player and hls.js.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What a player in the browser saw.
#[derive(Debug, Deserialize)]
pub struct Played {
    /// `ended` where it played to its end.
    pub end: String,
    /// The presentation's duration in seconds, as the player states it.
    pub duration: f64,
    /// Frames that were decoded.
    pub frames: u64,
    /// Different pictures that were on the screen.
    pub pictures: u64,
    /// The subtitles that were shown.
    pub cues: Vec<ShownCue>,
    /// Whatever went wrong.
    pub errors: Vec<String>,
}

/// A subtitle as the browser showed it.
#[derive(Debug, Deserialize)]
pub struct ShownCue {
    /// When it appeared, in seconds of the picture.
    pub start: f64,
    /// When it went.
    pub end: f64,
    /// What it said.
    pub text: String,
}

/// What a browser made of a page.
#[derive(Debug, Deserialize)]
pub struct Opened {
    /// Its title.
    pub title: String,
    /// Its pictures.
    pub images: Vec<Image>,
    /// The height of the drawing in it, in pixels; 0 where there is none.
    pub drawing: f64,
    /// What else it asked for than itself and data of its own.
    pub requests: Vec<String>,
    /// Whatever went wrong, what its own policy forbids included.
    pub errors: Vec<String>,
}

/// A picture of a page.
#[derive(Debug, Deserialize)]
pub struct Image {
    /// Its width in samples, once it was decoded; 0 where that failed.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// The mean of its samples, 0 to 255.
    pub light: f64,
    /// The words for those who do not see it.
    pub alternative: String,
}

/// Opens a page that lies in a file.
pub fn open(page: &Path) -> Opened {
    node("page.mjs", &serde_json::json!({ "page": format!("file://{}", page.display()) }))
}

/// The same as [`play`], with the subtitles of a language.
pub fn play_with_subtitles(player: &str, manifest: &str, language: &str) -> Played {
    node("play.mjs", &serde_json::json!({ "player": player, "manifest": manifest, "subtitles": language }))
}

/// Plays a manifest to its end with `player`: `shaka` or `hls`. `keys` are ClearKey keys by their ids, in hexadecimal.
pub fn play(player: &str, manifest: &str, keys: &BTreeMap<String, String>) -> Played {
    node("play.mjs", &serde_json::json!({ "player": player, "manifest": manifest, "keys": keys }))
}

fn node<T: DeserializeOwned>(script: &str, request: &serde_json::Value) -> T {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut child = Command::new("node")
        .arg(root.join("tests/browser").join(script))
        .arg(root.join(".tools/browser"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

impl Played {
    /// It played to its end: all frames, and a picture that changed.
    pub fn assert_whole(&self, frames: u64) {
        assert_eq!(self.end, "ended", "{self:?}");
        assert!(self.errors.is_empty(), "{self:?}");
        assert_eq!(self.frames, frames, "{self:?}");
        // A busy machine shows fewer pictures than it decodes.
        assert!(self.pictures >= 5, "{self:?}");
    }
}
