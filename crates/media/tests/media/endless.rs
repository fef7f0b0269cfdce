//! Files without an end: a film, and then a hundred gigabytes of nothing, of which the disk keeps none.

use reelfarm_model::measurement::OpenErrorKind;

use crate::support::{Workspace, measured};

const LENGTH: u64 = 100 << 30;
const FILM: &str = "-f lavfi -i testsrc2=s=64x48:r=25:d=1 -f lavfi -i sine=r=48000:d=1";

#[test]
fn nothing_without_end_is_not_read_to_its_end() {
    let workspace = Workspace::new();
    for (name, codecs, is_broken_off) in [
        ("film.mkv", "-c:v mpeg4 -c:a ac3", true),
        ("film.mpg", "-c:v mpeg1video -c:a mp2", true),
        ("film.mxf", "-c:v mpeg2video -c:a pcm_s16le", true),
        ("film.avi", "-c:v mjpeg -c:a mp2", true),
        ("film.flac", "-vn -c:a flac", true),
        // These give up by themselves, or know where their media end.
        ("film.ts", "-c:v mpeg2video -c:a mp2", false),
        ("film.mp4", "-c:v mpeg4 -c:a aac", false),
    ] {
        let path = workspace.make(name, &format!("{FILM} {codecs}"));
        fs_err::OpenOptions::new().write(true).open(&path).unwrap().set_len(LENGTH).unwrap();
        let measurements = measured(&path);
        assert_eq!(measurements.size, LENGTH);
        let kind = measurements.open_error.map(|error| error.kind);
        assert_eq!(kind, is_broken_off.then_some(OpenErrorKind::TooMuchWork), "{name}");
    }
    let nothing = workspace.path("nothing.mp4");
    fs_err::File::create(&nothing).unwrap().set_len(LENGTH).unwrap();
    assert_eq!(measured(&nothing).open_error.unwrap().kind, OpenErrorKind::NotMedia);
}
