//! Measurements of what pictures show, on clips that are made to show it.

use std::path::Path;

use reelfarm_model::measurement::picture::PictureMeasurement;
use reelfarm_model::measurement::sampled::{DetailMeasurement, FieldMeasurement};
use reelfarm_model::measurement::{Spans, VideoMeasurement};

use crate::support::{Workspace, measured, real_clip};

/// Pictures that move throughout, 320x180.
const MOVING: &str = "scroll=h=0.01";
/// Quick, and next to lossless.
const X264: &str = "-c:v libx264 -preset ultrafast -qp 4";

fn video_of(path: &Path) -> VideoMeasurement {
    let mut measurements = measured(path);
    assert_eq!((measurements.video.len(), measurements.read_errors), (1, 0), "{}", path.display());
    let video = measurements.video.remove(0);
    assert_eq!(video.decode_errors, 0, "{}", path.display());
    video
}

fn picture_of(path: &Path) -> PictureMeasurement {
    video_of(path).picture.unwrap()
}

/// Asserts that there is one stretch, from `start` to `end` seconds, each to a frame at 25 a second.
fn assert_span(found: &Spans, start: f64, end: f64) {
    let [span] = found.first.as_slice() else { panic!("{found:?}") };
    assert!((span.start - start).abs() < 0.041 && (span.end - end).abs() < 0.041, "{found:?}");
}

#[test]
fn black_in_the_middle_is_found_to_the_frame() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "black.mp4",
        &format!(
            "-f lavfi -i testsrc2=s=320x180:r=25:d=6,{MOVING},drawbox=c=black:t=fill:enable='between(t,1.99,3.97)' {X264}"
        ),
    );
    let picture = picture_of(&source);
    assert_eq!(picture.frames, 150);
    assert!((picture.start, picture.leading_black) == (0.0, 0.0) && picture.trailing_black == 0.0);
    assert!((picture.end - 6.0).abs() < 0.001, "{}", picture.end);
    assert_span(&picture.black, 2.0, 4.0);
}

#[test]
fn black_is_found_in_every_pixel_format() {
    let workspace = Workspace::new();
    let mut mean = None;
    for (name, codec) in [
        ("plain.mkv", "ffv1 -pix_fmt yuv420p"),
        ("odd.mkv", "ffv1 -pix_fmt yuv410p"),
        ("ten.mkv", "ffv1 -pix_fmt yuv422p10le"),
        ("twelve.mkv", "ffv1 -pix_fmt yuv444p12le"),
        ("sixteen.mkv", "ffv1 -pix_fmt yuv420p16le"),
        ("full.mp4", "libx264 -qp 4 -pix_fmt yuvj420p"),
        ("full.mkv", "libx264 -qp 4 -pix_fmt yuv420p10le -vf scale=out_range=pc -color_range pc"),
        ("alpha.mkv", "ffv1 -pix_fmt yuva444p10le"),
        ("grey.mkv", "ffv1 -pix_fmt gray"),
        ("deep-grey.mkv", "ffv1 -pix_fmt gray16le"),
        ("two-planes.avi", "rawvideo -pix_fmt nv12"),
        ("packed.avi", "rawvideo -pix_fmt uyvy422"),
        ("packed.mov", "v210"),
        ("upside-down.avi", "rawvideo -pix_fmt bgr24"),
        ("colours.mov", "qtrle -pix_fmt rgb24"),
        ("colours.mkv", "ffv1 -pix_fmt gbrp10le"),
        ("colours-alpha.mov", "png -pix_fmt rgba"),
    ] {
        let source = workspace.make(
            name,
            &format!(
                "-f lavfi -i testsrc2=s=192x108:r=25:d=1.6,{MOVING},drawbox=c=black:t=fill:enable='between(t,0.39,0.77)' \
                 -c:v {codec}"
            ),
        );
        let video = video_of(&source);
        let picture = video.picture.unwrap_or_else(|| panic!("{name} {}", video.pixel_format));
        assert_eq!(picture.frames, 40, "{name} {}", video.pixel_format);
        assert_span(&picture.black, 0.4, 0.8);
        // As bright in every format, but for what the conversion from one matrix to another does to strong colours.
        let found = f64::from(picture.luma.mean.values[2].unwrap());
        let expected = *mean.get_or_insert(found);
        assert!((found - expected).abs() < 0.05, "{name} {}: {found} {expected}", video.pixel_format);
        assert!(video.fields.is_some(), "{name} {}", video.pixel_format);
    }
}

#[test]
fn a_picture_that_stands_still_is_found() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "still.mp4",
        &format!(
            "-f lavfi -i testsrc2=s=320x180:r=25:d=3,{MOVING},tpad=stop_mode=clone:stop_duration=3 {X264}"
        ),
    );
    let picture = picture_of(&source);
    assert_span(&picture.freeze, 2.96, 6.0);
    assert_eq!(picture.black.count, 0);
}

fn fields_of(path: &Path) -> FieldMeasurement {
    let video = video_of(path);
    let fields = video.fields.unwrap();
    let FieldMeasurement { progressive, top_field_first, bottom_field_first, undetermined, .. } = fields;
    assert_eq!(progressive + top_field_first + bottom_field_first + undetermined, video.frames);
    fields
}

#[test]
fn pictures_of_two_moments_are_told_from_those_of_one_whatever_flags_say() {
    let workspace = Workspace::new();
    let make = |name: &str, filters: &str| {
        workspace.make(name, &format!("-f lavfi -i testsrc2=s=640x360:r=50:d=4,{MOVING},{filters} {X264}"))
    };
    let top = fields_of(&make("top.mp4", "tinterlace=interleave_top,setfield=prog"));
    assert!(top.top_field_first > 90 && top.bottom_field_first == 0, "{top:?}");
    assert!(top.interlaced.seconds > 3.5, "{top:?}");
    let bottom = fields_of(&make("bottom.mp4", "tinterlace=interleave_bottom"));
    assert!(bottom.bottom_field_first > 90 && bottom.top_field_first == 0, "{bottom:?}");
    let progressive = fields_of(&make("progressive.mp4", "fps=25,setfield=tff"));
    assert!(progressive.progressive > 90 && progressive.interlaced.count == 0, "{progressive:?}");
}

#[test]
fn film_made_video_by_telecine_repeats_fields() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "telecine.mp4",
        &format!("-f lavfi -i testsrc2=s=640x360:r=24:d=4,{MOVING},telecine=pattern=23 {X264}"),
    );
    let fields = picture_of(&source).field_cadence;
    let pattern = fields.patterns.first().unwrap_or_else(|| panic!("{fields:?}"));
    assert_eq!((pattern.period, pattern.pictures), (5, 4), "{fields:?}");
    assert!((40..=50).contains(&fields.repeats), "{fields:?}");
}

fn detail_of(path: &Path) -> DetailMeasurement {
    let detail = video_of(path).detail.unwrap();
    let heights: Vec<_> = detail.losses.iter().map(|loss| loss.height).collect();
    assert_eq!((heights.as_slice(), detail.pictures), ([720, 576, 540, 480].as_slice(), 1));
    let losses: Vec<_> = detail.losses.iter().map(|loss| loss.loss_db.unwrap()).collect();
    assert!(
        losses.windows(2).all(|pair| pair[0] <= pair[1] + 0.5),
        "a smaller height loses more: {losses:?}"
    );
    detail
}

#[test]
fn a_picture_that_was_scaled_up_loses_little_where_a_real_one_does() {
    let workspace = Workspace::new();
    let make = |name: &str, size: &str, filters: &str| {
        let arguments = format!(
            "-f lavfi -i testsrc2=s={size}:r=25:d=0.6,noise=alls=2:allf=t{filters} -pix_fmt yuv420p {X264}"
        );
        detail_of(&workspace.make(name, &arguments))
    };
    let at = |detail: &DetailMeasurement, index: usize| detail.losses[index].loss_db.unwrap();
    let real = make("real.mp4", "1920x1080", "");
    assert!(at(&real, 0) > -40.0, "{real:?}");
    for kernel in ["bilinear", "bicubic", "lanczos"] {
        let scaled = make("scaled.mp4", "854x480", &format!(",scale=1920:1080:flags={kernel}"));
        // At the height it came from and at all above it; and 720 lines are enough by the policy's limit.
        assert!(
            (0..4).all(|index| at(&scaled, index) < at(&real, index) - 8.0),
            "{kernel}: {scaled:?} {real:?}"
        );
        assert!(at(&scaled, 0) < -50.0, "{kernel}: {scaled:?}");
    }
    let hd = make("720.mp4", "1280x720", ",scale=1920:1080:flags=bicubic");
    assert!(at(&hd, 0) < at(&real, 0) - 8.0 && at(&hd, 3) > -40.0, "{hd:?} {real:?}");
}

#[test]
fn blocks_of_a_starved_codec_are_seen() {
    let workspace = Workspace::new();
    let make = |name: &str, quality: u32| {
        let arguments = format!(
            "-f lavfi -i testsrc2=s=640x360:r=25:d=1,{MOVING},gblur=2,noise=alls=6:allf=t -c:v mpeg4 -q:v {quality}"
        );
        video_of(&workspace.make(name, &arguments)).blockiness.unwrap()
    };
    let (good, bad) = (make("good.mp4", 2), make("bad.mp4", 31));
    assert_eq!((good.pictures, bad.pictures), (1, 1));
    assert!(bad.high > 1.3 * good.high, "{bad:?} {good:?}");
    assert!((bad.worst_time - 0.48).abs() < 0.001, "{bad:?}");
}

#[test]
fn repeats_of_a_changed_frame_rate_return_with_its_period() {
    let workspace = Workspace::new();
    for (name, from, to, expected) in
        [("25.mp4", 24, 25, (25, 24)), ("50.mp4", 25, 50, (2, 1)), ("30.mp4", 24, 30, (5, 4))]
    {
        let source = workspace
            .make(name, &format!("-f lavfi -i testsrc2=s=320x180:r={from}:d=26,{MOVING},fps={to} {X264}"));
        let cadence = picture_of(&source).cadence;
        let pattern = cadence.patterns.first().unwrap_or_else(|| panic!("{name}: {cadence:?}"));
        assert_eq!((pattern.period, pattern.pictures), expected, "{name}: {cadence:?}");
        assert!(pattern.seconds > 0.8 * cadence.judged_seconds, "{name}: {cadence:?}");
    }
    let source =
        workspace.make("as-shot.mp4", &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=26,{MOVING} {X264}"));
    let cadence = picture_of(&source).cadence;
    assert_eq!((cadence.repeats, cadence.patterns.len()), (0, 0), "{cadence:?}");
}

#[test]
fn bars_around_the_picture_are_measured() {
    let workspace = Workspace::new();
    for (name, filters, expected) in [
        ("letterbox.mp4", "pad=640:360:0:44", [44, 44, 0, 0]),
        ("pillarbox.mp4", "scale=480:360,pad=640:360:80:0", [0, 0, 80, 80]),
        ("none.mp4", "scale=640:360", [0, 0, 0, 0]),
    ] {
        let source = workspace.make(
            name,
            &format!(
                "-f lavfi -i testsrc2=s=640x272:r=25:d=4,{MOVING},lutyuv=y='max(val,60)',{filters} {X264}"
            ),
        );
        let bars = picture_of(&source).bars;
        let found = [bars.margins.top, bars.margins.bottom, bars.margins.left, bars.margins.right];
        assert_eq!((bars.width, bars.height), (640, 360));
        let is_near = |(found, expected): (&u32, &u32)| found.abs_diff(*expected) <= 2;
        assert!(found.iter().zip(&expected).all(is_near), "{name}: {found:?} {bars:?}");
    }
}

#[test]
fn a_change_of_size_in_the_middle_is_measured_through() {
    let workspace = Workspace::new();
    let mut bytes = Vec::new();
    for (name, size, start) in [("a.ts", "320x180", 0), ("b.ts", "640x360", 2), ("c.ts", "320x180", 4)] {
        let part = workspace.make(
            name,
            &format!(
                "-f lavfi -i testsrc2=s={size}:r=25:d=2,{MOVING} {X264} -bf 0 -g 25 -output_ts_offset {start}"
            ),
        );
        bytes.extend(fs_err::read(part).unwrap());
    }
    let whole = workspace.path("whole.ts");
    fs_err::write(&whole, bytes).unwrap();
    let measurements = measured(&whole);
    let video = &measurements.video[0];
    assert_eq!((video.frames, video.format_changes), (150, 2));
    let fields = video.fields.as_ref().unwrap();
    let judged =
        fields.progressive + fields.undetermined + fields.top_field_first + fields.bottom_field_first;
    assert_eq!((video.picture.as_ref().unwrap().frames, judged), (150, 150));
}

#[test]
fn real_clips_show_nothing_absurd() {
    for name in [
        "bigbuckbunny.mp4",
        "bikes.mp4",
        "carphone_pristine.mp4",
        "car-detection.mp4",
        "svt_8mono_720p50.mp4",
    ] {
        let video = video_of(&real_clip(name));
        let frames = video.frames;
        let picture = video.picture.unwrap();
        assert_eq!(picture.frames, frames, "{name}");
        assert!((picture.start - video.first_time).abs() < 1e-6, "{name}");
        assert!(
            picture.end > video.last_time && picture.end < video.last_time + 0.1,
            "{name}: {}",
            picture.end
        );
        assert!(picture.black.seconds < 0.5, "{name}: {:?}", picture.black);
        assert!(picture.freeze.seconds < 0.5 * (picture.end - picture.start), "{name}: {:?}", picture.freeze);
        let means = picture.luma.mean.values.iter().map(|mean| f64::from(mean.unwrap()));
        assert!(
            means.clone().all(|mean| mean > 0.02 && mean < 0.98),
            "{name}: {:?}",
            means.collect::<Vec<_>>()
        );
        assert!(picture.luma.below_range.share < 0.05 && picture.luma.above_range.share < 0.05, "{name}");
        assert_eq!(
            (picture.general_flashes.too_many.count, picture.red_flashes.too_many.count),
            (0, 0),
            "{name}"
        );
        let fields = video.fields.unwrap();
        let interlaced = fields.top_field_first + fields.bottom_field_first;
        assert!(interlaced * 20 <= frames && fields.interlaced.count == 0, "{name}: {fields:?}");
        if video.height > 480 {
            let detail = video.detail.unwrap();
            assert!(
                detail.losses.iter().all(|loss| loss.loss_db.is_some_and(|db| db > -70.0 && db < -10.0)),
                "{name}: {detail:?}"
            );
        }
        let blockiness = video.blockiness.unwrap();
        assert!(blockiness.median > 0.5 && blockiness.high < 20.0, "{name}: {blockiness:?}");
        assert_eq!(video.gaps.count, 0, "{name}: {:?}", video.gaps);
    }
}
