//! Proportions and size of the picture, what is said of the shape of its samples, and a size that changes.

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;

use super::{Film, clean, rejected, table, warned};
use crate::judge::{Clips, assert_faults, assert_found_at, check, judged};

fn shaped(name: &str, aspect: &str) -> Film {
    Film::new(name, 2.0).size(640, 360).filtered(format!("setsar={aspect}"))
}

#[test]
fn proportions_are_those_of_a_film() {
    table([
        // 2.84:1 and 2.8:1.
        (shaped("too-wide.mp4", "8/5"), rejected(Code::QcProportions, &[])),
        (shaped("wide.mp4", "63/40"), clean()),
        // Upright: 0.55:1 and 0.5625:1.
        (Film::new("too-narrow.mp4", 2.0).size(396, 720), rejected(Code::QcProportions, &[])),
        (Film::new("upright.mp4", 2.0).size(360, 640), clean()),
        (Film::new("pal.ts", 2.0).size(720, 576).filtered("setsar=64/45"), clean()),
    ]);
}

#[test]
fn container_and_codec_agree_on_the_shape_of_samples() {
    let clips = Clips::new();
    let stated = |name: &str, codec: &str, container: &str| {
        let film = shaped("codec.mp4", codec).make(&clips);
        clips.make(name, &format!("-i {} -c copy -aspect {container}", film.display()))
    };
    for (name, codec, container, faults) in [
        ("contradicted.mp4", "1/1", "4:3", warned(Code::QcProportions, &[])),
        ("contradicted.mkv", "4/3", "16:9", warned(Code::QcProportions, &[])),
        // 16:11 and 64:45: of 702 samples and of 720.
        ("of-702.mp4", "16/11", "2528:1000", clean()),
        ("the-same.mp4", "1/1", "16:9", clean()),
    ] {
        assert_faults(name, &judged(&stated(name, codec, container)), &faults);
    }
}

#[test]
fn pictures_are_large_enough() {
    table([
        (Film::new("320.mp4", 2.0).size(320, 180), clean()),
        (Film::new("318.mp4", 2.0).size(318, 180), rejected(Code::QcPictureSize, &[])),
        (Film::new("178.mp4", 2.0).size(320, 178), rejected(Code::QcPictureSize, &[])),
        (Film::new("qcif.mp4", 2.0).size(176, 144), rejected(Code::QcPictureSize, &[])),
    ]);
}

#[test]
fn a_change_of_size_is_found_where_it_is() {
    let clips = Clips::new();
    let part = |name: &str, width: u32, height: u32, start: f64| {
        let film = Film::new(name, 2.0).size(width, height).with("-bf 0 -g 25");
        fs_err::read(
            film.sounding("-c:a mp2 -b:a 192k").filed(&format!("-output_ts_offset {start}")).make(&clips),
        )
        .unwrap()
    };
    let judged_with = |name: &str, width: u32, height: u32| {
        let path = clips.path(name);
        fs_err::write(
            &path,
            [part("first.ts", 426, 240, 0.0), part("second.ts", width, height, 2.0)].concat(),
        )
        .unwrap();
        judged(&path)
    };
    assert_found_at("change.ts", &judged_with("change.ts", 640, 360), "picture size", Verdict::Reject, 2.0);
    let report = judged_with("none.ts", 426, 240);
    assert_eq!(check(&report, "picture size").verdict, Verdict::Pass, "{report:#?}");
}
