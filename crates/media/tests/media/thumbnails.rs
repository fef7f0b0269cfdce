//! Pictures of a source at moments.

use std::path::Path;

use reelfarm_media::child::{Request, Response, serve};
use reelfarm_media::{MOST_THUMBNAILS, MediaError, Thumbnail, thumbnails};
use reelfarm_model::Code;

use crate::support::{Workspace, decode, measured, real_clip};

/// Grey that is lighter each second.
const STEPS: &str =
    "-f lavfi -i color=c=black:s=160x90:r=25:d=6,format=yuv420p,geq=lum='16+36*floor(T)':cb=128:cr=128";

fn taken(path: &Path, times: &[f64]) -> Vec<Option<Thumbnail>> {
    thumbnails(path, 0, times, &mut |_| ()).unwrap()
}

/// The grey samples of a picture, 0 black and 255 white.
fn grey(workspace: &Workspace, thumbnail: &Thumbnail) -> Vec<u8> {
    let path = workspace.path("picture.jpg");
    fs_err::write(&path, &thumbnail.jpeg).unwrap();
    let samples = decode(&path, "-vf scale=out_range=pc,format=gray -f rawvideo");
    assert_eq!(samples.len(), (thumbnail.width * thumbnail.height) as usize);
    samples
}

fn mean(workspace: &Workspace, thumbnail: &Thumbnail) -> f64 {
    let samples = grey(workspace, thumbnail);
    samples.iter().copied().map(f64::from).sum::<f64>() / samples.len() as f64
}

#[test]
fn the_frame_that_is_shown_at_a_moment_is_found_in_every_container() {
    let workspace = Workspace::new();
    // Moments in no order, on both sides of a change, and between two frames; one key frame in all, or one in two seconds.
    let moments = [4.5, 0.0, 2.97, 3.0, 5.02, 1.013];
    for (name, options) in [
        ("long.mp4", "-c:v libx264 -g 250 -bf 2"),
        ("offset.mkv", "-c:v libx264 -g 50 -output_ts_offset 7"),
        ("packets.ts", "-c:v libx264 -g 50 -bf 2"),
        // At a rate at which most frames have a time of their own: frames without are told theirs from the file's beginning.
        ("program.mpg", "-c:v mpeg2video -g 12 -bf 2 -b:v 3M -minrate 3M -maxrate 3M -bufsize 1M"),
        ("exchange.mxf", "-c:v mpeg2video -g 12 -b:v 1M"),
        ("old.avi", "-c:v mpeg4 -g 50 -b:v 1M"),
    ] {
        let path = workspace.make(name, &format!("{STEPS} {options}"));
        let first = measured(&path).video[0].first_time;
        let found = taken(&path, &moments.map(|moment| first + moment));
        for (moment, thumbnail) in moments.iter().zip(found) {
            let expected = (moment + 0.001).floor() * 36.0 * 255.0 / 219.0;
            let found = mean(&workspace, &thumbnail.unwrap_or_else(|| panic!("{name} {moment}")));
            assert!((found - expected).abs() < 6.0, "{name} at {moment}: {found}, not {expected}");
        }
    }
}

#[test]
fn pictures_are_upright_and_of_the_right_proportions() {
    let workspace = Workspace::new();
    let source = "-f lavfi -i color=c=black:s=360x288:r=25:d=1,drawbox=h=ih/2:c=white:t=fill";
    let plain = workspace.make("plain.mp4", &format!("{source},setsar=64/45 -c:v libx264 -pix_fmt yuv420p"));
    let lying =
        workspace.make("turned.mp4", &format!("-i {} -c copy -metadata:s:v rotate=90", plain.display()));
    let rotation = measured(&lying).video[0].rotation;
    assert!([90, 270].contains(&rotation));
    for (path, size) in [(&plain, (320, 180)), (&lying, (180, 320))] {
        let thumbnail = taken(path, &[0.5])[0].clone().unwrap();
        assert_eq!((thumbnail.width, thumbnail.height), size);
        let samples = grey(&workspace, &thumbnail);
        let at = |x: u32, y: u32| {
            let (column, row) = (thumbnail.width * x / 4, thumbnail.height * y / 4);
            samples[(row * thumbnail.width + column) as usize] > 128
        };
        // The white half is on top; turned clockwise it is on the right.
        let expected = match (path == &lying, rotation) {
            (false, _) => [true, true, false, false],
            (true, 90) => [false, true, false, true],
            (true, _) => [true, false, true, false],
        };
        assert_eq!([at(1, 1), at(3, 1), at(1, 3), at(3, 3)], expected, "{size:?}");
    }
}

#[test]
fn a_picture_is_small_however_much_there_is_to_see() {
    let workspace = Workspace::new();
    let noise = "-f lavfi -i nullsrc=s=640x640:r=25:d=0.2,format=yuv420p,geq=random(1)*255:random(1)*255:random(1)*255";
    let path = workspace.make("noise.mkv", &format!("{noise} -c:v ffv1"));
    let thumbnail = taken(&path, &[0.0])[0].clone().unwrap();
    assert_eq!((thumbnail.width, thumbnail.height), (320, 320));
    assert!(thumbnail.jpeg.len() <= 48 << 10, "{} bytes", thumbnail.jpeg.len());
    assert_eq!(taken(&path, &[0.0])[0].clone(), Some(thumbnail), "the same film gives the same picture");
}

#[test]
fn colours_of_every_form_are_those_of_the_film() {
    let workspace = Workspace::new();
    let orange = |thumbnail: &Thumbnail| {
        fs_err::write(workspace.path("orange.jpg"), &thumbnail.jpeg).unwrap();
        decode(&workspace.path("orange.jpg"), "-vf scale=1:1,format=rgb24 -f rawvideo")
    };
    for (size, options) in [
        ("160x90", "scale=out_color_matrix=bt601,format=yuv420p -c:v ffv1"),
        ("1280x720", "scale=out_color_matrix=bt709,format=yuv422p10le -c:v ffv1"),
        ("160x90", "scale=out_color_matrix=bt709,format=yuv420p -colorspace bt709 -c:v ffv1"),
        ("160x90", "scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p -color_range pc -c:v mjpeg"),
        ("160x90", "format=gbrp -c:v ffv1"),
        ("160x90", "format=rgb24 -c:v png"),
    ] {
        let path = workspace
            .make("orange.mkv", &format!("-f lavfi -i color=c=0xE08020:s={size}:r=25:d=0.2,{options}"));
        let found = orange(taken(&path, &[0.0])[0].as_ref().unwrap());
        let expected = [0xe0_u8, 0x80, 0x20];
        let is_near = found.iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= 6);
        assert!(is_near, "{options}: {found:?}");
    }
}

#[test]
fn what_cannot_be_shown_has_no_picture_and_the_rest_has() {
    let workspace = Workspace::new();
    let path = workspace.make("steps.ts", &format!("{STEPS} -c:v libx264 -g 25 -bf 0"));
    let mut bytes = fs_err::read(&path).unwrap();
    let first = measured(&path).video[0].first_time;
    // The middle third is lost.
    let third = bytes.len() / 3;
    bytes[third..2 * third].fill(0);
    fs_err::write(&path, &bytes).unwrap();
    let times: Vec<f64> = [0.5, 2.8, 5.5].iter().map(|moment| first + moment).collect();
    let found = taken(&path, &times);
    assert_eq!([found[0].is_some(), found[2].is_some()], [true, true]);
    assert!(mean(&workspace, found[2].as_ref().unwrap()) > 200.0);
    let nowhere = taken(&path, &[-50.0, 1e6, f64::NAN, f64::INFINITY, -1e300]);
    assert!(nowhere.iter().all(Option::is_none), "{nowhere:?}");
    // A file that ends early, and one of which nothing is left but its head.
    let film = real_clip("bigbuckbunny.mp4");
    let whole = fs_err::read(&film).unwrap();
    for length in [whole.len() / 2, whole.len() / 50] {
        let path = workspace.path("cut.mp4");
        fs_err::write(&path, &whole[..length]).unwrap();
        match thumbnails(&path, 0, &[0.0, 5.0, 100.0], &mut |_| ()) {
            Ok(found) => assert_eq!(found[2], None),
            Err(error) => assert!(matches!(error, MediaError::Refused { .. }), "{error}"),
        }
    }
}

#[test]
fn pictures_are_few() {
    let workspace = Workspace::new();
    let path =
        workspace.make("short.mp4", "-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v libx264 -preset ultrafast");
    let found = taken(&path, &[0.2; MOST_THUMBNAILS + 3]);
    assert_eq!(found.len(), MOST_THUMBNAILS + 3);
    assert_eq!(found.iter().flatten().count(), MOST_THUMBNAILS);
}

#[test]
fn a_child_gives_pictures_or_a_failure() {
    let workspace = Workspace::new();
    let path =
        workspace.make("film.mp4", "-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v libx264 -preset ultrafast");
    let last = |stream, path: &Path| {
        let request = Request::Thumbnails { path: path.to_owned(), stream, times: vec![0.5, 99.0] };
        let mut output = Vec::new();
        serve(serde_json::to_vec(&request).unwrap().as_slice(), &mut output).unwrap();
        serde_json::from_str::<Response>(String::from_utf8(output).unwrap().lines().last().unwrap()).unwrap()
    };
    let Response::Result(result) = last(0, &path) else { panic!() };
    let thumbnails: Vec<Option<Thumbnail>> = serde_json::from_value(result).unwrap();
    assert_eq!([thumbnails[0].is_some(), thumbnails[1].is_some()], [true, false]);
    let Response::Failure(failure) = last(7, &path) else { panic!() };
    assert!(failure.message.contains("no usable video track 7"), "{failure}");
    let Response::Failure(failure) = last(0, &workspace.path("none.mp4")) else { panic!() };
    assert_eq!(failure.code, Code::SourceNotFound);
}
