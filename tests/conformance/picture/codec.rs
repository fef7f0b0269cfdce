//! What is no film, containers and codecs on the list and off it, and which track is the picture.

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;
use reelfarm_qc::Policy;

use super::{Film, clean, rejected, table, warned};
use crate::judge::{Clips, Fault, assert_faults, judged, judged_by};
use crate::support::repository;

#[test]
fn what_is_no_film_does_not_open() {
    let clips = Clips::new();
    let film = fs_err::read(Film::new("film.mp4", 2.0).make(&clips)).unwrap();
    let noise = (0..100_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, bytes, value) in [
        ("noise.mp4", noise, "not media, or damaged"),
        ("empty.mov", Vec::new(), "not media, or damaged"),
        (
            "playlist.mp4",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n".to_vec(),
            "refused",
        ),
        // The index is at the end.
        ("cut.mp4", film[..film.len() * 9 / 10].to_vec(), "its index (moov) is missing"),
    ] {
        let path = clips.path(name);
        fs_err::write(&path, bytes).unwrap();
        let report = judged(&path);
        assert_faults(name, &report, &rejected(Code::QcUnreadable, &[]));
        assert!(report.checks[0].value.contains(value), "{name}: {report:#?}");
    }
}

#[test]
fn every_accepted_container_and_its_usual_codecs_are_clean() {
    // These keep no language.
    let no_language = || warned(Code::QcAudioLanguage, &[]);
    let mpeg2 = "-c:v mpeg2video -q:v 3 -g 12";
    table([
        (Film::new("h264.mp4", 2.0), clean()),
        (
            Film::new("hevc.mp4", 2.0).coded("-c:v libx265 -preset ultrafast -x265-params log-level=error"),
            clean(),
        ),
        (Film::new("prores.mov", 2.0).coded("-c:v prores_ks -profile:v 3"), clean()),
        (
            Film::new("dnxhd.mov", 2.0)
                .size(640, 360)
                .coded("-c:v dnxhd -profile:v dnxhr_hq -pix_fmt yuv422p"),
            clean(),
        ),
        (Film::new("ffv1.mkv", 2.0).coded("-c:v ffv1 -pix_fmt yuv420p").sounding("-c:a flac"), clean()),
        (
            Film::new("vp9.webm", 2.0)
                .coded("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 20 -b:v 0")
                .sounding("-c:a libopus"),
            clean(),
        ),
        (Film::new("mpeg-2.ts", 2.0).coded(mpeg2), clean()),
        (Film::new("mpeg-2.mxf", 2.0).coded(mpeg2), no_language()),
        (Film::new("mjpeg.avi", 2.0).coded("-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"), no_language()),
    ]);
}

#[test]
fn what_is_not_on_the_list_is_refused() {
    let clips = Clips::new();
    let text = fs_err::read_to_string(repository().join("ladders/qc.toml")).unwrap();
    let mxf_alone = text.replace(r#"containers = ["mov", "mp4", "#, r#"containers = ["#);
    assert_ne!(mxf_alone, text);
    let path = Film::new("film.mp4", 2.0).make(&clips);
    let report = judged_by(&Policy::parse("ours.toml", &mxf_alone).unwrap(), &path);
    assert_faults("film.mp4", &report, &rejected(Code::QcContainer, &[]));
    table([
        (Film::new("codec.mov", 2.0).coded("-c:v qtrle -pix_fmt rgb24"), rejected(Code::QcContainer, &[])),
        (Film::new("codec.mkv", 2.0).coded("-c:v msmpeg4v3 -q:v 2"), rejected(Code::QcContainer, &[])),
    ]);
}

#[test]
fn there_is_one_picture_and_a_cover_is_none() {
    let clips = Clips::new();
    let film = Film::new("film.mp4", 2.0).make(&clips);
    let film = film.display();
    let cover = clips.make("cover.png", "-f lavfi -i testsrc2=size=64x64 -frames:v 1");
    let two = clips.make("two.mkv", &format!("-i {film} -map 0:v -map 0:v -map 0:a -c copy"));
    let covered = clips.make(
        "covered.mp4",
        &format!("-i {film} -i {} -map 0 -map 1 -c copy -disposition:v:1 attached_pic", cover.display()),
    );
    let sound = clips.make("sound.m4a", &format!("-i {film} -map 0:a -c copy"));
    assert_faults("two.mkv", &judged(&two), &rejected(Code::QcVideoTrack, &[]));
    assert_faults("covered.mp4", &judged(&covered), &clean());
    let no_picture = [Fault { code: Code::QcVideoTrack, verdict: Verdict::Reject, places: &[] }];
    assert_faults("sound.m4a", &judged(&sound), &no_picture);
}
