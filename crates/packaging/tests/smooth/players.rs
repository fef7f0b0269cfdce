//! Real players play what was made to its end, and FFmpeg decodes the renditions' frames from it.

use std::path::Path;
use std::process::Command;

use reelfarm_packaging::smooth::read::Stream;

use crate::cmaf::{CLIP, KEY_BYTES, Renditions, ffmpeg, protection};
use crate::readback::manifest;
use crate::server::serve;

/// Plays an address with GStreamer for at most a minute. `words` says what it prints: `-v` what elements become, `-m`
/// the messages that they post.
pub(crate) fn gstreamer(uri: &str, words: &str, options: &[&str]) -> String {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "60", "gst-launch-1.0", words, "playbin"]);
    let output = command.arg(format!("uri={uri}")).args(options).output().unwrap();
    assert!(output.status.success(), "{uri}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a sink prints of every buffer that it gets. Only one may print: of what two print at once, some is lost.
const PRINTING: &str = "fakesink name=printing silent=false sync=false";
/// A sink that prints nothing.
const SILENT: &str = "fakesink sync=false";

/// The size of a buffer, in the line that a printing sink says of it.
fn bytes_of_buffer(line: &str) -> Option<u64> {
    let (_, said) = line.split_once("printing: last-message = chain")?;
    let (before, _) = said.split_once(" bytes,")?;
    before.rsplit('(').next()?.trim().parse().ok()
}

#[test]
fn gstreamer_plays_every_quality_to_the_end() {
    let renditions = Renditions::encode(&CLIP);
    for (seconds, speed, width) in [(2, 100_000, 320), (4, 100_000, 320), (4, 1, 192)] {
        let name = format!("{seconds}-{width}");
        let cmaf = renditions.cmaf(&format!("cmaf-{name}"), seconds, false);
        let folder = renditions.smooth(&format!("smooth-{name}"), &cmaf, None);
        let uri = format!("http://{}/Manifest", serve(&folder));
        // In kb/s; with 1, the smallest picture is all that is asked for.
        let speed = format!("connection-speed={speed}");
        let play = |picture: &str, sound: &str| {
            let sinks = [format!("video-sink={picture}"), format!("audio-sink={sound}")];
            let text = gstreamer(&uri, "-v", &[&speed, &sinks[0], &sinks[1]]);
            assert!(text.contains("Got EOS from element \"playbin0\""), "{name}: {text}");
            text
        };
        let count = |text: &str| {
            text.lines().filter(|line| line.contains("printing: last-message = chain")).count() as u64
        };
        let text = play(PRINTING, SILENT);
        assert_eq!(count(&text), CLIP.frame_count, "{name}");
        // The pictures have the asked size: raw ones of 320 are more than twice as large as those of 192, padding or not.
        let sizes: Vec<u64> = text.lines().filter_map(bytes_of_buffer).collect();
        assert_eq!(sizes.len() as u64, CLIP.frame_count, "{name}");
        let raw = |width: u64| width * (width * 9 / 16) * 3 / 2;
        let fits = |size: &u64| (raw(width)..2 * raw(width)).contains(size);
        assert!(sizes.iter().all(fits), "{name}: {:?}", sizes.first());
        // 517 frames in 11 s and the priming before it.
        assert_eq!(count(&play(SILENT, PRINTING)), 517, "{name}");
    }
}

/// A file header for FFmpeg, of the initialisation segment of CMAF: with the track's number and the ticks of the
/// fragments, and without an edit list.
fn header(initialization: &Path, track: u32) -> Vec<u8> {
    let mut bytes = fs_err::read(initialization).unwrap();
    let mut patch = |kind: &[u8; 4], offset: usize, word: [u8; 4]| {
        let found = bytes.windows(4).position(|window| window == kind);
        if let Some(at) = found.map(|at| at + offset) {
            bytes[at..at + 4].copy_from_slice(&word);
        }
        found.is_some()
    };
    assert!(patch(b"tkhd", 16, track.to_be_bytes()));
    assert!(patch(b"trex", 8, track.to_be_bytes()));
    assert!(patch(b"mdhd", 16, 10_000_000u32.to_be_bytes()));
    // Pictures without B-frames have none.
    patch(b"edts", 0, *b"free");
    bytes
}

/// The fragments of a quality.
fn fragments(folder: &Path, stream: &Stream, level: usize) -> Vec<Vec<u8>> {
    let level = &stream.levels[level];
    stream.chunks.iter().map(|chunk| fs_err::read(folder.join(stream.path(level, *chunk))).unwrap()).collect()
}

/// Hashes of a file's frames: decoded ones of pictures, and coded ones of sound, whose first would be cut by the edit list.
fn hashes(file: &Path, options: &[&str], is_video: bool) -> Vec<String> {
    let arguments = [options, &["-i", file.to_str().unwrap()]].concat();
    let codec = if is_video { &[][..] } else { &["-c", "copy"] };
    let text = ffmpeg(&[&arguments, codec, &["-f", "framemd5", "-"]].concat());
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(',').nth(5).unwrap().trim().to_owned()).collect()
}

/// Compares every quality with its rendition, as FFmpeg reads files that `parts` makes of a header and fragments.
fn compare(is_encrypted: bool, options: &[&str], parts: impl Fn(&[u8], Vec<Vec<u8>>) -> Vec<Vec<u8>>) {
    let renditions = Renditions::encode(&CLIP);
    let cmaf = renditions.cmaf("cmaf", 2, is_encrypted);
    let protection = protection();
    let folder = renditions.smooth("smooth", &cmaf, is_encrypted.then_some(&protection));
    let file = renditions.path("part.mp4");
    let mut names = renditions.tracks().into_iter();
    for (index, stream) in manifest(&folder).streams.iter().enumerate() {
        for level in 0..stream.levels.len() {
            let (track, rendition) = names.next().unwrap();
            let header = header(&cmaf.join(&track).join("init.mp4"), index as u32 + 1);
            let mut found = Vec::new();
            for part in parts(&header, fragments(&folder, stream, level)) {
                fs_err::write(&file, part).unwrap();
                found.extend(hashes(&file, options, index == 0));
            }
            let expected = hashes(&renditions.file(&rendition), &[], index == 0);
            assert!(found == expected, "{track}: {} of {} frames", found.len(), expected.len());
            assert!(found.len() as u64 >= CLIP.frame_count);
        }
    }
}

#[test]
fn ffmpeg_decodes_the_renditions_frames() {
    compare(false, &[], |header, fragments| vec![[header, &fragments.concat()].concat()]);
}

#[test]
fn ffmpeg_decrypts_the_renditions_frames() {
    // It loses track of the vectors when it reads several fragments.
    let key = hex::encode(KEY_BYTES);
    compare(true, &["-decryption_key", &key], |header, fragments| {
        let part = |fragment| [header, &with_standard_box(fragment)].concat();
        fragments.into_iter().map(part).collect()
    });
}

/// Puts a fragment's sample encryption box into the form that FFmpeg reads: the same payload as `senc`.
fn with_standard_box(mut fragment: Vec<u8>) -> Vec<u8> {
    let kind = [&b"uuid"[..], &hex::decode("a2394f525a9b4f14a2446c427c648df4").unwrap()].concat();
    let at = fragment.windows(kind.len()).position(|window| window == kind).unwrap();
    let size = u32::from_be_bytes(fragment[at - 4..at].try_into().unwrap());
    fragment[at - 4..at + 12].copy_from_slice(b"\0\0\0\x10free\0\0\0\0\0\0\0\0");
    fragment[at + 12..at + 16].copy_from_slice(&(size - 16).to_be_bytes());
    fragment[at + 16..at + 20].copy_from_slice(b"senc");
    fragment
}
