//! Shaka Packager encrypts the same tracks with the same key and vectors.

use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_packaging::protected_progressive::TrackProtection;

use crate::clip::{Clip, KEY, KEY_ID, bodies, key};

const VECTOR: &str = "fffffffffffffff8";

fn packager() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/packager");
    std::env::var_os("REELFARM_PACKAGER")
        .map(PathBuf::from)
        .unwrap_or_else(|| if built.exists() { built } else { PathBuf::from("packager") })
}

/// The clip's only track as the packager encrypts it.
fn packaged(clip: &Clip) -> Vec<u8> {
    let output = clip.path("packaged.mp4");
    let arguments = [
        format!("in={},stream=0,output={},drm_label=T", clip.clear().display(), output.display()),
        "--enable_raw_key_encryption".into(),
        "--protection_scheme=cenc".into(),
        "--clear_lead=0".into(),
        // Of the test's own, so that it may be seen.
        format!("--keys=label=T:key_id={KEY_ID}:key={KEY}:iv={VECTOR}"),
    ];
    let run = Command::new(packager()).args(arguments).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    fs_err::read(output).unwrap()
}

#[test]
fn samples_and_their_parts_are_those_of_the_packager() {
    let generated = Clip::generated();
    let clips = [
        ("pictures in slices", generated.track(0)),
        ("sound", generated.track(1)),
        ("real pictures", Clip::real("bigbuckbunny.mp4", &["0:v"])),
        ("other real pictures", Clip::real("car-detection.mp4", &["0:v"])),
        ("real pictures of 50 Hz", Clip::real("svt_8mono_720p50.mp4", &["0:v"])),
        ("real sound", Clip::real("bigbuckbunny.mp4", &["0:a"])),
    ];
    let key = key();
    let vector = hex::decode(VECTOR).unwrap().try_into().unwrap();
    for (name, clip) in clips {
        let output = clip.path("own.mp4");
        clip.protect(&output, &[TrackProtection { key: &key, vector }], &[]).unwrap();
        let (own, packaged) = (fs_err::read(output).unwrap(), packaged(&clip));
        assert!(bodies(&own, "mdat").concat() == bodies(&packaged, "mdat").concat(), "{name}");
        // Without version, flags and number of entries.
        let entries =
            |bytes, path| bodies(bytes, path).iter().flat_map(|senc| &senc[8..]).copied().collect::<Vec<_>>();
        assert!(entries(&own, "moov/trak/senc") == entries(&packaged, "moof/traf/senc"), "{name}");
    }
}
